//! The lines about the console: its doors, its forms, its sessions, and what strangers write onto its pages.

use super::Attack;
use super::Ends::{Prevented, Seen};

/// Every line.
pub(super) const CONSOLE: &[Attack] = &[
    Attack {
        id: "role",
        what: "open a page, send a form or ask the API for what another role may, or nobody who is signed in",
        ends: Prevented {
            how: "one table says who may; what has no row does not exist. A walk asks for every row as every role and as nobody",
            test: "console::doors::each_page_and_endpoint_opens_to_the_roles_of_its_row_and_to_nobody_else",
        },
    },
    Attack {
        id: "form",
        what: "send any of its forms or requests without the session's token, with an old one, with another session's, or as plain text",
        ends: Prevented {
            how: "GA-2: each needs the token of its own session; a walk sends every one that there is, and the ledger holds nothing of it",
            test: "attacks::console::every_form_and_request_that_changes_something_needs_the_token_of_its_own_session",
        },
    },
    Attack {
        id: "form-elsewhere",
        what: "let a browser that is signed in send a form from another site",
        ends: Prevented {
            how: "the origin has to be the console's own",
            test: "console::doors::a_form_from_elsewhere_or_of_another_session_changes_nothing",
        },
    },
    Attack {
        id: "session-stolen",
        what: "go on with a copy of a session's cookie after sign-out, a new passphrase, role or second factor, a removed account, a restart",
        ends: Prevented {
            how: "each of these ends every session of that person; only hashes are kept, and in memory alone",
            test: "attacks::console::a_stolen_session_is_worth_nothing_once_the_one_it_was_stolen_from_has_ended",
        },
    },
    Attack {
        id: "session-old",
        what: "go on with a copy of a cookie that was left lying",
        ends: Prevented {
            how: "a session ends after 30 idle minutes and after twelve hours; a page that asks by itself keeps nobody in",
            test: "account::session::tests::a_session_ends_when_idle_when_old_and_when_ended",
        },
    },
    Attack {
        id: "guess",
        what: "try a hundred passphrases and codes at a sign-in, from many addresses",
        ends: Seen {
            by: "whoever looks at `account list`, the ledger and the review",
            check: "ten in a row lock the account, even for the right passphrase; the way back is `account unlock`, an act",
            after: "with the tenth",
            test: "attacks::console::a_hundred_guesses_lock_the_account_even_for_the_right_passphrase_until_the_command_line_opens_it",
        },
    },
    Attack {
        id: "set-up-twice",
        what: "use a set-up link of the console a second time",
        ends: Seen {
            by: "who holds it, and the ledger",
            check: "it is spent with the first use; each further attempt is an act with its address",
            after: "at once",
            test: "attacks::console::a_set_up_link_that_was_used_opens_nothing_for_anybody_and_the_attempt_is_an_act",
        },
    },
    Attack {
        id: "first-start",
        what: "set a new box up from the network before its manager does, or guess the code on its screen",
        ends: Prevented {
            how: "nothing is shown or made before the code of this start was typed; after five wrong ones none is right until the box is started again; once the keys were taken away there is no page",
            test: "first_start::tests::after_five_wrong_codes_the_right_one_opens_nothing_and_nothing_was_made",
        },
    },
    Attack {
        id: "markup",
        what: "name files, computers, accounts, people, tickets, holds, questions or answers with scripts, or with letters that hide",
        ends: Prevented {
            how: "every text on a page is escaped, and what hides is written out, by the one escaper of all templates; nothing inline runs. A walk opens every page that a link leads to",
            test: "attacks::texts::what_machines_and_people_write_is_text_on_every_page_and_hides_nothing",
        },
    },
    Attack {
        id: "markup-pdf",
        what: "the same, to run or hide something in the review's PDF",
        ends: Prevented {
            how: "the PDF holds text and drawings and nothing that runs; what hides is written out",
            test: "attacks::texts::what_machines_and_people_write_is_text_in_the_reviews_pdf_and_runs_nothing",
        },
    },
    Attack {
        id: "formula",
        what: "name a file, account or place so that a spreadsheet runs it",
        ends: Prevented {
            how: "no cell of a bundle begins as a formula does",
            test: "attacks::texts::no_cell_that_leaves_the_practice_is_a_formula",
        },
    },
    Attack {
        id: "tenant-credentials",
        what: "use an agent's certificate, an enrolment token or a console session of one practice at another one of the same collector",
        ends: Prevented {
            how: "each practice has an authority, a ledger with its own tokens, and sessions of its own; nothing is looked up beyond it",
            test: "tenants::a_certificate_a_token_or_a_session_of_one_practice_opens_nothing_of_another",
        },
    },
    Attack {
        id: "tenant-reading",
        what: "ask one practice's admin socket, or read its log lines, for another practice of the same collector",
        ends: Prevented {
            how: "a socket, a ledger and a query store each; every thread logs with its own practice's name",
            test: "tenants::nothing_of_one_practice_is_told_on_the_socket_or_in_the_log_lines_of_another",
        },
    },
    Attack {
        id: "tenant-damage",
        what: "damage one practice's folder, take its port, or put a copy of its folder beside it, so that others of the same collector stop",
        ends: Seen {
            by: "whoever looks at `practices`, and the log",
            check: "that practice ends and is tried again; the others go on",
            after: "at once",
            test: "tenants::a_damaged_practice_is_told_and_tried_again_and_the_others_go_on",
        },
    },
];
