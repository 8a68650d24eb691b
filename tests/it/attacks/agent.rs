//! The agent's administrator at his own machine's files and processes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::forge::copy_folder;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};

use super::{WITHIN, act_comes, agent_says, at_rest};
use crate::crash::{player, reaches};

fn last_segment(machine: &ntk_tests::machine::Machine) -> Result<PathBuf> {
    let mut segments: Vec<PathBuf> = fs::read_dir(machine.dir().join("spool"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "seg"))
        .collect();
    segments.sort();
    segments.pop().context("a segment of the spool")
}

#[test]
fn an_edited_spool_is_refused_by_its_own_agent() -> Result<()> {
    let (mut practice, mut machine) = at_rest(300)?;
    practice.start_collector()?;
    machine.start()?;
    let now = practice.size_of("ws-01")?;
    reaches(&practice, &mut machine, now + 1).context("the twin: an untouched spool goes on")?;
    machine.stop()?;
    let segment = last_segment(&machine)?;
    let mut bytes = fs::read(&segment)?;
    let at = bytes.windows(4).position(|window| window == b"1001").context("the account in the spool")?;
    bytes[at + 3] = b'2';
    fs::write(&segment, bytes)?;
    let output = noticed("spool-edit", || {
        program::run("ntk-agent", &["run", "--dir", &machine.dir().to_string_lossy()])
    })?;
    let said = program::text(&output.stdout) + &program::text(&output.stderr);
    ensure!(!output.status.success() && said.contains("spool"), "the agent ran on: {said}");
    Ok(())
}

#[test]
fn a_spool_cut_behind_what_was_acknowledged_is_seen_at_the_next_contact() -> Result<()> {
    let (mut practice, mut machine) = at_rest(300)?;
    let segment = last_segment(&machine)?;
    let bytes = fs::read(&segment)?;
    fs::write(&segment, &bytes[..bytes.len() * 2 / 3])?;
    practice.start_collector()?;
    machine.start()?;
    noticed("spool-cut", || {
        agent_says(&machine, "spool_behind").or_else(|_| act_comes(&practice, "act_fork").map(|_| ()))
    })?;
    Ok(())
}

#[test]
fn a_spool_set_back_to_a_copy_is_a_fork_with_both_notes_or_known_to_be_behind() -> Result<()> {
    let practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 3000, Some(200))?;
    reaches(&practice, &mut machine, 100)?;
    machine.stop()?;
    let copy = practice.folder().join("earlier");
    copy_folder(machine.dir(), &copy)?;
    let then = practice.size_of("ws-01")?;
    machine.start()?;
    reaches(&practice, &mut machine, then + 100).context("the twin: the spool that goes on")?;
    machine.stop()?;
    fs::remove_dir_all(machine.dir())?;
    copy_folder(&copy, machine.dir())?;
    machine.start()?;
    noticed("spool-rewind", || {
        wait::until_so("the rewound spool to be told", WITHIN, || {
            let forked = !super::acts(&practice, "act_fork")?.is_empty();
            let said =
                machine.log() + &fs::read_to_string(machine.dir().join("status.json")).unwrap_or_default();
            Ok(forked || said.contains("spool_behind"))
        })
    })
}

#[test]
fn a_killed_agent_says_at_its_next_start_from_when_to_when_nothing_was_recorded() -> Result<()> {
    let (mut practice, mut machine) = at_rest(300)?;
    practice.start_collector()?;
    machine.start()?;
    let gaps = |practice: &Practice, cause: &str| -> Result<usize> {
        Ok(practice.events(&[])?.iter().filter(|row| row["event"]["gap"]["cause"] == cause).count())
    };
    let now = practice.size_of("ws-01")?;
    reaches(&practice, &mut machine, now + 1)?;
    ensure!(gaps(&practice, "agent_restart")? == 0, "the twin: a stop in order is none");
    machine.kill()?;
    machine.start()?;
    noticed("kill", || {
        wait::until_so("a gap entry with its bounds", WITHIN, || {
            let rows = practice.events(&[])?;
            let gap = rows.iter().find(|row| row["event"]["gap"]["cause"] == "agent_restart");
            Ok(gap.is_some_and(|gap| {
                gap["event"]["gap"]["from"].is_string() && gap["event"]["gap"]["to"].is_string()
            }))
        })
    })
}

/// Unmounts a scratch file system whatever happens.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_events_that_a_gap_counts() -> Result<()> {
    let practice = Practice::start()?;
    let mount = practice.folder().join("small");
    fs::create_dir_all(&mount)?;
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&mount).status();
    if !mounted.is_ok_and(|status| status.success()) {
        skip::skip("attacks::agent::a_full_disk", "a small file system cannot be mounted here");
        return Ok(());
    }
    let _mounted = Mounted(mount.clone());
    let mut machine = ntk_tests::machine::Machine::enroll(&mount, "ws-01", &practice.token("ws-01")?)?;
    // What the agent says goes elsewhere: on the full disk it could not be written either.
    let said = practice.folder().join("said.log");
    fs::write(&said, "")?;
    std::os::unix::fs::symlink(&said, machine.dir().join("agent.log"))?;
    let file = practice.folder().join("long.log");
    recording::write(&file, "long", 1001, 40_000, 1)?;
    machine.configure(&recording::configuration(&[&file], Some(400)))?;
    machine.start()?;
    reaches(&practice, &mut machine, 300).context("the twin: with room on the disk")?;
    let lost = |practice: &Practice| -> Result<Option<u64>> {
        let rows = practice.events(&[])?;
        Ok(rows.iter().find_map(|row| row["event"]["gap"]["lost"].as_u64()))
    };
    ensure!(lost(&practice)?.is_none(), "nothing is lost while there is room");
    let filler = mount.join("filler");
    let _ = Command::new("dd")
        .args(["if=/dev/zero", &format!("of={}", filler.display()), "bs=4096"])
        .stderr(std::process::Stdio::null())
        .status()?;
    wait::until_so("the agent to meet the full disk", WITHIN, || {
        Ok(machine.log().contains("events are being lost") || machine.log().contains("the spool failed"))
    })?;
    wait::until_so("events to be lost", WITHIN, || Ok(machine.log().contains("events are being lost")))?;
    noticed("disk", || {
        fs::remove_file(&filler)?;
        wait::until("a gap entry that counts what was lost", WITHIN, || lost(&practice))
    })?;
    Ok(())
}
