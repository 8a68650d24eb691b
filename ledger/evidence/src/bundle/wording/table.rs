//! The table of sensors and records: which verb a record proves, and what it does not show (RP-3).
//!
//! Every generated text takes its verb from here, and the certification prints the table as it stands.

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which sensor's record this is.
    pub sensor: &'static str,
    /// The record.
    pub record: &'static str,
    /// What it proves.
    pub verb: &'static str,
    /// What it does not show.
    pub does_not_show: &'static str,
}

const fn line(
    sensor: &'static str,
    record: &'static str,
    verb: &'static str,
    does_not_show: &'static str,
) -> Line {
    Line { sensor, record, verb, does_not_show }
}

const AUDIT: &str = "Linux kernel audit";
const WINDOWS: &str = "Windows security log";
const MAIL: &str = "Microsoft 365 audit log";
const DIRECTORY: &str = "Microsoft 365 or Exchange administration log";
const RECORDS: &str = "Health-record system's own log";
const AGENT: &str = "agent";
const COLLECTOR: &str = "collector";
const ANY: &str = "any sensor";

const OPENED: &str =
    "whether anything was read, changed or copied after the open, and who sat at the keyboard";
const REFUSED: &str = "why it was asked for; nothing was opened by it";
const CHANGED: &str = "what the contents were before and after, and who sat at the keyboard";
const NAMES: &str = "what was done with the file under either name, and who sat at the keyboard";
const SESSION: &str = "who sat at the keyboard, and what was looked at without opening a watched file";
const RIGHTS: &str = "what was then done with those rights: that is in other records, if in any";
const MEANS: &str =
    "why, and whether by a person or by maintenance; what was not recorded meanwhile is unknown";
const GIVEN: &str = "whether it was used: that is in other records, if in any; and why it was given";
const PASSED: &str = "which messages it applied to, and why it was made";
const TAKEN: &str = "what was in it, where it went, and who asked for it";
const VIEWED: &str = "who sat at the keyboard, and what of the record was looked at";
const STATE: &str = "anything about a person";

/// The table.
pub const TABLE: &[Line] = &[
    line(WINDOWS, "4656", "asked for access", "whether access was given, or used"),
    line(
        WINDOWS,
        "4663",
        "used access, first use on this handle",
        "how much was read or written, and later uses of the same handle",
    ),
    line(
        WINDOWS,
        "5145",
        "was checked for access over the share",
        "whether the file was then opened or read",
    ),
    line(WINDOWS, "4656, refused", "asked for access, refused", REFUSED),
    line(WINDOWS, "5145, refused", "was checked for access over the share, refused", REFUSED),
    line(
        WINDOWS,
        "4672",
        "session was given special privileges",
        "whether they were used, and who sat at the keyboard",
    ),
    line(
        WINDOWS,
        "4648",
        "gave another account's name and password",
        "whether they were accepted, and what was then done with them",
    ),
    line(
        MAIL,
        "MailItemsAccessed, Bind",
        "message accessed",
        "whether it was read by a person: a program may have fetched it",
    ),
    line(
        MAIL,
        "MailItemsAccessed, Sync",
        "folder synchronised, items unknown",
        "which messages, and whether any was read",
    ),
    line(
        MAIL,
        "FolderBind",
        "folder of a mailbox opened",
        "which messages were looked at, and whether by a person or a program",
    ),
    line(
        MAIL,
        "MessageBind",
        "message opened or previewed",
        "whether it was read by a person: a program may have opened it",
    ),
    line(MAIL, "SearchQueryInitiated", "mailbox searched", "what was found, and whether it was opened"),
    line(MAIL, "Send, SendAs, SendOnBehalf", "message sent", "what was written, and who typed it"),
    line(MAIL, "Copy", "message copied", "whether it was read, and by whom"),
    line(
        MAIL,
        "Move, MoveToDeletedItems",
        "message moved",
        "whether by a person or by a rule of the mailbox",
    ),
    line(
        MAIL,
        "SoftDelete, HardDelete",
        "message removed",
        "whether by a person or by a retention rule, and whether copies remain",
    ),
    line(MAIL, "Create, Update", "message made or changed", "what was written, and who typed it"),
    line(MAIL, "mailbox operation, refused or failed", "asked the mail service, refused or failed", REFUSED),
    line(RECORDS, "view, print, export", "health record opened", VIEWED),
    line(RECORDS, "update", "health record changed", VIEWED),
    line(RECORDS, "create", "entry of a health record made", VIEWED),
    line(RECORDS, "delete", "entry of a health record removed", VIEWED),
    line(RECORDS, "list", "health records listed", VIEWED),
    line(RECORDS, "refused or failed", "asked for a health record, refused or failed", REFUSED),
    line(AUDIT, "open for reading", "opened for reading", OPENED),
    line(AUDIT, "open for reading, denied", "asked to open for reading, refused", REFUSED),
    line(AUDIT, "open for reading, failed", "asked to open for reading, failed", REFUSED),
    line(AUDIT, "open for writing", "opened for writing", OPENED),
    line(AUDIT, "open for writing, denied", "asked to open for writing, refused", REFUSED),
    line(AUDIT, "open for writing, failed", "asked to open for writing, failed", REFUSED),
    line(AUDIT, "create", "created", CHANGED),
    line(AUDIT, "create, denied", "asked to create, refused", REFUSED),
    line(AUDIT, "create, failed", "asked to create, failed", REFUSED),
    line(
        AUDIT,
        "unlink, rmdir",
        "removed",
        "the contents, whether other names or copies remain, and who sat at the keyboard",
    ),
    line(AUDIT, "unlink, rmdir, denied", "asked to remove, refused", REFUSED),
    line(AUDIT, "unlink, rmdir, failed", "asked to remove, failed", REFUSED),
    line(AUDIT, "rename", "renamed", NAMES),
    line(AUDIT, "rename, denied", "asked to rename, refused", REFUSED),
    line(AUDIT, "rename, failed", "asked to rename, failed", REFUSED),
    line(AUDIT, "link", "gave a second name", NAMES),
    line(AUDIT, "link, denied", "asked to give a second name, refused", REFUSED),
    line(AUDIT, "link, failed", "asked to give a second name, failed", REFUSED),
    line(AUDIT, "chmod, chown, setxattr", "changed attributes", "the contents: they are not touched by it"),
    line(AUDIT, "chmod, chown, setxattr, denied", "asked to change attributes, refused", REFUSED),
    line(AUDIT, "chmod, chown, setxattr, failed", "asked to change attributes, failed", REFUSED),
    line(AUDIT, "open of a folder", "opened for listing", "which names were looked at, and any contents"),
    line(AUDIT, "open of a folder, denied", "asked to open for listing, refused", REFUSED),
    line(AUDIT, "open of a folder, failed", "asked to open for listing, failed", REFUSED),
    line(AUDIT, "open, denied", "asked to open, refused", REFUSED),
    line(
        ANY,
        "file access of another kind",
        "touched, in a way that this version has no word for",
        "what that way was: see the entry's own text",
    ),
    line(ANY, "login", "session began", SESSION),
    line(
        ANY,
        "login, refused",
        "asked for a session, refused",
        "who typed, and why it was refused beyond what the record says",
    ),
    line(ANY, "logout", "session ended", "whether a person or the computer ended it"),
    line(ANY, "elevation", "took on another account's rights", RIGHTS),
    line(ANY, "elevation, refused", "asked for another account's rights, refused", REFUSED),
    line(ANY, "process start", "process started", "whether a person started it, and what it did"),
    line(
        ANY,
        "remote control",
        "session under remote control",
        "who held the other end, and which of both moved the mouse",
    ),
    line(ANY, "account change", "account, group or right changed", "why, and whether it was asked for"),
    line(DIRECTORY, "Add-MailboxPermission", "access to a mailbox changed", GIVEN),
    line(DIRECTORY, "Add-MailboxFolderPermission", "access to a folder of a mailbox changed", GIVEN),
    line(DIRECTORY, "Add-RecipientPermission", "right to send in another name changed", GIVEN),
    line(DIRECTORY, "New-InboxRule, Set-Mailbox", "forwarding of mail changed", PASSED),
    line(DIRECTORY, "New-TransportRule", "rule for everybody's mail changed", PASSED),
    line(DIRECTORY, "New-JournalRule", "copying of mail to an address changed", PASSED),
    line(DIRECTORY, "New-OutboundConnector", "server that mail passes through changed", PASSED),
    line(DIRECTORY, "New-MailboxExportRequest", "export of a mailbox asked for", TAKEN),
    line(DIRECTORY, "New-ComplianceSearch", "search through mailboxes made, looked at or taken out", TAKEN),
    line(DIRECTORY, "New-ManagementRoleAssignment", "right to act as others changed", GIVEN),
    line(DIRECTORY, "Consent to application", "application's rights changed", GIVEN),
    line(DIRECTORY, "application credentials", "application's key or password changed", GIVEN),
    line(DIRECTORY, "Add member to role", "administrator's role changed", GIVEN),
    line(DIRECTORY, "Reset user password", "password set by another account", GIVEN),
    line(DIRECTORY, "security info", "second factor of an account changed", GIVEN),
    line(DIRECTORY, "conditional access", "rules of signing in changed", GIVEN),
    line(
        DIRECTORY,
        "change, refused or failed",
        "asked for a change of who may reach mail, refused or failed",
        REFUSED,
    ),
    line(AGENT, "tamper", "recording touched", MEANS),
    line(AGENT, "tamper, refused", "asked to change the means of recording, refused", REFUSED),
    line(AGENT, "audit off", "kernel audit was switched off", MEANS),
    line(AGENT, "audit rules", "audit rules were changed", MEANS),
    line(AGENT, "login uid", "a login identity was overwritten", MEANS),
    line(AGENT, "agent ended", "the recording program was ended", MEANS),
    line(AGENT, "log cleared", "a log was cleared", MEANS),
    line(AGENT, "audit policy", "the audit policy was changed", MEANS),
    line(
        AGENT,
        "clock",
        "the clock was moved",
        "which of the times before and after was right: order is by number",
    ),
    line(AGENT, "access list for auditing", "an access list for auditing was changed", MEANS),
    line(AGENT, "service", "a service was installed", MEANS),
    line(AGENT, "record gap", "records are missing from a sequence", MEANS),
    line(
        AGENT,
        "mount",
        "a file system was mounted at or from a watched folder",
        "why, nor what was read there: reads through it are entries of their own where they could be seen",
    ),
    line(
        AGENT,
        "attachment",
        "another program attached itself to the recording program",
        "why, nor what it did there: debuggers do it, too",
    ),
    line(
        AGENT,
        "kernel",
        "the kernel was changed: a module, a kernel, or what it was started with",
        "what the module or parameter does: drivers are modules, and updates bring parameters, too",
    ),
    line(
        AGENT,
        "machine put back",
        "the virtual machine went on from an earlier point (a snapshot, a backup or a copy)",
        "who did it: that is done outside the machine; what it had recorded since that point may be missing",
    ),
    line(AGENT, "tamper of another kind", "the means of recording was touched", MEANS),
    line(
        AGENT,
        "gap",
        "something was not recorded",
        "what: nothing can be concluded about that time, in either direction",
    ),
    line(AGENT, "health", "state of the recording program", STATE),
    line(AGENT, "inventory", "inventory of the computer", STATE),
    line(AGENT, "epoch", "next signing key", STATE),
    line(
        AGENT,
        "commission",
        "on-site test of the recording program",
        "that the people named were there, and how the program worked before and after the test",
    ),
    line(
        COLLECTOR,
        "act",
        "act recorded by the collector",
        "that the person named stood behind it, unless it says how that was proved",
    ),
    line(
        ANY,
        "event of another kind",
        "an event of a kind that this version does not know",
        "what it means: see the entry's own text",
    ),
];

/// The line of a verb; the last one for a verb that is not in the table, which a test rules out.
pub fn of_verb(verb: &str) -> &'static Line {
    const UNKNOWN: &Line = &line(
        ANY,
        "event of another kind",
        "an event of a kind that this version does not know",
        "what it means: see the entry's own text",
    );
    TABLE.iter().find(|line| line.verb == verb).unwrap_or(UNKNOWN)
}

/// Words that no generated text may hold (RP-3).
pub const ACCUSING_WORDS: &[&str] = &[
    "stole",
    "steal",
    "stolen",
    "theft",
    "thief",
    "snoop",
    "spy",
    "spied",
    "illegal",
    "unlawful",
    "suspicious",
    "suspect",
    "guilty",
    "culprit",
    "offender",
    "perpetrator",
    "attacker",
    "malicious",
    "crime",
    "criminal",
];
