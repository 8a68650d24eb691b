//! Prints how many small entries a second reach the disk in batches of 512, one fdatasync each; then how fast the
//! segment is sealed and read.
//!
//! `cargo run --release -p ntk-segment --example commit_speed -- FOLDER`
use std::path::PathBuf;
use std::time::Instant;

use ntk_segment::frame::{Batch, Commit, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::verify::verify_chain;

const N_BATCHES: u64 = 600;
const N_ENTRIES: u64 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("name an empty folder")?);
    let mut log = SegmentLog::create(&dir, Options::default(), State::default())?;
    let entry = || [vec![b'a'; 120], vec![b'b'; 90], vec![b'c'; 90]];
    let batches: Vec<Batch> = (0..N_BATCHES)
        .map(|n| Batch {
            author: "desk-1".into(),
            first: n.saturating_mul(N_ENTRIES),
            note: vec![b'n'; 200],
            entries: (0..N_ENTRIES).map(|_| entry()).collect(),
            ..Batch::default()
        })
        .collect();
    let started = Instant::now();
    for batch in &batches {
        log.append(batch)?;
        let _durable = log.commit(&Commit { received_unix_ns: 0, checkpoint: vec![b'c'; 200] })?;
        if log.needs_roll() {
            log.roll(State::default())?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let n_entries = N_BATCHES.saturating_mul(N_ENTRIES);
    println!("{n_entries} entries durable in {seconds:.2} s, {} bytes", log.bytes_on_disk());
    let started = Instant::now();
    let n_frames = log.reader().frames()?.filter(Result::is_ok).count();
    println!("{n_frames} frames read in {:.2} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    for segment in log.sealer().unsealed()? {
        log.seal(segment)?;
    }
    println!("sealed in {:.2} s, {} bytes", started.elapsed().as_secs_f64(), log.bytes_on_disk());
    let started = Instant::now();
    let report = verify_chain(&dir)?;
    println!("verified in {:.2} s, sound: {}", started.elapsed().as_secs_f64(), report.is_sound());
    Ok(())
}
