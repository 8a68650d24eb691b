//! Who asks the API: the console's gate says who is signed in; over the socket it is whoever runs the collector.
//!
//! # Invariants
//! - VW-1: nobody who is signed in is shown a finding that is, or may be, about themselves or their own firm, nor
//!   decides about one.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::account::Role;
use crate::finding::Finding;
use crate::finding::incident::Incident;
use crate::need_to_know::{Access, Decision, Who};
use crate::roster::{Attribution, Holder, Roster};

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewer(Option<(String, Role)>);

impl Viewer {
    /// Somebody who is signed in to the console.
    pub fn signed_in(person: &str, role: &Role) -> Self {
        Self(Some((person.to_owned(), role.clone())))
    }

    /// Whoever is signed in; over the socket somebody who is named, so that what is about them is left out.
    pub(crate) fn or_named(self, person: Option<&str>) -> Self {
        match (self.0, person) {
            (None, Some(person)) => Self(Some((person.to_owned(), Role::Person))),
            (signed_in, _) => Self(signed_in),
        }
    }

    /// Id of the person; nobody where the request came over the socket.
    pub fn person(&self) -> Option<&str> {
        self.0.as_ref().map(|(person, _)| person.as_str())
    }

    /// The case of an attorney, who sees nothing else.
    pub fn case(&self) -> Option<&str> {
        self.0.as_ref().and_then(|(_, role)| role.case())
    }

    /// The body of an act of looking, with who looked.
    pub fn looked(&self, mut body: Value) -> Value {
        if let (Some(person), Some(fields)) = (self.person(), body.as_object_mut()) {
            fields.insert("by".into(), json!(person));
        }
        body
    }

    /// What in findings means them, by this roster.
    pub fn themselves(&self, roster: &Roster) -> Themselves {
        let Some(person) = self.person() else { return Themselves::default() };
        let known = roster.person(person);
        let firm = known.and_then(|person| person.organisation.as_ref());
        // A firm is a holder itself, and so may the one be whom it employs.
        let is_theirs = |of: &String| Some(of) == firm || of == person;
        let of_firm =
            roster.persons().iter().filter(|other| other.organisation.as_ref().is_some_and(is_theirs));
        let shared = roster.accounts().iter().filter(
            |account| matches!(&account.holder, Holder::Shared(ids) if ids.iter().any(|id| id == person)),
        );
        Themselves {
            ids: of_firm
                .map(|other| other.id.clone())
                .chain(firm.cloned())
                .chain([person.to_owned()])
                .collect(),
            words: known.map(|person| person.in_words()).filter(|words| !words.is_empty()),
            shared: shared.filter_map(|account| account.user.clone()).collect(),
        }
    }
}

/// What in a finding means whoever asks; nothing does for the command line.
#[derive(Clone, Debug, Default)]
pub struct Themselves {
    /// Their id, and those of their firm.
    ids: BTreeSet<String>,
    /// How a sentence names them.
    words: Option<String>,
    /// User names of accounts that they share.
    shared: BTreeSet<String>,
}

impl Themselves {
    /// Whether this id of a person, or name of an account, is theirs, their firm's or one that they share.
    pub fn are_named(&self, name: &str, roster: &Roster) -> bool {
        let is_theirs = |holder: &Holder| holder.ids().iter().any(|id| self.ids.contains(id));
        let has_name = |account: &crate::roster::Account| {
            [&account.user, &account.upn, &account.ehr_user]
                .into_iter()
                .any(|own| own.as_deref() == Some(name))
        };
        let mut accounts = roster.accounts().iter();
        self.ids.contains(name) || accounts.any(|account| has_name(account) && is_theirs(&account.holder))
    }

    /// VW-1: whether a finding is, or may be, about them.
    pub fn are_in(&self, finding: &Finding) -> bool {
        if finding.person.as_ref().is_some_and(|person| self.ids.contains(person)) {
            return true;
        }
        let shares = |account: &str| self.shared.contains(account);
        let is_shared = finding.person.is_none() && finding.account.as_deref().is_some_and(shares);
        let is_named = |candidate: &String| {
            self.words.as_ref().is_some_and(|words| candidate.starts_with(words.as_str()))
                || self
                    .shared
                    .iter()
                    .any(|user| candidate.starts_with(&format!("account {user}, which is shared")))
        };
        is_shared || finding.candidates.iter().any(is_named)
    }

    /// VW-1, of an entry: whether it is, or may be, about them, by the decision of its time or by the roster of today.
    pub fn are_in_entry(&self, access: &Access<'_>, decision: &Decision, roster: &Roster) -> bool {
        if self.ids.is_empty() {
            return false;
        }
        let is_theirs = |attribution: Attribution| match attribution {
            Attribution::Person(id) => self.ids.contains(&id),
            Attribution::Shared(ids) => ids.iter().any(|id| self.ids.contains(id)),
            Attribution::Account(_) | Attribution::Unattributed => false,
        };
        let actor = access.event.actor.as_ref();
        let claims = actor.and_then(|actor| actor.claims.as_deref());
        let is_claimed = claims
            .and_then(|name| roster.claimed_person(access.host, name))
            .is_some_and(|person| self.ids.contains(&person.id));
        let who = decision.who.as_ref();
        let named = |who: &Who| {
            who.person.as_ref().is_some_and(|person| self.ids.contains(person))
                || who.person.is_none() && who.account.as_ref().is_some_and(|user| self.shared.contains(user))
                || self
                    .words
                    .as_ref()
                    .zip(who.holder.as_ref())
                    .is_some_and(|(me, holder)| holder.contains(me))
        };
        who.is_some_and(named)
            || is_claimed
            || actor.is_some_and(|actor| is_theirs(roster.person_of(access.host, actor)))
    }

    /// VW-1, of an incident with its findings.
    pub fn are_in_incident<'f>(
        &self,
        incident: &Incident,
        mut findings: impl Iterator<Item = &'f Finding>,
    ) -> bool {
        incident.person.as_ref().is_some_and(|person| self.ids.contains(person))
            || findings.any(|finding| self.are_in(finding))
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
