//! What the watched person may try, line by line, and how each line ends: the table of SECURITY.md as data.
//!
//! Each line that is seen names the test that does it to real processes and has a twin without the attack. The tests
//! tell how long it took ([`noticed`]); `tests/attacks` prints the table with these times.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

mod console;
mod database;
mod lines;
mod linux;
mod mail;
mod people;
mod restore;

/// Every line, in the order in which SECURITY.md holds them.
pub fn table() -> impl Iterator<Item = &'static Attack> {
    lines::TABLE
        .iter()
        .chain(linux::LINUX)
        .chain(mail::MAIL)
        .chain(people::PEOPLE)
        .chain(console::CONSOLE)
        .chain(database::DATABASE)
        .chain(restore::RESTORE)
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its name, as the test tells it.
    pub id: &'static str,
    /// What is done.
    pub what: &'static str,
    /// How it ends.
    pub ends: Ends,
}

/// How an attack ends.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// It is seen.
    Seen {
        /// Who notices.
        by: &'static str,
        /// By which check.
        check: &'static str,
        /// After how long, at the settings of a new practice.
        after: &'static str,
        /// The test, below `attacks::` or elsewhere in `tests/it`.
        test: &'static str,
    },
    /// It gains nothing.
    Prevented {
        /// By what, and where.
        how: &'static str,
        /// The test.
        test: &'static str,
    },
    /// Something else shows it.
    Indirectly(&'static str),
    /// It cannot be seen.
    Unseen(&'static str),
    /// The sensor that would see it is not in this version.
    NotYet(&'static str),
}

/// The markers between which SECURITY.md holds the table.
pub const MARKERS: (&str, &str) = ("<!-- attacks -->\n", "<!-- /attacks -->\n");

/// The table as it stands in SECURITY.md.
pub fn markdown() -> String {
    let mut text = String::from(
        "| what is done | how it ends | by which check | after how long | test |\n|---|---|---|---|---|\n",
    );
    for Attack { what, ends, .. } in table() {
        let [how, check, after, test] = match ends {
            Ends::Seen { by, check, after, test } => {
                [format!("seen by {by}"), (*check).to_owned(), (*after).to_owned(), format!("`{test}`")]
            }
            Ends::Prevented { how, test } => {
                [format!("prevented: {how}"), String::new(), String::new(), format!("`{test}`")]
            }
            Ends::Indirectly(how) => {
                [format!("shows elsewhere: {how}"), String::new(), String::new(), String::new()]
            }
            Ends::Unseen(why) => {
                [format!("cannot be seen: {why}"), String::new(), String::new(), String::new()]
            }
            Ends::NotYet(what) => {
                [format!("not in this version: {what}"), String::new(), String::new(), String::new()]
            }
        };
        text.push_str(&format!("| {what} | {how} | {check} | {after} | {test} |\n"));
    }
    text
}

/// Runs until an attack was noticed, and tells how long that took in the file that `tests/attacks` reads.
pub fn noticed<T>(id: &str, notice: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    let seen = notice()?;
    tell(id, began.elapsed())?;
    Ok(seen)
}

fn tell(id: &str, after: Duration) -> Result<()> {
    println!("{id}: noticed after {} ms", after.as_millis());
    if let Some(path) = std::env::var_os("NTK_ATTACKS") {
        let line = format!("{id} {}\n", after.as_millis());
        OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())?;
    }
    Ok(())
}
