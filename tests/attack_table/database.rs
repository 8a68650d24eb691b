//! The lines about a database that holds the ledger, and about whoever administers it.

use super::Attack;
use super::Ends::{Prevented, Seen};

/// Every line.
pub(super) const DATABASE: &[Attack] = &[
    Attack {
        id: "database-row",
        what: "change, swap or delete rows of the ledger's tables",
        ends: Seen {
            by: "every collector that reads them after that: one that follows, or makes its copy anew",
            check: "each batch's signature, both chains, the signed checkpoint of each group",
            after: "at once for new rows; for old ones when a copy is made or compared",
            test: "database::a_changed_row_is_seen_by_whoever_makes_a_copy",
        },
    },
    Attack {
        id: "database-back",
        what: "put an older state of the database back",
        ends: Seen {
            by: "every collector that saw more, agents, witnesses",
            check: "its own copy of the log is longer: it refuses and stops",
            after: "at the next batch or look, a second",
            test: "database::a_database_that_went_back_is_refused_by_every_collector_that_saw_more",
        },
    },
    Attack {
        id: "database-acts",
        what: "write acts into the table in which collectors hand over what they get, or repeat what was there",
        ends: Prevented {
            how: "acts are signed with the collector's key for one request and one term, and each is taken once",
            test: "database::acts_that_were_written_into_the_database_are_not_taken_and_no_act_twice",
        },
    },
    Attack {
        id: "database-passphrases",
        what: "change, swap, remove or put back the row that holds passphrase hashes, so that one of one's own or an old one lets in",
        ends: Prevented {
            how: "rows are sealed with a key of the collectors for one name and version; each collector remembers the newest version that it saw, and the ledger when each passphrase was set. While such a row stands there nobody changes a passphrase, and it is said why",
            test: "in_common::a_passphrase_row_that_was_changed_swapped_put_back_or_removed_lets_nobody_in_and_is_said",
        },
    },
    Attack {
        id: "database-lease",
        what: "take the lease, so that nobody or two collectors lead",
        ends: Prevented {
            how: "each transaction compares holder, term and size in the same row: two cannot both add. While somebody keeps the lease nothing is acknowledged, and agents keep their entries",
            test: "database::a_stolen_lease_stops_nobody_for_long_and_nothing_is_written_twice",
        },
    },
    Attack {
        id: "database-volatile",
        what: "switch the database's durability off, to lose what was acknowledged in a power cut",
        ends: Prevented {
            how: "a collector asks at each connection and refuses. A setting that lies, or a disk that does, it cannot see",
            test: "database::a_database_that_forgets_in_a_power_cut_is_refused",
        },
    },
];
