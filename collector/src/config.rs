//! `collector.toml`: everything that a person may set, with safe defaults.
//!
//! Read once into [`Config`]; every fault is reported with the name of its key. A changed file is read again
//! while the collector runs ([`reload`]); what cannot change without a start says so.

pub mod console;
pub mod delivery;
#[cfg(test)]
mod example;
pub mod m365;
pub mod monitoring;
pub mod reload;
pub mod store;
pub mod time_stamps;

use std::path::Path;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::home::{HomeError, read_text};
use crate::off_site::target::{RawOffSite, Target};
use console::{ConsoleAt, RawConsole};
use delivery::{Delivery, MailSection, NoticesSection, ReportSection};
use m365::{M365, M365Section};
use monitoring::MonitoringSection;
use store::{StoreAt, StoreSection};
use time_stamps::{TimeStampSection, TimeStamps};

/// The configuration as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RawConfig {
    /// The practice's full name, as it stands on reports.
    pub practice: String,
    /// IANA name of the practice's time zone.
    pub timezone: String,
    /// Where agents connect: `address:port`.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// The address that tokens tell agents, where it is not `listen` (behind a router, by host name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_for_agents: Option<String>,
    /// More addresses for tokens, tried in this order after the first: other collectors over the same ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_addresses_for_agents: Vec<String>,
    /// Where help-desk systems may ask for tickets: `address:port`; nowhere where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tickets_listen: Option<String>,
    /// How often checkpoints go round to the agents, seconds.
    #[serde(default = "default_round")]
    pub witness_round_seconds: u64,
    /// A machine that was not heard for so many seconds counts as silent: two keepalives and some slack.
    #[serde(default = "default_silent")]
    pub silent_after_seconds: u32,
    /// After its return a machine has so many seconds to deliver what it recorded, before the cause is decided.
    #[serde(default = "default_settle")]
    pub settle_seconds: i64,
    /// The ledger verifies itself every so many hours.
    #[serde(default = "default_self_check")]
    pub self_check_hours: u32,
    /// `human`, `json`, or `journald` (each line begins with its priority).
    #[serde(default = "default_log")]
    pub log: String,
    /// Which messages are logged: `info`, `warn`, `ntk_collector=debug`.
    #[serde(default = "default_level")]
    pub log_level: String,
    /// Where this collector lives: for the reports' footer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<crate::place::Place>,
    /// Who administers host, hypervisor, network and backup: for the reports' footer.
    #[serde(default)]
    pub administers: std::collections::BTreeMap<String, String>,
    /// How long entries and acts are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Where finished segments are copied, encrypted to the recovery key; nowhere where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_site: Option<RawOffSite>,
    /// Who is asked for time-stamps; nobody where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_stamps: Option<TimeStampSection>,
    /// Where people sign in with a browser; nowhere where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<RawConsole>,
    /// When the weekly review is made; only when asked for where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportSection>,
    /// How mails are sent; none are where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSection>,
    /// Who is told at once; nobody where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices: Option<NoticesSection>,
    /// The practice's own application in Microsoft 365; nobody is asked where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m365: Option<M365Section>,
    /// Where monitoring asks; nowhere but the admin socket where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringSection>,
    /// The database that holds the ledger; this computer's own files where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreSection>,
}

/// `[retention]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Retention {
    /// Entries of agents are removed after so many months; notes and leaf hashes stay.
    #[serde(default = "default_raw_months")]
    pub raw_months: u32,
    /// Acts are kept at least so many years. This version removes none.
    #[serde(default = "default_acts_years")]
    pub acts_years: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { raw_months: default_raw_months(), acts_years: default_acts_years() }
    }
}

fn default_raw_months() -> u32 {
    24
}
fn default_acts_years() -> u32 {
    6
}

fn default_listen() -> String {
    "0.0.0.0:7443".into()
}
fn default_round() -> u64 {
    60
}
fn default_silent() -> u32 {
    crate::silence::SILENT_AFTER_SECONDS
}
fn default_settle() -> i64 {
    crate::silence::SETTLE_SECONDS
}
fn default_self_check() -> u32 {
    24
}
fn default_log() -> String {
    "human".into()
}
fn default_level() -> String {
    "info".into()
}

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// As written.
    pub raw: RawConfig,
    /// Who is asked for time-stamps.
    pub time_stamps: Option<TimeStamps>,
    /// The practice's zone.
    pub zone: TimeZone,
    /// Where copies go.
    pub off_site: Option<Target>,
    /// Where people sign in with a browser.
    pub console: Option<ConsoleAt>,
    /// Reviews on schedule, mails, notices.
    pub delivery: Delivery,
    /// Through which application Microsoft 365 is asked.
    pub m365: Option<M365>,
    /// The database that holds the ledger.
    pub store: Option<StoreAt>,
}

/// What a footer names.
pub const ADMINISTERED: [&str; 4] = ["host", "hypervisor", "network", "backup"];

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] HomeError),
    /// Not TOML, or a key that does not exist.
    #[error("`{path}` is not a configuration: {wrong}")]
    Form {
        /// Which file.
        path: String,
        /// What the reader says, with line and column.
        wrong: String,
    },
    /// Values that do not fit; all of them.
    #[error("`{path}`: {}", faults.join("; "))]
    Values {
        /// Which file.
        path: String,
        /// One sentence a key.
        faults: Vec<String>,
    },
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Reads a text; `path` is for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text)
            .map_err(|error| ConfigError::Form { path: path.into(), wrong: error.to_string() })?;
        let mut faults = Vec::new();
        if raw.practice.trim().is_empty() || raw.practice.contains('\n') {
            faults.push("`practice` is the practice's name in one line".to_owned());
        }
        let zone = TimeZone::get(&raw.timezone);
        if zone.is_err() {
            faults.push(format!("`timezone`: `{}` is not a zone such as `America/New_York`", raw.timezone));
        }
        for (key, value) in [
            ("listen", Some(&raw.listen)),
            ("address_for_agents", raw.address_for_agents.as_ref()),
            ("tickets_listen", raw.tickets_listen.as_ref()),
        ] {
            if value.is_some_and(|value| !is_address(value)) {
                faults.push(format!("`{key}`: `{}` is not `address:port`", value.map_or("", String::as_str)));
            }
        }
        if let Some(section) = &raw.monitoring {
            section.check(&mut faults);
        }
        for address in raw.more_addresses_for_agents.iter().filter(|address| !is_address(address)) {
            faults.push(format!("`more_addresses_for_agents`: `{address}` is not `address:port`"));
        }
        if raw.more_addresses_for_agents.len() >= ADDRESSES_MAX {
            faults.push(format!("`more_addresses_for_agents` are fewer than {ADDRESSES_MAX}"));
        }
        if !(1..=86_400).contains(&raw.witness_round_seconds) {
            faults.push("`witness_round_seconds` is a number from 1 to 86400".into());
        }
        if !(2..=86_400).contains(&raw.silent_after_seconds) {
            faults.push("`silent_after_seconds` is a number from 2 to 86400".into());
        }
        if !(1..=3600).contains(&raw.settle_seconds) {
            faults.push("`settle_seconds` is a number from 1 to 3600".into());
        }
        if !(1..=720).contains(&raw.self_check_hours) {
            faults.push("`self_check_hours` is a number from 1 to 720".into());
        }
        if !(1..=600).contains(&raw.retention.raw_months) {
            faults.push("`retention.raw_months` is a number from 1 to 600".into());
        }
        if !(6..=100).contains(&raw.retention.acts_years) {
            faults.push("`retention.acts_years` is a number from 6 to 100".into());
        }
        if !["human", "json", "journald"].contains(&raw.log.as_str()) {
            faults.push("`log` is `human`, `json` or `journald`".into());
        }
        if raw.log_level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            faults.push(format!("`log_level`: `{}` is not a filter such as `info`", raw.log_level));
        }
        for key in raw.administers.keys().filter(|key| !ADMINISTERED.contains(&key.as_str())) {
            faults.push(format!(
                "`administers.{key}`: only host, hypervisor, network and backup are asked for"
            ));
        }
        let off_site = raw.off_site.as_ref().map(Target::parse).transpose();
        let off_site = off_site.unwrap_or_else(|wrong| {
            faults.extend(wrong);
            None
        });
        let time_stamps = raw.time_stamps.as_ref().and_then(|section| section.check(&mut faults));
        let console = raw.console.as_ref().and_then(|section| section.check(&mut faults));
        let delivery =
            delivery::check(raw.report.as_ref(), raw.mail.as_ref(), raw.notices.as_ref(), &mut faults);
        let m365 = raw.m365.as_ref().and_then(|section| section.check(&mut faults));
        let store = raw.store.as_ref().and_then(|section| section.check(&mut faults));
        match zone {
            Ok(zone) if faults.is_empty() => {
                Ok(Self { raw, time_stamps, zone, off_site, console, delivery, m365, store })
            }
            _ => Err(ConfigError::Values { path: path.into(), faults }),
        }
    }

    /// The address that tokens carry.
    pub fn address_for_agents(&self) -> &str {
        self.raw.address_for_agents.as_deref().unwrap_or(&self.raw.listen)
    }
}

/// Addresses that a token may carry; agents take no more.
pub(crate) const ADDRESSES_MAX: usize = 8;

pub(crate) fn is_address(text: &str) -> bool {
    let is_host = |host: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        !host.is_empty() && host.chars().all(plain)
    };
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_with_its_key() {
        let text = "practice=' '\ntimezone='Mars/Olympus'\nlisten='no where:1'\ntickets_listen='here'\nwitness_round_seconds=0\nlog='xml'\n[administers]\ncoffee='me'\n[off_site]\nto='backup'";
        let error = Config::parse(text, "c.toml").unwrap_err().to_string();
        for key in [
            "practice",
            "timezone",
            "`listen`",
            "`tickets_listen`",
            "witness_round_seconds",
            "`log`",
            "administers.coffee",
            "`off_site.to`",
        ] {
            assert!(error.contains(key), "{key} in {error}");
        }
        let error =
            Config::parse("practice='a'\ntimezone='UTC'\nlissten='x:1'", "c.toml").unwrap_err().to_string();
        assert!(error.contains("lissten"), "{error}");
        assert!(Config::parse("practice='a'\ntimezone='America/New_York'", "c.toml").is_ok());
        let text =
            "practice='a'\ntimezone='UTC'\n[time_stamps]\nurl='ftp://tsa'\nevery_minutes=0\ncertificates=''";
        let error = Config::parse(text, "c.toml").unwrap_err().to_string();
        for key in ["`time_stamps.url`", "`time_stamps.every_minutes`", "`time_stamps.certificates`"] {
            assert!(error.contains(key), "{key} in {error}");
        }
    }
}
