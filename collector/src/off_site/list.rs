//! `newest.json`: what lies off-site, and the checkpoint to which it leads.
//!
//! It is written last and whole. It holds sizes, hashes and the log's own checkpoint: no entry, path or name of a person.
//! It is no proof by itself: whoever can write there can write it. The checkpoint in it is signed by the log key, and
//! the segments prove themselves after decryption.

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::empty_root;
use ntk_segment::reader::Form;
use serde::{Deserialize, Serialize};

/// Its name.
pub const NAME: &str = "newest.json";
/// Name of the trust file.
pub const TRUST: &str = "trust.txt";
/// The folder of the segments.
pub const SEGMENTS: &str = "segments";
/// What a list says of itself first.
const FORMAT: &str = "ntk-off-site/1";

/// The list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// [`FORMAT`].
    pub format: String,
    /// Whose ledger.
    pub slug: String,
    /// When the list was written, RFC 3339.
    pub written: String,
    /// Leaves of the log that the segments reach.
    pub log_size: u64,
    /// Root of that log, base64.
    pub log_root: String,
    /// The log's signed checkpoint of that size; empty for 0.
    pub checkpoint: String,
    /// Every segment that is there, by number.
    pub segments: Vec<Object>,
    /// The settings as they lie there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsObject>,
    /// Segments that are not there and why, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// One segment as it lies there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its number.
    pub number: u64,
    /// `seg`, `segz` or `segp`: what the plain bytes are.
    pub form: String,
    /// The age recipient that it was encrypted to.
    pub recipient: String,
    /// Size of the encrypted object, bytes.
    pub bytes: u64,
    /// SHA-256 of the encrypted object, hex.
    pub sha256: String,
    /// Size of the plain file, bytes.
    pub plain_bytes: u64,
    /// SHA-256 of the plain file, hex.
    pub plain_sha256: String,
}

/// The settings as they lie there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsObject {
    /// The age recipient that they were encrypted to.
    pub recipient: String,
    /// SHA-256 of the encrypted object, hex.
    pub sha256: String,
    /// SHA-256 of the names and texts in it, hex.
    pub files_sha256: String,
}

impl SettingsObject {
    /// Its name from the top.
    pub fn name(&self) -> String {
        format!("settings-{}.age", self.files_sha256.get(..16).unwrap_or_default())
    }
}

/// A segment that was not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its number.
    pub number: u64,
    /// Why.
    pub why: String,
}

/// A list cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it is no list of a copy: {0}")]
pub struct NotAList(String);

impl Object {
    /// Its name from the top.
    pub fn name(&self) -> String {
        name(self.number, &self.form)
    }

    /// The names of the same segment with its entries.
    pub fn names_of_whole_forms(&self) -> [String; 2] {
        ["seg", "segz"].map(|form| name(self.number, form))
    }

    /// Whether its entries were removed after retention.
    pub fn is_pruned(&self) -> bool {
        self.form == "segp"
    }
}

/// The word for a form that is copied; none for what a person set aside as damaged.
pub fn form_word(form: Form) -> Option<&'static str> {
    (!form.is_quarantined()).then(|| form.suffix().trim_start_matches('.'))
}

fn name(number: u64, form: &str) -> String {
    format!("{SEGMENTS}/{number:020}.{form}.age")
}

impl Newest {
    /// The list of a copy that holds nothing yet.
    pub fn empty(slug: &str, written: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            slug: slug.to_owned(),
            written: written.to_owned(),
            log_size: 0,
            log_root: empty_root().to_base64(),
            checkpoint: String::new(),
            segments: Vec::new(),
            settings: None,
            left_out: Vec::new(),
        }
    }

    /// Reads a list; whatever it says, names stay below their folder and sizes are those of its own checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAList> {
        let list: Self = serde_json::from_slice(bytes).map_err(|error| NotAList(error.to_string()))?;
        let wrong = |what: &str| Err(NotAList(what.to_owned()));
        if list.format != FORMAT {
            return wrong("its format is of another version");
        }
        if list.root().is_none() {
            return wrong("its checkpoint is not of the size and root beside it");
        }
        if list.segments.iter().any(|object| !["seg", "segz", "segp"].contains(&object.form.as_str())) {
            return wrong("a segment has a form that does not exist");
        }
        let is_hash = |text: &String| Hash::from_hex(text).is_ok();
        if list.segments.iter().any(|object| !is_hash(&object.sha256) || !is_hash(&object.plain_sha256)) {
            return wrong("a hash is not 64 hex digits");
        }
        let is_settings = |object: &SettingsObject| is_hash(&object.sha256) && is_hash(&object.files_sha256);
        if !list.settings.as_ref().is_none_or(is_settings) {
            return wrong("a hash of the settings is not 64 hex digits");
        }
        let mut numbers = list.segments.iter().map(|object| object.number);
        let mut before = numbers.next();
        for number in numbers {
            if before >= Some(number) {
                return wrong("its segments are not in order");
            }
            before = Some(number);
        }
        Ok(list)
    }

    /// The root, where it fits the checkpoint.
    pub fn root(&self) -> Option<Hash> {
        let root = Hash::from_base64(&self.log_root).ok()?;
        let fits = if self.log_size == 0 {
            root == empty_root() && self.checkpoint.is_empty()
        } else {
            Checkpoint::unverified(self.checkpoint.as_bytes())
                .is_ok_and(|said| said.size == self.log_size && said.root == root)
        };
        fits.then_some(root)
    }

    /// As it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain structs of texts and numbers: serde cannot fail on them.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// A segment.
    pub fn object(&self, number: u64) -> Option<&Object> {
        let at = self.segments.binary_search_by_key(&number, |object| object.number).ok()?;
        self.segments.get(at)
    }

    /// Puts a segment into its place, and takes it off those that are left out.
    pub fn set(&mut self, object: Object) {
        self.left_out.retain(|left| left.number != object.number);
        match self.segments.binary_search_by_key(&object.number, |object| object.number) {
            Ok(at) => {
                if let Some(place) = self.segments.get_mut(at) {
                    *place = object;
                }
            }
            Err(at) => self.segments.insert(at, object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(number: u64, form: &str) -> Object {
        Object {
            number,
            form: form.to_owned(),
            recipient: "age1x".to_owned(),
            bytes: 10,
            sha256: "00".repeat(32),
            plain_bytes: 5,
            plain_sha256: "11".repeat(32),
        }
    }

    #[test]
    fn a_list_reads_back_and_no_name_leaves_its_folder() {
        let mut list = Newest::empty("maple.00000000", "2026-11-27T19:00:00Z");
        for (number, form) in [(2, "segz"), (0, "seg"), (1, "segz"), (0, "segp")] {
            list.set(object(number, form));
        }
        assert_eq!(Newest::parse(&list.to_bytes()).unwrap(), list);
        assert_eq!(list.object(0).unwrap().name(), "segments/00000000000000000000.segp.age");
        assert!(list.object(0).unwrap().is_pruned() && list.object(3).is_none());
        let text = String::from_utf8(list.to_bytes()).unwrap();
        for (from, to) in [
            ("\"segp\"", "\"../../etc\""),
            ("\"number\": 1", "\"number\": 0"),
            ("ntk-off-site/1", "ntk-off-site/2"),
            (&"00".repeat(32), "zz"),
            ("\"log_size\": 0", "\"log_size\": 7"),
            ("{", ""),
        ] {
            assert!(Newest::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }
}
