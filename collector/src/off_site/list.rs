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
    /// What tells its name from one for another recovery key that lay there before; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
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
    /// As with segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// SHA-256 of the encrypted object, hex.
    pub sha256: String,
    /// SHA-256 of the names and texts in it, hex.
    pub files_sha256: String,
}

impl SettingsObject {
    /// Its name from the top.
    pub fn name(&self) -> String {
        let mark = self.mark.as_ref().map(|mark| format!("-{mark}")).unwrap_or_default();
        format!("settings-{}{mark}.age", self.files_sha256.get(..16).unwrap_or_default())
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
        name(self.number, self.mark.as_deref(), &self.form)
    }

    /// Whether a name is of the same segment with its entries.
    pub fn is_whole_form(&self, other: &str) -> bool {
        matches!(self.form_of(other), Some("seg" | "segz"))
    }

    /// The form that a name says, if it is one of this segment's.
    fn form_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.strip_prefix(&format!("{SEGMENTS}/{:020}.", self.number))?.strip_suffix(".age")?;
        match rest.split_once('.') {
            None => Some(rest),
            Some((mark, form)) => is_mark(mark).then_some(form),
        }
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

fn name(number: u64, mark: Option<&str>, form: &str) -> String {
    let mark = mark.map(|mark| format!("{mark}.")).unwrap_or_default();
    format!("{SEGMENTS}/{number:020}.{mark}{form}.age")
}

/// The mark of a recovery key: eight hex digits of its public half's hash.
pub fn mark_of(recipient: &str) -> String {
    Hash::of(recipient.as_bytes()).to_hex().chars().take(8).collect()
}

fn is_mark(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
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
        let marks = list.segments.iter().map(|object| &object.mark);
        let mut marks = marks.chain(list.settings.iter().map(|object| &object.mark)).flatten();
        if marks.any(|mark| !is_mark(mark)) {
            return wrong("a mark is not eight hex digits");
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

    /// Whether something here has this name.
    pub fn names(&self, name: &str) -> bool {
        self.of_name(name).is_some_and(|object| object.name() == name)
            || self.settings.as_ref().is_some_and(|settings| settings.name() == name)
    }

    /// Whether a name is of a segment and form that are here under another name: for another recovery key.
    pub fn has_for_another_key(&self, name: &str) -> bool {
        let same_form = |object: &Object| object.form_of(name) == Some(object.form.as_str());
        self.of_name(name).is_some_and(|object| object.name() != name && same_form(object))
    }

    /// The segment of which a name is, in whatever form and for whatever key.
    fn of_name(&self, name: &str) -> Option<&Object> {
        self.object(name.strip_prefix(SEGMENTS)?.get(1..21)?.parse().ok()?)
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
            mark: None,
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
