//! Innocent look-alikes: the shapes of incidents, with a good reason that the roster, a ticket or the facts give.

mod people;
mod work;

use super::generate::Kind;

/// Every kind. A further one, `overtime`, comes with ordinary days.
pub const KINDS: &[Kind] = &[
    Kind { name: "mailbox_ticket_noon", play: work::mailbox_ticket_noon },
    Kind { name: "call_out", play: work::call_out },
    Kind { name: "late_call_out", play: work::late_call_out },
    Kind { name: "restore_test", play: work::restore_test },
    Kind { name: "antivirus_bulk", play: work::antivirus_bulk },
    Kind { name: "maintenance_window", play: work::maintenance_window },
    Kind { name: "remote_support", play: work::remote_support },
    Kind { name: "confirmed_cron", play: work::confirmed_cron },
    Kind { name: "break_glass_used_well", play: work::break_glass_used_well },
    Kind { name: "unused_ticket", play: work::unused_ticket },
    Kind { name: "physician_at_night", play: people::physician_at_night },
    Kind { name: "cover_holiday", play: people::cover_holiday },
    Kind { name: "billing_month_end", play: people::billing_month_end },
    Kind { name: "password_reset_own", play: people::password_reset_own },
    Kind { name: "new_hire", play: people::new_hire },
    Kind { name: "personnel_review", play: people::personnel_review },
    Kind { name: "leaver_clean_up", play: people::leaver_clean_up },
    Kind { name: "mistyped_password", play: people::mistyped_password },
    Kind { name: "old_device", play: people::old_device },
    Kind { name: "archive_exports", play: people::archive_exports },
    Kind { name: "clearing_house", play: people::clearing_house },
];
