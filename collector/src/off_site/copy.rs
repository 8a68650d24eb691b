//! One run of the copy: what is missing there is encrypted and sent, oldest first; the list follows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::{Form, Reader};

use super::list::{self, LeftOut, Newest, Object, SettingsObject};
use super::settings::Signed;
use super::shelf::{Shelf, ShelfError};
use crate::encrypt::{EncryptError, Recipients, encrypt};
use crate::home::HomeError;
use crate::ledger::LedgerHandle;
use crate::ledger::{LedgerError, from_frame};
use crate::practice::PracticeError;
use crate::prune;

/// After so many objects the list is written, so that a crash costs no more than these.
const LIST_EVERY: usize = 32;

/// A run did not come to its end. What it sent before stays, and the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The place.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The ledger's files here.
    #[error("the ledger's segments could not be read for the off-site copy")]
    Segment(#[from] SegmentError),
    /// The ledger.
    #[error("the off-site copy could not ask the ledger")]
    Ledger(#[from] LedgerError),
    /// Encryption.
    #[error("the trust file's recovery key cannot be used for the off-site copy")]
    Encrypt(#[from] EncryptError),
    /// There is no recovery key.
    #[error("the trust file names no recovery key: sign one that does with `ntk-collector trust sign`")]
    NoRecipient,
    /// The settings.
    #[error("the settings could not be signed for the off-site copy")]
    Practice(#[from] PracticeError),
    /// Working memory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The list there cannot be read.
    #[error(
        "`newest.json` there cannot be read ({0}); nothing was sent. Look at it, move that practice's folder aside, and copy again"
    )]
    List(String),
    /// The copy there is not one of this ledger as it stands.
    #[error(
        "the copy there is of another history than this ledger ({0}); nothing was sent and nothing there was changed. If this collector was restored or made anew, that copy is worth more than it: refill from it, or name another `off_site.to`"
    )]
    OtherHistory(String),
    /// A copy was there, and nothing is.
    #[error(
        "nothing is there where {0} segments were copied before; nothing was sent. Is the disk mounted, is it the right one? If the copy was taken away on purpose, remove `off-site.json` from the collector's folder and copy again"
    )]
    Gone(usize),
    /// What was written is not there as it was written.
    #[error(
        "`{name}` is there with {found} bytes instead of {bytes} after it was sent; the next run sends it again"
    )]
    NotWhole {
        /// The object.
        name: String,
        /// How many it should have.
        bytes: u64,
        /// How many it has.
        found: u64,
    },
}

impl CopyError {
    /// One word for acts and numbers.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Shelf(error) => error.word(),
            Self::Segment(_) | Self::Ledger(_) => "ledger",
            Self::Encrypt(_) | Self::NoRecipient => "recovery_key",
            Self::Practice(_) => "settings",
            Self::Home(_) => "io",
            Self::List(_) => "list",
            Self::OtherHistory(_) => "other_history",
            Self::Gone(_) => "gone",
            Self::NotWhole { .. } => "not_whole",
        }
    }
}

/// What a run needs.
pub struct Run<'a> {
    /// The ledger.
    pub ledger: &'a LedgerHandle,
    /// The trust file in force, verbatim.
    pub trust: &'a str,
    /// The recovery key's public half, `age1...`.
    pub recovery: &'a str,
    /// What stands beside the ledger.
    pub settings: &'a Signed,
    /// The place.
    pub shelf: &'a dyn Shelf,
    /// The list that was written there last, as far as is remembered here.
    pub remembered: Option<Newest>,
    /// Writes the list down here before it is written there.
    pub remember: &'a mut dyn FnMut(&Newest) -> Result<(), HomeError>,
    /// Is told how many objects of how many are there.
    pub tell: &'a mut dyn FnMut(u64, u64),
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Objects that were sent.
    pub n_sent: u64,
    /// Of these, in place of one whose retention is over.
    pub n_replaced: u64,
    /// The list as it stands there now.
    pub list: Newest,
}

impl Run<'_> {
    /// Sends what is missing.
    pub fn copy(mut self) -> Result<Copied, CopyError> {
        let to = Recipients::parse(&[self.recovery])?.ok_or(CopyError::NoRecipient)?;
        let reader = self.ledger.reader();
        let there = self.shelf.list(list::SEGMENTS)?;
        let seen = self.list_there(&there)?;
        let finished = finished(&reader)?;
        let mut list = self.believed(&there, seen.as_ref(), &finished);
        if seen.is_none() {
            // Without a list, segments there are somebody else's: so it comes first once.
            self.write(&list)?;
        }
        let trust = self.trust.as_bytes();
        if self.shelf.get(list::TRUST)?.as_deref() != Some(trust) {
            self.shelf.put(list::TRUST, trust)?;
        }
        let (total, mut n_sent, mut n_replaced) = (size(finished.len()), 0_u64, 0_u64);
        let mut spans = None;
        let (mut replaced, mut unlisted) = (self.left_behind(&there, &list, &reader, &mut spans)?, 0_usize);
        replaced.extend(self.send_settings(&mut list, seen.as_ref(), &to)?);
        for (done, (number, form)) in (0_u64..).zip(&finished) {
            (self.tell)(done, total);
            let before = list.object(number.value()).cloned();
            if let Some(before) = &before {
                let is_newly_pruned = *form == Form::Pruned && !before.is_pruned();
                let is_due = if is_newly_pruned {
                    !self.is_held(*number, &reader, &mut spans)?
                } else {
                    before.recipient != self.recovery
                };
                if !is_due {
                    continue;
                }
            }
            // What is there for a recovery key that was replaced stays until the list names the one for today's key.
            let lying = before.as_ref().or_else(|| seen.as_ref()?.object(number.value()));
            let lying = lying.filter(|lying| lying.recipient != self.recovery);
            let Some(object) = self.send(&reader, *number, lying, &to)? else {
                list.left_out.retain(|left| left.number != number.value());
                list.left_out
                    .push(LeftOut { number: number.value(), why: "damaged and set aside".to_owned() });
                continue;
            };
            n_sent = n_sent.saturating_add(1);
            let lay = before.as_ref().or(lying).filter(|lay| lay.name() != object.name());
            if let Some(lay) = lay.filter(|lay| before.is_some() || lay.form == object.form) {
                n_replaced = n_replaced.saturating_add(u64::from(lay.form != object.form));
                replaced.push(lay.name());
            }
            list.set(object);
            unlisted = unlisted.saturating_add(1);
            if unlisted >= LIST_EVERY {
                self.close(&reader, &mut list, &mut replaced)?;
                unlisted = 0;
            }
        }
        if n_sent > 0 || !replaced.is_empty() || seen.as_ref() != Some(&list) {
            self.close(&reader, &mut list, &mut replaced)?;
        }
        (self.tell)(total, total);
        Ok(Copied { n_sent, n_replaced, list })
    }

    /// The list that lies there. Refuses one that this ledger does not continue.
    fn list_there(&self, there: &BTreeMap<String, u64>) -> Result<Option<Newest>, CopyError> {
        let Some(bytes) = self.shelf.get(list::NAME)? else {
            let n = there.keys().filter(|name| name.ends_with(".age")).count();
            let n_before = self.remembered.as_ref().map_or(0, |list| list.segments.len());
            return match (n, n_before) {
                (0, 0) => Ok(None),
                // An empty folder where a disk should be mounted is no place for a first copy.
                (0, n_before) => Err(CopyError::Gone(n_before)),
                _ => Err(CopyError::OtherHistory(format!("{n} segments are there without a list"))),
            };
        };
        let found = Newest::parse(&bytes).map_err(|error| CopyError::List(error.to_string()))?;
        let slug = self.ledger.slug().as_str();
        if found.slug != slug {
            return Err(CopyError::OtherHistory(format!("it is of {}", found.slug)));
        }
        let size = self.ledger.published().checkpoint.checkpoint.size;
        match self.ledger.root_at(found.log_size)? {
            Some(root) if Some(root) == found.root() => Ok(Some(found)),
            None => Err(CopyError::OtherHistory(format!(
                "it reaches {} leaves, this ledger {size}",
                found.log_size
            ))),
            Some(_) => Err(CopyError::OtherHistory(format!("another root at {} leaves", found.log_size))),
        }
    }

    /// What is believed to be there: remembered here, and there with its size. And what cannot be sent again, because its
    /// entries are removed here: then the list there is all there is to go by.
    fn believed(
        &self,
        there: &BTreeMap<String, u64>,
        seen: Option<&Newest>,
        finished: &[(SegmentNumber, Form)],
    ) -> Newest {
        let mut list = self
            .remembered
            .clone()
            .filter(|list| list.slug == self.ledger.slug().as_str())
            .unwrap_or_else(|| Newest::empty(self.ledger.slug().as_str(), &self.ledger.now()));
        let is_there = |object: &Object| there.get(&object.name()) == Some(&object.bytes);
        list.segments.retain(is_there);
        for (number, _) in finished.iter().filter(|(_, form)| *form == Form::Pruned) {
            let whole =
                seen.and_then(|seen| seen.object(number.value())).filter(|object| !object.is_pruned());
            if let (Some(whole), None) = (whole.filter(|whole| is_there(whole)), list.object(number.value()))
            {
                list.set(whole.clone());
            }
        }
        list
    }

    /// Encrypts and sends one segment; none where a person set it aside as damaged.
    fn send(
        &self,
        reader: &Reader,
        number: SegmentNumber,
        lying: Option<&Object>,
        to: &Recipients,
    ) -> Result<Option<Object>, CopyError> {
        let missing = CopyError::Segment(SegmentError::Missing { segment: number });
        let (form, plain) = reader.file_of(number)?.ok_or(missing)?;
        let Some(form) = list::form_word(form) else { return Ok(None) };
        let sealed = encrypt(&plain, to)?;
        let mut object = Object {
            number: number.value(),
            form: form.to_owned(),
            recipient: self.recovery.to_owned(),
            mark: None,
            bytes: size(sealed.len()),
            sha256: Hash::of(&sealed).to_hex(),
            plain_bytes: size(plain.len()),
            plain_sha256: Hash::of(&plain).to_hex(),
        };
        if lying.is_some_and(|lying| lying.name() == object.name()) {
            object.mark = Some(list::mark_of(self.recovery));
        }
        self.shelf.put(&object.name(), &sealed)?;
        Ok(Some(object))
    }

    /// Sends the settings where they are others than there; the name of those that they replace.
    fn send_settings(
        &self,
        list: &mut Newest,
        seen: Option<&Newest>,
        to: &Recipients,
    ) -> Result<Option<String>, CopyError> {
        let before = list.settings.take();
        if let Some(there) = &before
            && there.files_sha256 == self.settings.files_sha256
            && there.recipient == self.recovery
            && self.shelf.get(&there.name())?.is_some_and(|bytes| Hash::of(&bytes).to_hex() == there.sha256)
        {
            // A run that ended between list and removal left what they replaced, under the name that the list had, or unmarked.
            let unmarked = SettingsObject { mark: None, ..there.clone() }.name();
            let former = seen.and_then(|seen| seen.settings.as_ref()).map(SettingsObject::name);
            let former = former.filter(|former| *former != there.name()).unwrap_or(unmarked);
            let is_left = former != there.name() && self.shelf.get(&former)?.is_some();
            list.settings = before;
            return Ok(is_left.then_some(former));
        }
        let sealed = encrypt(&self.settings.plain, to)?;
        let mut object = SettingsObject {
            recipient: self.recovery.to_owned(),
            mark: None,
            sha256: Hash::of(&sealed).to_hex(),
            files_sha256: self.settings.files_sha256.clone(),
        };
        let lying = seen.and_then(|seen| seen.settings.as_ref());
        if lying.is_some_and(|lying| lying.recipient != self.recovery && lying.name() == object.name()) {
            object.mark = Some(list::mark_of(self.recovery));
        }
        let name = object.name();
        self.shelf.put(&name, &sealed)?;
        list.settings = Some(object);
        let before = before.as_ref().or(lying);
        Ok(before.map(SettingsObject::name).filter(|before| *before != name))
    }

    /// Makes the list say what is there now, and only then removes what pruned forms replaced.
    fn close(
        &mut self,
        reader: &Reader,
        list: &mut Newest,
        replaced: &mut Vec<String>,
    ) -> Result<(), CopyError> {
        let there = self.shelf.list(list::SEGMENTS)?;
        for object in &list.segments {
            let found = there.get(&object.name()).copied().unwrap_or_default();
            if found != object.bytes {
                return Err(CopyError::NotWhole { name: object.name(), bytes: object.bytes, found });
            }
        }
        list.written = self.ledger.now();
        let newest = list.segments.last().map(|object| SegmentNumber::new(object.number));
        if let Some((checkpoint, note)) =
            newest.map(|newest| last_checkpoint(reader, newest)).transpose()?.flatten()
        {
            (list.log_size, list.log_root) = (checkpoint.size, checkpoint.root.to_base64());
            list.checkpoint = note;
        }
        self.write(list)?;
        // What a run before this one left under a name that the list has taken since is what the list names.
        for name in replaced.drain(..).filter(|name| !list.names(name)) {
            self.shelf.remove(&name)?;
        }
        Ok(())
    }

    /// Whole forms beside the pruned ones that the list names, and forms for a recovery key that was replaced: a run that ended
    /// between the two left them.
    fn left_behind(
        &self,
        there: &BTreeMap<String, u64>,
        list: &Newest,
        reader: &Reader,
        spans: &mut Option<BTreeMap<u64, Span>>,
    ) -> Result<Vec<String>, CopyError> {
        let mut found = Vec::new();
        found.extend(there.keys().filter(|name| list.has_for_another_key(name)).cloned());
        for object in list.segments.iter().filter(|object| object.is_pruned()) {
            let whole: Vec<String> =
                there.keys().filter(|name| object.is_whole_form(name)).cloned().collect();
            if !whole.is_empty() && !self.is_held(SegmentNumber::new(object.number), reader, spans)? {
                found.extend(whole);
            }
        }
        Ok(found)
    }

    fn write(&mut self, list: &Newest) -> Result<(), CopyError> {
        (self.remember)(list)?;
        Ok(self.shelf.put(list::NAME, &list.to_bytes())?)
    }

    /// Whether a legal hold covers the time of a segment that retention has pruned here.
    fn is_held(
        &self,
        number: SegmentNumber,
        reader: &Reader,
        spans: &mut Option<BTreeMap<u64, Span>>,
    ) -> Result<bool, CopyError> {
        let holds = &self.ledger.published().registry.holds;
        if spans.is_none() {
            *spans = Some(pruned_spans(reader)?);
        }
        Ok(match spans.as_ref().and_then(|spans| spans.get(&number.value())) {
            Some((from, to)) => holds.in_force().any(|hold| hold.covers(*from, *to)),
            // No act says of which time it was: any hold may be of it.
            None => holds.in_force().next().is_some(),
        })
    }
}

type Span = (Timestamp, Timestamp);

/// Of which time each pruned segment was, as the acts say.
fn pruned_spans(reader: &Reader) -> Result<BTreeMap<u64, Span>, CopyError> {
    let mut spans = BTreeMap::new();
    for frame in reader.frames()? {
        let Frame::Batch(batch) = frame?.1 else { continue };
        if batch.author != "collector" {
            continue;
        }
        for segment in prune::segments_of(&from_frame(0, batch)?) {
            if let (Ok(from), Ok(to)) = (segment.from.parse(), segment.to.parse()) {
                spans.insert(segment.number, (from, to));
            }
        }
    }
    Ok(spans)
}

/// Every segment that nothing is written into any more, with the form that readers take.
fn finished(reader: &Reader) -> Result<Vec<(SegmentNumber, Form)>, SegmentError> {
    let end = reader.committed_end().segment;
    let mut found: Vec<(SegmentNumber, Form)> = Vec::new();
    for segment in reader.segments()?.into_iter().filter(|segment| segment.number < end) {
        if found.last().is_none_or(|(number, _)| *number != segment.number) {
            found.push((segment.number, segment.form));
        }
    }
    Ok(found)
}

/// The last checkpoint in a segment, with its note.
fn last_checkpoint(
    reader: &Reader,
    segment: SegmentNumber,
) -> Result<Option<(Checkpoint, String)>, CopyError> {
    let mut note = None;
    for frame in reader.frames_from(Pointer::first_in(segment)) {
        let (pointer, frame) = frame?;
        if pointer.segment != segment {
            break;
        }
        if let Frame::Commit(commit) = frame {
            note = Some(commit.checkpoint);
        }
    }
    let Some(note) = note else { return Ok(None) };
    let checkpoint = Checkpoint::unverified(&note).map_err(LedgerError::from)?;
    Ok(Some((checkpoint, String::from_utf8_lossy(&note).into_owned())))
}

fn size(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
