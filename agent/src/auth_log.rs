//! What login programs write into the system's logs: logins, logouts and elevations, from text or from utmp records.
//!
//! ```text
//! auth.log line | journald JSON -> Line -> said -> Told \
//! wtmp, btmp -> Visit                                    > Teller -> Event
//! ```
//! Pure: moments come in with the lines. Every event names the sensor [`SENSOR`], and its confidence is `derived`
//! (the login program named the account) or `unattributed` (somebody claimed it). It is never `kernel`: in a plain
//! log file any account of the machine can write a line in the name of any program. journald says which program a
//! line really came from; there a line that its program did not write is passed over.
//!
//! # Invariants
//! - EV-2: any bytes give a line, a record or nothing, in bounded memory.

mod journal;
mod line;
mod said;
mod teller;
mod utmp;

pub use journal::line_of_journal;
pub use line::{LINE_BYTES_MAX, Line, Undated};
pub(crate) use teller::gap;
pub use teller::{Accepted, Teller, accepted};
pub use utmp::{RECORD_BYTES, Visit, VisitKind, looks_like_utmp};

/// Name of this sensor in events.
pub const SENSOR: &str = "auth-log";

#[cfg(test)]
pub(crate) mod tests;
