//! Values that tests write, and how they read them back.
use ntk_segment::frame::{AuthorState, Batch, Commit, Frame, State};
use ntk_segment::log::{Durable, SegmentLog};
use ntk_segment::reader::Reader;

/// A state that says how many leaves came before.
pub(crate) fn state(log_size: u64) -> State {
    State {
        authors: vec![AuthorState {
            author: "desk-1".into(),
            key: "desk-1+0badcafe+key".into(),
            epoch: 1,
            size: log_size,
            range: vec![[7; 32]; 2],
        }],
        log_size,
        log_range: vec![[9; 32]; 3],
        previous_hash: [0xee; 32],
        decided: b"desk-1 0".to_vec(),
    }
}

/// A batch that its first number identifies.
pub(crate) fn batch(first: u64) -> Batch {
    let entry = |n: u64| [format!("{{\"n\":{n}}}").into_bytes(), b"actor".to_vec(), vec![0, 1, 2, 0xff]];
    Batch {
        author: "desk-1".into(),
        epoch: 1,
        first,
        note: format!("note {first}\n").into_bytes(),
        batch_key: [3; 32],
        entries: vec![entry(first), entry(first + 1)],
    }
}

pub(crate) fn commit(n: u64) -> Commit {
    Commit {
        received_unix_ns: 1_700_000_000_000_000_000,
        checkpoint: format!("checkpoint {n}\n").into_bytes(),
    }
}

/// Appends these batches and commits them.
pub(crate) fn write(log: &mut SegmentLog, firsts: &[u64]) {
    let durable = committed(log, firsts);
    assert_eq!(durable.n_batches(), firsts.len() as u64);
}

/// Appends these batches and commits them, and hands out the proof.
pub(crate) fn committed(log: &mut SegmentLog, firsts: &[u64]) -> Durable {
    for first in firsts {
        log.append(&batch(*first)).unwrap();
    }
    log.commit(&commit(firsts.last().copied().unwrap_or(0))).unwrap()
}

/// The first numbers of all committed batches; each must be just as it was written.
pub(crate) fn firsts(reader: &Reader) -> Vec<u64> {
    batches_of(reader.frames().unwrap().map(|item| item.unwrap().1))
}

pub(crate) fn batches_of(frames: impl Iterator<Item = Frame>) -> Vec<u64> {
    frames
        .filter_map(|frame| match frame {
            Frame::Batch(found) => {
                assert_eq!(found, batch(found.first));
                Some(found.first)
            }
            Frame::State(_) | Frame::Commit(_) | Frame::Pruned(_) => None,
        })
        .collect()
}
