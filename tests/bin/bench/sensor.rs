//! The Linux sensor: what an event costs, and what a watched open costs its caller; beside nothing, and beside auditd with
//! laurel under the same rule, in the same run. Alone on the machine, as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, program, usage, wait};

use crate::table::{Table, float};

/// Opens of each of the four processes.
const OPENS: u64 = 50_000;
const PROCESSES: u64 = 4;
/// Events of the replay, of four records each.
const EVENTS: u64 = 250_000;
const WITHIN: Duration = Duration::from_secs(120);

/// Opens the files of a folder in turn and prints the microseconds that one took.
const OPENER: &str = "import os, sys, time\nfolder, n = sys.argv[1], int(sys.argv[2])\npaths = [f'{folder}/{i}' for i in range(100)]\n\
                      for path in paths:\n    open(path, 'a').close()\nbegan = time.monotonic()\nfor i in range(n):\n    \
                      os.close(os.open(paths[i % 100], os.O_RDONLY))\nprint((time.monotonic() - began) / n * 1e6)\n";

/// Starts a program many times and prints the microseconds that one start took, to its end.
const STARTER: &str = "import os, sys, time\nn = int(sys.argv[1])\nbegan = time.monotonic()\nfor _ in range(n):\n    \
                       os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\nprint((time.monotonic() - began) / n * 1e6)\n";
/// Programs that it starts.
const STARTS: u64 = 2_000;

/// Microseconds of one start of a program, to its end.
fn starts(folder: &Path) -> Result<f64> {
    let script = folder.join("starter.py");
    fs::write(&script, STARTER)?;
    let sh = "echo 4247 > /proc/self/loginuid; exec python3 \"$@\"";
    let mut command = Command::new("/bin/sh");
    let output = command.args(["-c", sh, "starter"]).arg(&script).arg(STARTS.to_string()).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the starter's figure")
}

/// Microseconds of one open and close, in the mean of so many processes at once.
fn opens(script: &Path, folder: &Path, n_processes: u64) -> Result<f64> {
    let one = || -> Result<Child> {
        let sh = "echo 4247 > /proc/self/loginuid; exec python3 \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", sh, "opener"]).arg(script).arg(folder).arg(OPENS.to_string());
        Ok(command.stdout(Stdio::piped()).spawn()?)
    };
    let children: Vec<Child> = (0..n_processes).map(|_| one()).collect::<Result<_>>()?;
    let mut sum = 0.0;
    for child in children {
        let output = child.wait_with_output()?;
        sum +=
            String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().context("the opener's figure")?;
    }
    Ok(sum / float(n_processes))
}

/// What is used by processes that are found by their names.
fn cpu_of(pids: &[u32]) -> Result<(Duration, u64, u64)> {
    let mut sum = (Duration::ZERO, 0, 0);
    for pid in pids {
        let used = usage::of(*pid)?;
        sum = (sum.0 + used.cpu, sum.1 + used.resident, sum.2 + used.own);
    }
    Ok(sum)
}

/// Waits until processes rest: for two seconds they use less than a hundredth of the time.
fn at_rest(pids: &[u32]) -> Result<()> {
    at_rest_for(pids, Duration::from_secs(2))
}

/// The same for as long as it takes to be what an office sees all day, for figures of memory.
fn long_at_rest(pids: &[u32]) -> Result<()> {
    at_rest_for(pids, Duration::from_secs(12))
}

fn at_rest_for(pids: &[u32], pause: Duration) -> Result<()> {
    let mut last = (Duration::ZERO, Instant::now());
    wait::until_so("the readers to rest", WITHIN, || {
        let now = cpu_of(pids)?.0;
        if now > last.0 + pause / 100 {
            last = (now, Instant::now());
        }
        Ok(last.1.elapsed() > pause)
    })
}

/// All figures.
pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("sensor");
    replay(&mut table)?;
    if let Err(why) = audit_state::free_for_a_test() {
        println!("the live part is skipped: {why}");
        return Ok(table);
    }
    let practice = Practice::start()?;
    let folder = practice.folder().to_owned();
    let (watched, other, script) = (folder.join("watched"), folder.join("other"), folder.join("opener.py"));
    fs::create_dir_all(&watched)?;
    fs::create_dir_all(&other)?;
    fs::write(&script, OPENER)?;
    table.row("open and close, no audit", opens(&script, &watched, 1)?, "us");
    table.row("a program's start and end, no audit", starts(&folder)?, "us");

    let mut machine = practice.enroll("bench")?;
    machine.configure(&format!(
        "[sensor]\naudit = true\nfanotify = false\nlogs = false\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \"export\"\n",
        watched.display()
    ))?;
    machine.start()?;
    wait::until_so("the agent to own the kernel's audit", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of("bench")? > 0)
    })?;
    let agent = machine.agent()?.id();
    long_at_rest(&[agent])?;
    let rest = usage::of(agent)?;
    table.row("agent at rest, resident", float(rest.resident) / 1048576.0, "MiB");
    table.row("agent at rest, of that its own memory", float(rest.own) / 1048576.0, "MiB");
    table.row("unwatched open, agent", opens(&script, &other, 1)?, "us");
    at_rest(&[agent])?;
    let before = usage::of(agent)?.cpu;
    table.row("watched open, agent", opens(&script, &watched, 1)?, "us");
    at_rest(&[agent])?;
    let cpu = usage::of(agent)?.cpu.saturating_sub(before).as_secs_f64();
    table.row("agent, CPU for each watched open, spooled and sent", cpu / float(OPENS) * 1e6, "us");
    let before = usage::of(agent)?.cpu;
    // As root under a login uid: each is an event of a privileged session, and its fork and exec are records.
    table.row("a program's start and end, agent", starts(&folder)?, "us");
    at_rest(&[agent])?;
    let cpu = usage::of(agent)?.cpu.saturating_sub(before).as_secs_f64();
    table.row("agent, CPU for each start of a privileged program", cpu / float(STARTS) * 1e6, "us");
    let began = Instant::now();
    table.row("watched open, four processes at once, agent", opens(&script, &watched, PROCESSES)?, "us");
    table.row(
        "watched opens a second, four processes, agent",
        float(OPENS * PROCESSES) / began.elapsed().as_secs_f64(),
        "/s",
    );
    at_rest(&[agent])?;
    table.row("agent at its worst, resident", float(usage::of(agent)?.resident_max) / 1048576.0, "MiB");
    let rows = practice.events(&[])?;
    let lost: u64 = rows.iter().filter_map(|row| row.pointer("/event/gap/lost")?.as_u64()).sum();
    table.row("records lost, as gaps say", float(lost), "");
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    peers(&mut table, &folder, &script, &watched, &other)?;
    crate::flood::measure(&mut table)?;
    Ok(table)
}

/// The same opens beside auditd, with laurel as its plugin where it is installed.
fn peers(table: &mut Table, folder: &Path, script: &Path, watched: &Path, other: &Path) -> Result<()> {
    if !Path::new("/usr/sbin/auditd").exists() || !Path::new("/usr/sbin/auditctl").exists() {
        println!("auditd is not installed: no peer beside the agent");
        return Ok(());
    }
    let config = folder.join("auditd");
    fs::create_dir_all(config.join("plugins.d"))?;
    let laurel = ["/usr/sbin/laurel", "/usr/bin/laurel"].into_iter().find(|path| Path::new(path).exists());
    if let Some(laurel) = laurel {
        let logs = config.join("laurel");
        fs::create_dir_all(&logs)?;
        fs::write(
            config.join("laurel.toml"),
            format!(
                "directory = \"{}\"\nuser = \"root\"\n[auditlog]\nfile = \"laurel.log\"\n",
                logs.display()
            ),
        )?;
        let plugin = format!(
            "active = yes\ndirection = out\npath = {laurel}\ntype = always\nargs = --config {}\nformat = string\n",
            config.join("laurel.toml").display()
        );
        fs::write(config.join("plugins.d/laurel.conf"), plugin)?;
        fs::set_permissions(
            config.join("plugins.d/laurel.conf"),
            std::os::unix::fs::PermissionsExt::from_mode(0o640),
        )?;
    }
    fs::write(
        config.join("auditd.conf"),
        format!(
            "log_file = {}\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\nfreq = 50\nlocal_events = yes\nspace_left = 2\n\
             admin_space_left = 1\nspace_left_action = IGNORE\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n\
             disk_error_action = IGNORE\nmax_log_file = 512\nmax_log_file_action = IGNORE\nq_depth = 20000\n\
             plugin_dir = {}\n",
            config.join("audit.log").display(),
            config.join("plugins.d").display()
        ),
    )?;
    let before = audit_state::read()?;
    let mut auditd = Command::new("/usr/sbin/auditd").arg("-n").arg("-c").arg(&config).spawn()?;
    let rule =
        ["-a", "always,exit", "-F", &format!("dir={}", watched.display()), "-F", "perm=rwa", "-k", "peer"]
            .map(str::to_owned);
    let measured = (|| -> Result<()> {
        wait::until_so("auditd to own the kernel's audit", WITHIN, || {
            Ok(audit_state::read()?.owner == auditd.id())
        })?;
        run("/usr/sbin/auditctl", &rule)?;
        let mut readers = vec![auditd.id()];
        if laurel.is_some() {
            readers.push(wait::until("laurel", WITHIN, || Ok(named("laurel")))?);
        }
        let name = if laurel.is_some() { "auditd + laurel" } else { "auditd" };
        long_at_rest(&readers)?;
        let rest = cpu_of(&readers)?;
        table.row(format!("{name} at rest, resident"), float(rest.1) / 1048576.0, "MiB");
        table.row(format!("{name} at rest, of that its own memory"), float(rest.2) / 1048576.0, "MiB");
        table.row(format!("unwatched open, {name}"), opens(script, other, 1)?, "us");
        at_rest(&readers)?;
        let cpu = cpu_of(&readers)?.0;
        table.row(format!("watched open, {name}"), opens(script, watched, 1)?, "us");
        at_rest(&readers)?;
        let cpu = cpu_of(&readers)?.0.saturating_sub(cpu).as_secs_f64();
        table.row(format!("{name}, CPU for each watched open"), cpu / float(OPENS) * 1e6, "us");
        Ok(())
    })();
    let mut gone = rule;
    gone[0] = "-d".to_owned();
    let _ = run("/usr/sbin/auditctl", &gone);
    let _ = Command::new("kill").args(["-TERM", &auditd.id().to_string()]).status();
    let _ = auditd.wait();
    let _ = run("/usr/sbin/auditctl", &["-e".to_owned(), before.enabled.to_string()]);
    let _ = run("/usr/sbin/auditctl", &["-b".to_owned(), before.backlog_limit.to_string()]);
    let _ =
        run("/usr/sbin/auditctl", &["--backlog_wait_time".to_owned(), before.backlog_wait_time.to_string()]);
    measured
}

fn run(program: &str, arguments: &[String]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The process with this name.
fn named(name: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let is_named =
        |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
    processes.map(|entry| entry.path()).find(is_named)?.file_name()?.to_str()?.parse().ok()
}

/// A million records through parse, coalesce, attribute, classify, and printed.
fn replay(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("million.log");
    let mut text = String::new();
    for n in 0..EVENTS {
        let id = format!("{}.{:03}:{}", 1_795_350_000 + n / 1000, n % 1000, 1000 + n);
        text.push_str(&format!(
            "type=SYSCALL msg=audit({id}): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffe2 a2=0 a3=0 items=1 ppid=2000 \
             pid={} auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=40 comm=\"cat\" exe=\"/usr/bin/cat\" \
             key=\"ntk-w0\"\ntype=CWD msg=audit({id}): cwd=\"/home/itadmin1\"\ntype=PATH msg=audit({id}): item=0 \
             name=\"/srv/practice/ehr/exports/week/{}.csv\" inode={} dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL\n\
             type=PROCTITLE msg=audit({id}): proctitle=636174002D2D\n",
            3000 + n % 100,
            n % 5000,
            10_000 + n % 5000
        ));
    }
    fs::write(&file, &text)?;
    let mut child = Command::new(program::binary("ntk-agent")?)
        .args(["replay", "--format", "linux-audit", "--watch", "/srv/practice/ehr/exports/week=export"])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()?;
    // What it used stands in /proc until it is waited for.
    let mut last = usage::of(child.id())?;
    let began = Instant::now();
    while !has_ended(child.id()) {
        if let Ok(now) = usage::of(child.id()) {
            last = now;
        }
        std::thread::yield_now();
    }
    let elapsed = began.elapsed().as_secs_f64();
    ensure!(child.wait()?.success(), "the replay ended with a fault");
    let records = float(EVENTS) * 4.0;
    table.row("replay, CPU for each record, events printed", last.cpu.as_secs_f64() / records * 1e6, "us");
    table.row("replay, records a second", records / elapsed, "/s");
    table.row("replay, resident at most", float(last.resident_max) / 1048576.0, "MiB");
    Ok(())
}

fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}
