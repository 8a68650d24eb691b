//! What is protected: each class of asset, where entries show it to lie, and whom the table lets reach it. Pure.
//!
//! Which folders a machine watches stands in that machine's own configuration, which the collector is not sent. So what
//! stands here is what entries of the last days touched, and what machines proposed and watch since; a place that nobody
//! touched is not listed.

use std::collections::BTreeMap;

use ntk_evidence::event::{Event, Kind};
use serde::{Deserialize, Serialize};

use crate::policy::{Area, EVERYONE, Policy, Rule};

/// Days of entries that are looked at.
pub const DAYS: i64 = 7;
/// So many places are told apart; a practice has dozens.
const PLACES_MAX: usize = 1_000;

/// Where assets of one class and owner lie on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The machine's name, as in the entries.
    pub host: String,
    /// Whose it is, as configured on the machine.
    pub owner: Option<String>,
    /// The folder that holds everything that was touched; empty where paths are not told.
    pub folder: String,
    /// Accesses in the days that were looked at.
    pub n_accesses: u64,
}

/// One class of asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// The area of the table.
    pub area: Area,
    /// Its heading.
    pub heading: String,
    /// Where entries show it.
    pub places: Vec<Place>,
    /// Whom the table lets reach it, one sentence a role.
    pub who_needs: Vec<String>,
}

/// Places in the making.
#[derive(Clone, Debug, Default)]
pub struct Places {
    found: BTreeMap<(Area, String, Option<String>), Place>,
    /// Accesses at places beyond those that are told apart.
    pub n_left_out: u64,
}

impl Places {
    /// Takes in an entry of a machine.
    pub fn observe(&mut self, host: &str, event: &Event, n_accesses: u64) {
        let object = event.object.as_ref().filter(|_| event.kind == Kind::FileAccess);
        let area = object.and_then(|object| Area::of_class(object.class.as_ref()?));
        let (Some(object), Some(area)) = (object, area) else { return };
        let folder =
            object.path.as_deref().and_then(|path| Some(path.rsplit_once('/')?.0)).unwrap_or_default();
        let key = (area, host.to_owned(), object.owner.clone());
        if let Some(place) = self.found.get_mut(&key) {
            place.n_accesses = place.n_accesses.saturating_add(n_accesses);
            place.folder = common(&place.folder, folder);
            return;
        }
        if self.found.len() >= PLACES_MAX {
            self.n_left_out = self.n_left_out.saturating_add(n_accesses);
            return;
        }
        let place = Place {
            host: host.to_owned(),
            owner: object.owner.clone(),
            folder: folder.to_owned(),
            n_accesses,
        };
        self.found.insert(key, place);
    }

    /// Every class of files, with its places and whom the table lets reach it.
    pub fn finish(self, policy: &Policy) -> Vec<Protected> {
        let mut found = self.found;
        let classes = Area::ALL.iter().copied().filter(|area| area.is_files() && area.general().is_none());
        classes
            .map(|area| Protected {
                area,
                heading: area.heading().to_owned(),
                places: found.extract_if(.., |(of, ..), _| *of == area).map(|(_, place)| place).collect(),
                who_needs: who_needs(policy, area),
            })
            .collect()
    }
}

/// The folder that holds both; of a folder that is not known it is the other.
pub(crate) fn common(one: &str, other: &str) -> String {
    match (one, other) {
        ("", known) | (known, "") => known.to_owned(),
        _ => {
            let same = one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other);
            let parts: Vec<&str> = same.map(|(part, _)| part).collect();
            if parts.len() > 1 { parts.join("/") } else { "/".to_owned() }
        }
    }
}

/// Whom the table lets reach an area or what of it is their own.
fn who_needs(policy: &Policy, area: Area) -> Vec<String> {
    let columns = || Area::ALL.iter().copied().filter(move |column| column.class() == area);
    let cells = policy
        .roles()
        .flat_map(|role| columns().filter_map(move |column| Some((role, policy.cell(role, column)?))));
    let lets = cells.filter(|(_, cell)| cell.rule != Rule::Never);
    let sentence = |(role, cell): (&str, &crate::policy::Cell)| {
        let role = if role == EVERYONE { "everyone" } else { role };
        format!("{role}: {}", cell.sentence)
    };
    lets.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn access(class: &str, owner: Option<&str>, path: Option<&str>) -> Event {
        let body = json!({"kind": "file_access", "time": "2026-11-20T15:00:00Z",
            "object": {"class": class, "owner": owner, "path": path}});
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn places_are_the_folders_that_hold_what_was_touched() {
        let mut places = Places::default();
        for (class, owner, path) in [
            ("mailbox", Some("anna"), Some("/srv/mail/anna/cur/1")),
            ("mailbox", Some("anna"), Some("/srv/mail/anna/new/2")),
            ("mailbox", Some("anna"), None),
            ("mailbox", Some("ben"), Some("/srv/mail/ben/cur/1")),
            ("export", None, None),
            ("export", None, Some("/data/exports/x.csv")),
            ("of a newer version", None, Some("/x/y")),
        ] {
            places.observe("ws-01", &access(class, owner, path), 2);
        }
        let login = json!({"kind": "login", "time": "2026-11-20T15:00:00Z"});
        places.observe("ws-01", &serde_json::from_value(login).unwrap(), 1);
        let found = places.finish(&Policy::parse(Policy::template("small-practice").unwrap()).unwrap());
        let lines = found.iter().flat_map(|class| {
            class.places.iter().map(|place| {
                let owner = place.owner.as_deref().unwrap_or("-");
                format!(
                    "{} {} {owner} {} {}",
                    class.area.as_str(),
                    place.host,
                    place.folder,
                    place.n_accesses
                )
            })
        });
        expect![[r#"
            mailbox ws-01 anna /srv/mail/anna 6
            mailbox ws-01 ben /srv/mail/ben/cur 2
            export ws-01 - /data/exports 4"#]]
        .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
        assert!(found.iter().all(|class| class.area.is_files()), "only what lies somewhere");
        let mailbox = found.iter().find(|class| class.area == Area::Mailbox).unwrap();
        assert!(mailbox.who_needs.iter().any(|who| who.starts_with("everyone")), "{:?}", mailbox.who_needs);
    }

    #[test]
    fn two_folders_have_one_that_holds_both() {
        for (one, other, both) in [
            ("/a/b", "/a/b", "/a/b"),
            ("/a/b", "/a/bc", "/a"),
            ("/a", "/b", "/"),
            ("", "/b", "/b"),
            ("/a/b/c", "/a/b", "/a/b"),
        ] {
            assert_eq!(common(one, other), both);
            assert_eq!(common(other, one), both);
        }
    }
}
