//! What an error ends the program with, from sysexits: a script can tell a no from a failure.

use super::answer::Usage;
use super::at_rest::NotNow;
use super::exit;
use crate::admin::client::ClientError;
use crate::app::AppError;
use crate::at_rest::AtRestError;
use crate::home::HomeError;
use crate::init::InitError;
use crate::ledger::database::DatabaseError;
use crate::migrate::MigrateError;
use crate::off_site::shelf::ShelfError;
use crate::practice::PracticeError;
use crate::refill::RefillError;
use crate::restore::RestoreError;
use crate::run::RunError;

/// The exit code for an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let practice = |error: &PracticeError| match error {
        PracticeError::Home(error) => of_home(error),
        PracticeError::None(_)
        | PracticeError::Config(_)
        | PracticeError::Trust(_)
        | PracticeError::OtherKey(_) => exit::CONFIG,
        PracticeError::Note(_) | PracticeError::Authority(_) | PracticeError::Certificate => exit::CONFIG,
    };
    let app = |error: &AppError| match error {
        AppError::Practice(error) => practice(error),
        AppError::AtRest(error) => of_at_rest(error),
        _ => exit::IO,
    };
    let init = |error: &InitError| match error {
        InitError::AlreadyThere(_) | InitError::KeysThere(_) | InitError::Paper(_) => exit::NO,
        InitError::AtRest(error) => of_at_rest(error),
        InitError::Template { .. }
        | InitError::Config(_)
        | InitError::Name(_)
        | InitError::KeysTwice(_)
        | InitError::KeysNowhere => exit::USAGE,
        _ => exit::IO,
    };
    if let Some(error) = error.downcast_ref::<AtRestError>() {
        return of_at_rest(error);
    }
    if let Some(error) = error.downcast_ref::<AppError>() {
        return app(error);
    }
    if let Some(error) = error.downcast_ref::<MigrateError>() {
        return match error {
            MigrateError::Section(_) | MigrateError::Config(_) => exit::CONFIG,
            MigrateError::There(_) | MigrateError::Leads | MigrateError::Differs { .. } => exit::NO,
            MigrateError::Database(DatabaseError::AlreadyThere(_) | DatabaseError::Closed(_)) => exit::NO,
            MigrateError::Database(DatabaseError::Lost(_)) => exit::UNAVAILABLE,
            MigrateError::Practice(error) => practice(error),
            _ => exit::IO,
        };
    }
    if error.is::<NotNow>() {
        return NotNow::CODE;
    }
    if let Some(error) = error.downcast_ref::<InitError>() {
        return init(error);
    }
    if let Some(error) = error.downcast_ref::<RefillError>() {
        return match error {
            RefillError::Init(error) => init(error),
            RefillError::OtherHistory { .. } | RefillError::Nothing(_) => exit::NO,
            RefillError::Keys(_) | RefillError::NoSource(_) | RefillError::Rules(..) => exit::USAGE,
            RefillError::OtherPractice(_) | RefillError::Package { .. } => exit::USAGE,
            _ => exit::IO,
        };
    }
    if let Some(error) = error.downcast_ref::<RestoreError>() {
        return match error {
            RestoreError::Init(error) => init(error),
            RestoreError::Keys(_) | RestoreError::OtherPractice | RestoreError::Reason(_) => exit::USAGE,
            RestoreError::Shelf(error) => of_shelf(error),
            RestoreError::Home(_) | RestoreError::Ledger(_) => exit::IO,
            RestoreError::Recovery(_) | RestoreError::OtherRecovery(_) => exit::USAGE,
            RestoreError::Config(_) | RestoreError::Toml(_) => exit::CONFIG,
            _ => exit::NO,
        };
    }
    if let Some(error) = error.downcast_ref::<ShelfError>() {
        return of_shelf(error);
    }
    match (error.downcast_ref::<ClientError>(), error.downcast_ref::<RunError>()) {
        (Some(ClientError::Refused(_) | ClientError::Unproved(_)), _) => exit::NO,
        (Some(ClientError::Practice(error)), _) => practice(error),
        (Some(ClientError::AtRest(error)), _) => of_at_rest(error),
        (Some(ClientError::App(error)), _) | (_, Some(RunError::App(error))) => app(error),
        (Some(ClientError::Talk(_)), _) => exit::UNAVAILABLE,
        (_, Some(RunError::Practice(error))) => practice(error),
        (_, Some(RunError::Listen(_) | RunError::Rest(_))) => exit::UNAVAILABLE,
        (_, Some(_)) => exit::IO,
        (None, None) => error
            .downcast_ref::<PracticeError>()
            .map_or(if error.is::<Usage>() { exit::USAGE } else { exit::IO }, practice),
    }
}

const fn of_home(error: &HomeError) -> u8 {
    match error {
        HomeError::Read { .. } | HomeError::Write { .. } => exit::IO,
        HomeError::Common { .. } => exit::UNAVAILABLE,
        HomeError::NotAKey { .. }
        | HomeError::Loose { .. }
        | HomeError::Encrypted { .. }
        | HomeError::NotEncrypted { .. }
        | HomeError::DoesNotOpen { .. } => exit::CONFIG,
    }
}

const fn of_shelf(error: &ShelfError) -> u8 {
    match error {
        ShelfError::Settings(_) => exit::CONFIG,
        ShelfError::Unreachable { .. } => exit::UNAVAILABLE,
        ShelfError::Io { .. }
        | ShelfError::HostKey { .. }
        | ShelfError::Refused { .. }
        | ShelfError::Failed { .. }
        | ShelfError::Stopped => exit::IO,
    }
}

const fn of_at_rest(error: &AtRestError) -> u8 {
    match error {
        AtRestError::Home(error) => of_home(error),
        AtRestError::Segment(_) | AtRestError::Terminal(_) | AtRestError::Seal(_) => exit::IO,
        _ => exit::CONFIG,
    }
}
