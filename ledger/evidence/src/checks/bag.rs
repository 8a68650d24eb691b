//! The bag: declaration, layout, manifests and counts (BagIt 1.0, RFC 8493).

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::bag::{DECLARATION, Files, sha256_hex, sha512_hex};
use crate::bundle::{
    self, BAG_INFO, BAGIT, MANIFEST_SHA256, MANIFEST_SHA512, PAYLOAD, TAG_MANIFEST, TAG_MANIFEST_NOTE,
};
use crate::checks::{Check, Faults, Status, quoted};

/// Which bags are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Any BagIt 1.0 bag with SHA-256 or SHA-512 manifests.
    AnyBag,
    /// Need-to-Know's bundle: both manifests, the tag manifest, the fixed layout, nothing besides.
    Bundle,
}

/// Payload files without which a bundle is never complete.
const NEEDED: [&str; 8] = [
    bundle::README_HTML,
    bundle::README_TXT,
    bundle::TIMELINE,
    bundle::RANGES,
    bundle::KEYS,
    bundle::CHECKPOINT,
    bundle::TRUST,
    bundle::POLICY,
];
/// Payload files that may be absent if a `Not-Included` sentence names their path.
const EXCUSABLE: [&str; 3] = [bundle::CUSTODY, bundle::COVERAGE, bundle::VERSIONS];

/// The checks bag-structure, bag-manifests, bag-tagmanifest and bag-oxum.
pub fn bag_checks(files: &Files, profile: Profile) -> Vec<Check> {
    vec![
        structure(files, profile),
        manifests(files, profile),
        tag_manifest(files, profile),
        oxum(files, profile),
    ]
}

fn structure(files: &Files, profile: Profile) -> Check {
    let mut faults = Faults::default();
    match files.get(BAGIT).map(Vec::as_slice) {
        None => faults.add(Status::Incomplete, "bagit.txt is missing: this is no bag"),
        Some(bytes) if bytes == DECLARATION.as_bytes() => {}
        Some(_) => {
            faults.add(Status::Altered, "bagit.txt does not declare BagIt 1.0 in UTF-8, letter by letter")
        }
    }
    if !files.keys().any(|path| path.starts_with(PAYLOAD)) {
        faults.add(Status::Incomplete, "there is no payload");
    }
    let mut folded = BTreeSet::new();
    for path in files.keys() {
        if !is_safe(path, profile) {
            faults.add(Status::Altered, format!("{} is no path for a bundle", quoted(path)));
        }
        if !folded.insert(path.to_ascii_lowercase()) {
            faults.add(Status::Altered, format!("{} differs from another path only in case", quoted(path)));
        }
    }
    if profile == Profile::Bundle {
        for path in [BAG_INFO, MANIFEST_SHA256, MANIFEST_SHA512, TAG_MANIFEST, TAG_MANIFEST_NOTE] {
            if !files.contains_key(path) {
                faults.add(Status::Incomplete, format!("{path} is missing"));
            }
        }
        let info = Info::of(files);
        if info.is_none() && files.contains_key(BAG_INFO) {
            faults.add(Status::Altered, "bag-info.txt is not a list of `Label: value`");
        }
        let excuses = info.map(|info| info.all("Not-Included").join("\n")).unwrap_or_default();
        for path in NEEDED.iter().chain(EXCUSABLE.iter().filter(|path| !excuses.contains(**path))) {
            if !files.contains_key(*path) {
                faults.add(Status::Incomplete, format!("{path} is missing"));
            }
        }
        if !files.keys().any(|path| path.starts_with(bundle::ENTRIES)) {
            faults.add(Status::Incomplete, "there are no entries");
        }
    }
    faults.into_check("bag-structure", || format!("a BagIt 1.0 bag with {} files", files.len()))
}

fn manifests(files: &Files, profile: Profile) -> Check {
    let mut faults = Faults::default();
    let payload: BTreeMap<&str, &[u8]> = files
        .iter()
        .filter(|(path, _)| path.starts_with(PAYLOAD))
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    if payload.is_empty() {
        faults.add(Status::Incomplete, "there is no payload to compare");
    }
    let known: [(&str, Digest); 2] = [(MANIFEST_SHA256, sha256_hex), (MANIFEST_SHA512, sha512_hex)];
    let mut compared: usize = 0;
    for (name, digest) in known {
        match files.get(name) {
            Some(bytes) => {
                compared = compared.saturating_add(1);
                compare(name, bytes, digest, &payload, profile, Unlisted::Added, &mut faults);
            }
            None if profile == Profile::Bundle => {
                faults.add(Status::Incomplete, format!("{name} is missing"))
            }
            None => {}
        }
    }
    if compared == 0 {
        faults.add(Status::Incomplete, "there is no manifest of SHA-256 or SHA-512 sums");
    }
    let unknown = files
        .keys()
        .filter(|path| path.starts_with("manifest-") && !known.iter().any(|(name, _)| name == path));
    for name in unknown {
        faults.add(
            Status::NotVerifiable,
            format!("{} is a manifest of a kind that this version does not know", quoted(name)),
        );
    }
    faults.into_check("bag-manifests", || {
        format!(
            "{} payload files have the sums of {compared} manifests, none is missing, none added",
            payload.len()
        )
    })
}

fn tag_manifest(files: &Files, profile: Profile) -> Check {
    let mut faults = Faults::default();
    let tags: BTreeMap<&str, &[u8]> = files
        .iter()
        .filter(|(path, _)| !path.starts_with(PAYLOAD) && !path.starts_with("tagmanifest-"))
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    let known: [(&str, Digest); 2] = [(TAG_MANIFEST, sha256_hex), ("tagmanifest-sha512.txt", sha512_hex)];
    let mut found = false;
    for (name, digest) in known {
        let Some(bytes) = files.get(name) else { continue };
        let unlisted = if profile == Profile::Bundle { Unlisted::Added } else { Unlisted::Allowed };
        compare(name, bytes, digest, &tags, profile, unlisted, &mut faults);
        found |= name == TAG_MANIFEST;
    }
    if profile == Profile::Bundle {
        if !found {
            faults.add(Status::Incomplete, format!("{TAG_MANIFEST} is missing"));
        }
        let others = files.keys().filter(|path| {
            path.starts_with("tagmanifest-") && ![TAG_MANIFEST, TAG_MANIFEST_NOTE].contains(&path.as_str())
        });
        for path in others {
            faults.add(Status::Altered, format!("{} was added", quoted(path)));
        }
    }
    faults.into_check("bag-tagmanifest", || format!("{} tag files have their sums", tags.len()))
}

fn oxum(files: &Files, profile: Profile) -> Check {
    let mut faults = Faults::default();
    let payload = || files.iter().filter(|(path, _)| path.starts_with(PAYLOAD)).map(|(_, bytes)| bytes.len());
    let n_files = payload().count();
    let counted = format!("{}.{n_files}", payload().fold(0, usize::saturating_add));
    let info = Info::of(files);
    match (info.as_ref().map(|info| info.all("Payload-Oxum")).as_deref(), profile) {
        (Some([noted]), _) if *noted == counted => {}
        (Some([noted]), _) => {
            let more_files = noted
                .split_once('.')
                .and_then(|(_, files)| files.parse().ok())
                .is_some_and(|files: usize| files > n_files);
            let status = if more_files { Status::Incomplete } else { Status::Altered };
            faults.add(
                status,
                format!(
                    "bag-info.txt speaks of {} where the payload is {counted} (bytes.files)",
                    quoted(noted)
                ),
            );
        }
        (Some([_, ..]), _) => faults.add(Status::Altered, "bag-info.txt has more than one Payload-Oxum"),
        (Some([]) | None, Profile::Bundle) => {
            faults.add(Status::Incomplete, "bag-info.txt has no Payload-Oxum")
        }
        (Some([]) | None, Profile::AnyBag) => {}
    }
    faults.into_check("bag-oxum", || format!("the payload is {counted} (bytes.files), as noted"))
}

type Digest = fn(&[u8]) -> String;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unlisted {
    /// A file that no manifest lists was added.
    Added,
    /// Tag files need not be listed.
    Allowed,
}

fn compare(
    name: &str,
    manifest: &[u8],
    digest: Digest,
    files: &BTreeMap<&str, &[u8]>,
    profile: Profile,
    unlisted: Unlisted,
    faults: &mut Faults,
) {
    let Ok(text) = std::str::from_utf8(manifest) else {
        return faults.add(Status::Altered, format!("{name} is not UTF-8"));
    };
    if profile == Profile::Bundle && !text.ends_with('\n') {
        faults.add(Status::Altered, format!("the last line of {name} does not end"));
    }
    let mut listed = BTreeSet::new();
    for line in text.lines() {
        let Some((sum, path)) = line.split_once([' ', '\t']) else {
            faults.add(Status::Altered, format!("{name} has a line that is no sum and path"));
            continue;
        };
        let path = path.trim_start_matches([' ', '\t', '*']);
        let sum = if profile == Profile::AnyBag { sum.to_ascii_lowercase() } else { sum.to_owned() };
        if !is_safe(path, profile) {
            faults.add(Status::Altered, format!("{name} lists the unsafe path {}", quoted(path)));
        } else if !listed.insert(path) {
            faults.add(Status::Altered, format!("{name} lists {} twice", quoted(path)));
        } else {
            match files.get(path) {
                None => {
                    faults.add(Status::Incomplete, format!("{}, listed in {name}, is missing", quoted(path)))
                }
                Some(bytes) if digest(bytes) != sum => {
                    faults.add(Status::Altered, format!("{} does not have its sum in {name}", quoted(path)));
                }
                Some(_) => {}
            }
        }
    }
    if unlisted == Unlisted::Added {
        for path in files.keys().filter(|path| !listed.contains(**path)) {
            faults.add(Status::Altered, format!("{} is not listed in {name}: it was added", quoted(path)));
        }
    }
}

fn is_safe(path: &str, profile: Profile) -> bool {
    match profile {
        Profile::Bundle => bundle::is_safe_path(path),
        Profile::AnyBag => {
            path.split('/').all(|part| !matches!(part, "" | "." | ".."))
                && !path.contains(['\\', '\0', ':', '~'])
        }
    }
}

/// bag-info.txt as read: labels and values in their order.
pub(super) struct Info {
    lines: Vec<(String, String)>,
}

impl Info {
    /// Reads bag-info.txt, if it is there and in form.
    pub(super) fn of(files: &Files) -> Option<Self> {
        let text = std::str::from_utf8(files.get(BAG_INFO)?).ok()?;
        let line =
            |line: &str| line.split_once(": ").map(|(label, value)| (label.to_owned(), value.to_owned()));
        Some(Self { lines: text.lines().map(line).collect::<Option<_>>()? })
    }

    /// All values of a label.
    pub(super) fn all(&self, label: &str) -> Vec<&str> {
        self.lines.iter().filter(|(name, _)| name == label).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a label that stands there exactly once.
    pub(super) fn one(&self, label: &str) -> Option<&str> {
        match self.all(label).as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
