//! `check`: proves everything that a start would need, a line each, and changes nothing.

use std::path::Path;
use std::time::Duration;

use ntk_evidence::time::Moment;
use ntk_segment::error::SegmentError;
use ntk_segment::reader::Reader;

use crate::config::{self, Config};
use crate::error_chain;
use crate::identity::{Identity, IdentityFiles};
use crate::run::spool_path;
use crate::uplink::stream::Line;
use crate::whole_file::RealFiles;
use crate::{clock, host};

mod keys;

/// Certificates that end within this time are told of.
const CERTIFICATE_WARNING_SECONDS: i64 = 30 * 86_400;

/// The collector has so long to take a connection.
const REACH_WITHIN: Duration = Duration::from_secs(20);

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// In order.
    Good,
    /// A start works, but less is seen or someone should act.
    Attention,
    /// A start works, but the agent could not do its work.
    Bad,
    /// A start would fail.
    NoStart,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub verdict: Verdict,
    /// What was looked at, and what was found.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok  ",
            Verdict::Attention => "note",
            Verdict::Bad | Verdict::NoStart => "FAIL",
        };
        write!(f, "{mark}  {}", self.text)
    }
}

/// Looks at everything. A fault of one thing hides no other.
pub async fn check(dir: &Path, now: Moment) -> Vec<Finding> {
    let mut lines = Vec::new();
    let config = match config::load(&config::path_in(dir)) {
        Ok(config) => {
            say(&mut lines, Verdict::Good, format!("configuration: {} watches", config.watches.len()));
            Some(config)
        }
        Err(error) => {
            say(&mut lines, Verdict::NoStart, format!("configuration: {}", error_chain(&error)));
            None
        }
    };
    let identity = match IdentityFiles::of(dir).load(&RealFiles) {
        Ok(identity) => {
            say(&mut lines, Verdict::Good, format!("identity: {}/{}", identity.slug, identity.author));
            Some(identity)
        }
        Err(error) => {
            say(&mut lines, Verdict::NoStart, format!("identity: {}", error_chain(&error)));
            None
        }
    };
    if let Some(identity) = &identity {
        certificate(&mut lines, OWN, &identity.certificate_pem, now);
        certificate(&mut lines, "the practice's authority", &identity.authority_pem, now);
    }
    keys::keys(&mut lines, &IdentityFiles::of(dir), config.as_ref(), now);
    #[cfg(windows)]
    folder(&mut lines, dir);
    spool(&mut lines, dir);
    if let Some(identity) = &identity {
        collector(&mut lines, identity, config.as_ref()).await;
    }
    if let Some(config) = &config {
        sensors(&mut lines, config);
    }
    lines
}

fn say(lines: &mut Vec<Finding>, verdict: Verdict, text: String) {
    lines.push(Finding { verdict, text });
}

/// What is renewed by itself.
const OWN: &str = "this machine's certificate";
/// For so long after its end the collector renews it without a person: a year.
const RENEWED_LATE_SECONDS: i64 = 365 * 86_400;

fn certificate(lines: &mut Vec<Finding>, what: &str, pem: &str, now: Moment) {
    let parsed = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok().map(|(_, pem)| pem);
    let validity = parsed
        .as_ref()
        .and_then(|pem| pem.parse_x509().ok())
        .map(|certificate| certificate.validity().clone());
    let Some(validity) = validity else {
        return say(
            lines,
            Verdict::NoStart,
            format!("{what} is damaged; restore it from a backup, or enrol this machine anew"),
        );
    };
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let until_text = Moment::from_unix_seconds(until)
        .map_or_else(|| "a distant day".to_owned(), |until| until.to_rfc3339(0));
    let seconds = now.unix_seconds();
    if seconds < from {
        say(lines, Verdict::Bad, format!("{what} is not valid yet: set this machine's clock"));
    } else if what == OWN && seconds > until && seconds.saturating_sub(until) <= RENEWED_LATE_SECONDS {
        let text =
            format!("{what} ended {until_text}; it is renewed by itself once the collector is reached");
        say(lines, Verdict::Attention, text);
    } else if seconds > until {
        say(lines, Verdict::Bad, format!("{what} ended {until_text}; enrol this machine anew"));
    } else if what != OWN && seconds.saturating_add(CERTIFICATE_WARNING_SECONDS) > until {
        say(lines, Verdict::Attention, format!("{what} ends {until_text}"));
    } else {
        say(lines, Verdict::Good, format!("{what} is valid until {until_text}"));
    }
}

/// Windows: who may use the agent's folder, as the system says it now and not as `install` once asked for.
#[cfg(windows)]
fn folder(lines: &mut Vec<Finding>, dir: &Path) {
    let found = crate::windows::audit_policy_ffi::rights_of(dir);
    match found.map(|text| ntk_windows::audit_policy::sddl::others(&text)) {
        Ok(others) if others.is_empty() => {
            say(lines, Verdict::Good, "folder: SYSTEM and administrators alone may use it".to_owned());
        }
        Ok(others) => {
            let others = others.join(", ");
            let text = format!(
                "folder: others may use it, too ({others}); run `ntk-agent install` as an administrator, which keeps them out"
            );
            say(lines, Verdict::Attention, text);
        }
        Err(error) => {
            say(lines, Verdict::Attention, format!("folder: who may use it could not be read ({error})"));
        }
    }
}

fn spool(lines: &mut Vec<Finding>, dir: &Path) {
    let path = spool_path(dir);
    if !path.is_dir() {
        return say(lines, Verdict::Good, "spool: none yet; the first start makes it".to_owned());
    }
    match Reader::open(&path).and_then(|reader| reader.segments()) {
        Ok(segments) => {
            let bytes = segments.iter().fold(0u64, |sum, segment| sum.saturating_add(segment.bytes_on_disk));
            say(lines, Verdict::Good, format!("spool: {} segments, {} KiB", segments.len(), bytes / 1024));
        }
        Err(SegmentError::NoLog { .. }) => {
            say(lines, Verdict::Good, "spool: empty; the first start fills it".to_owned())
        }
        Err(error) => say(lines, Verdict::NoStart, format!("spool: {}", error_chain(&error))),
    }
}

async fn collector(lines: &mut Vec<Finding>, identity: &Identity, config: Option<&Config>) {
    let configured = config.map(|config| config.collector.as_slice()).unwrap_or_default();
    let run = host::Run::begin(clock::Clock::now(&clock::RealClock));
    let addresses = match Line::all(identity, configured, &run) {
        Ok(addresses) => addresses,
        Err(error) => return say(lines, Verdict::NoStart, format!("collector: {}", error_chain(&error))),
    };
    let mut answers = Vec::new();
    for line in addresses.iter() {
        answers.push((line.address(), tokio::time::timeout(REACH_WITHIN, line.connect()).await));
    }
    // One that answers is enough for the agent's work; a dead one beside it is a matter for attention.
    let (is_one_reached, n) = (answers.iter().any(|(_, answer)| matches!(answer, Ok(Ok(_)))), answers.len());
    let verdict = if is_one_reached { Verdict::Attention } else { Verdict::Bad };
    let what = if is_one_reached { "the agent uses the others" } else { "events would wait here" };
    for ((name, answer), place) in answers.into_iter().zip(1usize..) {
        let of = if n > 1 { format!(" {place} of {n}") } else { String::new() };
        match answer {
            Ok(Ok(_)) => say(
                lines,
                Verdict::Good,
                format!("collector{of}: `{name}` answers and shows the practice's certificate"),
            ),
            Ok(Err(error)) => {
                let why = error_chain(&error);
                say(lines, verdict, format!("collector{of}: `{name}` cannot be reached; {what} ({why})"));
            }
            Err(_) => say(lines, verdict, format!("collector{of}: `{name}` does not answer; {what}")),
        }
    }
}

fn sensors(lines: &mut Vec<Finding>, config: &Config) {
    if config.sensor.audit {
        if is_root() {
            say(lines, Verdict::Good, "kernel audit: this account may ask for it".to_owned());
        } else if cfg!(target_os = "linux") {
            say(
                lines,
                Verdict::Attention,
                "kernel audit: needs root; without it changes are seen, but no names".to_owned(),
            );
        } else {
            say(lines, Verdict::Attention, "kernel audit: exists on Linux only".to_owned());
        }
    }
    lock(lines, config);
    if cfg!(windows) {
        event_log(lines, config);
    } else {
        stand_ins(lines, config);
    }
    if config.watches.is_empty() {
        say(lines, Verdict::Attention, "watches: none; logins are recorded, files are not".to_owned());
    }
    for (place, watch) in (1u32..).zip(config.watches.iter()) {
        if !Path::new(&watch.path).exists() {
            say(lines, Verdict::Attention, format!("watch[{place}]: `{}` is not there now", watch.path));
        }
    }
    for file in &config.sensor.recorded {
        if !file.is_file() {
            say(lines, Verdict::Bad, format!("sensor.recorded: `{}` cannot be read", file.display()));
        }
    }
}

/// What of kernel audit nobody can change now, and whether that is what the configuration asks for.
#[cfg(target_os = "linux")]
fn lock(lines: &mut Vec<Finding>, config: &Config) {
    use crate::sensor::audit::{self, Lock};
    if !config.sensor.audit {
        return;
    }
    let (verdict, text) = match (audit::lock(), config.sensor.sealed) {
        (Some(Lock::Sealed), _) => (
            Verdict::Good,
            "sealed: nobody can change kernel audit or a login identity until the machine boots",
        ),
        (Some(Lock::Rules), _) => (
            Verdict::Attention,
            "kernel audit: its rules are locked until the machine boots; what is watched later waits for that",
        ),
        (_, true) => (
            Verdict::Attention,
            "sealed: asked for, and not so now; it is once the agent has started as its owner",
        ),
        (Some(Lock::Nothing | Lock::LoginUids) | None, false) => return,
    };
    say(lines, verdict, text.to_owned());
}

#[cfg(not(target_os = "linux"))]
fn lock(_lines: &mut Vec<Finding>, _config: &Config) {}

/// What stands in for kernel audit, and where each rung of the ladder ends.
fn stand_ins(lines: &mut Vec<Finding>, config: &Config) {
    let attention = |lines: &mut Vec<Finding>, text: &str| say(lines, Verdict::Attention, text.to_owned());
    match (config.sensor.fanotify, is_root()) {
        (true, true) => say(lines, Verdict::Good, "fanotify: this account may ask for it".to_owned()),
        (true, false) if cfg!(target_os = "linux") => {
            attention(lines, "fanotify: needs root; without it nothing is compared with kernel audit");
        }
        (true, false) => attention(lines, "fanotify: exists on Linux only"),
        (false, _) => {
            attention(lines, "fanotify: switched off; a file that is opened past kernel audit is not noticed")
        }
    }
    if !config.sensor.logs {
        attention(
            lines,
            "logs: switched off; which key opened an ssh session is not seen, nor logins without kernel audit",
        );
    } else if !config.sensor.log_files.is_empty() {
        for path in config.sensor.log_files.iter().filter(|path| std::fs::File::open(path).is_err()) {
            let text = format!(
                "sensor.log_files: `{}` cannot be read now; it is followed once it can",
                path.display()
            );
            say(lines, Verdict::Attention, text);
        }
    } else {
        match log_source() {
            Some(source) => say(lines, Verdict::Good, format!("logs: {source} can be read")),
            None => attention(
                lines,
                "logs: neither auth.log nor journald can be read here; name files in sensor.log_files",
            ),
        }
    }
}

/// Windows: which channels can be read by this account.
#[cfg(windows)]
fn event_log(lines: &mut Vec<Finding>, config: &Config) {
    use crate::sensor::event_log::{IF_THERE, Log as _};
    if !config.sensor.logs {
        let text = "event log: switched off; logins and who opened files are not seen";
        return say(lines, Verdict::Attention, text.to_owned());
    }
    for channel in &config.sensor.channels {
        match crate::windows::event_log_ffi::SystemLog.newest(channel) {
            Ok(_) => say(lines, Verdict::Good, format!("event log: `{channel}` can be read")),
            Err(error) => {
                let is_missing = error.kind() == std::io::ErrorKind::NotFound;
                if !(is_missing && IF_THERE.contains(&channel.as_str())) {
                    let text = format!(
                        "event log: `{channel}` cannot be read ({error}); run this as an administrator, and check the name"
                    );
                    say(lines, Verdict::Attention, text);
                }
            }
        }
    }
    let missing =
        crate::sensor::audit_policy::to_do(&crate::windows::audit_policy_ffi::SystemPolicy, &config.watches);
    if missing.is_empty() {
        let text = "event log: audit policy, entries for auditing and the Security log are as they should be";
        say(lines, Verdict::Good, text.to_owned());
    }
    for line in missing {
        say(lines, Verdict::Attention, format!("event log: {line}"));
    }
}

#[cfg(not(windows))]
fn event_log(_lines: &mut Vec<Finding>, _config: &Config) {}

#[cfg(unix)]
fn log_source() -> Option<String> {
    crate::sensor::logs::usual_source()
}

#[cfg(not(unix))]
fn log_source() -> Option<String> {
    None
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// When the check was made, for its heading.
pub fn heading(dir: &Path, now: Moment) -> String {
    format!("ntk-agent {} in {} at {}", env!("CARGO_PKG_VERSION"), dir.display(), clock::text(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_line() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(config::path_in(scratch.path()), "colour = 1\nkeepalive_s = 0").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let now = Moment::from_unix_nanos(0);
        let lines = runtime.block_on(check(scratch.path(), now));
        let text: Vec<String> = lines.iter().map(Finding::to_string).collect();
        assert!(
            text[0].starts_with("FAIL  configuration: ")
                && text[0].contains("`colour`")
                && text[0].contains("`keepalive_s`")
        );
        assert!(text[1].starts_with("FAIL  identity: ") && text[1].contains("ntk-agent enroll"));
        assert_eq!(text[2], "ok    spool: none yet; the first start makes it");
    }

    #[test]
    fn certificates_are_judged_by_their_dates() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["x".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        for (now, verdict) in [
            ("2025-06-01T00:00:00Z", Verdict::Bad),
            ("2026-06-01T00:00:00Z", Verdict::Good),
            ("2026-12-20T00:00:00Z", Verdict::Attention),
            ("2027-06-01T00:00:00Z", Verdict::Bad),
        ] {
            let mut lines = Vec::new();
            certificate(&mut lines, "it", &pem, Moment::parse(now).unwrap());
            assert_eq!(lines[0].verdict, verdict, "{now}: {}", lines[0]);
        }
        let mut lines = Vec::new();
        certificate(&mut lines, "it", "none", Moment::from_unix_nanos(0));
        assert_eq!(lines[0].verdict, Verdict::NoStart);
    }
}
