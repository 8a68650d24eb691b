//! What leaves the computer encrypted: read by Debian's `age`, which nobody here wrote, with the reader's key only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::{program, recording, skip};

use crate::bundle::{Exported, exported, unpack, verify};

/// A key pair of age in a file.
struct Key {
    file: PathBuf,
    public: String,
}

/// Makes one with `age-keygen`.
fn key(folder: &Path, name: &str) -> Result<Key> {
    let file = folder.join(name);
    let made = Command::new("age-keygen").arg("-o").arg(&file).output()?;
    ensure!(made.status.success(), "age-keygen: {}", program::text(&made.stderr));
    let text = fs::read_to_string(&file)?;
    let public = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    Ok(Key { public: public.context("a public key")?.trim().to_owned(), file })
}

/// Decrypts with `age`; whether it did.
fn decrypt(file: &Path, key: &Key, to: &Path) -> Result<bool> {
    let mut command = Command::new("age");
    command.arg("--decrypt").arg("--identity").arg(&key.file).arg("--output").arg(to).arg(file);
    Ok(command.stdin(Stdio::null()).output()?.status.success())
}

/// Whether `age` is here; says so where it is not.
fn age_is_here(test: &str) -> bool {
    let here = ["age", "age-keygen"].iter().all(|name| Command::new(name).arg("--version").output().is_ok());
    if !here {
        skip::skip(test, "the programs age and age-keygen are not installed");
    }
    here
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// `export` of everything, with more arguments; exit code and words.
fn export(made: &Exported, out: &Path, more: &[&str]) -> Result<(Option<i32>, String)> {
    let out = out.to_string_lossy();
    let always =
        ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "T-1", "--out", out.as_ref()];
    made.practice.try_collector(&[&always, more].concat())
}

#[test]
fn an_encrypted_bundle_is_read_by_its_reader_alone_and_verifies() -> Result<()> {
    if !age_is_here("encrypted::an_encrypted_bundle") {
        return Ok(());
    }
    let made = exported(12)?;
    let folder = made.practice.folder().to_owned();
    let (auditor, counsel, other) =
        (key(&folder, "auditor")?, key(&folder, "counsel")?, key(&folder, "other")?);
    let known = recording::file_of("week", 3);

    let out = folder.join("sent.zip");
    let to = ["--encrypt-to", auditor.public.as_str(), "--encrypt-to", counsel.public.as_str()];
    let (code, said) = export(&made, &out, &to)?;
    ensure!(code == Some(0), "{said}");
    assert!(said.contains("encrypted to 2 keys") && said.contains("age --decrypt"), "{said}");
    assert!(!out.exists(), "no plain bundle beside the encrypted one");
    let sent = folder.join("sent.zip.age");
    let bytes = fs::read(&sent)?;
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    for plain in [known.as_str(), "PK\u{3}\u{4}", "bagit.txt", "entries", "Maple Street"] {
        assert!(!holds(&bytes, plain), "`{plain}` stands in the encrypted file");
    }

    for (reader, name) in [(&auditor, "by-auditor.zip"), (&counsel, "by-counsel.zip")] {
        let plain = folder.join(name);
        ensure!(decrypt(&sent, reader, &plain)?, "{name}: age reads it");
        let (code, said) = verify(&plain, Some(&made.trust))?;
        assert_eq!(code, Some(0), "{said}");
    }
    // The known path was there to be hidden.
    let bag = unpack(&folder.join("by-auditor.zip"), &folder.join("unpacked"))?;
    assert!(fs::read_to_string(bag.join("data/entries/agent-front-desk.jsonl"))?.contains(&known));

    assert!(!decrypt(&sent, &other, &folder.join("by-other.zip"))?, "another key does not read it");
    let mut flipped = bytes;
    let at = flipped.len() / 2;
    flipped[at] ^= 1;
    let path = folder.join("flipped.zip.age");
    fs::write(&path, flipped)?;
    assert!(!decrypt(&path, &auditor, &folder.join("flipped.zip"))?, "a flipped byte is not read");
    // The verifier is given the encrypted file by mistake: not verified, and no crash.
    let (code, said) = verify(&sent, Some(&made.trust))?;
    assert!(code.is_some_and(|code| code != 0 && code != 101), "{code:?} {said}");
    Ok(())
}

#[test]
fn an_encrypted_report_leaves_no_plain_one() -> Result<()> {
    if !age_is_here("encrypted::an_encrypted_report") {
        return Ok(());
    }
    let made = exported(12)?;
    let folder = made.practice.folder().to_owned();
    let (reader, other) = (key(&folder, "reader")?, key(&folder, "other")?);
    let out = folder.join("report");
    made.practice.collector(&["report", "--out", &out.to_string_lossy(), "--encrypt-to", &reader.public])?;
    let mut names: Vec<_> = fs::read_dir(&out)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    assert_eq!(names, ["report.html.age", "report.json.age", "report.pdf.age"]);
    for (name, holding) in [("report.html", "Maple Street"), ("report.json", "\"week\"")] {
        let encrypted = out.join(format!("{name}.age"));
        assert!(!holds(&fs::read(&encrypted)?, holding));
        let plain = folder.join(name);
        ensure!(decrypt(&encrypted, &reader, &plain)?, "{name}: age reads it");
        assert!(fs::read_to_string(&plain)?.contains(holding), "{name}");
        assert!(!decrypt(&encrypted, &other, &folder.join("none"))?);
    }
    Ok(())
}

#[test]
fn who_is_no_recipient_is_refused_in_one_sentence_and_nothing_is_written() -> Result<()> {
    let made = exported(3)?;
    let folder = made.practice.folder().to_owned();
    let out = folder.join("refused.zip");
    // The test vector of the age specification's reference program; nobody's key.
    let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    for (wrong, expected) in
        [("northwind", "`northwind`"), ("age1qqqq", "`age1qqqq`"), (secret, "secret key")]
    {
        for report in [false, true] {
            let (code, said) = if report {
                let out = folder.join("refused").to_string_lossy().into_owned();
                made.practice.try_collector(&["report", "--out", &out, "--encrypt-to", wrong])?
            } else {
                export(&made, &out, &["--encrypt-to", wrong])?
            };
            assert_eq!(code, Some(64), "{said}");
            assert!(said.contains(expected) && said.trim().lines().count() == 1, "{said}");
            assert!(!said.contains("GQ9778"), "a secret key is not repeated: {said}");
        }
    }
    for name in ["refused.zip", "refused.zip.age", "refused"] {
        assert!(!folder.join(name).exists(), "{name}");
    }
    Ok(())
}
