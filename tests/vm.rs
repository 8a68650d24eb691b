//! A machine of our own, for what must not be done to the one that tests run on: locking the kernel's audit until the next
//! start, or a service manager as process 1.
//!
//! qemu emulates it (no right to virtualise is needed), with Debian's kernel for clouds, which `tests/run` unpacks into
//! `target/vm` and never installs. Its whole root is one archive in memory ([`Image`]): no disk, no network, no module of
//! the kernel. `vm/init.sh` is its first process, runs one script, and sends `/out` back as such an archive, over the
//! second serial line; the first one is the console. What the machine should not have said is on both.

mod archive;
mod image;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::program::text;
use crate::wait;

pub use image::{Image, is_installed};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const MEGABYTES: &str = "1536";
/// Names a folder where the archive stays, to boot it by hand.
const KEEP: &str = "NTK_VM_KEEP";
/// Lines of the console that an error shows.
const LAST_LINES: usize = 60;

/// What the boot of every machine says: records of audit from the first moment, and room for them.
const ARGUMENTS: &str = "console=ttyS0 audit=1 audit_backlog_limit=8192 quiet panic=-1 no_timer_check systemd.show_status=no systemd.log_color=no";

/// The kernel that machines boot, or why none can be had here.
#[derive(Debug)]
pub struct Kernel(PathBuf);

impl Kernel {
    /// Looks for everything that a machine of our own needs.
    pub fn find() -> Result<Self, String> {
        if !cfg!(target_arch = "x86_64") {
            return Err("machines of our own are x86_64".to_owned());
        }
        for (program, package) in [(QEMU, "qemu-system-x86"), ("/bin/busybox", "busybox-static")] {
            if !Path::new(program).exists() {
                return Err(format!("{package} is not installed; tests/run installs it"));
            }
        }
        let target =
            std::env::current_exe().ok().and_then(|this| Some(this.ancestors().nth(3)?.join("vm/vmlinuz")));
        let named = std::env::var_os("NTK_VM_KERNEL").map(PathBuf::from);
        let kernel = named.into_iter().chain(target).find(|path| path.is_file());
        kernel
            .map(Self)
            .ok_or_else(|| "no kernel for a machine of our own; tests/run unpacks Debian's".to_owned())
    }

    /// Boots an image, waits until it has switched itself off, and gives what it said.
    pub fn boot(&self, image: &Image, at_most: Duration) -> Result<Ended> {
        self.boot_with("", image, at_most)
    }

    /// The same, with more parameters than every machine has, as somebody types them at a boot loader's prompt.
    pub fn boot_with(&self, typed: &str, image: &Image, at_most: Duration) -> Result<Ended> {
        let scratch = tempfile::Builder::new().prefix("ntk-vm-").tempdir()?;
        let at = |name: &str| scratch.path().join(name);
        std::fs::write(at("root.cpio"), image.archive()?)?;
        if let Some(kept) = std::env::var_os(KEEP).filter(|kept| !kept.is_empty()) {
            std::fs::copy(at("root.cpio"), Path::new(&kept).join("root.cpio"))?;
        }
        let mut command = Command::new(QEMU);
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEGABYTES]);
        command.args(["-nodefaults", "-display", "none", "-no-reboot", "-append"]);
        command.arg(format!("{ARGUMENTS} {typed}").trim_end());
        command.arg("-kernel").arg(&self.0).arg("-initrd").arg(at("root.cpio"));
        for line in ["console", "out"] {
            command.arg("-serial").arg(format!("file:{}", at(line).display()));
        }
        let mut machine = Machine(
            command.stdin(Stdio::null()).stderr(Stdio::inherit()).spawn().context("could not start qemu")?,
        );
        let console = || std::fs::read(at("console")).map(|bytes| text(&bytes)).unwrap_or_default();
        let ended = wait::until("the machine to switch itself off", at_most, || Ok(machine.0.try_wait()?));
        let ended = ended.with_context(|| last_lines(&console()))?;
        ensure!(ended.success(), "qemu ended with {ended}: {}", last_lines(&console()));
        let console = console();
        let files = archive::read(&std::fs::read(at("out"))?)
            .with_context(|| format!("the machine sent nothing back whole: {}", last_lines(&console)))?;
        Ok(Ended { console, files })
    }
}

/// The emulator; dropped, it ends.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine that has switched itself off.
#[derive(Debug)]
pub struct Ended {
    /// Everything on its console.
    pub console: String,
    /// What it left in `/out`, by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Ended {
    /// A file that it left, as text.
    pub fn said(&self, name: &str) -> Result<String> {
        let file = self.files.get(name);
        Ok(text(file.with_context(|| format!("the machine left no `{name}`: {}", self.last_words()))?))
    }

    /// Whether its script came to its end.
    pub fn ensure_done(&self) -> Result<()> {
        ensure!(self.said("status")?.trim() == "0", "the machine's script failed: {}", self.last_words());
        Ok(())
    }

    /// When each step of the script began, in seconds since the boot.
    pub fn steps(&self) -> String {
        let is_step = |line: &&str| line.starts_with('[') && line.split(']').nth(1).is_some();
        self.console.lines().filter(is_step).map(str::trim_end).collect::<Vec<_>>().join(", ")
    }

    /// The console's end, for an error.
    pub fn last_words(&self) -> String {
        last_lines(&self.console)
    }
}

fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    let mut said = String::from("the console's last lines:");
    for line in lines.get(from..).unwrap_or_default() {
        let _ = write!(said, "\n  | {}", line.trim_end());
    }
    said
}
