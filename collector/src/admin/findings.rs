//! Findings: the list, one incident with its story, and the steps that people take.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::links::{self, Paper, Wanted};
use super::requests::{Edge, FindingsQuery, ViewerQuery, moment};
use super::reviewers::{Signature, Word, sign};
use super::viewer::{Themselves, Viewer};
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::finding::incident::{Incident, incidents};
use crate::finding::step::{self, Choice, Explanation, FindingState, Step, StepAct};
use crate::finding::story::Story;
use crate::finding::{Finding, wording};
use crate::follow::Lookup;
use crate::need_to_know::Judgement;
use crate::report::text::count;
use crate::reviewer::Passphrase;
use crate::second::may_decide;
use crate::store::FindingRecord;

/// Sentences of the table that a list shows for each incident.
const REASONS_MAX: usize = 3;

/// `finding ID ask|answer|decide`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// What.
    pub what: Asked,
    /// Id of the person whose step it is.
    pub by: String,
    /// Shows that it is them.
    #[serde(default)]
    pub passphrase: Option<Passphrase>,
}

/// The step asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// Put a question.
    Asked {
        /// The question.
        question: String,
        /// A one-time link, a form to print; the question alone where absent.
        #[serde(default)]
        way: Wanted,
    },
    /// Give an answer.
    Answered {
        /// The answer.
        answer: String,
        /// That it is typed in from paper.
        #[serde(default)]
        paper: Option<Paper>,
    },
    /// Decide.
    Decided {
        /// What.
        decision: Choice,
        /// Why.
        because: String,
        /// Until when it explains the same, a day to its end.
        #[serde(default)]
        until: Option<String>,
    },
}

/// Every finding with its steps, put together as they are now.
struct Desk {
    records: BTreeMap<String, FindingRecord>,
    incidents: Vec<Incident>,
    explanations: Vec<Explanation>,
    now: Option<Timestamp>,
}

impl Desk {
    fn read(app: &App) -> Answer<Self> {
        app.lookup.up_to_date()?;
        let records = app.lookup.store().findings().map_err(|error| Failure::ours(&error))?;
        let findings: Vec<Finding> = records.iter().map(|record| record.finding.clone()).collect();
        let stepped = records.iter().map(|record| (&record.finding, record.steps.as_slice()));
        Ok(Self {
            incidents: incidents(&findings, app.lookup.zone()),
            explanations: step::explanations(stepped),
            records: records.into_iter().map(|record| (record.finding.id.clone(), record)).collect(),
            now: app.ledger.now().parse().ok(),
        })
    }

    fn of<'a>(&'a self, incident: &'a Incident) -> impl Iterator<Item = &'a FindingRecord> {
        incident.findings.iter().filter_map(|id| self.records.get(id))
    }

    /// The incident that a person means: by its id, by that of one of its findings, or by how that begins.
    fn incident(&self, id: &str) -> Answer<&Incident> {
        if let Some(incident) =
            self.incidents.iter().find(|incident| incident.findings.iter().any(|have| have == id))
        {
            return Ok(incident);
        }
        let begins = |incident: &&Incident| incident.findings.iter().any(|have| have.starts_with(id));
        let mut found = self.incidents.iter().filter(begins);
        match (found.next(), found.next()) {
            (Some(incident), None) if id.len() >= 4 => Ok(incident),
            (Some(_), _) => Err(Failure::bad(format!(
                "`{id}` is the beginning of more than one finding; write more of it"
            ))),
            (None, _) => Err(Failure::missing(format!(
                "there is no finding `{id}`; see `ntk-collector findings --all`"
            ))),
        }
    }

    /// VW-1: whether an incident is, or may be, about the one who asks.
    fn is_about(&self, them: &Themselves, incident: &Incident) -> bool {
        them.are_in_incident(incident, self.of(incident).map(|record| &record.finding))
    }

    /// [`Desk::incident`], where it is not about the one who asks.
    fn incident_for(&self, them: &Themselves, id: &str) -> Answer<&Incident> {
        let incident = self.incident(id)?;
        if self.is_about(them, incident) {
            return Err(Failure::not_theirs(
                "This finding is about you, your firm or an account that you share. Somebody else who decides sees it.",
            ));
        }
        Ok(incident)
    }

    fn covered(&self, record: &FindingRecord) -> Option<&Explanation> {
        step::standing(&record.finding, &record.steps, &self.explanations).1
    }

    fn state_of(&self, record: &FindingRecord) -> FindingState {
        step::standing(&record.finding, &record.steps, &self.explanations).0
    }

    /// The least settled of its findings.
    fn state(&self, incident: &Incident) -> FindingState {
        self.of(incident).map(|record| self.state_of(record)).min().unwrap_or_default()
    }

    /// Since when something about it is undecided: `3 days`.
    fn age(&self, incident: &Incident) -> Option<String> {
        let undecided = self.of(incident).filter(|record| self.state_of(record).is_undecided());
        let since = undecided.filter_map(|record| record.finding.first_time).min()?;
        let hours = self.now?.duration_since(since).as_hours().max(0);
        Some(match hours {
            0 => "less than an hour".to_owned(),
            1..48 => count(u64::try_from(hours).unwrap_or(0), "hour", "hours"),
            _ => count(u64::try_from(hours / 24).unwrap_or(0), "day", "days"),
        })
    }

    fn row(&self, record: &FindingRecord, incident: Option<&Incident>) -> Value {
        let finding = &record.finding;
        json!({
            "headline": wording::headline(finding),
            "never": finding.outcome == Judgement::Never,
            "is_open": record.is_open,
            "finding": finding,
            "opened_by": record.opened_by,
            "closed_by": record.closed_by,
            "tag": wording::tag(finding),
            "state": self.state_of(record),
            "covered_by": self.covered(record),
            "incident": incident.map(|incident| &incident.id),
            "steps": record.steps,
        })
    }

    fn incident_row(&self, incident: &Incident) -> Value {
        let state = self.state(incident);
        let mut reasons: Vec<&str> = Vec::new();
        for reason in self.of(incident).flat_map(|record| &record.finding.reasons) {
            if reasons.len() < REASONS_MAX && !reasons.contains(&reason.sentence.as_str()) {
                reasons.push(&reason.sentence);
            }
        }
        let mut signals: Vec<&str> = Vec::new();
        for signal in self.of(incident).flat_map(|record| &record.finding.signals) {
            if signals.len() < REASONS_MAX && !signals.contains(&signal.sentence.as_str()) {
                signals.push(&signal.sentence);
            }
        }
        let chief = self.records.get(&incident.id);
        let mut row = json!({
            "state": state,
            "state_in_words": state.in_words(),
            "is_undecided": state.is_undecided(),
            "is_covered": self.of(incident).any(|record| self.covered(record).is_some()),
            "is_open": self.of(incident).any(|record| record.is_open),
            "age": self.age(incident),
            "tag": chief.map(|record| wording::tag(&record.finding)),
            "reasons": reasons,
            "signals": signals,
        });
        if let (Some(row), Ok(Value::Object(fields))) = (row.as_object_mut(), serde_json::to_value(incident))
        {
            row.extend(fields);
        }
        row
    }
}

/// The findings of a person or since a time, and the incidents that they make.
pub async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<FindingsQuery>,
) -> Answer<Json<Value>> {
    let viewer = viewer.or_named(query.viewer.as_deref());
    Ok(Json(found(&app, &viewer, query).await?))
}

/// Ids of all findings and incidents that are, or may be, about the one who asks.
pub(crate) async fn hidden_from(app: &App, viewer: &Viewer) -> Answer<BTreeSet<String>> {
    let (app, viewer) = (app.clone(), viewer.clone());
    blocking(move || {
        let desk = Desk::read(&app)?;
        let viewer = viewer.themselves(&app.lookup.rules_now()?.0);
        let about = desk.incidents.iter().filter(|incident| desk.is_about(&viewer, incident));
        let ids = about.flat_map(|incident| incident.findings.iter().chain([&incident.id]));
        Ok(ids.cloned().collect())
    })
    .await
}

/// [`list`], for whoever asks.
pub(crate) async fn found(app: &App, viewer: &Viewer, query: FindingsQuery) -> Answer<Value> {
    let since = query.since()?;
    let looked = viewer.looked(json!({"what": "findings", "person": query.person}));
    let asking = viewer.clone();
    let app_for_reading = app.clone();
    let found = blocking(move || {
        let desk = Desk::read(&app_for_reading)?;
        let asking = asking.themselves(&app_for_reading.lookup.rules_now()?.0);
        let wanted = |record: &&FindingRecord| {
            let finding = &record.finding;
            let name = finding.person.as_deref().or(finding.account.as_deref());
            let person = query.person.as_deref().is_none_or(|person| name == Some(person));
            person && since.is_none_or(|since| finding.last_time.is_none_or(|at| at >= since))
        };
        let mut incident_of: BTreeMap<&str, &Incident> = BTreeMap::new();
        for incident in &desk.incidents {
            incident_of.extend(incident.findings.iter().map(|id| (id.as_str(), incident)));
        }
        let (hidden, incidents): (Vec<&Incident>, Vec<&Incident>) =
            desk.incidents.iter().partition(|incident| desk.is_about(&asking, incident));
        let hidden_ids: BTreeSet<&str> =
            hidden.iter().flat_map(|incident| &incident.findings).map(String::as_str).collect();
        let is_shown = |record: &&FindingRecord| !hidden_ids.contains(record.finding.id.as_str());
        let mut records: Vec<&FindingRecord> =
            desk.records.values().filter(wanted).filter(is_shown).collect();
        records.sort_by_key(|record| (record.finding.first_time, record.finding.id.as_str()));
        let rows = records
            .iter()
            .map(|record| desk.row(record, incident_of.get(record.finding.id.as_str()).copied()));
        let shown = incidents.iter().filter(|incident| desk.of(incident).any(|record| wanted(&record)));
        Ok(json!({
            "findings": rows.collect::<Vec<_>>(),
            "incidents": shown.map(|incident| desk.incident_row(incident)).collect::<Vec<_>>(),
            "not_shown": hidden.len(),
        }))
    })
    .await?;
    // An honest monitor records the looks of those who watch as well.
    record(app, act::kind::VIEWED, looked).await?;
    Ok(found)
}

/// One incident: its story, its findings with their evidence and limits, its steps.
pub async fn one(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<ViewerQuery>,
) -> Answer<Json<Value>> {
    let viewer = viewer.or_named(query.viewer.as_deref());
    Ok(Json(told(&app, &viewer, id).await?))
}

/// [`one`], for whoever asks.
pub(crate) async fn told(app: &App, viewer: &Viewer, id: String) -> Answer<Value> {
    let looked = viewer.looked(json!({"what": "a finding", "finding": id}));
    let (app_for_reading, asking) = (app.clone(), viewer.clone());
    let found = blocking(move || {
        let desk = Desk::read(&app_for_reading)?;
        let asking = asking.themselves(&app_for_reading.lookup.rules_now()?.0);
        let incident = desk.incident_for(&asking, &id)?;
        let records: Vec<&FindingRecord> = desk.of(incident).collect();
        let story = story(&app_for_reading.lookup, &records)?;
        let findings: Vec<Value> = records.iter().map(|record| detailed(&desk, record, incident)).collect();
        Ok(json!({"incident": desk.incident_row(incident), "story": story, "findings": findings}))
    })
    .await?;
    record(app, act::kind::VIEWED, looked).await?;
    Ok(found)
}

fn story(lookup: &Lookup, records: &[&FindingRecord]) -> Answer<Value> {
    let mut story = Story::of(records.iter().map(|record| &record.finding).collect());
    for (from, to) in story.spans() {
        lookup.events(from, to, |seen| story.observe(seen.access, seen.decision))?;
    }
    serde_json::to_value(story.told(lookup.zone())).map_err(|error| Failure::ours(&error))
}

fn detailed(desk: &Desk, record: &FindingRecord, incident: &Incident) -> Value {
    let finding = &record.finding;
    let mut row = desk.row(record, Some(incident));
    if let Some(row) = row.as_object_mut() {
        row.insert("what".into(), json!(wording::what(finding)));
        row.insert("account".into(), json!(wording::account(finding)));
        row.insert("way".into(), json!(wording::way(finding)));
        row.insert("who_could_have_been".into(), json!(wording::candidates(finding)));
        row.insert("not_shown".into(), json!(wording::not_shown(finding)));
        row.insert("state_in_words".into(), json!(desk.state_of(record).in_words()));
    }
    row
}

/// A step that may be taken, with what a link shows of its incident.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) act: StepAct,
    pub(crate) headline: String,
    pub(crate) person: Option<String>,
}

/// Looks whether a step may be taken; it applies to all the findings that the incident has now.
pub(crate) async fn prepare(app: &App, id: String, step: Step) -> Answer<Prepared> {
    let app = app.clone();
    blocking(move || {
        // Once more than the list: the act that opens a finding comes after the entries that it is made of.
        app.lookup.up_to_date()?;
        let desk = Desk::read(&app)?;
        let incident = desk.incident(&id)?;
        let records: Vec<&FindingRecord> = desk.of(incident).collect();
        if records.iter().any(|record| record.opened_by.is_none()) {
            return Err(Failure::bad(
                "this finding is just being written to the ledger; try again in a moment",
            ));
        }
        let (roster, policy) = app.lookup.rules_now()?;
        let at = desk.now.ok_or_else(|| Failure::bad("the clock cannot be read"))?;
        let about: Vec<_> = records.iter().map(|record| (&record.finding, record.steps.as_slice())).collect();
        step::check(&step, &about, &roster, at).map_err(|faults| {
            Failure::bad(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        if let Step::Decided { by, .. } = &step {
            let persons = records.iter().filter_map(|record| record.finding.person.as_deref());
            let standing = &app.ledger.published().registry.people.second;
            may_decide(by, persons, standing, &roster, policy.tickets())
                .map_err(|fault| Failure::bad(fault.to_string()))?;
        }
        let act = StepAct {
            id: incident.id.clone(),
            findings: incident.findings.clone(),
            seen: records
                .iter()
                .map(|record| (record.finding.id.clone(), record.finding.n_accesses))
                .collect(),
            about: incident.person.clone().or_else(|| incident.account.clone()),
            step,
        };
        Ok(Prepared { act, headline: incident.headline.clone(), person: incident.person.clone() })
    })
    .await
}

/// Ids of the findings that make the incident of a finding.
pub(crate) fn findings_of(app: &App, id: &str) -> Answer<Vec<String>> {
    Ok(Desk::read(app)?.incident(id)?.findings.clone())
}

/// The incident of a finding: its id and findings, whom it is about, the day of the first access, whether it is about
/// files.
pub(crate) fn incident_of(app: &App, id: &str) -> Answer<(Incident, bool)> {
    let desk = Desk::read(app)?;
    let incident = desk.incident(id)?;
    let is_files = desk.of(incident).any(|record| record.finding.asset.area.is_files());
    Ok((incident.clone(), is_files))
}

/// Takes a step about an incident.
pub async fn take_step(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(request): Json<StepRequest>,
) -> Answer<Json<Value>> {
    Ok(Json(step_on(app, &viewer, id, request).await?))
}

/// [`take_step`], for whoever asks.
pub(crate) async fn step_on(app: App, viewer: &Viewer, id: String, request: StepRequest) -> Answer<Value> {
    let StepRequest { what, by, passphrase } = request;
    if viewer.person().is_some() {
        let (app, asking, id) = (app.clone(), viewer.clone(), id.clone());
        blocking(move || {
            let asking = asking.themselves(&app.lookup.rules_now()?.0);
            Desk::read(&app)?.incident_for(&asking, &id).map(drop)
        })
        .await?;
    }
    // What somebody types in for another is their word, and needs them.
    let is_recorded = matches!(what, Asked::Answered { paper: None, .. });
    let word = if is_recorded { Word::IsRecorded } else { Word::Decides };
    let (_, roster) = super::roster::in_force(&app).await?;
    let signature = sign(&app, &roster, &by, passphrase.as_ref(), word).await?;
    let wanted = match &what {
        Asked::Asked { question, way } if way.is_some() => Some((question.clone(), way.clone())),
        _ => None,
    };
    let step = step_of(&app, &id, what, &signature).await?;
    let prepared = prepare(&app, id, step).await?;
    let act = &prepared.act;
    let body = serde_json::to_value(act).map_err(|error| Failure::ours(&error))?;
    let mut events = vec![act::event(act::kind::FINDING_STEP, app.ledger.now(), body)];
    let mut link = Value::Null;
    if let Some((question, wanted)) = wanted {
        let made = links::for_question(&app, &roster, &wanted, &prepared, (&question, &signature)).await?;
        events.push(made.act);
        link = made.shown;
    }
    // One group: no link without its question, no question that says it was sent and was not.
    let _appended = app.ledger.act(events).await?;
    let id = act.id.clone();
    let state = blocking(move || {
        let desk = Desk::read(&app)?;
        Ok(desk.state(desk.incident(&id)?))
    })
    .await?;
    let mut answer = json!({
        "id": act.id, "findings": act.findings, "state": state, "state_in_words": state.in_words(),
    });
    if let (Some(fields), false) = (answer.as_object_mut(), link.is_null()) {
        fields.insert("link".to_owned(), link);
    }
    Ok(answer)
}

async fn step_of(app: &App, id: &str, asked: Asked, signature: &Signature) -> Answer<Step> {
    let (by, proof) = (signature.by.clone(), Some(signature.proof.to_owned()));
    Ok(match asked {
        Asked::Asked { question, .. } => Step::Asked { question, by, proof },
        Asked::Answered { answer, paper: None } => Step::Answered { answer, by, proof, given: None },
        Asked::Answered { answer, paper: Some(paper) } => {
            let (app_for_reading, wanted) = (app.clone(), id.to_owned());
            let (incident, _) = blocking(move || incident_of(&app_for_reading, &wanted)).await?;
            let given = links::on_paper(app, &paper, (&incident.id, incident.person)).await?;
            Step::Answered { answer: crate::question::typed(&answer), by, proof, given: Some(given) }
        }
        Asked::Decided { decision, because, until } => {
            let until = until.map(|until| moment(&until, app.lookup.zone(), Edge::End)).transpose()?;
            Step::Decided { decision, because, until, by, proof }
        }
    })
}

#[cfg(test)]
mod tests;
