//! The drill from a place that is no folder here: an SSH server and a bucket. What opens the place was kept elsewhere; a
//! place that is not reached, refuses or was changed makes no collector.

use std::net::TcpListener;

use super::*;
use crate::off_site::place::{Bucket, Sshd};

/// A place that a copy went to, as `collector.toml` and as `restore` name it.
struct Away {
    /// `[off_site]`.
    section: String,
    /// Options of `restore`.
    options: Vec<String>,
    /// Options in place of these, the exit code, and what is said of them.
    refused: Vec<(Vec<String>, i32, &'static str)>,
    /// Where the objects lie, to change one.
    objects: PathBuf,
    /// What stands in no message.
    secrets: Vec<String>,
    _server: Server,
}

/// Runs as long as this value is there.
enum Server {
    Ssh { _sshd: Sshd },
    S3 { _bucket: Bucket },
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A port where nobody answers.
fn closed_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn ssh(scratch: &Path) -> Result<Option<Away>> {
    let Some(sshd) = Sshd::start(scratch)? else { return Ok(None) };
    let closed = closed_port()?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let (key, hosts) = (text(sshd.key()), text(sshd.hosts()));
    let options = |from: &str, key: &str, hosts: &str| {
        strings(&["--from", from, "--identity-file", key, "--known-hosts", hosts])
    };
    let (to, gone) = (sshd.address(), sshd.address_through(closed));
    Ok(Some(Away {
        section: format!("to = {to:?}\nidentity_file = {key:?}\nknown_hosts = {hosts:?}"),
        options: options(&to, &key, &hosts),
        refused: vec![
            (options(&gone, &key, &hosts), 69, "could not reach `sftp://"),
            (options(&to, &text(sshd.other_key()?), &hosts), 74, "Permission denied"),
            (options(&to, &text(sshd.loose_key()?), &hosts), 64, "(--identity-file) can be read by other"),
            (options(&to, &key, &text(sshd.other_host()?)), 74, "does not show the key"),
            (options(&to, &key, "/absent"), 64, "(--known-hosts) is not there"),
            (options(&format!("{to}/sub"), &key, &hosts), 74, "could not use `"),
            (strings(&["--from", &to, "--identity-file", &key]), 64, "`--known-hosts` is missing"),
        ],
        objects: sshd.place(),
        secrets: Vec::new(),
        _server: Server::Ssh { _sshd: sshd },
    }))
}

fn s3(scratch: &Path) -> Result<Option<Away>> {
    let bucket = Bucket::start(scratch)?;
    let closed = format!("http://127.0.0.1:{}", closed_port()?);
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let (endpoint, right) = (bucket.endpoint(), text(bucket.credentials()?));
    let options = |from: &str, endpoint: &str, credentials: &str| {
        let words =
            ["--from", from, "--endpoint", endpoint, "--region", "eu-test-1", "--credentials", credentials];
        strings(&words)
    };
    let to = "s3://vault/ntk/copies";
    let region = strings(&["--from", to, "--endpoint", &endpoint, "--region", "eu", "--credentials", &right]);
    Ok(Some(Away {
        section: format!(
            "to = {to:?}\nendpoint = {endpoint:?}\nregion = \"eu-test-1\"\ncredentials = {right:?}"
        ),
        options: options(to, &endpoint, &right),
        refused: vec![
            (options(to, &closed, &right), 69, "could not reach `s3://vault/ntk/copies`"),
            (
                options(to, &endpoint, &text(bucket.wrong_credentials()?)),
                74,
                "refused: SignatureDoesNotMatch",
            ),
            (region, 74, "refused: SignatureDoesNotMatch"),
            (
                options(to, &endpoint, &text(bucket.loose_credentials()?)),
                64,
                "(--credentials) cannot be used",
            ),
            (options("s3://other-vault/ntk", &endpoint, &right), 74, "there is no such bucket"),
            (options("s3://vault/ntk", &endpoint, &right), 64, "holds no copy of a collector"),
            (options(to, "vault.example", &right), 64, "`--endpoint` is `https://host:port`"),
        ],
        objects: bucket.place().join("ntk/copies"),
        secrets: strings(&Bucket::SECRETS),
        _server: Server::S3 { _bucket: bucket },
    }))
}

/// `restore` with these options for the place.
fn from(practice: &Practice, place: &[String]) -> Result<(Option<i32>, String)> {
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let mut arguments = vec!["restore", "--keys", &keys, "--by", "Anna Roth"];
    arguments.extend(["--reason", "the collector's disk broke"]);
    arguments.extend(place.iter().map(String::as_str));
    practice.try_collector(&arguments)
}

fn drill(place: fn(&Path) -> Result<Option<Away>>) -> Result<()> {
    let mut practice = Practice::start()?;
    let Some(away) = place(practice.folder())? else { return Ok(()) };
    practice.stop_collector()?;
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[off_site]\n{}\n", away.section))?;
    practice.start_collector()?;
    let mut machine = played(&practice, "ws-01", "")?;
    practice.collector(&["backup"])?;
    plays_on(&practice, &mut machine, AFTER, "")?;
    let size = practice.size_of("ws-01")?;
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;

    // Whatever is wrong is said once, in the words of the command line, and makes nothing.
    let nothing_is_made = |code: Option<i32>, said: &str, expected: i32, word: &str| -> Result<()> {
        ensure!(code == Some(expected) && said.contains(word), "`{word}`, {expected}: {code:?} {said}");
        ensure!(said.trim().lines().count() == 1 && !said.contains("off_site."), "{said}");
        ensure!(away.secrets.iter().all(|secret| !said.contains(secret.as_str())), "{said}");
        ensure!(!config.exists(), "{word}: a collector was made");
        Ok(())
    };
    for (options, expected, word) in &away.refused {
        let (code, said) = from(&practice, options)?;
        nothing_is_made(code, &said, *expected, word)?;
    }
    // One byte of a piece there is another one: refused by its name.
    let segments = below(&away.objects)?.join("segments");
    let piece = fs::read_dir(&segments)?.next().context("a segment there")??.path();
    let whole = fs::read(&piece)?;
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&piece, flipped)?;
    let name = format!("segments/{}", piece.file_name().context("a name")?.to_string_lossy());
    let (code, said) = noticed("copy-changed-before-a-restore", || from(&practice, &away.options))?;
    nothing_is_made(code, &said, 1, &name)?;
    fs::write(&piece, whole)?;

    let (code, said) = from(&practice, &away.options)?;
    ensure!(code == Some(0) && said.contains("The whole ledger verifies"), "{code:?} {said}");
    practice.start_collector()?;
    wait::until_so("the machine to send again what the copy lacks", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of("ws-01")? >= size)
    })
    .with_context(|| format!("{}\n{}", machine.log(), practice.collector_log()))?;
    assert_eq!(accesses(&practice, "ws-01")?, BEFORE + AFTER);
    practice.collector(&["self-check"])?;
    let bundle = practice.folder().join("after.zip");
    let to = bundle.to_string_lossy().into_owned();
    let days = ["--from", "2026-01-01", "--to", "2036-12-31"];
    practice.collector(&[&["export", "--case", "R-1", "--out", &to], days.as_slice()].concat())?;
    let (code, told) = verify(&bundle, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{told}");
    // The restored collector goes on copying to where it came from.
    practice.collector(&["backup"])?;
    practice.collector(&["off-site", "check"])?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    Ok(())
}

#[test]
fn a_destroyed_collector_is_put_back_from_an_ssh_server_and_a_changed_piece_is_refused_by_name() -> Result<()>
{
    drill(ssh)
}

#[test]
fn a_destroyed_collector_is_put_back_from_a_bucket_and_a_changed_piece_is_refused_by_name() -> Result<()> {
    drill(s3)
}
