//! The blocks of a roster as they are written: what TOML is read into, and what commands append.

use ntk_evidence::event::Class;
use serde::{Deserialize, Serialize};

/// Declares the blocks: every field may be absent, unless it stands bare.
macro_rules! blocks {
    ($($(#[$doc:meta])* $name:ident { $($need:ident: $need_type:ty),* ; $($field:ident: $type:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(super) struct $name {
                $(pub(super) $need: $need_type,)*
                $(#[serde(default, skip_serializing_if = "Option::is_none")] pub(super) $field: Option<$type>,)*
            }
        )+
    };
}

blocks! {
    /// `[[person]]`
    RawPerson {
        id: String, name: String, roles: Vec<String>;
        organisation: String, email: String, employed_from: String, leave_date: String,
        contract_until: String, notice_given: String,
    }
    /// `[[organisation]]`
    RawOrganisation {
        id: String, name: String, roles: Vec<String>;
        email: String, contract_from: String, contract_until: String, notice_given: String,
        remote_tools: Vec<String>,
    }
    /// `[[account]]`
    RawAccount {
        ;
        person: String, shared_by: Vec<String>, host: String, uid: u32, user: String, sid: String,
        upn: String, ehr_user: String, known_to: Vec<String>, confirmed_on: String,
    }
    /// `[[ssh_key]]`
    RawKey { person: String, fingerprint: String; }
    /// `[[cover]]`
    RawCover { person: String, covers: String, from: String, to: String; mailbox: bool }
    /// `[[leave]]`
    RawLeave { person: String; on: String, notice_given: String, withdrawn: bool }
    /// `[[job]]`
    RawJob {
        id: String, name: String, program: String, host: String, classes: Vec<Class>;
        uid: u32, user: String, hours: String, sha256: String, signer: String, parent: String,
        until: String, confirmed_by: String, confirmed_on: String,
    }
    /// `[[notice]]`
    RawNotice { id: String, title: String, version: String, kind: String, in_force_from: String; }
    /// `[[acknowledgement]]`
    RawAcknowledgement { person: String, notice: String, version: String, on: String; }
    /// `[[machine]]`
    RawMachine { name: String; addresses: Vec<String> }
}

/// Blocks as a text: what a spreadsheet becomes, and what a command appends.
#[derive(Debug, Default, Serialize)]
pub(super) struct Blocks {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) person: Vec<RawPerson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) organisation: Vec<RawOrganisation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) account: Vec<RawAccount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ssh_key: Vec<RawKey>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) leave: Vec<RawLeave>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) acknowledgement: Vec<RawAcknowledgement>,
}

impl Blocks {
    /// The blocks as TOML.
    pub(super) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}
