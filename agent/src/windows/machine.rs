//! This machine, as inventories ask of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use super::accounts_ffi::{accounts, members, name_of};
use super::registry_ffi::{Key, Listed};
use crate::host;
use crate::inventory::windows::system::{LocalAccount, System, Value};

/// Sentences about what could not be read that are kept.
const SENTENCES_MAX: usize = 32;

/// See the module; one is good for one look.
#[derive(Debug, Default)]
pub struct Machine {
    unread: RefCell<BTreeSet<String>>,
}

impl Machine {
    fn listed<T>(&self, path: &str, of: impl Fn(&Key) -> io::Result<Listed<T>>) -> Vec<T> {
        match Key::open(path).and_then(|key| of(&key)) {
            Ok((found, false)) => found,
            Ok((found, true)) => {
                self.miss(format!("{path} of the registry holds more than is looked at"));
                found
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(_) => {
                self.miss(format!("{path} of the registry cannot be read by this account"));
                Vec::new()
            }
        }
    }

    fn miss(&self, sentence: String) {
        let mut unread = self.unread.borrow_mut();
        if unread.len() < SENTENCES_MAX {
            unread.insert(sentence);
        }
    }
}

/// `DOMAIN\name`, of this machine's own accounts the name alone.
fn short(name: String) -> String {
    let own = host::name().unwrap_or_default();
    match name.split_once('\\') {
        Some((domain, rest)) if domain.eq_ignore_ascii_case(&own) => rest.to_owned(),
        _ => name,
    }
}

impl System for Machine {
    fn keys(&self, key: &str) -> Vec<String> {
        let mut names = self.listed(key, Key::keys);
        names.sort();
        names
    }

    fn values(&self, key: &str) -> Vec<(String, Value)> {
        let mut values = self.listed(key, Key::values);
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }

    fn account(&self, sid: &str) -> Option<String> {
        let (domain, name) = name_of(sid).ok()?;
        Some(if domain.is_empty() { name } else { short(format!("{domain}\\{name}")) })
    }

    fn members(&self, sid: &str) -> Result<Vec<String>, String> {
        // A group that this edition of Windows does not have has no members.
        let Ok((_, group)) = name_of(sid) else { return Ok(Vec::new()) };
        let found = members(&group).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(short).collect())
    }

    fn accounts(&self) -> Result<Vec<LocalAccount>, String> {
        accounts().map_err(|error| error.to_string())
    }

    fn unread(&self) -> Vec<String> {
        self.unread.borrow().iter().cloned().collect()
    }
}
