//! `install`, `uninstall` and `serve` on Windows.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CONFIG, Failure, IO, UNAVAILABLE};
use crate::config;
use crate::error_chain;
use crate::identity::IdentityFiles;
use crate::service::windows as service;
use crate::whole_file::{Files as _, Readable, RealFiles, create_private_folder};

/// SYSTEM and the group of administrators, by identifiers that are the same in every language (Microsoft, "Well-known SIDs").
const MAY_USE: [&str; 2] = ["*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"];

#[derive(Debug, clap::Args)]
pub(super) struct Install {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the agent keeps its configuration, identity and spool
    #[arg(long, value_name = "DIR", default_value = config::DEFAULT_DIR)]
    dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Uninstall {
    /// Where the agent keeps its configuration, identity and spool; it stays as it is
    #[arg(long, value_name = "DIR", default_value = config::DEFAULT_DIR)]
    dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Where the agent keeps its configuration, identity and spool
    #[arg(long, value_name = "DIR", default_value = config::DEFAULT_DIR)]
    dir: PathBuf,
}

pub(super) fn install(arguments: Install) -> Result<u8, Failure> {
    let io = |error| Failure::new(IO, error);
    let dir = std::path::absolute(arguments.dir).map_err(io)?;
    config::load(&config::path_in(&dir)).map_err(|error| Failure::new(CONFIG, error))?;
    IdentityFiles::of(&dir).load(&RealFiles).map_err(|error| Failure::new(CONFIG, error))?;
    let from = std::env::current_exe().map_err(io)?;
    let programs = std::env::var_os("ProgramFiles").map_or_else(|| r"C:\Program Files".into(), PathBuf::from);
    let to = programs.join("Need-to-Know").join("ntk-agent.exe");
    println!("program: {}", to.display());
    println!("folder: {}, for SYSTEM and administrators only", dir.display());
    println!("service: {}, started with the machine and again after every end", service::NAME);
    if arguments.dry_run {
        println!("nothing was changed");
        return Ok(0);
    }
    guard(&dir)?;
    if from != to {
        if !service::stop().map_err(|error| refused("stop the service", error))? {
            let text = "the service does not end; stop it with `sc stop ntk-agent`, then run this again";
            return Err(Failure::new(UNAVAILABLE, std::io::Error::other(text)));
        }
        // What the service runs lies where only administrators write.
        to.parent().map_or(Ok(()), create_private_folder).map_err(io)?;
        let program = std::fs::read(&from).map_err(io)?;
        RealFiles.replace(&to, &program, Readable::ByAllToRun).map_err(io)?;
    }
    let missing = service::install(&to, &dir).map_err(|error| refused("make the service", error))?;
    missing.iter().for_each(|sentence| println!("{sentence}"));
    println!("the service runs; `ntk-agent status` says how it fares");
    Ok(0)
}

pub(super) fn uninstall(arguments: Uninstall) -> Result<u8, Failure> {
    let has_ended = service::uninstall().map_err(|error| refused("remove the service", error))?;
    if !has_ended {
        println!("the service did not end in time; it is removed when it has");
    }
    println!("the service is gone; identity, configuration and entries stay in {}", arguments.dir.display());
    Ok(0)
}

pub(super) fn serve(arguments: &Serve) -> Result<u8, Failure> {
    service::serve(&arguments.dir).map_err(|error| {
        refused("serve: this is for the service control manager; use `ntk-agent run`", error)
    })
}

/// Nobody but SYSTEM and administrators uses the folder, whatever it inherited.
fn guard(dir: &Path) -> Result<(), Failure> {
    let system = std::env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from);
    let mut icacls = Command::new(system.join("System32").join("icacls.exe"));
    icacls.arg(dir).args(["/inheritance:r", "/grant:r", MAY_USE[0], MAY_USE[1], "/T", "/Q"]);
    let ran = icacls.output().map_err(|error| Failure::new(IO, error))?;
    if ran.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&ran.stderr).into_owned();
    Err(Failure::new(
        IO,
        std::io::Error::other(format!(
            "could not keep others out of `{}` ({}); run this as an administrator: {why}",
            dir.display(),
            ran.status
        )),
    ))
}

fn refused(what: &str, error: windows_service::Error) -> Failure {
    let text = format!("could not {what} ({}); run this as an administrator", error_chain(&error));
    Failure::new(UNAVAILABLE, std::io::Error::other(text))
}
