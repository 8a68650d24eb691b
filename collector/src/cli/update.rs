//! `update`: programs of the agent that machines may run, announced by the practice key. Nothing here installs anything:
//! packages do, after `ntk-agent check-package`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ntk_evidence::hash::Hash;
use ntk_evidence::program::Announcement;
use ntk_evidence::program::withdrawal::Withdrawal;
use ntk_evidence::trust::TrustFile;
use serde_json::{Value, json};

use super::Json;
use super::answer::{Usage, json, text};
use super::trust::practice_key;
use crate::admin::client::Client;
use crate::home::{read_text, write_file};

/// `update`.
#[derive(Debug, Subcommand)]
pub enum UpdateCommand {
    /// Sign with the practice key which program file and packages machines may run from now on
    #[command(after_help = "Example:
  ntk-collector update announce --version 0.2.0 --platform linux-x86_64 --program ntk-agent --package ntk-agent_0.2.0_amd64.deb --key /media/safe/keys.txt")]
    Announce(AnnounceArgs),
    /// What was announced, the newest last
    List(Json),
    /// Take back what was announced: it may no longer be installed, and machines that run it are named
    #[command(after_help = "Example:
  ntk-collector update withdraw 0.2.0 --key /media/safe/keys.txt --reason \"loses events after a suspend\"")]
    Withdraw(WithdrawArgs),
    /// Write the newest announcement of a version, or its withdrawal, as a file for `ntk-agent check-package`
    Show {
        /// The version
        version: String,
        /// Where to [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The platform, where there are several
        #[arg(long)]
        platform: Option<String>,
    },
    /// Take in an announcement or a withdrawal that was signed elsewhere
    TakeIn {
        /// The file that `announce --out` or `withdraw --out` wrote
        file: PathBuf,
    },
}

/// `update announce`.
#[derive(Debug, Args)]
pub struct AnnounceArgs {
    /// Its version
    #[arg(long)]
    version: String,
    /// For which system, such as linux-x86_64 or windows-x86_64
    #[arg(long)]
    platform: String,
    /// The program file that is to run, or its SHA-256 (64 hex digits)
    #[arg(long, value_name = "FILE|SHA-256")]
    program: String,
    /// A package or archive that holds it, or its SHA-256; several times
    #[arg(long = "package", value_name = "FILE|SHA-256")]
    packages: Vec<String>,
    /// The file that `init` wrote, or the practice key alone (hex or 24 words); `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write the signed announcement here, and do not hand it to the collector
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `update withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// Its version, or the SHA-256 of the program or of a package (64 hex digits)
    #[arg(value_name = "VERSION|SHA-256")]
    what: String,
    /// Only for this system [default: every one that the version was announced for]
    #[arg(long)]
    platform: Option<String>,
    /// Why: one line, which reviews show
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The file that `init` wrote, or the practice key alone (hex or 24 words); `-` reads it from standard input
    #[arg(long, visible_alias = "keys", value_name = "FILE")]
    key: PathBuf,
    /// Write the signed withdrawal here, and do not hand it to the collector
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs it.
pub(super) async fn update(client: &Client, what: UpdateCommand) -> anyhow::Result<u8> {
    match what {
        UpdateCommand::Announce(args) => announce(client, args).await,
        UpdateCommand::Withdraw(args) => withdraw(client, args).await,
        UpdateCommand::List(args) => {
            let body = json(&client.get("/v1/programs", &[]).await?)?;
            if args.json {
                println!("{body}");
            } else {
                list(&body);
            }
            Ok(0)
        }
        UpdateCommand::Show { version, out, platform } => {
            let body = json(&client.get("/v1/programs", &[]).await?)?;
            let is_it = |one: &&Value| {
                text(one, "version") == version
                    && platform.as_deref().is_none_or(|platform| text(one, "platform") == platform)
            };
            let found = programs(&body).iter().rev().find(is_it);
            let found = found.ok_or_else(|| Usage(format!("version `{version}` was not announced")))?;
            let withdrawn = found.get("withdrawn").filter(|withdrawn| !withdrawn.is_null());
            if let Some(withdrawn) = withdrawn {
                eprintln!(
                    "version {version} was withdrawn: {}; this is the withdrawal",
                    text(withdrawn, "reason")
                );
            }
            let signed = text(withdrawn.unwrap_or(found), "text");
            match out {
                Some(path) => write_file(&path, signed.as_bytes(), 0o644)?,
                None => print!("{signed}"),
            }
            Ok(0)
        }
        UpdateCommand::TakeIn { file } => take_in(client, &read_text(&file)?).await,
    }
}

async fn announce(client: &Client, args: AnnounceArgs) -> anyhow::Result<u8> {
    let held = json(&client.get("/v1/trust", &[]).await?)?;
    let trust = TrustFile::parse(text(&held, "text").as_bytes())?;
    let practice = practice_key(&args.key, &trust)?;
    let announcement = Announcement {
        slug: trust.slug.clone(),
        version: args.version,
        platform: args.platform,
        made: jiff::Timestamp::now().round(jiff::Unit::Second)?.to_string(),
        program: hash_of(&args.program)?,
        packages: args.packages.iter().map(|package| hash_of(package)).collect::<anyhow::Result<_>>()?,
    };
    let signed = announcement.sign(&practice).map_err(|error| Usage(error.to_string()))?;
    match args.out {
        Some(path) => {
            write_file(&path, signed.as_bytes(), 0o644)?;
            println!(
                "{}: signed. Take it to the collector: ntk-collector update take-in FILE",
                path.display()
            );
            Ok(0)
        }
        None => take_in(client, &signed).await,
    }
}

async fn withdraw(client: &Client, args: WithdrawArgs) -> anyhow::Result<u8> {
    let held = json(&client.get("/v1/trust", &[]).await?)?;
    let trust = TrustFile::parse(text(&held, "text").as_bytes())?;
    let practice = practice_key(&args.key, &trust)?;
    let made = jiff::Timestamp::now().round(jiff::Unit::Second)?.to_string();
    let body = json(&client.get("/v1/programs", &[]).await?)?;
    let mut found: Vec<Announcement> = Vec::new();
    for one in programs(&body).iter().rev().filter(|one| one.get("withdrawn").is_none_or(Value::is_null)) {
        let one = Announcement::parse(text(one, "text").as_bytes(), &trust.slug, &trust.practice_key)?;
        let is_it = one.version == args.what || Hash::from_hex(&args.what).is_ok_and(|hash| one.names(&hash));
        let is_here = args.platform.as_deref().is_none_or(|platform| one.platform == platform);
        // One withdrawal ends all announcements of a program.
        if is_it && is_here && found.iter().all(|other| other.program != one.program) {
            found.push(one);
        }
    }
    if found.is_empty() {
        let what = &args.what;
        return Err(Usage(format!("`{what}` is not announced, or was withdrawn before (update list)")).into());
    }
    if args.out.is_some() && found.len() > 1 {
        let platforms: Vec<&str> = found.iter().map(|one| one.platform.as_str()).collect();
        let platforms = platforms.join(", ");
        return Err(Usage(format!("it was announced for {platforms}: name one with --platform")).into());
    }
    for of in found {
        let withdrawal =
            Withdrawal { of: Announcement { made: made.clone(), ..of }, reason: args.reason.clone() };
        let signed = withdrawal.sign(&practice).map_err(|error| Usage(error.to_string()))?;
        match &args.out {
            Some(path) => {
                write_file(path, signed.as_bytes(), 0o644)?;
                println!(
                    "{}: signed. Take it to the collector: ntk-collector update take-in FILE",
                    path.display()
                );
            }
            None => {
                take_in(client, &signed).await?;
            }
        }
    }
    Ok(0)
}

async fn take_in(client: &Client, signed: &str) -> anyhow::Result<u8> {
    let is_withdrawal = signed.lines().next().is_some_and(|line| line.ends_with("/program-withdrawn"));
    let path = if is_withdrawal { "/v1/programs/withdraw" } else { "/v1/programs" };
    let answer = json(&client.post(path, &json!({"text": signed})).await?)?;
    match answer.get("withdrawn") {
        Some(_) => println!("Withdrawn: {}", text(&answer, "withdrawn")),
        None => println!("Announced: {}", text(&answer, "announced")),
    }
    Ok(0)
}

/// A hash as it was given, or that of a file.
fn hash_of(given: &str) -> anyhow::Result<Hash> {
    if let Ok(hash) = Hash::from_hex(given) {
        return Ok(hash);
    }
    let path = Path::new(given);
    let content = std::fs::read(path).with_context(|| {
        format!("`{given}` is neither a SHA-256 (64 hex digits) nor a file that can be read")
    })?;
    Ok(Hash::of(&content))
}

fn programs(body: &Value) -> &[Value] {
    body.get("programs").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn list(body: &Value) {
    let programs = programs(body);
    if programs.is_empty() {
        println!("No program was announced: what machines run is compared with nothing.");
    }
    for one in programs {
        println!(
            "{:<12} {:<20} announced {}  {}",
            text(one, "version"),
            text(one, "platform"),
            text(one, "made"),
            text(one, "program")
        );
        if let Some(by) = one.get("withdrawn").filter(|withdrawn| !withdrawn.is_null()) {
            println!("{:<12} WITHDRAWN {}: {}", "", text(by, "made"), text(by, "reason"));
        }
    }
}
