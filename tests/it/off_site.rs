//! Copies off-site with real programs: into a folder, to a real SSH server, into a bucket. What lies there is opened by
//! Debian's `age` with the recovery key alone, and is then the segment byte for byte.

pub(crate) mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_evidence::hash::Hash;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};
use serde_json::Value;

use crate::bundle::exported;
use place::{Bucket, SEEN_WITHIN, Sshd, Valve};

/// Adds `[off_site]` to the configuration; the collector must not run.
fn configure(practice: &Practice, section: &str) -> Result<()> {
    let path = practice.dir().join("collector.toml");
    let before = fs::read_to_string(&path)?;
    let before = before.split("\n[off_site]\n").next().unwrap_or_default();
    Ok(fs::write(&path, format!("{before}\n[off_site]\n{section}\n"))?)
}

/// `off-site now`, which must succeed.
fn copy(practice: &Practice) -> Result<Value> {
    Ok(serde_json::from_str(&practice.collector(&["off-site", "now", "--json"])?)?)
}

/// `off-site check`: its exit code and what it found.
fn check(practice: &Practice) -> Result<(Option<i32>, Value)> {
    let (code, said) = practice.try_collector(&["off-site", "check", "--json"])?;
    Ok((code, serde_json::from_str(said.trim()).with_context(|| said.clone())?))
}

fn faults(found: &Value) -> String {
    let faults = found["faults"].as_array().cloned().unwrap_or_default();
    faults.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

/// The folder of the practice below a copied folder.
fn below(place: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(place)?.next().context("a practice's folder there")??;
    Ok(entry.path())
}

fn newest(folder: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(folder.join("newest.json"))?)?)
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// A file that `age` takes, with the recovery key from the file that `init` wrote.
fn recovery_key(practice: &Practice) -> Result<PathBuf> {
    let text = fs::read_to_string(practice.folder().join("keys-to-take-away.txt"))?;
    let at = text.find("AGE-SECRET-KEY-").context("the recovery key for age")?;
    let key = text[at..].split_whitespace().next().context("a key")?;
    let file = practice.folder().join("recovery.key");
    fs::write(&file, format!("{key}\n"))?;
    Ok(file)
}

/// Opens an object with Debian's age; none where it does not.
fn open(object: &Path, key: &Path) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new("age");
    let output = command.arg("-d").arg("-i").arg(key).arg(object).stdin(Stdio::null()).output()?;
    Ok(output.status.success().then_some(output.stdout))
}

fn age_is_here(test: &str) -> bool {
    let here = ["age", "age-keygen"].iter().all(|name| Command::new(name).arg("--version").output().is_ok());
    if !here {
        skip::skip(test, "the programs age and age-keygen are not installed");
    }
    here
}

/// Each object opens with the recovery key to what the list says, and where the segment still has that form, to its bytes
/// on the disk. No other key opens one, and nothing of the plain text stands anywhere there.
fn everything_is_there_and_only_for_the_recovery_key(practice: &Practice, folder: &Path) -> Result<()> {
    let key = recovery_key(practice)?;
    let other = practice.folder().join("other.key");
    let _ = fs::remove_file(&other);
    program_succeeds(Command::new("age-keygen").arg("-o").arg(&other))?;
    let list = newest(folder)?;
    let segments = list["segments"].as_array().context("segments")?.clone();
    ensure!(!segments.is_empty(), "nothing was copied: {list}");
    let mut read = Vec::new();
    for segment in &segments {
        let (number, form) =
            (segment["number"].as_u64().context("number")?, segment["form"].as_str().unwrap());
        let object = folder.join(format!("segments/{number:020}.{form}.age"));
        let bytes = fs::read(&object)?;
        assert_eq!(Some(Hash::of(&bytes).to_hex().as_str()), segment["sha256"].as_str());
        let plain = open(&object, &key)?.context("the recovery key opens it")?;
        assert_eq!(Some(Hash::of(&plain).to_hex().as_str()), segment["plain_sha256"].as_str());
        if let Ok(here) = fs::read(practice.dir().join(format!("ledger/{number:020}.{form}"))) {
            assert!(here == plain, "segment {number} is another one there");
            read.push(number);
        }
        ensure!(open(&object, &other)?.is_none(), "another key opened {}", object.display());
    }
    ensure!(read.len() == segments.len(), "only the segments {read:?} were compared with their files");
    for file in files(folder)? {
        let bytes = fs::read(&file)?;
        for plain in [recording::WATCHED, "week-00", "itadmin1", "login_uid", "/usr/bin/cat"] {
            let stands = bytes.windows(plain.len()).any(|window| window == plain.as_bytes());
            ensure!(!stands, "`{plain}` stands in {}", file.display());
        }
    }
    Ok(())
}

fn program_succeeds(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{command:?}: {}", program::text(&output.stderr));
    Ok(())
}

#[test]
fn a_folder_holds_everything_up_to_now_for_the_recovery_key_alone() -> Result<()> {
    if !age_is_here("off_site::a_folder") {
        return Ok(());
    }
    let mut made = exported(20)?;
    let place = made.practice.folder().join("vault");
    fs::create_dir(&place)?;
    made.practice.stop_collector()?;
    configure(&made.practice, &format!("to = {place:?}"))?;
    // In-process first, then over the socket of a running collector.
    let first = copy(&made.practice)?;
    assert_eq!(first["sent"], 1, "{first}");
    made.practice.start_collector()?;
    let second = copy(&made.practice)?;
    let practice = &made.practice;
    let folder = below(&place)?;
    everything_is_there_and_only_for_the_recovery_key(practice, &folder)?;
    let list = newest(&folder)?;
    assert_eq!(list, second["list"]);
    assert_eq!(list["left_out"], Value::Null);
    assert_eq!(fs::read(folder.join("trust.txt"))?, fs::read(practice.dir().join("trust.txt"))?);
    // The act says what the list is; what is outside is what a verifier can be shown.
    let acts = practice.events(&["--acts"])?;
    let copied: Vec<&Value> = acts.iter().filter(|row| row["event"]["kind"] == "act_off_site").collect();
    let last = &copied.last().context("an act")?["event"]["act"];
    let bytes = fs::read(folder.join("newest.json"))?;
    assert_eq!(last["list_sha256"].as_str(), Some(Hash::of(&bytes).to_hex().as_str()), "{last}");
    assert_eq!((&last["log_size"], &last["log_root"]), (&list["log_size"], &list["log_root"]));
    assert_eq!(last["to"].as_str(), place.to_str());
    // What is there already is not sent again: only the segment that the last act stands in.
    let third = copy(practice)?;
    assert_eq!(third["sent"], 1, "{third}");
    let status = practice.collector(&["status"])?;
    assert!(status.contains("copy outside") && !status.contains("ATTENTION: copying"), "{status}");
    assert!(practice.collector(&["metrics"])?.contains("\nntk_off_site_failing 0\n"));
    let (code, found) = check(practice)?;
    assert_eq!((code, faults(&found).as_str()), (Some(0), ""), "{found}");
    assert!(practice.collector(&["off-site", "list"])?.contains(".age") || !third.is_null());
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn check_names_what_is_missing_changed_or_not_ours_and_a_copy_mends_it() -> Result<()> {
    let mut made = exported(5)?;
    let place = made.practice.folder().join("vault");
    fs::create_dir(&place)?;
    made.practice.stop_collector()?;
    configure(&made.practice, &format!("to = {place:?}"))?;
    let practice = &made.practice;
    copy(practice)?;
    copy(practice)?;
    let folder = below(&place)?;
    let objects: Vec<PathBuf> = files(&folder.join("segments"))?;
    assert_eq!(objects.len(), 2, "{objects:?}");
    let whole = fs::read(&objects[0])?;
    // One byte of it.
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&objects[0], &flipped)?;
    let (code, found) = check(practice)?;
    assert_eq!(code, Some(1));
    assert!(faults(&found).contains("is not what was sent"), "{found}");
    // Cut, and gone: the next copy sends both again.
    fs::write(&objects[0], &whole[..whole.len() / 2])?;
    fs::remove_file(&objects[1])?;
    let (code, found) = check(practice)?;
    assert_eq!(code, Some(1));
    assert!(faults(&found).contains("is missing"), "{found}");
    let mended = copy(practice)?;
    assert_eq!(mended["sent"], 3, "both, and the segment of now: {mended}");
    assert_eq!(check(practice)?.0, Some(0));
    // Somebody rewrites object and list so that they fit each other: this collector remembers another list.
    let list = folder.join("newest.json");
    let text = fs::read_to_string(&list)?;
    let was = Hash::of(&fs::read(&objects[0])?).to_hex();
    fs::write(&objects[0], &flipped)?;
    fs::write(&list, text.replace(&was, &Hash::of(&flipped).to_hex()))?;
    let (code, found) = check(practice)?;
    assert_eq!(code, Some(1));
    assert!(faults(&found).contains("not the list that this collector wrote"), "{found}");
    // Half an upload is named and is no fault of the copy.
    fs::write(&list, &text)?;
    fs::write(folder.join("segments/00000000000000000000.segz.age.new"), "half")?;
    let (_, found) = check(practice)?;
    assert!(found["unknown"].to_string().contains(".age.new"), "{found}");
    Ok(())
}

#[test]
fn a_collector_that_was_made_anew_or_rolled_back_writes_over_no_copy() -> Result<()> {
    let mut made = exported(5)?;
    let place = made.practice.folder().join("vault");
    fs::create_dir(&place)?;
    made.practice.stop_collector()?;
    configure(&made.practice, &format!("to = {place:?}"))?;
    let practice = &made.practice;
    let before = practice.folder().join("before");
    program_succeeds(Command::new("cp").arg("-a").arg(practice.dir()).arg(&before))?;
    copy(practice)?;
    // The second one has the act of the first: what is outside reaches further than the ledger that is put back.
    copy(practice)?;
    let folder = below(&place)?;
    let there: Vec<(PathBuf, Vec<u8>)> =
        files(&folder)?.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect::<Result<_>>()?;
    // The copy of this morning is put back, and goes another way than what is outside.
    fs::remove_dir_all(practice.dir())?;
    program_succeeds(Command::new("cp").arg("-a").arg(&before).arg(practice.dir()))?;
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another history") && said.contains("nothing there was changed"), "{said}");
    for (path, bytes) in &there {
        assert!(fs::read(path)? == *bytes, "{} was touched", path.display());
    }
    assert!(practice.collector(&["status"])?.contains("ATTENTION: copying fails since"));
    // A list that is gone while segments are there is a case for a person, too.
    fs::remove_file(folder.join("newest.json"))?;
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("segments are there without a list"), "{said}");
    Ok(())
}

#[test]
fn what_is_not_set_up_or_wrong_is_said_everywhere() -> Result<()> {
    let mut made = exported(3)?;
    let (code, said) = made.practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("[off_site]"), "{said}");
    assert!(made.practice.collector(&["status"])?.contains("no copy outside"));
    let out = made.practice.folder().join("report");
    made.practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    assert!(fs::read_to_string(out.join("report.html"))?.contains("No copy of this ledger is made outside"));
    made.practice.stop_collector()?;
    // A disk that is not mounted is not made up by a folder of that name.
    let place = made.practice.folder().join("not-mounted");
    configure(&made.practice, &format!("to = {place:?}"))?;
    let (code, said) = made.practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not-mounted") && !place.exists(), "{said}");
    let (code, said) = made.practice.try_collector(&["preserve", "--case", "T-2"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("off-site copy  failed"), "{said}");
    fs::create_dir(&place)?;
    let (_, said) = made.practice.try_collector(&["preserve", "--case", "T-2"])?;
    assert!(said.contains("off-site copy  done"), "{said}");
    for (section, key) in [
        ("to = \"backup\"", "off_site.to"),
        ("to = \"sftp://me:secret@host/x\"", "off_site.to"),
        ("to = \"/b\"\nevery_hours = 1", "every_hours"),
    ] {
        configure(&made.practice, section)?;
        let (code, said) = made.practice.try_collector(&["check"])?;
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(key) && !said.contains("secret"), "{said}");
    }
    Ok(())
}

#[test]
fn a_running_collector_copies_by_itself_and_goes_on_after_a_kill_in_the_middle() -> Result<()> {
    if !age_is_here("off_site::a_running_collector") {
        return Ok(());
    }
    let mut made = exported(20)?;
    let place = made.practice.folder().join("vault");
    fs::create_dir(&place)?;
    made.practice.stop_collector()?;
    configure(&made.practice, &format!("to = {place:?}\nevery_minutes = 1"))?;
    made.practice.start_collector()?;
    let list = || below(&place).ok().and_then(|folder| newest(&folder).ok());
    let n_there = || list().map_or(0, |list| list["segments"].as_array().map_or(0, Vec::len));
    wait::until_so("the first copy", SEEN_WITHIN, || Ok(n_there() > 0))?;
    // Killed while it copies: each time the folder holds whole objects only.
    for _ in 0..5 {
        let dir = made.practice.dir();
        let mut command = Command::new(program::binary("ntk-collector")?);
        command.args(["--dir", &dir.to_string_lossy(), "off-site", "now"]);
        let mut asking = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        made.practice.kill_collector()?;
        let _ = asking.kill();
        asking.wait()?;
        made.practice.start_collector()?;
    }
    copy(&made.practice)?;
    let (code, found) = check(&made.practice)?;
    assert_eq!((code, faults(&found).as_str()), (Some(0), ""), "{found}");
    everything_is_there_and_only_for_the_recovery_key(&made.practice, &below(&place)?)?;
    made.practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn an_ssh_server_gets_the_copy_only_where_it_shows_the_known_key_and_takes_ours() -> Result<()> {
    if !age_is_here("off_site::an_ssh_server") {
        return Ok(());
    }
    let mut made = exported(20)?;
    let Some(sshd) = Sshd::start(made.practice.folder())? else { return Ok(()) };
    made.practice.stop_collector()?;
    let practice = &made.practice;
    let section = |identity: &Path, known: &Path| {
        format!("to = \"{}\"\nidentity_file = {identity:?}\nknown_hosts = {known:?}", sshd.address())
    };
    let refused = |section: &str, expected: &str| -> Result<()> {
        configure(practice, section)?;
        let (code, said) = practice.try_collector(&["off-site", "now"])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && said.trim().lines().count() == 1, "{said}");
        assert!(files(&sshd.place())?.is_empty(), "something was sent: {:?}", files(&sshd.place())?);
        Ok(())
    };
    // A server that nobody vouches for, one that shows another key, and what is missing or loose here.
    refused(&section(&sshd.key(), &sshd.no_hosts()?), "does not show the key")?;
    refused(&section(&sshd.key(), &sshd.other_host()?), "does not show the key")?;
    assert!(fs::read(sshd.no_hosts()?)?.is_empty(), "the unknown key was taken over");
    refused(&section(&sshd.other_key()?, &sshd.hosts()), "Permission denied")?;
    refused(&section(&sshd.loose_key()?, &sshd.hosts()), "chmod 600")?;
    refused(&section(&sshd.key(), &practice.folder().join("absent")), "off_site.known_hosts")?;
    // The right one.
    configure(practice, &section(&sshd.key(), &sshd.hosts()))?;
    let first = copy(practice)?;
    assert!(first["sent"].as_u64() >= Some(1), "{first}");
    let second = copy(practice)?;
    assert_eq!(second["replaced"], 0, "{second}");
    let folder = below(&sshd.place())?;
    everything_is_there_and_only_for_the_recovery_key(practice, &folder)?;
    assert_eq!(newest(&folder)?, second["list"]);
    assert!(files(&folder)?.iter().all(|path| !path.to_string_lossy().ends_with(".part")));
    let (code, found) = check(practice)?;
    assert_eq!((code, faults(&found).as_str()), (Some(0), ""), "{found}");
    // Half an upload that a crash left, and a changed object.
    fs::write(folder.join("segments/00000000000000000007.seg.age.part"), "half")?;
    let object = files(&folder.join("segments"))?.remove(0);
    let mut bytes = fs::read(&object)?;
    bytes.truncate(100);
    fs::write(&object, bytes)?;
    let (code, found) = check(practice)?;
    assert_eq!(code, Some(1));
    assert!(faults(&found).contains("is not what was sent"), "{found}");
    copy(practice)?;
    assert_eq!(check(practice)?.0, Some(0));
    // The server is gone: one sentence, and the state says so.
    drop(sshd);
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("could not reach"), "{said}");
    assert!(practice.collector(&["status"])?.contains("ATTENTION: copying fails since"));
    Ok(())
}

#[test]
fn a_bucket_gets_the_copy_with_signed_requests_and_no_secret_is_ever_shown() -> Result<()> {
    if !age_is_here("off_site::a_bucket") {
        return Ok(());
    }
    let mut made = exported(20)?;
    made.practice.stop_collector()?;
    let practice = &made.practice;
    let bucket = Bucket::start(practice.folder())?;
    let section = |credentials: &Path, name: &str| {
        format!(
            "to = \"s3://{name}/ntk/copies\"\nendpoint = \"{}\"\nregion = \"eu-test-1\"\ncredentials = {credentials:?}",
            bucket.endpoint()
        )
    };
    let refused = |section: &str, expected: &str| -> Result<()> {
        configure(practice, section)?;
        let (code, said) = practice.try_collector(&["off-site", "now"])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && said.trim().lines().count() == 1, "{said}");
        for secret in Bucket::SECRETS {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(files(&bucket.place())?.is_empty());
        Ok(())
    };
    refused(&section(&bucket.wrong_credentials()?, "vault"), "SignatureDoesNotMatch")?;
    refused(&section(&bucket.loose_credentials()?, "vault"), "chmod 600")?;
    refused(&section(&bucket.credentials()?, "elsewhere"), "NoSuchBucket")?;
    // Changed on the way: the server takes nothing that is not what was signed.
    bucket.alter_at(1);
    refused(&section(&bucket.credentials()?, "vault"), "XAmzContentSHA256Mismatch")?;
    configure(practice, &section(&bucket.credentials()?, "vault"))?;
    // The server takes in half of the second object and breaks off: no half object is there, and the next run goes on.
    bucket.break_off_at(3);
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    let first = copy(practice)?;
    assert!(first["sent"].as_u64() >= Some(1), "{first}");
    let second = copy(practice)?;
    let folder = below(&bucket.place().join("ntk/copies"))?;
    everything_is_there_and_only_for_the_recovery_key(practice, &folder)?;
    assert_eq!(newest(&folder)?, second["list"]);
    let (code, found) = check(practice)?;
    assert_eq!((code, faults(&found).as_str()), (Some(0), ""), "{found}");
    // Done, though reported failed: nothing is sent twice for it but the object itself.
    bucket.fail_after(2);
    let (code, _) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1));
    copy(practice)?;
    assert_eq!(check(practice)?.0, Some(0));
    for text in [practice.collector(&["status"])?, practice.collector(&["events", "--acts", "--json"])?] {
        for secret in Bucket::SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
    }
    drop(bucket);
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("could not reach") && !said.to_lowercase().contains("x-amz"), "{said}");
    Ok(())
}

/// `off-site now` as a process of its own, killed with -9 as soon as the way holds still in the middle of an object.
fn killed_in_the_middle(practice: &Practice, holds: &dyn Fn() -> bool) -> Result<()> {
    let dir = practice.dir().to_string_lossy().into_owned();
    let log = practice.folder().join("killed.log");
    let mut running = program::Running::start("ntk-collector", &["--dir", &dir, "off-site", "now"], &log)?;
    wait::until_so("the way to hold still", SEEN_WITHIN, || {
        running.ensure_running()?;
        Ok(holds())
    })?;
    running.kill()
}

/// A segment of more than half a megabyte, even sealed.
fn records_that_do_not_pack(practice: &Practice) -> Result<()> {
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    let name = |number: u64, part: u64| Hash::of(format!("{number} {part}").as_bytes()).to_hex();
    let opens = (0..4000).map(|number| recording::Open {
        login_uid: 1001,
        session: 7,
        program: "/usr/bin/cat".to_owned(),
        file: format!(
            "{}/{}/{}/{}/{}",
            recording::WATCHED,
            name(number, 0),
            name(number, 1),
            name(number, 2),
            name(number, 3)
        ),
    });
    recording::write_opens(&file, recording::BEGINS, opens, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("all accesses to arrive", SEEN_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of("front-desk")? > 4000)
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    Ok(())
}

#[test]
fn a_collector_killed_in_the_middle_of_an_object_leaves_no_half_one_and_goes_on() -> Result<()> {
    if !age_is_here("off_site::a_collector_killed") {
        return Ok(());
    }
    let mut practice = Practice::start()?;
    records_that_do_not_pack(&practice)?;
    practice.stop_collector()?;
    let practice = &practice;
    // To a server over SSH.
    if let Some(sshd) = Sshd::start(practice.folder())? {
        let valve = Valve::to(sshd.port(), 330_000)?;
        let (key, hosts) = (sshd.key(), sshd.hosts_through(valve.port())?);
        let to = sshd.address_through(valve.port());
        configure(practice, &format!("to = {to:?}\nidentity_file = {key:?}\nknown_hosts = {hosts:?}"))?;
        killed_in_the_middle(practice, &|| valve.holds())?;
        valve.open();
        let there = files(&below(&sshd.place())?.join("segments"))?;
        assert!(there[0].to_string_lossy().ends_with(".part") && there.len() == 1, "{there:?}");
        let half = fs::metadata(&there[0])?.len();
        copy(practice)?;
        let whole = fs::metadata(below(&sshd.place())?.join("segments/00000000000000000000.segz.age"))?.len();
        assert!(half > 0 && half < whole, "{half} of {whole} bytes were there");
        assert_eq!(check(practice)?.0, Some(0));
        everything_is_there_and_only_for_the_recovery_key(practice, &below(&sshd.place())?)?;
    }
    // Into a bucket.
    let bucket = Bucket::start(practice.folder())?;
    bucket.hold_at(3);
    configure(
        practice,
        &format!(
            "to = \"s3://vault\"\nregion = \"eu-test-1\"\nendpoint = {:?}\ncredentials = {:?}",
            bucket.endpoint(),
            bucket.credentials()?
        ),
    )?;
    killed_in_the_middle(practice, &|| bucket.holds())?;
    let there = files(&bucket.place())?;
    assert!(there.iter().all(|path| path.extension().is_none_or(|end| end != "age")), "{there:?}");
    copy(practice)?;
    assert_eq!(check(practice)?.0, Some(0));
    everything_is_there_and_only_for_the_recovery_key(practice, &below(&bucket.place())?)
}

#[test]
fn a_bucket_over_tls_is_believed_only_where_this_machine_trusts_its_certificate() -> Result<()> {
    let mut made = exported(3)?;
    made.practice.stop_collector()?;
    let practice = &made.practice;
    let certificate = practice.folder().join("bucket.pem");
    let bucket = Bucket::start_with_tls(practice.folder(), &certificate)?;
    let section = format!(
        "to = \"s3://vault\"\nregion = \"eu-test-1\"\nendpoint = {:?}\ncredentials = {:?}",
        bucket.endpoint(),
        bucket.credentials()?
    );
    configure(practice, &section)?;
    let (code, said) = practice.try_collector(&["off-site", "now"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("could not reach") && said.contains("certificate"), "{said}");
    assert!(files(&bucket.place())?.is_empty());
    let mut command = Command::new(program::binary("ntk-collector")?);
    command.arg("--dir").arg(practice.dir()).args(["off-site", "now"]).env("SSL_CERT_FILE", &certificate);
    program_succeeds(&mut command)?;
    assert!(files(&bucket.place())?.len() >= 3);
    Ok(())
}
