//! Time-stamps of a bundle: good ones pass and say the time; each forgery is seen by the check of that name.

use ntk_evidence::bundle::{self, time_stamp_path};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::{Status, check};
use ntk_evidence::hash::Hash;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::tree::{consistency_proof, root};

use crate::attacks::forged;
use crate::practice::{Draft, Practice, nothing};

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    assert!(value.len() < 65_536);
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, high, low], value].concat()
}

/// A granted response over this imprint; nobody signed it, which is not for this check to see.
fn response(imprint: &Hash) -> Vec<u8> {
    let oid = |text: &str| tlv(6, &ntk_evidence::hash::unhex(text).unwrap());
    let imprint = tlv(0x30, &[tlv(0x30, &oid("608648016503040201")), tlv(4, imprint.as_bytes())].concat());
    let parts = [tlv(2, &[1]), oid("2a030401"), imprint, tlv(2, &[9]), tlv(0x18, b"20261120220000Z")];
    let info = tlv(0x30, &parts.concat());
    let content = tlv(0x30, &[oid("2a864886f70d0109100104"), tlv(0xa0, &tlv(4, &info))].concat());
    let signed = tlv(0x30, &[tlv(2, &[3]), tlv(0x31, b""), content].concat());
    let token = tlv(0x30, &[oid("2a864886f70d010702"), tlv(0xa0, &signed)].concat());
    tlv(0x30, &[tlv(0x30, &tlv(2, &[0])), token].concat())
}

/// The log's note at a size, its response and its way to the final checkpoint.
fn stamped(p: &Practice, size: u64, signer: &NoteSigner) -> [(String, Vec<u8>); 3] {
    let root = root(&p.tree, size).unwrap();
    let note = Checkpoint { origin: p.keys.slug.log_origin(), size, root }.sign(signer).unwrap();
    let proof = consistency_proof(&p.tree, size, p.tree.size()).unwrap();
    let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    [
        (time_stamp_path(size, ".tsr"), response(&Hash::of(note.as_bytes()))),
        (time_stamp_path(size, ".txt"), note.into_bytes()),
        (time_stamp_path(size, ".consistency"), lines.into_bytes()),
    ]
}

#[test]
fn a_stamped_checkpoint_passes_and_its_time_is_told() {
    let p = Practice::new();
    let mut draft = p.draft();
    draft.files.extend(stamped(&p, 3, &p.keys.log));
    draft.files.insert(bundle::TIME_STAMP_CHAIN.into(), b"a certificate\n".to_vec());
    let verification = check(&p.seal(draft), Some(p.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    let told = &verification.checks.iter().find(|check| check.name == "time-stamps").unwrap().sentence;
    assert!(
        told.starts_with("the log at size 3 existed by 2026-11-20T22:00:00Z (policy 1.2.3.4.1)"),
        "{told}"
    );
}

#[test]
fn every_forged_time_stamp_is_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    let with = |edit: fn(&mut Draft)| {
        let files = stamped(&p, 3, &p.keys.log);
        move |d: &mut Draft| {
            d.files.extend(files);
            edit(d);
        }
    };
    let put = |d: &mut Draft, suffix: &str, bytes: Vec<u8>| {
        drop(d.files.insert(time_stamp_path(3, suffix), bytes));
    };
    // Over another text; damaged; dropped; left alone; moved to another size; on a log that was not continued.
    forged(&p, "time-stamps", Altered, |d| {
        with(|_| ())(d);
        put(d, ".tsr", response(&nothing()));
    });
    forged(&p, "time-stamps", Altered, |d| {
        with(|_| ())(d);
        put(d, ".tsr", b"no response".to_vec());
    });
    forged(&p, "time-stamps", Incomplete, with(|d| drop(d.files.remove(&time_stamp_path(3, ".tsr")))));
    forged(&p, "time-stamps", Incomplete, with(|d| drop(d.files.remove(&time_stamp_path(3, ".txt")))));
    forged(
        &p,
        "time-stamps",
        Incomplete,
        with(|d| drop(d.files.remove(&time_stamp_path(3, ".consistency")))),
    );
    forged(&p, "time-stamps", Altered, |d| {
        let moved = stamped(&p, 3, &p.keys.log).map(|(path, bytes)| (path.replace("/3.", "/2."), bytes));
        d.files.extend(moved);
    });
    forged(&p, "time-stamps", Altered, |d| {
        with(|_| ())(d);
        put(d, ".consistency", format!("{}\n", nothing().to_base64()).into_bytes());
    });
    let thief = NoteSigner::new(&p.keys.slug.log_origin(), KeyType::Ed25519, &[66; 32]).unwrap();
    forged(&p, "time-stamps", NotVerifiable, |d| d.files.extend(stamped(&p, 3, &thief)));
    // Rows between the notes that place them, under a range that ends before it begins.
    forged(
        &p,
        "time-stamps",
        Altered,
        with(|d| {
            d.files.insert(bundle::BRACKETS.into(), b"author,first,last\n".to_vec());
            (d.ranges[1].first, d.ranges[1].size) = (8, 3);
        }),
    );
}
