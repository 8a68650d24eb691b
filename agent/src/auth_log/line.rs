//! One line of a log file: who said it, when, and what.
//!
//! ```text
//! [<PRI>]Mmm dd hh:mm:ss HOST PROGRAM[PID]: MESSAGE              RFC 3164: neither year nor zone
//! [<PRI>]RFC3339 HOST PROGRAM[PID]: MESSAGE                      what rsyslog writes today
//! <PRI>1 RFC3339 HOST PROGRAM PID MSGID -|[DATA] MESSAGE         RFC 5424
//! ```

use ntk_evidence::time::Moment;

/// Longest line that is read; what is longer is damaged.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What stands in for what a line's time lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undated {
    /// The line was written just now: followed live, in whatever zone the machine is.
    Now(Moment),
    /// The last such date before this moment, in UTC: replayed, the file's own last change.
    Before(Moment),
}

/// Who wrote a line, as journald says and not as the line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vouched {
    /// The program.
    pub exe: Option<String>,
    /// The login uid that the kernel stamps on its writer.
    pub login_uid: Option<u32>,
    /// The session that the kernel stamps on its writer.
    pub session: Option<u32>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written.
    pub at: Moment,
    /// Digits of the second's fraction that its time had.
    pub digits: usize,
    /// The program's name for itself.
    pub program: String,
    /// Its process number.
    pub pid: Option<u32>,
    /// What it said.
    pub message: String,
    /// What journald knows of the writer; none in files.
    pub vouched: Option<Vouched>,
}

impl Line {
    /// Reads a line; `None` where it is no line of a log.
    pub fn parse(bytes: &[u8], undated: Undated) -> Option<Self> {
        if bytes.len() > LINE_BYTES_MAX || bytes.contains(&0) {
            return None;
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        let rest = without_priority(text);
        match rest.strip_prefix("1 ").filter(|_| rest.len() < text.len()) {
            Some(rest) => structured(rest),
            None => plain(rest, undated),
        }
    }

    /// Its time as events bear it: with the precision that it had.
    pub fn time(&self) -> String {
        self.at.to_rfc3339(self.digits)
    }
}

fn without_priority(text: &str) -> &str {
    let inside = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match inside {
        Some((number, rest)) if number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        Some(_) | None => text,
    }
}

fn structured(rest: &str) -> Option<Line> {
    let mut parts = rest.splitn(6, ' ');
    let (at, digits) = dated(parts.next()?)?;
    let (_host, program, pid, _id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let message = without_data(parts.next()?)?;
    let message = message.strip_prefix('\u{feff}').unwrap_or(message).trim_start();
    let program = Some(program).filter(|name| *name != "-").unwrap_or_default().to_owned();
    Some(Line { at, digits, program, pid: pid.parse().ok(), message: message.to_owned(), vouched: None })
}

/// What follows the structured data: `-`, or groups in brackets whose values may hold escaped ones.
fn without_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some(rest);
    }
    let mut rest = text;
    while let Some(group) = rest.strip_prefix('[') {
        let mut escaped = false;
        let end = group.char_indices().find(|(_, c)| {
            let ends = *c == ']' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        rest = group.get(end?.0.checked_add(1)?..)?;
    }
    (rest.len() < text.len()).then_some(rest)
}

fn plain(text: &str, undated: Undated) -> Option<Line> {
    let (at, digits, rest) = match text.split_once(' ').and_then(|(time, rest)| Some((dated(time)?, rest))) {
        Some(((at, digits), rest)) => (at, digits, rest),
        None => {
            let (at, rest) = yearless(text, undated)?;
            (at, 0, rest)
        }
    };
    let (_host, rest) = rest.split_once(' ')?;
    let (tag, message) = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    // `gdm-password]` is a program of that name: only a bracket that opens begins the number.
    let (program, pid) = match tag.strip_suffix(']').and_then(|tag| tag.rsplit_once('[')) {
        Some((program, pid)) => (program, pid.parse().ok()),
        None => (tag, None),
    };
    if program.is_empty() || program.contains(char::is_whitespace) {
        return None;
    }
    let (program, message) = (program.to_owned(), message.trim_start().to_owned());
    Some(Line { at, digits, program, pid, message, vouched: None })
}

fn dated(text: &str) -> Option<(Moment, usize)> {
    let at = Moment::parse(text)?;
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(9);
    Some((at, digits))
}

fn yearless(text: &str, undated: Undated) -> Option<(Moment, &str)> {
    let (date, rest) = (text.get(..15)?, text.get(15..)?.strip_prefix(' ')?);
    let month = MONTHS.iter().position(|month| date.get(..3) == Some(month))?.checked_add(1)?;
    let day: u32 = date.get(4..6)?.trim_start().parse().ok()?;
    let clock = date.get(7..)?;
    let in_year = |year: i64| Moment::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}Z"));
    match undated {
        // A date that exists in some year: 29 February, too.
        Undated::Now(now) => in_year(2000).map(|_| (now, rest)),
        Undated::Before(last) => {
            let year: i64 = last.to_rfc3339(0).get(..4)?.parse().ok()?;
            // A day's grace: the file's time is UTC, the line's zone is not known.
            let latest = last.plus_seconds(86_400);
            let years = (0..8).map(|back| year.saturating_sub(back));
            let at = years.filter_map(in_year).find(|at| *at <= latest)?;
            Some((at, rest))
        }
    }
}
