//! The lines about Microsoft 365, Exchange and health-record systems: what their own logs tell, and what is done to these.

use super::Attack;
use super::Ends::{Indirectly, Seen, Unseen};

/// Every line.
pub(super) const MAIL: &[Attack] = &[
    Attack {
        id: "mail-road",
        what: "give an account access to a mailbox, read it as a delegate, and set its owner's password to sign in as the owner",
        ends: Seen {
            by: "need-to-know, from imported records",
            check: "what opens a way to mail is judged by the column `access_rights`; a sign-in after somebody else set the password is an item",
            after: "when it is imported or polled (hourly by default; Microsoft needs up to a day)",
            test: "imports::a_morning_of_microsoft_365_becomes_findings_a_review_and_a_bundle_that_verifies",
        },
    },
    Attack {
        id: "mail-app",
        what: "an application registration, a new secret or a consent that reads mail without its owner",
        ends: Seen {
            by: "need-to-know, and the weekly comparison of applications",
            check: "consent, rights and credentials are changes; what nobody told of shows as a difference",
            after: "when it is polled; the comparison once a week",
            test: "poll::tests::an_application_that_appears_or_goes_is_a_change_at_the_next_weeks_comparison",
        },
    },
    Attack {
        id: "mail-blind",
        what: "switch the mailbox audit off, bypass it for an account, stop the unified audit log, or take the poller's secret away",
        ends: Seen {
            by: "need-to-know, from imported records; the poller",
            check: "each is a change of the recording, urgent where an account is named; a service that tells nothing for 24 hours is a gap",
            after: "when it is imported or polled; 24 hours",
            test: "poll::tests::a_day_without_a_record_is_a_gap_whether_it_answers_or_not",
        },
    },
    Attack {
        id: "import-edited",
        what: "edit an export before it is imported",
        ends: Seen {
            by: "the next import of the same records by another way",
            check: "the same id says something else: counted, named, told in the review; the file's hash and who imported it are an act",
            after: "when somebody else imports or polls",
            test: "imports::a_record_that_was_edited_before_its_import_is_named_when_the_original_comes",
        },
    },
    Attack {
        id: "import-cut",
        what: "import an export of which cells are cut, rows damaged, or the oldest part missing",
        ends: Seen {
            by: "the importer",
            check: "damaged rows, cut cells and a full export are gaps with their bounds",
            after: "at once",
            test: "imports::an_export_of_exactly_fifty_thousand_rows_says_that_older_ones_are_missing",
        },
    },
    Attack {
        id: "import-doubled",
        what: "import the same records again and again, to bury others or to count them twice",
        ends: Seen {
            by: "the importer",
            check: "a record is an entry once, by the id that its source gave it",
            after: "at once",
            test: "imports::a_morning_of_microsoft_365_becomes_findings_a_review_and_a_bundle_that_verifies",
        },
    },
    Attack {
        id: "import-key",
        what: "take away or replace the key of imported records",
        ends: Seen {
            by: "the collector",
            check: "the next author takes its place by an act that the review tells first; what was written stays as it is",
            after: "at the next import",
            test: "imports::where_its_key_is_gone_the_next_author_takes_over_and_nothing_is_doubled_or_lost",
        },
    },
    Attack {
        id: "import-left-out",
        what: "leave rows out of an export before it is imported",
        ends: Indirectly(
            "another export or the poller brings them, as new entries then; the practice's own application asks without anybody in between",
        ),
    },
    Attack {
        id: "import-never-recorded",
        what: "read mail in a way that the service does not record (no licence for MailItemsAccessed, a mailbox that was throttled)",
        ends: Unseen(
            "the review names mailboxes of which nothing was told, and a throttled one is a gap of a day",
        ),
    },
];
