//! What machines say about rights, read generously: agents of another version may say more or less.

use std::collections::BTreeSet;

use ntk_evidence::event::{Event, Kind};
use serde_json::{Map, Value};

use super::Order;

/// The names under which an inventory may list things, and where they stand in a departure.
const LISTS: &[(&str, Order)] = &[
    ("remote_tools", Order::RemoteTools),
    ("admin_groups", Order::AdminGroups),
    ("administrators", Order::AdminGroups),
    ("sudoers", Order::AdminGroups),
    ("accounts", Order::Accounts),
    ("users", Order::Accounts),
    ("authorized_keys", Order::Keys),
    ("ssh_keys", Order::Keys),
    ("mail_delegates", Order::Mail),
    ("mail_forwards", Order::Mail),
    ("scheduled_jobs", Order::Jobs),
    ("jobs", Order::Jobs),
    ("services", Order::Jobs),
];
/// Where in an entry whose it is may stand.
const WHOSE: [&str; 6] = ["user", "account", "member", "runs_as", "owner", "fingerprint"];
/// Where its own name may stand.
const NAMES: [&str; 5] = ["name", "group", "program", "path", "comment"];

/// One thing that a machine reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The machine.
    pub host: String,
    /// What kind of thing.
    pub order: Order,
    /// What it is called.
    pub name: String,
    /// Accounts or fingerprints that it names.
    pub whose: Vec<String>,
}

/// The latest inventory of each machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    holdings: BTreeSet<Holding>,
}

impl Inventory {
    /// Takes in an entry; a machine's newer inventory replaces its older one.
    pub fn observe(&mut self, host: &str, event: &Event) {
        if event.kind != Kind::Inventory {
            return;
        }
        let nested = event.other.get("inventory").and_then(Value::as_object);
        let holdings =
            [Some(&event.other), nested].into_iter().flatten().flat_map(|fields| read(host, fields));
        let holdings: Vec<_> = holdings.collect();
        if !holdings.is_empty() {
            self.holdings.retain(|holding| holding.host != host);
            self.holdings.extend(holdings);
        }
    }

    /// Whether any machine has reported.
    pub fn is_empty(&self) -> bool {
        self.holdings.is_empty()
    }

    /// Everything that names one of these accounts or fingerprints.
    pub fn of<'a>(&'a self, names: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Holding> {
        self.holdings.iter().filter(move |holding| {
            holding.whose.iter().any(|whose| names.contains(&whose.to_ascii_lowercase()))
        })
    }

    /// Everything of a kind, whoever it names.
    pub fn all(&self, order: Order) -> impl Iterator<Item = &Holding> {
        self.holdings.iter().filter(move |holding| holding.order == order)
    }
}

fn read(host: &str, fields: &Map<String, Value>) -> Vec<Holding> {
    let mut found = Vec::new();
    for (name, order) in LISTS {
        for item in fields.get(*name).and_then(Value::as_array).into_iter().flatten() {
            let texts = |keys: &[&str]| {
                let values = keys.iter().filter_map(|key| item.get(*key));
                values.flat_map(texts).collect::<Vec<_>>()
            };
            let (whose, names) = match item {
                Value::String(text) => (vec![text.clone()], vec![text.clone()]),
                Value::Object(_) => {
                    (texts(&[WHOSE.as_slice(), &["members", "users", "name"]].concat()), texts(&NAMES))
                }
                _ => continue,
            };
            let Some(name) = names.into_iter().chain(whose.iter().cloned()).next() else { continue };
            found.push(Holding { host: host.to_owned(), order: *order, name, whose });
        }
    }
    found
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn texts_and_objects_are_read_and_all_else_is_left_alone() {
        let mut inventory = Inventory::default();
        inventory.observe(
            "ws-01",
            &event(
                r#"{"kind":"inventory","time":"2026-11-20T08:00:00Z","sudoers":["itadmin1",7,null,{"x":1}],
                "inventory":{"admin_groups":[{"group":"wheel","members":["itadmin1","root"]}],"services":"none"}}"#,
            ),
        );
        let names = BTreeSet::from(["itadmin1".to_owned()]);
        let found: Vec<_> = inventory.of(&names).map(|holding| holding.name.as_str()).collect();
        assert_eq!(found, ["itadmin1", "wheel"]);
    }

    #[test]
    fn a_newer_inventory_of_a_machine_replaces_the_older_one() {
        let mut inventory = Inventory::default();
        let at = |list: &str| {
            event(&format!(r#"{{"kind":"inventory","time":"2026-11-20T08:00:00Z","sudoers":{list}}}"#))
        };
        inventory.observe("ws-01", &at(r#"["itadmin1"]"#));
        inventory.observe("ws-02", &at(r#"["itadmin1"]"#));
        inventory.observe("ws-01", &at(r#"["other"]"#));
        let names = BTreeSet::from(["itadmin1".to_owned()]);
        assert_eq!(inventory.of(&names).map(|holding| holding.host.as_str()).collect::<Vec<_>>(), ["ws-02"]);
    }
}
