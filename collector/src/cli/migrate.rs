//! `migrate`: from files into a database, and back.

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::at_rest;
use crate::clock::Clock;
use crate::config::store::StoreSection;
use crate::home::Home;
use crate::migrate::{Moved, to_files, to_postgres};
use crate::practice::Practice;

/// `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector migrate --to postgres --database \"host=db-1,db-2 user=ntk dbname=ntk\" --authority db-ca.pem --password-file db-password\n  \
    ntk-collector migrate --to files\n\n\
    Stop the practice's collectors first. Nothing is removed where the ledger was.")]
pub struct Migrate {
    /// Where to
    #[arg(long, value_enum)]
    to: To,
    /// Where the database is: `host=… user=… dbname=…`, several hosts with commas
    #[arg(long, value_name = "SETTINGS", required_if_eq("to", "postgres"))]
    database: Option<String>,
    /// A PEM file: who vouches for the database's certificate [default: whom this machine trusts]
    #[arg(long, value_name = "FILE")]
    authority: Option<String>,
    /// A file that holds the database's password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// A collector that leads and is not heard of for so many seconds is replaced by another
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    lease_seconds: u64,
}

/// The two forms of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// A PostgreSQL database
    Postgres,
    /// This computer's own files
    Files,
}

/// Runs it.
pub(super) fn migrate(home: &Home, args: &Migrate) -> anyhow::Result<u8> {
    let practice = Practice::open(at_rest::unlock(home.clone())?)?;
    let moved = match args.to {
        To::Postgres => {
            let section = StoreSection {
                postgres: args.database.clone().unwrap_or_default(),
                authority: args.authority.clone(),
                password_file: args.password_file.clone(),
                lease_seconds: args.lease_seconds,
            };
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} batches") {
                bar.set_style(style);
            }
            bar.set_message("writing, then comparing");
            let moved = to_postgres(&practice, &section, |done, total| {
                bar.set_length(total.max(1));
                bar.set_position(done);
            });
            bar.finish_and_clear();
            moved?
        }
        To::Files => to_files(&practice, &Clock::system())?,
    };
    let Moved { leaves, root, segments } = moved;
    println!("{leaves} batches in {segments} segments; both places have the root {root}.");
    match args.to {
        To::Postgres => println!(
            "The ledger is in the database now, and the configuration says so. The files stay as this collector's copy.\n\
             Further collectors: copy `private/`, `trust.txt` and `collector.toml`, and start them; each makes its own copy."
        ),
        To::Files => println!(
            "The ledger is in this computer's files now, and the configuration says so. In the database it is closed:\n\
             no collector adds to it any more. Remove its rows when you do not need them as a copy."
        ),
    }
    println!("Next: ntk-collector run --config {}", home.config().display());
    Ok(0)
}
