//! The made-up practice's roster as TOML: one text at the beginning, then blocks that are appended.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::cast::{Cast, EHR, MAIL, Person, Role, SHARED};

/// Everything that is known on the first day.
pub fn first(cast: &Cast) -> String {
    let mut text = String::from("# Who holds what in the made-up practice.\n");
    cast.people.iter().filter(|person| person.begins.is_none()).for_each(|one| text.push_str(&person(one)));
    let of_role = |role: Role| cast.people.iter().filter(move |one| one.begins.is_none() && one.role == role);
    let shared = of_role(Role::FrontDesk).chain(of_role(Role::Nurse)).take(3);
    let shared: Vec<String> = shared.map(|one| format!("\"{}\"", one.id)).collect();
    let _ = write!(
        text,
        "\n[[account]]\nshared_by = [{}]\nhost = \"{}\"\nuid = {}\nuser = \"{}\"\n",
        shared.join(", "),
        cast.desk,
        SHARED.1,
        SHARED.0
    );
    for machine in &cast.machines {
        let _ = write!(
            text,
            "\n[[machine]]\nname = \"{}\"\naddresses = [\"{}\"]\n",
            machine.name, machine.address
        );
    }
    text.push_str("\n[[machine]]\nname = \"northwind-office\"\naddresses = [\"203.0.113.20\"]\n");
    text.push_str("\n[[machine]]\nname = \"caresoft-office\"\naddresses = [\"203.0.113.80\"]\n");
    for host in [MAIL, EHR] {
        let number = host.trim_start_matches("srv-");
        let all = "[\"mailbox\", \"voicemail\", \"ehr\", \"export\", \"hr\", \"backup\"]";
        let hours = "hours = \"01:00-04:00\"\n";
        text.push_str(&job(
            &format!("backup-{number}"),
            "the nightly backup",
            BACKUP,
            host,
            "svc-backup",
            hours,
            all,
        ));
        let name = "the virus scanner";
        text.push_str(&job(&format!("antivirus-{number}"), name, ANTIVIRUS, host, "clamav", "", all));
    }
    let mail = "[\"mailbox\"]";
    text.push_str(&job("index-mail", "the mail index", INDEXER, MAIL, "vmail", "", mail));
    text.push_str(&job("serve-mail", "the mail server", SERVER, MAIL, "vmail", "", mail));
    text
}

/// The backup program.
pub const BACKUP: &str = "/usr/bin/restic";
/// The virus scanner.
pub const ANTIVIRUS: &str = "/usr/sbin/clamd";
/// The mail index.
pub const INDEXER: &str = "/usr/lib/dovecot/indexer-worker";
/// The mail server, which hands each person their own mail.
pub const SERVER: &str = "/usr/lib/dovecot/imap";

/// A person or firm with accounts and keys.
pub fn person(person: &Person) -> String {
    let mut text = String::new();
    let reviewer = if person.is_reviewer { ", \"reviewer\"" } else { "" };
    if person.is_firm {
        let tools = if person.role == Role::Vendor { "remote_tools = [\"AnyDesk\"]\n" } else { "" };
        let _ = write!(
            text,
            "\n[[organisation]]\nid = \"{}\"\nname = \"{}\"\nroles = [\"{}\"]\n{tools}",
            person.id,
            person.name,
            person.role.row()
        );
    } else {
        let _ = write!(
            text,
            "\n[[person]]\nid = \"{}\"\nname = \"{}\"\nroles = [\"{}\"{reviewer}]\nemail = \"{}@maplestreet.example\"\n",
            person.id,
            person.name,
            person.role.row(),
            person.user
        );
        if let Some(first) = person.begins {
            let _ = writeln!(text, "employed_from = {}", quoted(first));
        }
    }
    let _ = write!(
        text,
        "\n[[account]]\nperson = \"{}\"\nuid = {}\nuser = \"{}\"\n",
        person.id, person.uid, person.user
    );
    if let Some(laptop) = person.laptop() {
        let name = format!("laptop-{}", person.id);
        let _ = write!(text, "\n[[machine]]\nname = \"{name}\"\naddresses = [\"{laptop}\"]\n");
    }
    if let Some(key) = &person.key {
        let _ = write!(text, "\n[[ssh_key]]\nperson = \"{}\"\nfingerprint = \"{key}\"\n", person.id);
    }
    text
}

/// A standing permit for a program.
pub fn job(
    id: &str,
    name: &str,
    program: &str,
    host: &str,
    user: &str,
    hours: &str,
    classes: &str,
) -> String {
    format!(
        "\n[[job]]\nid = \"{id}\"\nname = \"{name}\"\nprogram = \"{program}\"\nhost = \"{host}\"\nuser = \"{user}\"\n{hours}classes = {classes}\n"
    )
}

/// Somebody stands in for somebody.
pub fn cover(person: &str, covers: &str, from: Date, to: Date, mailbox: bool) -> String {
    format!(
        "\n[[cover]]\nperson = \"{person}\"\ncovers = \"{covers}\"\nfrom = {}\nto = {}\nmailbox = {mailbox}\n",
        quoted(from),
        quoted(to)
    )
}

/// Somebody leaves.
pub fn leave(person: &str, on: Date, notice: Date) -> String {
    format!("\n[[leave]]\nperson = \"{person}\"\non = {}\nnotice_given = {}\n", quoted(on), quoted(notice))
}

fn quoted(date: Date) -> String {
    format!("\"{date}\"")
}
