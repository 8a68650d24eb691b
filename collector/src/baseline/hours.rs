//! The hours in which a program was seen, outward to half hours.

use crate::policy::hours::clock;

/// Half hours of a day.
const SLOTS: u32 = 48;
/// A pause of up to two hours belongs to the hours around it: a run that is longer one day is no news.
const PAUSE_MAX: u32 = 4;

/// Which half hours of the day were seen, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HalfHours(u64);

impl HalfHours {
    /// From a minute of the day for so many minutes more.
    pub(super) fn add(&mut self, minute: u16, minutes: i64) {
        let first = u32::from(minute) / 30;
        let into = i64::from(minute % 30);
        let more = u32::try_from(minutes.max(0).saturating_add(into) / 30).unwrap_or(SLOTS).min(SLOTS);
        for slot in first..=first.saturating_add(more) {
            self.0 |= 1 << (slot % SLOTS);
        }
    }

    fn has(self, slot: u32) -> bool {
        self.0 >> (slot % SLOTS) & 1 == 1
    }

    /// With short pauses closed, also over midnight.
    fn without_pauses(self) -> Self {
        let mut closed = self;
        for slot in 0..SLOTS {
            // The pause that begins here, if it is short enough.
            let pause = (1..=PAUSE_MAX.saturating_add(1)).find(|ahead| self.has(slot + ahead));
            if let (true, Some(end)) = (self.has(slot), pause) {
                (1..end).for_each(|ahead| closed.0 |= 1 << ((slot + ahead) % SLOTS));
            }
        }
        closed
    }

    /// As a job has it: `02:00-04:30`; nothing where it was at work at any hour.
    pub(super) fn spans(self) -> Option<String> {
        let closed = self.without_pauses();
        let mut spans = Vec::new();
        let mut begin = None;
        for slot in 0..=SLOTS {
            let is_in = slot < SLOTS && closed.has(slot);
            match (begin, is_in) {
                (None, true) => begin = Some(slot),
                (Some(from), false) => {
                    spans.push(format!("{}-{}", at(from), at(slot)));
                    begin = None;
                }
                _ => {}
            }
        }
        let spans = spans.join(", ");
        (spans != "00:00-24:00").then_some(spans)
    }
}

fn at(slot: u32) -> String {
    clock(u16::try_from(slot.saturating_mul(30)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_rounded_outward_and_pauses_are_closed() {
        for (seen, spans) in [
            (&[(125, 0)][..], "02:00-02:30"),
            (&[(125, 30)], "02:00-03:00"),
            (&[(125, 0), (250, 0)], "02:00-04:30"),
            (&[(125, 0), (600, 0)], "02:00-02:30, 10:00-10:30"),
            (&[(1425, 20)], "00:00-00:30, 23:30-24:00"),
            (&[(1380, 0), (60, 0)], "00:00-01:30, 23:00-24:00"),
        ] {
            let mut hours = HalfHours::default();
            seen.iter().for_each(|(minute, more)| hours.add(*minute, *more));
            assert_eq!(hours.spans().as_deref(), Some(spans));
        }
        let mut hours = HalfHours::default();
        hours.add(600, 3000);
        assert_eq!(hours.spans(), None);
    }
}
