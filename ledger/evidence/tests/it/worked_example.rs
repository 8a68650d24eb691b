//! The worked example of the formats, made again from its seeds and event strings and compared in every string.

use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::bundle::range::subtrees;
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::checkpoint::{Checkpoint, cosign, cosigned_at};
use ntk_evidence::entry::{BatchKey, Entry, Part};
use ntk_evidence::hash::{Hash, hex, unhex};
use ntk_evidence::merkle::{CompactRange, leaf_hash, verify_consistency, verify_inclusion};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner, SignedNote};
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::tree::{MemoryTree, consistency_proof, inclusion_proof, root};
use ntk_evidence::witness::{AddCheckpoint, WitnessError, consider};
use ntk_evidence::{receipt::SeenCheckpoint, words};
use serde_json::{Value, json};

const EXAMPLE: &str = include_str!("../../fixtures/ledger-example.json");

fn bytes32(value: &Value) -> [u8; 32] {
    unhex(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// Everything that the example holds, made from what cannot be derived: seeds, batch keys, event strings.
struct Example {
    given: Value,
    slug: Slug,
    agent: NoteSigner,
    log: NoteSigner,
    witness: NoteSigner,
    batches: Vec<SealedBatch>,
    logs: Vec<AuthorLog>,
    tree: MemoryTree,
}

impl Example {
    fn made() -> Self {
        let given: Value = serde_json::from_str(EXAMPLE).unwrap();
        let slug = Slug::new("maple-street", &bytes32(&given["practice_public_key"])).unwrap();
        let author = Author::agent("ws-01").unwrap();
        let signer = |name: &str, key: &str, key_type| {
            NoteSigner::new(name, key_type, &bytes32(&given["keys"][key]["seed"])).unwrap()
        };
        let agent = signer(&slug.author_origin(&author), "agent_epoch_0", KeyType::Ed25519);
        let log = signer(&slug.log_origin(), "log", KeyType::Ed25519);
        let witness = signer(&slug.witness_name("ws-01"), "witness", KeyType::CosignatureV1);
        let mut logs = vec![AuthorLog::new(&slug, author, agent.verifier().clone())];
        let mut batches = Vec::new();
        for batch in given["batches"].as_array().unwrap() {
            let entries = batch["entries"].as_array().unwrap().iter().map(|entry| {
                let part = |name: &str| entry[name].as_str().unwrap().as_bytes().to_vec();
                Entry::from_parts([part("core"), part("paths"), part("command")]).unwrap()
            });
            let key = BatchKey::new(bytes32(&batch["batch_key"]));
            let (sealed, next) = logs.last().unwrap().seal(entries.collect(), key, &agent).unwrap();
            batches.push(sealed);
            logs.push(next);
        }
        let tree = MemoryTree::of(batches.iter().map(|batch| leaf_hash(&batch.note)));
        Self { given, slug, agent, log, witness, batches, logs, tree }
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint { origin: self.slug.log_origin(), size, root: root(&self.tree, size).unwrap() }
    }

    fn note(&self, size: u64) -> String {
        self.checkpoint(size).sign(&self.log).unwrap()
    }

    fn cosigned(&self) -> String {
        let time = self.given["log"]["cosignature_time"].as_u64().unwrap();
        format!("{}{}", self.note(3), cosign(&self.checkpoint(3).text(), time, &self.witness))
    }

    fn proof(&self, index: u64) -> TlogProof {
        TlogProof {
            index,
            hashes: inclusion_proof(&self.tree, index, 3).unwrap(),
            checkpoint: self.cosigned(),
        }
    }

    fn add_checkpoint(&self) -> AddCheckpoint {
        AddCheckpoint {
            old: 1,
            proof: consistency_proof(&self.tree, 1, 3).unwrap(),
            checkpoint: self.note(3),
        }
    }

    fn leaves(&self) -> Vec<Hash> {
        self.batches.iter().flat_map(|batch| batch.leaves().collect::<Vec<_>>()).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let leaves = self.leaves();
        let shown = Row::disclosed(2, &self.batches[0].entries[2], &self.batches[0].key, Paths::Withheld);
        vec![Row::withheld(1, leaves[1]), shown, Row::withheld(3, leaves[3])]
    }

    fn json(&self) -> Value {
        let key = |signer: &NoteSigner, name: &str| json!({"vkey": signer.verifier().to_string(), "seed": self.given["keys"][name]["seed"]});
        let batches = self.batches.iter().zip(&self.logs[1..]).map(|(batch, after)| {
            let entries = batch.numbered().map(|(number, entry)| {
                json!({
                    "number": number,
                    "core": entry.part(Part::Core), "paths": entry.part(Part::Paths), "command": entry.part(Part::Command),
                    "salts": Part::ALL.map(|part| hex(&batch.key.salt(number, part))),
                    "commitments": batch.key.commitments(number, entry),
                    "leaf_hash": batch.key.leaf(number, entry),
                })
            });
            json!({
                "first": batch.first, "size": batch.size(), "batch_key": hex(batch.key.as_bytes()),
                "entries": entries.collect::<Vec<_>>(), "root": after.range().root(),
                "compact_range_after": subtrees(after.range()), "note": String::from_utf8(batch.note.clone()).unwrap(),
            })
        });
        let before = CompactRange::of(&self.leaves()[..1]).unwrap();
        json!({
            "practice_public_key": self.given["practice_public_key"],
            "slug": self.slug.as_str(),
            "keys": {
                "agent_epoch_0": key(&self.agent, "agent_epoch_0"),
                "log": key(&self.log, "log"),
                "witness": key(&self.witness, "witness"),
            },
            "batches": batches.collect::<Vec<_>>(),
            "log": {
                "leaf_hashes": self.batches.iter().map(|batch| leaf_hash(&batch.note)).collect::<Vec<_>>(),
                "checkpoints": {"1": self.note(1), "2": self.note(2), "3": self.note(3)},
                "cosignature_time": self.given["log"]["cosignature_time"],
                "checkpoint_3_cosigned": self.cosigned(),
                "inclusion": (0..3).map(|index| inclusion_proof(&self.tree, index, 3).unwrap()).collect::<Vec<_>>(),
                "consistency_1_to_3": consistency_proof(&self.tree, 1, 3).unwrap(),
                "consistency_2_to_3": consistency_proof(&self.tree, 2, 3).unwrap(),
                "tlog_proofs": (0..3).map(|index| self.proof(index).to_string()).collect::<Vec<_>>(),
                "add_checkpoint_body_from_1": self.add_checkpoint().to_string(),
            },
            "redacted_range": {
                "range": [1, 4],
                "compact_range_before": subtrees(&before),
                "rows": self.rows(),
                "root_at_4": CompactRange::of(&self.leaves()[..4]).unwrap().root(),
            },
            "words": {
                "practice_key": words::of_key(&bytes32(&self.given["practice_public_key"])),
                "checkpoint_3": words::of_checkpoint(&self.checkpoint(3).text()),
            },
        })
    }
}

#[test]
fn the_worked_example_is_made_again_in_every_string() {
    let example = Example::made();
    let made = example.json();
    for (name, part) in example.given.as_object().unwrap() {
        assert_eq!(made[name], *part, "{name}");
    }
    assert_eq!(made, example.given);
    for entry in example.batches.iter().flat_map(|batch| &batch.entries) {
        assert_eq!(Entry::freeze(entry.event().unwrap()).unwrap(), *entry, "frozen again: the same bytes");
    }
}

#[test]
fn rows_read_back_byte_for_byte_and_lead_to_the_root() {
    let example = Example::made();
    let redacted = &example.given["redacted_range"];
    let mut range = CompactRange::of(&example.leaves()[..1]).unwrap();
    for (row, given) in example.rows().into_iter().zip(redacted["rows"].as_array().unwrap()) {
        let read: Row = serde_json::from_value(given.clone()).unwrap();
        assert_eq!(read, row);
        assert_eq!(serde_json::from_str::<Row>(row.line().trim_end()).unwrap().line(), row.line());
        range.append(read.leaf_hash()).unwrap();
    }
    assert_eq!(json!(range.root()), redacted["root_at_4"]);
    let shown = example.rows()[1].event().unwrap().unwrap();
    assert_eq!(shown.object.unwrap().path, None, "the path is blacked out");
}

#[test]
fn a_flipped_dropped_or_swapped_row_leads_to_another_root() {
    let example = Example::made();
    let wanted = CompactRange::of(&example.leaves()[..4]).unwrap().root();
    let root_of = |rows: &[Row]| {
        let mut range = CompactRange::of(&example.leaves()[..1]).unwrap();
        rows.iter().for_each(|row| range.append(row.leaf_hash()).unwrap());
        range.root()
    };
    let rows = example.rows();
    assert_eq!(root_of(&rows), wanted);
    assert_ne!(root_of(&rows[1..]), wanted, "dropped");
    assert_ne!(root_of(&rows[..2]), wanted, "cut");
    assert_ne!(root_of(&[rows[1].clone(), rows[0].clone(), rows[2].clone()]), wanted, "swapped");
    let line = rows[1].line();
    for (from, to) in
        [("itadmin1", "itadmin2"), ("9d40", "9d41"), ("71de", "71df"), ("\"text\":\"\"", "\"text\":\" \"")]
    {
        let changed: Row = serde_json::from_str(&line.replacen(from, to, 1)).unwrap();
        assert_ne!(root_of(&[rows[0].clone(), changed, rows[2].clone()]), wanted, "{from} -> {to}");
    }
}

#[test]
fn proofs_and_signatures_of_the_example_hold_and_their_neighbours_do_not() {
    let example = Example::made();
    let (log, three) = (example.log.verifier(), example.checkpoint(3));
    for (index, batch) in (0u64..).zip(&example.batches) {
        let proof = TlogProof::parse(&example.proof(index).to_string()).unwrap();
        assert_eq!(proof.verify(&batch.note, log), Ok(three.clone()));
        let mut flipped = batch.note.clone();
        flipped[50] ^= 1;
        assert!(proof.verify(&flipped, log).is_err(), "note flipped");
        assert!(proof.verify(&batch.note, example.agent.verifier()).is_err(), "other key");
        let other = TlogProof { index: (index + 1) % 3, ..proof.clone() };
        assert!(other.verify(&batch.note, log).is_err(), "other place");
        let mut hashes = proof.hashes.clone();
        hashes.pop();
        assert!(
            verify_inclusion(&leaf_hash(&batch.note), index, 3, &hashes, &three.root).is_err(),
            "hash dropped"
        );
    }
    let mut swapped = consistency_proof(&example.tree, 1, 3).unwrap();
    swapped.swap(0, 1);
    assert!(verify_consistency(1, 3, &swapped, &example.checkpoint(1).root, &three.root).is_err(), "swapped");

    let cosigned = SignedNote::parse(example.cosigned().as_bytes()).unwrap();
    assert_eq!(cosigned_at(&cosigned, example.witness.verifier()), Ok(1_795_209_000));
    let line = example.cosigned();
    let later = line.replace("2FEC0QAAAABrALco", "2FEC0QAAAABrALcp");
    assert_ne!(line, later);
    assert!(
        cosigned_at(&SignedNote::parse(later.as_bytes()).unwrap(), example.witness.verifier()).is_err(),
        "time moved"
    );
}

#[test]
fn a_witness_takes_the_body_from_its_size_and_refuses_every_other() {
    let example = Example::made();
    let log = example.log.verifier();
    let body =
        AddCheckpoint::parse(example.given["log"]["add_checkpoint_body_from_1"].as_str().unwrap()).unwrap();
    assert_eq!(body, example.add_checkpoint());
    let one = SeenCheckpoint::recall(example.note(1).as_bytes(), log).unwrap();
    let (seen, accepted) = consider(Some(&one), &body, log).unwrap();
    assert_eq!(seen.checkpoint(), &example.checkpoint(3));
    let line = accepted.cosign(1_795_209_000, &example.witness);
    assert_eq!(format!("{}{line}", example.note(3)), example.cosigned());
    assert_eq!(consider(None, &body, log).err(), Some(WitnessError::Conflict(0)));
    assert_eq!(consider(Some(&seen), &body, log).err(), Some(WitnessError::Conflict(3)));
    let fork = Checkpoint { root: Hash::of(b"fork"), ..example.checkpoint(3) }.sign(&example.log).unwrap();
    let forked = AddCheckpoint { checkpoint: fork, ..body };
    assert!(matches!(consider(Some(&one), &forked, log), Err(WitnessError::Inconsistent(_))));
}
