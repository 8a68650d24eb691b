//! Second signatures on the pages that need one: what waits there, signing, declining.

use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::Console;
use super::evidence::words::when;
use super::shell::Visitor;
use crate::admin::Failure;
use crate::admin::cosigns::{DeclineRequest, SignRequest, decline, give};
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::second::cosign::What;

/// One thing that waits for a second signature.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) says: String,
    /// The whole of what is signed.
    pub(super) text: String,
    pub(super) sha256: String,
    pub(super) by: String,
    pub(super) until: String,
    pub(super) at_once: String,
    /// Whether it is the reader's own, which somebody else signs.
    pub(super) is_own: bool,
}

/// What waits, of these kinds; nothing that is about the one who reads.
pub(super) fn waiting(console: &Console, visitor: &Visitor, roster: &Roster, kinds: &[What]) -> Vec<Waiting> {
    let zone: &TimeZone = console.app.lookup.zone();
    let published = console.app.ledger.published();
    let them = visitor.viewer().themselves(roster);
    let about = |body: &serde_json::Value| {
        let person = body.get("person").and_then(serde_json::Value::as_str);
        person.is_some_and(|person| them.are_named(person, roster))
    };
    let all = published.registry.people.cosigns.waiting(console.now());
    let wanted = all.filter(|pending| kinds.contains(&pending.what) && !about(&pending.body));
    wanted
        .map(|pending| Waiting {
            id: pending.id.clone(),
            says: visible(&pending.says),
            text: visible(
                &serde_json::to_string_pretty(&pending.body).unwrap_or_default().replace("\n", " "),
            ),
            sha256: pending.sha256.clone(),
            by: visible(&name(&pending.by, roster)),
            until: when(&pending.expires.to_string(), zone),
            at_once: visible(pending.at_once.as_deref().unwrap_or_default()),
            is_own: pending.by == visitor.person,
        })
        .collect()
}

/// The form of a signature.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignForm {
    pub(super) id: String,
    sha256: String,
    /// `sign` or `decline`.
    step: String,
    because: String,
    passphrase: String,
}

/// Signs or declines; what is said afterwards.
pub(super) async fn take(
    console: &Console,
    visitor: &Visitor,
    form: SignForm,
) -> Result<&'static str, Failure> {
    let passphrase = Some(form.passphrase).filter(|text| !text.is_empty()).map(Passphrase::new);
    let _room = console.passphrases.acquire().await;
    let (state, by) = (State(console.app.clone()), visitor.person.clone());
    match form.step.as_str() {
        "sign" => {
            let request = SignRequest { id: form.id, sha256: form.sha256, by, passphrase };
            let Json(_) = give(state, visitor.viewer(), Json(request)).await?;
            Ok("signed")
        }
        "decline" => {
            let request = DeclineRequest { id: form.id, because: form.because, by, passphrase };
            let Json(_) = decline(state, visitor.viewer(), Json(request)).await?;
            Ok("declined")
        }
        _ => Err(Failure::bad("Choose whether you sign or decline.")),
    }
}
