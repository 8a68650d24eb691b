//! Vectors that others made: Merkle proofs good and bad, and an older prototype's notes and proofs for parsing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ntk_evidence::checkpoint::{Checkpoint, cosigned_at};
use ntk_evidence::hash::{Hash, unbase64};
use ntk_evidence::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use ntk_evidence::note::{KeyType, SignedNote, VerifierKey};
use ntk_evidence::tlog_proof::TlogProof;
use serde_json::Value;

/// The folder of shared vectors; when it is not there the test says so where skips are counted.
pub(crate) fn shared(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("NTK_SHARED").map_or(beside, PathBuf::from).join("data/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {test}: no vectors in {}", folder.display());
    if let Some(skips) = std::env::var_os("NTK_SKIPS") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(skips).unwrap();
        writeln!(file, "{test}: no shared vectors").unwrap();
    }
    None
}

/// All files below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn hash(value: &Value) -> Result<Hash, ()> {
    let bytes = value.as_str().map_or(Some(Vec::new()), unbase64).unwrap_or_default();
    bytes.try_into().map(Hash::from_bytes).map_err(|_: Vec<u8>| ())
}

fn hashes(value: &Value) -> Result<Vec<Hash>, ()> {
    value.as_array().map_or(Ok(Vec::new()), |list| list.iter().map(hash).collect())
}

fn number(value: &Value) -> Result<u64, ()> {
    value.as_u64().ok_or(())
}

#[test]
fn transparency_dev_inclusion_and_consistency() {
    let Some(shared) = shared("transparency_dev_inclusion_and_consistency") else { return };
    let mut counted = [0; 2];
    for path in files_below(&shared.join("merkle/testdata/inclusion")) {
        let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let judge = || {
            let proof = hashes(&case["proof"])?;
            let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
            verify_inclusion(&leaf, number(&case["leafIdx"])?, number(&case["treeSize"])?, &proof, &root)
                .map_err(drop)
        };
        assert_eq!(
            judge().is_err(),
            case["wantErr"].as_bool().unwrap_or(false),
            "{}: {}",
            path.display(),
            case["desc"]
        );
        counted[0] += 1;
    }
    for path in files_below(&shared.join("merkle/testdata/consistency")) {
        let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let judge = || {
            let proof = hashes(&case["proof"])?;
            // Some cases have roots that are no hashes; only whether they are equal matters there.
            let any = |root: &Value| hash(root).unwrap_or_else(|()| Hash::of(root.to_string().as_bytes()));
            let (old, new) = (any(&case["root1"]), any(&case["root2"]));
            verify_consistency(number(&case["size1"])?, number(&case["size2"])?, &proof, &old, &new)
                .map_err(drop)
        };
        let wanted = case["wantErr"].as_bool().unwrap_or(false);
        // Size 0 is refused here on purpose: a witness that remembers nothing starts before the check.
        let wanted = wanted || case["size1"].as_u64() == Some(0);
        assert_eq!(judge().is_err(), wanted, "{}: {}", path.display(), case["desc"]);
        counted[1] += 1;
    }
    println!("{counted:?} cases");
    assert!(counted[0] > 50 && counted[1] > 50, "{counted:?}");
}

#[test]
fn sigsum_inclusion() {
    let Some(shared) = shared("sigsum_inclusion") else { return };
    for (file, good) in [("inclusion-valid.json", true), ("inclusion-invalid.json", false)] {
        let cases: Value =
            serde_json::from_slice(&fs::read(shared.join("sigsum").join(file)).unwrap()).unwrap();
        let cases = cases.as_array().unwrap();
        assert!(!cases.is_empty());
        for (at, case) in cases.iter().enumerate() {
            let judge = || {
                let read = |value: &Value| {
                    value
                        .as_str()
                        .and_then(|text| Hash::from_hex(text).or_else(|_| Hash::from_base64(text)).ok())
                };
                let field = |names: [&str; 3]| names.into_iter().find_map(|name| case.get(name));
                let leaf = field(["leaf_hash", "leaf", "leafHash"]).and_then(read)?;
                let root = field(["root_hash", "root", "rootHash"]).and_then(read)?;
                let index = field(["leaf_index", "index", "leafIdx"])?.as_u64()?;
                let size = field(["tree_size", "size", "treeSize"])?.as_u64()?;
                let path = field(["path", "inclusion_path", "proof"])?;
                let path =
                    path.as_array().map_or(Some(Vec::new()), |list| list.iter().map(read).collect())?;
                verify_inclusion(&leaf, index, size, &path, &root).ok()
            };
            assert_eq!(judge().is_some(), good, "{file} {at}: {case}");
        }
    }
}

#[test]
fn an_older_prototypes_notes_cosignatures_and_proofs_are_read() {
    let Some(shared) = shared("an_older_prototypes_notes_cosignatures_and_proofs_are_read") else { return };
    let read = |name: &str| fs::read(shared.join("worked-example").join(name)).unwrap();
    let vkeys = String::from_utf8(read("vkeys")).unwrap();
    let keys: Vec<VerifierKey> =
        vkeys.split_whitespace().filter_map(|word| VerifierKey::parse(word).ok()).collect();
    let log = keys.iter().find(|key| key.key_type() == KeyType::Ed25519).unwrap();
    let witnesses: Vec<_> = keys.iter().filter(|key| key.key_type() == KeyType::CosignatureV1).collect();
    assert!(!witnesses.is_empty(), "{vkeys}");
    let newest = Checkpoint::verify(&read("checkpoint"), log).unwrap();
    let older = Checkpoint::verify(&read("checkpoint.old"), log).unwrap();
    assert!(older.size < newest.size);
    let note = SignedNote::parse(&read("checkpoint")).unwrap();
    let cosigned = witnesses.iter().filter(|key| cosigned_at(&note, key).is_ok()).count();
    assert_eq!(cosigned, witnesses.len());

    let proof = TlogProof::parse(&String::from_utf8(read("leaf-12345.tlog-proof")).unwrap()).unwrap();
    assert_eq!(proof.index, 12345);
    let leaf = read("leaf-12345");
    assert_eq!(proof.verify(&leaf, log).map(|checkpoint| checkpoint.size), Ok(newest.size));
    let mut flipped = leaf.clone();
    flipped[0] ^= 1;
    assert!(proof.verify(&flipped, log).is_err());
    let _ = leaf_hash(&leaf);
}
