//! What people type wrong: each wrong flag, file, key, token gets a sentence that names it, an exit code that says
//! whose fault it is, and nothing that is stored is touched.

use std::fs;
use std::path::Path;

use anyhow::Result;
use ntk_tests::practice::Practice;
use ntk_tests::program;

const NO: i32 = 1;
const USAGE: i32 = 64;
const IO: i32 = 74;
const CONFIG: i32 = 78;

/// Every file below a folder with its content, the cache and lock files left out.
fn contents(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "cache" {
                found.extend(contents(&path)?);
            }
        } else if path.is_file() && name != "lock" {
            found.push((path.to_string_lossy().into_owned(), fs::read(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

/// Runs a program that must fail with this code and say this.
#[track_caller]
fn check(program: &str, arguments: &[&str], code: i32, says: &[&str]) {
    let output = program::run(program, arguments).unwrap();
    let said = program::text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{program} {arguments:?}: {said}");
    for word in says {
        assert!(said.contains(word), "{program} {arguments:?} should say `{word}`: {said}");
    }
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
    assert!(!said.contains("Error {") && !said.contains("Err("), "no Rust in a sentence: {said}");
}

#[test]
fn wrong_flags_are_named() -> Result<()> {
    for program in ["ntk-collector", "ntk-agent", "ntk-verify"] {
        check(program, &["--no-such-flag"], USAGE, &["--no-such-flag"]);
        check(program, &[], USAGE, &["Usage"]);
    }
    check("ntk-collector", &["no-such-command"], USAGE, &["no-such-command"]);
    check("ntk-agent", &["replay", "--format", "linux-audit"], USAGE, &["FILE"]);
    check("ntk-agent", &["replay", "--format", "tea-leaves", "x.log"], USAGE, &["tea-leaves"]);
    check(
        "ntk-agent",
        &["replay", "--format", "evtx", "x.evtx", "--watch", "/srv/mail=mailbox"],
        USAGE,
        &["Windows path"],
    );
    check("ntk-agent", &["replay", "--format", "evtx", "/nowhere/x.evtx"], IO, &["/nowhere/x.evtx"]);
    check("ntk-collector", &["enroll", "new"], USAGE, &["--machine"]);
    check("ntk-collector", &["--config", "/etc/hostname", "status"], USAGE, &["collector.toml"]);
    Ok(())
}

#[test]
fn wrong_values_at_init_make_nothing() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let dir = scratch.path().join("c");
    let dir = dir.to_string_lossy();
    let init = |extra: &[&'static str]| {
        let mut all = vec!["init", "--dir", &dir];
        all.extend_from_slice(extra);
        all.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()
    };
    let refuse = |extra: &[&'static str], code: i32, says: &[&str]| {
        let all = init(extra);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        check("ntk-collector", &all, code, says);
        assert!(!Path::new(dir.as_ref()).join("collector.toml").exists(), "{extra:?} made a practice");
    };
    refuse(&["--name", "A", "--timezone", "Mars/Olympus"], USAGE, &["Mars/Olympus"]);
    refuse(&["--name", " ", "--timezone", "UTC"], USAGE, &["practice"]);
    refuse(&["--name", "A", "--timezone", "UTC", "--listen", "nowhere"], USAGE, &["nowhere"]);
    refuse(
        &["--name", "A", "--timezone", "UTC", "--template", "castle"],
        USAGE,
        &["castle", "small-practice"],
    );
    refuse(&["--name", "A", "--timezone", "UTC", "--administers", "coffee"], USAGE, &["coffee"]);
    refuse(&["--name", "A"], USAGE, &["--timezone"]);
    Ok(())
}

#[test]
fn a_second_init_changes_nothing() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let practice = Practice::make(scratch.path(), None)?;
    let before = contents(&practice.dir())?;
    let dir = practice.dir();
    check(
        "ntk-collector",
        &["init", "--dir", &dir.to_string_lossy(), "--name", "B", "--timezone", "UTC"],
        NO,
        &["holds a practice already"],
    );
    assert_eq!(contents(&practice.dir())?, before);
    Ok(())
}

#[test]
fn wrong_keys_of_the_collectors_configuration_are_named_all_at_once() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let practice = Practice::make(scratch.path(), None)?;
    let config = practice.dir().join("collector.toml");
    let good = fs::read_to_string(&config)?;
    let before: Vec<_> = contents(&practice.dir())?
        .into_iter()
        .filter(|(path, _)| !path.ends_with("collector.toml"))
        .collect();
    let dir = practice.dir();
    let dir = dir.to_string_lossy();
    for (bad, says) in [
        (good.replace("timezone", "timezones"), vec!["timezones"]),
        (good.replace("America/New_York", "Mars/Olympus"), vec!["timezone", "Mars/Olympus"]),
        (good.replace("listen = \"127.0.0.1:", "listen = \"127.0.0.1;"), vec!["listen"]),
        (
            good.replace("witness_round_seconds = 60", "witness_round_seconds = 0"),
            vec!["witness_round_seconds"],
        ),
        ("this is no TOML".to_owned(), vec!["collector.toml"]),
        (String::new(), vec!["practice"]),
    ] {
        fs::write(&config, bad)?;
        check("ntk-collector", &["--dir", &dir, "run"], CONFIG, &says);
        check("ntk-collector", &["--dir", &dir, "status"], CONFIG, &says);
    }
    fs::remove_file(&config)?;
    check("ntk-collector", &["--dir", &dir, "run"], CONFIG, &["init"]);
    let after: Vec<_> = contents(&practice.dir())?
        .into_iter()
        .filter(|(path, _)| !path.ends_with("collector.toml"))
        .collect();
    assert_eq!(after, before, "wrong configurations touch nothing else");
    fs::write(&config, good)?;
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn keys_and_ledger_that_are_not_as_they_were_stop_a_start() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let practice = Practice::make(scratch.path(), None)?;
    let dir = practice.dir();
    let text = dir.to_string_lossy().into_owned();
    let private = dir.join("private");
    for entry in fs::read_dir(&private)? {
        let path = entry?.path();
        let good = fs::read(&path)?;
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] = if bad[middle] == b'1' { b'2' } else { b'1' };
        bad.truncate(bad.len() - 3);
        fs::write(&path, bad)?;
        let output = program::run("ntk-collector", &["--dir", &text, "check"])?;
        let said = program::text(&output.stdout) + &program::text(&output.stderr);
        assert_eq!(output.status.code(), Some(CONFIG), "{} damaged, and check says: {said}", path.display());
        fs::write(&path, &good)?;
    }
    practice.collector(&["check"])?;
    let trust = dir.join("trust.txt");
    let good = fs::read_to_string(&trust)?;
    fs::write(&trust, good.replacen("Maple", "Mople", 1))?;
    check("ntk-collector", &["--dir", &text, "run"], CONFIG, &["trust"]);
    fs::write(&trust, good)?;
    // One byte in the middle of the ledger: a start says so, and cuts nothing off.
    let segment = fs::read_dir(dir.join("ledger"))?.filter_map(Result::ok).map(|entry| entry.path());
    let segment = segment.filter(|path| path.extension().is_some_and(|kind| kind == "seg")).max().unwrap();
    let good = fs::read(&segment)?;
    let mut bad = good.clone();
    bad[200] ^= 1;
    fs::write(&segment, &bad)?;
    let output = program::run("ntk-collector", &["--dir", &text, "self-check"])?;
    assert_ne!(output.status.code(), Some(0), "{}", program::text(&output.stdout));
    Ok(())
}

#[test]
fn wrong_rosters_tables_and_questions_are_refused_by_name() -> Result<()> {
    let practice = Practice::start()?;
    let file = practice.folder().join("bad.toml");
    let path = file.to_string_lossy().into_owned();
    let sizes = || -> Result<u64> {
        Ok(practice
            .events(&["--acts"])?
            .iter()
            .filter(|row| ["act_roster", "act_policy"].iter().any(|kind| row["event"]["kind"] == *kind))
            .count()
            .try_into()?)
    };
    let before = sizes()?;
    for (text, says) in [
        ("no toml at all", "bad.toml"),
        ("[[person]]\nid = \"a\"\n", "name"),
        ("[[person]]\nid = \"a\"\nname = \"A\"\nroles = [\"manager\"]\ncolour = \"green\"\n", "colour"),
        ("[[account]]\nperson = \"nobody\"\nuid = 7\n", "nobody"),
    ] {
        fs::write(&file, text)?;
        let (code, said) = practice.try_collector(&["roster", "import", &path])?;
        assert!(code.is_some_and(|code| code != 0), "{text:?} came into force");
        assert!(said.contains(says) || says == "bad.toml", "{text:?} should name `{says}`: {said}");
    }
    fs::write(&file, "[table.vendor]\nmailbox = \"perhaps\"\n")?;
    let (code, said) = practice.try_collector(&["policy", "adopt", &path])?;
    assert!(code.is_some_and(|code| code != 0) && said.contains("perhaps"), "{said}");
    let (code, said) = practice.try_collector(&["roster", "import", "no-such-file.toml"])?;
    assert!(code.is_some_and(|code| code != 0) && said.contains("no-such-file.toml"), "{said}");
    assert_eq!(sizes()?, before, "nothing came into force");

    for (arguments, says) in [
        (vec!["events", "--from", "yesterday"], "yesterday"),
        (vec!["events", "--from", "2026-11-21", "--to", "2026-11-20"], "later"),
        (vec!["findings", "--since", "2026-13-01"], "2026-13-01"),
        (vec!["report", "--week", "2026-W99", "--out", "out"], "2026-W99"),
        (vec!["enroll", "new", "--machine", "Reception 2"], "Reception 2"),
        (vec!["enroll", "new", "--machine", "a", "--expires", "soon"], "soon"),
        (vec!["enroll", "new", "--machine", "a", "--expires", "900d"], "7 days"),
        (vec!["enroll", "revoke", "nobody"], "nobody"),
        (
            vec!["export", "--from", "2026-11-20", "--to", "2026-11-21", "--case", "a/b", "--out", "x.zip"],
            "a/b",
        ),
    ] {
        let (code, said) = practice.try_collector(&arguments)?;
        assert!(matches!(code, Some(NO | USAGE)), "{arguments:?} ended with {code:?}: {said}");
        assert!(said.contains(says), "{arguments:?} should say `{says}`: {said}");
    }
    Ok(())
}

#[test]
fn wrong_tokens_and_agent_configurations_are_named() -> Result<()> {
    let practice = Practice::start()?;
    let scratch = practice.folder().join("agent-x");
    let dir = scratch.to_string_lossy().into_owned();
    let token = practice.token("ws-01")?;
    let mut cut = token.clone();
    cut.truncate(token.len() - 20);
    for bad in ["", "ntk1.", "hello", "ntk2.abc", &cut] {
        let output = program::run("ntk-agent", &["enroll", "--token", bad, "--dir", &dir])?;
        let said = program::text(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code >= 64), "`{bad}`: {said}");
        assert!(said.contains("token"), "`{bad}`: {said}");
    }
    assert!(!scratch.join("identity/identity.toml").exists(), "a bad token made an identity");

    // The same token at another practice: its certificate authority is not the pinned one.
    let other = Practice::start()?;
    let output = program::run(
        "ntk-agent",
        &["enroll", "--token", &token, "--dir", &dir, "--collector", &other.address()],
    )?;
    assert!(!output.status.success(), "another practice's collector was believed");

    let machine = practice.enroll("ws-02")?;
    let dir = machine.dir().to_string_lossy().into_owned();
    for (text, says) in [
        ("keepalive = 3\n", "keepalive"),
        ("keepalive_s = \"often\"\n", "keepalive_s"),
        ("[sensor]\naudits = true\n", "audits"),
        ("[spool]\nbytes_max = 3\n", "bytes_max"),
        ("[[watch]]\npath = \"/srv\"\nclass = \"secrets\"\n", "class"),
        ("[[watch]]\npath = \"relative\"\nclass = \"export\"\n", "path"),
        ("collector = \"here\"\n", "collector"),
        ("no toml", "agent.toml"),
    ] {
        machine.configure(text)?;
        check("ntk-agent", &["run", "--dir", &dir], CONFIG, &[says]);
    }
    check("ntk-agent", &["run", "--dir", "no-such-folder"], CONFIG, &["no-such-folder"]);
    Ok(())
}
