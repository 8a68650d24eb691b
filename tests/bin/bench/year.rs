//! A year of a practice of fifteen in a ledger: written by the collector's own writer, each group at the time at which
//! it would have come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};
use ntk_collector::clock::Clock;
use ntk_collector::home::Home;
use ntk_collector::ingest::verify::verify;
use ntk_collector::init::{InitOptions, init};
use ntk_collector::ledger::writer::{self, Opened};
use ntk_collector::ledger::{Appended, LedgerError, LedgerHandle};
use ntk_collector::practice::Practice;
use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::{Event, Health, Kind};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::scenario::{self, Act, Line, Scenario};
use ntk_tests::detection::walk::event_of;
use serde_json::to_value;
use tokio::sync::oneshot;

/// Weeks of the year.
const WEEKS: u32 = 52;
/// Entries of a batch, as an agent gathers them.
const BATCH: usize = 256;
/// Receipts that are waited for at once.
const WAITING: usize = 64;
/// Copies of one access lie in so many seconds after it.
const WITHIN_S: i64 = 30 * 60;
const NAME: &str = "Maple Street Family Practice";

/// A practice whose first day was a year ago: its folder is made, the ledger is full, nothing runs. How many entries
/// agents wrote.
pub(crate) fn written(folder: &Path, ports: (u16, u16), entries: u64) -> Result<u64> {
    let scenario = ending_now(Request { seed: 1, people: 15, weeks: WEEKS }.scenario()?)?;
    let now = Arc::new(AtomicI64::new(nanos(scenario.header.from - SignedDuration::from_hours(12))?));
    let clock = Clock::set_by(Arc::clone(&now));
    let home = Home::new(folder.join("collector"));
    let options = InitOptions {
        name: NAME.into(),
        timezone: scenario.header.timezone.clone(),
        template: "small-practice".into(),
        keys_to: vec![folder.join("keys.txt")],
        administers: [("host".to_owned(), "Northwind IT".to_owned())].into(),
        listen: format!("127.0.0.1:{}", ports.0),
        console: Some(format!("127.0.0.1:{}", ports.1)),
        console_address: None,
        place: None,
        at_rest: None,
    };
    init(&home, &options, &clock)?;
    let practice = Practice::open(home)?;
    let keys = practice.ledger_keys()?;
    let Opened { handle, thread, .. } =
        writer::open(&practice.home, &practice.trust.slug, keys, clock, None)?;
    let ordinary = scenario.entries().filter(|entry| is_ordinary(entry)).count();
    let rare = scenario.entries().count().saturating_sub(ordinary);
    let times = entries.saturating_sub(u64::try_from(rare)?) / u64::try_from(ordinary.max(1))?;
    let mut year = Year {
        slug: practice.trust.slug.clone(),
        handle,
        now,
        times: i64::try_from(times.max(1))?,
        agents: BTreeMap::new(),
        waiting: Vec::new(),
        written: 0,
    };
    for line in &scenario.lines {
        year.take(line)?;
    }
    let written = year.finish()?;
    drop(thread.join());
    Ok(written)
}

/// The scenario with every date moved by whole weeks, so that it ends now; what would lie in the future is left out.
fn ending_now(scenario: Scenario) -> Result<Scenario> {
    let zone = jiff::tz::TimeZone::get(&scenario.header.timezone)?;
    let now = Timestamp::now();
    let ends = scenario.header.from + SignedDuration::from_hours(i64::from(scenario.header.weeks) * 7 * 24);
    // Rounded up: the newest week is the one in which we are.
    let weeks = (ends.duration_since(now).as_hours()).div_euclid(7 * 24);
    let (mut text, mut moved) = (Vec::new(), String::new());
    scenario.write(&mut text)?;
    for line in String::from_utf8(text)?.lines() {
        earlier(line, weeks * 7, &mut moved)?;
        moved.push('\n');
    }
    let mut scenario = scenario::read::read(&mut moved.as_bytes())?;
    let midnight = Zoned::new(now, zone).start_of_day()?.timestamp();
    scenario.lines.retain(|line| match line {
        Line::Act(act) => act.at < midnight,
        Line::Entry(entry) => entry.received < midnight,
        Line::Label(_) => true,
    });
    Ok(scenario)
}

/// Appends a line with every date in it so many days earlier.
fn earlier(line: &str, days: i64, to: &mut String) -> Result<()> {
    let mut rest = line;
    while let Some(at) = rest.find("20") {
        let (before, found) = rest.split_at(at);
        to.push_str(before);
        let day = found.get(..10).filter(|text| text.as_bytes().get(4) == Some(&b'-'));
        let taken = match day.and_then(|text| text.parse::<Date>().ok()) {
            Some(day) => {
                to.push_str(&day.checked_sub(days.days())?.to_string());
                10
            }
            None => {
                to.push_str("20");
                2
            }
        };
        rest = found.get(taken..).unwrap_or_default();
    }
    to.push_str(rest);
    Ok(())
}

/// Whether an entry is a day's work, which comes many times; what the cases are made of comes once.
fn is_ordinary(entry: &scenario::Entry) -> bool {
    entry.label.is_none() && entry.event.kind == Kind::FileAccess
}

struct Agent {
    log: AuthorLog,
    signer: NoteSigner,
    gathered: Vec<Event>,
}

struct Year {
    slug: Slug,
    handle: LedgerHandle,
    now: Arc<AtomicI64>,
    times: i64,
    agents: BTreeMap<String, Agent>,
    waiting: Vec<oneshot::Receiver<Result<Appended, LedgerError>>>,
    written: u64,
}

impl Year {
    fn take(&mut self, line: &Line) -> Result<()> {
        match line {
            Line::Label(_) => Ok(()),
            Line::Act(act) => self.act(act),
            Line::Entry(entry) => self.entry(entry),
        }
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        // What was recorded before an act lies before it.
        self.all_sealed()?;
        self.receipts()?;
        self.now.store(nanos(act.at)?, Ordering::Release);
        let event = match act.kind.as_str() {
            act::kind::ENROLMENT => self.enrolled(act)?,
            _ => event_of(act),
        };
        drop(self.handle.act_blocking(vec![event])?);
        Ok(())
    }

    /// A machine with a key that signs: the made-up practice has names only.
    fn enrolled(&mut self, act: &Act) -> Result<Event> {
        let name = act.body.get("author").and_then(|name| name.as_str()).context("an author")?;
        let author = Author::parse(name)?;
        let seed = [u8::try_from(self.agents.len())?.saturating_add(9); 32];
        let signer = NoteSigner::new(&self.slug.author_origin(&author), KeyType::Ed25519, &seed)?;
        let log = AuthorLog::new(&self.slug, author, signer.verifier().clone());
        let enrolment = Enrolment {
            author: name.to_owned(),
            key: signer.verifier().to_string(),
            epoch: 0,
            certificate: Some("00".repeat(32)),
            machine: Some("Debian 13".into()),
            notice: Some("its users were told".into()),
            replaces: None,
            witness: None,
            begins: None,
        };
        self.agents.insert(name.to_owned(), Agent { log, signer, gathered: Vec::new() });
        Ok(act::event(act::kind::ENROLMENT, act.at.to_string(), to_value(enrolment)?))
    }

    fn entry(&mut self, entry: &scenario::Entry) -> Result<()> {
        let times = if is_ordinary(entry) { self.times } else { 1 };
        self.now.store(nanos(entry.received)?, Ordering::Release);
        for n in 0..times {
            let mut event = entry.event.clone();
            // Not more than half an hour later: a day's work stays within its hours.
            let later = SignedDuration::from_secs(n * WITHIN_S / self.times);
            for time in [Some(&mut event.time), event.last.as_mut()].into_iter().flatten() {
                *time = moved(time, later)?;
            }
            let agent = self.agents.get_mut(&entry.author).context("an enrolled machine")?;
            agent.gathered.push(event);
            if agent.gathered.len() >= BATCH {
                self.seal(&entry.author)?;
            }
        }
        Ok(())
    }

    fn seal(&mut self, author: &str) -> Result<()> {
        let agent = self.agents.get_mut(author).context("an enrolled machine")?;
        let mut events = std::mem::take(&mut agent.gathered);
        // As an agent does every few minutes: it is there, and says what it is.
        let at = Moment::from_unix_nanos(self.now.load(Ordering::Acquire)).to_rfc3339(3);
        let mut health = Event::new(Kind::Health, at);
        health.health = Some(Box::new(Health {
            os: Some("Debian 13".into()),
            version: Some("0.1.0".into()),
            ..Health::default()
        }));
        events.push(health);
        self.written += u64::try_from(events.len())?;
        let entries = events.into_iter().map(Entry::freeze).collect::<Result<Vec<_>, _>>()?;
        let (batch, next) = agent.log.seal(entries, BatchKey::new([1; 32]), &agent.signer)?;
        let continuation = verify(&agent.log, batch)?.into_continuation();
        agent.log = next;
        self.waiting.push(self.handle.append_blocking(continuation)?);
        if self.waiting.len() >= WAITING { self.receipts() } else { Ok(()) }
    }

    fn all_sealed(&mut self) -> Result<()> {
        let waiting =
            |(author, agent): (&String, &Agent)| (!agent.gathered.is_empty()).then(|| author.clone());
        for author in self.agents.iter().filter_map(waiting).collect::<Vec<_>>() {
            self.seal(&author)?;
        }
        Ok(())
    }

    fn receipts(&mut self) -> Result<()> {
        for receipt in self.waiting.drain(..) {
            let _appended = receipt.blocking_recv()??;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        self.all_sealed()?;
        self.receipts()?;
        Ok(self.written)
    }
}

fn nanos(at: Timestamp) -> Result<i64> {
    Ok(i64::try_from(at.as_nanosecond())?)
}

fn moved(time: &str, later: SignedDuration) -> Result<String> {
    let at = time.parse::<Timestamp>()? + later;
    Ok(Moment::from_unix_nanos(nanos(at)?).to_rfc3339(3))
}
