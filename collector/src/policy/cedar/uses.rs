//! Which facts the policies read: found in the policies' own JSON form, not guessed from their text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A fact of an access that some sensors deliver and others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `context.minute` or `context.weekday`.
    Minute,
    /// `context.elevated`.
    Elevated,
    /// `context.remote`.
    Remote,
    /// `context.tool`.
    Tool,
    /// `context.program`.
    Program,
    /// `context.parent`.
    Parent,
    /// `context.via`.
    Via,
}

impl Field {
    /// The word as it stands in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Elevated => "elevated",
            Self::Remote => "remote",
            Self::Tool => "tool",
            Self::Program => "program",
            Self::Parent => "parent",
            Self::Via => "via",
        }
    }

    fn of(attribute: &str) -> Option<Self> {
        match attribute {
            "minute" | "weekday" => Some(Self::Minute),
            "elevated" => Some(Self::Elevated),
            "remote" => Some(Self::Remote),
            "tool" => Some(Self::Tool),
            "program" => Some(Self::Program),
            "parent" => Some(Self::Parent),
            "via" => Some(Self::Via),
            _ => None,
        }
    }
}

/// Fields and the ids of the policies that read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    by_field: BTreeMap<Field, BTreeSet<String>>,
}

impl Uses {
    /// Whether any policy reads the field.
    pub fn has(&self, field: Field) -> bool {
        self.by_field.contains_key(&field)
    }

    /// Every field that is read, with the policies that do.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &BTreeSet<String>)> {
        self.by_field.iter().map(|(field, ids)| (*field, ids))
    }

    /// Notes what one policy reads, from its JSON form (Cedar policy format): `{".": {"left": {"Var":
    /// "context"}, "attr": "tool"}}` and the same with `has`. The whole context counts as every field.
    pub(super) fn note(&mut self, id: &str, policy: &Value) {
        match policy {
            Value::Object(map) if map.get("Var").and_then(Value::as_str) == Some("context") => {
                ALL.iter().for_each(|field| self.read(*field, id));
            }
            Value::Object(map) => {
                for (key, value) in map {
                    match context_attribute(key, value) {
                        Some(attribute) => {
                            Field::of(attribute).into_iter().for_each(|field| self.read(field, id))
                        }
                        None => self.note(id, value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.note(id, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn read(&mut self, field: Field, id: &str) {
        self.by_field.entry(field).or_default().insert(id.to_owned());
    }
}

const ALL: &[Field] =
    &[Field::Minute, Field::Elevated, Field::Remote, Field::Tool, Field::Program, Field::Parent, Field::Via];

/// The attribute where `key: value` is `context.ATTRIBUTE` or `context has ATTRIBUTE`.
fn context_attribute<'v>(key: &str, value: &'v Value) -> Option<&'v str> {
    let left = value.get("left")?.get("Var")?.as_str()?;
    if matches!(key, "." | "has") && left == "context" { value.get("attr")?.as_str() } else { None }
}
