//! `ntk-agent install` with the built program: an image that machines are made of, and what it refuses. A real service manager
//! is in the machines of our own ([`crate::vm`]).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};
use ntk_tests::program::{self, text};
use ntk_tests::skip;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn agent(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program::binary("ntk-agent")?);
    Ok(command.args(arguments).stdin(Stdio::null()).output()?)
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, sentence: &str) -> Result<()> {
    let output = agent(arguments)?;
    let said = text(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?}: {} {said}", output.status);
    ensure!(said.contains(sentence), "{arguments:?}: {said}");
    Ok(())
}

#[test]
fn an_image_is_sealed_and_started_at_boot_and_can_be_undone() -> Result<()> {
    if !is_root() {
        skip::skip("an_image_is_sealed_and_started_at_boot_and_can_be_undone", "needs root");
        return Ok(());
    }
    let image = tempfile::tempdir()?;
    fs::create_dir_all(image.path().join("etc/default"))?;
    fs::write(image.path().join("etc/default/grub"), "GRUB_TIMEOUT=5\n")?;
    let root = image.path().to_str().unwrap();
    let at = |path: &str| image.path().join(path);
    let install = ["install", "--root", root, "--sealed", "--yes", "--boot-parameters"];
    let said = program::succeed("ntk-agent", &[&install[..], &["--dry-run"]].concat())?;
    ensure!(said.contains("would be written") && !at("etc/systemd").exists(), "{said}");
    let said = program::succeed("ntk-agent", &install)?;
    // What it costs is said before anything is done, also to whoever is not asked.
    let costs = said.find("What that costs:").unwrap_or(usize::MAX);
    ensure!(said.find("program: ").is_some_and(|done| costs < done), "{said}");
    ensure!(said.contains("is enrolled by itself") && said.contains("What this does not do"), "{said}");
    let unit = fs::read_to_string(at("etc/systemd/system/ntk-agent.service"))?;
    ensure!(unit.contains("ExecStart=/usr/local/sbin/ntk-agent run --dir /var/lib/ntk-agent\n"), "{unit}");
    let link = at("etc/systemd/system/multi-user.target.wants/ntk-agent.service");
    ensure!(fs::read_link(link)? == Path::new("/etc/systemd/system/ntk-agent.service"));
    let copied = at("usr/local/sbin/ntk-agent");
    ensure!(fs::read(&copied)? == fs::read(program::binary("ntk-agent")?)?);
    ensure!(fs::metadata(&copied)?.permissions().mode() & 0o777 == 0o755);
    let config = fs::read_to_string(at("var/lib/ntk-agent/agent.toml"))?;
    ensure!(config.contains("\nsealed = true\n") && config.contains("# What is watched"), "{config}");
    let boot = fs::read_to_string(at("etc/default/grub.d/ntk-agent.cfg"))?;
    ensure!(boot.contains("audit=1 audit_backlog_limit=8192"), "{boot}");
    program::succeed("ntk-agent", &install)?;
    let said = program::succeed("ntk-agent", &["uninstall", "--root", root, "--keep-data"])?;
    ensure!(said.contains("stays, with identity, configuration and entries"), "{said}");
    let gone = [
        "etc/systemd/system/ntk-agent.service",
        "etc/default/grub.d/ntk-agent.cfg",
        "usr/local/sbin/ntk-agent",
    ];
    ensure!(gone.iter().all(|path| !at(path).exists()));
    let config = fs::read_to_string(at("var/lib/ntk-agent/agent.toml"))?;
    ensure!(config.contains("\nsealed = false\n"), "{config}");
    Ok(())
}

#[test]
fn what_cannot_be_installed_is_refused_with_what_to_do_and_nothing_changes() -> Result<()> {
    if !is_root() {
        return refused(&["install", "--root", "/tmp"], 69, "installing a service needs root");
    }
    let image = tempfile::tempdir()?;
    let root = image.path().to_str().unwrap();
    refused(&["install", "--root", root, "--sealed"], 64, "give --yes, too")?;
    refused(&["install", "--root", "/nowhere/at/all"], 64, "/nowhere/at/all")?;
    refused(&["uninstall", "--purge", "--keep-data"], 64, "cannot be used with")?;
    ensure!(fs::read_dir(image.path())?.count() == 0, "nothing was changed");
    let unit = image.path().join("etc/systemd/system/ntk-agent.service");
    fs::create_dir_all(unit.parent().unwrap())?;
    fs::write(&unit, "[Service]\nExecStart=/opt/other\n")?;
    refused(&["install", "--root", root], 1, "was not written by `ntk-agent install`")?;
    ensure!(fs::read_to_string(&unit)?.contains("/opt/other"));
    let folder = image.path().join("var/lib/ntk-agent");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("agent.toml"), "colour = 1\n")?;
    fs::remove_file(&unit)?;
    refused(&["install", "--root", root, "--sealed", "--yes"], 78, "`colour`")?;
    // On a machine that systemd runs this would install for real.
    if !Path::new("/run/systemd/system").is_dir() {
        refused(&["install"], 69, "no systemd runs here")?;
        refused(&["uninstall"], 69, "no systemd runs here")?;
    }
    Ok(())
}
