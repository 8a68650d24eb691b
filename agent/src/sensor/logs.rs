//! The logs of login programs, followed live: the sensor of logins where kernel audit is missing; beside it, the one
//! that knows which key opened an ssh session.
//!
//! Beside audit nothing of it becomes an event: audit says the same with the kernel's word. What is read waits
//! [`BESIDE_FOR`] until that is certain, so that a login while audit was being switched off is not lost between both.
//!
//! # Invariants
//! - SE-1: a log that was cleared, a line that is damaged, a journal that ended is told.

mod journal;
mod tail;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome, Source, Tamper, TamperKind};

use super::fingerprints::Fingerprints;
use super::sink::{Closed, Sink};
use super::standing::Standing;
use super::stop::Stop;
use crate::auth_log::{LINE_BYTES_MAX, Line, RECORD_BYTES, SENSOR, Teller, Undated, Visit, accepted, gap};
use crate::clock::{self, Clock};

use journal::Journal;
use tail::Tail;

/// How often the logs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long an event waits beside audit before it counts as told by it.
const BESIDE_FOR: Duration = Duration::from_secs(5);

/// Events that wait beside audit; beyond that the oldest is dropped, as audit tells the same.
const BESIDE_MAX: usize = 8192;

/// Where text logs of logins usually are: Debian's name, then Red Hat's.
const TEXTS: &[&str] = &["/var/log/auth.log", "/var/log/secure"];
const RECORDS: &[&str] = &["/var/log/wtmp", "/var/log/btmp"];
const JOURNALCTL: &str = "/usr/bin/journalctl";
const JOURNALS: &[&str] = &["/run/log/journal", "/var/log/journal"];

/// Where this machine keeps the text of login programs, if this account can read it.
pub fn usual_source() -> Option<String> {
    let is_readable = |path: &&&str| std::fs::File::open(path).is_ok();
    let text = TEXTS.iter().find(is_readable).map(|path| (*path).to_owned());
    let journal =
        || JOURNALS.iter().any(|path| std::fs::read_dir(path).is_ok()) && Path::new(JOURNALCTL).exists();
    text.or_else(|| journal().then(|| "journald".to_owned()))
}

/// What the sensor needs.
pub struct LogsConfig {
    /// Files to follow in place of the usual ones; those named wtmp and btmp hold records, the others text.
    pub files: Vec<PathBuf>,
    /// What kernel audit tells.
    pub standing: Arc<Standing>,
    /// Where keys of ssh logins go.
    pub fingerprints: Arc<Fingerprints>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// One followed file, and what of it is not a whole line or record yet.
struct Followed {
    tail: Tail,
    records: bool,
    refused: bool,
    rest: Vec<u8>,
    readable: bool,
}

/// Followed logs; [`Self::run`] makes events of them.
pub struct LogsSensor {
    followed: Vec<Followed>,
    journal: Option<Journal>,
    teller: Teller,
    beside: VecDeque<(Event, Duration)>,
    config: LogsConfig,
    cannot_see: Arc<Mutex<Vec<String>>>,
}

impl LogsSensor {
    /// Follows what is there. The error is a sentence for a person.
    pub fn start(config: LogsConfig) -> Result<Self, String> {
        let now = config.clock.uptime();
        let usual = config.files.is_empty();
        let text = TEXTS.iter().map(PathBuf::from).find(|path| path.exists());
        let journal = (usual && text.is_none() && JOURNALS.iter().any(|path| Path::new(path).is_dir()))
            .then(|| Journal::follow(Path::new(JOURNALCTL), now).ok())
            .flatten();
        let paths: Vec<PathBuf> = if usual {
            text.into_iter().chain(RECORDS.iter().map(PathBuf::from)).collect()
        } else {
            config.files.clone()
        };
        Self::follow(config, paths, journal)
    }

    fn follow(config: LogsConfig, paths: Vec<PathBuf>, journal: Option<Journal>) -> Result<Self, String> {
        let followed: Vec<Followed> = paths.iter().filter_map(|path| Followed::begin(path)).collect();
        if followed.is_empty() && journal.is_none() {
            return Err("no log of logins can be read here: neither auth.log nor journald nor wtmp; \
                        run as root, or name files in sensor.log_files"
                .to_owned());
        }
        let sensor = Self {
            followed,
            journal,
            teller: Teller::default(),
            beside: VecDeque::new(),
            config,
            cannot_see: Arc::default(),
        };
        sensor.feed();
        Ok(sensor)
    }

    /// Sentences about what is not seen; shared with the running sensor.
    pub fn cannot_see(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.cannot_see)
    }

    /// Hands over events until the stop.
    pub fn run(mut self, sink: &Sink, stop: &Stop) {
        let mut open = Ok(());
        while open.is_ok() {
            let is_last = stop.wait(LOOK_EVERY);
            let events = self.look();
            open = self.hand_over(events, sink);
            self.say();
            if is_last {
                break;
            }
        }
        self.config.fingerprints.feed(false);
    }

    fn look(&mut self) -> Vec<Event> {
        let now = self.config.clock.now();
        let (time, uptime) = (clock::text(now), self.config.clock.uptime());
        let mut events = Vec::new();
        let mut lines = Vec::new();
        for followed in &mut self.followed {
            events.extend(followed.look(&mut lines, &mut self.teller, Undated::Now(now), &time));
            for line in lines.drain(..) {
                self.config.fingerprints.learn_from(&line, uptime);
                events.extend(self.teller.line(&line));
            }
        }
        if let Some(journal) = &mut self.journal {
            let found = journal.look(uptime);
            for line in &found.lines {
                self.config.fingerprints.learn_from(line, uptime);
                events.extend(self.teller.line(line));
            }
            if found.n_damaged > 0 {
                events.push(gap("damaged_record", &time, None, Some(found.n_damaged)));
            }
            if found.ended {
                events.push(gap("journal_ended", &time, None, None));
            }
        }
        events
    }

    fn hand_over(&mut self, events: Vec<Event>, sink: &Sink) -> Result<(), Closed> {
        let now = self.config.clock.uptime();
        self.beside.extend(events.into_iter().map(|event| (event, now)));
        if !self.config.standing.sees_logins() {
            return self.beside.drain(..).try_for_each(|(event, _)| sink.offer(event)).and(sink.settle());
        }
        while let Some((event, since)) = self.beside.front() {
            if is_of_the_log(event) {
                let Some((event, _)) = self.beside.pop_front() else { break };
                sink.offer(event)?;
            } else if now.saturating_sub(*since) >= BESIDE_FOR || self.beside.len() > BESIDE_MAX {
                self.beside.pop_front();
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Whether text of login programs is read, from a file and from the journal.
    fn texts(&self) -> (bool, bool) {
        let is_text = |followed: &Followed| !followed.records && followed.readable;
        let has_journal = self.journal.as_ref().is_some_and(Journal::is_running);
        (self.followed.iter().any(is_text), has_journal)
    }

    /// Logins that audit tells of wait for the log's line from now on, or no longer.
    fn feed(&self) {
        let (has_text, has_journal) = self.texts();
        self.config.fingerprints.feed(has_text || has_journal);
    }

    /// Says what is not seen, with what audit tells at this moment. Not before audit was taken or could not be had: a
    /// word that holds only for a start would stay in the week's review.
    pub fn say(&self) {
        self.feed();
        let (has_text, has_journal) = self.texts();
        let mut sentences = Vec::new();
        if !has_text && !has_journal {
            sentences.push("no text of sshd and sudo can be read: which key opened a session, and what sudo ran, is not seen in logs".to_owned());
        }
        if !self.config.standing.sees_logins() {
            let trust = if has_journal {
                ""
            } else {
                "; any account of this machine can write a line there in another program's name"
            };
            sentences.push(format!(
                "kernel audit does not tell of logins now; they are read from the logs of login programs{trust}"
            ));
        }
        *self.cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
    }
}

/// What is told in any case: that a log was cleared or could not be read is no word of audit's.
fn is_of_the_log(event: &Event) -> bool {
    matches!(event.kind, Kind::Tamper | Kind::Gap)
}

impl Fingerprints {
    /// Learns from a line, if it is one of sshd's about a login.
    fn learn_from(&self, line: &Line, now: Duration) {
        if let Some(found) = accepted(line) {
            self.learn(found, now);
        }
    }
}

impl Followed {
    fn begin(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let (refused, visits) = (name.starts_with("btmp"), name.starts_with("wtmp"));
        let tail = Tail::follow(path).ok()?;
        Some(Self { tail, records: refused || visits, refused, rest: Vec::new(), readable: path.exists() })
    }

    /// Takes what was appended: lines, or events of records.
    fn look(
        &mut self,
        lines: &mut Vec<Line>,
        teller: &mut Teller,
        undated: Undated,
        time: &str,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut n_damaged = 0_u64;
        let Ok(found) = self.tail.look() else {
            if std::mem::replace(&mut self.readable, false) {
                events.push(gap("log_unreadable", time, None, None));
            }
            return events;
        };
        self.readable |= !found.bytes.is_empty() || found.is_other;
        if let Some(how) = found.cleared {
            events.push(cleared(&self.tail, how, time));
        }
        if found.is_other && !std::mem::take(&mut self.rest).is_empty() {
            n_damaged = n_damaged.saturating_add(1);
        }
        self.rest.extend(found.bytes);
        let bytes = std::mem::take(&mut self.rest);
        if self.records {
            let whole = bytes.chunks_exact(RECORD_BYTES);
            self.rest = whole.remainder().to_vec();
            for record in whole {
                match Visit::parse(record) {
                    Some(visit) => events.extend(teller.visit(&visit, self.refused)),
                    None => n_damaged = n_damaged.saturating_add(1),
                }
            }
        } else {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                if line.last() != Some(&b'\n') && line.len() <= LINE_BYTES_MAX {
                    self.rest = line.to_vec();
                    break;
                }
                match Line::parse(line, undated) {
                    Some(line) => lines.push(line),
                    None if line.iter().all(u8::is_ascii_whitespace) => {}
                    None => n_damaged = n_damaged.saturating_add(1),
                }
            }
        }
        if n_damaged > 0 {
            events.push(gap("damaged_record", time, None, Some(n_damaged)));
        }
        events
    }
}

fn cleared(tail: &Tail, how: &str, time: &str) -> Event {
    let name = tail.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut event = Event::new(Kind::Tamper, time);
    event.outcome = Some(Outcome::Success);
    event.actor = Some(Actor { confidence: Some(Confidence::Unattributed), ..Actor::default() });
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    let detail = Some(format!("{name}: {how}"));
    event.tamper = Some(Tamper { what: TamperKind::LogCleared, detail, other: Default::default() });
    event
}

#[cfg(test)]
mod tests;
