//! `install` and `uninstall`: the agent as a service of this machine, one documented step each way.
//!
//! Order of installing: everything that could refuse is asked first; then the record of what will be written
//! ([`record`]), the program, `sealed` in agent.toml, the boot loader's drop-in, the unit, and last the service manager. Each
//! step looks whether it is done already, so a half-finished install is finished by running it again, and a second one
//! changes nothing. Uninstalling goes the other way; the record is the last to go.
//!
//! The program stays where it is if a package put it there (`/usr/bin/ntk-agent`), else it is copied to
//! `/usr/local/sbin/ntk-agent`: a unit must not start what lies in somebody's home.
//!
//! With a root other than `/` an image is built: the same files below it, no service manager, nothing started.

mod hands;
pub mod leaving;
mod record;
mod remove;
mod sealed_key;
mod texts;

use std::io;
use std::path::{Path, PathBuf};

use crate::config::{self, ConfigError};
use crate::host;
use crate::identity::{IdentityError, IdentityFiles};
use crate::whole_file::{Readable, RealFiles};

use record::Record;

pub use hands::{Hands, Ran, RealHands};
pub use remove::{Kept, uninstall};
pub use texts::COSTS;

/// Name of the service.
const SERVICE: &str = "ntk-agent.service";
/// Where the unit goes.
const UNIT: &str = "/etc/systemd/system/ntk-agent.service";
/// What starts it at boot: the link that `systemctl enable` makes.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/ntk-agent.service";
/// Where a package puts the program.
const PACKAGED: &str = "/usr/bin/ntk-agent";
/// Where install puts it.
const PROGRAM: &str = "/usr/local/sbin/ntk-agent";
/// Where the boot loader's configuration lies, and our drop-in.
const BOOT_FOLDER: &str = "/etc/default/grub.d";
const BOOT_FILE: &str = "/etc/default/grub.d/ntk-agent.cfg";

/// Installing or uninstalling stopped; what was done so far stays, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Not root.
    #[error("installing a service needs root; run it with sudo")]
    NotRoot,
    /// Nothing that starts services.
    #[error(
        "no systemd runs here, so there is nothing to install into; have `ntk-agent run` started by what starts services \
         here (an OpenRC or runit service, the container's supervisor), as root, before people log in"
    )]
    NoSystemd,
    /// No identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No configuration that a start could use.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Somebody else's file.
    #[error(
        "`{0}` is there and was not written by `ntk-agent install`, or was changed since; move it aside and run this again \
         (changes of your own belong into a drop-in: `systemctl edit ntk-agent`)"
    )]
    Foreign(PathBuf),
    /// The key cannot be set.
    #[error(
        "could not set `sealed = true` in `{0}` without guessing; write it below [sensor] by hand and run this again"
    )]
    SealedKey(PathBuf),
    /// A file.
    #[error("could not {what} `{path}`; check permissions and free space, then run this again")]
    File {
        /// What was to be done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("could not run `{command}`; is it installed?")]
    Start {
        /// The command line.
        command: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A program did not do it.
    #[error("`{command}` failed ({said}); mend that and run this again")]
    Failed {
        /// The command line.
        command: String,
        /// Its last words.
        said: String,
    },
    /// Audit is not as it was.
    #[error(
        "the kernel's audit could not be put back as it was; run this again, or start the machine anew, which clears it"
    )]
    Audit(#[source] io::Error),
    /// Entries would be lost.
    #[error(
        "{0} entries were not acknowledged by the collector and would be lost; run `ntk-agent run` until `status` says that \
         none waits, or give --yes, too"
    )]
    Waiting(u64),
    /// An agent that is not the service.
    #[error("an agent runs that is not the service (process {0}); end it, then run this again")]
    Running(u32),
}

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `/`, or the folder of an image.
    pub root: PathBuf,
    /// Machines are made of it; it does not run.
    pub is_image: bool,
    /// The agent's folder, as the machine names it.
    pub dir: PathBuf,
    /// The program that runs now.
    pub program: PathBuf,
    /// `[sensor] sealed` is to be set.
    pub sealed: bool,
    /// The boot loader is to get the parameters.
    pub boot_parameters: bool,
    /// Nothing is changed; it is said what would be.
    pub dry_run: bool,
}

impl Plan {
    /// Whether this is a machine that runs.
    fn is_live(&self) -> bool {
        !self.is_image
    }

    /// Where a path of the machine lies now.
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// One run of install or uninstall.
struct Work<'a> {
    plan: &'a Plan,
    hands: &'a mut dyn Hands,
    say: &'a mut dyn FnMut(&str),
    record: Record,
}

/// Makes the agent a service. What is said is a line each.
pub fn install(plan: &Plan, hands: &mut dyn Hands, say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let mut work = Work::begin(plan, hands, say)?;
    work.may_start()?;
    let program = work.program()?;
    let program_path = program.as_ref().map_or(PACKAGED, |_| PROGRAM);
    let unit = texts::unit(Path::new(program_path), &plan.dir);
    work.is_free(UNIT, unit.as_bytes())?;
    let sealed = work.sealed_text()?;
    let boot = work.boot()?;
    // Everything that could refuse was asked. From here on each step can be done twice.
    if let Some(program) = &program {
        work.write("program", PROGRAM, program, Readable::ByAllToRun)?;
    }
    if let Some(text) = sealed {
        work.seal(&text)?;
    }
    if boot {
        work.write("boot parameters", BOOT_FILE, texts::BOOT.as_bytes(), Readable::ByAll)?;
        if work.record.is_pending || plan.dry_run {
            work.update_boot_loader()?;
        }
    }
    work.write("unit", UNIT, unit.as_bytes(), Readable::ByAll)?;
    work.start()?;
    (work.say)(texts::NOT_DONE);
    Ok(())
}

impl<'a> Work<'a> {
    fn begin(
        plan: &'a Plan,
        hands: &'a mut dyn Hands,
        say: &'a mut dyn FnMut(&str),
    ) -> Result<Self, InstallError> {
        let path = plan.at(plan.dir.join(record::NAME));
        let bytes = hands.read(&path).map_err(failed("read", &path))?;
        Ok(Self { plan, hands, say, record: Record::parse(bytes.as_deref()) })
    }

    /// Whether a start could work. An image is enrolled on each machine that is made of it.
    fn may_start(&mut self) -> Result<(), InstallError> {
        let dir = self.plan.at(&self.plan.dir);
        let identity = IdentityFiles::of(&dir).load(&RealFiles);
        if self.plan.is_live() {
            let identity = identity?;
            (self.say)(&format!("this machine is {}/{}", identity.slug, identity.author));
            if !self.hands.has("systemctl") {
                return Err(InstallError::NoSystemd);
            }
        } else if identity.is_ok() {
            (self.say)(
                "this image holds an identity: every machine made of it would be the same one, which the collector notices; \
                 enrol each by itself instead",
            );
        } else {
            (self.say)(
                "each machine made of this image is enrolled by itself: `ntk-agent enroll --token ...`",
            );
        }
        Ok(())
    }

    fn config_path(&self) -> PathBuf {
        self.plan.at(config::path_in(&self.plan.dir))
    }

    /// The program to copy; none where it runs from a package's place.
    fn program(&mut self) -> Result<Option<Vec<u8>>, InstallError> {
        let own = &self.plan.program;
        if self.plan.is_live() && own == Path::new(PACKAGED) {
            (self.say)(&format!("program: {PACKAGED}, as it is"));
            return Ok(None);
        }
        let bytes =
            self.hands.read(own).and_then(|bytes| bytes.ok_or_else(|| io::ErrorKind::NotFound.into()));
        let bytes = bytes.map_err(failed("read", own))?;
        self.is_free(PROGRAM, &bytes)?;
        Ok(Some(bytes))
    }

    /// Whether nothing is there, or something that an install wrote.
    fn is_free(&self, path: &str, content: &[u8]) -> Result<(), InstallError> {
        let at = self.plan.at(path);
        let found = self.hands.read(&at).map_err(failed("read", &at))?;
        match found {
            Some(found) if found != content && !self.record.wrote(Path::new(path), &found) => {
                Err(InstallError::Foreign(at))
            }
            _ => Ok(()),
        }
    }

    /// The text of agent.toml with `sealed` set, where it is asked for and not so.
    fn sealed_text(&mut self) -> Result<Option<String>, InstallError> {
        let path = self.config_path();
        let text = self.hands.read(&path).map_err(failed("read", &path))?;
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        if text.is_some() || self.plan.is_live() {
            config::load(&path)?;
        }
        if !self.plan.sealed {
            return Ok(None);
        }
        // An image without a configuration gets the one that enrolment would write; enrolment leaves it as it is.
        let text = text.unwrap_or_else(|| config::TEMPLATE.to_owned());
        sealed_key::set(&text, true, &path).map(Some).ok_or(InstallError::SealedKey(path))
    }

    fn seal(&mut self, text: &str) -> Result<(), InstallError> {
        let path = self.config_path();
        let before = self.hands.read(&path).map_err(failed("read", &path))?;
        if before.as_deref() == Some(text.as_bytes()) {
            (self.say)("sealed mode: set already");
            return Ok(());
        }
        if self.plan.dry_run {
            (self.say)(&format!("sealed mode: would be set in {}", path.display()));
            return Ok(());
        }
        self.record.was_sealed = Some(false);
        self.record.is_pending = true;
        self.save()?;
        self.hands.replace(&path, text.as_bytes(), Readable::ByOwner).map_err(failed("write", &path))?;
        (self.say)(&format!("sealed mode: set in {}; in force once the service has started", path.display()));
        Ok(())
    }

    /// Whether the boot loader's drop-in is to be written; else what it is for is said.
    fn boot(&mut self) -> Result<bool, InstallError> {
        if self.plan.is_live() {
            let running = self.hands.read(Path::new("/proc/cmdline")).ok().flatten().unwrap_or_default();
            let running = String::from_utf8_lossy(&running).into_owned();
            let has = |parameter: &&str| running.split_whitespace().any(|word| word == *parameter);
            if texts::PARAMETERS.iter().all(has) {
                (self.say)("boot parameters: this machine was started with them");
                return Ok(false);
            }
        }
        if !self.plan.boot_parameters {
            (self.say)(texts::WHY_BOOT);
            return Ok(false);
        }
        let has_grub = self.plan.at("/etc/default/grub").exists() || self.plan.at(BOOT_FOLDER).is_dir();
        if !has_grub || self.plan.is_live() && !self.hands.has("update-grub") {
            (self.say)(
                "boot parameters: no boot loader that reads /etc/default/grub.d was found; add `audit=1 \
                 audit_backlog_limit=8192` to the kernel's command line by hand (systemd-boot: /etc/kernel/cmdline; \
                 Fedora: grubby --update-kernel=ALL --args=...)",
            );
            return Ok(false);
        }
        self.is_free(BOOT_FILE, texts::BOOT.as_bytes())?;
        Ok(true)
    }

    /// Writes a file of ours, whole, after it was taken down.
    fn write(
        &mut self,
        what: &str,
        path: &str,
        content: &[u8],
        readable: Readable,
    ) -> Result<(), InstallError> {
        let at = self.plan.at(path);
        let found = self.hands.read(&at).map_err(failed("read", &at))?;
        let is_there = found.as_deref() == Some(content);
        if self.plan.dry_run {
            let word = if is_there { "is as it should be" } else { "would be written" };
            (self.say)(&format!("{what}: {path} {word}"));
            return Ok(());
        }
        if !is_there || !self.record.wrote(Path::new(path), content) {
            self.record.note(Path::new(path), content);
            self.save()?;
        }
        if !is_there {
            self.hands.replace(&at, content, readable).map_err(failed("write", &at))?;
        }
        (self.say)(&format!("{what}: {path} {}", if is_there { "is as it should be" } else { "written" }));
        Ok(())
    }

    fn save(&mut self) -> Result<(), InstallError> {
        let path = self.plan.at(self.plan.dir.join(record::NAME));
        let bytes = serde_json::to_vec_pretty(&self.record).map_err(io::Error::other);
        let written = bytes.and_then(|bytes| self.hands.replace(&path, &bytes, Readable::ByOwner));
        written.map_err(failed("write", &path))
    }

    /// The boot loader's own configuration, made anew. An image's builder does that.
    fn update_boot_loader(&mut self) -> Result<(), InstallError> {
        match (self.plan.is_live(), self.plan.dry_run) {
            (true, false) => self.command(&["update-grub"])?,
            (true, true) => (self.say)("boot parameters: update-grub would be run"),
            (false, _) => (self.say)("boot parameters: run update-grub where the image gets its boot loader"),
        }
        if self.plan.is_live() && !self.plan.dry_run {
            (self.say)("boot parameters: in force from the next boot on");
        }
        Ok(())
    }

    /// Has it started now and at each boot.
    fn start(&mut self) -> Result<(), InstallError> {
        if !self.plan.is_live() {
            let at = self.plan.at(WANTED);
            if self.plan.dry_run {
                (self.say)("service: would be started at each boot");
                return Ok(());
            }
            if std::fs::read_link(&at).ok().as_deref() != Some(Path::new(UNIT)) {
                self.hands.link(&at, Path::new(UNIT)).map_err(failed("make", &at))?;
            }
            (self.say)("service: is started at each boot of a machine made of this image");
            return self.settle();
        }
        if self.plan.dry_run {
            (self.say)(
                "service: would be enabled, and started anew where its program, unit or configuration changed",
            );
            return Ok(());
        }
        self.command(&["systemctl", "daemon-reload"])?;
        self.command(&["systemctl", "enable", SERVICE])?;
        let is_active = self.hands.run(&["systemctl", "is-active", "--quiet", SERVICE]);
        if let (Ok(Ran { is_done: false, .. }), Some(pid)) = (is_active, host::agent_process()) {
            (self.say)(&format!(
                "an agent runs that is not the service (process {pid}); the service takes over once that one has ended"
            ));
        }
        // What was replaced runs only after a start; a service that runs what is there is left alone.
        let (verb, said) = if self.record.is_pending {
            ("restart", "enabled and started")
        } else {
            ("start", "enabled, and runs")
        };
        self.command(&["systemctl", verb, SERVICE])?;
        (self.say)(&format!("service: {said}; `ntk-agent status` says how it fares"));
        self.settle()
    }

    /// Everything that was changed is in force.
    fn settle(&mut self) -> Result<(), InstallError> {
        if self.record.is_pending {
            self.record.is_pending = false;
            self.save()?;
        }
        Ok(())
    }

    fn command(&mut self, words: &[&str]) -> Result<(), InstallError> {
        let command = words.join(" ");
        match self.hands.run(words) {
            Ok(Ran { is_done: true, .. }) => Ok(()),
            Ok(Ran { said, .. }) => {
                let said = said.lines().last().unwrap_or("it said nothing").to_owned();
                Err(InstallError::Failed { command, said })
            }
            Err(source) => Err(InstallError::Start { command, source }),
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::File { what, path, source }
}

#[cfg(test)]
mod tests;
