//! From the table, the groups and the experts' texts to policies: one text a cell, strictly validated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use ntk_evidence::event::Class;

use super::{Compiled, Names, Rule as Built, SCHEMA, Sets, Uses};
use crate::policy::{Area, Cell, EVERYONE, Rule};

/// Rows of the table.
type Rows = BTreeMap<String, BTreeMap<Area, Cell>>;

/// A text of an expert's own policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expert {
    /// Name of the section.
    pub name: String,
    /// Cedar policies.
    pub text: String,
}

/// A named group of assets: everything that is said must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Only this class.
    pub class: Option<Class>,
    /// Only what belongs to this person (id).
    pub owner: Option<String>,
    /// Only what lies on this machine.
    pub host: Option<String>,
    /// Only paths below this folder.
    pub below: Option<String>,
}

/// Compiles everything; each fault is a sentence that begins with its key.
pub fn compile(rows: &Rows, experts: &[Expert]) -> Result<Compiled, Vec<String>> {
    let schema = match &*PARSED {
        Ok(schema) => schema,
        Err(fault) => return Err(vec![fault.clone()]),
    };
    let names = Names::new().map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut all: Vec<Ready<'_>> = Vec::new();
    let table = Area::ALL.iter().flat_map(|area| cells_of(rows, *area));
    let built_in = BUILT_IN.iter().map(|(id, plain, body)| Text {
        id: (*id).to_owned(),
        plain: (*plain).to_owned(),
        body: (*body).to_owned(),
        area: None,
    });
    for text in table.chain(built_in) {
        let source = text.source();
        match Policy::parse(Some(PolicyId::new(&text.id)), &source) {
            Ok(policy) => {
                all.push(Ready {
                    expert: None,
                    area: text.area,
                    rule: Built { id: text.id, plain: text.plain, text: source },
                    policy,
                });
            }
            Err(error) => faults.push(format!("{}: cannot be compiled: {error}", text.id)),
        }
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    for expert in experts {
        match parse_expert(expert, &mut known) {
            Ok(ready) => all.extend(ready),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if faults.is_empty() {
        faults = validate(&all, schema);
    }
    if faults.is_empty() { assemble(all, names).map_err(|fault| vec![fault]) } else { Err(faults) }
}

/// The schema, read once.
static PARSED: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let read = Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema);
    read.map_err(|error| format!("the schema of this version cannot be read: {error}"))
});

/// A policy of the table or built in, as text.
struct Text {
    id: String,
    plain: String,
    body: String,
    /// The one area that it can match in; absent for every area.
    area: Option<Area>,
}

impl Text {
    fn source(&self) -> String {
        format!("@id({}) @plain({})\n{}", quoted(&self.id), quoted(&self.plain), self.body)
    }
}

/// A policy that was parsed.
struct Ready<'e> {
    /// The expert's file that it came from.
    expert: Option<&'e Expert>,
    area: Option<Area>,
    rule: Built,
    policy: Policy,
}

/// Id of the policy that an approved ticket explains what it covers, whatever cell there is but `never`.
pub const TICKET: &str = "ticket";

/// What holds in every practice.
const BUILT_IN: &[(&str, &str, &str)] = &[
    (
        "left",
        "Nothing that the person held is used from the leave date on.",
        "forbid (principal, action, resource) when { !principal.employed };",
    ),
    (
        "break-glass",
        "Break-glass was opened with a typed reason; it is always reported.",
        "permit (principal, action, resource) when { context has breakGlass && context.breakGlass.reason != \"\" };",
    ),
    (
        TICKET,
        "An approved ticket covers it.",
        "permit (principal, action, resource)\nwhen { context has ticket && context.ticket.covers && context.ticket.approvedBy != principal };",
    ),
    (
        "cover",
        "Who covers for an absent colleague may read the colleague’s mail while that lasts.",
        "permit (principal, action in [Practice::Action::\"read\", Practice::Action::\"list\"], resource is Practice::Mailbox)\nwhen { resource has owner && principal.mailOf.contains(resource.owner) && !(context has tool) };",
    ),
];

/// The policies of one area: each row's own cell, or its general one.
fn cells_of(rows: &Rows, area: Area) -> Vec<Text> {
    let special_rows: Vec<&str> =
        rows.iter().filter(|(_, cells)| cells.contains_key(&area)).map(|(row, _)| row.as_str()).collect();
    let mut texts = Vec::new();
    for (row, cells) in rows {
        if let Some(cell) = cells.get(&area) {
            texts.extend(text(row, area, area, cell, ""));
            continue;
        }
        let Some((general, cell)) = area.general().and_then(|general| Some((general, cells.get(&general)?)))
        else {
            continue;
        };
        // For a person's own asset one special cell anywhere is enough: a general cell speaks of other people's.
        let unless = if !area.is_own() || special_rows.is_empty() {
            String::new()
        } else if special_rows.contains(&EVERYONE) {
            continue;
        } else {
            let rows: Vec<_> = special_rows
                .iter()
                .map(|row| format!("principal in Practice::Role::{}", quoted(row)))
                .collect();
            format!(" unless {{ {} }}", rows.join(" || "))
        };
        texts.extend(text(row, general, area, cell, &unless));
    }
    texts
}

/// One cell as a policy for one area; nothing where the cell cannot match there.
fn text(row: &str, column: Area, area: Area, cell: &Cell, unless: &str) -> Option<Text> {
    let (effect, when) = match cell.rule {
        Rule::Never => ("forbid", ""),
        Rule::Always => ("permit", ""),
        Rule::Own if area.is_own() => ("permit", ""),
        Rule::InHours => ("permit", " when { context.open }"),
        // For tickets the built-in policy speaks, for every cell.
        Rule::Own | Rule::WithTicket => return None,
    };
    let principal = if row == EVERYONE {
        "principal".to_owned()
    } else {
        format!("principal in Practice::Role::{}", quoted(row))
    };
    let within = if column == area { String::new() } else { format!("@{area}") };
    Some(Text {
        id: format!("table:{row}.{column}{within}"),
        plain: cell.sentence.clone(),
        body: format!(
            "{effect} ({principal}, action, resource is Practice::{} in Practice::Area::{}){when}{unless};",
            kind_of(area),
            quoted(area.as_str())
        ),
        area: Some(area),
    })
}

fn parse_expert<'e>(expert: &'e Expert, known: &mut BTreeSet<String>) -> Result<Vec<Ready<'e>>, Vec<String>> {
    let key = format!("expert.{}", expert.name);
    let set: PolicySet = expert.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        let fault = |error: &cedar_policy::ParseError| fault_of(expert, error, &error.to_string());
        errors.iter().map(fault).collect::<Vec<_>>()
    })?;
    let mut faults = Vec::new();
    let mut ready = Vec::new();
    if set.templates().next().is_some() {
        faults.push(format!("{key}: holds a template (?principal or ?resource); write whole policies"));
    }
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| policy.id().to_string());
    for policy in policies {
        let text = policy.to_cedar().unwrap_or_default();
        let Some(id) = policy.annotation("id").filter(|id| !id.trim().is_empty()) else {
            faults.push(format!("{key}: a policy has no @id(\"...\"): {}", short(&text)));
            continue;
        };
        let Some(plain) = policy.annotation("plain").filter(|plain| !plain.trim().is_empty()) else {
            faults
                .push(format!("{key}: policy `{id}` has no @plain(\"...\"), the sentence that people read"));
            continue;
        };
        let full = format!("expert:{id}");
        if !known.insert(full.clone()) {
            faults.push(format!("{key}: the id `{id}` stands twice"));
        }
        ready.push(Ready {
            expert: Some(expert),
            area: None,
            policy: policy.new_id(PolicyId::new(&full)),
            rule: Built { id: full, plain: plain.to_owned(), text },
        });
    }
    if faults.is_empty() { Ok(ready) } else { Err(faults) }
}

/// A fault in an expert's file, with its line there.
fn fault_of(expert: &Expert, error: &dyn miette::Diagnostic, said: &str) -> String {
    let at = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let at = at.map(|at| format!("in line {} of the policies: ", line_of(&expert.text, at)));
    format!("expert.{}: {}{said}", expert.name, at.unwrap_or_default())
}

/// Strictly, against the schema; of each policy the first fault is told.
fn validate(all: &[Ready<'_>], schema: &Schema) -> Vec<String> {
    let mut faults = Vec::new();
    let mut set = PolicySet::new();
    for ready in all {
        if let Err(error) = set.add(ready.policy.clone()) {
            faults.push(format!("{}: {error}", ready.rule.id));
        }
    }
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let mut found: Vec<_> = result.validation_errors().map(|error| (error.to_string(), error)).collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut told = BTreeSet::new();
    for (said, error) in found {
        let id = error.policy_id().to_string();
        if !told.insert(id.clone()) {
            continue;
        }
        let said = said.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&said).to_owned();
        let said = format!("policy `{id}`: {said}; `ntk-collector policy schema` says what there is");
        let expert = all.iter().find(|ready| ready.rule.id == id).and_then(|ready| ready.expert);
        faults.push(match expert {
            Some(expert) => fault_of(expert, error, &said),
            None => said,
        });
    }
    faults
}

fn assemble(all: Vec<Ready<'_>>, names: Names) -> Result<Compiled, String> {
    let mut sets: BTreeMap<Area, Sets> = Area::ALL.iter().map(|area| (*area, Sets::default())).collect();
    let (mut rules, mut uses) = (BTreeMap::new(), Uses::default());
    for Ready { area, rule, policy, .. } in all {
        let json = policy.to_json().map_err(|error| format!("{}: {error}", rule.id))?;
        uses.note(&rule.id, &json);
        for (own, set) in &mut sets {
            if area.is_none_or(|area| area == *own) {
                let set = match policy.effect() {
                    Effect::Permit => &mut set.explain,
                    Effect::Forbid => &mut set.never,
                };
                set.add(policy.clone()).map_err(|error| format!("{}: {error}", rule.id))?;
            }
        }
        rules.insert(rule.id.clone(), rule);
    }
    Ok(Compiled { sets, rules, uses, names })
}

impl Names {
    fn new() -> Result<Self, String> {
        let name = |kind: &str| {
            format!("Practice::{kind}")
                .parse()
                .map_err(|error| format!("`{kind}` is no entity type: {error}"))
        };
        let mut resources = BTreeMap::new();
        for area in Area::ALL {
            resources.insert(*area, name(kind_of(*area))?);
        }
        Ok(Self {
            user: name("User")?,
            role: name("Role")?,
            area: name("Area")?,
            group: name("Group")?,
            action: name("Action")?,
            resources,
        })
    }
}

/// The entity type of what lies in an area.
const fn kind_of(area: Area) -> &'static str {
    match area {
        Area::Mailbox | Area::OwnMailbox | Area::ManagersMailbox => "Mailbox",
        Area::Voicemail | Area::OwnVoicemail => "Voicemail",
        Area::Ehr => "Ehr",
        Area::Export => "Export",
        Area::Hr | Area::OwnHr => "Hr",
        Area::Backup => "Backup",
        Area::System => "System",
        Area::SelfFiles => "SelfFiles",
        Area::Login | Area::Elevation | Area::RemoteControl | Area::Recording | Area::AccessRights => "Host",
    }
}

/// A string of Cedar: `\` and `"` and what would end the line are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

fn short(text: &str) -> String {
    let one: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one.chars().take(60).collect()
}
