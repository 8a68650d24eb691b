//! Readers and sealers on other threads while the writer goes on.
use std::sync::Arc;
use std::thread;

use ntk_segment::disk::{Disk, RealDisk};
use ntk_segment::encrypted::{EncryptedDisk, PlainFiles};
use ntk_segment::frame::Frame;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::Reader;
use ntk_segment::verify::verify_chain_on;

use super::disk::KEY;
use super::values::{batch, commit, firsts, state};

const N_BATCHES: u64 = 1500;

/// Follows the log until it has seen everything, and checks that nothing is missing or out of order.
fn follow(reader: &Reader) {
    let mut position = Pointer::first_in(SegmentNumber::FIRST);
    let mut next = 0;
    while next < N_BATCHES {
        let mut frames = reader.frames_from(position);
        for item in frames.by_ref() {
            let (pointer, frame) = item.unwrap();
            if let Frame::Batch(found) = frame {
                assert_eq!(found, batch(next));
                assert_eq!(reader.read_batch(pointer).unwrap(), found);
                next += 1;
            }
        }
        position = frames.position();
        thread::yield_now();
    }
}

#[test]
fn readers_follow_while_the_writer_commits_rolls_and_a_sealer_compresses() {
    everybody_works_on(&|| Arc::new(RealDisk));
}

#[test]
fn readers_follow_on_an_encrypted_disk() {
    everybody_works_on(&|| Arc::new(EncryptedDisk::new(Arc::new(RealDisk), &KEY, PlainFiles::Refused)));
}

/// `disk` makes a disk as each process makes its own.
fn everybody_works_on(disk: &(dyn Fn() -> Arc<dyn Disk> + Sync)) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 20_000 };
    let mut log = SegmentLog::create_on(disk(), dir.path(), options, state(0)).unwrap();
    let readers = [log.reader(), log.reader()];
    let sealer = log.sealer();
    thread::scope(|scope| {
        for reader in &readers {
            scope.spawn(|| follow(reader));
        }
        scope.spawn(|| {
            while readers[0].committed_end().segment < SegmentNumber::new(10) {
                for segment in sealer.unsealed().unwrap() {
                    sealer.seal(segment).unwrap();
                }
                // Another process may look at any moment: it sees a prefix.
                let seen = firsts(&Reader::open_on(disk(), dir.path()).unwrap());
                assert!(seen.is_empty() || seen.last() == Some(&(seen.len() as u64 - 1)));
            }
        });
        for first in 0..N_BATCHES {
            log.append(&batch(first)).unwrap();
            if first % 5 == 4 {
                let _durable = log.commit(&commit(first)).unwrap();
            }
            if log.needs_roll() && log.buffered_bytes() == 0 {
                log.roll(state(first + 1)).unwrap();
            }
        }
    });
    assert!(verify_chain_on(disk(), dir.path()).unwrap().is_sound());
    let on_disk: u64 = log.segments().unwrap().iter().map(|segment| segment.bytes_on_disk).sum();
    assert_eq!(log.bytes_on_disk(), on_disk);
}
