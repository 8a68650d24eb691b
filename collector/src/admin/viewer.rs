//! Who asks the API: the console's gate says who is signed in; over the socket it is whoever runs the collector.
//!
//! # Invariants
//! - VW-1: nobody who is signed in is shown a finding about themselves, nor decides about one.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::account::Role;
use crate::finding::Finding;
use crate::finding::incident::Incident;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewer(Option<(String, Role)>);

impl Viewer {
    /// Somebody who is signed in to the console.
    pub fn signed_in(person: &str, role: &Role) -> Self {
        Self(Some((person.to_owned(), role.clone())))
    }

    /// Id of the person; nobody where the request came over the socket.
    pub fn person(&self) -> Option<&str> {
        self.0.as_ref().map(|(person, _)| person.as_str())
    }

    /// VW-1: whether a finding is, or may be, about the one who asks.
    pub fn is_about_them(&self, finding: &Finding) -> bool {
        let Some(person) = self.person() else { return false };
        finding.person.as_deref() == Some(person) || finding.candidates.iter().any(|one| one == person)
    }

    /// VW-1, of an incident with its findings.
    pub fn is_incident_about_them<'f>(
        &self,
        incident: &Incident,
        mut findings: impl Iterator<Item = &'f Finding>,
    ) -> bool {
        let Some(person) = self.person() else { return false };
        incident.person.as_deref() == Some(person) || findings.any(|finding| self.is_about_them(finding))
    }

    /// The body of an act of looking, with who looked.
    pub fn looked(&self, mut body: Value) -> Value {
        if let (Some(person), Some(fields)) = (self.person(), body.as_object_mut()) {
            fields.insert("by".into(), json!(person));
        }
        body
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
