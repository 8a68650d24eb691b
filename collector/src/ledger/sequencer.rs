//! The ledger over a database that several collectors share: one of them adds to the log, the others hand it what they get.
//!
//! Each collector keeps the segment files as a copy, frame for frame, so that everything that reads (proofs, findings,
//! reviews, bundles, self-check) is the same code in both forms. The copy may be deleted: it is made again.
//!
//! - The one that leads holds the lease. It gathers a group as [`super::writer`] does, writes it into the database in one
//!   transaction that checks holder, term and size, and only then into its copy. After a lost connection it asks again
//!   with the same group until it knows; nothing is answered before.
//! - The others follow: each group is read, every signature and both chains are checked, and it is written into the copy.
//!   What agents send them, and acts, go to the one that leads by the table `ntk_waiting`; a receipt is given when the
//!   group has come back with the log, and from this collector's own copy.
//! - A lease that ran out is taken by whoever sees it first, and leads once its copy has everything.
//!
//! # Who may lie
//! Whoever writes to the database can stop the ledger or go back; this collector then refuses, because its copy, agents and
//! witnesses remember more. They cannot add: batches are signed by their authors, groups by the log key, acts that are
//! handed over by the collector's key, for one term, and each once.

mod acts;
mod beside;
mod copy;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ntk_evidence::event::Event;
use ntk_evidence::hash::hex;
use ntk_evidence::name::Author;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Frame, State};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::database::{Answer, Database, DatabaseError, Group, Kind, Refusal, Waiting, Written};
use super::handle::Heard;
use super::writer::{Finished, Pruned, Reply, Request, Writer};
use super::{Appended, LedgerError, from_frame, to_frame};
use crate::home::random;
use crate::in_common::InCommon;
use acts::{ACTS_SECONDS_MAX, signed_acts, verified_acts};
use copy::{checkpoint_of, follow_group, follow_segment};

pub use copy::connect;

/// How often the database is looked at where nothing else happens.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The same for a log in which nothing happened for [`QUIET_AFTER`].
const LOOK_SELDOM: Duration = Duration::from_millis(250);
const QUIET_AFTER: Duration = Duration::from_secs(5);
/// How long a start waits for the database.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is said that it does not answer.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// How often answers that nobody fetched are removed.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How often collectors tell which machines they hear.
const LISTEN_EVERY: Duration = Duration::from_secs(1);

/// Asks until the database answers, or a start has taken too long.
fn steadily<T>(
    database: &mut Database,
    mut ask: impl FnMut(&mut Database) -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let began = Instant::now();
    loop {
        match ask(database) {
            Err(DatabaseError::Lost(_)) if began.elapsed() < START_WITHIN => pause(database),
            answered => return answered,
        }
    }
}

fn pause(database: &Database) {
    let _ = database.wait(PAUSE, std::future::pending::<()>());
}

/// A request that was handed to the collector that leads.
struct Handed {
    what: What,
    reply: Option<Reply>,
    /// Whether it lies in the database.
    is_put: bool,
    answer: Option<Answer>,
}

enum What {
    Batch(Author, Vec<u8>),
    Acts(Vec<Event>),
}

/// One collector of several.
pub(super) struct Shared {
    database: Database,
    leads: watch::Sender<bool>,
    heard: Arc<Mutex<Heard>>,
    listened: Instant,
    /// The term in which it leads, or the last one that it saw.
    term: i64,
    handed: BTreeMap<String, Handed>,
    /// Acts of others that were taken: when they were signed.
    taken: BTreeMap<String, i64>,
    renewed: Instant,
    moved: Instant,
    tidied: Instant,
    said: Option<Instant>,
}

impl Shared {
    /// Compares the copy with the database and brings it up to it.
    pub(super) fn begin(
        writer: &mut Writer,
        mut database: Database,
        leads: watch::Sender<bool>,
        heard: Arc<Mutex<Heard>>,
        common: Option<Arc<InCommon>>,
    ) -> Result<Self, LedgerError> {
        let size = writer.core.state.range.size();
        let tip = steadily(&mut database, Database::tip)?;
        if size > tip.size {
            let wrong = format!("{size} leaves here, {} there", tip.size);
            return Err(LedgerError::OtherHistory(wrong));
        }
        if size > 0 {
            let commit = steadily(&mut database, |database| database.commit_at(size))?;
            let there = commit.map(|bytes| checkpoint_of(writer, &bytes)).transpose()?;
            if there.as_ref() != Some(&writer.core.state.checkpoint()) {
                return Err(LedgerError::OtherHistory(format!("another root at {size} leaves")));
            }
        }
        let now = Instant::now();
        let mut shared = Self {
            database,
            leads,
            heard,
            listened: now,
            term: tip.term,
            handed: BTreeMap::new(),
            taken: BTreeMap::new(),
            renewed: now,
            moved: now,
            tidied: now,
            said: None,
        };
        let began = Instant::now();
        while let Err(failure) = shared.follow(writer) {
            if !matches!(failure, LedgerError::Database(DatabaseError::Lost(_)))
                || began.elapsed() > START_WITHIN
            {
                return Err(failure);
            }
            pause(&shared.database);
        }
        // Before anybody signs in here, also for a command that works without a running collector.
        if let Some(common) = common {
            steadily(&mut shared.database, |database| common.look(database, false))?;
            beside::look_on(common, shared.leads.subscribe())?;
        }
        Ok(shared)
    }

    /// Leads or follows until all handles are gone.
    pub(super) fn run(mut self, mut writer: Writer, mut waiting: mpsc::Receiver<Request>) {
        loop {
            match self.round(&mut writer, &mut waiting) {
                Ok(true) => self.said = None,
                Ok(false) => break,
                Err(LedgerError::Database(lost @ DatabaseError::Lost(_))) => {
                    self.say(&lost);
                    pause(&self.database);
                    if waiting.is_closed() && waiting.is_empty() {
                        break;
                    }
                }
                Err(failure) => {
                    // INVARIANT LG-2: what is on disk is unknown now; stop, and let the next start find out.
                    error!(reason = %crate::error_chain(&failure), "the ledger stopped");
                    return;
                }
            }
        }
        if *self.leads.borrow() && self.database.release(self.term).is_err() {
            warn!("the lease was not given back; it ends by itself");
        }
    }

    fn say(&mut self, lost: &DatabaseError) {
        if self.said.is_none_or(|said| said.elapsed() > SAY_EVERY) {
            warn!(reason = %crate::error_chain(lost), "waiting for the database");
            self.said = Some(Instant::now());
        }
    }

    /// How long to wait for a request before the database is looked at.
    fn look_after(&self) -> Duration {
        let is_quiet = self.moved.elapsed() > QUIET_AFTER && self.handed.is_empty();
        if is_quiet { LOOK_SELDOM } else { LOOK_EVERY }
    }

    /// One look at everything; false when nobody is left to answer.
    fn round(
        &mut self,
        writer: &mut Writer,
        waiting: &mut mpsc::Receiver<Request>,
    ) -> Result<bool, LedgerError> {
        if self.tidied.elapsed() > TIDY_EVERY {
            self.tidied = Instant::now();
            self.database.forget(&[])?;
        }
        if self.listened.elapsed() > LISTEN_EVERY {
            self.listened = Instant::now();
            self.listen()?;
        }
        let at_most = self.look_after();
        let first = match self.database.wait(at_most, waiting.recv()) {
            Some(None) => return Ok(false),
            Some(Some(first)) => Some(first),
            None => None,
        };
        if *self.leads.borrow() {
            self.lead(writer, first, waiting)?;
        } else {
            if let Some(first) = first {
                self.hand_over(writer, first)?;
            }
            while let Ok(next) = waiting.try_recv() {
                self.hand_over(writer, next)?;
            }
            self.follow(writer)?;
            self.try_to_lead(writer)?;
        }
        self.hear(writer)?;
        Ok(true)
    }

    fn lead(
        &mut self,
        writer: &mut Writer,
        first: Option<Request>,
        waiting: &mut mpsc::Receiver<Request>,
    ) -> Result<(), LedgerError> {
        if self.renewed.elapsed() > self.database.lease() / 3 {
            // A request that came in must not be lost by a database that does not answer.
            match self.database.renew(self.term) {
                Ok(true) => self.renewed = Instant::now(),
                Ok(false) => {
                    self.lose_lead();
                    return first.map_or(Ok(()), |first| self.hand_over(writer, first));
                }
                Err(lost @ DatabaseError::Lost(_)) => self.say(&lost),
                Err(refused) => return Err(refused.into()),
            }
        }
        let mut requests: Vec<Request> = first.into_iter().collect();
        let mut refused = Vec::new();
        match self.database.waiting() {
            Ok(there) => {
                for request in there {
                    match self.sort(writer, request, &mut requests, &mut refused) {
                        // The rest is still there at the next look.
                        Err(LedgerError::Database(lost @ DatabaseError::Lost(_))) => {
                            self.say(&lost);
                            break;
                        }
                        sorted => sorted?,
                    }
                }
            }
            Err(lost @ DatabaseError::Lost(_)) => self.say(&lost),
            Err(other) => return Err(other.into()),
        }
        if requests.is_empty() && refused.is_empty() {
            return Ok(());
        }
        self.moved = Instant::now();
        let before = writer.core.state.clone();
        let mut gathered = writer.gather(requests, waiting)?;
        gathered.replies.refused.extend(refused);
        let rolls = std::mem::take(&mut gathered.rolls);
        let pruned = std::mem::take(&mut gathered.pruned);
        if gathered.is_empty() {
            writer.core.rows = Some(Vec::new());
            let answers = gathered.answers(0);
            if !answers.is_empty() {
                self.database.refuse(&answers)?;
            }
        } else {
            let (signed, commit) = writer.core.sign(&writer.clock)?;
            let mut frame = Vec::new();
            commit.encode(&mut frame).map_err(|source| SegmentError::Encode { source })?;
            let to = writer.core.state.range.size();
            let group = Group {
                from: before.range.size(),
                to,
                batches: writer.core.rows.replace(Vec::new()).unwrap_or_default(),
                commit: frame,
                answers: gathered.answers(to),
            };
            let group = self.database.seal_group(group)?;
            let written = loop {
                match self.database.commit(self.term, &group) {
                    Err(lost @ DatabaseError::Lost(_)) => {
                        // INVARIANT LG-2: written or not: asked until it is known, and nobody is answered before.
                        self.say(&lost);
                        pause(&self.database);
                        if waiting.is_closed() {
                            return Err(lost.into());
                        }
                    }
                    answered => break answered?,
                }
            };
            if written == Written::NotLeading {
                writer.core.state = before;
                writer.core.log.discard_buffered();
                self.lose_lead();
                for (acts, reply) in gathered.undo() {
                    self.hand(writer, What::Acts(acts), reply)?;
                }
                return Ok(());
            }
            self.renewed = Instant::now();
            writer.conclude(gathered, signed, &commit)?;
        }
        for (Pruned { number, leaves, file }, reply) in pruned {
            let done = match self.database.is_pruned(number) {
                Ok(true) => Ok(Written::Durably),
                Ok(false) => self.database.prune(self.term, number, leaves, &file),
                Err(failure) => Err(failure),
            };
            // Not done, it is done by the next look at retention.
            drop(reply.send(done.map(|_| ()).map_err(LedgerError::from)));
        }
        if writer.core.log.needs_roll() || !rolls.is_empty() {
            self.roll(writer, waiting, Finished(rolls))?;
        }
        Ok(())
    }

    /// Begins a segment: first in the database, then here.
    fn roll(
        &mut self,
        writer: &mut Writer,
        waiting: &mpsc::Receiver<Request>,
        told: Finished,
    ) -> Result<(), LedgerError> {
        let state = State { previous_hash: writer.core.log.content_hash(), ..writer.core.state.to_frame() };
        let number = writer.core.log.committed_end().segment.next().value();
        let mut frame = Vec::new();
        state.encode(&mut frame).map_err(|source| SegmentError::Encode { source })?;
        let size = writer.core.state.range.size();
        loop {
            match self.database.roll(self.term, number, size, &frame) {
                Ok(Written::Durably) => return writer.roll_to(state, told),
                Ok(Written::NotLeading) => {
                    self.lose_lead();
                    return Ok(());
                }
                Err(lost @ DatabaseError::Lost(_)) if !waiting.is_closed() => {
                    self.say(&lost);
                    pause(&self.database);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn lose_lead(&mut self) {
        warn!(term = self.term, "another collector leads now");
        self.leads.send_replace(false);
    }

    /// Takes the lease if it is free and this copy has everything.
    fn try_to_lead(&mut self, writer: &mut Writer) -> Result<(), LedgerError> {
        let tip = self.database.tip()?;
        self.term = tip.term;
        if tip.is_closed {
            return Err(DatabaseError::Closed(writer.core.state.slug().as_str().to_owned()).into());
        }
        if tip.size < writer.core.state.range.size() {
            let wrong = format!("{} leaves here, {} there", writer.core.state.range.size(), tip.size);
            return Err(LedgerError::OtherHistory(wrong));
        }
        if !tip.is_free {
            return Ok(());
        }
        let Some(term) = self.database.take_lease()? else { return Ok(()) };
        (self.term, self.renewed) = (term, Instant::now());
        // Nobody else can add from here on; what was added before is read first.
        self.follow(writer)?;
        info!(term, leaves = writer.core.state.range.size(), "this collector leads");
        self.leads.send_replace(true);
        Ok(())
    }

    /// Reads what was added, checks it, and writes it into the copy.
    fn follow(&mut self, writer: &mut Writer) -> Result<(), LedgerError> {
        loop {
            let groups = self.database.groups_after(writer.core.state.range.size())?;
            let next = writer.core.log.committed_end().segment.next().value();
            // Read after the groups: where one of them is followed by a new segment, it is among these.
            let mut segments = self.database.segments_from(next)?.into_iter().peekable();
            let is_end = groups.is_empty();
            let mut begin = |writer: &mut Writer| {
                let size = writer.core.state.range.size();
                match segments.next_if(|segment| segment.size == size) {
                    Some(segment) => follow_segment(writer, &segment),
                    None => Ok(()),
                }
            };
            begin(writer)?;
            for group in groups {
                follow_group(writer, &group)?;
                begin(writer)?;
                self.moved = Instant::now();
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn hand_over(&mut self, writer: &Writer, request: Request) -> Result<(), LedgerError> {
        self.moved = Instant::now();
        match request {
            Request::Batch(continuation, reply) => {
                let mut frame = Vec::new();
                let encoded = to_frame(&continuation.batch).encode(&mut frame);
                encoded.map_err(|source| SegmentError::Encode { source })?;
                self.hand(writer, What::Batch(continuation.batch.author.clone(), frame), Some(reply))
            }
            Request::Acts(acts, reply) => self.hand(writer, What::Acts(acts), reply),
            // The collector that leads decides where segments end.
            Request::Roll(reply) => {
                let _ = reply.send(());
                Ok(())
            }
            Request::Pruned(_, reply) => {
                drop(reply.send(Ok(())));
                Ok(())
            }
            Request::Stored(..) | Request::StoredActs(..) => Ok(()),
        }
    }

    /// Puts a request where the collector that leads finds it. It is remembered first: a database that does not answer
    /// is asked again by [`Self::hear`].
    fn hand(&mut self, writer: &Writer, what: What, reply: Option<Reply>) -> Result<(), LedgerError> {
        let id = hex(&random()?);
        self.handed.insert(id.clone(), Handed { what, reply, is_put: false, answer: None });
        self.put(writer, &id)
    }

    fn put(&mut self, writer: &Writer, id: &str) -> Result<(), LedgerError> {
        let Some(handed) = self.handed.get(id) else { return Ok(()) };
        let waiting = match &handed.what {
            What::Batch(_, frame) => Waiting { id: id.to_owned(), kind: Kind::Batch, body: frame.clone() },
            What::Acts(acts) => {
                let at = writer.clock.now().unix_nanos() / 1_000_000_000;
                let body = signed_acts(writer, id, self.term, at, acts)?;
                Waiting { id: id.to_owned(), kind: Kind::Acts, body }
            }
        };
        self.database.put(&waiting)?;
        if let Some(handed) = self.handed.get_mut(id) {
            handed.is_put = true;
        }
        Ok(())
    }

    /// Hears what became of what was handed over.
    fn hear(&mut self, writer: &mut Writer) -> Result<(), LedgerError> {
        if self.handed.is_empty() {
            return Ok(());
        }
        let unknown = self.handed.iter().filter(|(_, handed)| handed.answer.is_none());
        let ids: Vec<String> = unknown.map(|(id, _)| id.clone()).collect();
        for (id, answer) in self.database.answers(&ids)? {
            if let Some(handed) = self.handed.get_mut(&id) {
                handed.answer = Some(answer);
            }
        }
        let size = writer.core.state.range.size();
        let is_heard = |handed: &Handed| match handed.answer {
            // The receipt is made from this copy: it must have come back first.
            Some(Answer::Leaf(leaf)) => leaf < size,
            Some(Answer::Refused(_)) => true,
            None => false,
        };
        let heard: Vec<String> =
            self.handed.iter().filter(|(_, handed)| is_heard(handed)).map(|(id, _)| id.clone()).collect();
        for id in &heard {
            let Some(handed) = self.handed.remove(id) else { continue };
            match (handed.answer, handed.what, handed.reply) {
                (Some(Answer::Refused(Refusal::Term)), what, reply) => self.hand(writer, what, reply)?,
                (Some(Answer::Leaf(leaf_index)), _, Some(reply)) => {
                    let checkpoint = writer.newest();
                    drop(reply.send(Ok(Appended { leaf_index, checkpoint })));
                }
                (Some(Answer::Refused(refusal)), what, Some(reply)) => {
                    drop(reply.send(Err(refused(refusal, &what))));
                }
                (_, _, None) | (None, _, _) => {}
            }
        }
        if !heard.is_empty() {
            self.database.forget(&heard)?;
        }
        // What a lost connection kept from being put there; the same again changes nothing.
        for id in ids {
            if self.handed.get(&id).is_some_and(|handed| !handed.is_put) {
                self.put(writer, &id)?;
            }
        }
        Ok(())
    }

    /// A request of another collector: to be taken, or refused.
    fn sort(
        &mut self,
        writer: &Writer,
        waiting: Waiting,
        requests: &mut Vec<Request>,
        refused: &mut Vec<(String, Refusal)>,
    ) -> Result<(), LedgerError> {
        let Waiting { id, kind, body } = waiting;
        match kind {
            Kind::Acts => {
                let now = writer.clock.now().unix_nanos() / 1_000_000_000;
                match verified_acts(writer, &id, self.term, now, &body) {
                    Ok((at, acts)) => {
                        self.taken.retain(|_, signed| now.saturating_sub(*signed) <= 2 * ACTS_SECONDS_MAX);
                        if self.taken.insert(id.clone(), at).is_some() {
                            warn!(
                                "acts that were taken before are in the database again; they are not taken twice"
                            );
                            refused.push((id, Refusal::Unsigned));
                        } else {
                            requests.push(Request::StoredActs(acts, id));
                        }
                    }
                    Err(refusal) => refused.push((id, refusal)),
                }
            }
            Kind::Batch => match Frame::decode(&body) {
                Ok((Frame::Batch(frame), length)) if length == body.len() => {
                    let size =
                        frame.first.saturating_add(u64::try_from(frame.entries.len()).unwrap_or(u64::MAX));
                    let known = writer
                        .core
                        .state
                        .authors
                        .values()
                        .find(|known| known.log.author().to_string() == frame.author);
                    if known.is_some_and(|known| known.log.size() >= size) {
                        // Another collector was sent the same, and was faster.
                        let there = self.database.batch_of(&frame.author, size)?;
                        let same = there.filter(|(_, bytes)| *bytes == body);
                        match same {
                            Some((leaf, _)) => self.database.refuse(&[(id, Answer::Leaf(leaf))])?,
                            None => refused.push((id, Refusal::Moved)),
                        }
                        return Ok(());
                    }
                    match from_frame(writer.core.state.range.size(), frame) {
                        Ok(batch) => requests.push(Request::Stored(Box::new(batch), id)),
                        Err(_) => refused.push((id, Refusal::Unsigned)),
                    }
                }
                _ => refused.push((id, Refusal::Unsigned)),
            },
        }
        Ok(())
    }
}

fn refused(refusal: Refusal, what: &What) -> LedgerError {
    let author = match what {
        What::Batch(author, _) => author.to_string(),
        What::Acts(_) => Author::Collector.to_string(),
    };
    match refusal {
        Refusal::NotEnrolled => LedgerError::NotEnrolled(author),
        Refusal::Enrolled => LedgerError::Enrolled("the author".into()),
        Refusal::Full => LedgerError::Full,
        Refusal::Moved | Refusal::Term => LedgerError::Moved(author),
        Refusal::Unsigned => {
            LedgerError::OtherHistory("the collector that leads did not take what was handed over".into())
        }
    }
}
