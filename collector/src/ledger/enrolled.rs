//! Whom acts may still enrol, looked at once more where the log is written: two collectors, or two requests, may each have
//! looked before the other's enrolment was in the log, and each believed a token unused, or the last place free.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;

use super::LedgerError;
use super::database::Refusal;
use super::writer::Writer;
use crate::delegation;
use crate::witness::trust::CurrentTrust;

/// The trust file that says how many machines may be enrolled, once there is somebody who enrols.
pub(super) type Permission = Arc<OnceLock<CurrentTrust>>;

/// The author that an act enrols.
fn author(event: &Event) -> Option<&str> {
    let body = act::body(event).filter(|_| event.kind.as_str() == act::kind::ENROLMENT)?;
    body.get("author")?.as_str()
}

/// The machine that an act enrols, by the name that counts.
fn machine(event: &Event) -> Option<String> {
    Author::parse(author(event)?).ok()?.machine().map(str::to_owned)
}

impl Writer {
    /// Why acts are not taken whole, in a word for another collector and for whoever asked here, where they would enrol
    /// whom they may not. `pending` goes into the same group before them.
    pub(super) fn not_enrolled(&self, pending: &[Event], more: &[Event]) -> Option<(Refusal, LedgerError)> {
        if let Some(name) = self.enrolled_twice(pending, more) {
            return Some((Refusal::Enrolled, LedgerError::Enrolled(name)));
        }
        let new: BTreeSet<String> = more.iter().filter_map(machine).collect();
        self.is_beyond(pending, new).then_some((Refusal::Full, LedgerError::Full))
    }

    fn enrolled_twice(&self, pending: &[Event], more: &[Event]) -> Option<String> {
        more.iter().enumerate().find_map(|(at, event)| {
            let name = author(event)?;
            let mut before = pending.iter().chain(more.iter().take(at)).filter_map(author);
            let is_known = self.core.state.registry.is_enrolled(name) || before.any(|other| other == name);
            is_known.then(|| name.to_owned())
        })
    }

    /// Whether there would be more machines than the practice key permits. One that takes its own earlier place is none more.
    fn is_beyond(&self, pending: &[Event], new: BTreeSet<String>) -> bool {
        let Some(trust) = self.permission.get().filter(|_| !new.is_empty()) else { return false };
        let mut names = delegation::names(&self.core.state.registry.machines);
        names.extend(pending.iter().filter_map(machine));
        let before = names.len();
        names.extend(new);
        names.len() > before && u32::try_from(names.len()).unwrap_or(u32::MAX) > trust.now().0.machines_max
    }
}
