//! The witness in one file: it remembers, it refuses, and it never answers before its state is on disk.

use std::fs;
use std::path::{Path, PathBuf};

use ntk_evidence::checkpoint::{Checkpoint, cosigned_at};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::leaf_hash;
use ntk_evidence::note::{SignedNote, VerifierKey};
use ntk_evidence::tree::{MemoryTree, consistency_proof, root};
use ntk_evidence::witness::AddCheckpoint;
use tempfile::TempDir;

use crate::practice::Keys;
use crate::{code, err, ntk_verify, out, text};

struct Scene {
    dir: TempDir,
    keys: Keys,
    tree: MemoryTree,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::of(40);
    fs::write(dir.path().join("trust.txt"), keys.trust_text()).unwrap();
    Scene { dir, keys, tree: MemoryTree::of((0..9u8).map(|n| leaf_hash(&[n]))) }
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The log is closed at a size and goes on with other leaves under another key: the trust file that announces it.
    fn restore(&mut self, size: u64) -> PathBuf {
        self.keys.close(size, root(&self.tree, size).unwrap());
        let kept = (0..u8::try_from(size).unwrap()).map(|n| leaf_hash(&[n]));
        self.tree = MemoryTree::of(kept.chain((100..110u8).map(|n| leaf_hash(&[n]))));
        let path = self.path("restored.txt");
        fs::write(&path, self.keys.trust_text()).unwrap();
        path
    }

    fn told(&self, trust: &Path, more: &[&str]) -> (i32, String) {
        let state = self.path("usb.state");
        let asked = [&["witness", "--state", text(&state), "--trust", text(trust)], more].concat();
        let done = ntk_verify(&asked);
        (code(&done), err(&done))
    }

    fn note(&self, size: u64) -> String {
        let root = root(&self.tree, size).unwrap();
        Checkpoint { origin: self.keys.slug.log_origin(), size, root }.sign(&self.keys.log).unwrap()
    }

    fn body(&self, old: u64, size: u64) -> PathBuf {
        let proof = if old == 0 || old == size {
            Vec::new()
        } else {
            consistency_proof(&self.tree, old, size).unwrap()
        };
        self.write(&AddCheckpoint { old, proof, checkpoint: self.note(size) })
    }

    fn write(&self, body: &AddCheckpoint) -> PathBuf {
        let path = self.path("body.txt");
        fs::write(&path, body.to_string()).unwrap();
        path
    }

    fn add(&self, body: &Path) -> (i32, String, String) {
        let done = ntk_verify(&["witness", "--state", text(&self.path("usb.state")), text(body)]);
        (code(&done), out(&done), err(&done))
    }

    fn key(&self) -> VerifierKey {
        let (state, trust) = (self.path("usb.state"), self.path("trust.txt"));
        let done =
            ntk_verify(&["witness", "--state", text(&state), "--trust", text(&trust), "--name", "usb"]);
        assert_eq!(code(&done), 0, "{}", err(&done));
        VerifierKey::parse(out(&done).trim_end()).unwrap()
    }
}

#[test]
fn a_witness_cosigns_what_continues_and_refuses_everything_else() {
    let scene = scene();
    let key = scene.key();
    assert_eq!(key.name(), scene.keys.slug.witness_name("usb"));
    assert_eq!(scene.key(), key, "the key is kept");
    for (old, size) in [(0, 3), (3, 3), (3, 7)] {
        let (code, line, said) = scene.add(&scene.body(old, size));
        assert_eq!(code, 0, "{old} -> {size}: {said}");
        let note = format!("{}{line}", scene.note(size));
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        assert!(cosigned_at(&note, &key).unwrap() > 1_700_000_000);
    }
    let before = fs::read(scene.path("usb.state")).unwrap();
    let (code, line, said) = scene.add(&scene.body(3, 9));
    assert_eq!((code, line.as_str()), (1, ""));
    assert!(said.contains("conflict: this witness remembers size 7"), "{said}");
    let (code, line, _) = scene.add(&scene.body(0, 9));
    assert_eq!((code, line.as_str()), (1, ""), "starting again is a conflict");

    let fork = Checkpoint { origin: scene.keys.slug.log_origin(), size: 9, root: Hash::of(b"fork") };
    let forked = AddCheckpoint {
        old: 7,
        proof: consistency_proof(&scene.tree, 7, 9).unwrap(),
        checkpoint: fork.sign(&scene.keys.log).unwrap(),
    };
    let (code, line, said) = scene.add(&scene.write(&forked));
    assert_eq!((code, line.as_str()), (1, ""), "{said}");
    let kept = fs::read_to_string(scene.path("usb.state.contradiction")).unwrap();
    assert!(kept.contains(&scene.note(7)) && kept.contains(&forked.checkpoint), "both checkpoints are kept");

    let stranger = AddCheckpoint { checkpoint: fork.sign(&Keys::of(90).log).unwrap(), ..forked };
    assert_eq!(scene.add(&scene.write(&stranger)).0, 1);
    assert_eq!(fs::read(scene.path("usb.state")).unwrap(), before, "a refusal changes nothing");
    assert_eq!(scene.add(&scene.body(7, 9)).0, 0, "and the witness goes on");
}

#[test]
fn the_first_use_needs_the_logs_key_and_a_later_one_no_other() {
    let scene = scene();
    let state = scene.path("usb.state");
    let body = scene.body(0, 3);
    let (code_, _, said) = scene.add(&body);
    assert_eq!(code_, 64);
    assert!(said.contains("--log-key"), "{said}");
    assert!(!state.exists());
    let log = scene.keys.log.verifier().to_string();
    let done = ntk_verify(&["witness", "--state", text(&state), "--log-key", &log, text(&body)]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    assert!(err(&done).contains("--witness maple-street."));
    let other = Keys::of(90).log.verifier().to_string();
    let done = ntk_verify(&["witness", "--state", text(&state), "--log-key", &other, text(&body)]);
    assert_eq!(code(&done), 64);
    for wrong in ["", "noise", "old x\n\n", "old 3\n"] {
        fs::write(&body, wrong).unwrap();
        assert_eq!(scene.add(&body).0, 1, "{wrong:?}");
    }
}

#[test]
fn a_witness_goes_on_behind_an_announced_restore_and_keeps_what_it_saw_beyond() {
    for (saw, closed) in [(7, 4), (4, 4), (3, 4), (0, 4)] {
        let mut scene = scene();
        let key = scene.key();
        if saw > 0 {
            assert_eq!(scene.add(&scene.body(0, saw)).0, 0);
        }
        let before = fs::read(scene.path("usb.state")).unwrap();
        let old_note = scene.note(7);
        let trust = scene.restore(closed);
        // The new log alone says nothing; the announcement is told first, and taken only when it is asked for.
        assert_eq!(scene.add(&scene.body(saw.min(closed), 9)).0, 1);
        let (code, said) = scene.told(&trust, &[]);
        assert!(code == 1 && said.contains("closed at 4 batches") && said.contains("compare it"), "{said}");
        assert_eq!(fs::read(scene.path("usb.state")).unwrap(), before, "nothing was taken in");
        let (code, said) = scene.told(&trust, &["--restored"]);
        assert_eq!(code, 0, "{said}");
        let remembered = saw.min(closed);
        assert!(said.contains(&format!("goes on behind size {remembered}")), "{said}");
        let aside = fs::read_to_string(scene.path("usb.state.closed-4")).unwrap_or_default();
        assert_eq!(
            aside,
            if saw > closed { old_note } else { String::new() },
            "what was seen beyond is kept"
        );
        // Only what continues the root that the practice key named, under the key that goes on.
        let fork = Checkpoint { origin: scene.keys.slug.log_origin(), size: 9, root: Hash::of(b"fork") };
        let signed = |log: &ntk_evidence::note::NoteSigner| fork.sign(log).unwrap();
        if remembered > 0 {
            let proof = consistency_proof(&scene.tree, remembered, 9).unwrap();
            let forked = AddCheckpoint { old: remembered, proof, checkpoint: signed(&scene.keys.log) };
            assert_eq!(scene.add(&scene.write(&forked)).0, 1);
            let closed = AddCheckpoint { checkpoint: signed(&scene.keys.closed[0].0), ..forked };
            assert_eq!(scene.add(&scene.write(&closed)).0, 1, "the closed log's key signs nothing more");
        }
        let (code, line, said) = scene.add(&scene.body(remembered, 9));
        assert_eq!(code, 0, "{saw}: {said}");
        let note = format!("{}{line}", scene.note(9));
        assert!(cosigned_at(&SignedNote::parse(note.as_bytes()).unwrap(), &key).is_ok(), "the same witness");
        assert_eq!(scene.add(&scene.body(9, 11)).0, 0);
        assert_eq!(scene.told(&trust, &[]).0, 0, "and today's trust file is its own");
    }
}

#[test]
fn a_witness_takes_no_other_log_than_one_that_leads_on_from_its_own() {
    let mut scene = scene();
    scene.key();
    assert_eq!(scene.add(&scene.body(0, 4)).0, 0);
    let before = fs::read(scene.path("usb.state")).unwrap();
    let refused = |scene: &Scene, trust: &str, expected: i32| {
        let path = scene.path("other.txt");
        fs::write(&path, trust).unwrap();
        let (code, said) = scene.told(&path, &["--restored"]);
        assert_eq!(code, expected, "{said}");
        assert_eq!(fs::read(scene.path("usb.state")).unwrap(), before);
    };
    refused(&scene, &Keys::of(90).trust_text(), 64);
    scene.restore(4);
    let signed = |edit: &dyn Fn(&mut ntk_evidence::trust::TrustFile)| {
        let mut trust = scene.keys.trust.clone();
        edit(&mut trust);
        trust.sign(&scene.keys.practice).unwrap()
    };
    refused(&scene, &signed(&|trust| trust.restored.clear()), 64);
    refused(&scene, &signed(&|trust| trust.restored[0].root = Hash::of(b"another")), 1);
    refused(&scene, &scene.keys.trust.sign(&Keys::of(90).practice).unwrap(), 64);
}

#[test]
fn a_damaged_state_is_refused_and_never_begun_anew() {
    let scene = scene();
    scene.key();
    assert_eq!(scene.add(&scene.body(0, 3)).0, 0);
    let state = scene.path("usb.state");
    let whole = fs::read(&state).unwrap();
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged.truncate(place);
        fs::write(&state, &damaged).unwrap();
        let (code, line, _) = scene.add(&scene.body(0, 5));
        assert!(code != 0 && line.is_empty(), "cut at {place}");
    }
    fs::write(&state, &whole).unwrap();
    assert_eq!(scene.add(&scene.body(3, 5)).0, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn nothing_is_answered_when_the_state_cannot_be_written() {
    let scene = scene();
    scene.key();
    // The new state is written beside the old one: a folder in its place makes that fail, even for root.
    fs::create_dir(scene.path("usb.state.new")).unwrap();
    let (code, line, said) = scene.add(&scene.body(0, 3));
    assert_eq!((code, line.as_str()), (64, ""), "{said}");
    fs::remove_dir(scene.path("usb.state.new")).unwrap();
    assert_eq!(scene.add(&scene.body(0, 3)).0, 0);
}
