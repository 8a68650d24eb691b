//! The public CERT insider-threat files (r4.2 and its like) as a scenario, as far as their rows say so.
//!
//! Their licence forbids shipping them: this reads a folder that somebody has. What becomes of a row:
//!
//! - `logon.csv`: Logon a console login on that computer, Logoff a logout;
//! - `file.csv`: a file of the practice copied to a stick, so `create` of the class `export` under `/media`;
//! - `email.csv`: a mail with attachments, so a read in the sender's own mailbox, with their number as count;
//! - `device.csv`: counted and left out, because the vocabulary has no event for a stick by itself;
//! - `LDAP/*.csv`: people and roles; who is missing in a later month has left on its first day;
//! - `answers/insiders.csv`: each insider is one incident, and all that this account did between start and end
//!   is its key. That is coarse: what is told apart there by content (web pages, texts) is not read at all.
//!
//! `psychometric.csv` and `http.csv` are not read.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use ntk_evidence::event::{
    Action, Actor, Class, Confidence, Event, Kind, Object, Outcome, Process, Source, Via,
};
use serde_json::json;

use super::calendar::ZONE;
use super::detector::Week;
use super::scenario::{Act, Entry, Header, Label, Line, Scenario, text};
use table::{Row, Rows};

/// What was read.
#[derive(Debug)]
pub struct Cert {
    /// The scenario.
    pub scenario: Scenario,
    /// Rows that became entries.
    pub n_mapped: u64,
    /// Rows in the weeks that have no event of ours.
    pub n_left_out: u64,
}

impl Cert {
    /// A sentence on what was read.
    pub fn in_words(&self) -> String {
        format!(
            "{}: {} rows became entries, {} rows have no event of ours and were left out",
            self.scenario.header.name, self.n_mapped, self.n_left_out
        )
    }
}

/// One insider of the answers.
struct Insider {
    user: String,
    about: String,
    from: DateTime,
    to: DateTime,
}

/// Reads so many weeks of a folder: those from four weeks before the first insider on.
pub fn read(folder: &Path, weeks: u32) -> Result<Cert> {
    ensure!(weeks > 0 && weeks <= 520, "--weeks: from 1 to 520, and not {weeks}");
    let insiders = insiders(folder)?;
    let first_insider = insiders.iter().map(|insider| insider.from.date()).min();
    let learning = 4.min(weeks / 3);
    let first = match first_insider {
        Some(date) => date.saturating_sub(i64::from(learning * 7).days()),
        None => first_day(folder)?,
    };
    let first = Week::of_date(first).monday();
    let end = first.saturating_add(i64::from(weeks * 7).days());
    let zone = TimeZone::get(ZONE)?;
    let mut reader = Reader { zone, first, end, people: people(folder)?, entries: Vec::new(), n_left_out: 0 };
    reader.logons(folder)?;
    reader.files(folder)?;
    reader.mails(folder)?;
    reader.devices(folder)?;
    reader.finish(folder, weeks, learning, &insiders)
}

struct Reader {
    zone: TimeZone,
    first: Date,
    end: Date,
    people: People,
    entries: Vec<(DateTime, String, Entry)>,
    n_left_out: u64,
}

/// People by user id: their number, their role, the day on which they were gone.
struct People {
    known: BTreeMap<String, Known>,
}

struct Known {
    uid: u32,
    name: String,
    role: String,
    gone: Option<Date>,
}

impl Reader {
    fn is_wanted(&self, at: DateTime) -> bool {
        self.first <= at.date() && at.date() < self.end
    }

    fn moment(&self, at: DateTime) -> Result<Timestamp> {
        Ok(self.zone.to_ambiguous_timestamp(at).compatible()?)
    }

    fn actor(&self, user: &str) -> Actor {
        Actor {
            login_uid: self.people.known.get(user).map(|known| known.uid),
            login_user: Some(user.to_owned()),
            effective_user: Some(user.to_owned()),
            from: Some("/dev/console".to_owned()),
            confidence: Some(Confidence::Derived),
            ..Actor::default()
        }
    }

    fn push(&mut self, row: &Row, at: DateTime, make: impl FnOnce(&mut Event)) -> Result<()> {
        let (user, pc) = (row.field("user")?.to_owned(), row.field("pc")?.to_lowercase());
        let moment = self.moment(at)?;
        let mut event = Event::new(Kind::FileAccess, text(moment));
        event.outcome = Some(Outcome::Success);
        event.actor = Some(self.actor(&user));
        event.source = Some(Source {
            sensor: Some("cert".to_owned()),
            record: row.get("id").map(ToOwned::to_owned),
            recorded: Some(true),
            ..Source::default()
        });
        make(&mut event);
        let entry = Entry { author: format!("import/{pc}"), number: 0, received: moment, event, label: None };
        self.entries.push((at, user, entry));
        Ok(())
    }

    fn logons(&mut self, folder: &Path) -> Result<()> {
        let mut rows = Rows::open(&folder.join("logon.csv"))?;
        while let Some(row) = rows.next()? {
            let at = row.moment("date")?;
            if !self.is_wanted(at) {
                continue;
            }
            let kind = match row.field("activity")? {
                "Logon" => Kind::Login,
                "Logoff" => Kind::Logout,
                other => return Err(row.fault("activity", other, "Logon or Logoff")),
            };
            self.push(&row, at, |event| event.kind = kind)?;
        }
        Ok(())
    }

    fn files(&mut self, folder: &Path) -> Result<()> {
        let mut rows = Rows::open(&folder.join("file.csv"))?;
        while let Some(row) = rows.next()? {
            let at = row.moment("date")?;
            if !self.is_wanted(at) {
                continue;
            }
            let path = format!("/media/{}/{}", row.field("user")?, row.field("filename")?);
            self.push(&row, at, |event| {
                event.action = Some(Action::Create);
                event.process = Some(Process::default());
                let (class, via) = (Some(Class::Export), Some(Via::Direct));
                event.object = Some(Object { path: Some(path), class, via, ..Object::default() });
            })?;
        }
        Ok(())
    }

    fn mails(&mut self, folder: &Path) -> Result<()> {
        let mut rows = Rows::open(&folder.join("email.csv"))?;
        while let Some(row) = rows.next()? {
            let at = row.moment("date")?;
            if !self.is_wanted(at) {
                continue;
            }
            // Later versions list the names, r4.2 has their number.
            let attachments = row.field("attachments")?;
            let n = attachments.parse().unwrap_or_else(|_| {
                u64::try_from(attachments.split(';').filter(|name| !name.is_empty()).count()).unwrap_or(0)
            });
            if n == 0 {
                self.n_left_out += 1;
                continue;
            }
            let owner = row.field("user")?.to_owned();
            self.push(&row, at, |event| {
                event.action = Some(Action::Read);
                event.count = Some(n).filter(|n| *n > 1);
                let object = Object { owner: Some(owner), class: Some(Class::Mailbox), ..Object::default() };
                event.object = Some(object);
            })?;
        }
        Ok(())
    }

    fn devices(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join("device.csv");
        if !path.exists() {
            return Ok(());
        }
        let mut rows = Rows::open(&path)?;
        while let Some(row) = rows.next()? {
            self.n_left_out += u64::from(self.is_wanted(row.moment("date")?));
        }
        Ok(())
    }

    fn finish(mut self, folder: &Path, weeks: u32, learning: u32, insiders: &[Insider]) -> Result<Cert> {
        let from = self.moment(self.first.at(0, 0, 0, 0))?;
        let counted = self.first.saturating_add(i64::from(learning * 7).days());
        let counted_from = self.moment(counted.at(0, 0, 0, 0))?;
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        let is_in = |insider: &Insider, at: DateTime, user: &str| {
            insider.user == user && insider.from <= at && at <= insider.to && at.date() >= counted
        };
        for (n, insider) in insiders.iter().enumerate() {
            if !self.entries.iter().any(|(at, user, _)| is_in(insider, *at, user)) {
                continue;
            }
            let id = format!("I-{:03}", n + 1);
            for (at, user, entry) in &mut self.entries {
                if entry.label.is_none() && is_in(insider, *at, user) {
                    entry.label = Some(id.clone());
                    seen.insert(n);
                }
            }
            if seen.contains(&n) {
                let (kind, about) = ("cert_insider".to_owned(), insider.about.clone());
                lines.push(Line::Label(Label { id, kind, incident: true, about, key: true }));
            }
        }
        lines.extend(self.roster(from)?);
        let policy = json!({ "template": "small-practice" });
        lines.push(Line::Act(Act { at: from, kind: "act_policy".to_owned(), body: policy }));
        let n_mapped = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        self.entries.sort_by_key(|(at, _, _)| *at);
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for (_, _, mut entry) in self.entries {
            let number = next.entry(entry.author.clone()).or_default();
            entry.number = *number;
            *number += 1;
            lines.push(Line::Entry(Box::new(entry)));
        }
        let name = folder.file_name().map_or_else(|| "CERT files".into(), |name| name.to_string_lossy());
        let people = u32::try_from(self.people.known.len()).unwrap_or(u32::MAX);
        let header = Header {
            name: format!("CERT {name}"),
            timezone: ZONE.to_owned(),
            people,
            weeks,
            from,
            counted_from,
        };
        Ok(Cert { scenario: Scenario { header, lines }, n_mapped, n_left_out: self.n_left_out })
    }

    fn roster(&self, at: Timestamp) -> Result<Option<Line>> {
        let mut text = String::new();
        for (user, known) in &self.people.known {
            let (name, role) = (json!(known.name), json!(known.role));
            write!(text, "[[person]]\nid = \"{user}\"\nname = {name}\nroles = [{role}]\n")?;
            if let Some(gone) = known.gone {
                writeln!(text, "leave_date = \"{gone}\"")?;
            }
            write!(text, "[[account]]\nperson = \"{user}\"\nuser = \"{user}\"\n")?;
        }
        let body = json!({ "text": text });
        Ok((!text.is_empty()).then(|| Line::Act(Act { at, kind: "act_roster".to_owned(), body })))
    }
}

/// The day of the first row.
fn first_day(folder: &Path) -> Result<Date> {
    let mut rows = Rows::open(&folder.join("logon.csv"))?;
    let row =
        rows.next()?.context("logon.csv has no rows; check that NTK_CERT_DIR names the right folder")?;
    Ok(row.moment("date")?.date())
}

/// Everybody of the monthly lists; without them nobody is known.
fn people(folder: &Path) -> Result<People> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let ldap = folder.join("LDAP");
    let mut months: Vec<_> = match std::fs::read_dir(&ldap) {
        Ok(files) => files.filter_map(|file| Some(file.ok()?.path())).collect(),
        Err(_) => Vec::new(),
    };
    months.retain(|path| path.extension().is_some_and(|end| end == "csv"));
    months.sort();
    for month in months {
        let mut here = BTreeSet::new();
        let mut rows = Rows::open(&month)?;
        while let Some(row) = rows.next()? {
            let user = row.field("user_id")?;
            if !user.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(row.fault("user_id", user, "letters and digits"));
            }
            here.insert(user.to_owned());
            let role = match row.field("role")? {
                "ITAdmin" => "itadmin".to_owned(),
                other => other.to_lowercase(),
            };
            let uid = 10_000 + u32::try_from(known.len())?;
            let name = row.field("employee_name")?.to_owned();
            known.entry(user.to_owned()).or_insert(Known { uid, name, role, gone: None });
        }
        let first =
            month.file_stem().and_then(|stem| format!("{}-01", stem.to_string_lossy()).parse::<Date>().ok());
        for (user, person) in &mut known {
            match (here.contains(user), person.gone) {
                (true, _) => person.gone = None,
                (false, None) => person.gone = first,
                (false, Some(_)) => {}
            }
        }
    }
    Ok(People { known })
}

/// The insiders of this version: `r4.2` takes those whose data set is `4.2`, another name takes all.
fn insiders(folder: &Path) -> Result<Vec<Insider>> {
    let beside = folder.parent().map(|parent| parent.join("answers").join("insiders.csv"));
    let inside = folder.join("answers").join("insiders.csv");
    let Some(path) = [Some(inside), beside].into_iter().flatten().find(|path| path.exists()) else {
        return Ok(Vec::new());
    };
    let version = folder.file_name().map(|name| name.to_string_lossy().trim_start_matches('r').to_owned());
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let version = version.filter(|text| !text.is_empty() && is_version(text));
    let mut insiders = Vec::new();
    let mut rows = Rows::open(&path)?;
    while let Some(row) = rows.next()? {
        if version.as_deref().is_some_and(|version| row.get("dataset").is_some_and(|of| of != version)) {
            continue;
        }
        let user = row.field("user")?.to_owned();
        insiders.push(Insider {
            about: format!("insider {user}, scenario {} of the answers", row.field("scenario")?),
            from: row.moment("start")?,
            to: row.moment("end")?,
            user,
        });
    }
    Ok(insiders)
}
