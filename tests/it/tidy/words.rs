//! Words that may stand in some rooms only: a table of path -> forbidden word (AR-1, ND-1).

use super::{Source, none, some, sources};

/// A word of code and where it may stand.
struct Wall {
    word: &'static str,
    /// Prefixes of paths that may hold it; empty for nowhere.
    only: &'static [&'static str],
    /// The rule covers paths under these prefixes; empty for everything but the tests.
    within: &'static [&'static str],
    why: &'static str,
}

const AR1: &str = "AR-1";
const ND1: &str = "ND-1: decisions have no I/O, clock or async";
const DECIDING: &[&str] = &["collector/src/need_to_know"];
const PURE: &[&str] = &["ledger/evidence/src/"];

const fn only(word: &'static str, only: &'static [&'static str]) -> Wall {
    Wall { word, only, within: &[], why: AR1 }
}

const fn never(word: &'static str, within: &'static [&'static str], why: &'static str) -> Wall {
    Wall { word, only: &[], within, why }
}

const WALLS: &[Wall] = &[
    only("tonic", &["proto/", "agent/src/uplink", "agent/src/enroll", "collector/src/ingest"]),
    only("tonic_prost", &["proto/"]),
    only("sled", &["collector/src/store"]),
    only("tokio_postgres", &["collector/src/ledger/database", "collector/src/config/store.rs"]),
    only("tokio_postgres_rustls", &["collector/src/ledger/database"]),
    only("openssh_sftp_client", &["collector/src/off_site/sftp.rs"]),
    only("object_store", &["collector/src/off_site/s3.rs"]),
    only("lettre", &["collector/src/mail"]),
    only("hickory_resolver", &["collector/src/mail/lookup.rs"]),
    only("rustls_native_certs", &["collector/src/outside.rs"]),
    only("windows_sys", &["agent/src/windows/", "collector/src/windows/"]),
    only(
        "windows_service",
        &[
            "agent/src/service/windows.rs",
            "agent/src/cli/service_windows.rs",
            "collector/src/windows/service.rs",
        ],
    ),
    only(
        "notify::",
        &[
            "agent/src/sensor/watch",
            "agent/src/discover/arrivals",
            "agent/src/config/reload",
            "collector/src/config/reload",
        ],
    ),
    never("std::fs", DECIDING, ND1),
    never("std::net", DECIDING, ND1),
    never("std::env", DECIDING, ND1),
    never("std::process", DECIDING, ND1),
    never("tokio", DECIDING, ND1),
    never("async", DECIDING, ND1),
    never("SystemTime", DECIDING, ND1),
    never("Instant", DECIDING, ND1),
    never("now(", DECIDING, ND1),
    never("getrandom", DECIDING, ND1),
    never("std::fs", PURE, "evidence is pure"),
    never("std::net", PURE, "evidence is pure"),
    never("std::env", PURE, "evidence is pure"),
    never("SystemTime", PURE, "evidence is pure"),
    never("Instant", PURE, "evidence is pure"),
];

fn broken_walls(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_generated()) {
        let shipped = !source.is_test();
        let (code, _) = source.split_tests();
        let under = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
        for (number, line) in code.lines().enumerate() {
            let line = without_comment(line);
            for wall in WALLS.iter().filter(|wall| shipped && (wall.within.is_empty() || under(wall.within)))
            {
                if has_word(line, wall.word) && !under(wall.only) {
                    complaints.push(format!(
                        "{}:{}: `{}` ({})",
                        source.path,
                        number + 1,
                        wall.word,
                        wall.why
                    ));
                }
            }
        }
        // Tests too: nothing is unsafe outside the rooms made for it.
        let lines = source.text.lines().map(without_comment).enumerate();
        let found = lines.filter(|(_, line)| has_word(line, "unsafe") && !source.path.ends_with("_ffi.rs"));
        complaints
            .extend(found.map(|(number, _)| format!("{}:{}: `unsafe` ({AR1})", source.path, number + 1)));
    }
    complaints
}

/// The line up to a `//` that is no part of an address; text in quotes is left out.
fn without_comment(line: &str) -> &str {
    let mut from = 0;
    while let Some(at) = line[from..].find("//").map(|at| at + from) {
        if !line[..at].ends_with(':') && line[..at].matches('"').count().is_multiple_of(2) {
            return &line[..at];
        }
        from = at + 2;
    }
    line
}

/// Whether this word stands in the line's code, by itself and outside quotes.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = line[at + word.len()..].chars().next().is_some_and(is_name);
        let ends_in_name = word.chars().next_back().is_some_and(is_name);
        let quoted = !line[..at].matches('"').count().is_multiple_of(2);
        !(quoted || before || ends_in_name && after)
    })
}

#[test]
fn words_stay_in_their_rooms() {
    none(&broken_walls(&sources()));
}

#[test]
fn a_word_in_the_wrong_room_is_seen() {
    let check = |path: &str, line: &str, says: &str| some(&broken_walls(&[Source::new(path, line)]), says);
    check("agent/src/spool.rs", "use tonic::Status;", "agent/src/spool.rs:1: `tonic` (AR-1)");
    check("collector/src/finding.rs", "\nlet db = sled::open(path)?;", "collector/src/finding.rs:2: `sled`");
    check("collector/src/off_site/copy.rs", "use object_store::aws::AmazonS3;", "`object_store` (AR-1)");
    check("collector/src/system/windows.rs", "use windows_sys::Win32::Foundation::HANDLE;", "`windows_sys`");
    check("collector/src/run.rs", "use windows_service::service::Service;", "`windows_service` (AR-1)");
    check("collector/src/off_site.rs", "use openssh_sftp_client::Sftp;", "`openssh_sftp_client`");
    check("collector/src/mail/place.rs", "use hickory_resolver::TokioResolver;", "`hickory_resolver` (AR-1)");
    check("agent/src/sensor.rs", "    unsafe { libc::close(3) };", "`unsafe`");
    check("tests/practice.rs", "    unsafe { libc::close(3) };", "`unsafe`");
    check("collector/src/config.rs", "let watcher = notify::recommended_watcher(f)?;", "`notify::`");
    check("collector/src/need_to_know/place.rs", "pub async fn decide() {", "`async` (ND-1");
    check("collector/src/need_to_know.rs", "use std::time::Instant;", "`Instant` (ND-1");
    check("collector/src/need_to_know.rs", "let today = Zoned::now();", "`now(` (ND-1");
    check("ledger/evidence/src/merkle.rs", "use std::fs;", "evidence is pure");
}

#[test]
fn a_word_where_it_belongs_or_in_prose_is_not_seen() {
    let check = |path: &str, line: &str| none(&broken_walls(&[Source::new(path, line)]));
    check("agent/src/uplink/client.rs", "use tonic::Status;");
    check("collector/src/store.rs", "let db = sled::open(path)?;");
    check("agent/src/sensor/audit_ffi.rs", "unsafe { libc::close(3) };");
    check("agent/src/spool.rs", "//! Unlike sled, tonic or unsafe code.");
    check("agent/src/spool.rs", "let name = \"https://x\"; // tonic says so");
    check("agent/src/main.rs", "#![deny(unsafe_code)] let tonics = notify_all();");
    check("agent/src/main.rs", "error(\"the folder of sled is gone\")");
    check("tests/wire.rs", "use tonic::Status;");
}
