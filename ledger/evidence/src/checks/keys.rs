//! Whose key is whose: the collector's stand in the trust file, one for each announced restore and today's, every other author's first one in an enrolment
//! that the collector's verified rows disclose, and each later one in a roll-over under the key before it. The
//! check author-keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::act::{self, Enrolment, Revocation};
use crate::bundle::KEYS;
use crate::bundle::bag::Files;
use crate::bundle::range::ListedKey;
use crate::bundle::row::Row;
use crate::checks::anchor::{Anchor, FinalCheckpoint};
use crate::checks::epochs::{self, Bounds};
use crate::checks::ranges::{Listed, RangeFaults};
use crate::checks::rows::Rows;
use crate::checks::{Check, Faults, Status, quoted};
use crate::merkle::CompactRange;
use crate::name::Author;
use crate::note::{KeyType, VerifierKey};
use crate::time::Moment;
use crate::trust::TrustFile;

/// Keys that are shown to be their authors'.
pub(super) struct Keys {
    trust: Option<TrustFile>,
    collector_epochs: BTreeSet<u32>,
    shown: BTreeMap<(Author, u32), Shown>,
    begins: BTreeMap<Author, CompactRange>,
}

/// A key that is shown to be its author's, and what it may have signed.
pub(super) struct Shown {
    pub(super) key: VerifierKey,
    pub(super) bounds: Bounds,
}

impl Keys {
    /// The key of an author in an epoch. The collector's are the trust file's, whatever a bundle says.
    pub(super) fn of(&self, author: &Author, epoch: u32) -> Option<&VerifierKey> {
        match author {
            Author::Collector => {
                let listed = self.collector_epochs.contains(&epoch);
                self.trust.as_ref().filter(|_| listed).and_then(|trust| trust.collector_of(epoch))
            }
            Author::Agent(_) | Author::Import(_) => {
                self.shown.get(&(author.clone(), epoch)).map(|shown| &shown.key)
            }
        }
    }

    /// Whether the act that enrolled an author says that its log is known only from behind this range.
    pub(super) fn begins(&self, author: &Author, range: &CompactRange) -> bool {
        self.begins.get(author) == Some(range)
    }

    /// Whether a note of that size, at that index of the collector log, lies within its epoch; else why not.
    pub(super) fn within(&self, author: &Author, epoch: u32, size: u64, index: u64) -> Result<(), String> {
        if let (Author::Collector, Some(trust)) = (author, &self.trust) {
            return epochs::of_collector(trust, index, size, epoch);
        }
        let shown = self.shown.get(&(author.clone(), epoch));
        shown.map_or(Ok(()), |shown| shown.bounds.hold(size, index))
    }
}

/// What the collector's disclosed acts say about keys.
#[derive(Default)]
pub(super) struct Acts {
    enrolments: BTreeMap<u64, (Enrolment, Option<Moment>)>,
    /// Author and act, in the order of the acts.
    pub(super) revocations: Vec<(String, u64)>,
}

impl Acts {
    fn take(&mut self, row: &Row) {
        let Ok(Some(event)) = row.event() else { return };
        let Some(body) = act::body(&event).cloned() else { return };
        match event.kind.as_str() {
            act::kind::ENROLMENT => {
                let Ok(enrolment) = serde_json::from_value::<Enrolment>(body) else { return };
                self.revocations.extend(enrolment.replaced().map(|author| (author, row.number())));
                self.enrolments.insert(row.number(), (enrolment, Moment::parse(&event.time)));
            }
            act::kind::REVOCATION => {
                let Ok(revocation) = serde_json::from_value::<Revocation>(body) else { return };
                self.revocations.push((revocation.author, row.number()));
            }
            _ => {}
        }
    }

    /// Where logs begin of which the first entries are gone. One author is enrolled once; a second word about where its
    /// log begins would leave out what stands between.
    fn begins(&self, faults: &mut Faults) -> BTreeMap<Author, CompactRange> {
        let (mut begins, mut enrolled) = (BTreeMap::new(), BTreeSet::new());
        for (number, (enrolment, _)) in &self.enrolments {
            let is_first = enrolled.insert(&enrolment.author);
            let Some(begun) = &enrolment.begins else { continue };
            match (is_first, Author::parse(&enrolment.author), begun.compact_range()) {
                (true, Ok(author), Ok(range)) if range.size() > 0 => drop(begins.insert(author, range)),
                _ => faults.add(
                    Status::Altered,
                    format!(
                        "act {number} says of {} where its log begins, and cannot",
                        quoted(&enrolment.author)
                    ),
                ),
            }
        }
        begins
    }

    /// The act that revoked an author first.
    pub(super) fn revoked(&self, author: &str) -> Option<u64> {
        self.revocations.iter().find(|(revoked, _)| revoked == author).map(|(_, act)| *act)
    }
}

/// Verifies the collector's ranges and takes the others' keys from its acts.
pub(super) fn judge(
    files: &Files,
    listed: &Listed,
    anchor: &Anchor,
    rows: &Rows,
    last: Option<&FinalCheckpoint>,
    range_faults: &mut RangeFaults,
    checks: &mut Vec<Check>,
) -> Keys {
    let list = files.get(KEYS).map(|bytes| serde_json::from_slice::<Vec<ListedKey>>(bytes));
    let collector = Author::Collector.to_string();
    let of_collector = |key: &&ListedKey| key.author == collector;
    let mut keys = Keys {
        trust: anchor.trust().cloned(),
        collector_epochs: list.iter().flatten().flatten().filter(of_collector).map(|key| key.epoch).collect(),
        shown: BTreeMap::new(),
        begins: BTreeMap::new(),
    };
    let mut faults = Faults::default();
    let mut acts = Acts::default();
    for range in listed.of_collector() {
        for row in range.verify(&keys, files, last, rows, range_faults).unwrap_or_default() {
            acts.take(row);
        }
    }
    let (mut rolled, mut closed) = (0usize, 0usize);
    match (list, anchor.trust()) {
        (_, None) => faults.add(Status::NotVerifiable, "without a trust file no key is anybody's"),
        (None, _) => faults.add(Status::Incomplete, format!("{KEYS} is missing")),
        (Some(Err(_)), _) => faults.add(Status::Altered, format!("{KEYS} is not a list of keys")),
        (Some(Ok(list)), Some(trust)) => {
            let read = read(&list, trust, &mut faults);
            rolled = list.iter().filter(|key| key.rolled_by.is_some()).count();
            keys.shown = epochs::chain(&read, &acts, trust, files, last, &mut faults);
            keys.begins = acts.begins(&mut faults);
            enrolments_allowed(&acts, trust, &mut faults);
            closed = epochs::closed(&keys, trust, files, last, listed, rows, &mut faults);
        }
    }
    let used: BTreeSet<(&Author, u32)> = listed
        .all()
        .iter()
        .flat_map(|listed| {
            let before = listed.range.before.as_ref().map(|before| before.epoch);
            [Some(listed.range.epoch), before].into_iter().flatten().map(|epoch| (&listed.author, epoch))
        })
        .collect();
    if used.is_empty() {
        faults.add(Status::Incomplete, "there is no range whose key could be judged");
    }
    for (author, epoch) in &used {
        if keys.of(author, *epoch).is_none() {
            faults.add(
                Status::NotVerifiable,
                format!("no key of {author} in epoch {epoch} is shown to be its own"),
            );
        }
    }
    checks.push(faults.into_check("author-keys", || {
        let mut sentence = format!(
            "{} keys: the collector's of the trust file, and each other one enrolled by a disclosed act",
            used.len()
        );
        if rolled > 0 {
            sentence.push_str(&format!(" or named by the key before it ({rolled} roll-overs)"));
        }
        if closed > 0 {
            sentence.push_str(&format!(
                "; the collector's acts lead to what its key signed before each restore ({closed})"
            ));
        }
        sentence
    }));
    keys
}

/// A key as it is listed.
pub(super) struct Read<'a> {
    pub(super) listed: &'a ListedKey,
    pub(super) key: VerifierKey,
    pub(super) name: String,
}

/// The listed keys of all authors but the collector, each once, by author and epoch.
fn read<'a>(
    list: &'a [ListedKey],
    trust: &TrustFile,
    faults: &mut Faults,
) -> BTreeMap<(Author, u32), Read<'a>> {
    let (mut read, mut of_collector) = (BTreeMap::new(), BTreeSet::new());
    for listed in list {
        match read_one(listed, trust) {
            Ok((Author::Collector, _)) if of_collector.insert(listed.epoch) => {}
            Ok((Author::Collector, _)) => {
                faults.add(Status::Altered, format!("collector epoch {} has two keys", listed.epoch));
            }
            Ok((author, key)) => {
                if read.insert((author, listed.epoch), key).is_some() {
                    faults.add(
                        Status::Altered,
                        format!("{} epoch {} has two keys", listed.author, listed.epoch),
                    );
                }
            }
            Err((status, wrong)) => faults.add(status, wrong),
        }
    }
    read
}

fn read_one<'a>(listed: &'a ListedKey, trust: &TrustFile) -> Result<(Author, Read<'a>), (Status, String)> {
    let name = format!("the key of {} in epoch {}", quoted(&listed.author), listed.epoch);
    let author =
        Author::parse(&listed.author).map_err(|error| (Status::Altered, format!("{KEYS}: {error}")))?;
    let key =
        VerifierKey::parse(&listed.key).map_err(|error| (Status::Altered, format!("{name}: {error}")))?;
    if key.name() != trust.slug.author_origin(&author) || key.key_type() != KeyType::Ed25519 {
        return Err((Status::NotVerifiable, format!("{name} bears another name")));
    }
    if author == Author::Collector {
        let epoch = listed.epoch;
        if trust.collector_of(epoch) != Some(&key) {
            return Err((
                Status::NotVerifiable,
                format!("the collector's key in epoch {epoch} is not the one of the trust file"),
            ));
        }
        // Each later one follows an announced restore: the key before it is gone, and no act can vouch for it.
        if listed.enrolled_by.is_some() || listed.rolled_by.is_some() {
            return Err((
                Status::NotVerifiable,
                format!(
                    "the collector's key in epoch {epoch} names an entry, where only the trust file names it"
                ),
            ));
        }
    }
    Ok((author, Read { listed, key, name }))
}

/// Whether the act that a listed key points to enrols exactly it.
pub(super) fn enrolled(read: &Read<'_>, acts: &Acts) -> Result<(), (Status, String)> {
    let (listed, name) = (read.listed, &read.name);
    let at = listed.enrolled_by.as_ref().filter(|at| at.author == Author::Collector.to_string());
    let at = at.ok_or_else(|| (Status::NotVerifiable, format!("{name} names no act that enrolled it")))?;
    let (enrolment, _) = acts.enrolments.get(&at.number).ok_or_else(|| {
        (
            Status::NotVerifiable,
            format!("{name} points to act {}, which no verified row discloses as an enrolment", at.number),
        )
    })?;
    if enrolment.author == listed.author && enrolment.key == listed.key && enrolment.epoch == listed.epoch {
        Ok(())
    } else {
        Err((Status::NotVerifiable, format!("act {} enrols another key than {name}", at.number)))
    }
}

/// The practice key delegated so many machines until such a time.
fn enrolments_allowed(acts: &Acts, trust: &TrustFile, faults: &mut Faults) {
    // A machine that was enrolled anew in its own place is still one machine.
    let machines: BTreeSet<String> = acts
        .enrolments
        .values()
        .filter_map(|(enrolment, _)| Author::parse(&enrolment.author).ok()?.machine().map(str::to_owned))
        .collect();
    let max = usize::try_from(trust.machines_max).unwrap_or(usize::MAX);
    if machines.len() > max {
        faults.add(
            Status::NotVerifiable,
            format!("{} machines are enrolled where the trust file allows {max}", machines.len()),
        );
    }
    let until = Moment::parse(&trust.enrolment_until);
    for (number, (_, time)) in &acts.enrolments {
        if until.is_none() || time.is_none() || *time > until {
            faults.add(
                Status::NotVerifiable,
                format!("act {number} enrols after {}, when the delegation ended", trust.enrolment_until),
            );
        }
    }
}
