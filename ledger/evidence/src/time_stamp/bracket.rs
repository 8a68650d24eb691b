//! Between which two times of an authority a leaf came into the collector log.
//!
//! Not after: a stamped checkpoint holds the leaf. Not before: the leaf stands behind one that holds an earlier
//! response, whose bytes nobody could know sooner; that an older checkpoint was stamped would not do, as a log may
//! have been longer by then. Both speak of the leaf; what it tells of may have happened earlier.

use crate::time::Moment;

/// A time-stamp of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Size of the checkpoint that was stamped.
    pub size: u64,
    /// The authority's time.
    pub time: Moment,
    /// The leaf that holds the response, where it is in the log.
    pub recorded: Option<u64>,
}

/// Bounds of the time at which a leaf came into the log; absent where no time-stamp gives one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bracket {
    /// It came no sooner.
    pub not_before: Option<Moment>,
    /// It came no later.
    pub not_after: Option<Moment>,
}

/// The narrowest bracket of a leaf, counted from 0.
pub fn bracket(stamps: &[Stamped], leaf: u64) -> Bracket {
    let before = stamps.iter().filter(|stamp| stamp.recorded.is_some_and(|recorded| recorded < leaf));
    let after = stamps.iter().filter(|stamp| leaf < stamp.size);
    Bracket {
        not_before: before.map(|stamp| stamp.time).max(),
        not_after: after.map(|stamp| stamp.time).min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_lies_between_the_response_before_it_and_the_checkpoint_that_holds_it() {
        let at = |second: i64| Moment::from_unix_seconds(1_795_209_000 + second);
        let stamp = |size, second, recorded| Stamped { size, time: at(second).unwrap(), recorded };
        let stamps = [stamp(4, 0, Some(6)), stamp(9, 60, Some(11)), stamp(14, 120, None)];
        for (leaf, before, after) in [
            (0, None, at(0)),
            (3, None, at(0)),
            // Behind the stamped checkpoint, but not behind its response: no lower bound.
            (4, None, at(60)),
            (6, None, at(60)),
            (7, at(0), at(60)),
            (9, at(0), at(120)),
            (12, at(60), at(120)),
            (14, at(60), None),
        ] {
            let found = bracket(&stamps, leaf);
            assert_eq!((found.not_before, found.not_after), (before, after), "leaf {leaf}");
        }
        assert_eq!(bracket(&[], 3), Bracket::default());
    }
}
