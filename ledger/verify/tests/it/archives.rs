//! A bundle as folder and ZIP; and archives that two programs could read differently.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::checks::Status;
use ntk_verify::read::{self, Limits, ReadError};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use crate::practice::Practice;
use crate::{code, err, ntk_verify, out, text};

fn zipped<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(path, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn bundle_zip(files: &Files, top: &str) -> Vec<u8> {
    zipped(files.iter().map(|(path, bytes)| (format!("{top}{path}"), bytes.as_slice())))
}

fn unpacked(files: &Files, root: &Path) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

struct Scene {
    dir: TempDir,
    practice: Practice,
    trust: PathBuf,
}

fn scene() -> Scene {
    let (dir, practice) = (tempfile::tempdir().unwrap(), Practice::new());
    let trust = dir.path().join("trust.txt");
    fs::write(&trust, practice.keys.trust_text()).unwrap();
    Scene { dir, practice, trust }
}

impl Scene {
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

#[test]
fn a_bundle_verifies_as_zip_as_folder_and_inside_one_top_folder() {
    let scene = scene();
    let files = scene.practice.bundle();
    let plain = scene.put("bundle.zip", &bundle_zip(&files, ""));
    let nested = scene.put("nested.zip", &bundle_zip(&files, "case-1/"));
    let folder = scene.dir.path().join("bundle");
    unpacked(&files, &folder);
    let outer = scene.dir.path().join("outer");
    unpacked(&files, &outer.join("bundle"));
    for bundle in [&plain, &nested, &folder, &outer] {
        let done = ntk_verify(&[text(bundle), "--trust", text(&scene.trust)]);
        assert_eq!(code(&done), 0, "{}{}", out(&done), err(&done));
        assert!(out(&done).contains("ok   entries") && out(&done).is_ascii(), "{}", out(&done));
        assert!(out(&done).trim_end().lines().last().unwrap().starts_with("verified: "));
    }
    let alone = ntk_verify(&[text(&plain)]);
    assert_eq!(code(&alone), 3);
    assert!(out(&alone).contains("nobody vouched for key"));
    let json = ntk_verify(&[text(&plain), "--trust", text(&scene.trust), "--json"]);
    let value: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!((&value["verified"], &value["exit_code"]), (&true.into(), &0.into()));
    assert_eq!(value["checks"].as_array().unwrap().len(), ntk_evidence::checks::NAMES.len());
    assert!(value["files"].as_u64().unwrap() > 15 && value["bytes"].as_u64().unwrap() > 5000, "{value}");
    assert!(value["seconds"].as_f64().unwrap() > 0.0 && value["practice_words"].is_string(), "{value}");
}

#[test]
fn a_changed_or_missing_file_and_a_wrong_trust_file_have_their_codes() {
    let scene = scene();
    let mut files = scene.practice.bundle();
    let removed = files.remove(ntk_evidence::bundle::TIMELINE).unwrap();
    let cut = scene.put("cut.zip", &bundle_zip(&files, ""));
    assert_eq!(code(&ntk_verify(&[text(&cut), "--trust", text(&scene.trust)])), 2);
    files.insert(ntk_evidence::bundle::TIMELINE.into(), [removed.as_slice(), b"x\n"].concat());
    let altered = scene.put("altered.zip", &bundle_zip(&files, ""));
    let done = ntk_verify(&[text(&altered), "--trust", text(&scene.trust)]);
    assert_eq!(code(&done), 1);
    assert!(out(&done).contains("FAIL timeline"));
    let noise = scene.put("noise.txt", b"noise");
    assert_eq!(code(&ntk_verify(&[text(&altered), "--trust", text(&noise)])), 1);
    let whole = scene.put("whole.zip", &bundle_zip(&scene.practice.bundle(), ""));
    assert_eq!(code(&ntk_verify(&[text(&whole), "--trust", text(&noise)])), 3);
}

#[test]
fn usage_and_io_are_64_and_say_what_to_do() {
    let scene = scene();
    let noise = scene.put("noise.bin", b"noise");
    let whole = scene.put("whole.zip", &bundle_zip(&scene.practice.bundle(), ""));
    for arguments in [
        &[][..],
        &["--nonsense"],
        &["/no/such/bundle"],
        &[text(&noise)],
        &[text(&whole), "--trust", "/no/such/trust"],
    ] {
        let done = ntk_verify(arguments);
        assert_eq!(code(&done), 64, "{arguments:?}: {}", out(&done));
        assert!(err(&done).len() > 20, "{arguments:?}");
    }
    let help = ntk_verify(&["--help"]);
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("Examples:"));
    let empty = scene.put("empty.zip", &zipped([]));
    assert_eq!(code(&ntk_verify(&[text(&empty), "--trust", text(&scene.trust)])), 2);
}

#[track_caller]
fn refused(scene: &Scene, bytes: &[u8], status: Status, says: &str) {
    let path = scene.put("hostile.zip", bytes);
    let limits = Limits { files_max: 50, bytes_max: 1 << 22, file_bytes_max: 1 << 21, ratio_max: 200 };
    match read::bundle(&path, limits) {
        Err(ReadError::Refused { status: found, sentence }) => {
            assert_eq!(found, status, "{sentence}");
            assert!(sentence.contains(says), "{sentence}");
        }
        other => panic!("{says}: {other:?}"),
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + from.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn hostile_archives_are_refused_before_anything_is_judged() {
    let scene = scene();
    let two = zipped([("data/a1.txt".to_owned(), &b"one"[..]), ("data/a2.txt".to_owned(), &b"two"[..])]);
    refused(&scene, &replaced(&two, b"data/a2.txt", b"data/a1.txt"), Status::Altered, "twice");
    refused(&scene, &replaced(&two, b"data/a2.txt", b"data/A1.txt"), Status::Altered, "twice");
    refused(&scene, &replaced(&two, b"data/a2.txt", b"data/../../"), Status::Altered, "no path");
    refused(&scene, &replaced(&two, b"data/a2.txt", b"/etc/passwd"), Status::Altered, "no path");
    refused(&scene, &replaced(&two, b"data/a2.txt", b"data\\a2.txt"), Status::Altered, "no path");
    refused(&scene, &replaced(&two, b"data/a2.txt", b"data/\x1b[2mtx"), Status::Altered, "no path");

    let mut encrypted = two.clone();
    for (magic, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let places: Vec<usize> = encrypted
            .windows(4)
            .enumerate()
            .filter(|(_, window)| window == magic)
            .map(|(at, _)| at)
            .collect();
        places.into_iter().for_each(|at| encrypted[at + offset] |= 1);
    }
    refused(&scene, &encrypted, Status::NotVerifiable, "encrypted");

    let bomb = zipped([("data/zeros".to_owned(), vec![0; (1 << 20) + 1].as_slice())]);
    assert!(bomb.len() < 10_000);
    refused(&scene, &bomb, Status::NotVerifiable, "200 times its size");
    let noise: Vec<u8> =
        (0..(1u32 << 20) + 9).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let three = noise.repeat(3);
    refused(
        &scene,
        &zipped([("data/one".to_owned(), three.as_slice())]),
        Status::NotVerifiable,
        "larger than 2097152",
    );
    let names = (0..5).map(|n| (format!("data/{n}"), noise.as_slice()));
    refused(&scene, &zipped(names), Status::NotVerifiable, "more than 4194304 bytes are not read");
    // A bomb that claims to be small is still measured by what comes out.
    let size = u32::try_from((1 << 20) + 1).unwrap().to_le_bytes();
    let liar = replaced(&bomb, &size, &9u32.to_le_bytes());
    let path = scene.put("liar.zip", &liar);
    assert!(matches!(
        read::bundle(&path, Limits { files_max: 50, bytes_max: 1 << 20, ..Limits::default() }),
        Err(ReadError::Refused { .. })
    ));
    let many = zipped((0..51).map(|n| (format!("data/{n}"), &b""[..])));
    refused(&scene, &many, Status::NotVerifiable, "files are not read");

    let stored = bundle_zip(&scene.practice.bundle(), "");
    refused(&scene, &stored[..stored.len() - 30], Status::Altered, "damaged");
    let mut broken = two.clone();
    broken[two
        .windows(5)
        .position(|window| window == b".txt\x4b" || window.starts_with(b".txt"))
        .unwrap()
        + 5] ^= 0xff;
    let path = scene.put("broken.zip", &broken);
    assert!(matches!(read::bundle(&path, Limits::default()), Err(ReadError::Refused { .. })));

    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("data/link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    refused(&scene, &writer.finish().unwrap().into_inner(), Status::Altered, "link");

    let refusal = ntk_verify(&[text(&scene.put("x.zip", &encrypted))]);
    assert_eq!(code(&refusal), 3);
    assert!(out(&refusal).contains("archive"));
}

#[cfg(unix)]
#[test]
fn a_link_in_a_folder_is_refused() {
    let scene = scene();
    let folder = scene.dir.path().join("bundle");
    unpacked(&scene.practice.bundle(), &folder);
    std::os::unix::fs::symlink("/etc/passwd", folder.join("data/link")).unwrap();
    let done = ntk_verify(&[text(&folder), "--trust", text(&scene.trust)]);
    assert_eq!(code(&done), 1);
    assert!(out(&done).contains("link or device"));
}
