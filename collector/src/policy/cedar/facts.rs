//! One question to the policies as plain data, and its form as a Cedar request.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::{Field, Names, Uses};
use crate::policy::Area;

/// Everything that a policy may read about one access: the schema's words as plain data. Two accesses with the
/// same facts get the same verdict, so this is also the key of the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Id of the person or firm.
    pub person: String,
    /// Name, as people say it.
    pub name: String,
    /// Rows of the table that apply on that day.
    pub roles: Vec<String>,
    /// Firm the person works for.
    pub organisation: Option<String>,
    /// False from the leave date on.
    pub employed: bool,
    /// True once it is known that the person leaves.
    pub leaving: bool,
    /// Ids of those whom the person covers for on that day.
    pub covers_for: Vec<String>,
    /// Ids of those of them whose mail the cover includes.
    pub mail_of: Vec<String>,
    /// Word of the action: `read`, `login`, ...
    pub action: String,
    /// Column of the table.
    pub area: Area,
    /// Id of the owner, where the roster knows it.
    pub owner: Option<String>,
    /// Named groups that the asset is in.
    pub groups: Vec<String>,
    /// Machine.
    pub host: String,
    /// The clock on the wall; absent when the record's time cannot be read.
    pub clock: Option<Clock>,
    /// How it ended.
    pub outcome: String,
    /// Whether the rights of another account were in use.
    pub elevated: bool,
    /// Whether the session came from another computer.
    pub remote: bool,
    /// Remote-support tool.
    pub tool: Option<String>,
    /// Program.
    pub program: Option<String>,
    /// Its parent.
    pub parent: Option<String>,
    /// By which way.
    pub via: Option<String>,
    /// The ticket that fits best.
    pub ticket: Option<TicketFacts>,
    /// Break-glass in force.
    pub break_glass: Option<GlassFacts>,
}

/// The clock on the practice's wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// Minute of the day.
    pub minute: u16,
    /// Monday is 1.
    pub weekday: u8,
    /// A date on which the practice is closed all the same.
    pub holiday: bool,
    /// Inside the opening hours.
    pub open: bool,
}

/// A ticket as policies see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TicketFacts {
    /// Number.
    pub id: String,
    /// `ticket`, `maintenance`, `on_call`.
    pub kind: String,
    /// Whom it lets in.
    pub assignee: String,
    /// Who approved it.
    pub approved_by: String,
    /// Who approved it as well.
    pub second_approved_by: Option<String>,
    /// Whether it explains this access by the terms of the policy.
    pub covers: bool,
}

/// Break-glass as policies see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlassFacts {
    /// Number.
    pub id: String,
    /// The typed reason.
    pub reason: String,
}

impl Facts {
    /// Leaves out what no policy reads, so that more questions are the same question.
    #[must_use]
    pub fn only(mut self, uses: &Uses) -> Self {
        if !uses.has(Field::Minute)
            && let Some(clock) = &mut self.clock
        {
            (clock.minute, clock.weekday) = (0, 0);
        }
        let unused = |field: Field| !uses.has(field);
        if unused(Field::Program) {
            self.program = None;
        }
        if unused(Field::Parent) {
            self.parent = None;
        }
        if unused(Field::Via) {
            self.via = None;
        }
        if unused(Field::Tool) {
            self.tool = None;
        }
        if unused(Field::Elevated) {
            self.elevated = false;
        }
        if unused(Field::Remote) {
            self.remote = false;
        }
        self
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// The request and the few entities that it speaks of.
pub(super) fn ask(facts: &Facts, names: &Names) -> Result<(Request, Entities), String> {
    let wrong =
        |error: &dyn std::fmt::Display| format!("a question could not be put to the policies: {error}");
    let principal = uid(&names.user, &facts.person);
    let kind = names.resources.get(&facts.area).ok_or_else(|| wrong(&"no such area"))?;
    let resource = uid(kind, "this");
    let user = user(facts, names).map_err(|error| wrong(&error))?;
    let mut attributes = HashMap::new();
    if facts.area.is_files() {
        attributes.insert("host".to_owned(), text(&facts.host));
        if let Some(owner) = &facts.owner {
            attributes
                .insert("owner".to_owned(), RestrictedExpression::new_entity_uid(uid(&names.user, owner)));
        }
    } else {
        attributes.insert("name".to_owned(), text(&facts.host));
    }
    let mut parents: HashSet<EntityUid> = facts.groups.iter().map(|group| uid(&names.group, group)).collect();
    parents.insert(uid(&names.area, facts.area.as_str()));
    let asset = Entity::new(resource.clone(), attributes, parents).map_err(|error| wrong(&error))?;
    let entities = Entities::from_entities([user, asset], None).map_err(|error| wrong(&error))?;
    let context = context(facts, names).map_err(|error| wrong(&error))?;
    let request = Request::new(principal, uid(&names.action, &facts.action), resource, context, None);
    Ok((request.map_err(|error| wrong(&error))?, entities))
}

fn user(facts: &Facts, names: &Names) -> Result<Entity, Box<dyn std::error::Error>> {
    let people = |ids: &[String]| {
        RestrictedExpression::new_set(
            ids.iter().map(|id| RestrictedExpression::new_entity_uid(uid(&names.user, id))),
        )
    };
    let mut attributes = HashMap::from([
        ("name".to_owned(), text(&facts.name)),
        ("employed".to_owned(), RestrictedExpression::new_bool(facts.employed)),
        ("leaving".to_owned(), RestrictedExpression::new_bool(facts.leaving)),
        ("coversFor".to_owned(), people(&facts.covers_for)),
        ("mailOf".to_owned(), people(&facts.mail_of)),
    ]);
    if let Some(organisation) = &facts.organisation {
        attributes.insert("organisation".to_owned(), text(organisation));
    }
    let roles = facts.roles.iter().map(|role| uid(&names.role, role)).collect();
    Ok(Entity::new(uid(&names.user, &facts.person), attributes, roles)?)
}

fn context(facts: &Facts, names: &Names) -> Result<Context, Box<dyn std::error::Error>> {
    let clock = facts.clock.unwrap_or(Clock { minute: 0, weekday: 0, holiday: false, open: false });
    let long = |n: u16| RestrictedExpression::new_long(i64::from(n));
    let flag = RestrictedExpression::new_bool;
    let person = |id: &str| RestrictedExpression::new_entity_uid(uid(&names.user, id));
    let mut pairs = vec![
        ("minute".to_owned(), long(clock.minute)),
        ("weekday".to_owned(), long(u16::from(clock.weekday))),
        ("holiday".to_owned(), flag(clock.holiday)),
        ("open".to_owned(), flag(clock.open)),
        ("outcome".to_owned(), text(&facts.outcome)),
        ("elevated".to_owned(), flag(facts.elevated)),
        ("remote".to_owned(), flag(facts.remote)),
    ];
    let words =
        [("tool", &facts.tool), ("program", &facts.program), ("parent", &facts.parent), ("via", &facts.via)];
    for (name, value) in words {
        pairs.extend(value.as_deref().map(|value| (name.to_owned(), text(value))));
    }
    if let Some(ticket) = &facts.ticket {
        let mut fields = vec![
            ("id".to_owned(), text(&ticket.id)),
            ("kind".to_owned(), text(&ticket.kind)),
            ("assignee".to_owned(), person(&ticket.assignee)),
            ("approvedBy".to_owned(), person(&ticket.approved_by)),
            ("covers".to_owned(), flag(ticket.covers)),
        ];
        fields.extend(
            ticket.second_approved_by.as_deref().map(|id| ("secondApprovedBy".to_owned(), person(id))),
        );
        pairs.push(("ticket".to_owned(), RestrictedExpression::new_record(fields)?));
    }
    if let Some(glass) = &facts.break_glass {
        let fields = [("id".to_owned(), text(&glass.id)), ("reason".to_owned(), text(&glass.reason))];
        pairs.push(("breakGlass".to_owned(), RestrictedExpression::new_record(fields)?));
    }
    Ok(Context::from_pairs(pairs)?)
}
