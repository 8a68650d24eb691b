//! What is held on a machine, what might be watched there, and decoys: with real agents, a real collector, and accounts
//! that exist while a test runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::machine::Machine;
use ntk_tests::practice::{Practice, ROSTER, week};
use ntk_tests::{audit_state, program, skip, wait};
use serde_json::Value;

/// In every file that an inventory looks at, and nowhere else.
const SECRET: &str = "planted-Secret-7f3a";
const ACCOUNT: &str = "ntkholdbea";
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const FINGERPRINT: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
const SEEN_WITHIN: Duration = Duration::from_secs(60);
const QUIET: &str = "keepalive_s = 1\ninventory_every_s = 1\n[sensor]\naudit = false\nnotify = true\n";

/// What a test puts on this machine, taken away again however the test ends.
struct Traces {
    paths: Vec<PathBuf>,
    has_account: bool,
}

impl Drop for Traces {
    fn drop(&mut self) {
        for path in self.paths.iter().rev() {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        if self.has_account {
            let _ = Command::new("userdel").args(["-r", ACCOUNT]).output();
        }
    }
}

impl Traces {
    fn new() -> Self {
        Self { paths: Vec::new(), has_account: false }
    }

    /// Writes a file; it and the folders that it needed go away with the test.
    fn put(&mut self, path: &str, text: &str) -> Result<()> {
        let path = Path::new(path);
        let mut missing: Vec<PathBuf> =
            path.ancestors().take_while(|one| !one.exists()).map(Into::into).collect();
        missing.reverse();
        ensure!(!path.exists(), "{} is there already", path.display());
        self.paths.extend(missing);
        fs::create_dir_all(path.parent().context("a path has a folder")?)?;
        Ok(fs::write(path, text)?)
    }
}

/// Whether this test may change the machine it runs on.
fn may_change_the_machine(test: &str) -> bool {
    let is_root = fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nUid:\t0\t"));
    let has_tools = Path::new("/usr/sbin/useradd").exists();
    if !is_root || !has_tools {
        skip::skip(test, "it makes an account, for which it needs root and useradd");
    }
    is_root && has_tools
}

fn with_account() -> Result<Traces> {
    let mut traces = Traces::new();
    let _ = Command::new("userdel").args(["-r", ACCOUNT]).output();
    let made = Command::new("useradd").args(["-m", "-G", "sudo", "-s", "/bin/bash", ACCOUNT]).output()?;
    ensure!(made.status.success(), "useradd: {}", program::text(&made.stderr));
    traces.has_account = true;
    Ok(traces)
}

fn hold_everything(traces: &mut Traces) -> Result<()> {
    let home = format!("/home/{ACCOUNT}");
    let sudoers = format!("/etc/sudoers.d/{ACCOUNT}");
    traces.put(&sudoers, &format!("{ACCOUNT} ALL=(ALL) NOPASSWD: /bin/ls {SECRET}\n"))?;
    fs::set_permissions(&sudoers, fs::Permissions::from_mode(0o440))?;
    let key = format!("command=\"/bin/x {SECRET}\",no-pty ssh-ed25519 {KEY} bea@laptop\n");
    for (below, text) in [
        (".ssh/authorized_keys", key.as_str()),
        (".ssh/id_ed25519", SECRET),
        (".forward", "out@example.org\n"),
        (".aws/credentials", SECRET),
        ("shop/.env", SECRET),
        (".config/systemd/user/push.service", "[Service]\nExecStart=/usr/bin/rclone sync\n"),
    ] {
        traces.put(&format!("{home}/{below}"), text)?;
    }
    let crontab = format!("/var/spool/cron/crontabs/{ACCOUNT}");
    // The 31st of February: it never runs.
    traces.put(&crontab, &format!("0 0 31 2 * TOKEN={SECRET} /usr/local/bin/night {SECRET}\n"))?;
    let unit = format!("/etc/systemd/system/{ACCOUNT}.service");
    traces.put(
        &unit,
        &format!("[Service]\nUser={ACCOUNT}\nEnvironment=K={SECRET}\nExecStart=/opt/run {SECRET}\n"),
    )?;
    traces.put(&format!("/etc/openvpn/client/{ACCOUNT}.conf"), &format!("auth {SECRET}\n"))?;
    traces.put("/etc/guacamole/guacd.conf", SECRET)
}

/// Kind and name of what the account or the machine holds.
fn expected() -> Vec<(&'static str, String)> {
    let name = |text: &str| text.to_owned();
    vec![
        ("account", name(ACCOUNT)),
        ("admin_group", name("sudo")),
        ("sudo_rule", name(ACCOUNT)),
        ("authorized_key", name(FINGERPRINT)),
        ("private_key", name("id_ed25519")),
        ("scheduled_job", name("/usr/local/bin/night")),
        ("service", format!("{ACCOUNT}.service")),
        ("service", name("push.service")),
        ("mail_forward", name("out@example.org")),
        ("secret_place", name("~/.aws/credentials")),
        ("secret_place", name("*.env")),
        ("vpn_profile", name(ACCOUNT)),
        ("remote_tool", name("Guacamole")),
    ]
}

fn names(holdings: &Value, what: &str, name: &str) -> bool {
    holdings.as_array().into_iter().flatten().any(|one| one["what"] == what && one["name"] == name)
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, bytes)?
        } else {
            path.is_file() && fs::read(&path)?.windows(bytes.len()).any(|window| window == bytes)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn inventories(practice: &Practice, reason: &str) -> Result<Vec<Value>> {
    let rows = practice.events(&[])?;
    let told = rows.into_iter().filter(|row| row["event"]["kind"] == "inventory");
    Ok(told.filter(|row| row["event"]["inventory"]["reason"] == reason).collect())
}

#[test]
fn an_inventory_lists_every_holding_tells_what_changes_and_gives_away_no_secret() -> Result<()> {
    if !may_change_the_machine("holdings::inventory") {
        return Ok(());
    }
    let mut traces = with_account()?;
    hold_everything(&mut traces)?;
    let text = program::succeed("ntk-agent", &["inventory"])?;
    let json: Value = serde_json::from_str(&program::succeed("ntk-agent", &["inventory", "--json"])?)?;
    for (what, name) in expected() {
        assert!(names(&json["holdings"], what, &name), "{what} {name} is not in {json:#}");
        assert!(text.contains(&name), "{name} is not in\n{text}");
    }
    assert!(!text.contains(SECRET) && !json.to_string().contains(SECRET), "{text}");

    // As events: everything at the start, afterwards what is new and gone.
    let practice = Practice::start()?;
    practice.import_roster(&ROSTER.replace("user = \"itadmin1\"", &format!("user = \"{ACCOUNT}\"")))?;
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(QUIET)?;
    machine.start()?;
    let first =
        wait::until("the first inventory", SEEN_WITHIN, || Ok(inventories(&practice, "start")?.pop()))?;
    for (what, name) in expected() {
        assert!(names(&first["event"]["inventory"]["holdings"], what, &name), "{what} {name}");
    }
    let keys = format!("/home/{ACCOUNT}/.ssh/authorized_keys");
    fs::remove_file(&keys)?;
    let gone = noticed("new-rights", || {
        fs::write(format!("/home/{ACCOUNT}/.forward"), "elsewhere@example.org\n")?;
        wait::until("the changes", SEEN_WITHIN, || {
            let all: Vec<Value> = inventories(&practice, "change")?;
            let told = |list: &str, what: &str, name: &str| {
                all.iter().any(|row| names(&row["event"]["inventory"][list], what, name))
            };
            let both = told("gone", "authorized_key", FINGERPRINT)
                && told("holdings", "mail_forward", "elsewhere@example.org");
            Ok(both.then_some(all.len()))
        })
    })?;
    assert!(gone <= 3, "only what changed is told");

    // The list of a departure names them.
    let list = practice.collector(&["departure", "northwind"])?;
    for said in [
        "Take their account out of sudo on ws-01",
        "End the forward of mail to elsewhere@example.org on ws-01",
        "Change the passwords and keys that lie in ~/.aws/credentials",
        "Give /usr/local/bin/night on ws-01 an account of its own",
    ] {
        assert!(list.contains(said), "`{said}` is not in\n{list}");
    }
    assert!(!list.contains(FINGERPRINT), "a key that is gone is no step:\n{list}");

    // Nowhere: neither in the agent's folder, nor in the collector's, nor in what is read out of the ledger.
    machine.stop()?;
    let events = practice.collector(&["events", "--json"])?;
    assert!(!events.contains(SECRET) && !list.contains(SECRET));
    for folder in [machine.dir(), practice.dir().as_path()] {
        assert!(!holds(folder, SECRET.as_bytes())?, "the secret is below {}", folder.display());
    }
    assert!(!machine.log().contains(ACCOUNT) && !practice.collector_log().contains(ACCOUNT), "PR-1");
    Ok(())
}

/// A practice whose manager has a passphrase, and an agent that looks every second.
fn practice_with_agent() -> Result<(Practice, Machine, String)> {
    let practice = Practice::start()?;
    let file = practice.folder().join("mary.txt");
    fs::write(&file, "correct horse battery\n")?;
    let file = file.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "mary", "--passphrase-file", &file])?;
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(QUIET)?;
    machine.start()?;
    Ok((practice, machine, file))
}

fn proposal(practice: &Practice, path: &str) -> Result<Option<Value>> {
    let list: Value = serde_json::from_str(&practice.collector(&["watch", "list", "--json"])?)?;
    let rows = list["proposals"].as_array().context("a list")?;
    Ok(rows.iter().find(|row| row["path"] == path).cloned())
}

fn reads(practice: &Practice, path: &str) -> Result<usize> {
    let rows = practice.events(&["--asset", path])?;
    Ok(rows.iter().filter(|row| row["event"]["kind"] == "file_access").count())
}

#[test]
fn what_is_found_is_watched_after_the_manager_confirmed_it_and_not_by_the_administrators_word() -> Result<()>
{
    if !may_change_the_machine("holdings::confirm") {
        return Ok(());
    }
    let mut traces = Traces::new();
    let top = format!("/srv/ntkhold{}", std::process::id());
    let (kept, other) = (format!("{top}/ehr-exports"), format!("{top}/ccda"));
    traces.put(&format!("{kept}/list.csv"), "MRN,Last Name,First Name,DOB\n")?;
    traces.put(&format!("{other}/a.xml"), "<ClinicalDocument xmlns=\"urn:hl7-org:v3\">")?;
    let (practice, mut machine, marys) = practice_with_agent()?;
    let found = |path: &str| wait::until("the proposal", SEEN_WITHIN, || proposal(&practice, path));
    let (one, two) = (found(&kept)?, found(&other)?);
    assert_eq!((&one["class"], &one["standing"]), (&"export".into(), &"proposed".into()));
    fs::read(format!("{kept}/list.csv"))?;

    // Whoever looks after the computers does not decide, and nobody does without showing who they are.
    let id = one["id"].as_str().context("an id")?;
    let wrong = practice.folder().join("wrong.txt");
    fs::write(&wrong, "not the passphrase\n")?;
    let wrong = wrong.to_string_lossy().into_owned();
    for (step, by, file) in
        [("decline", "mary", &wrong), ("decline", "northwind", &marys), ("confirm", "sam", &marys)]
    {
        let (code, said) =
            practice.try_collector(&["watch", step, id, "--by", by, "--passphrase-file", file])?;
        assert_ne!(code, Some(0), "{step} by {by}: {said}");
    }
    let own = practice.folder().join("northwind.txt");
    fs::write(&own, "a passphrase of their own\n")?;
    let own = own.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "northwind", "--passphrase-file", &own])?;
    let (code, said) =
        practice.try_collector(&["watch", "decline", id, "--by", "northwind", "--passphrase-file", &own])?;
    assert!(code != Some(0) && said.contains("role approves tickets"), "{said}");
    assert_eq!(found(&kept)?["standing"], "proposed");
    assert_eq!(reads(&practice, &kept)?, 0, "not watched before somebody confirmed it");

    practice.collector(&["watch", "confirm", id, "--by", "mary", "--passphrase-file", &marys])?;
    let two_id = two["id"].as_str().context("an id")?;
    practice.collector(&["watch", "decline", two_id, "--by", "mary", "--passphrase-file", &marys])?;
    let stands = |path: &str, standing: &str| {
        wait::until_so("the machine to hear of it", SEEN_WITHIN, || {
            Ok(proposal(&practice, path)?.is_some_and(|row| row["standing"] == standing))
        })
    };
    stands(&kept, "watched")?;
    stands(&other, "declined")?;
    let seen = |path: &str| {
        wait::until_so("the read to be seen", SEEN_WITHIN, || {
            fs::read(path)?;
            Ok(reads(&practice, path)? > 0)
        })
    };
    seen(&format!("{kept}/list.csv"))?;
    assert_eq!(reads(&practice, &other)?, 0);

    // It outlasts a new start, and neither a declined nor a confirmed one is asked about again.
    machine.stop()?;
    let before = inventories(&practice, "watch_proposed")?.len();
    machine.start()?;
    wait::until_so("the new start", SEEN_WITHIN, || Ok(inventories(&practice, "start")?.len() > 1))?;
    let (code, said) =
        practice.try_collector(&["watch", "decline", id, "--by", "mary", "--passphrase-file", &marys])?;
    assert!(code != Some(0) && said.contains("stays watched"), "{said}");
    let first = reads(&practice, &kept)?;
    wait::until_so("a read after the new start", SEEN_WITHIN, || {
        fs::read(format!("{kept}/list.csv"))?;
        Ok(reads(&practice, &kept)? > first)
    })?;
    let again = inventories(&practice, "watch_proposed")?;
    let about = again.iter().skip(before).filter(|row| {
        let path = row["event"]["object"]["path"].as_str().unwrap_or_default();
        path.starts_with(&top)
    });
    assert_eq!(about.count(), 0);
    let said = practice.collector(&[
        "report",
        "--week",
        &week(0)?,
        "--out",
        &practice.folder().join("out").to_string_lossy(),
    ]);
    said?;
    let report = fs::read_to_string(practice.folder().join("out/report.json"))?;
    assert!(report.contains("was declined: it is not watched"), "the review tells of the decision");
    Ok(())
}

#[test]
fn whoever_asks_now_is_told_what_is_held_now_once_and_who_is_silent() -> Result<()> {
    if !may_change_the_machine("holdings::asked") {
        return Ok(());
    }
    let mut traces = with_account()?;
    let (practice, mut machine, marys) = practice_with_agent()?;
    machine.stop()?;
    // Once an hour: nothing but a question brings a change up meanwhile.
    machine.configure(&QUIET.replace("inventory_every_s = 1\n", "inventory_every_s = 3600\n"))?;
    machine.start()?;
    wait::until_so("the first inventory", SEEN_WITHIN, || Ok(!inventories(&practice, "start")?.is_empty()))?;
    let forward = format!("/home/{ACCOUNT}/.forward");
    traces.put(&forward, "out@example.org\n")?;
    traces.put(&format!("/home/{ACCOUNT}/.aws/credentials"), SECRET)?;
    let before = practice.collector(&["inventory"])?;
    assert!(before.contains(ACCOUNT) && !before.contains("out@example.org"), "{before}");

    // Nobody asks without a name of the roster, and not in another person's.
    let wrong = practice.folder().join("wrong.txt");
    fs::write(&wrong, "not the passphrase\n")?;
    for by in [
        ["--by", "nobody", "--passphrase-file", &marys],
        ["--by", "mary", "--passphrase-file", &wrong.to_string_lossy()],
    ] {
        let (code, said) =
            practice.try_collector(&[&["inventory", "--all", "--now"], by.as_slice()].concat())?;
        assert_ne!(code, Some(0), "{by:?}: {said}");
    }
    assert_eq!(inventories(&practice, "asked")?.len(), 0);
    let by = ["--now", "--by", "mary", "--passphrase-file", &marys];
    let now = practice.collector(&[&["inventory", "--machine", "ws-01"], by.as_slice()].concat())?;
    assert!(now.contains("out@example.org") && now.contains("~/.aws/credentials"), "{now}");
    assert!(!now.contains(SECRET));
    let told = inventories(&practice, "asked")?;
    assert_eq!(told.len(), 1);
    let id = told[0]["event"]["inventory"]["asked"].as_str().context("the question's id")?.to_owned();
    let acts = practice.collector(&["events", "--acts", "--json"])?;
    let act = acts.lines().find(|line| line.contains("act_inventory_asked")).context("the act")?;
    assert!(act.contains(&id) && act.contains("\"by\":\"mary\"") && act.contains("passphrase"), "{act}");
    // What changed is told as a change all the same: the review and the departure live by it.
    assert!(
        inventories(&practice, "change")?
            .iter()
            .any(|row| { names(&row["event"]["inventory"]["holdings"], "mail_forward", "out@example.org") })
    );

    // A new start hears the question again, and does not answer it again.
    machine.stop()?;
    let n_starts = inventories(&practice, "start")?.len();
    fs::remove_file(&forward)?;
    machine.start()?;
    wait::until_so("the new start", SEEN_WITHIN, || Ok(inventories(&practice, "start")?.len() > n_starts))?;
    // The row is the newest word, also when the query store is made anew.
    let json = practice.collector(&["inventory", "--json"])?;
    let known: Value = serde_json::from_str(&json)?;
    let holdings = &known["machines"][0]["holdings"];
    assert!(names(holdings, "account", ACCOUNT) && !names(holdings, "mail_forward", "out@example.org"));
    let rebuilt = practice.collector(&["rebuild"])?;
    assert!(rebuilt.contains("the same"), "{rebuilt}");

    // Silent ones are named, and the question waits for them.
    let mut silent = practice.enroll("ws-02")?;
    machine.stop()?;
    let (code, said) = practice.try_collector(&[&["inventory", "--all"], by.as_slice()].concat())?;
    assert_eq!(code, Some(1), "{said}");
    for name in ["ws-01", "ws-02"] {
        assert!(said.contains(&format!("{name} did not answer: it is not connected")), "{said}");
    }
    assert_eq!(inventories(&practice, "asked")?.len(), 1);
    silent.configure(QUIET)?;
    silent.start()?;
    wait::until_so("the late answer", SEEN_WITHIN, || {
        Ok(inventories(&practice, "asked")?.iter().any(|row| row["author"] == "agent/ws-02"))
    })?;
    Ok(())
}

#[test]
fn a_new_file_that_looks_like_an_export_is_watched_as_it_appears_and_an_ordinary_one_is_not() -> Result<()> {
    if !may_change_the_machine("holdings::arrival") {
        return Ok(());
    }
    let mut traces = Traces::new();
    let top = format!("/srv/ntkhnew{}", std::process::id());
    traces.put(&format!("{top}/readme.txt"), "nothing in here\n")?;
    let (practice, _machine, _) = practice_with_agent()?;
    wait::until_so("the first look", SEEN_WITHIN, || Ok(!inventories(&practice, "start")?.is_empty()))?;
    let export = format!("{top}/download.bin");
    fs::write(format!("{top}/notes.csv"), "date,amount,account\n2026-11-20,5,cash\n")?;
    noticed("new-export", || {
        fs::write(&export, "{\"resourceType\":\"Patient\",\"id\":\"1\"}\n")?;
        wait::until_so("it to be watched", SEEN_WITHIN, || {
            Ok(proposal(&practice, &export)?.is_some_and(|row| row["standing"] == "watched"))
        })
    })?;
    wait::until_so("the read to be seen", SEEN_WITHIN, || {
        fs::read(&export)?;
        Ok(reads(&practice, &export)? > 0)
    })?;
    assert!(proposal(&practice, &format!("{top}/notes.csv"))?.is_none());
    assert!(proposal(&practice, &format!("{top}/readme.txt"))?.is_none());
    Ok(())
}

#[test]
fn live_a_decoy_that_is_opened_is_an_item_for_the_manager_and_its_neighbour_is_not() -> Result<()> {
    if let Err(why) = audit_state::free_for_a_test() {
        skip::skip("live_decoy", &why);
        return Ok(());
    }
    if fs::read_to_string("/proc/self/loginuid")?.trim() != u32::MAX.to_string() {
        skip::skip(
            "live_decoy",
            "this shell stems from a login: a second login identity would be a forged one",
        );
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let (folder, decoy) = (practice.folder().join("exports"), practice.folder().join("exports-2019"));
    fs::create_dir(&folder)?;
    fs::write(folder.join("week.csv"), "MRN,DOB\n")?;
    let mut machine = practice.enroll("live")?;
    machine.configure(&format!(
        "keepalive_s = 1\n[sensor]\naudit = true\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \"export\"\n",
        folder.display()
    ))?;
    machine.start()?;
    wait::until_so("the kernel's rules", SEEN_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of("live")? > 0)
    })?;
    // Planted while the agent runs; making it is no access.
    machine.command(&["decoy", "plant", &decoy.to_string_lossy()])?;
    let open = |path: &Path| -> Result<()> {
        let script = format!("echo 4242 > /proc/self/loginuid && exec cat '{}' > /dev/null", path.display());
        ensure!(Command::new("sh").args(["-c", &script]).status()?.success(), "it was not read");
        Ok(())
    };
    let marked = |asset: &Path| -> Result<Vec<Value>> {
        let rows = practice.events(&["--asset", &asset.to_string_lossy()])?;
        Ok(rows.into_iter().filter(|row| row["event"]["object"]["decoy"] == true).collect())
    };
    open(&folder.join("week.csv"))?;
    let said = noticed("decoy", || {
        wait::until("the item", SEEN_WITHIN, || {
            // The agent takes up the new watch a moment after its configuration changed.
            open(&decoy.join("patients-2019.csv"))?;
            let findings = serde_json::to_string(&practice.findings()?)?;
            Ok(findings.contains("A decoy was opened").then_some(findings))
        })
    })?;
    assert!(said.contains("put there for nobody to open"), "{said}");
    let touched = marked(&decoy)?;
    assert!(
        !touched.is_empty() && touched.iter().all(|row| row["event"]["action"] == "read"),
        "{touched:#?}"
    );
    assert_eq!(touched[0]["event"]["actor"]["login_uid"], 4242);
    assert_eq!(marked(&folder.join("week.csv"))?.len(), 0, "its neighbour is no decoy");
    machine.stop()?;
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as it was");
    Ok(())
}
