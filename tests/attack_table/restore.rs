//! The lines about a collector that is put back from a copy.

use super::Attack;
use super::Ends::{Prevented, Seen};

/// Every line.
pub(super) const RESTORE: &[Attack] = &[
    Attack {
        id: "silent-rollback-beside-a-restore",
        what: "put an old state of the collector back and call it a restore",
        ends: Seen {
            by: "each machine",
            check: "it remembers a larger log, and no trust file of the practice key announces that the log was closed",
            after: "when it connects",
            test: "restore::a_destroyed_collector_is_put_back_machines_explain_the_difference_and_send_again_what_they_hold",
        },
    },
    Attack {
        id: "restore-without-the-practice-key",
        what: "restore the collector with other keys than the practice's, or announce a restore with the collector's keys",
        ends: Prevented {
            how: "the announcement is a line of the trust file: machines and verifiers believe it under the practice key alone",
            test: "restore::a_copy_that_somebody_changed_is_refused_by_the_name_of_the_piece_and_nothing_is_made_of_it",
        },
    },
    Attack {
        id: "recovery-key-exchanged",
        what: "name a recovery key of one's own in the trust file, so that machines and the copy outside encrypt to it",
        ends: Prevented {
            how: "the recipient stands in the trust file: a machine takes another one under the practice key alone, and only with the line `retired` that says from which one, when and why; the review names it, and nobody leads back to one that was replaced",
            test: "replaced_recovery::who_has_the_collector_cannot_exchange_the_recovery_key_for_one_of_his_own",
        },
    },
    Attack {
        id: "recovery-key-stolen",
        what: "keep a copy of the recovery key and read what is encrypted after it was replaced",
        ends: Prevented {
            how: "`keys replace-recovery` names another one: machines put away for it when they hear of it, the next copy outside is encrypted to it as a whole; what was encrypted before stays readable, and the command says where it lies",
            test: "replaced_recovery::after_the_recovery_key_is_replaced_the_old_stick_opens_nothing_made_since_and_the_new_one_puts_the_collector_back",
        },
    },
    Attack {
        id: "copy-changed-before-a-restore",
        what: "change, swap, cut or remove a piece of the copy outside before it is put back",
        ends: Prevented {
            how: "each piece is held to the list, the list to a checkpoint that the lost log signed, settings to the lost collector's key; the piece is named and no collector is made",
            test: "restore::a_copy_that_somebody_changed_is_refused_by_the_name_of_the_piece_and_nothing_is_made_of_it",
        },
    },
];
