//! `ntk-verify agree`: exit codes and what is said.

use std::fs;
use std::path::{Path, PathBuf};

use ntk_evidence::bundle::bag::Files;

use crate::practice::{Keys, Practice};
use crate::{code, err, ntk_verify, out, text};

pub(crate) fn write(folder: &Path, name: &str, files: &Files) -> PathBuf {
    let root = folder.join(name);
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

#[test]
fn two_bundles_agree_contradict_or_have_nothing_in_common() {
    let scratch = tempfile::tempdir().unwrap();
    let practice = Practice::new();
    let one = write(scratch.path(), "one", &practice.bundle());
    let mut forged = practice.bundle();
    let entries = forged.get_mut("data/entries/agent-ws-01.jsonl").unwrap();
    *entries = String::from_utf8(entries.clone()).unwrap().replacen("itadmin1", "itadmin2", 1).into_bytes();
    let forged = write(scratch.path(), "forged", &forged);
    let other =
        write(scratch.path(), "other", &Practice::with(Keys::of(80), "2026-11-20T20:30:00Z", 1).bundle());
    for (b, expected, said) in
        [(&one, 0, "agree: "), (&forged, 1, "contradiction: "), (&other, 3, "nothing in common")]
    {
        let output = ntk_verify(&["agree", text(&one), text(b)]);
        assert_eq!(code(&output), expected, "{}{}", out(&output), err(&output));
        assert!(out(&output).contains(said), "{}", out(&output));
        let output = ntk_verify(&["agree", text(&one), text(b), "--json"]);
        let value: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(value["exit_code"], expected);
    }
    let absent = scratch.path().join("absent");
    assert_eq!(code(&ntk_verify(&["agree", text(&one), text(&absent)])), 64);
    assert_eq!(code(&ntk_verify(&["agree", text(&one)])), 64);
}
