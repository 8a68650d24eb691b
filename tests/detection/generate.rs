//! A made-up practice from a seed: people, machines, months of ordinary work, and cases among them.
//!
//! The same seed, people and weeks give the same bytes. The cases and their labels were written before the
//! detector was tuned; whoever changes them says so, and measures anew on other seeds.

use anyhow::{Result, ensure};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde_json::json;

use super::calendar::{Calendar, ZONE, later};
use super::cast::Cast;
use super::chance::Chance;
use super::scenario::{Header, Scenario};
use super::stage::Stage;
use super::tape::Tape;
use super::{incidents, innocent, life, roster_text, turnover};

/// The table that the practice adopts: the one for small practices, with its holidays.
const POLICY: &str = include_str!("../../collector/templates/policy/small-practice.toml");
/// The line of that table in which the holidays stand.
const CLOSED_ON: &str = "closed_on = []";

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The seed.
    pub seed: u64,
    /// How many people work there on the first day.
    pub people: u32,
    /// How many weeks.
    pub weeks: u32,
}

/// A kind of case and how it is played in the week of a day; nothing where the people for it are missing then.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// In snake_case.
    pub name: &'static str,
    pub(super) play: fn(&mut Stage, Date) -> Option<()>,
}

impl Request {
    /// Weeks at the beginning in which nothing is counted: four, as the baseline takes, or a third of a short run.
    pub fn learning_weeks(&self) -> u32 {
        4.min(self.weeks / 3)
    }

    /// Whether such a practice can be made.
    pub fn check(&self) -> Result<()> {
        ensure!((5..=1000).contains(&self.people), "--people: from 5 to 1000, and not {}", self.people);
        ensure!((3..=520).contains(&self.weeks), "--weeks: from 3 to 520, and not {}", self.weeks);
        Ok(())
    }

    /// The scenario.
    pub fn scenario(&self) -> Result<Scenario> {
        self.check()?;
        let purpose = |word: &str| Chance::new(self.seed, &format!("{word} {} {}", self.people, self.weeks));
        let mut chance = purpose("practice");
        let zone = TimeZone::get(ZONE)?;
        // Begin somewhere in the year, so that other holidays and the changes of the clock are met.
        let first = later(date(2026, 1, 5), 7 * chance.between(0, 40));
        let calendar = Calendar::new(zone, first, self.weeks);
        let cast = Cast::new(self.people, &mut chance);
        let tape = Tape::new(purpose("tape"));
        let mut stage = Stage::new(cast, calendar, tape, purpose("turnover"));
        founding(&mut stage);
        turnover::plan(&mut stage);
        let n = |small: i64, large: i64| {
            // 15 people have `small` in ten weeks, 150 have `large`, others in between.
            let people = i64::from(self.people);
            let rate = small + (people - 15).clamp(0, 2000) * (large - small) / 135;
            (rate * i64::from(self.weeks - self.learning_weeks()) / 10).max(1)
        };
        stage.chance = purpose("incidents");
        cases(&mut stage, incidents::KINDS, n(10, 30), self.learning_weeks());
        stage.chance = purpose("innocent");
        cases(&mut stage, innocent::KINDS, n(30, 100), self.learning_weeks());
        stage.chance = purpose("life");
        life::play(&mut stage);
        let header = Header {
            name: format!("a practice of {} people, seed {}", self.people, self.seed),
            timezone: ZONE.to_owned(),
            people: self.people,
            weeks: self.weeks,
            from: stage.calendar.at(stage.calendar.first, 0),
            counted_from: stage.calendar.at(stage.calendar.day(i64::from(self.learning_weeks()) * 7), 0),
        };
        Ok(Scenario { header, lines: stage.tape.finish() })
    }
}

/// What stands in the ledger before the first day's work.
fn founding(stage: &mut Stage) {
    let at = stage.calendar.at(stage.calendar.first, 1);
    stage.tape.roster(at, roster_text::first(&stage.cast));
    let days: Vec<String> = stage.calendar.holidays().iter().map(|(day, _)| format!("\"{day}\"")).collect();
    let text = POLICY.replace(CLOSED_ON, &format!("closed_on = [{}]", days.join(", ")));
    stage.tape.act(at, "act_policy", json!({ "text": text }));
    for machine in stage.cast.machines.clone() {
        let author = format!("agent/{}", machine.name);
        let body = json!({
            "author": author, "key": format!("{author}+00000000+made-up"), "epoch": 0, "machine": "Debian 13",
            "notice": "its users were told",
        });
        stage.tape.act(at, "act_enrolment", body);
    }
}

/// Deals so many cases of these kinds over the weeks after the learning time; no kind comes twice before every
/// other came once.
fn cases(stage: &mut Stage, kinds: &[Kind], n: i64, learning_weeks: u32) {
    let first = i64::from(learning_weeks) * 7;
    let last = stage.calendar.n_days() - 2;
    let mut deck: Vec<Kind> = Vec::new();
    let mut played = 0;
    // A kind whose people are missing is passed over; the bound ends a practice that has none of them.
    for _ in 0..n * 8 {
        if deck.is_empty() {
            deck = kinds.to_vec();
            stage.chance.shuffle(&mut deck);
        }
        let Some(kind) = deck.pop() else { return };
        let day = stage.chance.between(first, last);
        let day = stage.calendar.day(day);
        let day = stage.calendar.work_day_from(day);
        if day >= later(stage.calendar.end(), -1) {
            continue;
        }
        if (kind.play)(stage, day).is_some() {
            played += 1;
        }
        stage.tape.mark(None);
        if played == n {
            return;
        }
    }
}
