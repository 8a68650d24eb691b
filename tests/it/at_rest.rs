//! Encryption at rest, with real processes: what the collector's disk shows, what a missing or wrong key does, and a
//! practice that is encrypted, decrypted and interrupted while it is in use.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_collector::at_rest;
use ntk_collector::home::Home;
use ntk_evidence::hash::{hex, unhex};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::program::{self, Running};
use ntk_tests::{recording, wait};

use crate::bundle::verify;
use crate::crash::{player, reaches};

const ACCESSES: u64 = 300;
const CONFIG: Option<i32> = Some(78);
const WITHIN: Duration = Duration::from_secs(60);
const PASSPHRASE: &str = "correct horse battery staple";
const PASSPHRASE_FILE: &str = "NTK_AT_REST_PASSPHRASE_FILE";
const KEYS: [&str; 3] = ["log.key", "collector.key", "bundle.key"];

/// Where the key of a practice comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Passphrase,
    Credential,
    File,
}

impl Kind {
    /// The file that holds the secret, outside of the collector's folder.
    fn file(self, folder: &Path) -> PathBuf {
        match self {
            Self::Passphrase => folder.join("passphrase"),
            Self::Credential => folder.join("credentials").join("ntk-at-rest"),
            Self::File => folder.join("stick").join("ntk.key"),
        }
    }

    /// What `--at-rest` and `--key` say.
    fn key(self, folder: &Path) -> String {
        match self {
            Self::Passphrase => "passphrase".to_owned(),
            Self::Credential => "credential".to_owned(),
            Self::File => format!("file:{}", self.file(folder).display()),
        }
    }

    fn environment(self, folder: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        match self {
            Self::Passphrase => vec![(PASSPHRASE_FILE.to_owned(), text(&self.file(folder)))],
            Self::Credential => {
                vec![("CREDENTIALS_DIRECTORY".to_owned(), text(&folder.join("credentials")))]
            }
            Self::File => Vec::new(),
        }
    }

    /// Writes the secret; the collector makes a key file itself.
    fn prepare(self, folder: &Path) {
        let file = self.file(folder);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        match self {
            Self::Passphrase => secret(&file, PASSPHRASE),
            Self::Credential => secret(&file, &hex(&[0x5e; 32])),
            Self::File => {}
        }
    }

    pub(crate) fn practice(self) -> Result<Practice> {
        Practice::start_so(|folder| {
            self.prepare(folder);
            (vec!["--at-rest".to_owned(), self.key(folder)], self.environment(folder))
        })
    }
}

fn secret(path: &Path, text: &str) {
    fs::write(path, format!("{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Every file below a folder with its bytes; sockets and lock files hold none.
fn contents(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(contents(&path)?);
        } else if path.is_file() {
            found.push((path.clone(), fs::read(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

/// [`contents`] without the cache, which any start may make again.
fn kept(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let cache = folder.join("cache");
    Ok(contents(folder)?.into_iter().filter(|(path, _)| !path.starts_with(&cache)).collect())
}

/// The files below a folder in which any of these bytes stand.
pub(crate) fn where_is(folder: &Path, parts: &[Vec<u8>]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, bytes) in contents(folder)? {
        for part in parts {
            if bytes.windows(part.len()).any(|window| window == part) {
                found.push(format!("{} in {}", String::from_utf8_lossy(part), path.display()));
            }
        }
    }
    Ok(found)
}

/// What entries, roster and findings name: paths, accounts, people, machines.
fn names() -> Vec<Vec<u8>> {
    [
        recording::WATCHED,
        "ws-01-0000003.csv",
        "itadmin1",
        "Mary Lopez",
        "mary",
        "frontdesk1",
        "ws-01",
        "/usr/bin/cat",
    ]
    .map(|name| name.as_bytes().to_vec())
    .to_vec()
}

/// Seeds of signing keys, raw and in hex, and the beginnings of TLS keys.
fn seeds(home: &Home) -> Result<Vec<Vec<u8>>> {
    let mut parts = vec![b"PRIVATE KEY".to_vec()];
    for name in KEYS {
        let seed = home.read_key(name)?;
        parts.extend([seed.to_vec(), hex(&seed).into_bytes()]);
    }
    Ok(parts)
}

fn contains(haystack: &[String], part: &[u8]) -> bool {
    haystack.iter().any(|line| line.starts_with(String::from_utf8_lossy(part).as_ref()))
}

/// One machine played its accesses; a review was kept.
fn used(practice: &Practice) -> Result<Machine> {
    let mut machine = player(practice, "ws-01", 1001, ACCESSES, None)?;
    reaches(practice, &mut machine, ACCESSES + 1)?;
    practice.findings()?;
    practice.collector(&["report", "--out", &practice.folder().join("report").to_string_lossy()])?;
    Ok(machine)
}

/// An export verifies.
fn exports(practice: &Practice, name: &str) -> Result<()> {
    let out = practice.folder().join(name);
    let text = out.to_string_lossy();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "T-1",
        "--out",
        &text,
    ])?;
    let (code, said) = verify(&out, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{name}: {said}");
    Ok(())
}

/// The practice works with this key, its disk shows nothing, and without the key nothing opens and nothing is touched.
fn works_with(kind: Kind) -> Result<()> {
    let mut practice = kind.practice()?;
    let mut machine = used(&practice)?;
    exports(&practice, "first.zip")?;
    practice.kill_collector()?;
    let found = where_is(&practice.dir(), &names())?;
    assert!(found.is_empty(), "{kind:?}: {found:?}");
    practice.start_collector()?;
    machine.kill()?;
    machine.start()?;
    for what in ["self-check", "rebuild", "check"] {
        practice.collector(&[what])?;
    }
    exports(&practice, "second.zip")?;
    let events = practice.events(&[])?;
    ensure!(events.len() as u64 >= ACCESSES, "{} events", events.len());
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert!(practice.collector(&["status"])?.contains("encrypted at rest; its key"));
    let review: serde_json::Value =
        serde_json::from_slice(&fs::read(practice.folder().join("report").join("report.json"))?)?;
    assert!(
        review["footer"]["at_rest"].as_str().is_some_and(|said| said.contains("encrypted at rest; its key"))
    );
    practice.stop_collector()?;
    // In-process as well as over the socket.
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    let found = where_is(&practice.dir(), &names())?;
    assert!(found.is_empty(), "{kind:?}, after rebuild: {found:?}");

    let before = kept(&practice.dir())?;
    let file = kind.file(practice.folder());
    let good = fs::read(&file)?;
    let (wrong, says) = match kind {
        Kind::Passphrase => ("another horse battery staple", "is not the passphrase"),
        Kind::Credential => ("00", "64 hex digits"),
        Kind::File => {
            ("0101010101010101010101010101010101010101010101010101010101010101", "does not hold the key")
        }
    };
    secret(&file, wrong);
    refused(&practice, says)?;
    fs::remove_file(&file)?;
    let missing = match kind {
        Kind::Passphrase => "passphrase",
        Kind::Credential => "systemd credential `ntk-at-rest`, which is not here",
        Kind::File => "stick/ntk.key`, which is not there: put in the medium",
    };
    // A file that was named and is not there is an error of reading, not of the key.
    if kind != Kind::Passphrase {
        refused(&practice, missing)?;
    }
    practice.set_environment(Vec::new());
    if kind != Kind::File {
        refused(&practice, missing)?;
    }
    if kind == Kind::Passphrase {
        assert!(typed(&practice, PASSPHRASE)?, "the first line of standard input opens");
        assert!(!typed(&practice, "another horse battery staple")?);
    }
    practice.set_environment(kind.environment(practice.folder()));
    fs::write(&file, &good)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    if kind != Kind::Credential {
        refused(&practice, "can be read by other accounts")?;
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    assert_eq!(kept(&practice.dir())?, before, "{kind:?}: nothing was touched");
    practice.collector(&["self-check"])?;
    Ok(())
}

/// Whether `check` passes with this on its standard input.
fn typed(practice: &Practice, text: &str) -> Result<bool> {
    let mut check = Command::new(program::binary("ntk-collector")?);
    check.arg("--dir").arg(practice.dir()).arg("check").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut check = check.stderr(Stdio::null()).spawn()?;
    check.stdin.take().context("its standard input")?.write_all(format!("{text}\n").as_bytes())?;
    Ok(check.wait()?.success())
}

/// `run`, `check` and a subcommand say the same sentence and end with the code of a wrong configuration.
fn refused(practice: &Practice, says: &str) -> Result<()> {
    for command in ["run", "status", "check"] {
        let (code, said) = practice.try_collector(&[command])?;
        ensure!(code == CONFIG && said.contains(says), "{command} should say `{says}`: {code:?} {said}");
        ensure!(!said.contains("panicked"), "{said}");
    }
    Ok(())
}

#[test]
fn a_practice_with_a_passphrase_works_and_shows_nothing_without() -> Result<()> {
    works_with(Kind::Passphrase)
}

#[test]
fn a_practice_with_a_systemd_credential_works_and_shows_nothing_without() -> Result<()> {
    works_with(Kind::Credential)
}

#[test]
fn a_practice_with_a_key_on_removable_media_works_and_shows_nothing_without() -> Result<()> {
    works_with(Kind::File)
}

/// The image is taken while the collector runs, as a snapshot or a backup is. The twin is a practice in plain.
#[test]
fn an_image_of_the_collectors_disk_names_nobody_and_signs_nothing() -> Result<()> {
    for encrypted in [true, false] {
        let practice = if encrypted { Kind::File.practice()? } else { Practice::start()? };
        let mut machine = used(&practice)?;
        let image = practice.folder().join("image");
        let copied = Command::new("cp").arg("-a").arg(practice.dir()).arg(&image).status()?;
        // The socket cannot be copied by every cp; files are.
        ensure!(copied.success() || image.join("ledger").is_dir(), "the image was taken");
        let home = at_rest::unlock(Home::new(practice.dir()))?;
        let looked_for = [names(), seeds(&home)?].concat();
        let found = where_is(&image, &looked_for)?;
        if encrypted {
            assert!(found.is_empty(), "{found:?}");
            // Without the stick the image opens for nobody.
            let stick = Kind::File.file(practice.folder());
            let away = practice.folder().join("away");
            fs::rename(&stick, &away)?;
            let output = program::run("ntk-collector", &["--dir", &image.to_string_lossy(), "events"])?;
            assert_eq!(output.status.code(), CONFIG, "{}", program::text(&output.stderr));
            fs::rename(&away, &stick)?;
        } else {
            for part in names() {
                assert!(
                    contains(&found, &part),
                    "the twin shows {}: {found:?}",
                    String::from_utf8_lossy(&part)
                );
            }
            for name in KEYS {
                let seed = hex(&home.read_key(name)?);
                assert!(contains(&found, seed.as_bytes()), "the twin shows {name}");
            }
        }
        ensure!(machine.stop()?.success(), "{}", machine.log());
    }
    Ok(())
}

/// A plain practice in use, stopped.
fn plain() -> Result<Practice> {
    let mut practice = Practice::start()?;
    let mut machine = used(&practice)?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    practice.stop_collector()?;
    Ok(practice)
}

fn acts(practice: &Practice) -> Result<Vec<serde_json::Value>> {
    let rows = practice.events(&["--acts"])?;
    let acts = rows.into_iter().map(|row| row["event"]["act"].clone());
    Ok(acts.filter(|act| act["change"] == "at_rest").collect())
}

#[test]
fn a_practice_in_use_is_encrypted_gets_another_key_and_is_decrypted_again() -> Result<()> {
    let mut practice = plain()?;
    let folder = practice.folder().to_owned();
    [Kind::Passphrase, Kind::File].into_iter().for_each(|kind| kind.prepare(&folder));
    assert!(practice.collector(&["at-rest", "status"])?.contains("NOT encrypted"));
    assert!(!where_is(&practice.dir(), &names())?.is_empty(), "the twin");
    let home = at_rest::unlock(Home::new(practice.dir()))?;
    let looked_for = [names(), seeds(&home)?].concat();
    let events = practice.events(&[])?.len();

    let inside = format!("file:{}", practice.dir().join("ntk.key").display());
    let (code, said) = practice.try_collector(&["at-rest", "on", "--key", &inside])?;
    ensure!(code == CONFIG && said.contains("own folder"), "{said}");
    let (code, said) = practice.try_collector(&["at-rest", "on"])?;
    ensure!(code == Some(64) && said.contains("--key"), "{said}");
    practice.start_collector()?;
    let key = Kind::File.key(&folder);
    let (code, said) = practice.try_collector(&["at-rest", "on", "--key", &key])?;
    ensure!(code == Some(1) && said.contains("stop it first"), "{said}");
    practice.stop_collector()?;

    practice.collector(&["at-rest", "on", "--key", &key])?;
    let found = where_is(&practice.dir(), &looked_for)?;
    assert!(found.is_empty(), "{found:?}");
    practice.collector(&["self-check"])?;
    practice.start_collector()?;
    assert_eq!(practice.events(&[])?.len(), events, "the same entries");
    exports(&practice, "encrypted.zip")?;
    practice.stop_collector()?;

    // A secret that somebody puts back in plain is refused, and `on` mends it.
    let path = practice.dir().join("private").join("bundle.key");
    let sealed = fs::read(&path)?;
    secret(&path, &hex(&home_of(&practice)?.read_key("bundle.key")?));
    refused_by_check(&practice, "is not encrypted")?;
    practice.collector(&["at-rest", "on"])?;
    assert_ne!(fs::read(&path)?, sealed);
    practice.collector(&["check"])?;
    // A file under another's name does not open.
    fs::copy(&path, practice.dir().join("private").join("log.key"))?;
    refused_by_check(&practice, "log.key` does not open")?;
    secret(&practice.dir().join("private").join("log.key"), &hex_of(&looked_for)?);
    practice.collector(&["at-rest", "on"])?;

    // From the file to a passphrase: nothing but the header is written again.
    let ledger = |practice: &Practice| contents(&practice.dir().join("private"));
    let before = ledger(&practice)?;
    let passphrase = Kind::Passphrase.file(&folder);
    let text = passphrase.to_string_lossy().into_owned();
    practice.collector(&["at-rest", "change", "--key", "passphrase", "--new-passphrase-file", &text])?;
    assert_eq!(ledger(&practice)?, before);
    fs::remove_file(Kind::File.file(&folder))?;
    practice.set_environment(Kind::Passphrase.environment(&folder));
    practice.collector(&["self-check"])?;
    // The passphrase is forgotten: the recovery key, taken away at init, opens.
    secret(&passphrase, "this is not it at all");
    refused_by_check(&practice, "is not the passphrase")?;
    let recovery = folder.join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let change = ["at-rest", "change", "--key", "passphrase", "--new-passphrase-file", &text];
    practice.collector(&[&change[..], &["--recovery-key", &recovery]].concat())?;
    practice.collector(&["self-check"])?;

    practice.collector(&["at-rest", "off"])?;
    practice.set_environment(Vec::new());
    assert!(practice.collector(&["at-rest", "status"])?.contains("NOT encrypted"));
    for part in names() {
        assert!(contains(&where_is(&practice.dir(), std::slice::from_ref(&part))?, &part), "plain again");
    }
    practice.collector(&["self-check"])?;
    exports(&practice, "plain.zip")?;
    let kinds: Vec<_> =
        acts(&practice)?.iter().map(|act| (act["encrypted"].clone(), act["key"].clone())).collect();
    let expected =
        [(true, Some("file")), (true, Some("passphrase")), (true, Some("passphrase")), (false, None)]
            .map(|(encrypted, key)| (encrypted.into(), key.map_or(serde_json::Value::Null, Into::into)));
    assert_eq!(kinds, expected);
    Ok(())
}

fn home_of(practice: &Practice) -> Result<Home> {
    Ok(at_rest::unlock(Home::new(practice.dir()))?)
}

/// The seed of the log key among what is looked for.
fn hex_of(looked_for: &[Vec<u8>]) -> Result<String> {
    let first = looked_for.iter().filter_map(|part| std::str::from_utf8(part).ok());
    let seed = first.into_iter().find(|text| unhex(text).is_some_and(|seed| seed.len() == 32));
    Ok(seed.context("a seed in hex")?.to_owned())
}

fn refused_by_check(practice: &Practice, says: &str) -> Result<()> {
    let (code, said) = practice.try_collector(&["check"])?;
    ensure!(code == CONFIG && said.contains(says), "check should say `{says}`: {said}");
    Ok(())
}

/// Killed with -9 while it encrypts, and again while it decrypts: each time the folder opens, and the rest is done.
#[test]
fn encrypting_and_decrypting_may_be_killed_in_the_middle_and_run_again() -> Result<()> {
    let practice = plain()?;
    let events = practice.events(&[])?.len();
    let folder = practice.folder().to_owned();
    Kind::File.prepare(&folder);
    let key = Kind::File.key(&folder);
    let dir = practice.dir();
    let text = dir.to_string_lossy().into_owned();
    let state = || -> Result<String> {
        let said: serde_json::Value =
            serde_json::from_str(&practice.collector(&["at-rest", "status", "--json"])?)?;
        Ok(said["state"].as_str().unwrap_or("plain").to_owned())
    };
    let header = dir.join("at-rest.json");
    let log = folder.join("at-rest.log");
    let mut interrupted = 0;
    for round in 0..12 {
        let on = ["--dir", &text, "at-rest", "on", "--key", &key];
        killed(Running::start("ntk-collector", &on, &log)?, || header.exists())?;
        interrupted += u32::from(state()? == "encrypting");
        if round % 2 == 0 {
            // Whoever opens the folder next finishes.
            assert_eq!(practice.events(&[])?.len(), events, "round {round}");
        }
        practice.collector(&["at-rest", "on", "--key", &key])?;
        assert_eq!(state()?, "encrypted");
        let found = where_is(&dir, &names())?;
        assert!(found.is_empty(), "round {round}: {found:?}");
        practice.collector(&["self-check"])?;
        let off = ["--dir", &text, "at-rest", "off"];
        let is_begun = || fs::read_to_string(&header).map_or(true, |header| header.contains("decrypting"));
        killed(Running::start("ntk-collector", &off, &log)?, is_begun)?;
        interrupted += u32::from(state()? == "decrypting");
        if round % 2 == 0 {
            assert_eq!(practice.events(&[])?.len(), events, "round {round}");
        }
        if state()? != "plain" {
            practice.collector(&["at-rest", "off"])?;
        }
        assert_eq!(state()?, "plain");
        practice.collector(&["self-check"])?;
        if interrupted >= 4 {
            return Ok(());
        }
    }
    ensure!(interrupted > 0, "in twelve rounds none was interrupted in the middle");
    Ok(())
}

/// Kills a program as soon as something is so, or lets it come to its end before.
fn killed(mut running: Running, is_so: impl Fn() -> bool) -> Result<()> {
    wait::at_once("the work to begin", WITHIN, || Ok(is_so() || running.ensure_running().is_err()))?;
    running.kill()
}

#[test]
fn a_changed_byte_of_an_encrypted_ledger_is_named_and_nothing_is_cut() -> Result<()> {
    let mut practice = Kind::File.practice()?;
    let mut machine = used(&practice)?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    practice.stop_collector()?;
    practice.collector(&["self-check"]).context("the twin")?;
    let segments = fs::read_dir(practice.dir().join("ledger"))?.filter_map(|entry| Some(entry.ok()?.path()));
    let segment = segments.into_iter().find(|path| path.extension().is_some_and(|it| it == "seg"));
    let segment = segment.context("a segment")?;
    let good = fs::read(&segment)?;
    for at in [0, 40, good.len() / 5, good.len() / 2, good.len() * 4 / 5] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&segment, &bad)?;
        let (code, said) = practice.try_collector(&["self-check"])?;
        ensure!(code.is_some_and(|code| code != 0 && code != 101), "byte {at}: {code:?} {said}");
        ensure!(said.contains("damaged"), "byte {at}: {said}");
        ensure!(fs::read(&segment)? == bad, "byte {at}: nothing was cut");
    }
    fs::write(&segment, good)?;
    practice.collector(&["self-check"])?;
    Ok(())
}
