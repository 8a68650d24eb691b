//! Who can read what: the lines of SECURITY.md's second table that only whole programs can show.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::program::{self, Running};
use ntk_tests::{skip, wait};

use crate::at_rest::{Kind, where_is};
use crate::crash::{player, reaches};

const ACCESSES: u64 = 300;
const WITHIN: Duration = Duration::from_secs(60);

/// The kernel shows who may look into a process: where core dumps are off, its own account does not own its memory.
#[test]
fn whoever_has_the_collectors_account_cannot_dump_the_memory_that_holds_keys() -> Result<()> {
    /// An account without rights, by its number on every Linux.
    const NOBODY: u32 = 65_534;
    for encrypted in [true, false] {
        let mut practice = if encrypted { Kind::File.practice()? } else { Practice::start()? };
        practice.stop_collector()?;
        let owned = format!("{NOBODY}:{NOBODY}");
        ensure!(
            Command::new("chown").args(["-R", &owned]).arg(practice.folder()).status()?.success(),
            "chown"
        );
        let binary = program::binary("ntk-collector")?;
        let mut version = Command::new(&binary);
        if !version
            .arg("--version")
            .stdout(Stdio::null())
            .uid(NOBODY)
            .gid(NOBODY)
            .status()
            .is_ok_and(|it| it.success())
        {
            skip::skip(
                "at_rest::memory",
                "an account without rights cannot run the built program where it lies",
            );
            return Ok(());
        }
        let mut command = Command::new(&binary);
        command.arg("--dir").arg(practice.dir()).arg("run").uid(NOBODY).gid(NOBODY);
        let mut running = Running::spawn("ntk-collector", command, &practice.folder().join("nobody.log"))?;
        wait::until_so("the collector to answer", WITHIN, || {
            running.ensure_running()?;
            // A subcommand would open the folder itself, as root, where nothing answers yet.
            let answers = UnixStream::connect(practice.dir().join("admin.sock")).is_ok();
            Ok(answers && practice.status().is_ok())
        })?;
        let owner = fs::metadata(format!("/proc/{}/mem", running.id()))?.uid();
        assert_eq!(owner, if encrypted { 0 } else { NOBODY }, "encrypted: {encrypted}");
        let said = running.said();
        ensure!(running.stop()?.success(), "the collector ends in order: {said}");
    }
    Ok(())
}

#[test]
fn the_admin_socket_is_its_owners_alone() -> Result<()> {
    let practice = Practice::start()?;
    let mode = |name: &str| -> Result<u32> {
        Ok(fs::metadata(practice.dir().join(name))?.permissions().mode() & 0o7777)
    };
    assert_eq!(mode("admin.sock")?, 0o600);
    assert_eq!(mode("")? & 0o007, 0, "nobody else even reaches it");
    Ok(())
}

/// What an agent gets back are receipts and checkpoints: nothing of another machine's people or files.
#[test]
fn an_agent_learns_nothing_of_what_another_one_sent() -> Result<()> {
    let practice = Practice::start()?;
    let mut one = player(&practice, "ws-01", 1001, ACCESSES, None)?;
    let mut two = player(&practice, "ws-02", 1002, 3, None)?;
    reaches(&practice, &mut one, ACCESSES + 1)?;
    reaches(&practice, &mut two, 4)?;
    practice.collector(&["witness", "round"])?;
    ensure!(one.stop()?.success() && two.stop()?.success(), "agents end in order");
    let of_one = [b"ws-01-0000".to_vec()];
    assert!(where_is(two.dir(), &of_one)?.is_empty());
    assert!(!where_is(one.dir(), &of_one)?.is_empty(), "the twin: its own folder names them");
    Ok(())
}
