//! What the collector did that must stand in this machine's own log: lost, changed or contradicted evidence.

use ntk_evidence::event::Event;
use ntk_evidence::receipt::ReceiptError;
use ntk_evidence::time::Moment;

use crate::spool::room;

/// Kinds of incidents; each is told once until a receipt verifies again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incident {
    /// It holds fewer entries of this machine than it acknowledged, or its log is smaller than before.
    RolledBack,
    /// It shows another log than before.
    Forked,
    /// It claims to hold what its proof does not show, or another note than ours.
    ReceiptInvalid,
    /// It holds more entries of this machine than this spool: the spool was rewound, or the machine cloned.
    SpoolBehind,
    /// A stored batch can no longer be read.
    SpoolUnreadable,
}

impl Incident {
    /// What a receipt or checkpoint that does not verify means.
    pub fn of(error: &ReceiptError) -> Self {
        match error {
            ReceiptError::RolledBack { .. } => Self::RolledBack,
            ReceiptError::Forked(_) => Self::Forked,
            ReceiptError::Checkpoint(_) | ReceiptError::NotIncluded(_) => Self::ReceiptInvalid,
        }
    }

    /// The cause in the gap event.
    pub fn cause(self) -> &'static str {
        match self {
            Self::RolledBack => "collector_rolled_back",
            Self::Forked => "collector_forked",
            Self::ReceiptInvalid => "receipt_invalid",
            Self::SpoolBehind => "spool_behind",
            Self::SpoolUnreadable => "spool_unreadable",
        }
    }

    /// What a person should do.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RolledBack => {
                "the collector holds less than it acknowledged: it was rolled back or restored; ask who did so"
            }
            Self::Forked => {
                "the collector shows another log than before; keep both checkpoints and ask who changed it"
            }
            Self::ReceiptInvalid => {
                "the collector's proof does not verify; update the older of the two programs, or ask who runs the collector"
            }
            Self::SpoolBehind => {
                "the collector holds more of this machine than its spool: the spool was rewound or the machine cloned; enrol it anew with `ntk-collector enroll new --replace NAME`"
            }
            Self::SpoolUnreadable => {
                "a stored batch can no longer be read; check the disk, keep a copy of the spool, then enrol this machine anew"
            }
        }
    }

    /// The event for this machine's log.
    pub fn event(self, now: Moment) -> Event {
        room::gap(self.cause(), None, now, now, None)
    }
}
