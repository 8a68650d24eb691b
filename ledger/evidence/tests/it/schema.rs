//! `schema/event.schema.json` held to the types: the same words, the same fields, both ways.

use std::collections::BTreeSet;

use ntk_evidence::entry::{Entry, Part};
use ntk_evidence::event::{
    ActingAs, Action, Actor, Because, Candidate, Change, ChangeWhat, Class, Commission, CommissionOutcome,
    CommissionStep, CommissionWhat, Confidence, Epoch, Event, Gap, Health, Holding, HoldingKind, Inventory,
    InventoryReason, Kind, Object, OtherFields, Outcome, Process, Source, Tamper, TamperKind, Via,
};
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../schema/event.schema.json")).unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

fn filled() -> Event {
    let text = || Some("x".to_owned());
    Event {
        kind: Kind::FileAccess,
        time: "2026-11-20T21:00:00.250Z".into(),
        outcome: Some(Outcome::Success),
        actor: Some(Actor {
            login_uid: Some(1),
            sid: text(),
            upn: text(),
            ehr_user: text(),
            key: text(),
            tool: text(),
            login_user: text(),
            effective_user: text(),
            session: Some(1),
            from: text(),
            claims: text(),
            acting_as: Some(ActingAs::Delegate),
            confidence: Some(Confidence::Kernel),
            candidates: vec![Candidate {
                login_uid: Some(1),
                login_user: text(),
                session: Some(1),
                from: text(),
                other: OtherFields::new(),
            }],
            because: Some(Because::NoLogin),
            other: OtherFields::new(),
        }),
        action: Some(Action::Read),
        process: Some(Process {
            pid: Some(1),
            exe: text(),
            command: text(),
            parent: text(),
            ancestors: vec!["x".into()],
            unit: text(),
            other: OtherFields::new(),
        }),
        object: Some(Object {
            path: text(),
            to: text(),
            owner: text(),
            class: Some(Class::Ehr),
            via: Some(Via::Direct),
            decoy: Some(true),
            holds: vec!["x".into()],
            other: OtherFields::new(),
        }),
        count: Some(2),
        last: Some("2026-11-20T21:00:01Z".into()),
        source: Some(Source {
            sensor: text(),
            record: text(),
            event_id: Some(1),
            operation: text(),
            computer: text(),
            recorded: Some(true),
            other: OtherFields::new(),
        }),
        tamper: Some(Tamper { what: TamperKind::LogCleared, detail: text(), other: OtherFields::new() }),
        gap: Some(Gap {
            cause: "kernel_lost".into(),
            from: text(),
            to: text(),
            lost: Some(1),
            other: OtherFields::new(),
        }),
        health: Some(Box::new(Health {
            reason: text(),
            version: text(),
            sensors: vec!["x".into()],
            cannot_see: vec!["x".into()],
            os: text(),
            os_build: text(),
            binary_sha256: Some("0".repeat(64)),
            boot_id: text(),
            vm_generation: Some("0".repeat(32)),
            boot_parameters: vec!["audit=1".into()],
            uptime_s: Some(1),
            monotonic_ms: Some(1),
            boottime_ms: Some(1),
            run_id: text(),
            last_shutdown: text(),
            clock_ahead_ms: Some(1),
            lost: Some(1),
            audit_enabled: Some(1),
            audit_owner: Some(1),
            audit_lost: Some(1),
            audit_backlog: Some(1),
            audit_was: Some("off".into()),
            audit_lock: Some("sealed".into()),
            rules_hash: text(),
            spool_bytes: Some(1),
            memory_bytes: Some(1),
            processes: Some(1),
            sessions: vec!["x".into()],
            other: OtherFields::new(),
        })),
        change: Some(Box::new(Change {
            what: ChangeWhat::MailboxPermission,
            to: text(),
            rights: vec!["x".into()],
            is_removal: true,
            other: OtherFields::new(),
        })),
        epoch: Some(Box::new(Epoch {
            number: 1,
            key: "x".into(),
            reason: text(),
            other: OtherFields::new(),
        })),
        inventory: Some(Box::new(Inventory {
            holdings: vec![holding()],
            gone: vec![holding()],
            left_out: Some(1),
            cannot_see: vec!["x".into()],
            asked: text(),
            proposal: text(),
            because: text(),
            ..Inventory::new(InventoryReason::Change)
        })),
        commission: Some(Box::new(Commission {
            id: "x".into(),
            began: text(),
            ended: text(),
            by: text(),
            present: vec!["x".into()],
            made_login: Some(true),
            steps: vec![step()],
            os: text(),
            os_build: text(),
            version: text(),
            binary_sha256: Some("0".repeat(64)),
            boot_id: text(),
            sensors: vec!["x".into()],
            cannot_see: vec!["x".into()],
            audit_enabled: Some(1),
            audit_at_boot: Some(true),
            older_processes: Some(1),
            older_names: vec!["x".into()],
            other: OtherFields::new(),
        })),
        other: OtherFields::new(),
    }
}

fn step() -> CommissionStep {
    CommissionStep {
        what: CommissionWhat::Read,
        outcome: CommissionOutcome::NotArrived,
        began: Some("x".to_owned()),
        pid: Some(1),
        entries: vec![1],
        because: Some("x".to_owned()),
    }
}

fn holding() -> Holding {
    let text = || Some("x".to_owned());
    Holding {
        what: HoldingKind::SudoRule,
        name: "x".into(),
        accounts: vec!["x".into()],
        place: text(),
        detail: text(),
        last_used: text(),
    }
}

/// Dotted names of all fields below a value.
fn fields(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let name = format!("{prefix}{name}");
        fields(value, &format!("{name}."), into);
        value.as_array().into_iter().flatten().for_each(|one| fields(one, &format!("{name}."), into));
        into.insert(name);
    }
}

/// What a schema refers to, or itself.
fn resolved(schema_of: &Value) -> Value {
    let name = schema_of["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
    name.map_or_else(|| schema_of.clone(), |name| schema()["$defs"][name].clone())
}

/// Dotted names of all properties of a schema; `act` is free inside.
fn properties(schema: &Value, prefix: &str, into: &mut BTreeSet<String>) {
    for (name, value) in schema["properties"].as_object().into_iter().flatten() {
        let described = value["description"].as_str().is_some_and(|text| text.len() > 10);
        assert!(described, "{prefix}{name} needs a description");
        properties(value, &format!("{prefix}{name}."), into);
        properties(&resolved(&value["items"]), &format!("{prefix}{name}."), into);
        into.insert(format!("{prefix}{name}"));
    }
}

#[test]
fn every_word_of_the_types_stands_in_the_schema_and_no_other() {
    let schema = schema();
    let at = |path: &[&str]| path.iter().fold(&schema, |value, name| &value["properties"][*name]).clone();
    let kinds = at(&["kind"]);
    assert_eq!(words(&kinds["anyOf"][0]), Kind::WORDS);
    assert_eq!(kinds["anyOf"][1]["pattern"], "^act_[a-z_]+$");
    assert_eq!(words(&at(&["outcome"])), Outcome::WORDS);
    assert_eq!(words(&at(&["action"])), Action::WORDS);
    assert_eq!(words(&at(&["actor", "confidence"])), Confidence::WORDS);
    assert_eq!(words(&at(&["actor", "because"])), Because::WORDS);
    assert_eq!(words(&at(&["object", "class"])), Class::WORDS);
    assert_eq!(words(&at(&["object", "via"])), Via::WORDS);
    assert_eq!(words(&at(&["tamper", "what"])), TamperKind::WORDS);
    assert_eq!(words(&at(&["change", "what"])), ChangeWhat::WORDS);
    assert_eq!(words(&at(&["actor", "acting_as"])), ActingAs::WORDS);
    assert_eq!(words(&at(&["inventory", "reason"])), InventoryReason::WORDS);
    assert_eq!(words(&schema["$defs"]["holding"]["properties"]["what"]), HoldingKind::WORDS);
    let step = &schema["$defs"]["commission_step"]["properties"];
    assert_eq!(words(&step["what"]), CommissionWhat::WORDS);
    assert_eq!(words(&step["outcome"]), CommissionOutcome::WORDS);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_field_of_a_full_event_stands_in_the_schema_and_no_other() {
    let event = filled();
    let (mut written, mut described) = (BTreeSet::new(), BTreeSet::from(["act".to_owned()]));
    written.insert("act".to_owned());
    fields(&serde_json::to_value(&event).unwrap(), "", &mut written);
    properties(&schema(), "", &mut described);
    assert_eq!(written, described);
    assert!(schema()["properties"]["act"].is_object(), "acts carry their body there");
    assert_eq!(event.unknown(), Vec::<String>::new());
}

#[test]
fn every_field_of_a_holding_stands_in_the_schema_and_no_other() {
    let (mut written, mut described) = (BTreeSet::new(), BTreeSet::new());
    fields(&serde_json::to_value(holding()).unwrap(), "", &mut written);
    properties(&schema()["$defs"]["holding"], "", &mut described);
    assert_eq!(written, described);
}

#[test]
fn every_field_of_a_step_of_an_on_site_test_stands_in_the_schema_and_no_other() {
    let (mut written, mut described) = (BTreeSet::new(), BTreeSet::new());
    fields(&serde_json::to_value(step()).unwrap(), "", &mut written);
    properties(&schema()["$defs"]["commission_step"], "", &mut described);
    assert_eq!(written, described);
}

#[test]
fn parts_are_described_where_they_travel() {
    let entry = Entry::freeze(filled()).unwrap();
    let definitions = &schema()["$defs"];
    for (part, name) in [(Part::Paths, "paths"), (Part::Command, "command")] {
        let (mut written, mut described) = (BTreeSet::new(), BTreeSet::new());
        fields(&serde_json::from_str(entry.part(part)).unwrap(), "", &mut written);
        properties(&definitions[name], "", &mut described);
        assert_eq!(written, described, "{name}");
    }
    let required: Vec<_> = schema()["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(required, ["kind", "time"]);
}
