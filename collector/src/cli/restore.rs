//! `restore`: a lost collector, put back from the copy outside.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ntk_evidence::name::Slug;
use tokio_util::sync::CancellationToken;

use super::answer::Usage;
use super::exit;
use crate::at_rest;
use crate::at_rest::source::Source;
use crate::clock::Clock;
use crate::home::{Home, read_text};
use crate::init::AtRestOptions;
use crate::off_site::list;
use crate::off_site::shelf::{self, Shelf, ShelfError};
use crate::off_site::target::{RawOffSite, Target};
use crate::restore::{RestoreOptions, restore as put_back};

/// `restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector restore --dir /var/lib/ntk-collector --keys /media/safe/keys.txt --from /mnt/off-site --by \"Anna Roth\" --reason \"the collector's disk broke\"\n  \
    ntk-collector restore --dir /var/lib/ntk-collector --keys /media/safe/keys.txt --from sftp://ntk@backup.example.com/ntk --identity-file id_ed25519 --known-hosts known_hosts --by \"Anna Roth\" --reason \"the collector was stolen\"\n  \
    ntk-collector restore --dir /var/lib/ntk-collector --keys /media/safe/keys.txt --from s3://practice-vault/ntk --region us-east-1 --credentials s3-credentials --by \"Anna Roth\" --reason \"the collector was stolen\"\n\n\
    Then start the collector where machines look for it: they believe what the practice key signed, keep what they remember as evidence, and send again what they still hold.")]
pub struct Restore {
    /// The file that `init` wrote to be taken away; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// A file with a recovery key of before the one in `--keys`, where it was replaced: for what was encrypted before; several times
    #[arg(long, value_name = "FILE")]
    former_keys: Vec<PathBuf>,
    /// Where the copy lies: a folder, sftp://USER@HOST/PATH or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    from: String,
    /// A package of a machine (`ntk-agent kept --out`): what it put away behind the copy's end goes in; several times
    #[arg(long, value_name = "DIR")]
    package: Vec<PathBuf>,
    /// A newer trust file than the copy's, where machines were shown one: of a collector that was restored before and lost again
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Who restores: it stands in the ledger and in the next review
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, in one line: the practice key signs it, and machines are shown it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where agents connect [default: as the lost collector said]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where the collector lives now [default: as before]
    #[arg(long)]
    place: Option<crate::place::Place>,
    /// SFTP: the private key
    #[arg(long, value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// SFTP: the file with the server's key
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// S3: a server other than Amazon's
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// S3: the region
    #[arg(long)]
    region: Option<String>,
    /// S3: the file with the credentials
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// SFTP and S3: the practice's folder there, such as maple-street.1a2b3c4d [default: as the keys' file names it]
    #[arg(long)]
    slug: Option<String>,
    /// Encrypt what is stored, as `init --at-rest` does [default: not encrypted]
    #[arg(long, value_name = "KEY")]
    at_rest: Option<Source>,
    /// File with the passphrase for `--at-rest passphrase`
    #[arg(long, value_name = "FILE", requires = "at_rest")]
    at_rest_passphrase_file: Option<PathBuf>,
}

/// `take-back`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-agent kept --out /media/usb/ws-01        (on the machine that said what it cannot send)\n  \
    ntk-collector take-back --dir /var/lib/ntk-collector --keys /media/safe/keys.txt --package /media/usb/ws-01\n\n\
    Exit code: 0 everything that continues the ledger is in it, 1 some of it no given key opens (the rest is in it).")]
pub struct TakeBack {
    /// The file that `init` wrote to be taken away; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// A file with a recovery key of before the one in `--keys`, where it was replaced: for what was encrypted before; several times
    #[arg(long, value_name = "FILE")]
    former_keys: Vec<PathBuf>,
    /// A package of a machine (`ntk-agent kept --out`); several times
    #[arg(long, value_name = "DIR", required = true)]
    package: Vec<PathBuf>,
}

/// Runs it.
pub(super) fn take_back(home: &Home, args: &TakeBack) -> anyhow::Result<u8> {
    let (now, former) = (keys(&args.keys)?, former(&args.former_keys)?);
    let taken = crate::restore::take_back(home, (&now, &former), &args.package, &Clock::system())?;
    taken.said.iter().for_each(|sentence| println!("{sentence}"));
    if taken.said.is_empty() {
        println!("Nothing in these packages continues what is here.");
    }
    println!("Start the collector again: each machine sends what follows by itself.");
    Ok(if taken.some_unread { exit::NO } else { 0 })
}

/// The texts of files with former keys.
pub(super) fn former(paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    paths.iter().map(|path| Ok(read_text(path)?)).collect()
}

fn keys(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") { Ok(std::io::read_to_string(std::io::stdin())?) } else { Ok(read_text(path)?) }
}

/// Runs it.
pub(super) fn restore(home: &Home, args: Restore) -> anyhow::Result<u8> {
    let keys = keys(&args.keys)?;
    let copy = copy(&args, &keys)?;
    let options = RestoreOptions {
        keys,
        former_keys: former(&args.former_keys)?,
        copy,
        packages: args.package,
        trust: args.trust.map(|path| read_text(&path)).transpose()?,
        by: args.by,
        why: args.reason,
        listen: args.listen,
        place: args.place,
        at_rest: args.at_rest.map(|key| AtRestOptions { key, passphrase_file: args.at_rest_passphrase_file }),
    };
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} segments") {
        bar.set_style(style);
    }
    bar.set_message("putting back");
    let made = put_back(home, options, &Clock::system(), &mut |done, total| {
        bar.set_length(total.max(1));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let made = made?;
    println!("Put {} back in {}, from the copy of {}.", made.slug, home.dir().display(), made.copied);
    println!("{}", made.check.sentence);
    println!(
        "The old log is closed at {} leaves, root {}; it goes on under a new key. The practice key signed that, and why.",
        made.closed.size,
        made.closed.root.to_base64()
    );
    println!("{}", at_rest::sentence(home)?);
    println!("What is gone, and what to look at:");
    made.gone.iter().for_each(|sentence| println!("  {sentence}"));
    println!(
        "If a newer copy exists than that of {}, stop here, remove this folder, and restore that one.",
        made.copied
    );
    println!("Keep the old trust.txt and bundles together: old bundles are checked with it.");
    println!("Next: ntk-collector run --config {}", home.config().display());
    println!(
        "Where machines are to find it at another address: `collector = \"HOST:PORT\"` in each agent.toml, or the name in DNS."
    );
    Ok(0)
}

/// The copy, wherever it lies.
fn copy(args: &Restore, keys: &str) -> anyhow::Result<Box<dyn Shelf>> {
    if !args.from.contains("://") {
        let found = shelf::found_in(Path::new(&args.from))?;
        return found.ok_or_else(|| {
            Usage(format!(
                "`{}` holds no copy of a collector: no newest.json is in it or one folder below",
                args.from
            ))
            .into()
        });
    }
    let whole = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
    let raw = RawOffSite {
        to: args.from.clone(),
        every_minutes: 60,
        finish_after_hours: 24,
        identity_file: whole(&args.identity_file)?,
        known_hosts: whole(&args.known_hosts)?,
        endpoint: args.endpoint.clone(),
        region: args.region.clone(),
        credentials: whole(&args.credentials)?,
    };
    let target = Target::parse(&raw).map_err(|faults| Usage(as_options(&faults.join("; "))))?;
    // `Need-to-Know: keys of Maple Street (maple-street.1a2b3c4d)`
    let named = keys.lines().next().and_then(|line| line.rsplit_once('(')?.1.strip_suffix(')'));
    let slug = args.slug.as_deref().or(named);
    let slug = slug.ok_or_else(|| {
        Usage(
            "--slug: which folder there? It is the practice's name in logs, such as maple-street.1a2b3c4d"
                .to_owned(),
        )
    })?;
    let opened = shelf::open(&target, &Slug::parse(slug)?, &CancellationToken::new());
    let copy = opened.map_err(|error| match error {
        ShelfError::Settings(said) => anyhow::Error::from(Usage(as_options(&said))),
        other => other.into(),
    })?;
    // A mistyped prefix is not a copy that lost its list: only where nothing of one is there.
    let is_there = copy.get(list::NAME)?.is_some() || copy.get(list::TRUST)?.is_some();
    if is_there || !copy.list(list::SEGMENTS)?.is_empty() {
        Ok(copy)
    } else {
        Err(Usage(format!(
            "`{target}` holds no copy of a collector in `{slug}`: look at --from, and give the folder's name there with --slug"
        ))
        .into())
    }
}

/// A sentence about `[off_site]`, for whoever gave options.
fn as_options(said: &str) -> String {
    let names = [
        ("off_site.to", "--from"),
        ("off_site.identity_file", "--identity-file"),
        ("off_site.known_hosts", "--known-hosts"),
        ("off_site.endpoint", "--endpoint"),
        ("off_site.region", "--region"),
        ("off_site.credentials", "--credentials"),
    ];
    names.iter().fold(said.to_owned(), |said, (key, option)| said.replace(key, option))
}
