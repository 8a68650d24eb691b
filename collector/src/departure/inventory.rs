//! What machines say about rights, read generously: agents of another version may say more or less.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Event, HoldingKind, Inventory as Told, InventoryReason, Kind};
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
    /// The same as the machine has it, where it says so.
    pub what: Option<HoldingKind>,
    /// What it is called.
    pub name: String,
    /// Accounts or fingerprints that it names.
    pub whose: Vec<String>,
}

/// The latest inventory of each machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    holdings: BTreeSet<Holding>,
    /// When each of them was first told of and has been since, RFC 3339, as the machine says.
    since: BTreeMap<Holding, String>,
}

impl Inventory {
    /// Takes in an entry; a machine's newer inventory replaces its older one.
    pub fn observe(&mut self, host: &str, event: &Event) {
        if event.kind != Kind::Inventory {
            return;
        }
        let nested = event.inventory.as_ref().map(|told| &told.other);
        let holdings =
            [Some(&event.other), nested].into_iter().flatten().flat_map(|fields| read(host, fields));
        let holdings: Vec<_> = holdings.collect();
        if let Some(told) = &event.inventory {
            self.told(host, told);
        }
        if !holdings.is_empty() {
            self.holdings.retain(|holding| holding.host != host);
            self.holdings.extend(holdings);
        }
        let Self { holdings, since } = self;
        since.retain(|holding, _| holdings.contains(holding));
        for holding in holdings.iter() {
            if !since.contains_key(holding) {
                since.insert(holding.clone(), event.time.clone());
            }
        }
    }

    /// Since when a machine tells of something, among the entries that were taken in.
    pub fn since(&self, holding: &Holding) -> Option<&str> {
        self.since.get(holding).map(String::as_str)
    }

    /// Everything, or what is new and gone since then.
    fn told(&mut self, host: &str, told: &Told) {
        match told.reason {
            InventoryReason::Start | InventoryReason::Asked => {
                self.holdings.retain(|holding| holding.host != host)
            }
            InventoryReason::Change => {}
            _ => return,
        }
        for gone in told.gone.iter().filter_map(|holding| Holding::read(host, holding)) {
            self.holdings.remove(&gone);
        }
        self.holdings.extend(told.holdings.iter().filter_map(|holding| Holding::read(host, holding)));
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

impl Holding {
    /// What a machine names, where this version knows its kind.
    fn read(host: &str, told: &ntk_evidence::event::Holding) -> Option<Self> {
        let order = match told.what {
            HoldingKind::Account => Order::Accounts,
            HoldingKind::AdminGroup | HoldingKind::SudoRule => Order::AdminGroups,
            HoldingKind::AuthorizedKey | HoldingKind::PrivateKey => Order::Keys,
            HoldingKind::ScheduledJob | HoldingKind::Service => Order::Jobs,
            HoldingKind::RemoteTool | HoldingKind::VpnProfile => Order::RemoteTools,
            HoldingKind::MailForward => Order::Mail,
            HoldingKind::SecretPlace => Order::Passwords,
            HoldingKind::Share | HoldingKind::Other(_) => return None,
        };
        let mut whose = told.accounts.clone();
        if told.what == HoldingKind::AuthorizedKey {
            whose.push(told.name.clone());
        }
        let what = Some(told.what.clone());
        Some(Self { host: host.to_owned(), order, what, name: told.name.clone(), whose })
    }

    /// What to do about it, in one sentence; none for what is no step of its own.
    pub fn step(&self) -> Option<String> {
        let (host, name) = (&self.host, &self.name);
        let account = self.whose.first().map(String::as_str).unwrap_or_default();
        Some(match (&self.what, self.order) {
            (Some(HoldingKind::SudoRule), _) => {
                format!("Take the rule for {name} out of sudoers on {host}, or their account out of it")
            }
            (Some(HoldingKind::AuthorizedKey), _) => {
                format!("Remove the SSH key {name}, which opens the account {account} on {host}")
            }
            (Some(HoldingKind::PrivateKey), _) => {
                format!(
                    "Have the private key {name} of {account} on {host} destroyed, and find out what it opens elsewhere"
                )
            }
            (Some(HoldingKind::VpnProfile), _) => format!("Take away the VPN profile {name} on {host}"),
            (Some(HoldingKind::MailForward), _) => format!("End the forward of mail to {name} on {host}"),
            (Some(HoldingKind::SecretPlace), _) => {
                format!("Change the passwords and keys that lie in {name} of {account} on {host}")
            }
            (_, Order::RemoteTools) => format!("Remove {name} from {host}"),
            (_, Order::AdminGroups) => format!("Take their account out of {name} on {host}"),
            (_, Order::Accounts) => format!("Close the account {name} on {host}"),
            (_, Order::Keys) => format!("Remove the key {name} on {host}"),
            (_, Order::Mail) => format!("End {name} on {host}"),
            (_, Order::Jobs) => format!("Give {name} on {host} an account of its own, or stop it"),
            (_, Order::Sessions | Order::Passwords | Order::Covers | Order::Contracts | Order::Things) => {
                return None;
            }
        })
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
            found.push(Holding { host: host.to_owned(), order: *order, what: None, name, whose });
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
    #[test]
    fn since_when_something_is_told_stays_as_long_as_it_is_told() {
        let mut inventory = Inventory::default();
        let key = |time: &str, list: &str| {
            event(&format!(
                r#"{{"kind":"inventory","time":"{time}","inventory":{{"reason":"start","holdings":[{list}]}}}}"#
            ))
        };
        let (sudo, adm) = (
            r#"{"what":"admin_group","name":"sudo","accounts":["bea"]}"#,
            r#"{"what":"admin_group","name":"adm","accounts":["bea"]}"#,
        );
        inventory.observe("ws-01", &key("2026-11-20T08:00:00Z", sudo));
        inventory.observe("ws-01", &key("2026-11-21T08:00:00Z", &format!("{sudo},{adm}")));
        inventory.observe("ws-01", &key("2026-11-22T08:00:00Z", adm));
        inventory.observe("ws-01", &key("2026-11-23T08:00:00Z", &format!("{sudo},{adm}")));
        let told = inventory.all(Order::AdminGroups);
        let told: Vec<_> = told.map(|one| (one.name.clone(), inventory.since(one).unwrap())).collect();
        // It was gone in between, so it counts anew.
        assert_eq!(told, [("adm".into(), "2026-11-21T08:00:00Z"), ("sudo".into(), "2026-11-23T08:00:00Z")]);
    }

    #[test]
    fn what_a_machine_tells_later_adds_and_takes_away() {
        let mut inventory = Inventory::default();
        let tell = |inventory: &mut Inventory, told: &str| {
            let text = format!(r#"{{"kind":"inventory","time":"2026-11-20T08:00:00Z","inventory":{told}}}"#);
            inventory.observe("ws-01", &event(&text));
        };
        let key = r#"{"what":"authorized_key","name":"SHA256:abc","accounts":["root"],"place":"~/.ssh/authorized_keys"}"#;
        let group = r#"{"what":"admin_group","name":"sudo","accounts":["itadmin1"]}"#;
        let names = BTreeSet::from(["itadmin1".to_owned(), "sha256:abc".to_owned()]);
        let mut check = |told: String, expected: &[&str]| {
            tell(&mut inventory, &told);
            let found: Vec<_> = inventory.of(&names).filter_map(Holding::step).collect();
            assert_eq!(found, expected, "{told}");
        };
        let of_key = "Remove the SSH key SHA256:abc, which opens the account root on ws-01";
        let of_group = "Take their account out of sudo on ws-01";
        check(format!(r#"{{"reason":"start","holdings":[{group}]}}"#), &[of_group]);
        check(format!(r#"{{"reason":"change","holdings":[{key}]}}"#), &[of_group, of_key]);
        check(r#"{"reason":"watch_proposed","proposal":"a"}"#.to_owned(), &[of_group, of_key]);
        check(format!(r#"{{"reason":"change","gone":[{group}]}}"#), &[of_key]);
        check(r#"{"reason":"start","holdings":[{"what":"robot","name":"x"}]}"#.to_owned(), &[]);
    }
}
