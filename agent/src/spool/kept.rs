//! Which segments there are, how far each reaches and how old it is: which of them may go.

use std::collections::VecDeque;

use ntk_evidence::time::Moment;
use ntk_segment::error::SegmentError;
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::reader::Reader;

use super::bookmark::Decided;

/// A released segment is kept for so long, so that a wiped collector can be filled again.
const KEPT_SECONDS: i64 = 90 * 86_400;

#[derive(Clone, Copy, Debug)]
struct Segment {
    number: SegmentNumber,
    /// Number of the first entry in it.
    first: u64,
    began: Moment,
}

/// The segments, oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    segments: VecDeque<Segment>,
}

impl Kept {
    pub(super) fn read(reader: &Reader) -> Result<Self, SegmentError> {
        let mut segments = VecDeque::new();
        for info in reader.segments()? {
            if segments.back().is_some_and(|last: &Segment| last.number == info.number)
                || info.form.is_quarantined()
            {
                continue;
            }
            let state = reader.state_of(info.number)?;
            let began = Decided::decode(&state.decided).map_or(i64::MAX, |decided| decided.began_unix_ns);
            let first = state.authors.first().map_or(u64::MAX, |author| author.size);
            segments.push_back(Segment { number: info.number, first, began: Moment::from_unix_nanos(began) });
        }
        Ok(Self { segments })
    }

    pub(super) fn rolled(&mut self, number: SegmentNumber, first: u64, began: Moment) {
        self.segments.push_back(Segment { number, first, began });
    }

    /// The segment after the oldest one, if the oldest one may go.
    pub(super) fn removable(&self, released: u64, is_crowded: bool, now: Moment) -> Option<SegmentNumber> {
        // The next segment says where the oldest ended, and when.
        let next = self.segments.get(1)?;
        let is_old = next.began.plus_seconds(KEPT_SECONDS) < now;
        (next.first <= released && (is_crowded || is_old)).then_some(next.number)
    }

    pub(super) fn removed_before(&mut self, number: SegmentNumber) {
        self.segments.retain(|segment| segment.number >= number);
    }
}
