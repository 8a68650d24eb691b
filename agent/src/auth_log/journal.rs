//! One entry of `journalctl -o json`: the same as a line of a file, and what journald itself knows of its writer.

use ntk_evidence::time::Moment;
use serde_json::{Map, Value};

use super::line::{LINE_BYTES_MAX, Line, Vouched};
use crate::record::UNSET;

/// Reads an entry; `None` where it is none, or has no message.
pub fn line_of_journal(json: &[u8]) -> Option<Line> {
    // Escapes and other fields need more room than the message.
    if json.len() > LINE_BYTES_MAX.saturating_mul(4) {
        return None;
    }
    let entry: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| text(name)?.trim().parse::<u32>().ok();
    let set = |name: &str| number(name).filter(|number| *number != UNSET);
    let micros: i64 = text("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let vouched =
        Vouched { exe: text("_EXE"), login_uid: set("_AUDIT_LOGINUID"), session: set("_AUDIT_SESSION") };
    Some(Line {
        at: Moment::from_unix_nanos(micros.checked_mul(1000)?),
        digits: 6,
        program: text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM"))?,
        pid: number("_PID").or_else(|| number("SYSLOG_PID")),
        message: message(entry.get("MESSAGE")?)?,
        vouched: Some(vouched),
    })
}

/// A text; bytes that are no UTF-8 come as a list of numbers.
fn message(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    let bytes: Vec<u8> = value.as_array()?.iter().map(byte).collect::<Option<_>>()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
