//! The table as Cedar policies: compiled, validated against the schema, evaluated in two sets.
//!
//! The manager edits cells; each cell becomes one policy with `@id` and `@plain`. Experts may put policies of
//! their own beside them. `permit` policies explain, `forbid` policies say never. On a denial by forbid Cedar
//! does not list the permits that matched as well, so both sets are evaluated apart ([`Compiled::judge`]).
//!
//! A resource lies in exactly one area, so the policies of the table are kept per area: a decision evaluates
//! only those that can match. What each policy reads is known ([`Uses`]): a fact that no policy reads is no
//! part of a question, so that more questions are the same one.

mod compile;
mod facts;
mod uses;

use std::collections::BTreeMap;

use cedar_policy::{Authorizer, EntityTypeName, PolicySet, Request};

pub use compile::{Expert, Group, compile};
pub use facts::{Clock, Facts, GlassFacts, TicketFacts};
pub use uses::{Field, Uses};

use super::Area;

/// The schema that every policy is checked against, strictly.
pub const SCHEMA: &str = include_str!("../../templates/practice.cedarschema");

/// What the policies say to one question. Ids are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Ids of the permits that matched.
    pub explains: Vec<String>,
    /// Ids of the forbids that matched.
    pub nevers: Vec<String>,
    /// Policies that could not be evaluated, in words; nobody is judged by what could not be evaluated.
    pub errors: Vec<String>,
}

/// One policy as it was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `table:itadmin.mailbox`, `left`, `expert:ID`.
    pub id: String,
    /// One sentence for people.
    pub plain: String,
    /// The policy's text.
    pub text: String,
}

/// The policies of one practice, ready to be asked.
#[derive(Clone, Debug)]
pub struct Compiled {
    sets: BTreeMap<Area, Sets>,
    rules: BTreeMap<String, Rule>,
    uses: Uses,
    names: Names,
}

#[derive(Clone, Debug, Default)]
struct Sets {
    explain: PolicySet,
    never: PolicySet,
}

/// Entity types, parsed once.
#[derive(Clone, Debug)]
struct Names {
    user: EntityTypeName,
    role: EntityTypeName,
    area: EntityTypeName,
    group: EntityTypeName,
    action: EntityTypeName,
    resources: BTreeMap<Area, EntityTypeName>,
}

impl Compiled {
    /// Asks both sets. Pure: the same facts give the same verdict.
    pub fn judge(&self, facts: &Facts) -> Verdict {
        let Some(sets) = self.sets.get(&facts.area) else { return Verdict::default() };
        let (request, entities) = match facts::ask(facts, &self.names) {
            Ok(asked) => asked,
            Err(fault) => return Verdict { errors: vec![fault], ..Verdict::default() },
        };
        let mut verdict = Verdict::default();
        for (set, matched) in [(&sets.explain, &mut verdict.explains), (&sets.never, &mut verdict.nevers)] {
            let (ids, errors) = evaluate(&request, set, &entities);
            *matched = ids;
            verdict.errors.extend(errors);
        }
        verdict
    }

    /// The sentence of a policy.
    pub fn plain(&self, id: &str) -> Option<&str> {
        self.rules.get(id).map(|rule| rule.plain.as_str())
    }

    /// Every policy, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// What the policies read.
    pub const fn uses(&self) -> &Uses {
        &self.uses
    }
}

fn evaluate(
    request: &Request,
    set: &PolicySet,
    entities: &cedar_policy::Entities,
) -> (Vec<String>, Vec<String>) {
    if set.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let response = Authorizer::new().is_authorized(request, set, entities);
    let diagnostics = response.diagnostics();
    let mut ids: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
    ids.sort();
    let mut errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
    errors.sort();
    (ids, errors)
}
