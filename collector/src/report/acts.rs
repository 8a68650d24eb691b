//! What people changed, from their acts: sentences for the part on changes, with whoever did it and how that is proved.

mod account;

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::words;
use serde_json::Value;

use super::Note;
use super::text::{capitalise, times};
use crate::departure::{DepartureStep, checklist};
use crate::import::task::ImportAct;
use crate::people::told;
use crate::proposals::{Step, WatchAct};
use crate::roster::Roster;

/// Name of a person; their id where the roster does not have them.
pub fn name(id: &str, roster: &Roster) -> String {
    roster.person(id).map_or_else(|| id.to_owned(), |person| person.name.clone())
}

/// `by Mary Lopez`, or that nothing proves it was her.
pub fn in_name(by: &str, proof: Option<&str>, roster: &Roster) -> String {
    let name = name(by, roster);
    if is_proved(proof) {
        format!("by {name}")
    } else {
        format!("recorded in {name}’s name; nobody proved to be {name}")
    }
}

fn is_proved(proof: Option<&str>) -> bool {
    proof == Some("passphrase")
}

/// What an act changed; none for acts that change nothing.
pub fn change(event: &Event, at: Option<Timestamp>, roster: &Roster) -> Option<Note> {
    let body = act::body(event)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut is_prominent = false;
    let sentence = match event.kind.as_str() {
        act::kind::ROSTER => signed(&roster_sentence(body), body, roster),
        act::kind::POLICY => policy_sentence(body, roster),
        act::kind::ENROLMENT => {
            if let Some(author) =
                Author::parse(text("author")).ok().filter(|author| author.source().is_some())
            {
                let sentence = match text("replaces") {
                    "" => format!(
                        "A first import: what {} recorded has a log of its own from here on.",
                        author.place()
                    ),
                    _ => format!(
                        "The key of what is imported from {} was lost or replaced; a new log takes the place of the earlier one.",
                        author.place()
                    ),
                };
                return Some(Note { at, is_prominent: !text("replaces").is_empty(), sentence });
            }
            let name = text("author").trim_start_matches("agent/");
            match (name.split_once('.'), text("replaces")) {
                (Some((machine, _)), replaces) if !replaces.is_empty() => format!(
                    "The machine {machine} was set up anew and enrolled in its own place; nothing is taken from its earlier identity any more."
                ),
                _ => format!("The machine {name} was enrolled."),
            }
        }
        act::kind::PROGRAM if text("step") == "announced" => format!(
            "A program was announced with the practice key: version {} for {} ({}).",
            text("version"),
            text("platform"),
            crate::program::digits(text("program"))
        ),
        act::kind::PROGRAM if text("step") == "withdrawn" => format!(
            "A program was withdrawn with the practice key: version {} for {} ({}): {}.",
            text("version"),
            text("platform"),
            crate::program::digits(text("program")),
            text("reason")
        ),
        act::kind::CERTIFICATE if text("asked_by") == "witness" => format!(
            "The certificate of the machine {} had ended; it asked for a new one with its other key, and got it.",
            text("author").trim_start_matches("agent/")
        ),
        act::kind::REVOCATION => signed(
            &format!("The machine {} was revoked.", text("author").trim_start_matches("agent/")),
            body,
            roster,
        ),
        act::kind::REVIEWER => {
            let whose = name(text("person"), roster);
            is_prominent = text("step") == "reset";
            match text("step") {
                "set" => format!("A passphrase was set for {whose}."),
                "changed" => format!("{whose} changed their passphrase."),
                "reset" => format!(
                    "The passphrase of {whose} was reset without the old one: whoever has the new one decides in this name. Ask {whose} whether they did it."
                ),
                other => format!("The passphrase of {whose} was {}.", other.replace('_', " ")),
            }
        }
        act::kind::ACCOUNT => {
            is_prominent = ["locked", "second_factor_reset", "link_refused"].contains(&text("step"));
            account::change(body, roster)?
        }
        act::kind::SIGN_IN => account::failed(body, roster)?,
        act::kind::SIGN_OFF => {
            signed(&format!("The review of week {} was signed off.", text("week")), body, roster)
        }
        act::kind::DEPARTURE => departure_sentence(body, roster)?,
        act::kind::WATCH => watch_sentence(event, body, roster)?,
        act::kind::IMPORT => {
            let act: ImportAct = serde_json::from_value(body.clone()).ok()?;
            is_prominent = act.tally.differ > 0;
            let place =
                Author::parse(&act.author).map_or(act.source.clone(), |author| author.place().to_owned());
            format!(
                "Records of {place} were imported by {} from {}: {}.",
                name(&act.by, roster),
                act.file,
                act.tally.in_words()
            )
        }
        act::kind::INVENTORY_ASKED => {
            let authors = body.get("authors").and_then(Value::as_array).into_iter().flatten();
            let names = authors.filter_map(Value::as_str).map(|author| author.trim_start_matches("agent/"));
            let names = super::text::list_of(&names.map(str::to_owned).collect::<Vec<_>>());
            signed(&format!("What accounts hold was asked of {names}."), body, roster)
        }
        act::kind::SECOND_REVIEWER
        | act::kind::COSIGN
        | act::kind::LINK
        | act::kind::STAFF_NOTICE
        | act::kind::BREACH => {
            let (said, stands_out) = told::sentence(event.kind.as_str(), body, roster)?;
            is_prominent = stands_out;
            signed(&said, body, roster)
        }
        act::kind::CONFIGURATION => match told::sentence(event.kind.as_str(), body, roster) {
            Some((said, _)) => signed(&said, body, roster),
            None => configuration_sentence(body)?,
        },
        act::kind::TRUST => {
            let handed = body.get("succession").and_then(succession);
            let replaced = body.get("recovery").and_then(replaced);
            is_prominent = handed.is_some() || replaced.is_some();
            let named = |key: &str, nobody: &str| {
                let names = body.get(key).and_then(Value::as_array).into_iter().flatten();
                let names = names.filter_map(|name| name.as_str()?.rsplit_once('/').map(|(_, name)| name));
                let names: Vec<&str> = names.collect();
                if names.is_empty() { nobody.to_owned() } else { names.join(", ") }
            };
            format!(
                "{}{}The practice key signed another trust file. Computers that cosign the log: {}. Witnesses outside: {}.",
                handed.unwrap_or_default(),
                replaced.unwrap_or_default(),
                named("committee", "none"),
                named("outside", "none")
            )
        }
        act::kind::DELIVERY => {
            let (said, is_told_first) = super::delivered::change(body)?;
            is_prominent = is_told_first;
            signed(&said, body, roster)
        }
        act::kind::OFF_SITE if text("step") == "works_again" => format!("Copies reach {} again.", text("to")),
        act::kind::DISK if text("step") == "seen" => format!("{}.", crate::disk::sentence_of(body)),
        act::kind::TIME_STAMP if text("step") == "failing" => {
            is_prominent = true;
            format!("No time-stamp could be got from the time-stamping authority since {}.", text("since"))
        }
        act::kind::HOLD | act::kind::PRESERVED | act::kind::CUSTODY | act::kind::PRUNED => {
            keeping_sentence(event.kind.as_str(), body)?
        }
        _ => return None,
    };
    Some(Note { at, sentence, is_prominent })
}

fn roster_sentence(body: &Value) -> String {
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("change"), text("because")) {
        (Some(change), _) => change.to_owned(),
        (None, Some(because)) => {
            let what = because.split_once(": ").map_or(because, |(_, what)| what);
            format!("A program was confirmed as a standing permit. {what}")
        }
        (None, None) => "A roster came into force.".to_owned(),
    }
}

fn policy_sentence(body: &Value, roster: &Roster) -> String {
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text("by").is_none() {
        let whence = if text("template").is_some() { ", as the practice was set up" } else { "" };
        return format!("A need-to-know table came into force{whence}.");
    }
    let said = text("change").unwrap_or("A need-to-know table was adopted.");
    signed(said, body, roster)
}

/// The sentence with who did it, where it does not say so itself, whether anybody proved it, and who co-signed.
pub(super) fn signed(sentence: &str, body: &Value, roster: &Roster) -> String {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let Some(by) = text("by") else { return sentence.to_owned() };
    let mut said = sentence.to_owned();
    if !is_proved(text("proof")) || !sentence.contains(&name(by, roster)) {
        said.push_str(&format!(" {}.", capitalise(&in_name(by, text("proof"), roster))));
    }
    if let Some(second) = text("second") {
        said.push_str(&format!(" Co-signed by {}.", name(second, roster)));
    }
    said
}

fn departure_sentence(body: &Value, roster: &Roster) -> Option<String> {
    let (person, item, verb, note) = match serde_json::from_value(body.clone()).ok()? {
        DepartureStep::Ticked { person, item, note, .. } => (person, item, "is done", note),
        DepartureStep::Unticked { person, item, note, .. } => (person, item, "is not done after all", note),
    };
    let steps = checklist(roster, &person, None);
    let what = steps.iter().find(|step| step.id == item).map_or(item.as_str(), |step| step.what.as_str());
    let what = what.trim_end_matches('.');
    let note = note.map(|note| format!(", noting “{note}”")).unwrap_or_default();
    let sentence = format!("Departure of {}: “{what}” {verb}{note}.", name(&person, roster));
    Some(signed(&sentence, body, roster))
}

/// A decision about something that a machine proposed to watch.
fn watch_sentence(event: &Event, body: &Value, roster: &Roster) -> Option<String> {
    let act: WatchAct = serde_json::from_value(body.clone()).ok()?;
    let machine = act.author.trim_start_matches("agent/");
    let class = event.object.as_ref().and_then(|object| object.class.as_ref());
    let class = class.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let decided = match act.step {
        Step::Confirmed => "was confirmed: it is watched from then on",
        Step::Declined => "was declined: it is not watched, and the computer asks no more",
    };
    let because = act.because.map(|because| format!(" ({because})")).unwrap_or_default();
    let sentence =
        format!("A proposal of {machine} to watch something of the class {class}{because} {decided}.");
    Some(signed(&sentence, body, roster))
}

/// Holds, what was preserved, who had a copy, what retention removed.
fn keeping_sentence(kind: &str, body: &Value) -> Option<String> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Some(match (kind, text("/step")) {
        (act::kind::HOLD, "began") => {
            format!(
                "The legal hold {} began for case {}: nothing of its time is removed.",
                text("/id"),
                text("/case")
            )
        }
        (act::kind::HOLD, "released") => format!("The legal hold {} was released.", text("/id")),
        (act::kind::PRESERVED, _) => format!("Everything was preserved for case {}.", text("/case")),
        // An export is told among the looks.
        (act::kind::CUSTODY, _) if text("/what") == "exported" => return None,
        (act::kind::CUSTODY, _) => {
            format!("Case {}: {}, to {}.", text("/case"), text("/what").replace('_', " "), text("/to"))
        }
        (act::kind::PRUNED, _) => {
            let n = body.get("segments").and_then(Value::as_array).map_or(0, Vec::len);
            format!(
                "The entries of {n} finished segments were removed after their retention; notes and acts stay."
            )
        }
        _ => return None,
    })
}

fn configuration_sentence(body: &Value) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(match text("change") {
        "help-desk token made" => {
            format!("The help desk {} may ask for tickets from now on; it cannot approve any.", text("name"))
        }
        "help-desk token revoked" => format!("The help desk {} may no longer ask for tickets.", text("name")),
        "collector.toml" => "The collector’s configuration file was changed.".to_owned(),
        "secret set" => format!("The secret {} was set.", text("name")),
        "stopped" => "The collector was stopped.".to_owned(),
        "recovered" => {
            "After a stop in the middle of a write the unfinished end of the ledger was cut; nothing acknowledged was in it.".to_owned()
        }
        _ => return None,
    })
}

/// Who looked at what, in words; none for acts that are no looks.
pub fn look(event: &Event, roster: &Roster) -> Option<String> {
    let body = act::body(event)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(match event.kind.as_str() {
        act::kind::EXPORT => format!("An evidence bundle was made for case {}.", text("case")),
        act::kind::VIEWED if !text("by").is_empty() => {
            format!("{} looked at {} in the console.", name(text("by"), roster), text("what"))
        }
        act::kind::VIEWED => match text("what") {
            "baseline" => {
                "The proposals for standing permits were looked at from the command line.".to_owned()
            }
            "" => "Records were looked at from the command line.".to_owned(),
            what => format!("{} were looked at from the command line.", capitalise(what)),
        },
        act::kind::REPORT_OPENED => {
            format!("{} opened the review of week {} in the console.", name(text("by"), roster), text("week"))
        }
        act::kind::REPORT_MADE => format!("The review of week {} was made.", text("week")),
        act::kind::DELIVERY => super::delivered::look(body)?,
        _ => return None,
    })
}

/// Looks of one kind, counted: the last of them gives the time.
#[derive(Clone, Debug, Default)]
pub struct Looks(BTreeMap<String, (Option<Timestamp>, usize)>);

impl Looks {
    /// Takes in one.
    pub fn add(&mut self, sentence: String, at: Option<Timestamp>) {
        let (last, n) = self.0.entry(sentence).or_default();
        *last = (*last).max(at);
        *n = n.saturating_add(1);
    }

    /// One note for each kind, in order of time.
    pub fn notes(self) -> Vec<Note> {
        let note = |(sentence, (last, n)): (String, (Option<Timestamp>, usize))| {
            let sentence = match n {
                1 => sentence,
                n => format!("{} ({}, this is the last)", sentence.trim_end_matches('.'), times(n)),
            };
            Note::new(last, sentence)
        };
        let mut notes: Vec<Note> = self.0.into_iter().map(note).collect();
        notes.sort_by_key(|note| note.at);
        notes
    }
}

/// That a practice key handed over, with both keys in the words by which people compare them.
fn succession(body: &Value) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let words = |key: &str| Some(words::of_key(VerifierKey::parse(text(key)?).ok()?.public_bytes()));
    Some(format!(
        "The practice key handed over to another one ({}). Before: {}. Now: {}. ",
        text("why")?,
        words("former")?,
        words("next")?
    ))
}

/// That another recovery key took the place of one, with both public halves.
fn replaced(body: &Value) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    Some(format!(
        "The recovery key was replaced ({}). Before: {}. Now: {}. ",
        text("why")?,
        text("former")?,
        text("next")?
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use ntk_evidence::note::{KeyType, NoteSigner};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(acts: &[(&str, Value)], expected: Expect) {
        let roster = Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap();
        let mut text = String::new();
        for (kind, body) in acts {
            let event = act::event(kind, "2026-11-18T15:00:00Z", body.clone());
            let note = change(&event, None, &roster);
            let mark = if note.as_ref().is_some_and(|note| note.is_prominent) { "! " } else { "" };
            let said = note.map(|note| note.sentence).or_else(|| look(&event, &roster));
            text.push_str(&format!("{mark}{}\n", said.unwrap_or_else(|| "(nothing)".to_owned())));
        }
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!text.to_lowercase().contains(word), "RP-3: `{word}` in {text}");
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn a_practice_key_that_handed_over_is_prominent_with_both_keys_in_words() {
        let key = |seed| {
            let signer = NoteSigner::new("maple-1/practice", KeyType::Ed25519, &[seed; 32]).unwrap();
            signer.verifier().to_string()
        };
        let handed = json!({"former": key(1), "next": key(2), "made": "2026-11-18T15:00:00Z", "why": "to Jane Doe: rotation"});
        check(
            &[("act_trust", json!({"committee": [], "outside": [], "succession": handed}))],
            expect![[r#"
                ! The practice key handed over to another one (to Jane Doe: rotation). Before: crucial position tower kingdom panther layer faculty region follow field pill item. Now: health scale voice thing october bench immune remove route tag bronze census. The practice key signed another trust file. Computers that cosign the log: none. Witnesses outside: none.
            "#]],
        );
    }

    #[test]
    fn a_recovery_key_that_was_replaced_is_prominent_with_both_public_halves() {
        let replaced = json!({"former": "age1former", "next": "age1next", "made": "2026-11-18T15:00:00Z", "why": "a stick was lost"});
        check(
            &[("act_trust", json!({"committee": [], "outside": [], "recovery": replaced}))],
            expect![[r#"
                ! The recovery key was replaced (a stick was lost). Before: age1former. Now: age1next. The practice key signed another trust file. Computers that cosign the log: none. Witnesses outside: none.
            "#]],
        );
    }

    #[test]
    fn a_change_names_who_made_it_and_whether_that_is_proved() {
        check(
            &[
                (
                    "act_trust",
                    json!({"committee": ["maple-1/witness/ws-01", "maple-1/witness/ws-02"], "outside": []}),
                ),
                ("act_roster", json!({"text": ""})),
                (
                    "act_roster",
                    json!({"change": "Mary Lopez recorded that Bea Novak leaves: 2026-11-20.", "by": "mary", "proof": "passphrase"}),
                ),
                (
                    "act_roster",
                    json!({"change": "A roster came into force. 2 people are new.", "by": "mary", "proof": "passphrase"}),
                ),
                (
                    "act_roster",
                    json!({"change": "A roster came into force. 2 people are new.", "by": "mary", "proof": "none"}),
                ),
                (
                    "act_roster",
                    json!({"change": "Mary Lopez recorded that account temp on ws-02 is held by Sam Ortiz.", "by": "mary"}),
                ),
                (
                    "act_roster",
                    json!({"because": "confirmed proposal 3f9a: The backup restic on ws-01 touched backups on 28 of the last 28 days.", "by": "mary", "proof": "passphrase"}),
                ),
                ("act_policy", json!({"text": "", "template": "dental"})),
                ("act_policy", json!({"text": ""})),
                ("act_policy", json!({"text": "", "by": "mary", "proof": "passphrase", "second": "drchen"})),
                ("act_policy", json!({"text": "", "by": "mary", "proof": "none"})),
            ],
            expect![[r#"
                The practice key signed another trust file. Computers that cosign the log: ws-01, ws-02. Witnesses outside: none.
                A roster came into force.
                Mary Lopez recorded that Bea Novak leaves: 2026-11-20.
                A roster came into force. 2 people are new. By Mary Lopez.
                A roster came into force. 2 people are new. Recorded in Mary Lopez’s name; nobody proved to be Mary Lopez.
                Mary Lopez recorded that account temp on ws-02 is held by Sam Ortiz. Recorded in Mary Lopez’s name; nobody proved to be Mary Lopez.
                A program was confirmed as a standing permit. The backup restic on ws-01 touched backups on 28 of the last 28 days. By Mary Lopez.
                A need-to-know table came into force, as the practice was set up.
                A need-to-know table came into force.
                A need-to-know table was adopted. By Mary Lopez. Co-signed by Dr. Chen.
                A need-to-know table was adopted. Recorded in Mary Lopez’s name; nobody proved to be Mary Lopez.
            "#]],
        );
    }

    #[test]
    fn passphrases_departures_and_the_configuration_are_changes_too() {
        check(
            &[
                ("act_reviewer", json!({"step": "set", "person": "mary"})),
                ("act_reviewer", json!({"step": "changed", "person": "mary"})),
                ("act_reviewer", json!({"step": "reset", "person": "mary"})),
                (
                    "act_departure",
                    json!({"step": "ticked", "person": "bea", "item": "admin-groups", "by": "mary", "proof": "passphrase", "note": "forward removed"}),
                ),
                (
                    "act_departure",
                    json!({"step": "unticked", "person": "bea", "item": "admin-groups", "by": "mary", "proof": "none"}),
                ),
                ("act_departure", json!({"step": "burned"})),
                ("act_configuration", json!({"change": "help-desk token made", "name": "zammad"})),
                ("act_configuration", json!({"change": "collector.toml"})),
                (
                    "act_account",
                    json!({"step": "made", "person": "chen", "role": "reviewer", "by": "mary", "proof": "passphrase"}),
                ),
                (
                    "act_account",
                    json!({"step": "role", "person": "chen", "role": "attorney", "case": "C-1", "before": "reviewer", "by": "mary", "proof": "passphrase"}),
                ),
                ("act_account", json!({"step": "locked", "person": "mary", "wrong": 10})),
                ("act_account", json!({"step": "unlocked", "person": "mary"})),
                ("act_account", json!({"step": "second_factor_reset", "person": "mary"})),
                ("act_account", json!({"step": "link_refused", "why": "used already", "from": "10.0.0.9"})),
                ("act_account", json!({"step": "burned"})),
                ("act_sign_in", json!({"outcome": "failed", "person": "mary", "n": 12, "from": "10.0.0.9"})),
                ("act_sign_in", json!({"outcome": "failed", "person": null, "n": 1, "from": "10.0.0.9"})),
                ("act_sign_in", json!({"outcome": "signed in", "person": "mary", "from": "10.0.0.9"})),
                ("act_configuration", json!({"started": true})),
                ("act_enrolment", json!({"author": "agent/ws-02"})),
                (
                    "act_enrolment",
                    json!({"author": "agent/ws-02.2", "replaces": "maple/agent/ws-02+00000000+AA"}),
                ),
            ],
            expect![[r#"
                A passphrase was set for Mary Lopez.
                Mary Lopez changed their passphrase.
                ! The passphrase of Mary Lopez was reset without the old one: whoever has the new one decides in this name. Ask Mary Lopez whether they did it.
                Departure of Bea Novak: “Take the accounts of Bea Novak out of administrator groups and sudoers” is done, noting “forward removed”. By Mary Lopez.
                Departure of Bea Novak: “Take the accounts of Bea Novak out of administrator groups and sudoers” is not done after all. Recorded in Mary Lopez’s name; nobody proved to be Mary Lopez.
                (nothing)
                The help desk zammad may ask for tickets from now on; it cannot approve any.
                The collector’s configuration file was changed.
                chen may sign in to the console as reviewer. By Mary Lopez.
                chen is attorney of case C-1 in the console from now on, and was reviewer before. By Mary Lopez.
                ! The console’s sign-in of Mary Lopez was locked after 10 wrong attempts in a row.
                The sign-in of Mary Lopez was unlocked from the command line.
                ! The second factor of Mary Lopez was taken away from the command line: whoever has the passphrase and the new link signs in under this name. Ask Mary Lopez whether they asked for it.
                ! A one-time link to the console that was used already was opened again, from 10.0.0.9.
                (nothing)
                12 sign-ins to the console as Mary Lopez failed, the last from 10.0.0.9.
                1 sign-in to the console under a name that has no account failed, the last from 10.0.0.9.
                (nothing)
                (nothing)
                The machine ws-02 was enrolled.
                The machine ws-02 was set up anew and enrolled in its own place; nothing is taken from its earlier identity any more.
            "#]],
        );
    }

    #[test]
    fn looks_of_one_kind_are_one_line() {
        let mut looks = Looks::default();
        for (kind, body) in [
            ("act_viewed", json!({"what": "findings"})),
            ("act_viewed", json!({"what": "findings", "person": "bea"})),
            ("act_viewed", json!({"what": "baseline"})),
            ("act_export", json!({"case": "A-1"})),
        ] {
            let roster = Roster::default();
            let sentence = look(&act::event(kind, "2026-11-18T15:00:00Z", body), &roster).unwrap();
            looks.add(sentence, Some("2026-11-18T15:00:00Z".parse().unwrap()));
        }
        let lines: Vec<_> = looks.notes().into_iter().map(|note| note.sentence).collect();
        expect![[r#"
            An evidence bundle was made for case A-1.
            Findings were looked at from the command line (twice, this is the last)
            The proposals for standing permits were looked at from the command line."#]]
        .assert_eq(&lines.join("\n"));
    }
}
