//! One import: from its first bytes to its act. It may be broken off anywhere and done again: what was appended is known.
//! Entries are appended at its end, in the order of their times; a file of more than [`PENDING_MAX`] events in runs of so many.

use std::collections::HashSet;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::author_log::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use ntk_evidence::entry::{Entry, EntryError};
use ntk_evidence::event::{Event, Gap, Kind, Source as EventSource};
use ntk_evidence::hash::hex;
use ntk_windows::watch::Watches;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::author::Writer;
use super::ehr::map::Map;
use super::records::{Content, Record, Records};
use super::windows::Waiting;
use super::{Found, NotThis, Source, Tally, ehr, exchange, identity, m365};
use crate::app::App;
use crate::home::HomeError;
use crate::ledger::LedgerError;
use crate::store::{StoreError, content, mark};

/// An import could not go on. What was appended before stays, and is known when it is done again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is something else.
    #[error(transparent)]
    NotThis(#[from] NotThis),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The query store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// An entry could not be frozen.
    #[error("a record could not be written down")]
    Entry(#[from] EntryError),
    /// An act has no JSON form.
    #[error("the import could not be written down; this is a fault of the program")]
    Act(#[source] serde_json::Error),
    /// Its author is not in the ledger.
    #[error("the author of these imports is not enrolled; import again")]
    NoAuthor,
    /// The practice key permits no new author.
    #[error("nothing was imported: {0}")]
    NotPermitted(&'static str),
}

/// Body of [`act::kind::IMPORT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportAct {
    /// Name of the source.
    pub source: String,
    /// Whose entries they are.
    pub author: String,
    /// Name of the file, without its folder; what was asked, of a service.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the file as it came, hex.
    pub sha256: String,
    /// Who did it, as they say themselves.
    pub by: String,
    /// What came of it.
    pub tally: Tally,
    /// Entries that one import made, by number in their author's log; nothing where it made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<(u64, u64)>,
}

/// Entries that wait at most: twice what an export of Purview holds.
const PENDING_MAX: usize = 100_000;
/// And their bytes.
const PENDING_BYTES_MAX: usize = 128 << 20;

/// Span of time of some records.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Times in the order of the file: how many were later and earlier than the one before.
    rising: u64,
    falling: u64,
    before: Option<Timestamp>,
}

impl Span {
    fn add(&mut self, at: Timestamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(Some(at));
        match self.before.replace(at) {
            Some(before) if at > before => self.rising = self.rising.saturating_add(1),
            Some(before) if at < before => self.falling = self.falling.saturating_add(1),
            _ => {}
        }
    }
}

/// What somebody gives beside a file.
#[derive(Debug, Default)]
pub struct Beside {
    /// Which column holds what.
    pub map: Option<Map>,
    /// What is watched on the machine that a log is of.
    pub watches: Watches,
}

/// How a file is cut into records.
enum Form {
    Records(Records),
    Exchange(exchange::Records),
    /// A log of Windows, on disk until it is whole.
    Log(Waiting),
    /// No file: answers of a service, each whole.
    Answers,
}

/// An import at work.
pub struct Import {
    map: Option<Map>,
    /// What is watched on the machine that a log is of.
    watches: Watches,
    source: Source,
    file: String,
    by: String,
    writer: Writer,
    first_number: u64,
    form: Form,
    is_checked: bool,
    hash: Sha256,
    bytes: u64,
    tally: Tally,
    span: Span,
    cut: Span,
    /// Marks of the ids of this file, for those that stand in it twice: the store comes behind.
    seen: HashSet<[u8; 16]>,
    pending: Vec<(i64, Entry)>,
    pending_bytes: usize,
}

impl Import {
    /// Begins one. From a thread that may wait.
    pub fn begin(
        app: &App,
        source: Source,
        beside: Beside,
        file: String,
        by: String,
    ) -> Result<Self, ImportError> {
        app.lookup.up_to_date()?;
        let Beside { map, watches } = beside;
        let writer = Writer::open(app, source)?;
        let first_number =
            app.ledger.published().authors.get(writer.author()).map_or(0, |known| known.log.size());
        Ok(Self {
            source,
            file,
            by,
            writer,
            first_number,
            form: match source {
                Source::M365 | Source::EhrAudit => Form::Records(Records::default()),
                Source::Exchange => Form::Exchange(exchange::Records::default()),
                Source::Evtx => Form::Log(Waiting::new(&app.practice.home.cache())?),
            },
            map,
            watches,
            is_checked: false,
            hash: Sha256::new(),
            bytes: 0,
            tally: Tally::default(),
            span: Span::default(),
            cut: Span::default(),
            seen: HashSet::new(),
            pending: Vec::new(),
            pending_bytes: 0,
        })
    }

    /// Begins one of answers that a service gives to questions ([`crate::poll`]).
    pub(crate) fn of_answers(
        app: &App,
        source: Source,
        what: String,
        by: String,
    ) -> Result<Self, ImportError> {
        Ok(Self { form: Form::Answers, ..Self::begin(app, source, Beside::default(), what, by)? })
    }

    /// Bytes that came so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What came of it so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes in an answer of a service, whole: a JSON array.
    pub(crate) fn whole(&mut self, app: &App, bytes: &[u8]) -> Result<(), ImportError> {
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut records = Records::default();
        let mut found = records.push(bytes)?;
        found.extend(records.finish()?);
        found.iter().try_for_each(|record| self.record(app, record))
    }

    /// Takes in the next bytes of the file. Entries wait for its end, so that they come in the order of their times.
    pub fn part(&mut self, app: &App, bytes: &[u8]) -> Result<(), ImportError> {
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let records = match &mut self.form {
            Form::Records(records) => records.push(bytes)?,
            Form::Exchange(whole) => {
                whole.push(bytes)?;
                return Ok(());
            }
            Form::Log(waiting) => {
                waiting.push(bytes)??;
                return Ok(());
            }
            Form::Answers => return self.whole(app, bytes),
        };
        self.take(app, records)
    }

    /// The file ends here: the rest is durable, and the act says what came of all of it.
    pub fn end(mut self, app: &App) -> Result<ImportAct, ImportError> {
        let form = std::mem::replace(&mut self.form, Form::Records(Records::default()));
        let rest = match form {
            Form::Log(waiting) => {
                let (watches, now) = (std::mem::take(&mut self.watches), app.ledger.now());
                waiting.read(watches, &now, |row, found| self.found(app, row, found, false))???;
                Vec::new()
            }
            Form::Answers => Vec::new(),
            Form::Records(records) => {
                self.check(records.columns())?;
                records.finish()?
            }
            Form::Exchange(whole) => whole.finish()?,
        };
        self.take(app, rest)?;
        let sha256 = hex(&self.hash.clone().finalize());
        for gap in self.gaps(&sha256) {
            self.tally.gaps = self.tally.gaps.saturating_add(1);
            self.event(app, gap)?;
        }
        self.flush(app)?;
        let size =
            app.ledger.published().authors.get(self.writer.author()).map_or(0, |known| known.log.size());
        self.tally.first = self.span.first.map(|at| at.to_string());
        self.tally.last = self.span.last.map(|at| at.to_string());
        let act = ImportAct {
            source: self.source.name().to_owned(),
            author: self.writer.author().to_string(),
            file: self.file,
            bytes: self.bytes,
            sha256,
            by: self.by,
            tally: self.tally,
            numbers: (size > self.first_number).then(|| (self.first_number, size.saturating_sub(1))),
        };
        let body = serde_json::to_value(&act).map_err(ImportError::Act)?;
        let _appended =
            app.ledger.act_blocking(vec![act::event(act::kind::IMPORT, app.ledger.now(), body)])?;
        Ok(act)
    }

    fn take(&mut self, app: &App, records: Vec<Record>) -> Result<(), ImportError> {
        if let Form::Records(known) = &self.form {
            let columns = known.columns().map(<[String]>::to_vec);
            self.check(columns.as_deref())?;
        }
        for record in records {
            self.record(app, &record)?;
        }
        Ok(())
    }

    /// Whether the columns of a CSV file are those that are needed, once they are known.
    fn check(&mut self, columns: Option<&[String]>) -> Result<(), ImportError> {
        if !self.is_checked
            && let Some(columns) = columns
        {
            match self.source {
                Source::M365 => m365::fits(columns)?,
                Source::EhrAudit => ehr::fits(columns, self.map.as_ref())?,
                Source::Exchange | Source::Evtx => {}
            }
            self.is_checked = true;
        }
        Ok(())
    }

    fn record(&mut self, app: &App, record: &Record) -> Result<(), ImportError> {
        let (found, is_cut) = match &record.content {
            Content::Damaged(what) => (Found::Damaged(what.clone()), false),
            _ => match self.source {
                Source::M365 => m365::read(record),
                Source::Exchange => (exchange::read(record), false),
                Source::EhrAudit => (ehr::read(record, self.map.as_ref()), false),
                Source::Evtx => (Found::Damaged("it is no event log".to_owned()), false),
            },
        };
        self.found(app, record.row, found, is_cut)
    }

    /// Takes in what one record comes to.
    fn found(&mut self, app: &App, row: u64, found: Found, is_cut: bool) -> Result<(), ImportError> {
        if !matches!(found, Found::Rest(_)) {
            self.tally.records = self.tally.records.saturating_add(1);
        }
        match found {
            Found::Damaged(what) => self.tally.damage(row, &what),
            Found::Noise(rule) => {
                let n = self.tally.noise.entry(rule.to_owned()).or_default();
                *n = n.saturating_add(1);
            }
            Found::Events(events) | Found::Rest(events) => {
                if is_cut {
                    self.tally.cut = self.tally.cut.saturating_add(1);
                }
                for event in events {
                    if self.source == Source::M365 {
                        self.tally.mailbox(&event);
                    }
                    if let Ok(at) = event.time.parse() {
                        self.span.add(at);
                        if is_cut {
                            self.cut.add(at);
                        }
                    }
                    if event.kind == Kind::Gap {
                        self.tally.gaps = self.tally.gaps.saturating_add(1);
                    }
                    self.event(app, event)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn event(&mut self, app: &App, event: Event) -> Result<(), ImportError> {
        let id = identity(self.source.name(), &event).unwrap_or_default();
        let known = match self.seen.insert(mark(&id)) {
            true => app.lookup.store().imported(self.source.name(), &id)?,
            // Twice in one file: the first one counts.
            false => Some(content(&event).to_vec()),
        };
        if let Some(known) = known {
            self.tally.known = self.tally.known.saturating_add(1);
            // The same record through two ways says the same: what does not was changed on one of them.
            if known != content(&event) {
                self.tally.differs(&id);
            }
            return Ok(());
        }
        let kind = self.tally.kinds.entry(event.kind.to_string()).or_default();
        *kind = kind.saturating_add(1);
        self.tally.entries = self.tally.entries.saturating_add(1);
        let at = event.time.parse::<Timestamp>().map_or(i64::MAX, Timestamp::as_millisecond);
        let entry = Entry::freeze(event)?;
        self.pending_bytes = self.pending_bytes.saturating_add(entry.len());
        self.pending.push((at, entry));
        if self.pending.len() >= PENDING_MAX || self.pending_bytes >= PENDING_BYTES_MAX {
            self.flush(app)?;
        }
        Ok(())
    }

    /// Appends what is waiting, the oldest first: what is unusual is seen by what came before, and exports begin with the newest.
    fn flush(&mut self, app: &App) -> Result<(), ImportError> {
        let mut pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        pending.sort_by_key(|(at, _)| *at);
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        for (_, entry) in pending {
            if batch.len() >= BATCH_ENTRIES_MAX || bytes.saturating_add(entry.len()) > BATCH_BYTES_MAX {
                self.writer.append(app, std::mem::take(&mut batch))?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(entry.len());
            batch.push(entry);
        }
        self.writer.append(app, batch)
    }

    /// What the file itself shows to be missing.
    fn gaps(&self, sha256: &str) -> Vec<Event> {
        let mut gaps = Vec::new();
        let mut gap = |cause: &str, from: Option<Timestamp>, to: Option<Timestamp>, lost: Option<u64>| {
            let at = to.or(from).or(self.span.last).map(|at| at.to_string());
            let mut event = Event::new(Kind::Gap, at.unwrap_or_default());
            event.source = Some(EventSource {
                sensor: Some(self.source.sensor().to_owned()),
                record: Some(format!("file:{sha256}/{cause}")),
                recorded: Some(true),
                ..EventSource::default()
            });
            event.gap = Some(Gap {
                cause: cause.to_owned(),
                from: from.map(|at| at.to_string()),
                to: to.map(|at| at.to_string()),
                lost,
                other: Default::default(),
            });
            gaps.push(event);
        };
        let span = self.span;
        if self.records_are_at_the_limit() {
            // Newest first, as Purview writes it: what is missing is older than all that is there.
            match span.falling.cmp(&span.rising) {
                std::cmp::Ordering::Greater => gap("export_truncated", None, span.first, None),
                std::cmp::Ordering::Less => gap("export_truncated", span.last, None, None),
                std::cmp::Ordering::Equal => gap("export_truncated", span.first, span.last, None),
            }
        }
        if self.tally.cut > 0 {
            gap("cells_cut", self.cut.first, self.cut.last, Some(self.tally.cut));
        }
        // The room of Windows tells damage itself, between the records on both sides of it.
        if self.tally.damaged > 0 && span.first.is_some() && self.source != Source::Evtx {
            gap("import_damaged", span.first, span.last, Some(self.tally.damaged));
        }
        gaps
    }

    fn records_are_at_the_limit(&self) -> bool {
        self.source == Source::M365 && self.is_checked && self.tally.records == m365::EXPORT_ROWS_MAX
    }
}
