//! `commission`: the on-site test as a person sees it, and the hidden command that its steps are.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::event::{Commission, CommissionOutcome, CommissionWhat};
use serde_json::json;

use super::{CONFIG, DEFAULT_DIR, Failure, IO, UNAVAILABLE, USAGE};
use crate::clock::RealClock;
use crate::commission::act;
use crate::commission::claim::named;
use crate::commission::perform::{Order, PerformError, Sealed, perform};
use crate::config;
use crate::discover::book::Book;
use crate::run::places;
use crate::whole_file::RealFiles;

/// How a test is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the agent keeps its configuration, identity and spool
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
    /// Who runs the test; asked for on a terminal
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Who else is there; may be given several times
    #[arg(long = "witnessed-by", value_name = "NAME")]
    present: Vec<String>,
    /// A step to leave out, such as clock or stop; it counts as not proved
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    skip: Vec<CommissionWhat>,
    /// Seconds that an entry may take to arrive
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    within: u64,
    /// Seconds in which somebody restarts an agent that is no service
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    restart_within: u64,
    /// Do not ask before anything is done
    #[arg(long)]
    yes: bool,
    /// The sealed entry as JSON
    #[arg(long)]
    json: bool,
}

/// One step's process.
#[derive(Debug, clap::Args)]
pub(super) struct Act {
    what: String,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    id: String,
    #[arg(long)]
    login_uid: Option<u32>,
    #[arg(long)]
    place: Vec<PathBuf>,
}

fn parse_step(word: &str) -> Result<CommissionWhat, String> {
    let what = CommissionWhat::from(word.to_owned());
    if what.is_known() { Ok(what) } else { Err(format!("use one of {}", CommissionWhat::WORDS.join(", "))) }
}

/// The step itself; what it could not do is said on standard error.
pub(super) fn act(act: Act) -> Result<u8, Failure> {
    let what = CommissionWhat::from(act.what);
    let order = act::Order {
        what: what.is_known().then_some(what),
        folder: act.folder,
        id: act.id,
        login_uid: act.login_uid,
        places: act.place,
    };
    order.perform().map(|()| 0).map_err(|error| Failure::new(1, error))
}

pub(super) fn commission(arguments: Arguments) -> Result<u8, Failure> {
    let config =
        config::load(&config::path_in(&arguments.dir)).map_err(|error| Failure::new(CONFIG, error))?;
    let book = Book::open(&arguments.dir, Arc::new(RealFiles));
    let watched = places(&config.watches.with(book.watches()));
    let Some(people) = people(&arguments, watched.len())? else {
        println!("Nothing was done.");
        return Ok(1);
    };
    let order = Order {
        dir: arguments.dir.clone(),
        watched,
        skip: arguments.skip.clone(),
        by: people.by,
        present: people.present,
        within: Duration::from_secs(arguments.within),
        restart_within: Duration::from_secs(arguments.restart_within),
    };
    let sealed = perform(&order, &RealClock, &mut |line| eprintln!("{line}"))
        .map_err(|error| Failure::new(code(&error), error))?;
    let Some(commission) = &sealed.event.commission else {
        return Err(Failure::new(IO, PerformError::NotSealed));
    };
    if arguments.json {
        println!(
            "{}",
            json!({"number": sealed.number, "proved": commission.is_proved(), "event": sealed.event})
        );
    } else {
        lines(&sealed, commission).iter().for_each(|line| println!("{line}"));
    }
    Ok(if commission.is_proved() { 0 } else { 1 })
}

fn code(error: &PerformError) -> u8 {
    match error {
        PerformError::NotRoot => USAGE,
        PerformError::NotRunning(_) | PerformError::NoFolder(_) | PerformError::NotSealed => UNAVAILABLE,
        PerformError::Status(_)
        | PerformError::Log(_)
        | PerformError::Claim(_)
        | PerformError::Program(_)
        | PerformError::Random(_)
        | PerformError::Nobody(_) => IO,
    }
}

/// Who is there.
struct People {
    by: Option<String>,
    present: Vec<String>,
}

/// Says what will be done, asks who is there and whether to go on; none where not.
fn people(arguments: &Arguments, n_watched: usize) -> Result<Option<People>, Failure> {
    let mut people = People {
        by: arguments.by.as_deref().and_then(named),
        present: arguments.present.iter().filter_map(|name| named(name)).collect(),
    };
    if arguments.yes {
        return Ok(Some(people));
    }
    if !io::stdin().is_terminal() {
        let error = io::Error::other(
            "nobody can be asked here; say who runs the test with --by NAME and that it may begin with --yes",
        );
        return Err(Failure::new(USAGE, error));
    }
    eprintln!("{}", what_will_be_done(&arguments.dir, n_watched, &arguments.skip));
    let failed = |error: io::Error| Failure::new(IO, error);
    if people.by.is_none() {
        people.by = named(&ask("Your name: ").map_err(failed)?);
    }
    if people.present.is_empty() {
        let names = ask("Who else is here (names, with commas between them): ").map_err(failed)?;
        people.present = names.split(',').filter_map(named).collect();
    }
    let answer = ask("Begin? (yes/no) ").map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "yes").then_some(people))
}

fn ask(question: &str) -> io::Result<String> {
    let mut out = io::stderr().lock();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

fn what_will_be_done(dir: &Path, n_watched: usize, skip: &[CommissionWhat]) -> String {
    let skipped = |what: CommissionWhat, sentence: &str| {
        if skip.contains(&what) || act::cannot(&what).is_some() {
            String::new()
        } else {
            format!("\n- {sentence}")
        }
    };
    format!(
        "This tests on this machine whether the recording sees what it should, and records the result for good.\n\
         - Files in {} are created, read, written, linked, renamed, removed, in every way that is known here.{}{}{}{}{}\n\
         All of it is recorded like any other access, under your login, and will stand in the weekly review.\n\
         The names that you give here are recorded, too.",
        dir.join(crate::commission::FOLDER).display(),
        skipped(
            CommissionWhat::Watched,
            &format!(
                "What is watched here ({n_watched} places) is opened once, without decoys; nothing of it is read."
            )
        ),
        skipped(CommissionWhat::RawDisk, "One sector of the disk below is read; nothing of it is kept."),
        skipped(CommissionWhat::Rules, "An audit rule that changes nothing is added and removed."),
        skipped(
            CommissionWhat::Clock,
            &format!("The clock is moved by {} seconds for a moment and put back.", act::CLOCK_SECONDS)
        ),
        skipped(CommissionWhat::Stop, "The agent is stopped and started again."),
    )
}

/// The result, a line a step.
fn lines(sealed: &Sealed, commission: &Commission) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &commission.steps {
        let mark = match step.outcome {
            CommissionOutcome::Arrived => "ok  ",
            CommissionOutcome::NotMade | CommissionOutcome::Skipped => "none",
            CommissionOutcome::NotArrived | CommissionOutcome::Other(_) => "FAIL",
        };
        let numbers: Vec<String> = step.entries.iter().map(ToString::to_string).collect();
        // The receipt is about all entries, and names none.
        let entries =
            if numbers.is_empty() { "yes".to_owned() } else { format!("entry {}", numbers.join(", ")) };
        let what = match (&step.outcome, &step.because) {
            (CommissionOutcome::Skipped, _) => "left out".to_owned(),
            (CommissionOutcome::NotMade, Some(because)) => format!("not made: {because}"),
            (CommissionOutcome::NotArrived, Some(because)) => format!("did not arrive: {because}"),
            _ => entries,
        };
        lines.push(format!("{mark}  {}: {what}", step.what.words()));
    }
    if let Some(n) = commission.older_processes.filter(|n| *n > 0) {
        lines.push(format!(
            "{n} processes are older than the recording in this boot, and what they do may go unseen ({}); boot with audit=1",
            commission.older_names.join(", ")
        ));
    }
    lines.push(format!(
        "Result: {}. It is entry {} of this machine's log.",
        commission.in_words(),
        sealed.number
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use ntk_evidence::event::{CommissionStep, Event, Kind};

    #[test]
    fn a_result_reads_as_plain_lines() {
        let step = |what: CommissionWhat, outcome: CommissionOutcome, because: Option<&str>| CommissionStep {
            entries: if outcome == CommissionOutcome::Arrived { vec![7, 9] } else { Vec::new() },
            what,
            outcome,
            began: None,
            pid: None,
            because: because.map(str::to_owned),
        };
        let commission = Commission {
            steps: vec![
                step(CommissionWhat::Read, CommissionOutcome::Arrived, None),
                step(CommissionWhat::RawDisk, CommissionOutcome::NotArrived, Some("no entry of it came")),
                step(CommissionWhat::IoUring, CommissionOutcome::NotMade, Some("perl is not installed")),
                step(CommissionWhat::Clock, CommissionOutcome::Skipped, None),
            ],
            older_processes: Some(2),
            older_names: vec!["dbus-daemon".into(), "systemd".into()],
            ..Commission::default()
        };
        let sealed = Sealed { number: 40, event: Event::new(Kind::Commission, "t") };
        let told = lines(&sealed, &commission);
        expect![[r#"
            ok    reading: entry 7, 9
            FAIL  raw disk: did not arrive: no entry of it came
            none  io_uring: not made: perl is not installed
            none  a moved clock: left out
            2 processes are older than the recording in this boot, and what they do may go unseen (dbus-daemon, systemd); boot with audit=1
            Result: proved except: login, another account's rights, program start, creating, writing, changing attributes, listing, second names, renaming, removing, refused opens, opens by handle, io_uring, raw disk, mounts, changed audit rules, a moved clock, the watched folders themselves, a stop of the recording, reading after a restart, the collector's receipt. It is entry 40 of this machine's log."#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn only_known_steps_can_be_left_out() {
        assert_eq!(parse_step("clock"), Ok(CommissionWhat::Clock));
        assert!(parse_step("clocks").is_err_and(|said| said.contains("raw_disk")));
    }
}
