//! Mails: an address that is one, a message of parts, one conversation with a mail server.
//!
//! Only here is lettre spoken (AR-1). A connection is TLS, with a certificate that this machine trusts for the name in the
//! configuration, or goes to a relay on this very machine: nothing is sent to a server that shows another name. A
//! server that offers no STARTTLS where it is asked for gets neither password nor mail.

pub mod lookup;
pub mod place;

use std::fmt;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Message, SmtpTransport, Transport as _};
use ntk_evidence::time::Moment;

use crate::config::delivery::Mail;

/// So long each step with a mail server may take.
const WITHIN: Duration = Duration::from_secs(30);
/// The longest address (RFC 5321, 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;
/// The longest subject that mail programs show.
const SUBJECT_CHARS_MAX: usize = 160;
/// How much is repeated of what a server said.
const SAID_CHARS_MAX: usize = 200;

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS before anything else, or nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the clear, to this machine.
    Loopback,
}

/// A mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(lettre::Address);

impl Address {
    /// Reads `name@host`; nothing else, and no display name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() <= ADDRESS_BYTES_MAX && text.is_ascii() && !text.contains(char::is_control);
        let address = lettre::Address::from_str(text).ok().filter(|_| is_plain)?;
        (address.domain().contains('.') || address.domain() == "localhost").then_some(Self(address))
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter<'a> {
    /// Stable over every attempt: who gets it twice sees that it is one.
    pub message_id: String,
    /// Name of the sender.
    pub practice: &'a str,
    /// One line.
    pub subject: &'a str,
    /// The words.
    pub text: &'a str,
    /// The same for those who see HTML.
    pub html: Option<&'a str>,
    /// Files: name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It could not be put together.
    #[error("the mail could not be put together: {0}")]
    Build(String),
    /// Nobody answered.
    #[error(
        "the mail server `{server}` cannot be reached: {said}; check `mail.server`, `mail.port` and the way out of the building"
    )]
    Reach {
        /// Host and port.
        server: String,
        /// Why.
        said: String,
    },
    /// TLS.
    #[error(
        "the mail server `{server}` did not show a certificate that this machine trusts for that name, and nothing was sent: {said}"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// Why.
        said: String,
    },
    /// It said no.
    #[error("the mail server `{server}` did not take it: {said}")]
    Refused {
        /// Host and port.
        server: String,
        /// What it said.
        said: String,
        /// Whether it is no use to try again soon.
        is_final: bool,
    },
}

/// One attempt; comes back when the server has taken the mail, or with the reason. Blocks.
pub fn send(
    mail: &Mail,
    password: Option<&str>,
    to: &Address,
    letter: Letter<'_>,
    now: Moment,
) -> Result<(), MailError> {
    let message = message(mail, to, letter, now)?;
    let server = format!("{}:{}", mail.server, mail.port);
    let tls = |parameters: fn(TlsParameters) -> Tls| {
        let made = TlsParameters::builder(mail.server.clone()).build_rustls();
        made.map(parameters).map_err(|error| MailError::Tls { server: server.clone(), said: said(&error) })
    };
    let tls = match mail.security {
        Security::StartTls => tls(Tls::Required)?,
        Security::Tls => tls(Tls::Wrapper)?,
        Security::Loopback => Tls::None,
    };
    let mut transport = SmtpTransport::builder_dangerous(&mail.server)
        .port(mail.port)
        .tls(tls)
        .timeout(Some(WITHIN))
        // The practice's own host name is nobody's business.
        .hello_name(ClientId::Domain("ntk-collector.invalid".into()));
    if let (Some(user), Some(password)) = (&mail.user, password) {
        transport = transport.credentials(Credentials::new(user.clone(), password.to_owned()));
    }
    transport.build().send(&message).map(|_| ()).map_err(|error| {
        let said = said(&error);
        let is_certificate =
            ["certificate", "tls", "handshake"].iter().any(|word| said.to_lowercase().contains(word));
        match (error.is_tls() || is_certificate, error.is_permanent() || error.is_transient()) {
            (_, true) => MailError::Refused { server, said, is_final: error.is_permanent() },
            (true, false) => MailError::Tls { server, said },
            (false, false) => MailError::Reach { server, said },
        }
    })
}

fn message(mail: &Mail, to: &Address, letter: Letter<'_>, now: Moment) -> Result<Message, MailError> {
    let build = |error: &dyn fmt::Display| MailError::Build(error.to_string());
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let message = Message::builder()
        .from(Mailbox::new(Some(one_line(letter.practice, 80)), mail.from.0.clone()))
        .to(Mailbox::new(None, to.0.clone()))
        .subject(one_line(letter.subject, SUBJECT_CHARS_MAX))
        .date(date.unwrap_or(SystemTime::UNIX_EPOCH))
        .message_id(Some(letter.message_id));
    let words = match letter.html {
        Some(html) => MultiPart::alternative_plain_html(letter.text.to_owned(), html.to_owned()),
        None => MultiPart::mixed().singlepart(SinglePart::plain(letter.text.to_owned())),
    };
    if letter.files.is_empty() {
        return message.multipart(words).map_err(|error| build(&error));
    }
    let kind = ContentType::parse("application/octet-stream").map_err(|error| build(&error))?;
    let mut whole = MultiPart::mixed().multipart(words);
    for (name, bytes) in letter.files {
        whole = whole.singlepart(Attachment::new(name).body(bytes, kind.clone()));
    }
    message.multipart(whole).map_err(|error| build(&error))
}

/// Text that somebody else supplied, in one line that no header ends at: control and direction characters become visible.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let plain = |c: char| if c.is_control() || is_direction(c) { '\u{fffd}' } else { c };
    text.trim().chars().map(plain).take(chars_max).collect()
}

/// Characters that turn the direction of what follows.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn said(error: &dyn std::error::Error) -> String {
    one_line(&crate::error_chain(error), SAID_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::delivery::Attach;

    fn written(practice: &str, subject: &str, files: Vec<(String, Vec<u8>)>) -> String {
        let address = Address::parse("mary@example.net").unwrap();
        let mail = Mail {
            server: "localhost".into(),
            port: 25,
            security: Security::StartTls,
            user: None,
            from: address.clone(),
            to: Vec::new(),
            attach: Attach::Nothing,
            details: false,
        };
        let message_id = "<report-2026-w47@maple.ntk.invalid>".to_owned();
        let letter =
            Letter { message_id, practice, subject, text: "Nothing.", html: Some("<p>Nothing.</p>"), files };
        let now = Moment::parse("2026-11-23T12:00:00Z").unwrap();
        String::from_utf8(message(&mail, &address, letter, now).unwrap().formatted()).unwrap()
    }

    #[test]
    fn no_name_ends_a_header_and_begins_another() {
        let nasty = "Maple\r\nBcc: other@example.org\r\n\r\n<b>body";
        let message = written(nasty, nasty, vec![("report.html.age".into(), vec![0, 1, 2])]);
        let head = message.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
        assert_eq!(head.lines().filter(|line| line.starts_with("Subject:")).count(), 1, "{head}");
        assert!(head.contains("Message-ID: <report-2026-w47@maple.ntk.invalid>"), "{head}");
        assert!(message.contains("report.html.age") && message.contains("text/html"), "{message}");
        assert_eq!(one_line("a\u{202e}b\tc", 9), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn what_is_no_address_is_none() {
        for wrong in [
            "",
            "mary",
            "mary@",
            "@b.example",
            "a@b.example\r\nRCPT TO:<x@y.example>",
            "Mary <a@b.example>",
            "a@b",
            "a b@c.example",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Address::parse("mary.lopez+ntk@example.net").unwrap().domain(), "example.net");
    }
}
