//! Whose key is whose: the collector's stands in the trust file, every other one in an enrolment that the
//! collector's verified rows disclose. The check author-keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::act::{self, Enrolment};
use crate::bundle::KEYS;
use crate::bundle::bag::Files;
use crate::bundle::range::ListedKey;
use crate::bundle::row::Row;
use crate::checks::anchor::{Anchor, FinalCheckpoint};
use crate::checks::ranges::{Listed, RangeFaults};
use crate::checks::rows::Rows;
use crate::checks::{Check, Faults, Status};
use crate::name::Author;
use crate::note::{KeyType, VerifierKey};
use crate::time::Moment;
use crate::trust::TrustFile;

/// Keys that are shown to be their authors'.
pub(super) struct Keys {
    collector: Option<VerifierKey>,
    collector_epochs: BTreeSet<u32>,
    enrolled: BTreeMap<(Author, u32), VerifierKey>,
}

impl Keys {
    /// The key of an author in an epoch. The collector's is the trust file's, whatever a bundle says.
    pub(super) fn of(&self, author: &Author, epoch: u32) -> Option<&VerifierKey> {
        match author {
            Author::Collector => self.collector.as_ref().filter(|_| self.collector_epochs.contains(&epoch)),
            Author::Agent(_) | Author::Import(_) => self.enrolled.get(&(author.clone(), epoch)),
        }
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
        collector: anchor.trust().map(|trust| trust.collector.clone()),
        collector_epochs: list.iter().flatten().flatten().filter(of_collector).map(|key| key.epoch).collect(),
        enrolled: BTreeMap::new(),
    };
    let mut faults = Faults::default();
    let mut acts: BTreeMap<u64, (Enrolment, Option<Moment>)> = BTreeMap::new();
    for range in listed.of_collector() {
        if let Some(found) = range.verify(&keys, files, last, rows, range_faults) {
            acts.extend(found.iter().filter_map(enrolment));
        }
    }
    match (list, anchor.trust()) {
        (_, None) => faults.add(Status::NotVerifiable, "without a trust file no key is anybody's"),
        (None, _) => faults.add(Status::Incomplete, format!("{KEYS} is missing")),
        (Some(Err(_)), _) => faults.add(Status::Altered, format!("{KEYS} is not a list of keys")),
        (Some(Ok(list)), Some(trust)) => {
            for key in &list {
                match shown(key, &acts, trust) {
                    Ok((Author::Collector, _)) => {}
                    Ok((author, verifier)) => {
                        if keys.enrolled.insert((author, key.epoch), verifier).is_some() {
                            faults.add(
                                Status::Altered,
                                format!("{} epoch {} has two keys", key.author, key.epoch),
                            );
                        }
                    }
                    Err((status, wrong)) => faults.add(status, wrong),
                }
            }
            enrolments_allowed(&acts, trust, &mut faults);
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
        format!(
            "{} keys: the collector's of the trust file, and each other one enrolled by a disclosed act",
            used.len()
        )
    }));
    keys
}

fn enrolment(row: &Row) -> Option<(u64, (Enrolment, Option<Moment>))> {
    let event = row.event().ok()??;
    if event.kind.as_str() != act::kind::ENROLMENT {
        return None;
    }
    let body = serde_json::from_value(act::body(&event)?.clone()).ok()?;
    Some((row.number(), (body, Moment::parse(&event.time))))
}

/// A listed key, if the entry that it points to enrols exactly it.
fn shown(
    key: &ListedKey,
    acts: &BTreeMap<u64, (Enrolment, Option<Moment>)>,
    trust: &TrustFile,
) -> Result<(Author, VerifierKey), (Status, String)> {
    let name = format!("the key of {} in epoch {}", crate::checks::quoted(&key.author), key.epoch);
    let author = Author::parse(&key.author).map_err(|error| (Status::Altered, format!("{KEYS}: {error}")))?;
    let verifier =
        VerifierKey::parse(&key.key).map_err(|error| (Status::Altered, format!("{name}: {error}")))?;
    if verifier.name() != trust.slug.author_origin(&author) || verifier.key_type() != KeyType::Ed25519 {
        return Err((Status::NotVerifiable, format!("{name} bears another name")));
    }
    if author == Author::Collector {
        return if verifier == trust.collector {
            Ok((author, verifier))
        } else {
            Err((Status::NotVerifiable, "the collector's key is not the one of the trust file".to_owned()))
        };
    }
    let at = key.enrolled_by.as_ref().filter(|at| at.author == Author::Collector.to_string());
    let at = at.ok_or_else(|| (Status::NotVerifiable, format!("{name} names no act that enrolled it")))?;
    let (enrolment, _) = acts.get(&at.number).ok_or_else(|| {
        (
            Status::NotVerifiable,
            format!("{name} points to act {}, which no verified row discloses as an enrolment", at.number),
        )
    })?;
    if enrolment.author == key.author && enrolment.key == key.key && enrolment.epoch == key.epoch {
        Ok((author, verifier))
    } else {
        Err((Status::NotVerifiable, format!("act {} enrols another key than {name}", at.number)))
    }
}

/// The practice key delegated so many machines until such a time.
fn enrolments_allowed(
    acts: &BTreeMap<u64, (Enrolment, Option<Moment>)>,
    trust: &TrustFile,
    faults: &mut Faults,
) {
    let machines: BTreeSet<&str> = acts
        .values()
        .map(|(enrolment, _)| enrolment.author.as_str())
        .filter(|author| author.starts_with("agent/"))
        .collect();
    let max = usize::try_from(trust.machines_max).unwrap_or(usize::MAX);
    if machines.len() > max {
        faults.add(
            Status::NotVerifiable,
            format!("{} machines are enrolled where the trust file allows {max}", machines.len()),
        );
    }
    let until = Moment::parse(&trust.enrolment_until);
    for (number, (_, time)) in acts {
        if until.is_none() || time.is_none() || *time > until {
            faults.add(
                Status::NotVerifiable,
                format!("act {number} enrols after {}, when the delegation ended", trust.enrolment_until),
            );
        }
    }
}
