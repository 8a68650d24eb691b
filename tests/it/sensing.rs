//! Against the Linux sensor with the real agent and collector: ways around a watched folder, and acts against the
//! recording itself, each done as root in the session of a person. Alone on the machine; what is mounted, made or changed
//! here is undone, and the kernel's audit is afterwards what it was.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::audit_state::{self, AuditState};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{skip, wait};
use serde_json::Value;

/// A login uid that no account of a test machine has.
const PERSON: u32 = 4246;
const WITHIN: Duration = Duration::from_secs(60);
/// What opens files in ways that no command does.
const WAYS: &str = include_str!("../../agent/src/sensor/audit/tests/ways.py");

/// A practice with one machine whose agent owns the kernel's audit and watches a mailbox.
struct Scene {
    practice: Practice,
    machine: Machine,
    mail: PathBuf,
    before: AuditState,
}

impl Scene {
    /// None where this cannot run; said, and counted.
    fn set(test: &str, programs: &[&str]) -> Result<Option<Self>> {
        let absent = programs.iter().find(|program| !Path::new(program).exists());
        let why = match (audit_state::free_for_a_test(), absent) {
            (Err(why), _) => Some(why),
            (Ok(()), Some(program)) => Some(format!("{program} is not installed")),
            (Ok(()), None) => None,
        };
        if let Some(why) = why {
            skip::skip(test, &why);
            return Ok(None);
        }
        let before = audit_state::read()?;
        let practice = Practice::start()?;
        let mail = practice.folder().join("mail");
        fs::create_dir_all(&mail)?;
        for n in 0..8 {
            fs::write(mail.join(format!("letter-{n}")), "text\n")?;
        }
        let mut machine = practice.enroll("ws-01")?;
        machine.configure(&format!(
            "keepalive_s = 1\n[sensor]\naudit = true\nfanotify = false\nlogs = false\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \
             \"mailbox\"\nowner = \"mary\"\n",
            mail.display()
        ))?;
        machine.start()?;
        wait::until_so("the kernel's rules", WITHIN, || {
            machine.agent()?.ensure_running()?;
            Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of("ws-01")? > 0)
        })?;
        Ok(Some(Self { practice, machine, mail, before }))
    }

    fn letter(&self, n: u32) -> String {
        self.mail.join(format!("letter-{n}")).to_string_lossy().into_owned()
    }

    /// Runs a script as root in the session of the person, and gives what it said.
    fn person(&self, script: &str) -> Result<String> {
        let script = format!("echo {PERSON} > /proc/self/loginuid || exit 9\n{script}");
        let output = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).output()?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    /// Opens a file in one of the ways of `ways.py`.
    fn by_way(&self, way: &str, path: &str) -> Result<String> {
        let script = self.practice.folder().join("ways.py");
        fs::write(&script, WAYS)?;
        self.person(&format!("exec python3 '{}' {way} '{path}'", script.display()))
    }

    fn rows(&self) -> Result<Vec<Value>> {
        Ok(self.practice.events(&[])?.into_iter().map(|row| row["event"].clone()).collect())
    }

    /// Waits for an event of the person that has all of these.
    fn comes(&self, what: &str, wanted: &[(&str, &str)]) -> Result<Value> {
        let fits = |event: &Value| {
            event["actor"]["login_uid"] == PERSON
                && wanted
                    .iter()
                    .all(|(pointer, value)| event.pointer(pointer).and_then(Value::as_str) == Some(*value))
        };
        wait::until(what, WITHIN, || Ok(self.rows()?.into_iter().find(fits)))
            .with_context(|| format!("{what}: {:#?}", self.rows()))
    }

    fn tampered(&self, what: &str) -> Result<Value> {
        self.comes(what, &[("/kind", "tamper"), ("/tamper/what", what)])
    }

    fn accessed(&self, path: &str, via: &str) -> Result<Value> {
        self.comes(
            &format!("{path} {via}"),
            &[("/kind", "file_access"), ("/object/path", path), ("/object/via", via)],
        )
    }

    /// The twin of every attack: ordinary work of the person raises nothing but the access that marks its end.
    fn ordinary_work_raises_nothing(&self) -> Result<()> {
        self.person("auditctl -s; auditctl -l; date; id; cat /etc/passwd; ls /; mount; kill -0 $$; true")?;
        self.person(&format!("cat '{}'", self.letter(0)))?;
        self.accessed(&self.letter(0), "direct")?;
        let raised: Vec<Value> = self
            .rows()?
            .into_iter()
            .filter(|event| event["kind"] == "tamper" || event["kind"] == "gap")
            .collect();
        ensure!(raised.is_empty(), "{raised:#?}");
        let touched: Vec<Value> = self
            .rows()?
            .into_iter()
            .filter(|event| {
                event["kind"] == "file_access" && event["object"]["path"] != self.letter(0).as_str()
            })
            .collect();
        ensure!(touched.is_empty(), "{touched:#?}");
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        ensure!(self.machine.stop()?.success(), "the agent ends in order: {}", self.machine.log());
        ensure!(audit_state::read()? == self.before, "the kernel's audit is as before");
        Ok(())
    }
}

/// Mount points that go, whatever happens.
struct Unmount(Vec<PathBuf>);

impl Drop for Unmount {
    fn drop(&mut self) {
        for point in &self.0 {
            let _ = Command::new("umount").arg("-l").arg(point).output();
        }
    }
}

#[test]
fn live_ways_around_a_watched_folder_are_seen_with_the_person() -> Result<()> {
    let name = "live_ways_around_a_watched_folder_are_seen_with_the_person";
    let Some(scene) = Scene::set(name, &["/usr/sbin/auditctl"])? else { return Ok(()) };
    scene.ordinary_work_raises_nothing()?;
    for (id, way, via, n) in [
        ("io-uring", "io_uring", "io_uring", 1),
        ("io-uring-thread", "sqpoll", "io_uring", 2),
        ("handle", "handle", "handle", 3),
    ] {
        let said = scene.by_way(way, &scene.letter(n))?;
        noticed(id, || scene.accessed(&scene.letter(n), via)).with_context(|| format!("{way}: {said}"))?;
    }
    let device = fs::metadata(&scene.mail)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    if Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists() {
        let node = scene.practice.folder().join("a-node-of-my-own").to_string_lossy().into_owned();
        scene.person(&format!("mknod '{node}' b {major} {minor} && head -c 512 '{node}' > /dev/null"))?;
        noticed("raw-disk", || scene.accessed(&node, "raw_disk"))?;
    } else {
        skip::skip(name, "the scratch folder lies on no block device: no disk to read");
    }
    // Out of the folder by another name, which is watched from then on.
    let linked = scene.practice.folder().join("linked").to_string_lossy().into_owned();
    scene.person(&format!("ln '{}' '{linked}'", scene.letter(4)))?;
    scene.comes("the link", &[("/action", "link"), ("/object/to", &linked)])?;
    scene.person(&format!("cat '{linked}'"))?;
    noticed("link-out", || scene.accessed(&linked, "direct"))?;
    // Through an overlay, whose files are no longer the folder's.
    let folder = scene.practice.folder().to_owned();
    let (scratch, over) = (folder.join("scratch"), folder.join("over"));
    let _unmount = Unmount(vec![over.clone(), scratch.clone()]);
    let said = scene.person(&format!(
        "mkdir '{0}' '{1}' && mount -t tmpfs tmpfs '{0}' && mkdir '{0}/u' '{0}/w' && mount -t overlay overlay -o \
         'lowerdir={2},upperdir={0}/u,workdir={0}/w' '{1}'",
        scratch.display(),
        over.display(),
        scene.mail.display()
    ))?;
    noticed("overlay", || scene.tampered("mount_changed")).context(said)?;
    let through = over.join("letter-5").to_string_lossy().into_owned();
    scene.person(&format!("cat '{through}'"))?;
    let read = scene.accessed(&through, "direct")?;
    ensure!(read["object"]["owner"] == "mary", "{read}");
    scene.end()
}

#[test]
fn live_acts_against_the_recording_name_the_person_and_the_recording_goes_on() -> Result<()> {
    let name = "live_acts_against_the_recording_name_the_person_and_the_recording_goes_on";
    let Some(mut scene) = Scene::set(name, &["/usr/sbin/auditctl"])? else { return Ok(()) };
    scene.ordinary_work_raises_nothing()?;
    scene.person("auditctl -e 0")?;
    noticed("audit-off", || scene.tampered("audit_disabled"))?;
    wait::until_so("audit to be on again", WITHIN, || Ok(audit_state::read()?.enabled == 1))?;
    let n_rules = audit_state::read()?.rules.len();
    scene.person("auditctl -D")?;
    noticed("rules-deleted", || scene.tampered("rules_changed"))?;
    wait::until_so(
        "the rules to be there again",
        WITHIN,
        || Ok(audit_state::read()?.rules.len() >= n_rules),
    )?;
    scene.person(&format!("echo 7 > /proc/self/loginuid; cat '{}'", scene.letter(1)))?;
    noticed("login-uid-forged", || scene.tampered("login_uid_changed"))?;
    let read = scene.accessed(&scene.letter(1), "direct")?;
    ensure!(read["actor"]["claims"] == "7", "{read}");
    scene.person(&format!(
        "echo 4294967295 > /proc/self/loginuid; sh -c \"cat '{}'; true\"",
        scene.letter(2)
    ))?;
    let read = noticed("login-uid-unset", || scene.accessed(&scene.letter(2), "direct"))?;
    ensure!(read["actor"]["claims"] == "unset", "{read}");
    scene.person("date -s \"$(date '+%F %T.%N')\"")?;
    noticed("clock-set", || scene.tampered("clock_changed"))?;
    let own = scene.machine.dir().join("a-strangers-file").to_string_lossy().into_owned();
    scene.person(&format!("touch '{own}'"))?;
    noticed("agents-files", || {
        scene.comes("a touch of the agent's folder", &[("/object/path", &own), ("/object/class", "self")])
    })?;
    // Asked to end by a person: the last thing it tells is who.
    let id = scene.machine.agent()?.id();
    scene.person(&format!("kill -TERM {id}"))?;
    noticed("agent-ended", || scene.tampered("agent_killed"))?;
    let _ = scene.machine.stop();
    ensure!(audit_state::read()? == scene.before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_two_hundred_thousand_opens_as_fast_as_four_processes_can_are_all_told_or_a_gap_says_how_many()
-> Result<()> {
    let name =
        "live_two_hundred_thousand_opens_as_fast_as_four_processes_can_are_all_told_or_a_gap_says_how_many";
    let Some(mut scene) = Scene::set(name, &[])? else { return Ok(()) };
    const OPENS: u64 = 50_000;
    for n in 0..100 {
        fs::write(scene.mail.join(format!("storm-{n}")), "text\n")?;
    }
    let opener = "import os, sys\nfolder, n = sys.argv[1], int(sys.argv[2])\npaths = [f'{folder}/storm-{i}' for i in range(100)]\n\
                  for i in range(n):\n    os.close(os.open(paths[i % 100], os.O_RDONLY))\n";
    let script = scene.practice.folder().join("storm.py");
    fs::write(&script, opener)?;
    let one = format!("python3 '{}' '{}' {OPENS} &", script.display(), scene.mail.display());
    scene.person(&format!("{}\nwait", [one.as_str(); 4].join("\n")))?;
    let told = || -> Result<(u64, u64)> {
        let rows = scene.rows()?;
        let opens = rows.iter().filter(|event| {
            event["action"] == "read"
                && event["object"]["path"].as_str().is_some_and(|path| path.contains("/storm-"))
        });
        let opens = opens.map(|event| event["count"].as_u64().unwrap_or(1)).sum();
        let lost = rows.iter().filter_map(|event| event["gap"]["lost"].as_u64()).sum();
        Ok((opens, lost))
    };
    wait::until_so("every open to be told or counted as lost", 3 * WITHIN, || {
        let (opens, lost) = told()?;
        Ok(opens + lost >= 4 * OPENS)
    })
    .with_context(|| format!("{:?}", told()))?;
    let (opens, lost) = told()?;
    println!("{opens} of {} opens told, {lost} records counted as lost", 4 * OPENS);
    ensure!(opens <= 4 * OPENS, "{opens} are more than there were");
    scene.machine.agent()?.ensure_running()?;
    scene.end()
}

#[test]
fn live_a_stopped_agent_holds_each_caller_for_a_moment_and_what_is_lost_is_counted() -> Result<()> {
    let name = "live_a_stopped_agent_holds_each_caller_for_a_moment_and_what_is_lost_is_counted";
    let Some(mut scene) = Scene::set(name, &[])? else { return Ok(()) };
    // Enough to fill the socket and the kernel's queue; the last ones find both full.
    let opener = "import os, sys, time\nslow = []\nfor n in range(12000):\n    began = time.monotonic()\n    os.close(os.open(sys.argv[1], \
                  os.O_RDONLY))\n    slow.append(time.monotonic() - began)\n    if len([s for s in slow[-40:] if s > 0.003]) == 40: break\n\
                  print(f'{n + 1} opens, the longest {max(slow) * 1e3:.1f} ms, the last forty {sum(slow[-40:]) / 40 * 1e3:.1f} ms each')\n";
    let script = scene.practice.folder().join("opener.py");
    fs::write(&script, opener)?;
    scene.machine.agent()?.signal(rustix::process::Signal::STOP)?;
    let said = scene.person(&format!("python3 '{}' '{}'", script.display(), scene.letter(3)));
    scene.machine.agent()?.signal(rustix::process::Signal::CONT)?;
    let said = said?;
    println!("while nobody read: {said}");
    ensure!(said.contains("opens, the longest"), "callers came through: {said}");
    // What waited is told, what found no room is a number.
    let first = scene.accessed(&scene.letter(3), "direct")?;
    ensure!(first["actor"]["login_uid"] == PERSON, "{first}");
    wait::until_so("a gap that says how many records were lost", WITHIN, || {
        let rows = scene.rows()?;
        Ok(rows.iter().any(|event| event["gap"]["lost"].as_u64().is_some_and(|lost| lost > 0)))
    })
    .with_context(|| said.clone())?;
    scene.end()
}

#[test]
fn live_an_observer_under_another_account_says_who_killed_the_agent() -> Result<()> {
    let name = "live_an_observer_under_another_account_says_who_killed_the_agent";
    let Some(mut scene) = Scene::set(name, &["/usr/bin/setpriv"])? else { return Ok(()) };
    // Where the other account may go: the scratch folder of a practice is root's alone.
    let place = tempfile::tempdir_in("/tmp")?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    let (program, dir) = (place.path().join("ntk-agent"), place.path().join("observer"));
    fs::copy(ntk_tests::program::binary("ntk-agent")?, &program)?;
    let enrolled = scene.practice.enroll("ws-01-observer")?;
    ntk_tests::forge::copy_folder(enrolled.dir(), &dir)?;
    ensure!(Command::new("chown").args(["-R", "65534:65534"]).arg(&dir).status()?.success(), "chown");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.args([
        "--inh-caps=-all,+audit_read",
        "--ambient-caps=-all,+audit_read",
        "--bounding-set=-all,+audit_read",
    ]);
    command.arg(&program).args(["observe", "--dir"]).arg(&dir);
    let observer = Running::spawn("observer", command, &place.path().join("observer.log"))?;
    wait::until_so(
        "the observer's first entry",
        WITHIN,
        || Ok(scene.practice.size_of("ws-01-observer")? > 0),
    )
    .with_context(|| observer.said())?;
    let said = |login: Option<u32>| -> Result<Option<Value>> {
        let rows = scene.practice.events(&[])?;
        let is_it = |row: &Value| {
            row["author"] == "agent/ws-01-observer"
                && row["event"]["tamper"]["what"] == "agent_killed"
                && row["event"]["actor"]["login_uid"].as_u64() == login.map(u64::from)
        };
        Ok(rows.into_iter().find(is_it))
    };
    ensure!(said(Some(PERSON))?.is_none() && said(None)?.is_none(), "nothing happened yet");
    let id = audit_state::read()?.owner;
    scene.person(&format!("kill -9 {id}"))?;
    let event = noticed("agent-killed", || wait::until("who it was", WITHIN, || said(Some(PERSON))))
        .with_context(|| format!("{}: {:#?}", observer.said(), scene.practice.events(&[])))?;
    ensure!(
        event["event"]["tamper"]["detail"].as_str().is_some_and(|detail| detail.contains("signal 9")),
        "{event}"
    );
    wait::until("that its process ended", WITHIN, || said(None))?;
    // Ordinary work of the agent is no act against it: it starts, sets its rules, and ends.
    let _ = scene.machine.kill();
    scene.machine.start()?;
    wait::until_so("the kernel's rules", WITHIN, || {
        scene.machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == scene.machine.agent()?.id())
    })?;
    let (practice, before) = (scene.practice, scene.before);
    ensure!(scene.machine.stop()?.success(), "the agent ends in order");
    ensure!(observer.stop()?.success(), "the observer ends in order");
    let rows = practice.events(&[])?;
    let others: Vec<&Value> = rows
        .iter()
        .filter(|row| row["author"] == "agent/ws-01-observer" && row["event"]["kind"] == "tamper")
        .filter(|row| row["event"]["tamper"]["what"] != "agent_killed")
        .collect();
    ensure!(others.is_empty(), "{others:#?}");
    ensure!(audit_state::read()? == before, "the kernel's audit is as before");
    Ok(())
}
