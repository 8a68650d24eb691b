//! What earlier entries say of one account's holder, or of a role.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::tally::{Recent, Tally};
use super::weeks::Weeks;
use crate::policy::Area;

/// Assets of one area that are remembered for one holder: every mailbox of a large practice.
const ASSETS_MAX: usize = 512;
/// Computers and addresses of one holder.
const COMPUTERS_MAX: usize = 64;
/// Programs of one holder.
const PROGRAMS_MAX: usize = 128;
/// Changes of rights and passwords of one holder that may still matter.
const CHANGES_MAX: usize = 16;
/// Signals of one holder whose last raise is remembered.
const RAISED_MAX: usize = 256;

/// When something was first and last seen, and on how many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reach {
    /// First moment, Unix seconds.
    pub(super) first: i64,
    pub(super) last: Day,
    pub(super) n_days: u32,
}

impl Reach {
    /// Days before this one on which it was seen.
    pub(super) fn days_before(&self, day: Day) -> u32 {
        if self.last >= day { self.n_days.saturating_sub(1) } else { self.n_days }
    }

    fn add(&mut self, at: i64, day: Day) {
        self.first = self.first.min(at);
        if day > self.last {
            self.last = day;
            self.n_days = self.n_days.saturating_add(1);
        }
    }
}

/// Things of one kind by name; the longest unseen is forgotten when there are too many.
pub(super) type Reached = BTreeMap<String, Reach>;

/// Whether this was the first time today.
pub(super) fn reach(reached: &mut Reached, name: &str, at: i64, day: Day, n_max: usize) -> bool {
    if let Some(reach) = reached.get_mut(name) {
        let is_new_today = day > reach.last;
        reach.add(at, day);
        return is_new_today;
    }
    if reached.len() >= n_max {
        let oldest = reached.iter().min_by_key(|(_, reach)| reach.last).map(|(name, _)| name.clone());
        oldest.map(|oldest| reached.remove(&oldest));
    }
    reached.insert(name.to_owned(), Reach { first: at, last: day, n_days: 1 });
    true
}

/// A change to an account, by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) at: i64,
    pub(super) what: Changed,
    /// Who made it, in words.
    pub(super) by: String,
    /// Made by the holder's own account.
    pub(super) is_own: bool,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Changed {
    Rights,
    Password,
}

/// When a signal made an item, in which session, at which level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Raised {
    day: Day,
    host: String,
    session: Option<u64>,
    level: u32,
}

/// How soon the same signal may make another item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Another one the next day.
    NextDay,
    /// Another one after so many days, or at half as much again.
    After { days: i32, level: u32 },
}

/// What earlier entries say of one holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) first: Option<Day>,
    pub(super) assets: BTreeMap<Area, Reached>,
    pub(super) computers: Reached,
    pub(super) programs: Reached,
    /// Days with any entry, by week.
    pub(super) days: Weeks,
    pub(super) weeks: BTreeMap<Area, Weeks>,
    pub(super) tally: Tally,
    pub(super) changes: Vec<Change>,
    raised: BTreeMap<String, Raised>,
}

impl Past {
    /// The newest day with an entry.
    pub(super) fn newest_day(&self) -> Day {
        self.days.newest_day()
    }

    pub(super) fn has_reached(&self, area: Area, owner: &str) -> bool {
        self.assets.get(&area).is_some_and(|reached| reached.contains_key(owner))
    }

    /// A day on which the holder did anything; whether this is its first entry.
    pub(super) fn was_here(&mut self, day: Day) -> bool {
        let is_new = self.first.is_none() || self.days.newest_day() < day;
        if is_new {
            self.first = Some(self.first.map_or(day, |first| first.min(day)));
            self.days.add(day, 1);
        }
        is_new
    }

    /// Whether the asset was reached for the first time today.
    pub(super) fn reach(&mut self, area: Area, owner: &str, at: i64, day: Day) -> bool {
        reach(self.assets.entry(area).or_default(), owner, at, day, ASSETS_MAX)
    }

    pub(super) fn came_from(&mut self, computer: &str, at: i64, day: Day) {
        reach(&mut self.computers, computer, at, day, COMPUTERS_MAX);
    }

    pub(super) fn ran(&mut self, program: &str, at: i64, day: Day) {
        reach(&mut self.programs, program, at, day, PROGRAMS_MAX);
    }

    pub(super) fn changed(&mut self, change: Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.remove(0);
        }
        self.changes.push(change);
    }

    /// Whether a signal makes an item now. The rest of the session in which it did belongs to that item.
    pub(super) fn may_raise(
        &mut self,
        name: String,
        day: Day,
        host: &str,
        session: Option<u64>,
        again: Again,
    ) -> bool {
        let level = match again {
            Again::NextDay => 0,
            Again::After { level, .. } => level,
        };
        if let Some(last) = self.raised.get(&name) {
            if last.day == day && last.host == host && last.session == session {
                return true;
            }
            let may = match again {
                Again::NextDay => day != last.day,
                Again::After { days, level } => {
                    day.days_after(last.day) >= days
                        || (day != last.day && level > last.level.saturating_add(last.level / 2))
                }
            };
            if !may {
                return false;
            }
        } else if self.raised.len() >= RAISED_MAX {
            let oldest =
                self.raised.iter().min_by_key(|(_, raised)| raised.day).map(|(name, _)| name.clone());
            oldest.map(|oldest| self.raised.remove(&oldest));
        }
        self.raised.insert(name, Raised { day, host: host.to_owned(), session, level });
        true
    }
}

/// What the people with one role have done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RolePast {
    pub(super) first: Option<Day>,
    pub(super) assets: BTreeMap<Area, Reached>,
    pub(super) recent: Recent,
}

impl RolePast {
    pub(super) fn has_reached(&self, area: Area, owner: &str) -> bool {
        self.assets.get(&area).is_some_and(|reached| reached.contains_key(owner))
    }

    pub(super) fn was_here(&mut self, day: Day) {
        self.first = Some(self.first.map_or(day, |first| first.min(day)));
    }

    pub(super) fn reach(&mut self, area: Area, owner: &str, at: i64, day: Day) {
        reach(self.assets.entry(area).or_default(), owner, at, day, ASSETS_MAX);
    }
}
