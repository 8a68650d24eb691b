//! From a TOML table to a [`Config`]: every key has its type, bounds and default here.

use std::path::PathBuf;
use std::time::Duration;

use ntk_evidence::event::Class;
use toml::Table;

use super::section::Section;
use super::{Config, Fault, KeptChoice, SPOOL_BYTES_MIN, SensorChoice, SpoolChoice};
use crate::log_output::LogFormat;
use crate::sensor::event_log::CHANNELS;
use crate::watch_list::{Watch, WatchList};

const SPOOL_BYTES_DEFAULT: u64 = 1 << 30;
const SPOOL_BYTES_MAX: u64 = 1 << 44;
const KEPT_DAYS_DEFAULT: u32 = 90;
const KEPT_BYTES_DEFAULT: u64 = 1 << 30;
const COMMIT_AFTER_MS_DEFAULT: u64 = 50;
const HEALTH_EVERY_S_DEFAULT: u64 = 300;
const KEEPALIVE_S_DEFAULT: u64 = 15;
const INVENTORY_EVERY_S_DEFAULT: u64 = 300;
/// A key that is stolen can sign until its epoch ends: a day is what the design promises.
pub(crate) const EPOCH_HOURS_DEFAULT: u64 = 24;

/// Addresses of one collector: more would be walked for minutes before the first is asked again.
pub(crate) const ADDRESSES_MAX: usize = 8;

pub(super) fn config(table: Table) -> Result<Config, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut section = Section::new("", table, &mut faults);
    let collector = section.text_or_texts("collector");
    if collector.iter().any(|address| !is_address(address)) {
        section
            .fault("collector", "must be host:port, such as \"collector.example:7443\", or a list of such");
    }
    if collector.len() > ADDRESSES_MAX {
        section.fault("collector", format!("must be at most {ADDRESSES_MAX} addresses"));
    }
    let health_every_s = section.number("health_every_s", 1..=86_400).unwrap_or(HEALTH_EVERY_S_DEFAULT);
    let keepalive_s = section.number("keepalive_s", 1..=3_600).unwrap_or(KEEPALIVE_S_DEFAULT);
    let epoch_hours = section.number("epoch_hours", 1..=168).unwrap_or(EPOCH_HOURS_DEFAULT);
    let inventory_every_s =
        section.number("inventory_every_s", 1..=86_400).unwrap_or(INVENTORY_EVERY_S_DEFAULT);
    let log_format = log_format(&mut section);
    let watches = watches(&mut section);
    let sensor = section.below("sensor", |sensor| SensorChoice {
        observe: false,
        audit: sensor.flag("audit", cfg!(not(windows))),
        sealed: sensor.flag("sealed", false),
        fanotify: sensor.flag("fanotify", cfg!(not(windows))),
        logs: sensor.flag("logs", true),
        log_files: log_files(sensor),
        channels: channels(sensor),
        notify: sensor.flag("notify", true),
        recorded: sensor.texts("recorded").into_iter().map(PathBuf::from).collect(),
        recorded_rate: sensor
            .number("recorded_rate", 1..=u64::from(u32::MAX))
            .and_then(|rate| u32::try_from(rate).ok()),
    });
    let spool = section.below("spool", |spool| SpoolChoice {
        bytes_max: spool
            .number("bytes_max", SPOOL_BYTES_MIN..=SPOOL_BYTES_MAX)
            .unwrap_or(SPOOL_BYTES_DEFAULT),
        commit_after: Duration::from_millis(
            spool.number("commit_after_ms", 1..=10_000).unwrap_or(COMMIT_AFTER_MS_DEFAULT),
        ),
    });
    let kept = section.below("kept", |kept| KeptChoice {
        days: kept
            .number("days", 1..=3_650)
            .and_then(|days| u32::try_from(days).ok())
            .unwrap_or(KEPT_DAYS_DEFAULT),
        bytes: kept.number("bytes", 0..=SPOOL_BYTES_MAX).unwrap_or(KEPT_BYTES_DEFAULT),
    });
    section.finish();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Config {
        collector,
        watches,
        sensor,
        spool,
        kept,
        health_every: Duration::from_secs(health_every_s),
        keepalive: Duration::from_secs(keepalive_s),
        epoch_every: Duration::from_secs(epoch_hours.saturating_mul(3600)),
        inventory_every: Duration::from_secs(inventory_every_s),
        log_format,
    })
}

fn log_format(section: &mut Section<'_>) -> LogFormat {
    let Some(word) = section.text("log_format") else { return LogFormat::default() };
    LogFormat::parse(&word).unwrap_or_else(|| {
        section.fault("log_format", format!("must be one of {}", LogFormat::WORDS.join(", ")));
        LogFormat::default()
    })
}

fn log_files(section: &mut Section<'_>) -> Vec<PathBuf> {
    let files: Vec<PathBuf> = section.texts("log_files").into_iter().map(PathBuf::from).collect();
    if files.iter().any(|path| !path.is_absolute()) {
        section.fault("log_files", "must be paths from the root, such as [\"/var/log/auth.log\"]");
    }
    files
}

fn channels(section: &mut Section<'_>) -> Vec<String> {
    let channels = section.texts("channels");
    if channels.is_empty() { CHANNELS.iter().map(|name| (*name).to_owned()).collect() } else { channels }
}

fn watches(section: &mut Section<'_>) -> WatchList {
    let watches = section.each("watch", |watch| {
        let (path, class, owner) = (watch.text("path"), watch.text("class"), watch.text("owner"));
        if path.is_none() {
            watch.fault("path", "is needed: the folder or file to watch, from the root");
        }
        let Some(class) = class else {
            watch.fault("class", format!("is needed: one of {}", Class::WORDS.join(", ")));
            return None;
        };
        let class = Class::from(class);
        if !class.is_known() {
            watch.fault("class", format!("must be one of {}", Class::WORDS.join(", ")));
            return None;
        }
        Watch::new(&path?, class, owner).map_err(|error| watch.fault("path", error.to_string())).ok()
    });
    let decoys = decoys(section);
    WatchList::new(watches.into_iter().chain(decoys).collect()).unwrap_or_else(|error| {
        section.fault("watch", error.to_string());
        WatchList::default()
    })
}

/// A decoy is a watch of its own kind: a folder that the agent fills where it is not there.
fn decoys(section: &mut Section<'_>) -> Vec<Watch> {
    section.each("decoy", |decoy| {
        let (path, class) = (decoy.text("path"), decoy.text("class"));
        if path.is_none() {
            decoy.fault("path", "is needed: a folder that is not there yet, from the root");
        }
        let class = Class::from(class.unwrap_or_else(|| Class::Export.to_string()));
        if !matches!(class, Class::Mailbox | Class::Export) {
            decoy.fault("class", "must be mailbox or export");
            return None;
        }
        let watch = Watch::new(&path?, class, None).map_err(|error| decoy.fault("path", error.to_string()));
        watch.ok().map(Watch::as_decoy)
    })
}

/// Whether a text is `host:port` with a port that exists.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_fits = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@');
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}
