//! Who comes, who goes, who is away, and which computer is out of reach or has a wrong clock.

use jiff::civil::Date;

use super::calendar::later;
use super::cast::Role;
use super::roster_text;
use super::stage::Stage;

const STAFF: &[Role] = &[Role::Nurse, Role::FrontDesk, Role::Billing, Role::Physician];

/// Plans it for all weeks.
pub fn plan(stage: &mut Stage) {
    let weeks = i64::from(stage.calendar.weeks);
    let staff = i64::try_from(stage.cast.people.len()).unwrap_or_default();
    // About one in five leaves within a year, and is replaced.
    let n_changes = (staff * weeks / 260).max(1);
    for _ in 0..n_changes {
        let day = stage.chance.between(7, (stage.calendar.n_days() - 7).max(8));
        hire(stage, day);
        let day = stage.chance.between(7, (stage.calendar.n_days() - 3).max(8));
        goes(stage, day);
    }
    let n_away = (staff * weeks / 14).max(1);
    for _ in 0..n_away {
        away(stage);
    }
    machines(stage);
}

/// Somebody new, known to the roster a few days ahead.
fn hire(stage: &mut Stage, day: i64) {
    let role = stage.chance.pick(STAFF).copied().unwrap_or(Role::Nurse);
    let first = stage.calendar.work_day_from(stage.calendar.day(day));
    let n = stage.cast.join(role, &mut stage.chance);
    let Some(person) = stage.cast.people.get_mut(n) else { return };
    person.begins = Some(first);
    let block = roster_text::person(person);
    let known = stage.between(later(first, -3), 600, 900);
    stage.tape.roster(known.max(stage.calendar.at(stage.calendar.first, 30)), block);
}

/// Somebody gives notice and goes, in good order.
fn goes(stage: &mut Stage, day: i64) {
    let on = stage.calendar.day(day);
    let notice = later(on, -stage.chance.between(14, 28)).max(later(stage.calendar.first, 1));
    let Some(person) = stage.leaver(STAFF, notice) else { return };
    leaves(stage, &person.id, notice, on);
}

/// Writes down that somebody leaves; from then on they play no ordinary part.
pub fn leaves(stage: &mut Stage, id: &str, notice: Date, on: Date) {
    if let Some(person) = stage.cast.person_mut(id) {
        person.leaves = Some(on);
    }
    let at = stage.between(notice, 560, 960);
    stage.tape.roster(at, roster_text::leave(id, on, notice));
}

/// Somebody is ill for a day or two, or away for a week with somebody standing in.
fn away(stage: &mut Stage) {
    let day = stage.chance.between(0, stage.calendar.n_days() - 1);
    let from = stage.calendar.day(day);
    let roles = [Role::Manager, Role::Physician, Role::Nurse, Role::FrontDesk, Role::Billing, Role::It];
    let Some(person) = stage.one(&roles, from, &[]) else { return };
    let is_holiday = stage.chance.happens(400);
    let to = later(from, if is_holiday { stage.chance.between(4, 9) } else { stage.chance.between(0, 2) });
    let deputy = stage.one(&[person.role], from, &[&person.id]);
    if let Some(away) = stage.cast.person_mut(&person.id) {
        away.away.push((from, to));
    }
    if let (true, Some(deputy)) = (is_holiday, deputy) {
        let known = stage.between(later(from, -2).max(stage.calendar.first), 560, 960);
        stage.tape.roster(known, roster_text::cover(&deputy.id, &person.id, from, to, false));
    }
}

/// One computer in fifteen is out of reach for a day, one in ten has a clock that is a minute off.
fn machines(stage: &mut Stage) {
    let names: Vec<String> = stage.cast.machines.iter().map(|machine| machine.name.clone()).collect();
    for name in names.iter().filter(|name| name.starts_with("ws-")) {
        if stage.chance.happens(100) {
            let wrong = stage.chance.between(-70, 70);
            stage.tape.drift.insert(name.clone(), wrong);
        }
        if stage.chance.happens(66) {
            let day = stage.chance.between(0, stage.calendar.n_days() - 2);
            let date = stage.calendar.day(day);
            let from = stage.between(date, 420, 700);
            let to = stage.between(later(date, 1), 430, 800);
            stage.tape.offline.push((name.clone(), from, to));
        }
    }
}
