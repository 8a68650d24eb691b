//! The need-to-know table: rows are roles, columns are protected areas, cells say when.
//!
//! The manager edits this table and nothing else. A cell is one of five words ([`Rule`]); each has a plain
//! sentence, her own or a generated one, and that sentence is what a finding shows. The row `everyone`
//! applies to each person in the roster. The hash of the exact text goes into every decision (ND-2).

pub mod area;
mod beside;
pub mod cedar;
pub mod hours;
pub mod lines;
mod parse;
pub mod sensors;
mod sentence;
pub mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use area::Area;
pub use parse::PolicyError;

use crate::roster::version_of;
use cedar::{Compiled, Facts, Group, Verdict};
use hours::OpeningHours;

/// The row that applies to each person in the roster.
pub const EVERYONE: &str = "everyone";

/// Templates that `init --template` offers: name and text.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("small-practice", include_str!("../templates/policy/small-practice.toml")),
    ("dental", include_str!("../templates/policy/dental.toml")),
    ("multi-site", include_str!("../templates/policy/multi-site.toml")),
    ("strict", include_str!("../templates/policy/strict.toml")),
];

/// The table, the opening hours and the terms of tickets.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    hash: String,
    hours: OpeningHours,
    tickets: TicketTerms,
    rows: BTreeMap<String, BTreeMap<Area, Cell>>,
    groups: Vec<Group>,
    compiled: Option<Arc<Compiled>>,
}

/// Two policies are the same when their texts are.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Policy {}

/// When a role may reach an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Not at any time, whatever else matches.
    Never,
    /// Under an approved ticket that covers it.
    WithTicket,
    /// While the practice is open.
    InHours,
    /// At any time.
    Always,
    /// Where the asset is the person's own.
    Own,
}

impl Rule {
    /// The words of cells as they stand in the file.
    pub const WORDS: &'static [&'static str] = &["never", "with_ticket", "in_hours", "always", "own"];

    /// The word as it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::WithTicket => "with_ticket",
            Self::InHours => "in_hours",
            Self::Always => "always",
            Self::Own => "own",
        }
    }
}

/// One cell of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// When.
    pub rule: Rule,
    /// The cell in one plain sentence.
    pub sentence: String,
}

/// What a ticket must have to explain anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketTerms {
    /// Longest time a ticket may cover.
    pub hours_max: u32,
    /// Whether a ticket for a mailbox needs a second person's approval.
    pub mailbox_needs_two: bool,
    /// Roles that may approve, besides manager and reviewer.
    pub approvers: Vec<String>,
}

impl Default for TicketTerms {
    fn default() -> Self {
        Self { hours_max: 72, mailbox_needs_two: true, approvers: Vec::new() }
    }
}

impl Default for Policy {
    /// No table yet: nothing is explained, nothing is never.
    fn default() -> Self {
        Self {
            name: "no table".to_owned(),
            hash: version_of(""),
            hours: OpeningHours::default(),
            tickets: TicketTerms::default(),
            rows: BTreeMap::new(),
            groups: Vec::new(),
            compiled: cedar::compile(&BTreeMap::new(), &[]).ok().map(Arc::new),
        }
    }
}

impl Policy {
    /// Reads the text of a policy; every fault is reported at once, with its key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::parse(text)
    }

    /// The text of a template.
    pub fn template(name: &str) -> Option<&'static str> {
        TEMPLATES.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
    }

    /// Name of the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the exact text, in hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// When the practice is open.
    pub fn opening_hours(&self) -> &OpeningHours {
        &self.hours
    }

    /// What a ticket must have.
    pub fn tickets(&self) -> &TicketTerms {
        &self.tickets
    }

    /// Roles that have a row.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Named groups of assets.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What the policies say to a question: the same facts give the same verdict.
    pub fn judge(&self, facts: &Facts) -> Verdict {
        self.compiled.as_ref().map(|compiled| compiled.judge(facts)).unwrap_or_default()
    }

    /// The policies that the table, the built-in rules and the experts' texts amount to.
    pub fn compiled(&self) -> Option<&Compiled> {
        self.compiled.as_deref()
    }

    /// The cell of exactly this row and column.
    pub fn cell(&self, role: &str, area: Area) -> Option<&Cell> {
        self.rows.get(role)?.get(&area)
    }

    /// The cells that speak about an area for somebody with these roles, each with its row and column.
    ///
    /// A special area (`own_mailbox`, `managers_mailbox`) falls back to its general one. For a person's own
    /// asset one special cell anywhere is enough: a general `never` speaks of other people's. For all else
    /// each row falls back by itself, so that no special cell of one row lifts a `never` of another.
    pub fn cells(&self, roles: &[String], area: Area) -> Vec<(&str, Area, &Cell)> {
        let rows = || {
            let applies = |role: &str| role == EVERYONE || roles.iter().any(|own| own == role);
            self.rows.iter().filter(move |(role, _)| applies(role))
        };
        let special: Vec<_> = rows()
            .filter_map(|(role, cells)| cells.get(&area).map(|cell| (role.as_str(), area, cell)))
            .collect();
        let Some(general) = area.general() else { return special };
        if area.is_own() && !special.is_empty() {
            return special;
        }
        rows()
            .filter_map(|(role, cells)| {
                let special = cells.get(&area).map(|cell| (role.as_str(), area, cell));
                special.or_else(|| cells.get(&general).map(|cell| (role.as_str(), general, cell)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small_practice() -> Policy {
        Policy::parse(Policy::template("small-practice").unwrap()).unwrap()
    }

    #[test]
    fn every_template_is_taken() {
        for (name, text) in TEMPLATES {
            let policy = Policy::parse(text).unwrap();
            assert_eq!(policy.hash().len(), 64, "{name}");
            assert!(policy.roles().count() > 3, "{name}");
        }
        assert_eq!(Policy::template("no-such"), None);
    }

    #[test]
    fn a_general_never_speaks_of_other_peoples_assets_only() {
        let cells = |area| {
            let policy = small_practice();
            let roles = ["itadmin".to_owned()];
            let cells = policy.cells(&roles, area);
            cells.iter().map(|(row, area, cell)| format!("{row}.{area}={:?}", cell.rule)).collect::<Vec<_>>()
        };
        assert_eq!(cells(Area::OwnMailbox), ["everyone.own_mailbox=Always"]);
        assert_eq!(cells(Area::ManagersMailbox), ["itadmin.managers_mailbox=Never"]);
        assert_eq!(cells(Area::OwnHr), ["itadmin.hr=Never"]);
    }

    #[test]
    fn no_special_cell_of_one_row_lifts_a_never_of_another() {
        let text = "name = \"x\"\n[table.everyone]\nmanagers_mailbox = \"always\"\n[table.itadmin]\nmailbox = \"never\"";
        let policy = Policy::parse(text).unwrap();
        let roles = ["itadmin".to_owned()];
        let rules: Vec<_> =
            policy.cells(&roles, Area::ManagersMailbox).iter().map(|(_, _, cell)| cell.rule).collect();
        assert_eq!(rules, [Rule::Always, Rule::Never]);
    }
}
