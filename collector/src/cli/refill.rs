//! `refill`: a new collector in the place of one that is gone.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::commands::administers;
use crate::at_rest;
use crate::at_rest::source::Source;
use crate::clock::Clock;
use crate::home::{Home, read_text};
use crate::init::{AtRestOptions, InitOptions};
use crate::refill::{RefillOptions, refill as fill};

/// `refill`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-agent kept --out /media/usb/ws-01        (on each machine that is left)\n  \
    ntk-collector refill --dir /var/lib/ntk-collector --keys /media/safe/keys.txt --timezone America/New_York --from /media/usb/ws-01 --from /mnt/off-site --expect ws-02,ws-03\n\n\
    Then start the collector, and enrol each machine in its own place: ntk-collector enroll new --replace ws-01")]
pub struct Refill {
    /// The file that `init` wrote to be taken away; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// A file with a recovery key of before the one in `--keys`, where it was replaced: for what was encrypted before; several times
    #[arg(long, value_name = "FILE")]
    former_keys: Vec<PathBuf>,
    /// A package of a machine (`ntk-agent kept --out`), or a copy of the old ledger; several times
    #[arg(long, value_name = "DIR", required = true)]
    from: Vec<PathBuf>,
    /// The practice's time zone, such as America/New_York
    #[arg(long)]
    timezone: String,
    /// The roster to come into force (TOML, as `roster export` wrote it) [default: the copied ledger's last one]
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// The need-to-know table to come into force [default: the copied ledger's last one, else the template]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The need-to-know table to begin with, where there is none
    #[arg(long, default_value = "small-practice")]
    template: String,
    /// Machines that the practice had: of which nothing is here is said
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    expect: Vec<String>,
    /// Where the collector lives; the foot of every report says what follows from it
    #[arg(long)]
    place: Option<crate::place::Place>,
    /// Who administers what: host=NAME,hypervisor=NAME,network=NAME,backup=NAME
    #[arg(long, value_name = "WHAT=WHO,...")]
    administers: Option<String>,
    /// Where agents connect
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7443")]
    listen: String,
    /// Encrypt what is stored, as `init --at-rest` does [default: not encrypted]
    #[arg(long, value_name = "KEY")]
    at_rest: Option<Source>,
    /// File with the passphrase for `--at-rest passphrase`
    #[arg(long, value_name = "FILE", requires = "at_rest")]
    at_rest_passphrase_file: Option<PathBuf>,
}

/// Runs it.
pub(super) fn refill(home: &Home, args: Refill) -> anyhow::Result<u8> {
    let keys = if args.keys == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        read_text(&args.keys)?
    };
    let text = |path: Option<PathBuf>| path.map(|path| read_text(&path)).transpose();
    let options = RefillOptions {
        init: InitOptions {
            name: String::new(),
            timezone: args.timezone,
            template: args.template,
            keys_to: Vec::new(),
            administers: administers(args.administers.as_deref())?,
            listen: args.listen,
            console: Some(crate::config::console::LISTEN.to_owned()),
            console_address: None,
            place: args.place,
            at_rest: args
                .at_rest
                .map(|key| AtRestOptions { key, passphrase_file: args.at_rest_passphrase_file }),
        },
        keys,
        former_keys: super::restore::former(&args.former_keys)?,
        from: args.from,
        roster: text(args.roster)?,
        policy: text(args.policy)?,
        expected: args.expect,
    };
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} segments") {
        bar.set_style(style);
    }
    bar.set_message("reading and filling");
    let made = fill(home, options, &Clock::system(), |done, total| {
        bar.set_length(total.max(1));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let made = made?;
    println!("Made {} again in {}.", made.slug, home.dir().display());
    for (author, first, size) in &made.machines {
        println!("  {author}: entries {first} to {} are here.", size.saturating_sub(1));
    }
    println!("{}", at_rest::sentence(home)?);
    println!("What is gone:");
    made.gone.iter().for_each(|sentence| println!("  {sentence}"));
    println!("Keep the old trust.txt, packages and copies: old bundles and receipts are checked with them.");
    println!("Next: ntk-collector run --config {}", home.config().display());
    println!(
        "Then, for each machine: ntk-collector enroll new --replace NAME, and on it: ntk-agent enroll --replace --token TOKEN"
    );
    println!(
        "Then name the witnesses again: ntk-collector trust sign; each begins a new state file and keeps the old one."
    );
    Ok(0)
}
