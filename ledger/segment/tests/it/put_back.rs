//! A copy put back: verbatim, whole, and gone on with behind it; each durable step fails, and what is left is no log.
use std::path::Path;

use ntk_segment::error::SegmentError;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::put_back::PutBack;
use ntk_segment::reader::Form;
use ntk_segment::verify::verify_chain_on;

use super::disk::{Aftermath, Content, Fault, MemoryDisk};
use super::values::{firsts, state, write};

const DIR: &str = "/log";
const ELSEWHERE: &str = "/elsewhere";

/// Two finished segments, the first one sealed, as a copy takes them.
fn copied() -> Vec<(SegmentNumber, Form, Vec<u8>)> {
    let disk = MemoryDisk::default();
    let mut log = SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
    write(&mut log, &[0, 2]);
    log.roll(state(4)).unwrap();
    write(&mut log, &[4]);
    log.roll(state(6)).unwrap();
    log.seal(SegmentNumber::FIRST).unwrap();
    let reader = log.reader();
    [0, 1]
        .map(SegmentNumber::new)
        .into_iter()
        .map(|number| reader.file_of(number).unwrap().map(|(form, bytes)| (number, form, bytes)).unwrap())
        .collect()
}

fn put_back(disk: &MemoryDisk) -> Result<SegmentLog, SegmentError> {
    let mut back = PutBack::begin(disk.shared(), Path::new(ELSEWHERE))?;
    for (number, form, bytes) in copied() {
        back.put(number, form, &bytes)?;
    }
    assert_eq!(firsts(&back.reader()?), [0, 2, 4]);
    back.go_on(Options::default(), state(6))
}

#[test]
fn a_copy_goes_on_behind_its_end_and_the_chain_holds() {
    for content in [Content::Plain, Content::Encrypted] {
        let disk = MemoryDisk::new(content);
        let mut log = put_back(&disk).unwrap();
        write(&mut log, &[6]);
        drop(log);
        disk.suffer(Aftermath::PowerCut);
        let (log, recovery) =
            SegmentLog::open_on(disk.shared(), Path::new(ELSEWHERE), Options::default()).unwrap();
        assert_eq!((firsts(&log.reader()), recovery.state.log_size), (vec![0, 2, 4, 6], 6));
        let report = verify_chain_on(disk.shared(), Path::new(ELSEWHERE)).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

#[test]
fn a_hole_a_folder_in_use_and_nothing_at_all_are_refused() {
    let disk = MemoryDisk::default();
    let [(first, form, bytes), _] = &copied()[..] else { panic!("two segments") };
    let mut back = PutBack::begin(disk.shared(), Path::new(ELSEWHERE)).unwrap();
    back.put(*first, *form, bytes).unwrap();
    let hole = back.put(SegmentNumber::new(2), *form, bytes);
    assert!(matches!(hole, Err(SegmentError::Missing { segment }) if segment == SegmentNumber::new(1)));
    drop(back);
    let again = PutBack::begin(disk.shared(), Path::new(ELSEWHERE));
    assert!(matches!(again, Err(SegmentError::AlreadyThere { .. })));
    let nothing = PutBack::begin(MemoryDisk::default().shared(), Path::new(ELSEWHERE)).unwrap();
    assert!(matches!(nothing.go_on(Options::default(), state(0)), Err(SegmentError::NoLog { .. })));
    let mut damaged = PutBack::begin(MemoryDisk::default().shared(), Path::new(ELSEWHERE)).unwrap();
    damaged.put(*first, *form, &bytes[..bytes.len() / 2]).unwrap();
    assert!(damaged.go_on(Options::default(), state(4)).is_err());
}

#[test]
fn a_step_that_fails_leaves_no_log_that_opens_short_of_the_copy() {
    let disk = MemoryDisk::default();
    put_back(&disk).unwrap();
    for step in 1..=disk.n_steps() {
        for fault in [Fault::NotDone, Fault::DoneThoughReportedFailed, Fault::HalfDone] {
            for aftermath in
                [Aftermath::ReopenAtOnce, Aftermath::PowerCut, Aftermath::PowerCutKeepingHalfOfTheUnsynced]
            {
                let story = format!("step {step}, {fault:?}, {aftermath:?}");
                let disk = MemoryDisk::default();
                disk.fail_at(step, fault);
                // The lock is no durable step: where only that failed, nothing was begun.
                assert!(put_back(&disk).is_err(), "{story}");
                disk.suffer(aftermath);
                // Either it opens with all that was copied, or not at all; never with less.
                if let Ok((log, _)) =
                    SegmentLog::open_on(disk.shared(), Path::new(ELSEWHERE), Options::default())
                {
                    assert_eq!(firsts(&log.reader()), [0, 2, 4], "{story}");
                    assert!(
                        verify_chain_on(disk.shared(), Path::new(ELSEWHERE)).unwrap().is_sound(),
                        "{story}"
                    );
                }
            }
        }
    }
}
