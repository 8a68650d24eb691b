//! The practice key hands over: agents follow by themselves, bundles of before and after are verifiable, and who still has
//! the former key leads nobody elsewhere.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_evidence::hash::unhex;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::trust::TrustFile;
use ntk_tests::machine::Machine;
use ntk_tests::postgres::Postgres;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};

use crate::bundle::{unpack, verify};
use crate::crash::reaches;
use crate::foreign::proofs::{go_accepts, script_agrees};

const WITHIN: Duration = Duration::from_secs(60);

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn export(practice: &Practice, name: &str) -> Result<PathBuf> {
    let out = practice.folder().join(format!("{name}.zip"));
    let ask = ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", name, "--out", &text(&out)];
    practice.collector(&ask)?;
    Ok(out)
}

/// What `ntk-verify` says of a bundle; the Python script ends in the same way.
fn judged(bundle: &Path, trust: &Path) -> Result<(Option<i32>, String)> {
    let said = verify(bundle, Some(trust))?;
    script_agrees("succession::script", bundle, trust, &said)?;
    Ok(said)
}

fn machine(practice: &Practice, name: &str) -> Result<Machine> {
    let mut machine = practice.enroll(name)?;
    let file = practice.folder().join(format!("{name}.log"));
    recording::write(&file, name, 1001, 40, 3)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    reaches(practice, &mut machine, 41)?;
    Ok(machine)
}

/// The trust file that an agent holds.
fn held(machine: &Machine) -> Result<TrustFile> {
    Ok(TrustFile::parse(&fs::read(machine.dir().join("identity/trust.txt"))?)?)
}

fn follows(machine: &Machine, newest: &TrustFile) -> Result<()> {
    let same = || Ok((held(machine)? == *newest).then_some(()));
    wait::until("the agent holds the newer trust file", WITHIN, same).with_context(|| machine.log())
}

/// The practice key in a file of keys, as its holder would sign with it.
fn signer(keys: &Path, trust: &TrustFile) -> Result<NoteSigner> {
    let text = fs::read_to_string(keys)?;
    let hex = text.lines().find_map(|line| line.strip_prefix("practice key")).context("a practice key")?;
    let seed = unhex(hex.trim()).and_then(|bytes| bytes.try_into().ok()).context("64 hex digits")?;
    Ok(NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &seed)?)
}

#[test]
fn a_practice_key_hands_over_agents_follow_and_bundles_of_before_and_after_are_verifiable() -> Result<()> {
    let mut practice = Practice::start()?;
    let (mut here, mut away) = (machine(&practice, "ws-01")?, machine(&practice, "ws-02")?);
    let (keys, trust_path) =
        (practice.folder().join("keys-to-take-away.txt"), practice.dir().join("trust.txt"));
    practice.collector(&["trust", "sign", "--key", &text(&keys), "--committee", "ws-01"])?;
    practice.collector(&["witness", "round"])?;
    let before = TrustFile::parse(&fs::read(&trust_path)?)?;
    follows(&here, &before)?;
    let old_trust = practice.folder().join("trust-before.txt");
    fs::copy(&trust_path, &old_trust)?;
    let old_bundle = export(&practice, "before")?;
    // One machine is away while it happens.
    away.stop()?;

    let [one, two] = ["stick-1.txt", "stick-2.txt"].map(|name| practice.folder().join(name));
    let order =
        ["keys", "hand-over", "--keys", &text(&keys), "--new-keys", &text(&one), "--new-keys", &text(&two)];
    let said =
        practice.collector(&[&order[..], &["--why", "the manager changed", "--to", "Jane Doe"]].concat())?;
    let after = TrustFile::parse(&fs::read(&trust_path)?)?;
    for words in [before.practice_words(), after.practice_words()] {
        ensure!(said.contains(&words), "{said}");
    }
    ensure!(after.slug == before.slug && after.practice_key != before.practice_key, "{said}");
    ensure!(fs::read(&one)? == fs::read(&two)?, "two whole copies");
    let said = practice.collector(&["keys", "check", &text(&two)])?;
    ensure!(said.matches("it is that of").count() == 2, "{said}");
    let (code, said) = practice.try_collector(&["keys", "check", &text(&keys)])?;
    ensure!(code == Some(1) && said.contains("handed over to another key"), "{code:?} {said}");

    // The agents follow without anybody's hands: at once, and after they were away. Each has an entry of it.
    practice.collector(&["witness", "round"])?;
    follows(&here, &after)?;
    away.start()?;
    follows(&away, &after)?;
    let said = here.command(&["status"])?;
    ensure!(said.contains(&after.practice_words()), "whoever stands before the machine can compare: {said}");
    wait::until("an entry of each agent about the trust file", WITHIN, || {
        let events = practice.events(&[])?;
        let heard = |name: &str| {
            let from = |row: &&serde_json::Value| row.to_string().contains(&format!("agent/{name}"));
            events.iter().filter(from).any(|row| row["event"]["health"]["reason"] == "trust")
        };
        Ok((heard("ws-01") && heard("ws-02")).then_some(()))
    })?;

    // Bundles: of before under the newer file, of after under the newer, and of after under the older one.
    let new_bundle = export(&practice, "after")?;
    let (code, said) = judged(&old_bundle, &trust_path)?;
    ensure!(code == Some(0) && said.contains("a key before the practice key that was given"), "{said}");
    let (code, said) = judged(&new_bundle, &trust_path)?;
    ensure!(code == Some(0) && said.contains("to Jane Doe: the manager changed"), "{said}");
    ensure!(said.contains(&before.practice_words()) && said.contains(&after.practice_words()), "{said}");
    let (code, said) = judged(&new_bundle, &old_trust)?;
    ensure!(code == Some(3) && said.contains("a later practice key"), "{code:?} {said}");
    let (code, said) = judged(&old_bundle, &old_trust)?;
    ensure!(code == Some(0), "{said}");
    let bag = unpack(&new_bundle, &practice.folder().join("bag"))?;
    if let Some(accepted) = go_accepts(&bag, &trust_path)? {
        ensure!(accepted, "Go accepts the chain");
        // A chain with a link less leads to no name: whoever signs it.
        let mut cut = after.clone();
        cut.succeeded.clear();
        let path = practice.folder().join("cut.txt");
        fs::write(&path, cut.sign(&signer(&one, &after)?)?)?;
        ensure!(go_accepts(&bag, &path)? == Some(false), "Go refuses a cut chain");
        ensure!(judged(&new_bundle, &path)?.0 == Some(3), "and so do the others");
    }

    // The foot of the review names the newest key, and says what came before.
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &text(&out)])?;
    let review: serde_json::Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    ensure!(review["footer"]["practice_words"] == after.practice_words(), "{}", review["footer"]);
    let page = fs::read_to_string(out.join("report.html"))?;
    ensure!(
        page.contains(&before.practice_words()) && page.contains("The practice key handed over"),
        "the page"
    );

    // Who still has the former key signs nothing that counts.
    let (code, said) =
        practice.try_collector(&["trust", "sign", "--key", &text(&keys), "--machines-max", "9"])?;
    ensure!(code == Some(64) && said.contains("handed over on"), "{code:?} {said}");
    practice.collector(&["trust", "sign", "--key", &text(&one), "--machines-max", "9"])?;
    practice.collector(&["witness", "round"])?;
    let newest = TrustFile::parse(&fs::read(&trust_path)?)?;
    follows(&here, &newest)?;

    // Not even with the collector's disk in hand: its trust file leads elsewhere, and agents stay with theirs.
    practice.stop_collector()?;
    let thief = NoteSigner::new(&before.slug.practice_name(), KeyType::Ed25519, &[66; 32])?;
    let mut elsewhere = before.clone();
    elsewhere.hand_over(&signer(&keys, &before)?, &thief, "2036-01-01T00:00:00Z", "another manager")?;
    fs::write(&trust_path, elsewhere.sign(&thief)?)?;
    practice.start_collector()?;
    let note = wait::until("the agent heard the collector's round", WITHIN, || {
        let note = practice.collector(&["witness", "round"])?;
        Ok(note.contains("/witness/ws-01").then_some(note))
    })?;
    ensure!(held(&here)? == newest, "the agent stays with the key that it heard of first: {note}");
    let refused = || Ok(here.log().contains("another practice key or log").then_some(()));
    wait::until("the agent's own log says so", WITHIN, refused)?;
    let (code, said) = judged(&export(&practice, "elsewhere")?, &old_trust)?;
    ensure!(code == Some(3), "{code:?} {said}");
    here.stop()?;

    // A machine that heard the thief first follows him, and says so when the owner's key is shown; it is enrolled again.
    let mut led = practice.enroll("ws-03")?;
    ensure!(held(&led)? == elsewhere, "a new machine takes what it is shown");
    led.configure(&recording::configuration(&[&practice.folder().join("ws-01.log")], None))?;
    practice.stop_collector()?;
    fs::write(&trust_path, newest.sign(&signer(&one, &after)?)?)?;
    practice.start_collector()?;
    led.start()?;
    let refused = || Ok(led.log().contains("another practice key or log").then_some(()));
    wait::until("the machine that was led elsewhere says so", WITHIN, refused)?;
    ensure!(held(&led)? == elsewhere, "it is led back by nobody");
    led.stop()?;
    let token = practice.collector(&["enroll", "new", "--replace", "ws-03"])?;
    led.command(&["enroll", "--token", token.trim(), "--replace"])?;
    ensure!(held(&led)? == newest, "enrolled again, it holds the owner's chain");
    Ok(())
}

/// A hand-over on paper: what the screen showed, and how it ended. `answer` is asked for a word by key and number.
fn on_paper(
    practice: &Practice,
    keys: &Path,
    answer: impl Fn(&str, &str, usize) -> String,
) -> Result<(bool, String)> {
    let dir = text(&practice.dir());
    let mut command = Command::new(program::binary("ntk-collector")?);
    command.args(["--dir", &dir, "keys", "hand-over", "--keys", &text(keys), "--why", "rotation"]);
    command.args(["--new-keys-on-paper", "--words-answer"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut typing, mut screen) =
        (child.stdin.take().context("answers")?, child.stdout.take().context("a screen")?);
    let shown = answered(&mut typing, &mut screen, usize::MAX, answer)?;
    let output = child.wait_with_output()?;
    Ok((output.status.success(), shown + &program::text(&output.stderr)))
}

/// Answers so many questions of a command, or all; what its screen showed until then.
fn answered(
    typing: &mut impl Write,
    screen: &mut impl Read,
    at_most: usize,
    answer: impl Fn(&str, &str, usize) -> String,
) -> Result<String> {
    let (mut shown, mut line, mut byte, mut n_answered) = (String::new(), String::new(), [0; 1], 0);
    while n_answered < at_most && screen.read(&mut byte)? == 1 {
        shown.push(char::from(byte[0]));
        line.push(char::from(byte[0]));
        let asked = line.strip_suffix(": ").and_then(|asked| asked.split_once(", word "));
        if let Some((key, number)) = asked
            && let Ok(number) = number.parse::<usize>()
        {
            // Who ends the questions is gone by then: that is what the exit code is for.
            let _ = writeln!(typing, "{}", answer(&shown, key, number));
            n_answered += 1;
            line.clear();
        } else if byte[0] == b'\n' {
            line.clear();
        }
    }
    Ok(shown)
}

/// The words of a key as they stand on the sheet.
fn words_of(shown: &str, key: &str) -> Vec<String> {
    let sheet = shown.split(&format!("{key}, 24 words")).nth(1).unwrap_or_default();
    let words = sheet.lines().skip(1).take(6).flat_map(str::split_whitespace);
    words.filter(|word| word.parse::<u8>().is_err()).map(str::to_owned).collect()
}

#[test]
fn a_new_key_on_paper_is_in_force_only_after_its_words_were_typed_back() -> Result<()> {
    let practice = Practice::start()?;
    let (keys, trust) = (practice.folder().join("keys-to-take-away.txt"), practice.dir().join("trust.txt"));
    let before = fs::read(&trust)?;
    let (is_done, said) = on_paper(&practice, &keys, |_, _, _| "zoo".to_owned())?;
    ensure!(!is_done && said.contains("nothing was made or changed"), "{said}");
    ensure!(fs::read(&trust)? == before, "the former key is in force");

    let right = |shown: &str, key: &str, number: usize| words_of(shown, key).swap_remove(number - 1);
    let (is_done, said) = on_paper(&practice, &keys, right)?;
    ensure!(is_done && said.contains("In force now"), "{said}");
    let after = TrustFile::parse(&fs::read(&trust)?)?;
    ensure!(said.contains(&after.practice_words()), "the words of what is in force are on the sheet: {said}");
    // The paper makes a file of both keys again.
    let lines: Vec<String> =
        ["practice key", "recovery key"].map(|key| words_of(&said, key).join(" ")).to_vec();
    let out = practice.folder().join("again.txt");
    let mut command = Command::new(program::binary("ntk-collector")?);
    command.args(["--dir", &text(&practice.dir()), "keys", "from-words", "--out", &text(&out)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("words")?.write_all((lines.join("\n") + "\n").as_bytes())?;
    ensure!(child.wait()?.success(), "the words on paper are the keys");
    let said = practice.collector(&["keys", "check", &text(&out)])?;
    ensure!(said.matches("it is that of").count() == 2, "{said}");
    Ok(())
}

/// Sends a signal to the collector.
fn signal(practice: &Practice, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([name, &practice.collector_id()?.to_string()]).status()?;
    ensure!(sent.success(), "kill {name}");
    Ok(())
}

/// A hand-over that is killed when the stick is written and the collector has not answered yet; the same command again comes to
/// its end, or says that the first one did.
fn killed_and_given_again(practice: &Practice) -> Result<()> {
    let keys = practice.folder().join("keys-to-take-away.txt");
    let (stick, trust) = (practice.folder().join("stick.txt"), practice.dir().join("trust.txt"));
    let before = TrustFile::parse(&fs::read(&trust)?)?;
    let (dir, old, new) = (text(&practice.dir()), text(&keys), text(&stick));
    let order =
        ["keys", "hand-over", "--recovery-key-too", "--keys", &old, "--new-keys", &new, "--why", "rotation"];

    let mut command = Command::new(program::binary("ntk-collector")?);
    command.args(["--dir", &dir]).args(order).args(["--new-keys-on-paper", "--words-answer"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut typing, mut screen) =
        (child.stdin.take().context("answers")?, child.stdout.take().context("a screen")?);
    let right = |shown: &str, key: &str, number: usize| words_of(shown, key).swap_remove(number - 1);
    // Four words of each key. It has asked the collector all that it asks before it writes; from here on nobody answers.
    let shown = answered(&mut typing, &mut screen, 7, right)?;
    signal(practice, "-STOP")?;
    ensure!(!stick.exists(), "nothing is written before the last word");
    answered(&mut typing, &mut screen, 1, |_, key, number| right(&shown, key, number))?;
    wait::until_so("the stick to be written", WITHIN, || Ok(stick.exists()))?;
    child.kill()?;
    let _killed = child.wait()?;
    signal(practice, "-CONT")?;

    let written = fs::read(&stick)?;
    let (code, said) = practice.try_collector(&order)?;
    if code != Some(0) {
        ensure!(said.contains("handed over on"), "the first one came to its end, and that is said: {said}");
    }
    ensure!(fs::read(&stick)? == written, "the key that is on the stick is the one that goes on");
    let after = TrustFile::parse(&fs::read(&trust)?)?;
    ensure!((after.succeeded.len(), after.retired.len()) == (1, 1), "once: {said}");
    ensure!(after.leads_from(&before) && after.recovery_leads_from(&before), "{said}");
    let said = practice.collector(&["keys", "check", &new])?;
    ensure!(said.matches("it is that of").count() == 2, "{said}");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_hand_over_of_both_keys_that_is_killed_between_stick_and_trust_file_comes_to_its_end_the_next_time()
-> Result<()> {
    killed_and_given_again(&Practice::start()?)
}

#[test]
fn so_it_does_where_the_ledger_is_in_a_database_and_its_machines_follow() -> Result<()> {
    let Some(server) = Postgres::start()? else {
        skip::skip("succession: database", "no PostgreSQL server is installed");
        return Ok(());
    };
    let mut practice = Practice::start()?;
    let mut here = machine(&practice, "ws-01")?;
    practice.stop_collector()?;
    practice.migrate(&server.database("ntk")?)?;
    practice.start_collector()?;
    killed_and_given_again(&practice)?;
    let newest = TrustFile::parse(&fs::read(practice.dir().join("trust.txt"))?)?;
    wait::until_so("the machine to follow", WITHIN, || {
        here.agent()?.ensure_running()?;
        practice.collector(&["witness", "round"])?;
        Ok(held(&here)? == newest)
    })
    .with_context(|| here.log())?;
    here.stop()?;
    practice.stop_collector()?;
    practice.start_collector()?;
    practice.collector(&["self-check"])?;
    Ok(())
}
