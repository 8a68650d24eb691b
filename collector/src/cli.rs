//! The command line: what a person types, and what comes back.

mod account;
mod answer;
pub mod at_rest;
mod baseline;
mod bundle;
mod commands;
mod delivery;
mod departure;
mod encrypted;
mod exit_code;
mod findings;
mod import;
mod inventory;
mod keys;
mod migrate;
mod off_site;
pub mod passphrase;
mod people;
mod policy;
mod practices;
mod preservation;
mod print;
mod proposals;
mod protected;
mod refill;
mod restore;
mod roster;
#[cfg(windows)]
mod service_windows;
mod set_up;
mod sign_off;
pub mod tickets;
mod time_stamp;
mod trust;
mod update;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::at_rest::source::Source;

pub use commands::execute;
pub use exit_code::exit_code;

/// Names the collector's folder where the command line does not.
pub const DIR_VARIABLE: &str = "NTK_COLLECTOR_DIR";

/// Exit codes: 0 done, 1 the answer is no, the rest from sysexits.
pub mod exit {
    /// The answer is no.
    pub const NO: u8 = 1;
    /// The command line was wrong.
    pub const USAGE: u8 = 64;
    /// A service or collector is not there.
    pub const UNAVAILABLE: u8 = 69;
    /// Reading or writing failed.
    pub const IO: u8 = 74;
    /// The configuration is wrong.
    pub const CONFIG: u8 = 78;
}

/// Keeps a practice's ledger of who touched protected information, and what explains it.
#[derive(Debug, Parser)]
#[command(
    name = "ntk-collector",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
    ntk-collector init --dir /var/lib/ntk-collector --name \"Maple Street Family Practice\" --timezone America/New_York --keys-to /media/usb/keys.txt\n  \
    ntk-collector run --config /var/lib/ntk-collector/collector.toml\n  \
    ntk-collector enroll new --machine reception-2\n  \
    ntk-collector events --person northwind --from 2026-11-20 --to 2026-11-21"
)]
pub struct Cli {
    /// The collector's folder
    #[arg(long, global = true, value_name = "DIR", env = DIR_VARIABLE)]
    pub dir: Option<PathBuf>,
    /// The configuration, in the collector's folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a practice: keys, ledger, configuration
    Init(Init),
    /// Serve the first-start page of a box: makes the practice with a browser, once, with a code that is printed here
    FirstStart {
        /// Where the page listens, and the console afterwards
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7444")]
        listen: String,
    },
    /// Make a collector anew after the old one was lost, from what machines kept and what was copied off-site
    Refill(refill::Refill),
    /// Put a lost collector back from the copy outside, announced with the practice key: machines go on by themselves
    Restore(restore::Restore),
    /// Take in what machines had put away, after a restore: the collector is stopped, the recovery key comes from the safe
    TakeBack(restore::TakeBack),
    /// Move the ledger into a PostgreSQL database that several collectors share, or back; verified by equal roots
    Migrate(migrate::Migrate),
    /// Serve agents and the command line until stopped
    ///
    /// Where what is stored is encrypted with a passphrase, somebody types it now; without a terminal it is the first
    /// line of standard input, or stands in the file that NTK_AT_REST_PASSPHRASE_FILE names.
    Run(practices::RunArgs),
    /// How the practices stand that one collector keeps (run --practices); 1 where one does not run
    Practices(practices::PracticesArgs),
    /// To be a service of Windows
    #[cfg(windows)]
    #[command(flatten)]
    Service(service_windows::ServiceCommand),
    /// Prove that a start would work
    Check,
    /// What runs, who is connected, what was refused
    Status(StatusArgs),
    /// Print the numbers that a monitoring system watches, as Prometheus reads them; they name no person and no path
    Metrics,
    /// What programs can ask for over HTTP: the same as these commands; as OpenAPI with --json
    Api(Json),
    /// Verify the whole ledger and every signature
    SelfCheck(Json),
    /// Make the query store again from the ledger and compare
    Rebuild(Json),
    /// Let machines in, list them, shut them out
    Enroll {
        /// What to do
        #[command(subcommand)]
        what: Enroll,
    },
    /// Encryption of what is stored on this computer's disk
    AtRest {
        /// What to do
        #[command(subcommand)]
        what: at_rest::AtRestCommand,
    },
    /// The practice key and the recovery key outside: check a stick or paper, make the file again from words
    Keys {
        /// What to do
        #[command(subcommand)]
        what: keys::KeysCommand,
    },
    /// Who vouches for the log, signed by the practice key
    Trust {
        /// What to do
        #[command(subcommand)]
        what: trust::TrustCommand,
    },
    /// Programs that machines may run, announced by the practice key before they are installed
    Update {
        /// What to do
        #[command(subcommand)]
        what: update::UpdateCommand,
    },
    /// Witnesses outside, and rounds with the agents
    Witness {
        /// What to do
        #[command(subcommand)]
        what: trust::WitnessCommand,
    },
    /// Ask the time-stamping authority for the newest checkpoint now
    TimeStamp(time_stamp::TimeStampArgs),
    /// People, their accounts and keys
    Roster {
        /// What to do
        #[command(subcommand)]
        what: roster::RosterCommand,
    },
    /// Record the day from which nothing of a person's is used any more, or take it back
    Leave(departure::LeaveArgs),
    /// What machines found that might be watched: confirm or decline it
    Watch(proposals::WatchArgs),
    /// What accounts hold on each machine: rights, keys, jobs, tools, forwards; as told last, or asked now
    Inventory(inventory::InventoryArgs),
    /// What a leaving person holds, ticked off in order, and what was used after the leave date
    Departure(departure::DepartureArgs),
    /// The need-to-know table
    Policy {
        /// What to do
        #[command(subcommand)]
        what: policy::PolicyCommand,
    },
    /// Ask for access, approve it, end it
    Ticket {
        /// What to do
        #[command(subcommand)]
        what: tickets::Ticket,
    },
    /// Take access without a ticket: allowed, always reported, acknowledged by another person
    BreakGlass(tickets::BreakGlassArgs),
    /// Passphrases of those who approve and decide
    Reviewer {
        /// What to do
        #[command(subcommand)]
        what: tickets::Reviewer,
    },
    /// Who may sign in to the console with a browser, and the ways back in
    Account {
        /// What to do
        #[command(subcommand)]
        what: account::AccountCommand,
    },
    /// What waits for a second signature: leave dates, tables, exports
    Cosign {
        /// What to do
        #[command(subcommand)]
        what: people::CosignCommand,
    },
    /// One-time links and paper forms that are open
    Link {
        /// What to do
        #[command(subcommand)]
        what: people::LinkCommand,
    },
    /// The notice that tells staff and vendors that access is recorded, and who acknowledged it
    StaffNotice {
        /// What to do
        #[command(subcommand)]
        what: people::StaffNotice,
    },
    /// Breach assessments (45 CFR 164.402) with their 60 days
    Breach {
        /// What to do
        #[command(subcommand)]
        what: people::BreachCommand,
    },
    /// What is recorded about one person, for that person; where the practice allows it
    Mine(people::MineArgs),
    /// Whether people see what is recorded about themselves
    SelfView {
        /// What to do
        #[command(subcommand)]
        what: people::SelfView,
    },
    /// What is protected, where it lies, and who needs it
    Protected(Json),
    /// Programs that work by themselves, proposed as jobs after four weeks
    Baseline(baseline::BaselineArgs),
    /// What is unexplained, and what the table says never happens
    Findings(findings::FindingsArgs),
    /// The whole story of one finding; ask about it, answer, decide
    Finding(findings::FindingArgs),
    /// What an account touched, when
    Events(EventsArgs),
    /// Take in records that a service, server or computer made itself: Microsoft 365, Exchange, a health-record system, Windows
    Import(import::ImportArgs),
    /// Ask Microsoft 365 for its audit log now, through the application of [m365] in collector.toml
    Poll(import::PollArgs),
    /// What was imported, newest first
    Imports(Json),
    /// Write the weekly access review
    Report(ReportArgs),
    /// Say that a week's review was gone through; it cannot be taken back
    SignOff(sign_off::SignOffArgs),
    /// Write an evidence bundle that a stranger can check offline
    Export(ExportArgs),
    /// Evidence bundles that were built in the console and are kept here
    Bundle {
        /// What to do
        #[command(subcommand)]
        what: bundle::BundleCommand,
    },
    /// Legal holds: what retention must not remove
    Hold {
        /// What to do
        #[command(subcommand)]
        what: preservation::HoldCommand,
    },
    /// Secure everything for a case at once; names nobody, safe to run twice
    Preserve(preservation::PreserveArgs),
    /// Take out entries whose retention is over; notes, leaf hashes and acts stay, holds are respected
    Prune(preservation::PruneArgs),
    /// What a new practice still has to set up
    SetUp {
        /// What to do [default: list]
        #[command(subcommand)]
        what: Option<set_up::SetUpCommand>,
    },
    /// Back up now: finish the segment in use and copy what is not outside yet, encrypted to the recovery key (as `off-site now`)
    Backup {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Copies outside this machine, encrypted to the recovery key
    OffSite {
        /// What to do
        #[command(subcommand)]
        what: off_site::OffSiteCommand,
    },
    /// Who had a bundle or a copy, when
    Custody {
        /// What to do
        #[command(subcommand)]
        what: preservation::CustodyCommand,
    },
    /// Mails with the weekly review: secrets, check, trial
    Mail {
        /// What to do
        #[command(subcommand)]
        what: delivery::MailCommand,
    },
    /// Notices of what should not wait a week: secrets, trial
    Notice {
        /// What to do
        #[command(subcommand)]
        what: delivery::NoticeCommand,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it answers agents and commands until somebody stops it.
    pub const fn runs(&self) -> bool {
        matches!(self, Self::Run(_)) || self.is_service()
    }

    /// Whether the system started it as a service, which has nobody to print to.
    pub const fn is_service(&self) -> bool {
        #[cfg(windows)]
        return matches!(self, Self::Service(service_windows::ServiceCommand::Serve));
        #[cfg(not(windows))]
        false
    }
}

/// Output for machines.
#[derive(Debug, Args)]
pub struct Json {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    form: Json,
    /// End with 1 where no collector runs, instead of looking at what lies there
    #[arg(long)]
    running: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The practice's full name
    #[arg(long)]
    pub name: String,
    /// Its time zone, such as America/New_York
    #[arg(long)]
    pub timezone: String,
    /// The need-to-know table to begin with
    #[arg(long, default_value = "small-practice")]
    pub template: String,
    /// File for the practice key and the recovery key, to be taken away; a second time for a second stick. Each is a
    /// whole copy and is read back [default: DIR/keys-to-take-away.txt, or none with --keys-on-paper]
    #[arg(long, value_name = "FILE")]
    pub keys_to: Vec<PathBuf>,
    /// Show both keys once as 24 words each, to be written on paper, and have some of them typed back
    #[arg(long)]
    pub keys_on_paper: bool,
    /// With --keys-on-paper: the words go to whatever reads the output, and the answers come from standard input.
    /// Never with the output in a file
    #[arg(long, requires = "keys_on_paper")]
    pub words_answer: bool,
    /// Where the collector lives; the foot of every report says what follows from it
    pub place: Option<crate::place::Place>,
    /// Who administers what: host=NAME,hypervisor=NAME,network=NAME,backup=NAME
    #[arg(long, value_name = "WHAT=WHO,...")]
    pub administers: Option<String>,
    /// Who is to be the second reviewer: decides what is about the manager, and co-signs
    #[arg(long, value_name = "NAME")]
    pub second_reviewer: Option<String>,
    /// Why the practice does without a second reviewer; every report says so
    #[arg(long, value_name = "WHY", conflicts_with = "second_reviewer")]
    pub decline_second: Option<String>,
    /// Where agents connect
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7443")]
    pub listen: String,
    /// Where people sign in with a browser, or `none`; from this computer alone unless you say otherwise
    #[arg(long, value_name = "ADDRESS:PORT", default_value = crate::config::console::LISTEN)]
    pub console: String,
    /// Encrypt what is stored, with a key from: passphrase (typed at each start), credential (systemd's ntk-at-rest),
    /// or file:PATH on removable media, made where there is none [default: not encrypted]
    #[arg(long, value_name = "KEY")]
    pub at_rest: Option<Source>,
    /// File with the passphrase of --at-rest passphrase [default: typed twice]
    #[arg(long, value_name = "FILE")]
    pub at_rest_passphrase_file: Option<PathBuf>,
}

/// `enroll`.
#[derive(Debug, Subcommand)]
pub enum Enroll {
    /// Make a one-time token for a machine; shown once
    New {
        /// The machine's name: lower-case letters, digits, `-`
        #[arg(long, value_name = "NAME", required_unless_present = "replace", conflicts_with = "replace")]
        machine: Option<String>,
        /// A machine that was enrolled before and set up anew: its earlier identity ends with the enrolment
        #[arg(long, value_name = "NAME")]
        replace: Option<String>,
        /// How long the token holds: 30m, 1h, 2d
        #[arg(long, default_value = "1h")]
        expires: String,
        /// Address of this collector as that machine reaches it; again for each further one, tried in this order
        #[arg(long, value_name = "HOST:PORT")]
        address: Vec<String>,
        /// The machine's users were told on this day that access is recorded
        #[arg(long, value_name = "DATE", conflicts_with = "not_notified_because")]
        users_notified: Option<String>,
        /// Why the machine's users were not told
        #[arg(long, value_name = "TEXT")]
        not_notified_because: Option<String>,
    },
    /// List machines and open tokens
    List(Json),
    /// Accept nothing more from a machine
    Revoke {
        /// The machine's name
        machine: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

/// `events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Only of this person (as in the roster) or account
    #[arg(long)]
    pub person: Option<String>,
    /// From: 2026-11-20 or 2026-11-20T18:30:00Z
    #[arg(long)]
    pub from: Option<String>,
    /// Until, a day to its end
    #[arg(long)]
    pub to: Option<String>,
    /// Only this class of asset, this owner, or paths with this part
    #[arg(long)]
    pub asset: Option<String>,
    /// Only on this computer
    #[arg(long)]
    pub computer: Option<String>,
    /// Only of this kind: read, change, login, admin, everything (that somebody did)
    #[arg(long, value_parser = ["read", "change", "login", "admin", "everything"])]
    pub what: Option<String>,
    /// Only where the path holds this text, whatever its case
    #[arg(long, value_name = "TEXT")]
    pub path: Option<String>,
    /// Only what rested on this ticket, break-glass or job: T-12
    #[arg(long, value_name = "ID")]
    pub rests_on: Option<String>,
    /// Acts of people and the collector too
    #[arg(long)]
    pub acts: bool,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Which week, such as 2026-W47 [default: this week]
    #[arg(long)]
    pub week: Option<String>,
    /// Folder for report.html, report.pdf and report.json (each with .age at its end with --encrypt-to)
    #[arg(long, value_name = "DIR", required_unless_present = "send")]
    pub out: Option<PathBuf>,
    /// Send it now to everybody who gets the weekly review
    #[arg(long)]
    pub send: bool,
    /// Whose eyes only
    #[command(flatten)]
    pub encrypt_to: encrypted::EncryptTo,
}

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Whose accesses: a person as in the roster, or an account [default: everybody's]
    #[arg(long)]
    pub person: Option<String>,
    /// From: 2026-11-20 or 2026-11-20T18:30:00Z
    #[arg(long)]
    pub from: String,
    /// Until, a day to its end
    #[arg(long)]
    pub to: String,
    /// The case, for the bundle's label
    #[arg(long)]
    pub case: String,
    /// The bundle (FILE.zip.age with --encrypt-to)
    #[arg(long, value_name = "FILE.zip", required_unless_present = "preview")]
    pub out: Option<PathBuf>,
    /// Say what the bundle would show and withhold, and build none
    #[arg(long, conflicts_with = "out")]
    pub preview: bool,
    /// Only accesses to these assets: ehr, or mailbox:mary [default: all]
    #[arg(long, value_name = "ASSET", value_delimiter = ',')]
    pub asset: Option<Vec<String>>,
    /// With --preview: as JSON
    #[arg(long, requires = "preview")]
    pub json: bool,
    /// What to withhold behind commitments: paths; people (all but --person, rosters too)
    #[arg(long, value_parser = ["paths", "people"], value_delimiter = ',')]
    pub redact: Vec<String>,
    /// Renderings for other programs: ocsf, fhir, timesketch (timeline.csv, always there) [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub interchange: Option<Vec<String>>,
    /// Who asks for it; needed where there is a second reviewer, who co-signs it
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "by")]
    pub passphrase_file: Option<PathBuf>,
    /// The second signature that it waited for: C-3
    #[arg(long, value_name = "ID", requires = "by")]
    pub cosigned: Option<String>,
    /// Why it cannot wait for a second signature; every review shows it until it is signed or declined
    #[arg(long, value_name = "WHY", requires = "by", conflicts_with = "cosigned")]
    pub alone_because: Option<String>,
    /// Whose eyes only
    #[command(flatten)]
    pub encrypt_to: encrypted::EncryptTo,
}
