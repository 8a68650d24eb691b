//! Records of wtmp and btmp (utmp(5)): 384 bytes each on 64-bit Linux, numbers in the machine's order.
//!
//! ```text
//! 0 type i16   4 pid i32   8 line 32   44 user 32   76 host 256   336 session i32   340 seconds u32
//! ```

use ntk_evidence::time::Moment;

/// Bytes of one record.
pub const RECORD_BYTES: usize = 384;

const USER_PROCESS: i16 = 7;
const DEAD_PROCESS: i16 = 8;
/// The greatest type that exists (ACCOUNTING).
const TYPE_MAX: i16 = 9;

/// What a record says of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitKind {
    /// Somebody logged in.
    Began,
    /// The session on it ended.
    Ended,
    /// Anything else: boots, run levels, clock changes, waiting terminals.
    Other,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// What it says.
    pub kind: VisitKind,
    /// When.
    pub at: Moment,
    /// The login program.
    pub pid: Option<u32>,
    /// The terminal, without `/dev/`.
    pub line: String,
    /// The account; empty at a session's end.
    pub user: String,
    /// Where from; empty for the machine itself.
    pub host: String,
}

impl Visit {
    /// Reads one record; `None` where it is none. Each record of btmp is a refused try, whatever its type.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = record.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let kind = i16::from_le_bytes(record.get(..2)?.try_into().ok()?);
        if record.len() != RECORD_BYTES || !(0..=TYPE_MAX).contains(&kind) {
            return None;
        }
        Some(Self {
            kind: match kind {
                // A terminal that waits (type 6) has nobody on it yet.
                USER_PROCESS if !text(record, 44, 32)?.is_empty() => VisitKind::Began,
                DEAD_PROCESS => VisitKind::Ended,
                _ => VisitKind::Other,
            },
            // The field has 32 bits, read as unsigned: good until 2106.
            at: Moment::from_unix_seconds(i64::from(number(340)?))?,
            pid: number(4).filter(|pid| *pid != 0),
            line: text(record, 8, 32)?,
            user: text(record, 44, 32)?,
            host: text(record, 76, 256)?,
        })
    }
}

/// Whether a file begins like one of utmp records: a text file does not have zeros in its first bytes.
pub fn looks_like_utmp(begin: &[u8]) -> bool {
    let Some((head, _)) = begin.split_first_chunk::<4>() else { return false };
    let [low, high, padding @ ..] = head;
    let kind = i16::from_le_bytes([*low, *high]);
    (0..=TYPE_MAX).contains(&kind) && *padding == [0, 0] && begin.len() >= RECORD_BYTES
}

fn text(record: &[u8], at: usize, length: usize) -> Option<String> {
    let bytes = record.get(at..at.checked_add(length)?)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
    Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
}
