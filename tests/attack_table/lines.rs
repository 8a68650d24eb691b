//! The lines, in the order of the design's list.

use super::Attack;
use super::Ends::{Indirectly, NotYet, Prevented, Seen, Unseen};

const CHECKED: &str = "when it is checked: at every start of the collector, daily, before an export";
const CONTACT: &str = "at the agent's next contact, seconds while it is connected";
const AT_ONCE: &str = "at once";

/// Every line.
pub(super) const TABLE: &[Attack] = &[
    Attack {
        id: "edit",
        what: "edit a stored record, all checkpoints signed again",
        ends: Seen {
            by: "self-check",
            check: "the author's signed root",
            after: CHECKED,
            test: "attacks::operator::an_edited_record_no_longer_leads_to_the_agents_signed_root",
        },
    },
    Attack {
        id: "flip",
        what: "flip a byte of a stored segment",
        ends: Seen {
            by: "self-check",
            check: "frame checksum and segment chain",
            after: CHECKED,
            test: "attacks::operator::one_changed_byte_of_a_stored_segment_is_named",
        },
    },
    Attack {
        id: "drop",
        what: "take a batch out of the middle",
        ends: Seen {
            by: "self-check",
            check: "the author's numbers",
            after: CHECKED,
            test: "attacks::operator::a_batch_taken_out_of_the_middle_leaves_a_hole_in_the_authors_numbers",
        },
    },
    Attack {
        id: "insert",
        what: "insert a backdated batch",
        ends: Seen {
            by: "self-check",
            check: "the author's signature and numbers",
            after: CHECKED,
            test: "attacks::operator::a_batch_put_in_backdated_is_signed_by_nobody",
        },
    },
    Attack {
        id: "reorder",
        what: "reorder batches",
        ends: Seen {
            by: "self-check",
            check: "the author's numbers",
            after: CHECKED,
            test: "attacks::operator::batches_in_another_order_do_not_follow_each_other",
        },
    },
    Attack {
        id: "cut",
        what: "cut the end off the ledger",
        ends: Seen {
            by: "each agent that remembers more",
            check: "consistency with the remembered checkpoint",
            after: CONTACT,
            test: "attacks::history::a_suffix_cut_off_the_ledger_is_seen_by_the_agent_that_remembers_more",
        },
    },
    Attack {
        id: "wipe",
        what: "delete the whole log and begin again with the same keys",
        ends: Seen {
            by: "each agent",
            check: "consistency with the remembered checkpoint",
            after: CONTACT,
            test: "attacks::history::a_log_begun_anew_with_the_same_keys_is_refused_by_the_agents",
        },
    },
    Attack {
        id: "refill",
        what: "wipe the collector and most machines",
        ends: Seen {
            by: "whoever has a machine's package or the copy off-site",
            check: "`refill` makes a ledger of them; act, review and bundle name what is gone and what only the machine itself says",
            after: "when it is filled again",
            test: "survival::a_bundle_still_builds_after_the_collector_and_two_of_three_machines_were_wiped_and_names_what_is_gone",
        },
    },
    Attack {
        id: "rollback",
        what: "roll the collector back to a copy",
        ends: Seen {
            by: "each agent",
            check: "consistency with the remembered checkpoint",
            after: CONTACT,
            test: "attacks::history::a_collector_rolled_back_to_a_copy_is_seen_by_its_agents",
        },
    },
    Attack {
        id: "restore-unannounced",
        what: "pass a rollback off as a restore: put a copy back and go on under new keys",
        ends: Prevented {
            how: "only the practice key, in the safe, writes the trust file's line `restored`; without it offline verifiers know none of the new keys, and with it what the closed log had beyond the line's size is void",
            test: "restored::without_the_word_of_the_practice_key_the_new_keys_are_nobodys",
        },
    },
    Attack {
        id: "restore-keys",
        what: "use the keys of a log that was closed beyond its size, or tell its past otherwise under the new keys",
        ends: Prevented {
            how: "each size has one log's key and each leaf one key of the collector; the final checkpoint must continue the root that the practice key named, and the acts what the closed key signed; ntk-verify, the Python script and Go's packages refuse alike",
            test: "restored::three_verifiers_accept_what_an_announced_restore_explains_and_refuse_the_same_of_the_rest",
        },
    },
    Attack {
        id: "unacknowledge",
        what: "acknowledge a batch and drop it later",
        ends: Seen {
            by: "whoever holds the receipt",
            check: "`ntk-verify receipt`",
            after: "when receipt and bundle are compared; the agent sees it as a rollback",
            test: "attacks::history::an_acknowledged_batch_that_was_dropped_is_proved_by_its_receipt",
        },
    },
    Attack {
        id: "replay",
        what: "replay a batch, or send another one of the same size",
        ends: Seen {
            by: "ingest",
            check: "byte-equal note: the old receipt; another note: both are kept as an act",
            after: AT_ONCE,
            test: "refusals::a_replayed_batch_gets_its_old_receipt_and_a_second_history_is_a_fork",
        },
    },
    Attack {
        id: "old-key",
        what: "steal an epoch's key and sign with it after the epoch has ended",
        ends: Seen {
            by: "ingest",
            check: "the batch is out of its epoch; the refusal is an act",
            after: AT_ONCE,
            test: "epochs::a_stolen_key_signs_nothing_once_its_epoch_is_over_and_the_attempt_is_recorded",
        },
    },
    Attack {
        id: "clone",
        what: "run a copy of a machine beside it",
        ends: Seen {
            by: "ingest and the weekly review",
            check: "a run that was over speaks again, or a greeting with another history: act CLONE",
            after: CONTACT,
            test: "epochs::a_copy_of_a_machine_that_runs_beside_it_is_told",
        },
    },
    Attack {
        id: "replaced",
        what: "go on with the identity of a machine that was set up anew",
        ends: Seen {
            by: "ingest",
            check: "its certificate ended with the enrolment; the attempt is an act",
            after: AT_ONCE,
            test: "epochs::a_machine_that_was_set_up_anew_takes_its_own_place",
        },
    },
    Attack {
        id: "fork",
        what: "show another history of the log than before",
        ends: Seen {
            by: "each agent and witness that remembers a checkpoint",
            check: "consistency; the agent keeps both notes, and so does the collector's act where it is honest",
            after: "at the next contact or round (60 s)",
            test: "witness::a_collector_that_shows_another_history_is_refused_and_both_notes_are_kept_by_both_sides",
        },
    },
    Attack {
        id: "stop",
        what: "stop the agent, act, start it again",
        ends: Seen {
            by: "collector and agent",
            check: "silence act `stopped` with its bounds; gap entry",
            after: "two keepalives (35 s)",
            test: "silence::a_killed_agent_was_stopped",
        },
    },
    Attack {
        id: "freeze",
        what: "freeze the agent (SIGSTOP), act, let it go on",
        ends: Seen {
            by: "agent and collector",
            check: "the agent's own clocks: gap `frozen`; silence act `frozen`",
            after: "two keepalives (35 s), and the hole at the resume",
            test: "silence::an_agent_that_was_held_still_shows_its_own_hole_and_the_collector_says_so",
        },
    },
    Attack {
        id: "firewall",
        what: "cut the way to the collector",
        ends: Seen {
            by: "the collector",
            check: "silence act `firewalled`; what was recorded meanwhile arrives later",
            after: "two keepalives (35 s)",
            test: "silence::a_machine_whose_way_is_cut_recorded_meanwhile",
        },
    },
    Attack {
        id: "clock",
        what: "move the machine's clock back and forth, or slow it through NTP",
        ends: Seen {
            by: "the agent",
            check: "its clocks against each other: tamper `clock_changed`; judged by the time of receipt",
            after: "one second; a slew within five minutes",
            test: "a_clock_set_back_and_forth_is_told_both_times",
        },
    },
    Attack {
        id: "store",
        what: "edit the query store",
        ends: Seen {
            by: "`ntk-collector rebuild`",
            check: "the store made again from the ledger",
            after: "when it is rebuilt",
            test: "attacks::operator::an_edited_query_store_is_named_by_rebuild_and_changes_no_proof",
        },
    },
    Attack {
        id: "spool-edit",
        what: "edit the agent's spool",
        ends: Seen {
            by: "the agent",
            check: "frame checksum, signature and root of each batch",
            after: "at its next start",
            test: "attacks::agent::an_edited_spool_is_refused_by_its_own_agent",
        },
    },
    Attack {
        id: "spool-cut",
        what: "cut the agent's spool",
        ends: Seen {
            by: "agent and collector",
            check: "the collector holds a later note of the same author",
            after: CONTACT,
            test: "attacks::agent::a_spool_cut_behind_what_was_acknowledged_is_seen_at_the_next_contact",
        },
    },
    Attack {
        id: "spool-rewind",
        what: "set the agent's machine or folder back to a copy (a snapshot reverted)",
        ends: Seen {
            by: "agent and collector",
            check: "the collector holds a later note of the same author",
            after: CONTACT,
            test: "attacks::agent::a_spool_set_back_to_a_copy_is_a_fork_with_both_notes_or_known_to_be_behind",
        },
    },
    Attack {
        id: "kill",
        what: "kill the agent with -9",
        ends: Seen {
            by: "the agent at its next start, the collector meanwhile",
            check: "gap entry with its bounds; silence act",
            after: "two keepalives (30 s)",
            test: "attacks::agent::a_killed_agent_says_at_its_next_start_from_when_to_when_nothing_was_recorded",
        },
    },
    Attack {
        id: "disk",
        what: "fill the agent's disk",
        ends: Seen {
            by: "the agent",
            check: "gap entry with the number of lost events",
            after: "when there is room again",
            test: "attacks::agent::a_full_disk_costs_events_that_a_gap_counts",
        },
    },
    Attack {
        id: "enrol",
        what: "enrol a second agent under a used name, or with a used token",
        ends: Seen {
            by: "enrolment",
            check: "one-time token; the name is taken",
            after: AT_ONCE,
            test: "attacks::operator::a_used_name_and_a_used_token_enrol_nobody",
        },
    },
    Attack {
        id: "row",
        what: "drop a row from an export, sealed again with the bundle key",
        ends: Seen {
            by: "`ntk-verify`",
            check: "entries",
            after: AT_ONCE,
            test: "attacks::bundle::a_row_dropped_from_an_export_is_missing_by_its_number",
        },
    },
    Attack {
        id: "swap",
        what: "rewrite a row of an export, sealed again with the bundle key",
        ends: Seen {
            by: "`ntk-verify`",
            check: "entries",
            after: AT_ONCE,
            test: "attacks::bundle::a_row_of_another_account_put_in_its_place_leads_to_another_root",
        },
    },
    Attack {
        id: "stamp-swapped",
        what: "show the time-stamp of another checkpoint, sealed again with the bundle key",
        ends: Seen {
            by: "`ntk-verify`",
            check: "time-stamps: the response's imprint; openssl says the same",
            after: AT_ONCE,
            test: "attacks::bundle::a_time_stamp_of_another_checkpoint_is_no_time_stamp_of_this_one",
        },
    },
    Attack {
        id: "bracket",
        what: "say in an export that rows were received earlier than the time-stamps bear out",
        ends: Seen {
            by: "`ntk-verify`",
            check: "time-stamps: brackets made again from answers, acts and notes",
            after: AT_ONCE,
            test: "attacks::bundle::a_receive_time_that_the_time_stamps_do_not_bear_out_is_named",
        },
    },
    Attack {
        id: "reviewed",
        what: "show a finding as reviewed that was not",
        ends: Seen {
            by: "`ntk-verify`",
            check: "entries: decisions are acts of the ledger",
            after: AT_ONCE,
            test: "attacks::bundle::an_act_that_was_never_recorded_cannot_be_shown",
        },
    },
    Attack {
        id: "report",
        what: "edit a report after it was made",
        ends: Seen {
            by: "self-check; whoever holds the sent copy",
            check: "the act that names the hashes of what was kept",
            after: CHECKED,
            test: "attacks::operator::a_review_that_is_edited_after_it_was_made_is_named",
        },
    },
    Attack {
        id: "policy",
        what: "change the policy, act, change it back",
        ends: Seen {
            by: "the weekly review",
            check: "two acts with the whole text; no decision changes",
            after: "in the week's review",
            test: "attacks::operator::a_policy_changed_and_changed_back_leaves_both_texts_and_its_decisions",
        },
    },
    Attack {
        id: "proxy",
        what: "proxy or DNS with an own root certificate between agent and collector",
        ends: Seen {
            by: "the agent",
            check: "pinned authority",
            after: AT_ONCE,
            test: "attacks::operator::a_stranger_with_an_authority_of_his_own_reads_nothing_between_agent_and_collector",
        },
    },
    Attack {
        id: "image",
        what: "image the collector's disk, or take its backup",
        ends: Prevented {
            how: "where the practice is encrypted at rest (`init --at-rest`, `at-rest on`), the image holds no name, path or signing key; `status` and each review say whether it is",
            test: "at_rest::an_image_of_the_collectors_disk_names_nobody_and_signs_nothing",
        },
    },
    Attack {
        id: "rename",
        what: "a program renamed to a trusted job's name",
        ends: Seen {
            by: "need-to-know",
            check: "a job is its path, host, account and pins, and nobody who logged in",
            after: AT_ONCE,
            test: "attacks::need_to_know::a_program_renamed_to_a_trusted_jobs_name_is_not_that_job",
        },
    },
    Attack {
        id: "own-ticket",
        what: "approve the own firm's ticket",
        ends: Seen {
            by: "the ticket book",
            check: "TK-1; that it was tried is an act",
            after: AT_ONCE,
            test: "attacks::need_to_know::an_own_ticket_is_approved_by_nobody_of_the_same_firm",
        },
    },
    Attack {
        id: "broad-ticket",
        what: "a broad ticket approved without understanding",
        ends: Seen {
            by: "who approves",
            check: "the echo in plain words; 72 hours and one class at most; an item of its own",
            after: "before the approval, and in the week's review",
            test: "attacks::need_to_know::a_broad_ticket_says_in_plain_words_what_it_opens_before_anybody_approves",
        },
    },
    Attack {
        id: "flood",
        what: "a flood of findings to bury one",
        ends: Seen {
            by: "the weekly review",
            check: "IN-3: what is never allowed is part of no flood",
            after: AT_ONCE,
            test: "attacks::need_to_know::a_flood_of_findings_buries_nothing_that_is_never_allowed",
        },
    },
    Attack {
        id: "answer",
        what: "answer or decide in another's name",
        ends: Seen {
            by: "the collector",
            check: "the passphrase of whoever decides (RV-1)",
            after: AT_ONCE,
            test: "attacks::need_to_know::an_answer_in_anothers_name_needs_that_persons_passphrase_and_decides_nothing",
        },
    },
    Attack {
        id: "log-forged",
        what: "write a line into auth.log in sshd's name",
        ends: Indirectly(
            "beside audit such a line makes no event, and one that contradicts sshd's own takes the key away instead of \
             giving another; journald names the program that wrote it, and then it is passed over. Where a plain file is all \
             there is, it cannot be told from sshd's, and the health entries say so",
        ),
    },
    Attack {
        id: "windows",
        what: "clear the Windows log, change audit policy or SACL",
        ends: Indirectly(
            "a log that was cleared, policy and access lists that were changed are records of Windows, which the agent tells as \
             tampering; every five minutes it compares what is in force with its own list, and says what is not recorded and since \
             when. Shown with real records on Linux and with stand-ins, not yet on a real Windows",
        ),
    },
    Attack {
        id: "blind-first",
        what: "blind a machine before the agent's first run",
        ends: NotYet(
            "an on-site acceptance test (`commission`); until then what the first health entry says is all there is",
        ),
    },
    Attack {
        id: "modified-agent",
        what: "push a modified agent with the same keys",
        ends: Indirectly(
            "each agent says the hash of its program at every start (bundle: system/system.json), and one that was changed to lie can lie",
        ),
    },
    Attack {
        id: "vm-clone",
        what: "clone or snapshot a virtual machine and read the copy elsewhere",
        ends: Unseen("no sensor runs in the copy; an agent that runs there speaks as a clone, see above"),
    },
    Attack {
        id: "no-agent",
        what: "act from a machine without an agent",
        ends: Indirectly(
            "the server that is read has an agent: its entries name the address it was read from",
        ),
    },
    Attack {
        id: "remote-renamed",
        what: "a remote-support tool under another file name",
        ends: Indirectly(
            "what it does outside a login is unattributed and lists the sessions open at the time; inside a session it is that session's, and nothing names the tool",
        ),
    },
    Attack {
        id: "offline",
        what: "read an offline disk, another boot medium, a photograph of a screen",
        ends: Unseen("no sensor runs"),
    },
    Attack {
        id: "live-root",
        what: "write false entries live as root with the machine's current key",
        ends: Indirectly("other machines' entries may contradict them"),
    },
    Attack {
        id: "all-hosts",
        what: "own the collector and every agent",
        ends: Unseen("for what came after the last checkpoint that somebody outside remembers"),
    },
    Attack {
        id: "renewal-other",
        what: "ask for a new certificate in a machine's name: with another machine's certificate, a revoked or replaced one, a copy of its folder, a request for another name, or a request that was sent before",
        ends: Prevented {
            how: "a connection with a certificate that an act gave to that machine and that still counts, and the key of its current epoch, or after its end the newest certificate and its cosigning key; each refusal is an act",
            test: "ingest::renew::tests::nobody_but_the_machine_itself_gets_its_certificate",
        },
    },
    Attack {
        id: "renewal-copy",
        what: "renew late with a copy of a machine's folder, after the machine itself has renewed",
        ends: Prevented {
            how: "only the newest certificate is renewed after its end",
            test: "ingest::renew::tests::a_machine_that_was_off_too_long_renews_within_a_year_and_a_copy_of_it_does_not",
        },
    },
    Attack {
        id: "renewal-answer",
        what: "answer a machine's renewal with a certificate for another key or name, or with an old answer",
        ends: Prevented {
            how: "the answer has to be for the key that was made for this request; the certificate in force stays",
            test: "uplink::renewal::tests::an_answer_that_was_not_asked_for_leaves_the_old_certificate_in_force",
        },
    },
    Attack {
        id: "agent-changed",
        what: "put a changed program in the agent's place, one that does not hide it",
        ends: Seen {
            by: "whoever reads the review, the page Machines or a notice",
            check: "the hash that the agent reports is compared with what the practice key announced, once there is an announcement",
            after: "with its first health entry, and a minute for the act",
            test: "operation::a_changed_program_of_an_agent_is_told",
        },
    },
    Attack {
        id: "announce-forged",
        what: "announce a program without the practice key, even with all keys of the collector",
        ends: Prevented {
            how: "the signed text is asked of the practice key each time that it counts, by the collector and by `ntk-agent check-package`",
            test: "program::tests::an_announcement_without_the_practice_key_announces_nothing",
        },
    },
    Attack {
        id: "half-open",
        what: "open connections to the agents' port by the hundred and say nothing, or a byte now and then",
        ends: Prevented {
            how: "a handshake has ten seconds, two where 512 are under way; who has no certificate is let go after a minute; honest agents come in meanwhile",
            test: "fleet::a_fleet_of_three_versions_loses_and_doubles_nothing_in_storms_and_among_liars",
        },
    },
    Attack {
        id: "slow-stream",
        what: "open streams with a machine's certificate and never greet, or a byte now and then",
        ends: Prevented {
            how: "a greeting has ten seconds, every later message five minutes; counted as `late`",
            test: "fleet::a_fleet_of_three_versions_loses_and_doubles_nothing_in_storms_and_among_liars",
        },
    },
    Attack {
        id: "many-connections",
        what: "hold connections with a machine's certificate by the hundred, with a stream or without",
        ends: Prevented {
            how: "eight of one certificate are open at most: the oldest gives way to one more",
            test: "ingest::door::tests::of_more_connections_of_one_certificate_than_a_machine_needs_the_oldest_gives_way",
        },
    },
];
