//! `install`, `uninstall` and `serve` on Windows.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, Subcommand};

use super::exit;
use crate::at_rest::header::Header;
use crate::at_rest::source::Source;
use crate::home::{Home, create_folder};
use crate::practice::Practice;
use crate::private;
use crate::run::LevelHandle;
use crate::system;
use crate::windows::security_ffi::own;
use crate::windows::service;

/// SYSTEM and the group of administrators (Microsoft, "Well-known SIDs").
const MAY_USE: [&str; 2] = ["*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"];
const PROGRAM: &str = "ntk-collector.exe";

/// The collector as a service of Windows.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Make the practice's collector a service that Windows starts with the machine
    Install(Install),
    /// Stop the service and take it off this machine; the practice's folder stays as it is
    Uninstall,
    /// What the service control manager starts; for people there is `run`
    #[command(hide = true)]
    Serve,
}

/// `install`.
#[derive(Debug, Args)]
pub struct Install {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do nothing where no practice was made yet: what the installer's package asks for
    #[arg(long)]
    where_made: bool,
}

/// Runs one of them; the exit code.
pub(super) fn service(home: Home, level: Option<LevelHandle>, what: ServiceCommand) -> anyhow::Result<u8> {
    match what {
        ServiceCommand::Install(arguments) => install(&home, &arguments),
        ServiceCommand::Uninstall => uninstall(&home),
        ServiceCommand::Serve => Ok(service::serve(home, level)?),
    }
}

fn install(home: &Home, arguments: &Install) -> anyhow::Result<u8> {
    let dir = std::path::absolute(home.dir())?;
    if arguments.where_made && !home.config().exists() {
        println!("there is no practice in {} yet: run `ntk-collector init`, then `install`", dir.display());
        return Ok(0);
    }
    Practice::open(home.clone())?;
    // A service has no terminal at which somebody types.
    if let Some(Source::Passphrase | Source::Credential) = Header::read(home)?.map(|header| header.source()) {
        return Err(anyhow!(
            "what is stored is encrypted with a key that a service of Windows cannot get: change that with `ntk-collector at-rest change --key file:PATH`, or go on with `ntk-collector run`"
        ));
    }
    let from = std::env::current_exe()?;
    let programs = std::env::var_os("ProgramFiles").map_or_else(|| r"C:\Program Files".into(), PathBuf::from);
    let to = programs.join("Need-to-Know").join(PROGRAM);
    println!("program: {}", to.display());
    println!("folder: {}, for SYSTEM and administrators only", dir.display());
    println!("service: {}, started a little after the machine and again after every end", service::NAME);
    if arguments.dry_run {
        println!("nothing was changed");
        return Ok(0);
    }
    guard(home, &dir)?;
    if !service::stop()? {
        println!("the service does not end; stop it with `sc stop ntk-collector`, then run this again");
        return Ok(exit::UNAVAILABLE);
    }
    if from != to {
        // What the service runs lies where only administrators write.
        to.parent().map_or(Ok(()), |parent| create_folder(parent, 0o755))?;
        put(&from, &to)?;
    }
    for sentence in service::install(&to, &dir)? {
        println!("{sentence}");
    }
    println!("the service runs; `ntk-collector status` says how it fares");
    println!("where nobody is a manager yet: `ntk-collector account set-up-link`");
    Ok(0)
}

fn uninstall(home: &Home) -> anyhow::Result<u8> {
    if !service::uninstall()? {
        println!("the service did not end in time; it is removed when it has");
    }
    println!("the service is gone; the practice stays in {}", home.dir().display());
    Ok(0)
}

/// Beside it first: a crash leaves the program that was there, or the new one.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let beside = to.with_extension("new");
    let copy = std::fs::copy(from, &beside).and_then(|_| std::fs::rename(&beside, to));
    copy.with_context(|| {
        format!("could not put the program at `{}`; run this as an administrator", to.display())
    })
}

/// Nobody but SYSTEM and administrators uses the folder, whatever it inherited and whoever made it.
fn guard(home: &Home, dir: &Path) -> anyhow::Result<()> {
    let system = std::env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from);
    let mut icacls = Command::new(system.join("System32").join("icacls.exe"));
    icacls.arg(dir).args(["/inheritance:r", "/grant:r", MAY_USE[0], MAY_USE[1], "/T", "/Q"]);
    let ran = icacls.output()?;
    let why = String::from_utf8_lossy(&ran.stderr).into_owned();
    ensure!(
        ran.status.success(),
        "could not keep others out of `{}` ({}); run this as an administrator: {why}",
        dir.display(),
        ran.status
    );
    let wrong: Vec<String> = system::kept_so(dir, 0o700, &own()?).err().into_iter().collect();
    let wrong = wrong.into_iter().chain(private::kept(home).into_iter().filter_map(Result::err));
    let wrong: Vec<String> = wrong.collect();
    ensure!(wrong.is_empty(), "the practice's secrets are not its own: {}", wrong.join("; "));
    Ok(())
}
