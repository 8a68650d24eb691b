//! Which facts of an access the enrolled sensors deliver: a rule on a fact that none delivers would never match,
//! and nobody would notice.

use std::collections::BTreeSet;

use ntk_evidence::event::Event;

use super::cedar::{Field, Uses};

/// What each kind of sensor puts on its records.
const BY_SENSOR: &[(&str, &[Field])] = &[
    (
        "linux-audit",
        &[Field::Elevated, Field::Remote, Field::Tool, Field::Program, Field::Parent, Field::Via],
    ),
    ("fanotify", &[Field::Elevated, Field::Program, Field::Parent, Field::Via]),
    ("auth-log", &[Field::Elevated, Field::Remote, Field::Program]),
    ("notify", &[]),
];

/// Sensors that are at work, and facts that records did carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    sensors: BTreeSet<String>,
    seen: BTreeSet<Field>,
}

impl Delivered {
    /// Takes in one entry of a machine.
    pub fn observe(&mut self, event: &Event) {
        self.sensors.extend(event.source.as_ref().and_then(|source| source.sensor.clone()));
        self.sensors.extend(event.health.iter().flat_map(|health| health.sensors.iter().cloned()));
        let (actor, process) = (event.actor.as_ref(), event.process.as_ref());
        let found = [
            (Field::Elevated, actor.is_some_and(|actor| actor.effective_user.is_some())),
            (Field::Remote, actor.is_some_and(|actor| actor.from.is_some())),
            (Field::Tool, actor.is_some_and(|actor| actor.tool.is_some())),
            (Field::Program, process.is_some_and(|process| process.exe.is_some())),
            (Field::Parent, process.is_some_and(|process| process.parent.is_some())),
            (Field::Via, event.object.as_ref().is_some_and(|object| object.via.is_some())),
        ];
        self.seen.extend(found.into_iter().filter(|(_, is_there)| *is_there).map(|(field, _)| field));
    }

    /// The sensors, by name.
    pub fn sensors(&self) -> impl Iterator<Item = &str> {
        self.sensors.iter().map(String::as_str)
    }

    /// A sentence for each fact that policies read and no sensor delivers.
    pub fn missing(&self, uses: &Uses) -> Vec<String> {
        let delivers = |field: Field| {
            let by_sensor = BY_SENSOR.iter().filter(|(name, _)| self.sensors.contains(*name));
            // The practice's own clock is always there.
            field == Field::Minute
                || self.seen.contains(&field)
                || by_sensor.flat_map(|(_, fields)| fields.iter()).any(|own| *own == field)
        };
        let sensors: Vec<_> = self.sensors().collect();
        let sensors = if sensors.is_empty() { "none is at work yet".to_owned() } else { sensors.join(", ") };
        uses.fields()
            // A rule that holds everywhere may ask for what no sensor shows yet: it never depends on it.
            .map(|(field, ids)| (field, ids.iter().filter(|id| id.starts_with("expert:")).cloned().collect::<Vec<_>>()))
            .filter(|(field, ids)| !ids.is_empty() && !delivers(*field))
            .map(|(field, ids)| {
                format!(
                    "{}: reads `context.{}`, which no enrolled sensor delivers (sensors: {sensors}), so it would never match; enrol one that does, or leave the condition out",
                    ids.join(", "),
                    field.as_str()
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use expect_test::expect;

    fn delivered(events: &[&str]) -> Delivered {
        let mut delivered = Delivered::default();
        for event in events {
            delivered.observe(&serde_json::from_str(event).unwrap());
        }
        delivered
    }

    #[test]
    fn a_rule_on_a_fact_that_no_sensor_delivers_is_named() {
        let text = r#"
            name = "x"
            [table.everyone]
            login = "in_hours"
            [expert.house]
            cedar = '''
            @id("tools") @plain("No tools.") forbid (principal, action, resource) when { context has tool };
            @id("raw") @plain("No raw disk.") forbid (principal, action, resource) when { context has via && context.via == "raw_disk" };
            @id("early") @plain("Early.") permit (principal, action, resource) when { context.minute < 300 };
            '''
        "#;
        let policy = Policy::parse(text).unwrap();
        let uses = policy.compiled().unwrap().uses();
        let notify = r#"{"kind":"health","time":"2026-11-18T16:00:00Z","health":{"sensors":["notify"]}}"#;
        let audit = r#"{"kind":"health","time":"2026-11-18T16:00:00Z","health":{"sensors":["linux-audit"]}}"#;
        let tool = r#"{"kind":"login","time":"2026-11-18T16:00:00Z","actor":{"tool":"AnyDesk"}}"#;
        expect![[r#"
            expert:tools: reads `context.tool`, which no enrolled sensor delivers (sensors: notify), so it would never match; enrol one that does, or leave the condition out
            expert:raw: reads `context.via`, which no enrolled sensor delivers (sensors: notify), so it would never match; enrol one that does, or leave the condition out"#]]
        .assert_eq(&delivered(&[notify]).missing(uses).join("\n"));
        assert_eq!(delivered(&[]).missing(uses).len(), 2);
        assert_eq!(delivered(&[audit]).missing(uses), Vec::<String>::new());
        assert_eq!(delivered(&[notify, tool]).missing(uses).len(), 1);
        for (name, text) in crate::policy::TEMPLATES {
            let policy = Policy::parse(text).unwrap();
            assert_eq!(
                delivered(&[]).missing(policy.compiled().unwrap().uses()),
                Vec::<String>::new(),
                "{name}"
            );
        }
    }
}
