//! Version 1 of the format, as files that never change. `UPDATE_FIXTURES=1` writes them, for a new version only.
use std::fs;
use std::path::{Path, PathBuf};

use ntk_segment::frame::{Frame, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::reader::Reader;
use ntk_segment::verify::verify_chain_on;

use super::disk::MemoryDisk;
use super::values::{batch, commit, state, write};

const NAMES: [&str; 3] =
    ["00000000000000000000.segz", "00000000000000000001.seg", "00000000000000000002.seg"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1").join(name)
}

fn written_now() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let mut log =
        SegmentLog::create_on(disk.shared(), Path::new("/log"), Options::default(), state(0)).unwrap();
    write(&mut log, &[0, 2]);
    write(&mut log, &[4]);
    log.roll(state(6)).unwrap();
    write(&mut log, &[6]);
    log.roll(state(8)).unwrap();
    write(&mut log, &[]);
    log.seal(SegmentNumber::FIRST).unwrap();
    disk
}

#[test]
fn the_first_version_still_reads_and_is_still_what_is_written() {
    let now = written_now();
    let kept = MemoryDisk::default();
    for name in NAMES {
        let path = Path::new("/log").join(name);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(fixture(name), now.content(&path)).unwrap();
        }
        let content = fs::read(fixture(name)).unwrap();
        kept.put(&path, &content);
        // Compressed bytes may differ from one version of zstd to the next; what they hold may not.
        if name.ends_with(".seg") {
            assert_eq!(now.content(&path), content, "{name}");
        }
    }
    let reader = Reader::open_on(kept.shared(), Path::new("/log")).unwrap();
    let frames: Vec<Frame> = reader.frames().unwrap().map(|item| item.unwrap().1).collect();
    let states: Vec<&State> = frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::State(state) => Some(state),
            Frame::Batch(_) | Frame::Commit(_) | Frame::Pruned(_) => None,
        })
        .collect();
    assert_eq!(states[0], &State { previous_hash: [0; 32], ..state(0) });
    assert_eq!(states.iter().map(|state| state.log_size).collect::<Vec<_>>(), [0, 6, 8]);
    let others: Vec<Frame> =
        frames.iter().filter(|frame| !matches!(frame, Frame::State(_))).cloned().collect();
    let expected = [
        Frame::Batch(batch(0)),
        Frame::Batch(batch(2)),
        Frame::Commit(commit(2)),
        Frame::Batch(batch(4)),
        Frame::Commit(commit(4)),
        Frame::Batch(batch(6)),
        Frame::Commit(commit(6)),
        Frame::Commit(commit(0)),
    ];
    assert_eq!(others, expected);
    assert!(verify_chain_on(kept.shared(), Path::new("/log")).unwrap().is_sound());
    SegmentLog::open_on(kept.shared(), Path::new("/log"), Options::default()).unwrap();
}
