//! `install` and `uninstall`: asks what has to be asked, then says each step.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::{CONFIG, Failure, IO, UNAVAILABLE, USAGE};
use crate::install::{self, COSTS, InstallError, Kept, Plan, RealHands};

/// What a person types to seal.
const WORD: &str = "seal";

#[derive(Debug, clap::Args)]
pub(super) struct Install {
    /// Lock kernel audit and login identities until each next boot, once the agent has started; says first what that costs
    #[arg(long)]
    sealed: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Have kernel audit on from the first process on: a drop-in of its own for GRUB, from the next boot on
    #[arg(long)]
    boot_parameters: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct Uninstall {
    /// Leave identity, configuration and entries where they are; this is so unless --purge is given
    #[arg(long, conflicts_with = "purge")]
    keep_data: bool,
    /// Remove the agent's folder, too: identity, configuration and entries
    #[arg(long)]
    purge: bool,
    /// With --purge: also where entries wait that the collector never got
    #[arg(long, requires = "purge")]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct Target {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the agent keeps its configuration, identity and spool
    #[arg(long, value_name = "DIR", default_value = crate::config::DEFAULT_DIR)]
    dir: PathBuf,
    /// The folder of an image that machines are made of: its files are written, nothing is started
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
}

impl Target {
    fn plan(self) -> Result<Plan, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::new(IO, error))?;
        let absolute = |path: PathBuf| std::path::absolute(path).map_err(|error| Failure::new(IO, error));
        let root = self.root.canonicalize().map_err(|source| {
            let path = self.root.clone();
            Failure::new(USAGE, InstallError::File { what: "find", path, source })
        })?;
        let plan = Plan {
            is_image: root != Path::new("/"),
            root,
            dir: absolute(self.dir)?,
            program,
            sealed: false,
            boot_parameters: false,
            dry_run: self.dry_run,
        };
        let refused = |error| Failure::new(code(&error), error);
        if !rustix::process::geteuid().is_root() {
            return Err(refused(InstallError::NotRoot));
        }
        // sd_booted(3).
        if !plan.is_image && !Path::new("/run/systemd/system").is_dir() {
            return Err(refused(InstallError::NoSystemd));
        }
        Ok(plan)
    }
}

pub(super) fn install(arguments: Install) -> Result<u8, Failure> {
    let Install { sealed, yes, boot_parameters, target } = arguments;
    let plan = Plan { sealed, boot_parameters, ..target.plan()? };
    if sealed {
        println!("{COSTS}\n");
        if !yes && !plan.dry_run && !agreed()? {
            println!("nothing was changed");
            return Ok(1);
        }
    }
    install::install(&plan, &mut RealHands, &mut |line| println!("{line}"))
        .map_err(|error| Failure::new(code(&error), error))?;
    Ok(0)
}

pub(super) fn uninstall(arguments: Uninstall) -> Result<u8, Failure> {
    // Said for whoever reads the command: it is what happens without it, too.
    let _ = arguments.keep_data;
    let kept = match (arguments.purge, arguments.yes) {
        (false, _) => Kept::Data,
        (true, false) => Kept::Nothing,
        (true, true) => Kept::NothingWhateverWaits,
    };
    let plan = arguments.target.plan()?;
    install::uninstall(&plan, kept, &mut RealHands, &mut |line| println!("{line}"))
        .map_err(|error| Failure::new(code(&error), error))?;
    Ok(0)
}

/// Whether a person at the terminal agrees.
fn agreed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            USAGE,
            std::io::Error::other(
                "nobody is there to be asked whether to seal this machine; give --yes, too",
            ),
        ));
    }
    print!("Type `{WORD}` to go on: ");
    let failed = |error| Failure::new(IO, error);
    std::io::stdout().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(line.trim() == WORD)
}

fn code(error: &InstallError) -> u8 {
    match error {
        InstallError::NotRoot | InstallError::NoSystemd | InstallError::Running(_) => UNAVAILABLE,
        InstallError::Identity(_) | InstallError::Config(_) | InstallError::SealedKey(_) => CONFIG,
        InstallError::Foreign(_) | InstallError::Waiting(_) => 1,
        InstallError::File { .. }
        | InstallError::Start { .. }
        | InstallError::Failed { .. }
        | InstallError::Audit(_) => IO,
    }
}
