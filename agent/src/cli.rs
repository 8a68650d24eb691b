//! The command line: what a person may ask, which code answers.
//!
//! Exit codes: 0 done or yes, 1 the answer is no, 64 usage, 69 unavailable (collector, or another agent runs), 74
//! input or output failed, 78 configuration or identity.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use ntk_segment::error::SegmentError;

use crate::check::{self, Verdict};
use crate::clock::{self, Clock as _, RealClock};
use crate::config::DEFAULT_DIR;
use crate::decoy::{self, DecoyError};
use crate::enroll::{self, EnrollError, Replace};
use crate::error_chain;
use crate::host;
use crate::identity::{IdentityError, IdentityFiles};
use crate::kept::{self, KeptError};
use crate::package::{self, Found, PackageError};
use crate::receipt::{self, ReceiptError};
use crate::replay::{self, Format, ReplayError};
use crate::run::{self, Part, RunError};
use crate::service::Service;
use crate::spool::SpoolError;
use crate::status::{self, StatusError, StatusFile};
use crate::whole_file::RealFiles;

#[cfg(windows)]
mod audit_policy;
mod commission;
mod holdings;
#[cfg_attr(windows, path = "cli/service_windows.rs")]
mod service;

/// Where an observer keeps everything, unless `--dir` says otherwise.
const OBSERVER_DIR: &str = "/var/lib/ntk-observer";

const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const IO: u8 = 74;
const CONFIG: u8 = 78;

/// Records privileged logins and file access on this machine, for everyone's protection.
#[derive(Debug, Parser)]
#[command(
    name = "ntk-agent",
    version,
    after_help = "Examples:
  ntk-agent enroll --token ntk1.eyJhIjoi...
  ntk-agent check
  ntk-agent run
  ntk-agent status
  ntk-agent replay --format linux-audit audit.log --watch /srv/mail/anna=mailbox:anna"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Exchange a one-time token for this machine's identity
    #[command(after_help = "Example:
  ntk-agent enroll --token ntk1.eyJhIjoi... --notice \"staff were told on 3 March\"")]
    Enroll {
        /// The line that `ntk-collector enroll new` printed
        #[arg(long)]
        token: String,
        #[command(flatten)]
        place: Place,
        /// Another address of the collector than the token's
        #[arg(long, value_name = "HOST:PORT")]
        collector: Option<String>,
        /// Take this machine's own earlier place: an identity and a spool that are there are moved aside, not deleted
        #[arg(long)]
        replace: bool,
        /// Whether the people on this machine were told that access is recorded, or why not
        #[arg(long, value_name = "TEXT", default_value = "")]
        notice: String,
    },
    /// Record until stopped (SIGTERM or Ctrl-C)
    Run {
        #[command(flatten)]
        place: Place,
    },
    /// Report the end of the agent on this machine, as another account without its rights, until stopped
    #[command(
        after_help = "It is enrolled like a machine, under a name of its own, and needs CAP_AUDIT_READ only.
Example:
  ntk-agent enroll --token ntk1.eyJhIjoi... --dir /var/lib/ntk-observer
  ntk-agent observe --dir /var/lib/ntk-observer"
    )]
    Observe {
        /// Where the observer keeps its own configuration, identity and spool
        #[arg(long, value_name = "DIR", default_value = OBSERVER_DIR)]
        dir: PathBuf,
    },
    /// Prove everything that a start would need, and change nothing
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Make the agent a service of this machine (systemd); can be run again
    #[cfg(target_os = "linux")]
    #[command(after_help = "Example:
  sudo ntk-agent install --dry-run
  sudo ntk-agent install --boot-parameters
  sudo ntk-agent install --sealed
  sudo ntk-agent install --root /mnt/image")]
    Install(service::Install),
    /// Make the agent a service of this machine; can be run again
    #[cfg(windows)]
    #[command(after_help = "Example, as an administrator:
  ntk-agent install --dry-run
  ntk-agent install")]
    Install(service::Install),
    /// Be the service: for the service control manager
    #[cfg(windows)]
    #[command(hide = true)]
    Serve(service::Serve),
    /// Say what Windows is to record here, and where it does not; exit 1 then
    #[cfg(windows)]
    #[command(after_help = "deploy/windows/audit-policy.ps1 sets it. Example, as an administrator:
  ntk-agent audit-policy")]
    AuditPolicy {
        #[command(flatten)]
        place: Place,
        /// What is wanted and the watched folders, as JSON, for that script; the machine is not looked at
        #[arg(long)]
        json: bool,
    },
    /// Take the service off this machine; what was recorded stays
    #[cfg(windows)]
    Uninstall(service::Uninstall),
    /// Take the service off this machine, and put back what was there before
    #[cfg(target_os = "linux")]
    #[command(after_help = "Example:
  sudo ntk-agent uninstall
  sudo ntk-agent uninstall --purge")]
    Uninstall(service::Uninstall),
    /// Say how the running agent fares; exit 1 when none runs
    Status {
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether a package or program is one that the practice key announced; exit 1 when not. Installs nothing
    #[command(after_help = "Example:
  ntk-agent check-package ntk-agent_0.2.0_amd64.deb --announced 0.2.0.txt && sudo dpkg -i ntk-agent_0.2.0_amd64.deb")]
    CheckPackage {
        /// The package, archive or program file
        file: PathBuf,
        /// What `ntk-collector update show VERSION` or `update announce --out` wrote; several times, withdrawals beside it
        #[arg(long, value_name = "FILE", required = true)]
        announced: Vec<PathBuf>,
        /// The practice's trust.txt, in the place of the one that this machine was enrolled with
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Write the collector's newest acknowledgement as two files that can be checked without it; exit 1 when none is
    #[command(after_help = "Example:
  ntk-agent receipt --out /media/usb
  ntk-verify receipt agent-ws-01-812.note agent-ws-01-812.tlog-proof --trust trust.txt")]
    Receipt {
        #[command(flatten)]
        place: Place,
        /// Where the two files go
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// List the segments that are kept encrypted for a lost collector, or pack them with what it needs
    #[command(after_help = "Example:
  ntk-agent kept --out /media/usb/ws-01")]
    Kept {
        #[command(flatten)]
        place: Place,
        /// Write everything that a lost collector can be filled again from to this new folder
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// List what each account of this machine holds: rights, keys, jobs, remote access, forwards; never a secret
    #[command(after_help = "Example:
  sudo ntk-agent inventory
  sudo ntk-agent inventory --json | jq '.holdings[] | select(.what == \"authorized_key\")'")]
    Inventory {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Test on this very machine whether everything is recorded, and record the result for good
    #[command(
        after_help = "Run it with somebody of the practice beside you, from a login of your own, again after each upgrade.
Exit 0 when everything is proved, 1 when something is not.
Example:
  sudo ntk-agent commission --by \"Jan Novak\" --witnessed-by \"Anna Roth\""
    )]
    Commission(commission::Arguments),
    #[command(hide = true)]
    CommissionAct(commission::Act),
    /// List mailboxes, voicemail, exports and backups of this machine that are not watched yet
    #[command(after_help = "Example:
  sudo ntk-agent discover

What is found is proposed by the running agent; a person of the practice confirms it on the collector:
  ntk-collector watch list
  ntk-collector watch confirm 3f9a0c1b2d4e --by mary")]
    Discover {
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// A mailbox or export that nobody has a reason to open
    Decoy {
        /// What to do
        #[command(subcommand)]
        what: DecoyCommand,
    },
    /// Print the events of recorded records as JSON lines
    #[command(after_help = "Example:
  ntk-agent replay --format linux-audit audit.log --watch /srv/mail/anna=mailbox:anna
  ntk-agent replay --format evtx Security.evtx --watch 'C:\\Users\\anna\\Documents\\Outlook Files=mailbox:anna'")]
    Replay {
        /// What the files are: linux-audit, evtx, windows-json, auth-log
        #[arg(long)]
        format: String,
        /// The recordings, in order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// A watched folder and the class of what it holds; may be given several times
        #[arg(long = "watch", value_name = "PATH=CLASS[:OWNER]")]
        watches: Vec<String>,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:
  ntk-agent completions bash > /etc/bash_completion.d/ntk-agent")]
    Completions {
        /// bash, zsh, fish, elvish, powershell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum DecoyCommand {
    /// Make one in a new folder and watch it; whoever touches it is reported
    #[command(after_help = "Example:
  sudo ntk-agent decoy plant /srv/practice/exports/2019-archive
  sudo ntk-agent decoy plant /srv/mail/archive --class mailbox")]
    Plant {
        /// The folder, from the root; it must not be there yet
        #[arg(value_name = "FOLDER")]
        folder: String,
        /// mailbox or export
        #[arg(long, default_value = "export", value_parser = ["mailbox", "export"])]
        class: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Where the agent keeps its configuration, identity and spool
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
}

/// Does what the command line asks.
pub fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    crate::footprint::begin();
    // One provider of cryptography, named here; a second one in the program would be refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Arguments::try_parse() {
        Ok(arguments) => match arguments.command.perform() {
            Ok(code) => ExitCode::from(code),
            Err(failure) => {
                eprintln!("ntk-agent: {}", error_chain(failure.error.as_ref()));
                ExitCode::from(failure.code)
            }
        },
        Err(error) => {
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
        }
    }
}

/// What went wrong, and the code that says so.
struct Failure {
    code: u8,
    error: Box<dyn Error>,
}

impl Failure {
    fn new(code: u8, error: impl Error + 'static) -> Self {
        Self { code, error: Box::new(error) }
    }
}

impl Command {
    fn perform(self) -> Result<u8, Failure> {
        match self {
            Self::Enroll { token, place, collector, replace, notice } => {
                let machine = host::name().unwrap_or_default();
                let machine = format!("{} {machine}", std::env::consts::OS);
                let replace = if replace { Replace::At(RealClock.now()) } else { Replace::No };
                let request = enroll::Request { token, dir: place.dir, collector, notice, machine, replace };
                let enrolled = block_on(enroll::enroll(&request, &RealFiles))?
                    .map_err(|error| Failure::new(enroll_code(&error), error))?;
                println!("enrolled as {}/{}", enrolled.slug, enrolled.author);
                if replace != Replace::No {
                    println!(
                        "what was there before is kept beside it, as identity.before-… and spool.before-…"
                    );
                }
                println!(
                    "next: name the folders to watch in {}, then `ntk-agent check` and `ntk-agent run`",
                    crate::config::path_in(&request.dir).display()
                );
                Ok(0)
            }
            Self::Run { place } => run::run(&place.dir, Part::Agent, &Service::from_environment())
                .map(|()| 0)
                .map_err(|error| Failure::new(run_code(&error), error)),
            Self::Observe { .. } if cfg!(windows) => {
                let text = "an agent is observed on Linux only; on Windows the service control manager starts it again, \
                            and the collector says when it was not heard";
                Err(Failure::new(USAGE, std::io::Error::other(text)))
            }
            Self::Observe { dir } => run::run(&dir, Part::Observer, &Service::from_environment())
                .map(|()| 0)
                .map_err(|error| Failure::new(run_code(&error), error)),
            Self::Check { place } => {
                let now = RealClock.now();
                println!("{}", check::heading(&place.dir, now));
                let lines = block_on(check::check(&place.dir, now))?;
                lines.iter().for_each(|line| println!("{line}"));
                Ok(match lines.iter().map(|line| line.verdict).max() {
                    Some(Verdict::NoStart) => CONFIG,
                    Some(Verdict::Bad) => 1,
                    Some(Verdict::Good | Verdict::Attention) | None => 0,
                })
            }
            Self::Install(arguments) => service::install(arguments),
            Self::Uninstall(arguments) => service::uninstall(arguments),
            #[cfg(windows)]
            Self::Serve(arguments) => service::serve(&arguments),
            #[cfg(windows)]
            Self::AuditPolicy { place, json } => audit_policy::perform(&place.dir, json),
            Self::Status { place, json } => status(&place, json),
            Self::CheckPackage { file, announced, trust, place } => {
                let found = package::check(&file, &announced, trust.as_deref(), &place.dir);
                match found.map_err(|error| Failure::new(package_code(&error), error))? {
                    Found::Announced { what, made } => {
                        println!("announced: {what}, on {made}");
                        println!(
                            "Whether it was withdrawn since, this cannot know: take what `ntk-collector update show` writes today"
                        );
                        Ok(0)
                    }
                    Found::Withdrawn { what, reason } => {
                        println!("WITHDRAWN: {what}: {reason}. Do not install it");
                        Ok(1)
                    }
                    Found::Other { sha256, announced } => {
                        println!("NOT announced: this file is {sha256}; the announcement is of {announced}");
                        Ok(1)
                    }
                }
            }
            Self::Receipt { place, out } => {
                let written = receipt::write(&place.dir, &out, &RealFiles)
                    .map_err(|error| Failure::new(receipt_code(&error), error))?;
                println!("{}", written.sentence);
                println!("{}\n{}", written.note.display(), written.proof.display());
                Ok(0)
            }
            Self::Kept { place, out } => kept(&place, out.as_deref()),
            Self::Commission(arguments) => commission::commission(arguments),
            Self::CommissionAct(act) => commission::act(act),
            Self::Inventory { json } => holdings::inventory(json),
            Self::Discover { place, json } => holdings::discover(&place.dir, json),
            Self::Decoy { what: DecoyCommand::Plant { folder, class, place } } => {
                let class = ntk_evidence::event::Class::from(class);
                let planted = decoy::plant_and_list(&place.dir, &folder, class, &RealFiles)
                    .map_err(|error| Failure::new(decoy_code(&error), error))?;
                println!("{} is a decoy of the class {}, and watched", planted.path, planted.class);
                println!(
                    "a running agent takes it up at once; programs that open every file, such as backups, open it, too"
                );
                Ok(0)
            }
            Self::Replay { format, files, watches } => replay(&format, &files, &watches),
            Self::Completions { shell } => {
                clap_complete::generate(
                    shell,
                    &mut Arguments::command(),
                    "ntk-agent",
                    &mut std::io::stdout(),
                );
                Ok(0)
            }
        }
    }
}

fn status(place: &Place, json: bool) -> Result<u8, Failure> {
    let failed = |error: StatusError| Failure::new(IO, error);
    let now = RealClock.now();
    let Some(status) = StatusFile::read(&place.dir).map_err(failed)? else {
        if json {
            println!("{{\"life\":\"never_ran\"}}");
        } else {
            println!("No agent has run in {}; start it with `ntk-agent run`.", place.dir.display());
        }
        return Ok(1);
    };
    if json {
        let mut value = serde_json::to_value(&status).map_err(|error| Failure::new(IO, error))?;
        if let Some(object) = value.as_object_mut() {
            object.insert("running".to_owned(), status.is_running(now).into());
            object.insert("disagreements".to_owned(), status::disagreements(&place.dir).len().into());
            if let Some((words, signed)) = status::practice_key(&place.dir) {
                object.insert("practice_words".to_owned(), words.into());
                object.insert("trust_signed".to_owned(), signed.into());
            }
        }
        println!("{value}");
    } else {
        status.sentences(now).iter().for_each(|line| println!("{line}"));
        if let Some((words, signed)) = status::practice_key(&place.dir) {
            println!("Practice key that it follows: {words}; its trust file is of {signed}.");
        }
        status::in_words(&status::disagreements(&place.dir)).iter().for_each(|line| println!("{line}"));
    }
    Ok(if status.is_running(now) { 0 } else { 1 })
}

fn kept(place: &Place, out: Option<&Path>) -> Result<u8, Failure> {
    let failed =
        |error: KeptError| Failure::new(if matches!(error, KeptError::There(_)) { USAGE } else { IO }, error);
    let Some(out) = out else {
        for file in kept::list(&place.dir).map_err(failed)? {
            println!("{}  {} bytes, since {}", file.path.display(), file.bytes, clock::text(file.since));
        }
        return Ok(0);
    };
    let identity =
        IdentityFiles::of(&place.dir).load(&RealFiles).map_err(|error| Failure::new(CONFIG, error))?;
    let packed = kept::pack(&place.dir, &identity, out, &RealFiles).map_err(failed)?;
    println!(
        "packed {} finished segments and {} in use to {}; only the practice's recovery key reads them",
        packed.n_kept,
        packed.n_live,
        out.display()
    );
    Ok(0)
}

fn replay(format: &str, files: &[PathBuf], watches: &[String]) -> Result<u8, Failure> {
    let code = |error: ReplayError| match error {
        ReplayError::UnknownFormat(_) => Failure::new(USAGE, error),
        ReplayError::Read { .. } | ReplayError::Write(_) | ReplayError::Encode(_) => Failure::new(IO, error),
    };
    let format: Format = format.parse().map_err(code)?;
    let watched = format.watches(watches).map_err(|error| Failure::new(USAGE, error))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let summary = replay::replay(format, files, &watched, &mut out).map_err(code)?;
    out.flush().map_err(|error| code(ReplayError::Write(error)))?;
    if let Some(summary) = summary {
        eprintln!("{summary}");
    }
    Ok(0)
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::new(IO, error))?.block_on(future))
}

fn enroll_code(error: &EnrollError) -> u8 {
    match error {
        EnrollError::Token(_) | EnrollError::Address(_) => USAGE,
        EnrollError::Reach { .. } | EnrollError::Silent { .. } => UNAVAILABLE,
        EnrollError::Refused(_) => 1,
        EnrollError::AlreadyEnrolled { .. } | EnrollError::SpoolThere { .. } => CONFIG,
        EnrollError::Identity(IdentityError::Write { .. } | IdentityError::Read { .. }) => IO,
        EnrollError::Identity(_) | EnrollError::Keys(_) | EnrollError::Answer(_) => CONFIG,
        EnrollError::Running { .. } => UNAVAILABLE,
        EnrollError::Folder { .. } | EnrollError::Aside { .. } | EnrollError::Random(_) => IO,
    }
}

fn decoy_code(error: &DecoyError) -> u8 {
    match error {
        DecoyError::There(_) | DecoyError::Path(_) => USAGE,
        DecoyError::Config(_) => CONFIG,
        DecoyError::Write { .. } => IO,
    }
}

fn package_code(error: &PackageError) -> u8 {
    match error {
        PackageError::Announcement { .. } => 1,
        PackageError::Trust { .. } => CONFIG,
        PackageError::Read { .. } => IO,
    }
}

fn receipt_code(error: &ReceiptError) -> u8 {
    match error {
        ReceiptError::Nothing => 1,
        ReceiptError::Damaged | ReceiptError::Identity(_) => CONFIG,
        ReceiptError::Position(_) | ReceiptError::Write { .. } => IO,
    }
}

pub(crate) fn run_code(error: &RunError) -> u8 {
    match error {
        RunError::Spool(SpoolError::Segment { source: SegmentError::Locked { .. }, .. }) => UNAVAILABLE,
        RunError::Spool(
            SpoolError::OtherAuthor { .. }
            | SpoolError::Altered { .. }
            | SpoolError::Foreign(_)
            | SpoolError::Key(_)
            | SpoolError::NoKey,
        ) => CONFIG,
        RunError::Spool(_) | RunError::Folder { .. } | RunError::Threads(_) => IO,
        RunError::Config(_) | RunError::Identity(_) | RunError::Line(_) => CONFIG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_wrong_use_is_told() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["ntk-agent", "enroll"]).is_err());
        assert!(Arguments::try_parse_from(["ntk-agent", "replay", "--format", "linux-audit"]).is_err());
        Arguments::try_parse_from([
            "ntk-agent",
            "replay",
            "--format",
            "linux-audit",
            "a",
            "b",
            "--watch",
            "/a=hr",
        ])
        .unwrap();
    }
}
