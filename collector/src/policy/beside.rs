//! What may stand beside the table: named groups of assets, and experts' own policies.

use ntk_evidence::event::Class;
use serde::Deserialize;
use toml::{Table, Value};

use super::cedar::{Expert, Group};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    class: Option<Class>,
    owner: Option<String>,
    host: Option<String>,
    below: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpert {
    cedar: String,
}

/// `[group.NAME]`: class, owner, host, below.
pub(super) fn groups(section: Table, faults: &mut Vec<String>) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, value) in section {
        let Some(raw) = read::<RawGroup>("group", &name, value, faults) else { continue };
        if raw.class.is_none() && raw.owner.is_none() && raw.host.is_none() && raw.below.is_none() {
            faults.push(format!("group.{name}: is empty; say class, owner, host or below"));
        }
        if let Some(class) = raw.class.as_ref().filter(|class| !class.is_known()) {
            faults.push(format!("group.{name}.class: `{class}` is none of {}", Class::WORDS.join(", ")));
        }
        groups.push(Group { name, class: raw.class, owner: raw.owner, host: raw.host, below: raw.below });
    }
    groups
}

/// `[expert.NAME]`: cedar.
pub(super) fn experts(section: Table, faults: &mut Vec<String>) -> Vec<Expert> {
    let mut experts = Vec::new();
    for (name, value) in section {
        let Some(raw) = read::<RawExpert>("expert", &name, value, faults) else { continue };
        experts.push(Expert { name, text: raw.cedar });
    }
    experts
}

fn read<T: for<'de> Deserialize<'de>>(
    section: &str,
    name: &str,
    value: Value,
    faults: &mut Vec<String>,
) -> Option<T> {
    match value {
        Value::Table(_) => value
            .try_into::<T>()
            .map_err(|error| {
                faults.push(format!("{section}.{name}: {}", error.to_string().trim().replace('\n', "; ")));
            })
            .ok(),
        _ => {
            faults.push(format!("{section}.{name}: write it as a section, [{section}.{name}]"));
            None
        }
    }
}
