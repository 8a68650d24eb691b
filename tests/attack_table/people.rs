//! The lines about questions, notices and second signatures.

use super::Attack;
use super::Ends::{Indirectly, Prevented, Seen, Unseen};

/// Every line.
pub(super) const PEOPLE: &[Attack] = &[
    Attack {
        id: "link-twice",
        what: "use a one-time link a second time, or two at once",
        ends: Prevented {
            how: "the first act that names a link spends it; what comes later is told that it was used",
            test: "admin::links::tests::an_answer_comes_by_a_link_that_works_once_and_says_whether_a_code_came_with_it",
        },
    },
    Attack {
        id: "link-guessed",
        what: "guess a one-time link, or follow one that is withdrawn or over",
        ends: Prevented {
            how: "256 random bits, of which the ledger keeps a hash; a closed link opens nothing",
            test: "admin::links::tests::a_link_that_is_guessed_withdrawn_or_over_opens_nothing_and_an_answer_undoes_no_decision",
        },
    },
    Attack {
        id: "link-read",
        what: "read a one-time link in somebody's mail, as who runs the mail, and answer in their name",
        ends: Seen {
            by: "the finding and the review",
            check: "without the code that went another way the answer reads \"not confirmed\"",
            after: "with the answer",
            test: "admin::links::tests::without_the_code_the_answer_is_marked_and_without_an_answer_nothing_is_decided",
        },
    },
    Attack {
        id: "link-never-came",
        what: "say that a question never came",
        ends: Indirectly(
            "that its link was opened the first time is an act with its time; by whom is not known, and mail programs open links, too",
        ),
    },
    Attack {
        id: "paper-forged",
        what: "type in an answer from paper that nobody wrote",
        ends: Seen {
            by: "the finding and the review",
            check: "without the code of the form it reads \"not confirmed\"; who typed it in is named, with a passphrase, and is never whose answer it is",
            after: "with the answer",
            test: "admin::links::tests::an_answer_on_paper_names_who_typed_it_in_and_without_the_forms_code_it_is_not_confirmed",
        },
    },
    Attack {
        id: "asker-answers",
        what: "answer one's own question, as who made the link or the form and saw its code",
        ends: Unseen(
            "whoever asks sees link and code once; the act says who asked and when the link was opened, and the person can contradict it; of paper there is the signed sheet",
        ),
    },
    Attack {
        id: "enrol-beyond",
        what: "enrol more machines than the practice key permits, or after its date, as the collector's administrator",
        ends: Prevented {
            how: "the collector refuses; a bundle of a collector that was changed and does it anyway is not verifiable",
            test: "witness::more_machines_than_the_practice_key_permits_and_one_after_its_date_are_not_enrolled",
        },
    },
    Attack {
        id: "trust-put-back",
        what: "put an older trust file back in force through the collector, with a witness less or more machines, or another one of the same second",
        ends: Prevented {
            how: "the collector and each agent take only one that was signed later than the one they hold",
            test: "witness::trust::tests::an_older_trust_file_one_of_the_same_second_and_one_of_another_key_are_refused",
        },
    },
    Attack {
        id: "former-key",
        what: "lead machines to another practice key with a former one, after it handed over, even through the collector itself",
        ends: Prevented {
            how: "each agent, the collector and a verifier follow only a chain that begins with the keys that they know, each link signed by the key before it",
            test: "succession::a_practice_key_hands_over_agents_follow_and_bundles_of_before_and_after_are_verifiable",
        },
    },
    Attack {
        id: "succession-forged",
        what: "forge, cut, swap or take from another practice a link in the chain of practice keys, as who holds the newest",
        ends: Prevented {
            how: "the former key signed practice, time, both keys and the reason; the practice's name belongs to the first key, and no key comes back",
            test: "trust::succession::tests::a_forged_a_missing_and_a_misplaced_link_are_refused_though_the_newest_key_signed",
        },
    },
    Attack {
        id: "thief-first",
        what: "hand over to a key of one's own with a stolen practice key, before the owner does",
        ends: Indirectly(
            "each machine follows whichever hand-over it accepts first, and nobody can tell them apart by signature; the twelve words at the foot of the next review differ from the owner's, the act and each agent's entry say when, and the thief needs the collector or its place in the network to be heard",
        ),
    },
    Attack {
        id: "custodian-invented",
        what: "name a custodian outside who holds nothing, or leave one out, to look better before whoever reads",
        ends: Unseen(
            "the practice key says who holds what, and only its holder can change it; that the custodian really holds it is known by asking them: reviews and `ntk-verify` print the name for that",
        ),
    },
    Attack {
        id: "own-finding",
        what: "decide a finding about oneself as the manager, or have a colleague do it",
        ends: Prevented {
            how: "nobody decides about themselves, and about who approves only the second reviewer does; in the review pages it is not there for them",
            test: "admin::second::tests::the_managers_own_findings_are_decided_by_the_second_reviewer_alone_and_hidden_from_the_manager",
        },
    },
    Attack {
        id: "second-replaced",
        what: "replace or decline the second reviewer against their will",
        ends: Seen {
            by: "the review",
            check: "it needs the present one's passphrase, or a reason that every review shows from then on",
            after: "in each week's review",
            test: "admin::second::tests::a_second_reviewer_who_is_replaced_without_agreement_is_said_in_every_review",
        },
    },
    Attack {
        id: "cosign-replayed",
        what: "use a second signature for another text, a second time, or sign what one asked for oneself",
        ends: Prevented {
            how: "it names the SHA-256 of number, kind, sentence and body; another text, a second time and the same person are refused, and acts written past the routes change nothing",
            test: "admin::cosigns::tests::a_table_waits_and_a_signature_is_for_this_text_over_that_table_once",
        },
    },
    Attack {
        id: "leave-taken-back",
        what: "take a leave date back alone, by `leave --withdraw` or in a roster",
        ends: Prevented {
            how: "what loosens waits for the second signature; what tightens does not wait",
            test: "admin::cosigns::tests::a_leave_date_holds_at_once_and_taking_it_back_waits",
        },
    },
    Attack {
        id: "second-colludes",
        what: "manager and second reviewer agree to hide something",
        ends: Unseen("two signatures are two people's word; the acts say whose"),
    },
];
