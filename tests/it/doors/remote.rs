//! A remote-support tool that lets somebody in, and root's work that no login stands for. The tool is a small
//! program that was given the name of one: the kernel knows programs by their files.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::login_rig::{SEEN_WITHIN, SshLog, sshd};
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{audit_state, wait};
use serde_json::Value;

use super::{PASSWORD, USER, can_run, on_audit, sees, ssh, told, visitor};

/// The visitor stays while this is there.
const GATE: &str = "/tmp/ntk-doors-gate";

/// Listens, and gives whoever connects a shell.
const TOOL: &str = r#"
    use IO::Socket::INET;
    $SIG{CHLD} = 'IGNORE';
    my $door = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], ReuseAddr => 1) or die;
    while (my $line = $door->accept) {
        next if fork;
        # A process in between, gone before the shell begins.
        exit if fork;
        select(undef, undef, undef, 0.1);
        open(STDIN, '<&', $line); open(STDOUT, '>&', $line);
        exec '/bin/sh';
    }
"#;

/// The tool under a name, and its port.
fn tool(folder: &Path, name: &str) -> Result<(Running, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let program = folder.join(name);
    fs::copy("/usr/bin/perl", &program)?;
    let mut command = Command::new(&program);
    command.args(["-e", TOOL, &port.to_string()]);
    let running = Running::spawn(name, command, &folder.join(format!("{name}.log")))?;
    Ok((running, port))
}

/// Somebody at the other end: types one line, reads what comes, and stays connected.
fn connect(port: u16, line: &str) -> Result<TcpStream> {
    let mut stream =
        wait::until("the tool to listen", SEEN_WITHIN, || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?;
    stream.set_read_timeout(Some(SEEN_WITHIN))?;
    stream.write_all(format!("{line}; echo done\n").as_bytes())?;
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"done\n") {
        ensure!(stream.read(&mut byte)? == 1, "the shell ended");
        said.extend_from_slice(&byte);
    }
    Ok(stream)
}

#[test]
fn live_a_remote_support_tools_session_is_told_and_what_it_starts_names_the_tool() -> Result<()> {
    if !can_run("live_a_remote_support_tools_session", &["/usr/bin/perl"])? {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let folder = practice.folder().join("mail");
    fs::create_dir_all(&folder)?;
    let letter = folder.join("letter").to_string_lossy().into_owned();
    let other = folder.join("other").to_string_lossy().into_owned();
    fs::write(&letter, "text\n")?;
    fs::write(&other, "text\n")?;
    let (_rustdesk, port) = tool(practice.folder(), "rustdesk")?;
    let (_plain, plain_port) = tool(practice.folder(), "backupd")?;
    let mut machine = on_audit(&practice, &folder)?;
    let tool = ("/actor/tool", "RustDesk");

    // The twin first: the same program under another name is no such tool.
    drop(connect(plain_port, &format!("/usr/bin/tail -n1 {other} >/dev/null"))?);
    let stream = connect(port, &format!("/usr/bin/head -n1 {letter} >/dev/null"))?;
    let begins = [("/kind", "remote_control"), ("/outcome", "success"), tool, ("/last", "-")];
    let begin = noticed("remote-support", || sees(&practice, "the beginning", SEEN_WITHIN, &begins))?;
    sees(
        &practice,
        "the shell",
        SEEN_WITHIN,
        &[
            ("/kind", "process_start"),
            tool,
            ("/process/parent", &practice.folder().join("rustdesk").to_string_lossy()),
        ],
    )?;
    let start = sees(
        &practice,
        "what it started",
        SEEN_WITHIN,
        &[("/kind", "process_start"), tool, ("/process/exe", "/usr/bin/head")],
    )?;
    ensure!(
        start["event"]["process"]["command"].as_str().is_some_and(|command| command.contains(&letter)),
        "{start}"
    );
    let read = [("/kind", "file_access"), ("/action", "read"), tool, ("/object/path", letter.as_str())];
    sees(&practice, "the read", SEEN_WITHIN, &read)?;
    drop(stream);
    let end = sees(&practice, "the end", SEEN_WITHIN, &[("/kind", "remote_control"), tool, ("/last", "*")])?;
    assert_eq!(end["event"]["time"], begin["event"]["time"], "both have the time of the beginning");

    let twin = [("/kind", "file_access"), ("/object/path", other.as_str())];
    let twin = sees(&practice, "the twin's read", SEEN_WITHIN, &twin)?;
    ensure!(twin["event"]["actor"].get("tool").is_none(), "{twin}");
    let findings = practice.findings()?;
    let names_tool = |row: &&Value| row.to_string().contains("RustDesk");
    ensure!(findings.iter().any(|row| names_tool(&row)), "{findings:#?}");
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_roots_work_outside_any_login_names_the_sessions_open_at_the_time() -> Result<()> {
    if !can_run("live_roots_work_outside_any_login", &[])? {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let folder = practice.folder().join("mail");
    fs::create_dir_all(&folder)?;
    let (early, late) = (folder.join("early"), folder.join("late"));
    fs::write(&early, "text\n")?;
    fs::write(&late, "text\n")?;
    let _visitor = visitor()?;
    let (_sshd, port) = sshd(practice.folder(), SshLog::Own)?;
    let mut machine = on_audit(&practice, &folder)?;
    // This test has no login uid, as a service has none.
    fs::read(&early)?;
    let of = |path: &Path| -> Result<Option<Value>> {
        told(&practice, &[("/kind", "file_access"), ("/object/path", &path.to_string_lossy())])
    };
    let nobody = wait::until("the read while nobody was in", SEEN_WITHIN, || of(&early))?;
    let gate = Path::new(GATE);
    let _ = fs::remove_file(gate);
    let script = format!("touch {GATE}; while [ -e {GATE} ]; do sleep 0.1; done");
    let visit = std::thread::spawn(move || ssh(port, PASSWORD, &script));
    wait::until_so("the visitor to be in", SEEN_WITHIN, || Ok(gate.exists()))?;
    fs::read(&late)?;
    let somebody = wait::until("the read while the visitor was in", SEEN_WITHIN, || of(&late))?;
    fs::remove_file(gate)?;
    ensure!(visit.join().map_err(|_| anyhow::anyhow!("the visit broke off"))??, "the visit ended well");

    let names = |row: &Value| -> Vec<String> {
        let candidates = row["event"]["actor"]["candidates"].as_array().cloned().unwrap_or_default();
        candidates.iter().filter_map(|one| one["login_user"].as_str().map(str::to_owned)).collect()
    };
    ensure!(!names(&nobody).contains(&USER.to_owned()), "{nobody}");
    ensure!(names(&somebody).contains(&USER.to_owned()), "{somebody}");
    ensure!(
        somebody["event"]["actor"].get("login_uid").is_none(),
        "none of them is said to have acted: {somebody}"
    );
    let findings = practice.findings()?;
    let said = |row: &Value| row["finding"]["candidates"].to_string().contains(USER);
    ensure!(findings.iter().any(said), "{findings:#?}");
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}
