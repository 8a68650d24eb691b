//! An inventory for people: by account, administrators first, each thing on one line.

use std::collections::BTreeMap;

use ntk_evidence::event::{Holding, HoldingKind};

use super::Found;

/// One thing on one line, for tests and logs of changes.
pub fn line(holding: &Holding) -> String {
    let mut line = format!("{} {} [{}]", holding.what, holding.name, holding.accounts.join(", "));
    if let Some(detail) = &holding.detail {
        line.push_str(&format!(" {detail}"));
    }
    if let Some(used) = &holding.last_used {
        line.push_str(&format!(", last used {used}"));
    }
    if let Some(place) = &holding.place {
        line.push_str(&format!(" ({place})"));
    }
    line
}

/// The whole inventory; ends with a line break.
pub fn text(found: &Found) -> String {
    let mut by_account: BTreeMap<&str, Vec<&Holding>> = BTreeMap::new();
    let mut of_the_machine = Vec::new();
    for holding in &found.holdings {
        if holding.accounts.is_empty() {
            of_the_machine.push(holding);
        }
        for account in &holding.accounts {
            by_account.entry(account).or_default().push(holding);
        }
    }
    let mut sections: Vec<(bool, &str, Vec<&Holding>)> = by_account
        .into_iter()
        .map(|(account, holdings)| (!found.administrators.contains(account), account, holdings))
        .collect();
    sections.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let mut text = String::new();
    for (is_other, account, holdings) in sections {
        let rights = if is_other { "" } else { "  (can act as an administrator)" };
        section(&mut text, &format!("{account}{rights}"), &holdings);
    }
    section(&mut text, "The machine as a whole", &of_the_machine);
    if found.left_out > 0 {
        text.push_str(&format!("{} more are not listed: there are too many of one kind.\n", found.left_out));
    }
    for sentence in &found.cannot_see {
        text.push_str(&format!("Not seen: {sentence}.\n"));
    }
    text
}

fn section(text: &mut String, title: &str, holdings: &[&Holding]) {
    if holdings.is_empty() {
        return;
    }
    text.push_str(title);
    text.push('\n');
    let mut before = None;
    for holding in holdings {
        let label = if before == Some(&holding.what) { "" } else { label(&holding.what) };
        before = Some(&holding.what);
        let mut more: Vec<String> = holding.detail.iter().cloned().collect();
        more.extend(holding.last_used.as_ref().map(|used| format!("last used {used}")));
        more.extend(holding.place.clone());
        let name = if holding.what == HoldingKind::Account { "" } else { holding.name.as_str() };
        let gap = if name.is_empty() || more.is_empty() { "" } else { "  " };
        text.push_str(&format!("  {label:<16}{name}{gap}{}\n", more.join("; ")));
    }
    text.push('\n');
}

/// What a kind of thing is called at the beginning of a line.
fn label(what: &HoldingKind) -> &'static str {
    match what {
        HoldingKind::Account => "account",
        HoldingKind::AdminGroup => "group",
        HoldingKind::SudoRule => "sudo rule",
        HoldingKind::AuthorizedKey => "SSH key",
        HoldingKind::PrivateKey => "private key",
        HoldingKind::ScheduledJob => "job",
        HoldingKind::Service => "service",
        HoldingKind::RemoteTool => "remote access",
        HoldingKind::MailForward => "mail goes to",
        HoldingKind::VpnProfile => "VPN",
        HoldingKind::SecretPlace => "secrets lie in",
        HoldingKind::Share => "shared folder",
        HoldingKind::Other(_) => "other",
    }
}
