//! Which segments there are, how far each reaches and how old it is: which of them may go.

use std::collections::VecDeque;

use ntk_evidence::time::Moment;
use ntk_segment::error::SegmentError;
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::reader::Reader;

use super::bookmark::Decided;

/// A released segment is kept for so long, so that a wiped collector can be filled again.
const KEPT_SECONDS: i64 = 90 * 86_400;

/// A segment that has been written for so long is followed by the next, so that it can be put away.
const SEGMENT_SECONDS: i64 = 86_400;

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

    /// Whether the last segment holds something and is older than a day.
    pub(super) fn is_last_due(&self, size: u64, now: Moment) -> bool {
        self.segments
            .back()
            .is_some_and(|last| last.first < size && last.began.plus_seconds(SEGMENT_SECONDS) < now)
    }

    /// The oldest segment and the one after it, if all entries of the oldest are released.
    pub(super) fn finished(&self, released: u64) -> Option<(SegmentNumber, SegmentNumber)> {
        let (oldest, next) = (self.segments.front()?, self.segments.get(1)?);
        // One more: the batch that ends at `released` stays, because the uplink goes on from its note.
        (next.first < released).then_some((oldest.number, next.number))
    }

    pub(super) fn removed_before(&mut self, number: SegmentNumber) {
        self.segments.retain(|segment| segment.number >= number);
    }
}
