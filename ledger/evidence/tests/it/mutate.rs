//! Mutations of a bundle: what an operator could do to it, by the keys that he holds. Shared by the tests of the
//! pure checks and by those of a bundle that a real collector made.

use ntk_evidence::bundle::bag::{Files, sha256_hex, sha512_hex, signed_text};
use ntk_evidence::bundle::range::{ListedKey, Range};
use ntk_evidence::bundle::row::Row;
use ntk_evidence::bundle::{
    self, BAG_INFO, BAGIT, ENTRIES, KEYS, MANIFEST_SHA256, MANIFEST_SHA512, PAYLOAD, RANGES, TAG_MANIFEST,
    TAG_MANIFEST_NOTE, TRUST,
};
use ntk_evidence::note::{NoteSigner, SignedNote};
use serde_json::Value;

/// What the forger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// Nothing: he edits files.
    Files,
    /// A program that makes manifests: every sum is right, the signature is the old one.
    Sums,
    /// The bundle key: every sum and the signature over them are right.
    BundleKey,
}

/// What only the seal protects, by name: whoever holds the bundle key can say there what he likes, and what he says
/// is not derived from signed entries. All else must be refused even when it was sealed again.
pub(crate) const SEAL_ALONE: &[(&str, &str)] = &[
    (bundle::README_HTML, "instructions; whoever verifies brings a verifier of his own"),
    (bundle::README_TXT, "the same"),
    (bundle::REPORT_HTML, "a rendering for people; only size and root in report.json are tied"),
    (bundle::REPORT_JSON, "size and root of the log are tied, the rest restates entries"),
    (bundle::CUSTODY, "restates acts, whose rows are tied"),
    (bundle::COVERAGE, "restates entries, whose rows are tied"),
    ("data/system/", "versions and configuration as the collector tells them"),
    (bundle::POLICIES, "restates acts, whose rows are tied"),
    ("data/acknowledgements/", "restates acts, whose rows are tied"),
    ("data/reviews/", "weekly reports as the collector kept them"),
    ("data/certification/", "a form for a person to fill in"),
    (bundle::TIME_STAMP_CHAIN, "certificates to try; whoever checks takes them from the authority"),
    ("data/verify/", "a convenience; whoever verifies brings a verifier of his own"),
];
/// Lines of bag-info.txt that are tied to the log and the rows; only the seal protects the others (organisation, case,
/// dates, hold, what is not included).
pub(crate) const TIED_INFO: [&str; 6] = [
    "Log-Origin: ",
    "Log-Size: ",
    "Log-Root: ",
    "Disclosed-Events: ",
    "Withheld-Events: ",
    "Provable-Up-To: ",
];

/// What is made again whenever a bundle is sealed again.
const MADE_AGAIN: [&str; 4] = [MANIFEST_SHA256, MANIFEST_SHA512, TAG_MANIFEST, TAG_MANIFEST_NOTE];

/// Chance: a number below a bound.
pub(crate) type Below<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Whether only the seal protects a path.
pub(crate) fn is_seal_alone(path: &str) -> bool {
    SEAL_ALONE.iter().any(|(known, _)| path == *known || (known.ends_with('/') && path.starts_with(known)))
}

/// One mutation of one file: a name for it, or none where nothing could be changed.
pub(crate) fn mutate(files: &mut Files, path: &str, below: Below<'_>) -> Option<String> {
    let json = path == KEYS || path == RANGES || path.starts_with(ENTRIES);
    if json && below(3) > 0 {
        return mutate_json(files, path, below);
    }
    let bytes = files.get(path)?.clone();
    let (what, changed) = match below(9) {
        0 => {
            files.remove(path);
            return Some("dropped".to_owned());
        }
        1 => {
            let other = files.keys().nth(below(files.len()))?.clone();
            let (one, two) = (files.get(path)?.clone(), files.get(&other)?.clone());
            files.insert(path.to_owned(), two);
            files.insert(other.clone(), one);
            return Some(format!("swapped with {other}"));
        }
        2 => ("cut", bytes.get(..below(bytes.len()))?.to_vec()),
        3 => ("doubled", bytes.repeat(2)),
        kind @ 4..=6 => (["a line dropped", "two lines swapped", "a line doubled"][kind - 4], {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let (one, two) = (below(lines.len()), below(lines.len()));
            match kind {
                _ if lines.is_empty() => return None,
                4 => drop(lines.remove(one)),
                5 => lines.swap(one, two),
                _ => lines.insert(one, lines[one]),
            }
            lines.concat()
        }),
        _ if bytes.is_empty() => ("a byte added", b"x".to_vec()),
        _ => {
            let mut changed = bytes.clone();
            let at = below(changed.len());
            changed[at] ^= 1 << below(8);
            ("a bit flipped", changed)
        }
    };
    files.insert(path.to_owned(), changed);
    Some(what.to_owned())
}

/// A field of one JSON value dropped, swapped with another, doubled or changed.
fn mutate_json(files: &mut Files, path: &str, below: Below<'_>) -> Option<String> {
    let text = String::from_utf8(files.get(path)?.clone()).ok()?;
    let rows = path.starts_with(ENTRIES);
    let mut value: Value = if rows {
        text.lines().map(|line| serde_json::from_str(line).ok()).collect::<Option<Vec<Value>>>()?.into()
    } else {
        serde_json::from_str(&text).ok()?
    };
    let mut places = Vec::new();
    walk(&value, String::new(), &mut places);
    let at = places.get(below(places.len()))?.clone();
    let (parent, last) = at.rsplit_once('/')?;
    let what = match below(4) {
        0 => {
            match value.pointer_mut(parent)? {
                Value::Object(fields) => drop(fields.remove(last)),
                Value::Array(items) => drop(items.remove(last.parse().ok()?)),
                _ => return None,
            }
            "dropped"
        }
        1 => {
            let other = places.get(below(places.len()))?;
            if other.starts_with(&at) || at.starts_with(other.as_str()) {
                return None;
            }
            let (one, two) = (value.pointer(&at)?.clone(), value.pointer(other)?.clone());
            *value.pointer_mut(&at)? = two;
            *value.pointer_mut(other)? = one;
            return written(files, path, rows, &value).map(|()| format!("{at} swapped with {other}"));
        }
        2 => {
            let again = value.pointer(&at)?.clone();
            let Value::Array(items) = value.pointer_mut(parent)? else { return None };
            items.insert(last.parse().ok()?, again);
            "doubled"
        }
        _ => {
            let there = value.pointer_mut(&at)?;
            *there = match &*there {
                Value::Number(number) => (number.as_u64()?.wrapping_add(1)).into(),
                Value::String(text) => {
                    let mut letters: Vec<char> = text.chars().collect();
                    let place = below(letters.len());
                    let letter = letters.get_mut(place)?;
                    *letter = if *letter == '0' { '1' } else { '0' };
                    letters.into_iter().collect::<String>().into()
                }
                _ => return None,
            };
            "changed"
        }
    };
    written(files, path, rows, &value).map(|()| format!("{at} {what}"))
}

fn written(files: &mut Files, path: &str, rows: bool, value: &Value) -> Option<()> {
    let text = match (rows, value) {
        (true, Value::Array(items)) => items.iter().map(|item| format!("{item}\n")).collect(),
        _ => value.to_string(),
    };
    files.insert(path.to_owned(), text.into_bytes()).map(drop)
}

fn walk(value: &Value, at: String, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.clone());
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| walk(value, format!("{at}/{key}"), places))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| walk(value, format!("{at}/{n}"), places));
        }
        _ => {}
    }
}

/// Whether two contents of a file mean the same to every reader: other spaces in JSON, a hash in capital letters.
pub(crate) fn same_meaning(path: &str, one: &[u8], two: &[u8]) -> bool {
    let rows = |bytes: &[u8]| -> Option<Vec<Row>> {
        std::str::from_utf8(bytes).ok()?.lines().map(|line| serde_json::from_str(line).ok()).collect()
    };
    // Lists of keys and of ranges say the same in any order.
    let keys = |bytes: &[u8]| serde_json::from_slice::<Vec<ListedKey>>(bytes).ok().map(|list| sorted(&list));
    let ranges = |bytes: &[u8]| serde_json::from_slice::<Vec<Range>>(bytes).ok().map(|list| sorted(&list));
    let note = |bytes: &[u8]| {
        let note = SignedNote::parse(bytes).ok()?;
        let mut lines: Vec<_> = note.signatures().iter().map(|line| format!("{line:?}")).collect();
        lines.sort();
        lines.dedup();
        Some((note.text().to_owned(), lines))
    };
    // The payload's size follows from the payload.
    let info = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().filter(|line| !line.starts_with("Payload-Oxum: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    one == two
        || match path {
            BAG_INFO => info(one) == info(two),
            KEYS => keys(one).is_some() && keys(one) == keys(two),
            // A signature that stands there twice says nothing new.
            TRUST => note(one).is_some() && note(one) == note(two),
            RANGES => ranges(one).is_some() && ranges(one) == ranges(two),
            _ => path.starts_with(ENTRIES) && rows(one).is_some() && rows(one) == rows(two),
        }
}

fn sorted<T: std::fmt::Debug>(list: &[T]) -> Vec<String> {
    let mut told: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
    told.sort();
    told
}

/// Makes every sum anew, and with the bundle key the signature too.
pub(crate) fn sealed_again(files: &Files, power: Power, bundle_key: &NoteSigner) -> Files {
    let mut sealed = files.clone();
    if power == Power::Files {
        return sealed;
    }
    let payload = || files.iter().filter(|(path, _)| path.starts_with(PAYLOAD));
    let sums = |digest: fn(&[u8]) -> String| -> Vec<u8> {
        payload().map(|(path, bytes)| format!("{}  {path}\n", digest(bytes))).collect::<String>().into_bytes()
    };
    if let Some(info) = sealed.get_mut(BAG_INFO) {
        let oxum =
            format!("{}.{}", payload().map(|(_, bytes)| bytes.len()).sum::<usize>(), payload().count());
        let lines = String::from_utf8_lossy(info).into_owned();
        let line = |line: &str| match line.strip_prefix("Payload-Oxum: ") {
            Some(_) => format!("Payload-Oxum: {oxum}\n"),
            None => format!("{line}\n"),
        };
        *info = lines.lines().map(line).collect::<String>().into_bytes();
    }
    sealed.insert(MANIFEST_SHA256.to_owned(), sums(sha256_hex));
    sealed.insert(MANIFEST_SHA512.to_owned(), sums(sha512_hex));
    let tags: String = [BAG_INFO, BAGIT, MANIFEST_SHA256, MANIFEST_SHA512]
        .iter()
        .filter_map(|path| Some(format!("{}  {path}\n", sha256_hex(sealed.get(*path)?))))
        .collect();
    if power == Power::BundleKey {
        let note = bundle_key.sign(&signed_text(bundle_key.verifier().name(), tags.as_bytes())).unwrap();
        sealed.insert(TAG_MANIFEST_NOTE.to_owned(), note.into_bytes());
    }
    sealed.insert(TAG_MANIFEST.to_owned(), tags.into_bytes());
    sealed
}

/// How a round of mutations ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Mutations that were judged and refused.
    pub(crate) refused: u64,
    /// Mutations after which the bundle meant the same (other spaces in JSON).
    pub(crate) meant_the_same: u64,
    /// Mutations of what only the seal protects, sealed again: the list says so.
    pub(crate) seal_alone: u64,
}

/// Mutates each file of a bundle `rounds` times under a power; `judge` gives the exit code of what came out.
///
/// Fails with a sentence at the first mutation that verified although its meaning changed.
pub(crate) fn storm(
    bundle: &Files,
    power: Power,
    rounds: usize,
    bundle_key: &NoteSigner,
    below: Below<'_>,
    judge: impl Fn(&Files) -> u8,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let whole = sealed_again(bundle, power, bundle_key);
    if judge(&whole) != 0 {
        return Err(format!("the whole bundle does not verify under {power:?}"));
    }
    for path in bundle.keys() {
        for _ in 0..rounds {
            let mut changed = bundle.clone();
            let Some(what) = mutate(&mut changed, path, below) else { continue };
            let sealed = sealed_again(&changed, power, bundle_key);
            // What follows from the rest by itself (sums, signature) is no change of its own.
            let made = |path: &str| power != Power::Files && MADE_AGAIN.contains(&path);
            let unlike: Vec<&String> = whole
                .keys()
                .chain(sealed.keys())
                .filter(|path| whole.get(*path) != sealed.get(*path) && !made(path))
                .collect();
            let same = unlike.iter().all(|path| match (whole.get(*path), sealed.get(*path)) {
                (Some(one), Some(two)) => power != Power::Files && same_meaning(path, one, two),
                _ => false,
            });
            if same {
                tally.meant_the_same += 1;
                continue;
            }
            let verified = judge(&sealed) == 0;
            let by_seal =
                power == Power::BundleKey && unlike.iter().all(|path| seal_alone(path, &whole, &sealed));
            match (verified, by_seal) {
                (false, _) => tally.refused += 1,
                (true, true) => tally.seal_alone += 1,
                (true, false) => return Err(format!("{path} {what}, {power:?}: it verified")),
            }
        }
    }
    Ok(tally)
}

fn seal_alone(path: &str, before: &Files, after: &Files) -> bool {
    if path != BAG_INFO {
        // A rendering is made again and compared where it is there; that it is there, only the seal says.
        let is_gone = [bundle::OCSF, bundle::FHIR].contains(&path) && !after.contains_key(path);
        return is_gone || is_seal_alone(path);
    }
    let tied = |files: &Files| -> Option<Vec<String>> {
        let text = std::str::from_utf8(files.get(BAG_INFO)?).ok()?;
        let is_tied = |line: &&str| TIED_INFO.iter().any(|label| line.starts_with(label));
        let mut lines: Vec<String> = text.lines().filter(is_tied).map(str::to_owned).collect();
        lines.sort();
        Some(lines)
    };
    tied(before) == tied(after)
}
