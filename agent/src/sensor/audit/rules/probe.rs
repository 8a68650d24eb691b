//! A rule that changes nothing: what an on-site test adds and removes, to see that this is told.

use super::{Draft, FIELD_DIR, FIELD_PERM, FILTER_EXIT, PERM_ATTRIBUTES, Rule};

/// Attributes of what lies below a folder, under a key that is not one of ours.
pub(in crate::sensor::audit) fn probe_rule(folder: &str, key: &str) -> Rule {
    Draft::new(FILTER_EXIT).every_call().text(FIELD_DIR, folder).field(FIELD_PERM, PERM_ATTRIBUTES).rule(key)
}
