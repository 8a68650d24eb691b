//! What waits for a second signature, as the pages tell it on which it is asked for; it is read and signed on `/second`.

use super::Console;
use super::shell::Visitor;
use super::words::when_in_short as when;
use crate::report::acts::name;
use crate::roster::Roster;
use crate::second::cosign::What;

/// One thing that waits for a second signature.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) says: String,
    pub(super) by: String,
    pub(super) until: String,
    /// Whether it is the reader's own, which somebody else signs.
    pub(super) is_own: bool,
}

/// What waits, of these kinds and about this person where one is named; nothing that is about the one who reads.
pub(super) fn waiting(
    console: &Console,
    visitor: &Visitor,
    roster: &Roster,
    kinds: &[What],
    about: Option<&str>,
) -> Vec<Waiting> {
    let published = console.app.ledger.published();
    let them = visitor.viewer().themselves(roster);
    let all = published.registry.people.cosigns.waiting(console.now());
    let wanted = all.filter(|pending| {
        let person = pending.body.get("person").and_then(serde_json::Value::as_str);
        kinds.contains(&pending.what)
            && about.is_none_or(|about| person == Some(about))
            && !person.is_some_and(|person| them.are_named(person, roster))
    });
    let told = wanted.map(|pending| Waiting {
        id: pending.id.clone(),
        says: pending.says.clone(),
        by: name(&pending.by, roster),
        until: when(&pending.expires.to_string(), console.app.lookup.zone()),
        is_own: pending.by == visitor.person,
    });
    told.collect()
}
