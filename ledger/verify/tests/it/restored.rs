//! Three verifiers and one announced restore: ours, the Python script and the Go program, which share no line, say the same
//! of a bundle from behind it and of everything that it does not explain.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::{self, restored_path, witnessed_consistency_path, witnessed_path};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use ntk_evidence::note::NoteSigner;
use ntk_evidence::tree::{consistency_proof, root};
use ntk_evidence::trust::TrustFile;
use serde_json::json;

use crate::agree::write;
use crate::practice::{Draft, Keys, Practice};
use crate::{code, err, ntk_verify, out, text};

/// What a verifier other than ours ends with, where its interpreter is here; `tests/run` installs both.
struct Others {
    python: Option<PathBuf>,
    go: Option<PathBuf>,
    scratch: tempfile::TempDir,
}

impl Others {
    fn find() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("NTK_PYTHON").map(PathBuf::from);
        // Compiled once: each bundle costs a start only.
        let program = scratch.path().join("check_proofs");
        let mut build = Command::new("go");
        build
            .env("GO111MODULE", "off")
            .env("GOPATH", "/usr/share/gocode")
            .arg("build")
            .arg("-o")
            .arg(&program);
        let built =
            build.arg(sources.join("check_proofs.go")).output().is_ok_and(|done| done.status.success());
        for (found, name) in [(python.is_some(), "Python (NTK_PYTHON)"), (built, "Go with x/mod")] {
            if !found {
                skipped(name);
            }
        }
        Self { python, go: built.then_some(program), scratch }
    }

    /// Runs all on a bundle; ours and the script end alike, with this code; and whether Go's packages accept the proofs.
    #[track_caller]
    fn agree(&self, name: &str, files: &Files, trust: &str, expected: i32, go_accepts: bool) {
        let bag = write(self.scratch.path(), name, files);
        let trust_path = self.scratch.path().join(format!("{name}.trust"));
        fs::write(&trust_path, trust).unwrap();
        let ours = ntk_verify(&[text(&bag), "--trust", text(&trust_path)]);
        assert_eq!(code(&ours), expected, "{name}: {}{}", out(&ours), err(&ours));
        if let Some(python) = &self.python {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify_bundle.py");
            let theirs =
                Command::new(python).arg(script).arg(&bag).arg("--trust").arg(&trust_path).output().unwrap();
            assert_eq!(code(&theirs), expected, "{name}: the script: {}{}", out(&theirs), err(&theirs));
            assert!(!err(&theirs).contains("Traceback"), "{name}: {}", err(&theirs));
        }
        if let Some(go) = &self.go {
            let mut run = Command::new(go);
            let theirs = run.arg(&bag).arg(&trust_path).output().unwrap();
            assert_eq!(theirs.status.success(), go_accepts, "{name}: Go: {}{}", out(&theirs), err(&theirs));
        }
    }
}

/// Says in the file that `tests/run` counts that a part of these tests was left out.
fn skipped(name: &str) {
    let line = format!("verify::restored: {name} is not here; tests/run installs it\n");
    print!("skipped: {line}");
    let Some(path) = std::env::var_os("NTK_SKIPS") else { return };
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

fn checkpoint(p: &Practice, size: u64, log: &NoteSigner) -> Vec<u8> {
    let root = root(&p.tree, size).unwrap();
    Checkpoint { origin: p.keys.slug.log_origin(), size, root }.sign(log).unwrap().into_bytes()
}

/// An older checkpoint as a witness outside would have cosigned it.
fn older(p: &Practice, draft: &mut Draft, size: u64, log: &NoteSigner) {
    let hashes = consistency_proof(&p.tree, size, p.tree.size()).unwrap();
    let lines: String = hashes.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    draft.files.insert(witnessed_path(size), checkpoint(p, size, log));
    draft.files.insert(witnessed_consistency_path(size), lines.into_bytes());
}

fn edited(p: &Practice, edit: impl FnOnce(&mut Draft)) -> Files {
    let mut draft = p.draft();
    edit(&mut draft);
    p.seal(draft)
}

#[test]
fn three_verifiers_accept_what_an_announced_restore_explains_and_refuse_the_same_of_the_rest() {
    let others = Others::find();
    let p = Practice::restored();
    let (trust, closed) = (p.keys.trust_text(), &p.keys.closed[0].0);
    others.agree("restored", &p.bundle(), &trust, 0, true);
    others.agree("older", &edited(&p, |d| older(&p, d, 3, closed)), &trust, 0, true);
    let mut before = Practice::new();
    others.agree("void", &before.bundle(), &trust, 3, false);
    before.cut(4);
    others.agree("before", &before.bundle(), &trust, 0, true);
    let mut twice = Practice::restored();
    twice.restore(2);
    twice.act("act_restored", json!({"size": 2}));
    for batch in Practice::new().batches.into_iter().skip(2).filter(|batch| batch.author.machine().is_some())
    {
        twice.again(batch);
    }
    others.agree("twice", &twice.bundle(), &twice.keys.trust_text(), 0, true);

    others.agree("void-witnessed", &edited(&p, |d| older(&p, d, 5, closed)), &trust, 3, false);
    others.agree("early", &edited(&p, |d| older(&p, d, 3, &p.keys.log)), &trust, 1, false);
    let weekly = |d: &mut Draft, size: u64, log: &NoteSigner| {
        older(&p, d, size, log);
        for (from, to) in [(witnessed_path(size), "txt"), (witnessed_consistency_path(size), "consistency")] {
            let moved = d.files.remove(&from).unwrap();
            d.files.insert(format!("{}2026-W47.{to}", bundle::WEEKLY), moved);
        }
    };
    others.agree("weekly", &edited(&p, |d| weekly(d, 3, closed)), &trust, 0, true);
    others.agree("weekly-void", &edited(&p, |d| weekly(d, 5, closed)), &trust, 3, false);
    others.agree("weekly-early", &edited(&p, |d| weekly(d, 3, &p.keys.log)), &trust, 1, false);
    let final_ = |d: &mut Draft, note: Vec<u8>| drop(d.files.insert(bundle::CHECKPOINT.into(), note));
    others.agree("void-final", &edited(&p, |d| final_(d, checkpoint(&p, 6, closed))), &trust, 3, false);
    let path = restored_path(4);
    others.agree("no-proof", &edited(&p, |d| drop(d.files.remove(&path))), &trust, 2, false);
    let changed = format!("{}\n", Hash::of(b"another").to_base64()).into_bytes();
    others.agree("other-proof", &edited(&p, |d| drop(d.files.insert(path, changed))), &trust, 1, false);
    let note = [bundle::note_path(&Author::Collector, 3), bundle::proof_path(&Author::Collector, 3)];
    // Go reads no acts: it sees nothing missing.
    let files = edited(&p, |d| note.iter().for_each(|path| drop(d.files.remove(path))));
    others.agree("no-note", &files, &trust, 2, true);
    let files = edited(&p, |d| {
        let today = d.keys[1].key.clone();
        d.keys[0].key = today;
    });
    others.agree("other-key", &files, &trust, 3, false);
    others.agree("no-epoch", &edited(&p, |d| d.keys[1].epoch = 2), &trust, 3, false);
    others.agree(
        "enrolled",
        &edited(&p, |d| d.keys[1].enrolled_by = d.keys[2].enrolled_by.clone()),
        &trust,
        3,
        true,
    );
    let mut order = Practice::restored();
    order.batches.swap(2, 3);
    let all = std::mem::take(&mut order.batches);
    all.into_iter().for_each(|batch| order.push(batch));
    others.agree("another-past", &order.bundle(), &trust, 1, false);
    others.agree("old-trust", &p.bundle(), &Practice::new().keys.trust_text(), 3, false);
}

#[test]
fn three_verifiers_refuse_a_batch_by_the_closed_collector_key_beyond_the_size() {
    let others = Others::find();
    let mut p = Practice::restored();
    let entry =
        Entry::freeze(ntk_evidence::act::event("act_policy", "2026-11-22T09:00:00Z", json!({}))).unwrap();
    let closed = &p.keys.closed[0].1;
    let range = p.logs[&Author::Collector].range().clone();
    let old = AuthorLog::resume(&p.keys.slug, Author::Collector, 0, Some(closed.verifier().clone()), range);
    let (batch, next) = old.seal(vec![entry], BatchKey::new([9; 32]), closed).unwrap();
    p.push(batch);
    p.logs.insert(Author::Collector, next);
    let trust = p.keys.trust_text();
    others.agree("as-itself", &p.bundle(), &trust, 1, false);
    others.agree("as-the-new-one", &edited(&p, |d| d.ranges[0].epoch = 1), &trust, 3, false);
}

#[test]
fn three_verifiers_refuse_the_same_announcements() {
    let others = Others::find();
    let p = Practice::restored();
    let signed = |edit: &dyn Fn(&mut TrustFile)| {
        let mut trust = p.keys.trust.clone();
        edit(&mut trust);
        trust.sign(&p.keys.practice).unwrap()
    };
    let text = |from: &str, to: &str| {
        let text = p.keys.trust.text();
        assert!(text.contains(from), "{from}");
        p.keys.practice.sign(&text.replacen(from, to, 1)).unwrap()
    };
    let line = p.keys.trust_text();
    let line = line.lines().find(|line| line.starts_with("restored ")).unwrap().to_owned();
    let trust = &p.keys.trust;
    let (log, collector) = (trust.log.to_string(), trust.collector.to_string());
    let closed = &trust.restored[0];
    let moved = p.keys.trust.text().replacen(&format!("{line}\n"), "", 1);
    let moved = moved.replacen("practice-key ", &format!("{line}\npractice-key "), 1);
    for (name, trust) in [
        ("key-again", signed(&|trust| trust.restored[0].log = trust.log.clone())),
        ("acts-key-again", signed(&|trust| trust.restored[0].collector = trust.collector.clone())),
        ("borrowed", signed(&|trust| trust.restored[0].log = Keys::of(90).log.verifier().clone())),
        ("twice", signed(&|trust| trust.restored.push(trust.restored[0].clone()))),
        ("later", signed(&|trust| trust.restored[0].made = "2026-11-21T08:00:01Z".into())),
        ("zone", signed(&|trust| trust.restored[0].made = "2026-11-21T08:00:00-01:00".into())),
        ("no-time", signed(&|trust| trust.restored[0].made = "yesterday".into())),
        ("no-day", signed(&|trust| trust.restored[0].made = "2026-02-30T08:00:00Z".into())),
        ("nothing", signed(&|trust| trust.restored[0].size = 0)),
        ("long", signed(&|trust| trust.restored[0].why = "x".repeat(301))),
        ("no-reason", signed(&|trust| trust.restored[0].why = String::new())),
        ("turned", signed(&|trust| trust.restored[0].why = "a\u{202e}b".into())),
        ("hidden", signed(&|trust| trust.restored[0].why = "a\u{200b}b".into())),
        ("space", signed(&|trust| trust.restored[0].why = "a ".into())),
        ("zero", text("Z 4 ", "Z 04 ")),
        ("plus", text("Z 4 ", "Z +4 ")),
        ("huge", text("Z 4 ", "Z 18446744073709551616 ")),
        ("root", text(&closed.root.to_base64(), "AAAA")),
        ("word", text(" the disk of the collector broke", "")),
        (
            "swapped",
            text(
                &format!("{} {}", closed.log, closed.collector),
                &format!("{} {}", closed.collector, closed.log),
            ),
        ),
        ("unsigned", p.keys.trust_text().replacen("broke", "burnt", 1)),
    ] {
        // Go's program leaves the signature to openssl, as the README says.
        others.agree(name, &p.bundle(), &trust, 3, name == "unsigned");
    }
    others.agree("moved", &p.bundle(), &p.keys.practice.sign(&moved).unwrap(), 3, true);
    assert!(trust.text().contains(&log) && trust.text().contains(&collector));
}
