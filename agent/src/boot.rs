//! With which parameters the kernel was started, compared with the boot before: `audit=0` typed once at the boot loader's
//! prompt changes no file that anybody watches.
//!
//! Parameters are told by name. Values only of those that decide what is recorded or what runs first
//! ([`SHOWN`]): a value may be a secret (`rd.luks.key=`). Which kernel was loaded (`BOOT_IMAGE=`, `initrd=`) is told by
//! health entries, and changes with every update.
//!
//! What was seen last is kept beside the spool, after the event is durable: a crash between the two tells it twice, never
//! not at all. Whoever changes that file while the agent is not running has said nothing else in the ledger: health
//! entries carry the parameters, too.

use std::path::{Path, PathBuf};

use ntk_evidence::event::{Event, Kind, OtherFields, Source, Tamper, TamperKind};
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::whole_file::{Files, Readable};

/// Parameters whose values are told: audit, the first program, what limits root, what systemd starts (kernel-parameters.txt,
/// kernel-command-line(7), bootparam(7)).
const SHOWN: &[&str] = &[
    "apparmor",
    "audit",
    "audit_backlog_limit",
    "emergency",
    "enforcing",
    "init",
    "lockdown",
    "lsm",
    "module.sig_enforce",
    "rdinit",
    "rescue",
    "security",
    "selinux",
    "single",
    "systemd.debug_shell",
    "systemd.mask",
    "systemd.unit",
    "systemd.wants",
];
/// Which kernel and which first root were loaded: they change with every update.
const WHICH_KERNEL: &[&str] = &["BOOT_IMAGE", "initrd"];
/// So many parameters are told and compared; a kernel takes 2,048 bytes of them.
const N_MAX: usize = 200;

/// The parameters of one boot, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(Vec<String>);

impl Parameters {
    /// Of this boot; empty where the kernel does not say.
    pub fn now() -> Self {
        std::fs::read_to_string("/proc/cmdline").map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Of a kernel's command line: words, which quotation marks hold together.
    pub fn parse(line: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut is_quoted = false;
        for letter in line.trim().chars() {
            if letter.is_whitespace() && !is_quoted {
                words.push(std::mem::take(&mut word));
            } else {
                is_quoted ^= letter == '"';
                word.push(letter);
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty() && !WHICH_KERNEL.contains(&name(word)));
        words.truncate(N_MAX);
        Self(words)
    }

    /// As they are told: values only where they are no secret.
    pub fn told(&self) -> Vec<String> {
        self.0.iter().map(|word| told(word)).collect()
    }

    /// What is another here than there, in words; none where nothing is.
    fn changed(&self, before: &Self) -> Option<String> {
        let of = |these: &Self, those: &Self| -> Vec<String> {
            these.0.iter().filter(|word| !those.0.contains(word)).map(|word| told(word)).collect()
        };
        let mut parts = Vec::new();
        for (words, what) in [(of(self, before), "added"), (of(before, self), "gone")] {
            if !words.is_empty() {
                parts.push(format!("{what}: {}", words.join(" ")));
            }
        }
        if parts.is_empty() && self != before {
            parts.push("the same ones in another order".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

fn told(word: &str) -> String {
    match word.split_once('=') {
        // The kernel takes `-` and `_` in names for the same.
        Some((name, _)) if !SHOWN.contains(&name.replace('-', "_").as_str()) => format!("{name}=(withheld)"),
        _ => word.to_owned(),
    }
}

/// What was seen last.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    boot_id: String,
    parameters: Parameters,
}

/// The parameters of this boot, held against those of the boot before.
#[derive(Debug)]
pub struct Boot {
    path: PathBuf,
    seen: Seen,
    /// What is another now.
    change: Option<String>,
    is_known: bool,
}

impl Boot {
    /// Looks. `boot_id` and `parameters` are this boot's. A file that cannot be read counts as none.
    pub fn look(dir: &Path, boot_id: &str, parameters: Parameters, files: &dyn Files) -> Self {
        let path = dir.join("boot.json");
        let text = files.read(&path).ok().flatten();
        let before: Option<Seen> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let change = before.as_ref().and_then(|before| parameters.changed(&before.parameters));
        let is_known = before.is_some_and(|before| before.boot_id == boot_id) && change.is_none();
        Self { path, seen: Seen { boot_id: boot_id.to_owned(), parameters }, change, is_known }
    }

    /// The event, where something is another.
    pub fn event(&self, now: Moment) -> Option<Event> {
        let change = self.change.as_ref()?;
        let mut event = Event::new(Kind::Tamper, clock::text(now));
        event.tamper = Some(Tamper {
            what: TamperKind::KernelChanged,
            detail: Some(format!(
                "the kernel was started with other parameters than at the boot before; {change}"
            )),
            other: OtherFields::new(),
        });
        event.source = Some(Source { sensor: Some("boot".to_owned()), ..Source::default() });
        Some(event)
    }

    /// Keeps what was seen: after the event is durable.
    pub fn keep(&self, files: &dyn Files) -> std::io::Result<()> {
        if self.is_known {
            return Ok(());
        }
        files.replace(&self.path, &serde_json::to_vec(&self.seen)?, Readable::ByOwner)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::whole_file::RealFiles;

    fn check(before: &str, now: &str, expected: Expect) {
        let dir = tempfile::tempdir().unwrap();
        Boot::look(dir.path(), "a", Parameters::parse(before), &RealFiles).keep(&RealFiles).unwrap();
        let boot = Boot::look(dir.path(), "b", Parameters::parse(now), &RealFiles);
        let event = boot.event(Moment::from_unix_nanos(0));
        expected.assert_eq(&event.and_then(|event| event.tamper?.detail).unwrap_or_default());
    }

    #[test]
    fn what_was_typed_at_the_boot_loader_is_told_by_name() {
        let usual = "BOOT_IMAGE=/vmlinuz-6.1.0-18 root=UUID=1 ro quiet audit=1";
        check(usual, usual, expect![[""]]);
        check(usual, "BOOT_IMAGE=/vmlinuz-6.1.0-25 initrd=/i root=UUID=1 ro quiet audit=1", expect![[""]]);
        check(
            usual,
            "BOOT_IMAGE=/vmlinuz-6.1.0-18 root=UUID=1 ro quiet audit=0 init=/bin/sh",
            expect![[
                "the kernel was started with other parameters than at the boot before; added: audit=0 init=/bin/sh; gone: audit=1"
            ]],
        );
        check(
            usual,
            r#"root=UUID=1 ro quiet audit=1 rd.luks.key="my secret" systemd.mask=ntk-agent.service"#,
            expect![[
                "the kernel was started with other parameters than at the boot before; added: rd.luks.key=(withheld) systemd.mask=ntk-agent.service"
            ]],
        );
        check(
            "audit=0 audit=1",
            "audit=1 audit=0",
            expect![[
                "the kernel was started with other parameters than at the boot before; the same ones in another order"
            ]],
        );
    }

    // Not written, and written though reported failed: told again, or told already; never not at all.
    #[test]
    fn what_could_not_be_kept_is_told_again() {
        let dir = tempfile::tempdir().unwrap();
        let look = |id: &str, line: &str| Boot::look(dir.path(), id, Parameters::parse(line), &RealFiles);
        let now = Moment::from_unix_nanos(0);
        assert!(look("a", "audit=1").event(now).is_none(), "the first boot has none before it");
        look("a", "audit=1").keep(&RealFiles).unwrap();
        assert!(look("b", "audit=0").event(now).is_some());
        assert!(look("b", "audit=0").event(now).is_some(), "nothing was kept between");
        look("b", "audit=0").keep(&RealFiles).unwrap();
        assert!(look("b", "audit=0").event(now).is_none());
        assert!(look("c", "audit=1").event(now).is_some(), "back again is a change, too");
    }

    #[test]
    fn no_command_line_and_no_file_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("boot.json"), b"{\"boot_id\": 7").unwrap();
        let boot = Boot::look(dir.path(), "a", Parameters::parse("audit=1"), &RealFiles);
        assert!(boot.event(Moment::from_unix_nanos(0)).is_none());
        boot.keep(&RealFiles).unwrap();
        assert!(look_again(dir.path()).event(Moment::from_unix_nanos(0)).is_some());
        assert_eq!(Parameters::parse(&"x ".repeat(100_000)).0.len(), N_MAX);
        assert_eq!(Parameters::parse("\"\u{202e}").0.len(), 1);
    }

    fn look_again(dir: &Path) -> Boot {
        Boot::look(dir, "b", Parameters::parse("audit=0"), &RealFiles)
    }
}
