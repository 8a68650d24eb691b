//! The bag round the payload: declaration, description, manifests, and the bundle key's signature.
//!
//! Pure: a map of paths to bytes goes in, the same map with the files of BagIt 1.0 (RFC 8493) comes out. The
//! signature is over the hash of the tag manifest, which covers the manifests, which cover every payload file.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha512};

use crate::bundle::is_safe_path;
use crate::bundle::{
    BAG_INFO, BAGIT, MANIFEST_SHA256, MANIFEST_SHA512, PAYLOAD, TAG_MANIFEST, TAG_MANIFEST_NOTE,
};
use crate::hash::{Hash, hex};
use crate::note::{NoteError, NoteSigner};

/// What `bagit.txt` says.
pub const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// Files of a bundle by their path from its root.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A bag cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BagError {
    /// A path does not begin with `data/` or could mean another place.
    #[error("`{0}` cannot be a path in a bundle: `data/` and plain file names are needed")]
    Path(String),
    /// A path is there already, or differs from one only in upper and lower case.
    #[error("`{0}` is in the bundle already")]
    Doubled(String),
    /// A value for bag-info.txt has a line end or other control character, or is empty.
    #[error("the value of `{0}` in bag-info.txt is empty or has more than one line")]
    Value(&'static str),
    /// The signature could not be made.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// What `bag-info.txt` says, besides the Payload-Oxum, which is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagInfo {
    /// The practice's name.
    pub source_organization: String,
    /// The case.
    pub external_identifier: String,
    /// The day on which the bag was made, `YYYY-MM-DD`.
    pub bagging_date: String,
    /// Origin of the collector log.
    pub log_origin: String,
    /// Size of the log at the final checkpoint.
    pub log_size: u64,
    /// Root of the log at the final checkpoint.
    pub log_root: Hash,
    /// Beginning of the time that was asked about, RFC 3339 in UTC.
    pub range_from: String,
    /// End of the time that was asked about, RFC 3339 in UTC.
    pub range_to: String,
    /// How many rows are disclosed.
    pub disclosed_events: u64,
    /// How many rows are withheld.
    pub withheld_events: u64,
    /// The legal hold under which this was kept.
    pub legal_hold_id: Option<String>,
    /// Until when somebody outside the collector is known to have seen the log, as
    /// [`crate::checks::provable_up_to`] says it.
    pub provable_up_to: Vec<String>,
    /// Sentences that name what this bundle does not hold.
    pub not_included: Vec<String>,
}

impl BagInfo {
    fn text(&self, octets: usize, files: usize) -> Result<String, BagError> {
        let mut lines = vec![
            ("Source-Organization", self.source_organization.clone()),
            ("External-Identifier", self.external_identifier.clone()),
            ("Bagging-Date", self.bagging_date.clone()),
            ("Payload-Oxum", format!("{octets}.{files}")),
            ("Log-Origin", self.log_origin.clone()),
            ("Log-Size", self.log_size.to_string()),
            ("Log-Root", self.log_root.to_base64()),
            ("Range-From", self.range_from.clone()),
            ("Range-To", self.range_to.clone()),
            ("Disclosed-Events", self.disclosed_events.to_string()),
            ("Withheld-Events", self.withheld_events.to_string()),
        ];
        lines.extend(self.legal_hold_id.iter().map(|id| ("Legal-Hold-Id", id.clone())));
        lines.extend(self.provable_up_to.iter().map(|line| ("Provable-Up-To", line.clone())));
        lines.extend(self.not_included.iter().map(|sentence| ("Not-Included", sentence.clone())));
        let mut text = String::new();
        for (label, value) in lines {
            if value.trim() != value || value.is_empty() || value.contains(char::is_control) {
                return Err(BagError::Value(label));
            }
            text.push_str(&format!("{label}: {value}\n"));
        }
        Ok(text)
    }
}

/// The payload of a bundle in the making.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    payload: Files,
}

impl Bag {
    /// A bag without payload.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a payload file into the bag.
    pub fn insert(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<(), BagError> {
        if !path.starts_with(PAYLOAD) || !is_safe_path(path) {
            return Err(BagError::Path(path.to_owned()));
        }
        if self.payload.keys().any(|known| known.eq_ignore_ascii_case(path)) {
            return Err(BagError::Doubled(path.to_owned()));
        }
        self.payload.insert(path.to_owned(), bytes.into());
        Ok(())
    }

    /// The payload so far.
    pub const fn payload(&self) -> &Files {
        &self.payload
    }

    /// Adds manifests, description and the bundle key's signature: every file of the bundle.
    pub fn seal(self, info: &BagInfo, bundle_key: &NoteSigner) -> Result<Files, BagError> {
        let octets = self.payload.values().map(Vec::len).fold(0, usize::saturating_add);
        let mut tags = Files::new();
        tags.insert(BAGIT.to_owned(), DECLARATION.as_bytes().to_vec());
        tags.insert(BAG_INFO.to_owned(), info.text(octets, self.payload.len())?.into_bytes());
        tags.insert(MANIFEST_SHA256.to_owned(), manifest(&self.payload, sha256_hex));
        tags.insert(MANIFEST_SHA512.to_owned(), manifest(&self.payload, sha512_hex));
        let tag_manifest = manifest(&tags, sha256_hex);
        let note = bundle_key.sign(&signed_text(bundle_key.verifier().name(), &tag_manifest))?;
        tags.insert(TAG_MANIFEST.to_owned(), tag_manifest);
        tags.insert(TAG_MANIFEST_NOTE.to_owned(), note.into_bytes());
        tags.extend(self.payload);
        Ok(tags)
    }
}

/// The text that the bundle key signs: its name and the SHA-256 of the tag manifest.
pub fn signed_text(bundle_name: &str, tag_manifest: &[u8]) -> String {
    format!("{bundle_name}\n{}\n", Hash::of(tag_manifest))
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Hash::of(bytes).to_hex()
}

/// SHA-512 in hex.
pub fn sha512_hex(bytes: &[u8]) -> String {
    hex(&Sha512::digest(bytes))
}

fn manifest(files: &Files, digest: fn(&[u8]) -> String) -> Vec<u8> {
    files.iter().map(|(path, bytes)| format!("{}  {path}\n", digest(bytes))).collect::<String>().into_bytes()
}
