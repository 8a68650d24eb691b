//! `inventory` and `discover`: what is held on this machine, and what might be watched.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{CONFIG, Failure};
use crate::clock::{self, Clock as _, RealClock};
use crate::config;
use crate::discover::book::{Book, Decision};
use crate::discover::homes::homes;
use crate::discover::look::look;
use crate::discover::templates::Templates;
use crate::host;
use crate::inventory::root::Root;
use crate::inventory::{self, text};
use crate::watch_list::WatchList;
use crate::whole_file::RealFiles;

pub(super) fn inventory(as_json: bool) -> Result<u8, Failure> {
    let now = RealClock.now();
    let found = inventory::look(now);
    let machine = host::name().unwrap_or_default();
    if as_json {
        let value = json!({
            "machine": machine,
            "time": clock::text(now),
            "holdings": found.holdings,
            "administrators": found.administrators,
            "left_out": found.left_out,
            "cannot_see": found.cannot_see,
        });
        println!("{value}");
    } else {
        println!(
            "What accounts hold on {machine}, {}. Names only: nothing secret is read out.\n",
            clock::text(now)
        );
        print!("{}", text::text(&found));
    }
    Ok(0)
}

pub(super) fn discover(dir: &Path, as_json: bool) -> Result<u8, Failure> {
    let path = config::path_in(dir);
    // Without an agent here nothing is watched, and everything that is found is news.
    let configured = if path.exists() {
        config::load(&path).map_err(|error| Failure::new(CONFIG, error))?.watches
    } else {
        WatchList::default()
    };
    let book = Book::open(dir, Arc::new(RealFiles));
    let watched = configured.with(book.watches());
    let root = Root::here();
    let look = look(&root, &homes(&root), &Templates::known(), &watched);
    let found = look.proposals;
    if as_json {
        let one = |proposal: &crate::discover::Proposal| {
            json!({
                "id": proposal.id, "path": proposal.path, "class": proposal.class, "owner": proposal.owner,
                "because": proposal.because, "decision": book.decision(&proposal.id),
            })
        };
        let proposals: Vec<_> = found.iter().map(one).collect();
        println!("{}", json!({"proposals": proposals, "left_out": look.left_out, "watched": watched.len()}));
        return Ok(0);
    }
    if found.is_empty() {
        println!(
            "Nothing was found that looks like a mailbox, voicemail, an export or a backup and is not watched."
        );
    }
    for proposal in &found {
        let whose = proposal.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        let declined =
            if book.decision(&proposal.id) == Some(Decision::Declined) { "  (declined)" } else { "" };
        println!("{}  {}{whose}  {}{declined}", proposal.id, proposal.class, proposal.path);
        println!("              {}", proposal.because);
    }
    if look.left_out > 0 {
        println!("{} more are not listed: there are too many in one folder.", look.left_out);
    }
    if !found.is_empty() {
        println!(
            "\nWhoever runs the practice confirms on the collector: ntk-collector watch confirm ID --by WHO"
        );
    }
    Ok(0)
}
