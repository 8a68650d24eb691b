//! The keys while the collector works: one for each purpose, out of one data key, and what they seal.
//!
//! A small file is `"NTKFILE" 01 | nonce 24 | XChaCha20-Poly1305 of the content | tag 16`; its name below the
//! collector's folder is associated data, so a file opens under its own name only. A value of the query store is
//! `nonce | encrypted | tag` with its key as associated data; names of machines in keys become HMAC-SHA256 of them.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use ntk_segment::disk::{Disk, RealDisk};
use ntk_segment::encrypted::{EncryptedDisk, PlainFiles};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How an encrypted small file begins.
const MAGIC: [u8; 8] = *b"NTKFILE\x01";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// So much of an HMAC stands for a name: no two of a practice's machines share it.
const NAME_BYTES: usize = 16;

/// A key of 32 bytes that is overwritten when it is not needed any more.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HMAC-SHA256: a key of its own for each purpose.
pub(super) fn subkey(key: &[u8; 32], purpose: &[u8]) -> Key {
    // Filled up with zeros to a block, as HMAC does with a shorter key: so it cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into());
    mac.update(purpose);
    Key::new(mac.finalize().into_bytes().into())
}

/// Random numbers of the kernel failed, or the cipher did.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("could not encrypt: the kernel gave no random numbers")]
pub struct SealError;

/// Seals small pieces.
#[derive(Clone)]
struct Seal(XChaCha20Poly1305);

impl Seal {
    fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new((&**key).into()))
    }

    /// `nonce | encrypted | tag`, behind what `out` holds already.
    fn seal(&self, bound: &[u8], content: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        out.extend_from_slice(&nonce);
        let begin = out.len();
        out.extend_from_slice(content);
        let sealed = out.get_mut(begin..).ok_or(SealError)?;
        let tag = self.0.encrypt_in_place_detached(XNonce::from_slice(&nonce), bound, sealed);
        out.extend_from_slice(&tag.map_err(|_| SealError)?);
        Ok(())
    }

    fn open(&self, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let (encrypted, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut content = encrypted.to_vec();
        let nonce = XNonce::from_slice(nonce);
        self.0.decrypt_in_place_detached(nonce, bound, &mut content, Tag::from_slice(tag)).ok()?;
        Some(content)
    }
}

/// Whether these are the bytes of an encrypted small file.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The data key is wrapped with another key: `nonce | encrypted | tag`.
pub(super) fn wrap(with: &Key, bound: &[u8], data_key: &Key) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::new();
    Seal::new(with).seal(bound, data_key.as_slice(), &mut out).map(|()| out)
}

/// The data key, if `with` is what it was wrapped with.
pub(super) fn unwrap(with: &Key, bound: &[u8], wrapped: &[u8]) -> Option<Key> {
    let content = Zeroizing::new(Seal::new(with).open(bound, wrapped)?);
    Some(Key::new(content.as_slice().try_into().ok()?))
}

/// Which small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// `private/`.
    Private,
    /// `reports/`.
    Reports,
    /// `bundles/`.
    Bundles,
}

impl Room {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Private, Self::Reports, Self::Bundles];

    /// The folder below the collector's.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Reports => "reports",
            Self::Bundles => "bundles",
        }
    }
}

/// Everything that is needed to read and write what is encrypted.
pub struct Keys {
    disk: Arc<EncryptedDisk>,
    private: Seal,
    reports: Seal,
    bundles: Seal,
    store: Arc<StoreSeal>,
    rows: Arc<RowSeal>,
    plain_files: PlainFiles,
    /// What they were derived from: it is wrapped again when the recovery key is replaced.
    data_key: Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(withheld)")
    }
}

impl Keys {
    /// Out of the data key. Plain files are accepted only while a folder is being encrypted or decrypted.
    pub(super) fn new(data_key: &Key, plain_files: PlainFiles) -> Self {
        let key = |purpose: &str| subkey(data_key, format!("need-to-know at rest: {purpose}").as_bytes());
        Self {
            disk: Arc::new(EncryptedDisk::new(Arc::new(RealDisk), &key("segments"), plain_files)),
            private: Seal::new(&key("private")),
            reports: Seal::new(&key("reports")),
            bundles: Seal::new(&key("bundles")),
            store: Arc::new(StoreSeal { values: Seal::new(&key("store")), names: key("names in the store") }),
            rows: Arc::new(RowSeal(Seal::new(&key("rows of a database")))),
            plain_files,
            data_key: data_key.clone(),
        }
    }

    pub(super) const fn data_key(&self) -> &Key {
        &self.data_key
    }

    /// The same keys, and plain files are refused from now on.
    pub(super) fn refusing_plain_files(&self) -> Self {
        Self {
            disk: Arc::new(self.disk.refusing_plain_files()),
            private: self.private.clone(),
            reports: self.reports.clone(),
            bundles: self.bundles.clone(),
            store: Arc::clone(&self.store),
            rows: Arc::clone(&self.rows),
            plain_files: PlainFiles::Refused,
            data_key: self.data_key.clone(),
        }
    }

    /// Whether a plain file is read, too.
    pub fn accepts_plain(&self) -> bool {
        self.plain_files == PlainFiles::Accepted
    }

    /// Where the segments are written.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::<EncryptedDisk>::clone(&self.disk)
    }

    pub(crate) fn encrypted_disk(&self) -> &Arc<EncryptedDisk> {
        &self.disk
    }

    /// What seals the query store.
    pub fn store(&self) -> Arc<StoreSeal> {
        Arc::clone(&self.store)
    }

    /// What seals rows of a database.
    pub fn rows(&self) -> Arc<RowSeal> {
        Arc::clone(&self.rows)
    }

    fn of(&self, room: Room) -> &Seal {
        match room {
            Room::Private => &self.private,
            Room::Reports => &self.reports,
            Room::Bundles => &self.bundles,
        }
    }

    /// The bytes of a small file that holds this content.
    pub fn seal(&self, room: Room, name: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut out = MAGIC.to_vec();
        self.of(room).seal(&bound(room, name), content, &mut out)?;
        Ok(out)
    }

    /// The content of a small file; nothing where it does not open under this name.
    pub fn open(&self, room: Room, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        self.of(room).open(&bound(room, name), bytes.strip_prefix(&MAGIC)?)
    }
}

fn bound(room: Room, name: &str) -> Vec<u8> {
    [&MAGIC, room.folder().as_bytes(), b"/", name.as_bytes()].concat()
}

/// Seals what the query store holds.
pub struct StoreSeal {
    values: Seal,
    names: Key,
}

impl fmt::Debug for StoreSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSeal(withheld)")
    }
}

impl StoreSeal {
    /// What stands for a name in a key: the same each time, of one length.
    pub fn name(&self, name: &[u8]) -> Vec<u8> {
        subkey(&self.names, name).get(..NAME_BYTES).unwrap_or_default().to_vec()
    }

    /// A value under this key.
    pub fn seal(&self, key: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::new();
        self.values.seal(key, value, &mut out).map(|()| out)
    }

    /// The value, if it was sealed under this key.
    pub fn open(&self, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.values.open(key, sealed)
    }
}

/// Seals what a database holds.
pub struct RowSeal(Seal);

impl fmt::Debug for RowSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowSeal(withheld)")
    }
}

impl RowSeal {
    /// With a key made of another one for this purpose.
    pub fn of_key(key: &[u8; 32], purpose: &str) -> Self {
        Self(Seal::new(&subkey(key, purpose.as_bytes())))
    }

    /// A row's bytes for this place and no other.
    pub fn seal(&self, place: &str, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::new();
        self.0.seal(place.as_bytes(), bytes, &mut out).map(|()| out)
    }

    /// The bytes, if they were sealed for this place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open(place.as_bytes(), sealed)
    }
}

/// Keys of a practice that does not exist.
#[cfg(test)]
pub(crate) fn for_tests(byte: u8) -> Keys {
    Keys::new(&Key::new([byte; 32]), PlainFiles::Refused)
}

#[cfg(test)]
mod tests {
    use super::for_tests as keys;
    use super::*;

    #[test]
    fn a_file_opens_with_its_key_under_its_name_and_unchanged_only() {
        let (keys, others) = (keys(1), keys(2));
        let sealed = keys.seal(Room::Private, "log.key", b"seed").unwrap();
        assert!(is_sealed(&sealed) && !sealed.windows(4).any(|window| window == b"seed"));
        assert_eq!(keys.open(Room::Private, "log.key", &sealed).as_deref(), Some(&b"seed"[..]));
        assert_eq!(keys.open(Room::Private, "bundle.key", &sealed), None, "under another name");
        assert_eq!(keys.open(Room::Reports, "log.key", &sealed), None, "in another folder");
        assert_eq!(others.open(Room::Private, "log.key", &sealed), None, "with another key");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(keys.open(Room::Private, "log.key", &flipped), None, "byte {at}");
            assert_eq!(keys.open(Room::Private, "log.key", &sealed[..at]), None, "cut at {at}");
        }
        assert_ne!(sealed, keys.seal(Room::Private, "log.key", b"seed").unwrap(), "a nonce of its own");
    }

    #[test]
    fn a_value_of_the_store_opens_under_its_key_only_and_names_are_the_same_each_time() {
        let (store, other) = (keys(1).store(), keys(2).store());
        let sealed = store.seal(b"b1", b"value").unwrap();
        assert_eq!(store.open(b"b1", &sealed).as_deref(), Some(&b"value"[..]));
        assert_eq!((store.open(b"b2", &sealed), other.open(b"b1", &sealed)), (None, None));
        assert_eq!(store.name(b"agent/ws-01"), store.name(b"agent/ws-01"));
        assert_ne!(store.name(b"agent/ws-01"), other.name(b"agent/ws-01"));
    }
}
