//! Incidents: accesses of which a manager has to hear. Every kind has variants, drawn by chance.

mod disguise;
mod inside;
mod paper;
mod slow;

use super::generate::Kind;

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind { name: "managers_mailbox_noon", play: paper::managers_mailbox_noon },
    Kind { name: "broad_ticket", play: paper::broad_ticket },
    Kind { name: "self_approved_ticket", play: paper::self_approved_ticket },
    Kind { name: "late_ticket", play: paper::late_ticket },
    Kind { name: "break_glass_misuse", play: paper::break_glass_misuse },
    Kind { name: "slow_drip", play: slow::slow_drip },
    Kind { name: "slow_growth", play: slow::slow_growth },
    Kind { name: "cron", play: slow::cron },
    Kind { name: "after_notice", play: slow::after_notice },
    Kind { name: "shared_account", play: disguise::shared_account },
    Kind { name: "backup_operator", play: disguise::backup_operator },
    Kind { name: "forged_login_uid", play: disguise::forged_login_uid },
    Kind { name: "renamed_program", play: disguise::renamed_program },
    Kind { name: "password_reset", play: disguise::password_reset },
    Kind { name: "vendor_in_user_session", play: disguise::vendor_in_user_session },
    Kind { name: "unknown_account", play: disguise::unknown_account },
    Kind { name: "flood", play: disguise::flood },
    Kind { name: "export_to_downloads", play: inside::export_to_downloads },
    Kind { name: "after_leaving", play: inside::after_leaving },
    Kind { name: "through_copy", play: inside::through_copy },
    Kind { name: "recording_off", play: inside::recording_off },
    Kind { name: "own_hr_file", play: inside::own_hr_file },
    Kind { name: "curiosity", play: inside::curiosity },
];
