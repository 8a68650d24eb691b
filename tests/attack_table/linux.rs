//! The lines about a Linux machine and its sensors.

use super::Attack;
use super::Ends::{Prevented, Seen};

const AT_ONCE: &str = "at once";

/// Every line.
pub(super) const LINUX: &[Attack] = &[
    Attack {
        id: "audit-taken",
        what: "kill the agent and put another process in its place as owner of the kernel's audit",
        ends: Seen {
            by: "the agent, when it is back",
            check: "the health entry names the owner; the agent listens beside it with rules of its own; the time between is a gap",
            after: "at the start; while the agent lives the kernel refuses another owner",
            test: "ladder::live_whoever_owns_audit_instead_of_the_agent_is_told_and_listened_to",
        },
    },
    Attack {
        id: "audit-blind",
        what: "add a rule after which audit makes no record of what one account or program does",
        ends: Seen {
            by: "the agent",
            check: "fanotify saw the open and no audit record came: `record_gap` with file and process, and the access itself; the rule list changed",
            after: "five seconds after the open",
            test: "ladder::live_a_rule_that_hides_a_person_does_not_hide_the_open",
        },
    },
    Attack {
        id: "log-cleared",
        what: "clear auth.log, wtmp or btmp",
        ends: Seen {
            by: "the agent",
            check: "the file that it follows became shorter, or is gone without another name: `log_cleared`; what was read before stays",
            after: AT_ONCE,
            test: "ladder::live_without_audit_fanotify_names_the_reader_and_the_log_the_login",
        },
    },
    Attack {
        id: "audit-off",
        what: "switch the kernel's audit off",
        ends: Seen {
            by: "the machine's agent",
            check: "the record of it names the person; the look every two seconds switches it on again, and the time without is a gap",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "rules-deleted",
        what: "delete the audit rules",
        ends: Seen {
            by: "the machine's agent",
            check: "the record of it names the person; the rules are put back, and the time without is a gap",
            after: "two seconds",
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "login-uid-forged",
        what: "overwrite the login identity with another account's",
        ends: Seen {
            by: "the machine's agent",
            check: "the kernel's LOGIN record; everything after it still belongs to the person",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "login-uid-unset",
        what: "take the login identity away",
        ends: Seen {
            by: "the machine's agent",
            check: "the same, and by parents: what the process starts belongs to the person",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "clock-set",
        what: "set the clock",
        ends: Seen {
            by: "the machine's agent",
            check: "the call names the person",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "agents-files",
        what: "touch the agent's files, read its keys",
        ends: Seen {
            by: "the machine's agent",
            check: "its folder is watched like a mailbox",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "agent-ended",
        what: "ask the agent to end",
        ends: Seen {
            by: "the machine's agent",
            check: "the signal names the person, and is the last thing that is told; then silence",
            after: AT_ONCE,
            test: "sensing::live_acts_against_the_recording_name_the_person_and_the_recording_goes_on",
        },
    },
    Attack {
        id: "agent-killed",
        what: "kill the agent with a signal that it cannot hear",
        ends: Seen {
            by: "the observer beside it",
            check: "the record of the signal names the person; without an observer only the silence and the gap are there",
            after: "two seconds",
            test: "sensing::live_an_observer_under_another_account_says_who_killed_the_agent",
        },
    },
    Attack {
        id: "io-uring",
        what: "read through io_uring",
        ends: Seen {
            by: "the machine's agent",
            check: "the operation has a rule of its own; the process is asked whose it is",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "io-uring-thread",
        what: "read through a kernel thread of io_uring",
        ends: Seen {
            by: "the machine's agent",
            check: "the same",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "handle",
        what: "open a file by its handle, without a name",
        ends: Seen {
            by: "the machine's agent",
            check: "its inode was seen below the watch",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "raw-disk",
        what: "read the disk below the file system, by whatever node",
        ends: Seen {
            by: "the machine's agent",
            check: "every open of a block device that holds a watched folder",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "link-out",
        what: "link or rename a file out of the folder and read it there",
        ends: Seen {
            by: "the machine's agent",
            check: "the new name is watched, too, also after a restart",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "overlay",
        what: "mount an overlay over the folder and read through it",
        ends: Seen {
            by: "the machine's agent",
            check: "the mount names the person; the mount point is watched from then on",
            after: AT_ONCE,
            test: "sensing::live_ways_around_a_watched_folder_are_seen_with_the_person",
        },
    },
    Attack {
        id: "new-rights",
        what: "give an account a sudo rule, group, key, job or mail forward beside the watched files",
        ends: Seen {
            by: "the machine's agent",
            check: "inventory event `change`; the list of a departure names it",
            after: "within five minutes",
            test: "holdings::an_inventory_lists_every_holding_tells_what_changes_and_gives_away_no_secret",
        },
    },
    Attack {
        id: "own-confirmation",
        what: "decline, as administrator of the computers, what a machine proposes to watch",
        ends: Prevented {
            how: "only whoever approves tickets decides, with a passphrase, and it is an act; what is watched stays watched",
            test: "holdings::what_is_found_is_watched_after_the_manager_confirmed_it_and_not_by_the_administrators_word",
        },
    },
    Attack {
        id: "new-export",
        what: "export health records into a folder that nobody watches",
        ends: Seen {
            by: "the machine's agent",
            check: "inventory event `watch_begun`: a new file in a likely folder that looks like an export; its reads from then on",
            after: "a second; a minute where another one came before",
            test: "holdings::a_new_file_that_looks_like_an_export_is_watched_as_it_appears_and_an_ordinary_one_is_not",
        },
    },
    Attack {
        id: "decoy",
        what: "look through folders for what is worth reading",
        ends: Seen {
            by: "the collector",
            check: "a decoy was opened: an item of the review, whatever the table allows",
            after: "a second",
            test: "holdings::live_a_decoy_that_is_opened_is_an_item_for_the_manager_and_its_neighbour_is_not",
        },
    },
    Attack {
        id: "remote-support",
        what: "a shell inside the user's session through a remote-support tool",
        ends: Seen {
            by: "the agent; judged by need-to-know",
            check: "remote-control interval from a shell or session program below a known tool, a login through it, or a connection to it; every entry below it names the tool",
            after: "at once; a connection alone after two looks (4 s)",
            test: "doors::remote::live_a_remote_support_tools_session_is_told_and_what_it_starts_names_the_tool",
        },
    },
    Attack {
        id: "root-without-login",
        what: "act as root outside any login (a daemon's job, systemd-run)",
        ends: Seen {
            by: "the agent",
            check: "the entry says that nobody can be named, and lists the sessions open at the time",
            after: AT_ONCE,
            test: "doors::remote::live_roots_work_outside_any_login_names_the_sessions_open_at_the_time",
        },
    },
    Attack {
        id: "commission-invented",
        what: "write down the result of an on-site test that was never made",
        ends: Seen {
            by: "the agent",
            check: "it looks for each step in its own log, by process, file and person, and seals as not arrived what is not there",
            after: "three seconds",
            test: "commission::live_what_is_left_out_or_not_seen_is_said_and_neither_inventing_nor_replaying_a_result_proves_anything",
        },
    },
    Attack {
        id: "commission-replayed",
        what: "lay the result of another machine's on-site test, or of an earlier one, into an agent's folder",
        ends: Seen {
            by: "the agent",
            check: "the numbers, processes and files of another test are not in its log; one test is sealed once, and under the system that it began under",
            after: "three seconds",
            test: "commission::live_what_is_left_out_or_not_seen_is_said_and_neither_inventing_nor_replaying_a_result_proves_anything",
        },
    },
    Attack {
        id: "commission-step-skipped",
        what: "leave out of an on-site test what the recording does not see",
        ends: Seen {
            by: "the review",
            check: "a step that did not arrive, was not made or was left out is named: \"proved except\"",
            after: "in the week's review",
            test: "commission::live_what_is_left_out_or_not_seen_is_said_and_neither_inventing_nor_replaying_a_result_proves_anything",
        },
    },
    Attack {
        id: "commission-outdated",
        what: "let an on-site test stand for another kernel, system build or agent than it was made with",
        ends: Seen {
            by: "the review",
            check: "health entries name kernel, build and program: \"not proved since the upgrade of\"",
            after: "with the first health entry after the upgrade",
            test: "commission::a_machine_is_proved_until_its_kernel_is_another_one",
        },
    },
    Attack {
        id: "sealed-audit",
        what: "switch audit off, delete or add rules, or shrink its queue on a sealed machine, as root",
        ends: Prevented {
            how: "the kernel refuses until the machine boots, and records who asked: a tamper entry, refused",
            test: "vm::sealed::what_root_tries_against_a_sealed_recording_is_refused_and_told_with_the_person",
        },
    },
    Attack {
        id: "sealed-login-uid",
        what: "overwrite a login identity, or make that possible again, on a sealed machine, as root",
        ends: Prevented {
            how: "the same: login identities are locked, and so is that lock",
            test: "vm::sealed::what_root_tries_against_a_sealed_recording_is_refused_and_told_with_the_person",
        },
    },
    Attack {
        id: "boot-parameters",
        what: "start the kernel with other parameters, typed at the boot loader's prompt",
        ends: Seen {
            by: "the agent",
            check: "the parameters of this boot against those kept of the boot before: a tamper entry; every health entry carries them",
            after: "when the agent starts",
            test: "vm::booted::a_kernel_that_is_started_with_other_parameters_is_told_once_and_no_secret_of_them",
        },
    },
    Attack {
        id: "uninstalled",
        what: "uninstall the agent",
        ends: Seen {
            by: "the collector",
            check: "the agent's last entries: `agent_killed`, uninstalled, with the account of the session; the note that uninstall leaves in its folder is a recorded access; then silence",
            after: AT_ONCE,
            test: "vm::installed::install_starts_the_service_and_uninstall_says_by_whose_session_it_went",
        },
    },
    Attack {
        id: "purged",
        what: "remove or purge the packages, so that the ledger goes with them",
        ends: Prevented {
            how: "purge keeps ledger, keys and configuration unless a file below /etc says otherwise, and an agent's folder in which entries wait. Files deleted by hand are another matter: the copy outside and the machines keep theirs",
            test: "packages::packages_live_in_a_fresh_debian_and_leave_only_the_ledger",
        },
    },
    Attack {
        id: "older-version",
        what: "install an older version over a newer one, so that it misreads what is there",
        ends: Prevented {
            how: "the package refuses with a sentence and changes nothing; what runs goes on. A program that is copied by hand is told by its hash in the health entries",
            test: "packages::packages_live_in_a_fresh_debian_and_leave_only_the_ledger",
        },
    },
    Attack {
        id: "outbox",
        what: "delete the mails that wait to be sent",
        ends: Seen {
            by: "the collector",
            check: "the acts say what was queued: act `missing`, a notice, a sentence beside the next verdict; a review that was due is made and sent again",
            after: "seconds, or at the collector's next start",
            test: "delivery::an_outbox_that_is_deleted_is_told_and_the_review_is_sent_all_the_same",
        },
    },
    Attack {
        id: "addressees",
        what: "change who gets the reviews or notices",
        ends: Seen {
            by: "the weekly review",
            check: "an act with the whole list, beside the next verdict; and whoever got them gets none any more",
            after: "in the week's review",
            test: "delivery::whoever_changes_who_gets_the_reviews_stands_beside_the_next_verdict",
        },
    },
    Attack {
        id: "mail-server",
        what: "put a mail server of one's own in the way",
        ends: Seen {
            by: "the collector",
            check: "the certificate's name: neither password nor mail is sent; the failure is an act, and the mail waits",
            after: "at once",
            test: "delivery::a_mail_server_that_shows_another_name_gets_neither_password_nor_mail",
        },
    },
    Attack {
        id: "log-cleared-notice",
        what: "clear a log, and hold up the mail that tells of it",
        ends: Seen {
            by: "the manager",
            check: "each way goes by itself: push message and gateway do not wait for the mail",
            after: "seconds after the entry arrives",
            test: "delivery::a_cleared_log_is_told_within_minutes_each_way_without_names_though_one_way_is_down",
        },
    },
];
