//! `migrate`: the ledger from this computer's files into a database, and back; the same frames, and the same root at the end.
//!
//! Nothing is removed on the way: the files stay as the copy that a collector over a database keeps anyway, and the database
//! keeps its rows, closed for good. The configuration is changed last, after everything was read back and compared; a
//! migration that was interrupted goes on where it was.

use std::time::{Duration, Instant};

use ntk_evidence::checkpoint::Checkpoint;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::Frame;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::reader::{Form, Reader};

use crate::clock::Clock;
use crate::config::store::StoreSection;
use crate::config::{Config, ConfigError};
use crate::home::{HomeError, read_text, write_file};
use crate::in_common::InCommon;
use crate::ledger::database::{BatchRow, Database, DatabaseError, Group, Written};
use crate::ledger::{LedgerError, writer};
use crate::practice::{Practice, PracticeError};

/// How long to wait for a lease that somebody else has.
const LEASE_WITHIN: Duration = Duration::from_secs(60);

/// The ledger could not be moved. It is where it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The practice.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// The files.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A small file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// It is there already.
    #[error("the ledger is in {0} already; nothing to do")]
    There(&'static str),
    /// What was asked for cannot be used.
    #[error("{}", .0.join("; "))]
    Section(Vec<String>),
    /// Somebody else adds to it.
    #[error("another collector leads; stop all collectors of this practice first")]
    Leads,
    /// What was read back differs.
    #[error(
        "at leaf {leaf} the database holds other bytes than the files; the configuration was not changed"
    )]
    Differs {
        /// Where.
        leaf: u64,
    },
}

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Leaves.
    pub leaves: u64,
    /// The root, the same in both places.
    pub root: String,
    /// Segments.
    pub segments: u64,
}

/// Writes everything into the database, reads it back, and changes the configuration. `tell` hears leaves done and total,
/// first written, then compared.
///
/// # Errors
/// When a collector runs, the database holds another ledger of this name, or what was read back differs.
pub fn to_postgres(
    practice: &Practice,
    section: &StoreSection,
    mut tell: impl FnMut(u64, u64),
) -> Result<Moved, MigrateError> {
    if practice.config.store.is_some() {
        return Err(MigrateError::There("a database"));
    }
    let mut faults = Vec::new();
    let at = section.check(&mut faults).ok_or(MigrateError::Section(faults))?;
    let home = &practice.home;
    let slug = practice.trust.slug.as_str();
    // Holds the lock: nobody adds meanwhile.
    let (log, _recovery) = SegmentLog::open_on(home.disk(), &home.ledger(), Options::default())?;
    let reader = log.reader();
    let mut database = Database::new(&at, home, slug)?;
    let last = last_checkpoint(practice, &reader)?;
    let term = begin(&mut database, &reader)?;
    let from = database.tip()?.size;
    let segments = write(&mut database, term, &reader, from, |done| tell(done, last.size))?;
    compare(&mut database, &reader, |done| tell(done, last.size))?;
    InCommon::new(home.clone(), at.clone(), slug).bring(&mut database, jiff::Timestamp::now().as_second())?;
    database.release(term)?;
    let text = read_text(&home.config())?;
    let text = format!("{}\n{}", text.trim_end(), section_text(section));
    Config::parse(&text, &home.config().display().to_string())?;
    write_file(&home.config(), text.as_bytes(), 0o640)?;
    Ok(Moved { leaves: last.size, root: last.root.to_base64(), segments })
}

/// Brings the copy up to the database, closes the ledger there, and changes the configuration.
///
/// # Errors
/// When another collector leads, or the copy differs.
pub fn to_files(practice: &Practice, clock: &Clock) -> Result<Moved, MigrateError> {
    let at = practice.config.store.as_ref().ok_or(MigrateError::There("this computer's files"))?;
    let home = &practice.home;
    let began = Instant::now();
    loop {
        // Opening compares the copy with the database and brings it up to it.
        let keys = practice.ledger_keys()?;
        let opened = writer::open(home, &practice.trust.slug, keys, clock.clone(), Some(at))?;
        let (size, end) =
            (opened.handle.published().checkpoint.checkpoint.clone(), opened.handle.committed_end());
        drop(opened.handle);
        let _ended = opened.thread.join();
        let mut database = Database::new(at, home, practice.trust.slug.as_str())?;
        if let Some(term) = lease(&mut database, at.lease + Duration::from_secs(1))? {
            // Somebody may have added since; then once more.
            if database.tip()?.size == size.size && database.close(term)? == Written::Durably {
                // Closed, it changes no more; what another collector changed a moment ago comes along.
                home.in_common().map_or(Ok(()), |common| common.look(&mut database, false))?;
                let text = without_section(&read_text(&home.config())?);
                Config::parse(&text, &home.config().display().to_string())?;
                write_file(&home.config(), text.as_bytes(), 0o640)?;
                let segments = end.segment.value().saturating_add(1);
                return Ok(Moved { leaves: size.size, root: size.root.to_base64(), segments });
            }
            database.release(term)?;
        }
        if began.elapsed() > LEASE_WITHIN {
            return Err(MigrateError::Leads);
        }
    }
}

/// Takes the lease within a time; none where somebody else keeps it.
fn lease(database: &mut Database, within: Duration) -> Result<Option<i64>, MigrateError> {
    let began = Instant::now();
    loop {
        if let Some(term) = database.take_lease()? {
            return Ok(Some(term));
        }
        if began.elapsed() > within {
            return Ok(None);
        }
        let _ = database.wait(Duration::from_millis(100), std::future::pending::<()>());
    }
}

fn last_checkpoint(practice: &Practice, reader: &Reader) -> Result<Checkpoint, MigrateError> {
    let keys = practice.ledger_keys()?;
    let mut last = None;
    for frame in reader.frames()? {
        if let Frame::Commit(commit) = frame?.1 {
            last = Some(commit.checkpoint);
        }
    }
    let note = last.unwrap_or_default();
    Ok(Checkpoint::verify(&note, keys.log.verifier()).map_err(LedgerError::from)?)
}

/// Makes the practice's rows, or takes those of a migration that was interrupted.
fn begin(database: &mut Database, reader: &Reader) -> Result<i64, MigrateError> {
    let first = reader.state_of(ntk_segment::pointer::SegmentNumber::FIRST)?;
    let mut state = Vec::new();
    first.encode(&mut state).map_err(|source| SegmentError::Encode { source })?;
    match database.create_tenant(&state) {
        Ok(()) => Ok(database.tip()?.term),
        Err(there @ DatabaseError::AlreadyThere(_)) => {
            let tip = database.tip()?;
            let wait = database.lease() + Duration::from_secs(1);
            let begun = database.segments_from(0)?;
            let is_same = begun.first().is_some_and(|segment| segment.state == state);
            if !is_same || tip.is_closed || !is_prefix(database, reader, tip.size)? {
                return Err(there.into());
            }
            lease(database, wait)?.ok_or(MigrateError::Leads)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Whether what the database holds is where the files begin: its last COMMIT is one of theirs.
fn is_prefix(database: &mut Database, reader: &Reader, size: u64) -> Result<bool, MigrateError> {
    if size == 0 {
        return Ok(true);
    }
    let there = database.commit_at(size)?;
    let mut leaves = 0u64;
    for frame in reader.frames()? {
        match frame?.1 {
            Frame::Batch(_) | Frame::Pruned(_) => leaves = leaves.saturating_add(1),
            Frame::Commit(commit) if leaves == size => {
                let mut bytes = Vec::new();
                commit.encode(&mut bytes).map_err(|source| SegmentError::Encode { source })?;
                return Ok(there == Some(bytes));
            }
            Frame::Commit(_) | Frame::State(_) => {}
        }
    }
    Ok(false)
}

/// The file of a segment whose entries were taken out; none for another.
fn pruned_file(reader: &Reader, number: u64) -> Result<Option<Vec<u8>>, MigrateError> {
    let file = reader.file_of(ntk_segment::pointer::SegmentNumber::new(number))?;
    Ok(file.filter(|(form, _)| *form == Form::Pruned).map(|(_, bytes)| bytes))
}

fn encoded(frame: &Frame) -> Result<Vec<u8>, MigrateError> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).map_err(|source| SegmentError::Encode { source })?;
    Ok(bytes)
}

/// Writes what the database does not have yet; how many segments there are.
fn write(
    database: &mut Database,
    term: i64,
    reader: &Reader,
    from: u64,
    mut tell: impl FnMut(u64),
) -> Result<u64, MigrateError> {
    let durably = |written| if written == Written::Durably { Ok(()) } else { Err(MigrateError::Leads) };
    let mut leaf = 0u64;
    let mut segment: Option<(u64, u64, Option<Vec<u8>>)> = None;
    let mut batches = Vec::new();
    for frame in reader.frames()? {
        let (pointer, frame) = frame?;
        match &frame {
            Frame::State(_) => {
                finish(database, term, segment.take(), leaf)?;
                let number = pointer.segment.value();
                if number > 0 {
                    durably(database.roll(term, number, leaf, &encoded(&frame)?)?)?;
                }
                segment = Some((number, leaf, pruned_file(reader, number)?));
            }
            Frame::Batch(batch) => {
                let size = batch.first.saturating_add(u64::try_from(batch.entries.len()).unwrap_or(u64::MAX));
                let is_pruned = segment.as_ref().is_some_and(|(_, _, file)| file.is_some());
                let frame = if is_pruned { Vec::new() } else { encoded(&frame)? };
                batches.push(BatchRow { leaf, author: batch.author.clone(), size, frame });
                leaf = leaf.saturating_add(1);
            }
            Frame::Pruned(pruned) => {
                let size =
                    pruned.first.saturating_add(u64::try_from(pruned.leaves.len()).unwrap_or(u64::MAX));
                batches.push(BatchRow { leaf, author: pruned.author.clone(), size, frame: Vec::new() });
                leaf = leaf.saturating_add(1);
            }
            Frame::Commit(_) => {
                let n = u64::try_from(batches.len()).unwrap_or(u64::MAX);
                let group = Group {
                    from: leaf.saturating_sub(n),
                    to: leaf,
                    batches: std::mem::take(&mut batches),
                    commit: encoded(&frame)?,
                    answers: Vec::new(),
                };
                if group.from >= from {
                    let group = database.seal_group(group)?;
                    durably(database.commit(term, &group)?)?;
                }
                tell(leaf);
            }
        }
    }
    let segments = segment.as_ref().map_or(0, |(number, ..)| number.saturating_add(1));
    finish(database, term, segment, leaf)?;
    Ok(segments)
}

fn finish(
    database: &mut Database,
    term: i64,
    segment: Option<(u64, u64, Option<Vec<u8>>)>,
    to: u64,
) -> Result<(), MigrateError> {
    let Some((number, from, Some(file))) = segment else { return Ok(()) };
    match database.prune(term, number, (from, to), &file)? {
        Written::Durably => Ok(()),
        Written::NotLeading => Err(MigrateError::Leads),
    }
}

/// Reads everything back and compares it with the files, byte for byte.
fn compare(database: &mut Database, reader: &Reader, mut tell: impl FnMut(u64)) -> Result<(), MigrateError> {
    let segments = database.segments_from(0)?;
    let mut groups = Vec::<crate::ledger::database::StoredGroup>::new().into_iter();
    let (mut leaf, mut size, mut ours) = (0u64, 0u64, Vec::new());
    let mut is_pruned = false;
    for frame in reader.frames()? {
        let (pointer, frame) = frame?;
        match &frame {
            Frame::State(_) => {
                let number = pointer.segment.value();
                let stored = segments.iter().find(|segment| segment.number == number);
                let file = pruned_file(reader, number)?;
                is_pruned = file.is_some();
                let same = stored.is_some_and(|stored| stored.size == leaf && stored.pruned == file);
                if !same || stored.map(|stored| &stored.state) != Some(&encoded(&frame)?) {
                    return Err(MigrateError::Differs { leaf });
                }
            }
            Frame::Batch(_) | Frame::Pruned(_) => {
                ours.push(if is_pruned { Vec::new() } else { encoded(&frame)? });
                leaf = leaf.saturating_add(1);
            }
            Frame::Commit(_) => {
                let stored = match groups.next() {
                    Some(stored) => Some(stored),
                    None => {
                        groups = database.groups_after(size)?.into_iter();
                        groups.next()
                    }
                };
                size = leaf;
                let same = stored.is_some_and(|stored| {
                    stored.size == leaf
                        && stored.batches == ours
                        && encoded(&frame).is_ok_and(|bytes| bytes == stored.commit)
                });
                if !same {
                    return Err(MigrateError::Differs { leaf });
                }
                ours.clear();
                tell(leaf);
            }
        }
    }
    Ok(())
}

/// `[store]` as it is appended to the configuration.
fn section_text(section: &StoreSection) -> String {
    let text = |value: &String| toml::Value::String(value.clone()).to_string();
    let mut lines = format!("\n[store]\npostgres = {}\n", text(&section.postgres));
    let files = [("authority", &section.authority), ("password_file", &section.password_file)];
    for (key, file) in files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?))) {
        lines.push_str(&format!("{key} = {}\n", text(file)));
    }
    lines.push_str(&format!("lease_seconds = {}\n", section.lease_seconds));
    lines
}

/// The configuration without its section `[store]`; every other line stays as a person wrote it.
fn without_section(text: &str) -> String {
    let mut kept = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            is_inside = line.trim() == "[store]";
        }
        if !is_inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.truncate(kept.trim_end().len());
    kept.push('\n');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_comes_and_goes_and_every_other_line_stays() {
        let text = "practice = \"Maple\"\ntimezone = \"UTC\" # theirs\n\n[retention]\nraw_months = 24\n";
        let section = StoreSection {
            postgres: "host=db-1 user=ntk dbname=ntk".into(),
            authority: Some("db.pem".into()),
            password_file: None,
            lease_seconds: 10,
        };
        let with = format!("{}\n{}", text.trim_end(), section_text(&section));
        assert_eq!(
            with.strip_prefix(text.trim_end()),
            Some(
                "\n\n[store]\npostgres = \"host=db-1 user=ntk dbname=ntk\"\nauthority = \"db.pem\"\nlease_seconds = 10\n"
            )
        );
        assert!(Config::parse(&with, "collector.toml").unwrap().store.is_some());
        assert_eq!(without_section(&with), text);
        assert_eq!(
            without_section(&format!("{with}\n[console]\nlisten = \"127.0.0.1:7444\"\n")),
            format!("{text}\n[console]\nlisten = \"127.0.0.1:7444\"\n")
        );
    }
}
