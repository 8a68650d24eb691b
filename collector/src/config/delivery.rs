//! `[report]`, `[mail]`, `[notices]`: when reviews are made, how mails are sent, who is told at once.
//!
//! Passwords and tokens are not here: they are set by `ntk-collector mail password` and its neighbours and lie below
//! `private/`. Addresses of web services are checked to hold none.

use std::path::PathBuf;

use axum::http::Uri;
use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Serialize};

use super::time_stamps::AuthorityUrl;
use crate::encrypt::Recipients;
use crate::mail::{Address, Security};

/// The most addressees of one kind.
const ADDRESSEES_MAX: usize = 16;

/// `[report]` as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportSection {
    /// Day of the week on which the review of the week before is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Local time of that day, `HH:MM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// A folder into which each review is put besides, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// `[mail]` as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MailSection {
    /// Host name of the mail server.
    pub server: String,
    /// Its port; 587 with `starttls`, 465 with `tls` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `starttls`, `tls`, or `none` (for a relay on this very machine).
    #[serde(default = "default_security")]
    pub security: String,
    /// Who signs in; the password is set by `ntk-collector mail password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Address of the sender.
    pub from: String,
    /// Who gets the weekly review: addresses that the watched person does not run.
    pub to: Vec<String>,
    /// `none`, `encrypted` or `link`.
    #[serde(default = "default_attach")]
    pub attach: String,
    /// With `encrypted`: the readers' age public keys; the passphrase of `mail passphrase` where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypt_to: Vec<String>,
    /// With `link`: address of the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether mails name machines and people as the review does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub details: bool,
}

/// `[notices]` as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoticesSection {
    /// Who is told by mail, over the server of `[mail]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<String>,
    /// A gateway (SMS, push) that takes a JSON POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Address of an ntfy topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ntfy: Option<String>,
    /// Address of an outside service that tells when nothing comes any more; `/fail` behind it says that something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_url: Option<String>,
    /// How often it is told, minutes.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_minutes: u32,
    /// From when to when what may wait waits, local time: `22:00-06:30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// The most notices an hour; what is more comes as one, with a count.
    #[serde(default = "default_per_hour")]
    pub per_hour: u32,
    /// So many machines that go silent within five minutes are told; 0 for never.
    #[serde(default = "default_silent_machines")]
    pub silent_machines: u32,
}

fn default_security() -> String {
    "starttls".into()
}
fn default_attach() -> String {
    "none".into()
}
const fn default_heartbeat() -> u32 {
    60
}
const fn default_per_hour() -> u32 {
    4
}
const fn default_silent_machines() -> u32 {
    3
}

/// When a review is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Day of the week.
    pub day: Weekday,
    /// Local time.
    pub time: Time,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { day: Weekday::Monday, time: Time::constant(7, 0, 0, 0) }
    }
}

/// What stands beside a mail's own words.
#[derive(Clone, Debug, PartialEq)]
pub enum Attach {
    /// Nothing.
    Nothing,
    /// The review, for these keys, or for the passphrase where there are none.
    Encrypted(Option<Vec<String>>),
    /// Where the console is.
    Link(String),
}

/// `[mail]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Host name or address.
    pub server: String,
    /// Port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// Who signs in.
    pub user: Option<String>,
    /// The sender.
    pub from: Address,
    /// Who gets reviews.
    pub to: Vec<Address>,
    /// What goes with the words.
    pub attach: Attach,
    /// Whether names may stand in a mail.
    pub details: bool,
}

/// From when to when, local time; over midnight where the end is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Begin.
    pub from: Time,
    /// End.
    pub to: Time,
}

/// `[notices]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Notices {
    /// By mail.
    pub mail: Vec<Address>,
    /// A gateway.
    pub webhook: Option<AuthorityUrl>,
    /// A topic.
    pub ntfy: Option<AuthorityUrl>,
    /// Who misses us.
    pub heartbeat: Option<AuthorityUrl>,
    /// How often, seconds.
    pub heartbeat_seconds: i64,
    /// Quiet hours.
    pub quiet: Option<Quiet>,
    /// Notices an hour.
    pub per_hour: usize,
    /// Silent machines.
    pub silent_machines: usize,
}

/// All that is sent out, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// When reviews are made; never by themselves where absent.
    pub schedule: Option<Schedule>,
    /// Where each is put besides.
    pub folder: Option<PathBuf>,
    /// How mails go out.
    pub mail: Option<Mail>,
    /// Who is told at once.
    pub notices: Option<Notices>,
}

/// The sections checked; what is wrong with them goes to `faults`, by key.
pub(super) fn check(
    report: Option<&ReportSection>,
    mail: Option<&MailSection>,
    notices: Option<&NoticesSection>,
    faults: &mut Vec<String>,
) -> Delivery {
    let (schedule, folder) = report.map_or((None, None), |section| section.check(faults));
    let checked = mail.map(|section| section.check(faults));
    let notices = notices.map(|section| section.check(mail.is_some(), faults));
    Delivery { schedule, folder, mail: checked.flatten(), notices }
}

impl ReportSection {
    fn check(&self, faults: &mut Vec<String>) -> (Option<Schedule>, Option<PathBuf>) {
        let mut schedule = Schedule::default();
        if let Some(day) = &self.day {
            match weekday(day) {
                Some(day) => schedule.day = day,
                None => faults.push(format!("`report.day`: `{day}` is not a day such as `monday`")),
            }
        }
        if let Some(time) = &self.time {
            match clock_time(time) {
                Some(time) => schedule.time = time,
                None => faults.push(format!("`report.time`: `{time}` is not a time such as `07:00`")),
            }
        }
        let folder = self.folder.as_ref().map(PathBuf::from);
        if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            faults.push("`report.folder` is an absolute path, such as `/media/usb/reviews`".into());
        }
        (Some(schedule), folder)
    }
}

impl MailSection {
    fn check(&self, faults: &mut Vec<String>) -> Option<Mail> {
        let before = faults.len();
        let security = match self.security.as_str() {
            "starttls" => Security::StartTls,
            "tls" => Security::Tls,
            "none" if is_loopback(&self.server) => Security::Loopback,
            "none" => {
                faults.push(
                    "`mail.security`: `none` would show every mail and the password on the way; it is for a relay on this machine only (server = \"127.0.0.1\"), else use `starttls` or `tls`".into(),
                );
                Security::StartTls
            }
            other => {
                faults.push(format!("`mail.security`: `{other}` is none of `starttls`, `tls`, `none`"));
                Security::StartTls
            }
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if self.server.is_empty() || !self.server.chars().all(is_host) {
            faults.push(format!("`mail.server`: `{}` is not a host name", self.server));
        }
        if self.user.as_ref().is_some_and(|user| user.is_empty() || user.chars().any(char::is_control)) {
            faults.push("`mail.user` is a name in one line, or not there".into());
        }
        let from = address("mail.from", &self.from, faults);
        let to = addresses("mail.to", &self.to, faults);
        if self.to.is_empty() {
            faults
                .push("`mail.to` names nobody; give an address that the watched person does not run".into());
        }
        let attach = self.attach(faults);
        let port = self.port.unwrap_or(match security {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::Loopback => 25,
        });
        let from = from.filter(|_| faults.len() == before)?;
        let (server, user) = (self.server.clone(), self.user.clone());
        Some(Mail { server, port, security, user, from, to, attach: attach?, details: self.details })
    }

    fn attach(&self, faults: &mut Vec<String>) -> Option<Attach> {
        match (self.attach.as_str(), &self.link) {
            ("none", _) => Some(Attach::Nothing),
            ("encrypted", _) => match Recipients::parse(&self.encrypt_to) {
                Ok(keys) => Some(Attach::Encrypted(keys.map(|_| self.encrypt_to.clone()))),
                Err(wrong) => {
                    faults.push(format!("`mail.encrypt_to`: {wrong}"));
                    None
                }
            },
            ("link", Some(link)) if AuthorityUrl::parse(link).is_some_and(|url| url.is_https) => {
                Some(Attach::Link(link.clone()))
            }
            ("link", _) => {
                faults.push(
                    "`mail.link`: give the console's address, such as `https://collector.example:8443/`"
                        .into(),
                );
                None
            }
            (other, _) => {
                faults.push(format!("`mail.attach`: `{other}` is none of `none`, `encrypted`, `link`"));
                None
            }
        }
    }
}

impl NoticesSection {
    fn check(&self, has_mail: bool, faults: &mut Vec<String>) -> Notices {
        let mut web = |key: &str, value: &Option<String>| {
            let url = value.as_ref()?;
            let parsed = AuthorityUrl::parse(url);
            let parsed = parsed.filter(|parsed| parsed.is_https || is_loopback(&parsed.host));
            if parsed.is_none() {
                faults.push(format!(
                    "`notices.{key}`: `{}` is not an address such as `https://push.example.com/topic`",
                    without_secret(url)
                ));
            }
            parsed
        };
        let (webhook, ntfy) = (web("webhook", &self.webhook), web("ntfy", &self.ntfy));
        let heartbeat = web("heartbeat_url", &self.heartbeat_url);
        let mail = addresses("notices.mail", &self.mail, faults);
        if !self.mail.is_empty() && !has_mail {
            faults.push("`notices.mail` needs the section [mail], which says over which server".into());
        }
        if !(1..=10_080).contains(&self.heartbeat_minutes) {
            faults.push("`notices.heartbeat_minutes` is a number from 1 to 10080".into());
        }
        if !(1..=60).contains(&self.per_hour) {
            faults.push("`notices.per_hour` is a number from 1 to 60".into());
        }
        if self.silent_machines == 1 || self.silent_machines > 1000 {
            faults.push("`notices.silent_machines` is 0 or a number from 2 to 1000".into());
        }
        let quiet = self.quiet.as_ref().and_then(|text| {
            let times = text.split_once('-');
            let times = times.and_then(|(from, to)| Some((clock_time(from.trim())?, clock_time(to.trim())?)));
            let quiet = times.filter(|(from, to)| from != to).map(|(from, to)| Quiet { from, to });
            if quiet.is_none() {
                faults.push(format!("`notices.quiet`: `{text}` is not a span such as `22:00-06:30`"));
            }
            quiet
        });
        Notices {
            mail,
            webhook,
            ntfy,
            heartbeat,
            heartbeat_seconds: i64::from(self.heartbeat_minutes).saturating_mul(60),
            quiet,
            per_hour: usize::try_from(self.per_hour).unwrap_or(1),
            silent_machines: usize::try_from(self.silent_machines).unwrap_or(usize::MAX),
        }
    }
}

fn addresses(key: &str, texts: &[String], faults: &mut Vec<String>) -> Vec<Address> {
    if texts.len() > ADDRESSEES_MAX {
        faults.push(format!("`{key}` names more than {ADDRESSEES_MAX}; use a list of your mail provider"));
    }
    let mut found: Vec<Address> = Vec::new();
    for text in texts {
        found.extend(address(key, text, faults).filter(|address| !found.contains(address)));
    }
    found
}

fn address(key: &str, text: &str, faults: &mut Vec<String>) -> Option<Address> {
    let address = Address::parse(text);
    if address.is_none() {
        faults
            .push(format!("`{key}`: `{}` is not an address such as `mary@example.com`", text.escape_debug()));
    }
    address
}

/// A topic's or gateway's path is as good as a password: faults and acts name the host alone.
fn without_secret(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).map(str::to_owned);
    host.map_or_else(|| "what stands there".to_owned(), |host| format!("{host}/…"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn weekday(text: &str) -> Option<Weekday> {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let at = days.iter().position(|day| text.trim().eq_ignore_ascii_case(day))?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let is_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(hour) || !is_digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn faults(text: &str) -> String {
        let text = format!("practice='a'\ntimezone='UTC'\n{text}");
        Config::parse(&text, "c.toml").map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn every_fault_is_named_with_its_key_and_no_secret_address_is_repeated() {
        let wrong = "[report]\nday='someday'\ntime='7'\nfolder='out'\n\
            [mail]\nserver='mail.example.com'\nsecurity='none'\nfrom='not an address'\nto=[\"a@b.example\\r\\nBcc: x@y.example\"]\nattach='link'\n\
            [notices]\nwebhook='http://gateway.example/secret-path'\nheartbeat_minutes=0\nquiet='late'\nper_hour=0\nsilent_machines=1\n";
        let said = faults(wrong);
        for key in [
            "`report.day`",
            "`report.time`",
            "`report.folder`",
            "`mail.security`",
            "`mail.from`",
            "`mail.to`",
            "`mail.link`",
            "`notices.webhook`",
            "`notices.heartbeat_minutes`",
            "`notices.quiet`",
            "`notices.per_hour`",
            "`notices.silent_machines`",
        ] {
            assert!(said.contains(key), "{key} in {said}");
        }
        assert!(!said.contains("secret-path") && !said.contains('\r'), "{said}");
        assert!(faults("[notices]\nmail=['a@b.example']").contains("needs the section [mail]"));
        assert_eq!(
            faults(
                "[report]\n[mail]\nserver='127.0.0.1'\nsecurity='none'\nfrom='a@b.example'\nto=['c@d.example']"
            ),
            ""
        );
    }
}
