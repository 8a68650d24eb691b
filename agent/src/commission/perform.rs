//! The command's side of a test: does each step in a process of its own, waits for what the log says of it, and hands the
//! claim to the running agent.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use ntk_evidence::event::{CommissionOutcome, CommissionWhat, Event};
use ntk_segment::error::SegmentError;

use super::act::{WAYS, cannot};
use super::claim::{Claim, ClaimError, ID_LETTERS, Made};
use super::judge::{Scene, receipt, step};
use super::own_log::OwnLog;
use super::{NOBODY, folder, seal};
use crate::clock::{self, Clock};
use crate::status::{StatusError, StatusFile};
use crate::whole_file::RealFiles;

#[cfg_attr(windows, path = "perform/windows.rs")]
#[cfg_attr(not(windows), path = "perform/linux.rs")]
mod system;

/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A step's process may take so long.
const ACT_WITHIN: Duration = Duration::from_secs(10);
/// The collector's receipt may take so long.
const RECEIPT_WITHIN: Duration = Duration::from_secs(20);
/// The running agent may take so long to seal the result.
const SEALED_WITHIN: Duration = Duration::from_secs(30);

/// A test cannot be made or sealed.
#[derive(Debug, thiserror::Error)]
pub enum PerformError {
    /// Rights.
    #[error("an on-site test reads the disk, moves the clock and restarts the agent: run it as root")]
    NotRoot,
    /// No agent.
    #[error("no agent runs in `{0}`; start it, wait a minute, then run the test again")]
    NotRunning(PathBuf),
    /// The agent's folder.
    #[error(
        "the agent that runs in `{0}` has no folder `on-site-test`: it is of an earlier version, or watches nothing; see `ntk-agent check`"
    )]
    NoFolder(PathBuf),
    /// Its status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// Its log.
    #[error("the agent's own log could not be read")]
    Log(#[from] SegmentError),
    /// The claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// This program.
    #[error("could not find this program's own file")]
    Program(#[source] io::Error),
    /// No random numbers.
    #[error("the system gave no random numbers: {0}")]
    Random(getrandom::Error),
    /// Who runs it.
    #[error("the system did not say who runs this test")]
    Nobody(#[source] io::Error),
    /// The agent did not take it.
    #[error("the running agent did not seal the result; its log says why")]
    NotSealed,
}

/// How a test is made.
#[derive(Clone, Debug)]
pub struct Order {
    /// The agent's folder.
    pub dir: PathBuf,
    /// Places that the practice has watched, without decoys.
    pub watched: Vec<String>,
    /// What is left out.
    pub skip: Vec<CommissionWhat>,
    /// Who runs it.
    pub by: Option<String>,
    /// Who else is there.
    pub present: Vec<String>,
    /// What was done may take so long to arrive.
    pub within: Duration,
    /// The agent may take so long to be started again.
    pub restart_within: Duration,
}

/// The sealed result.
#[derive(Debug)]
pub struct Sealed {
    /// Number of its entry.
    pub number: u64,
    /// The entry.
    pub event: Event,
}

/// Who runs a test.
struct Me {
    /// On Linux the login uid; none outside every login.
    login_uid: Option<u32>,
    /// On Windows the account.
    sid: Option<String>,
    session: Option<u64>,
}

/// A test under way.
struct Test<'a> {
    order: &'a Order,
    clock: &'a dyn Clock,
    program: PathBuf,
    folder: PathBuf,
    folder_text: String,
    /// The login uid that each process gives itself; none where whoever runs the test has one.
    own_login: Option<u32>,
    claim: Claim,
    log: OwnLog,
    seen: Vec<(u64, Event)>,
    pause: (Sender<()>, Receiver<()>),
}

/// Makes the test, waits until the running agent has sealed what it found, and gives that. `tell` says how it goes.
pub fn perform(order: &Order, clock: &dyn Clock, tell: &mut dyn FnMut(&str)) -> Result<Sealed, PerformError> {
    let mut test = Test::begin(order, clock)?;
    let held = test.acts(tell)?;
    test.wait_for(|_| true, tell)?;
    drop(held);
    test.stop(tell)?;
    test.tidy();
    test.await_receipt(tell)?;
    test.hand_over(tell)
}

/// A process that waits until it is no longer asked about.
struct Held {
    child: Child,
    /// The process that did it: this one, or another that it started.
    did: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The end of its standard input lets it go on.
        self.child.stdin.take();
        let _ = self.child.wait();
    }
}

impl<'a> Test<'a> {
    fn begin(order: &'a Order, clock: &'a dyn Clock) -> Result<Self, PerformError> {
        let me = system::me()?;
        let is_running = StatusFile::read(&order.dir)?.is_some_and(|status| status.is_running(clock.now()));
        if !is_running {
            return Err(PerformError::NotRunning(order.dir.clone()));
        }
        let folder = folder(&order.dir);
        let folder_text = folder.to_str().filter(|_| folder.is_dir()).map(str::to_owned);
        let folder_text = folder_text.ok_or_else(|| PerformError::NoFolder(order.dir.clone()))?;
        let mut random = [0u8; ID_LETTERS / 2];
        getrandom::fill(&mut random).map_err(PerformError::Random)?;
        let mut log = OwnLog::of(&order.dir);
        let mut since = 0;
        let seen = log.read(|number, core| {
            since = number.saturating_add(1);
            seal::is_wanted(u64::MAX, number, core)
        })?;
        let claim = Claim {
            id: ntk_evidence::hash::hex(&random),
            began: clock::text(clock.now()),
            ended: String::new(),
            since,
            by: order.by.clone(),
            present: order.present.clone(),
            login_uid: me.login_uid.unwrap_or(NOBODY),
            session: me.session,
            sid: me.sid.clone(),
            steps: Vec::new(),
        };
        Ok(Self {
            order,
            clock,
            program: std::env::current_exe().map_err(PerformError::Program)?,
            folder,
            folder_text,
            own_login: (me.sid.is_none() && me.login_uid.is_none()).then_some(NOBODY),
            claim,
            log,
            seen,
            pause: mpsc::channel(),
        })
    }

    /// Does everything but the stop, as fast as it goes. What is asked about while it lasts is given back.
    fn acts(&mut self, tell: &mut dyn FnMut(&str)) -> Result<Vec<Held>, PerformError> {
        let mut held = Vec::new();
        for what in CommissionWhat::all() {
            if matches!(what, CommissionWhat::Stop | CommissionWhat::ReadAgain | CommissionWhat::Receipt) {
                continue;
            }
            held.extend(self.act(what, tell));
        }
        Ok(held)
    }

    /// Does one step. Its process is given back where it waits.
    fn act(&mut self, what: CommissionWhat, tell: &mut dyn FnMut(&str)) -> Option<Held> {
        let mut made = self.made(what.clone());
        if self.order.skip.contains(&what) {
            made.skipped = true;
        }
        let mut held = None;
        if !made.skipped
            && let Some(why) = cannot(&what)
        {
            made.because = Some(why.to_owned());
        } else if !made.skipped && what != CommissionWhat::Login {
            tell(&format!("{} ...", what.words()));
            match self.child(&what) {
                Ok(child) => {
                    made.pid = Some(child.did);
                    let is_held = matches!(what, CommissionWhat::Mount | CommissionWhat::IoUring);
                    held = Some(child).filter(|_| is_held);
                }
                Err(because) => made.because = Some(because),
            }
        }
        self.claim.steps.push(made);
        held
    }

    fn made(&self, what: CommissionWhat) -> Made {
        Made { what, began: clock::text(self.clock.now()), pid: None, skipped: false, because: None }
    }

    /// Starts a step's process and waits until it says that it is done.
    fn child(&self, what: &CommissionWhat) -> Result<Held, String> {
        let mut command = self.command(what.as_str());
        if *what == CommissionWhat::Watched {
            self.order.watched.iter().for_each(|place| {
                command.arg("--place").arg(place);
            });
        }
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        if matches!(what, CommissionWhat::Handle | CommissionWhat::IoUring)
            && let Some(stdin) = &mut child.stdin
        {
            // A program that is not there does not read it.
            let _ = stdin.write_all(WAYS.as_bytes());
        }
        let said = child.stdout.take();
        let (tells, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = said.map(|said| BufReader::new(said).read_line(&mut line));
            let _ =
                tells.send(line.trim().strip_prefix("done").filter(|_| read.is_some()).map(str::to_owned));
        });
        let mut held = Held { did: child.id(), child };
        let is_done = told.recv_timeout(ACT_WITHIN);
        // Another program that took the process's place ends without a word.
        if let Ok(Some(by)) = &is_done {
            held.did = by.trim().parse().unwrap_or(held.did);
            return Ok(held);
        }
        held.child.stdin.take();
        if is_done.is_err() {
            let _ = held.child.kill();
            return Err(format!("it took longer than {} seconds", ACT_WITHIN.as_secs()));
        }
        let mut complaint = String::new();
        if let Some(mut stderr) = held.child.stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        match held.child.wait() {
            Ok(status) if status.success() => Ok(held),
            _ => Err(complaint.lines().next_back().unwrap_or("it failed without a word").to_owned()),
        }
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("commission-act")
            .arg(what)
            .arg("--folder")
            .arg(&self.folder)
            .args(["--id", &self.claim.id]);
        if let Some(uid) = self.own_login {
            command.args(["--login-uid", &uid.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(system::TOP);
        command
    }

    fn scene(&self) -> Scene<'_> {
        Scene { folder: &self.folder_text, watched: &self.order.watched, released: 0 }
    }

    fn read(&mut self) -> Result<(), PerformError> {
        let since = self.claim.since;
        let new = self.log.read(|number, core| seal::is_wanted(since, number, core))?;
        self.seen.extend(new);
        Ok(())
    }

    fn rest(&self) {
        let _ = self.pause.1.recv_timeout(LOOK_EVERY);
    }

    /// Whether one of these was done and has not arrived yet.
    fn is_missing(&self, wanted: impl Fn(&CommissionWhat) -> bool) -> bool {
        let mut steps = self.claim.steps.iter().filter(|made| wanted(&made.what));
        steps.any(|made| {
            let step = step(made.what.clone(), &self.claim, &self.seen, &self.scene());
            step.outcome == CommissionOutcome::NotArrived
        })
    }

    /// Waits until these have arrived, as far as they were done.
    fn wait_for(
        &mut self,
        wanted: impl Fn(&CommissionWhat) -> bool,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), PerformError> {
        let deadline = self.clock.monotonic().saturating_add(self.order.within);
        tell("waiting for what was done to arrive ...");
        loop {
            self.read()?;
            if !self.is_missing(&wanted) || self.clock.monotonic() >= deadline {
                return Ok(());
            }
            self.rest();
        }
    }

    /// Has the agent stopped and started, and reads once more.
    fn stop(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), PerformError> {
        let mut made = self.made(CommissionWhat::Stop);
        if self.order.skip.contains(&CommissionWhat::Stop) {
            made.skipped = true;
            let read = Made { skipped: true, ..self.made(CommissionWhat::ReadAgain) };
            self.claim.steps.extend([made, read]);
            return Ok(());
        }
        let before = StatusFile::read(&self.order.dir)?.map(|status| status.pid).unwrap_or_default();
        made.because = match system::unit_of(before) {
            Some(unit) => {
                tell(&format!("restarting {unit} ..."));
                system::restart(&unit).err()
            }
            None => {
                tell(&format!(
                    "this agent is no service: stop it and start it again NOW, in another window (within {} seconds) ...",
                    self.order.restart_within.as_secs()
                ));
                None
            }
        };
        let deadline = self.clock.monotonic().saturating_add(self.order.restart_within);
        while made.because.is_none() {
            let status = StatusFile::read(&self.order.dir)?;
            if status.is_some_and(|status| status.pid != before && status.is_running(self.clock.now())) {
                break;
            }
            if self.clock.monotonic() >= deadline {
                made.because = Some("nobody restarted the agent in time".to_owned());
            }
            self.rest();
        }
        let is_restarted = made.because.is_none();
        self.claim.steps.push(made);
        self.wait_for(|what| *what == CommissionWhat::Stop, tell)?;
        if is_restarted {
            self.act(CommissionWhat::ReadAgain, tell);
            self.wait_for(|what| *what == CommissionWhat::ReadAgain, tell)?;
        } else {
            let because = Some("the agent was not restarted".to_owned());
            let read = Made { because, ..self.made(CommissionWhat::ReadAgain) };
            self.claim.steps.push(read);
        }
        Ok(())
    }

    /// Takes away what the test made; a rest of it does no harm, and the next test has names of its own.
    fn tidy(&self) {
        if let Ok(child) = self.command("tidy").spawn() {
            drop(Held { did: child.id(), child });
        }
    }

    fn await_receipt(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), PerformError> {
        let steps = CommissionWhat::all().filter(|what| *what != CommissionWhat::Receipt);
        let steps = steps.map(|what| step(what, &self.claim, &self.seen, &self.scene()));
        let newest = steps.flat_map(|step| step.entries).max();
        let deadline = self.clock.monotonic().saturating_add(RECEIPT_WITHIN);
        tell("waiting for the collector's receipt ...");
        loop {
            let released =
                StatusFile::read(&self.order.dir)?.map(|status| status.released).unwrap_or_default();
            let has_come = receipt(newest, released).outcome == CommissionOutcome::Arrived;
            if has_come || newest.is_none() || self.clock.monotonic() >= deadline {
                return Ok(());
            }
            self.rest();
        }
    }

    /// Gives the claim to the running agent and waits for its entry.
    fn hand_over(mut self, tell: &mut dyn FnMut(&str)) -> Result<Sealed, PerformError> {
        self.claim.ended = clock::text(self.clock.now());
        self.claim.write(&self.order.dir, &RealFiles)?;
        tell("waiting for the agent to look for itself and to seal what it found ...");
        let deadline = self.clock.monotonic().saturating_add(SEALED_WITHIN);
        loop {
            let mut new = self.log.read(|_, core| core.contains("\"kind\":\"commission\""))?.into_iter();
            let is_it = |event: &Event| event.commission.as_ref().is_some_and(|one| one.id == self.claim.id);
            if let Some((number, event)) = new.find(|(_, event)| is_it(event)) {
                return Ok(Sealed { number, event });
            }
            if self.clock.monotonic() >= deadline {
                return Err(PerformError::NotSealed);
            }
            self.rest();
        }
    }
}
