//! A Windows of a test: keys and values in a map.

use std::collections::BTreeMap;

use super::system::{LocalAccount, System, Value};

/// See the module.
#[derive(Debug, Default)]
pub struct Fake {
    values: BTreeMap<String, Vec<(String, Value)>>,
    /// Members of groups by identifier.
    pub members: BTreeMap<String, Vec<String>>,
    /// The machine's own accounts.
    pub accounts: Vec<LocalAccount>,
}

impl Fake {
    /// Sets values of a key.
    pub fn put(&mut self, key: &str, values: &[(&str, Value)]) {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.values.entry(key.to_owned()).or_default().extend(values);
    }
}

/// A value that is text.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

impl System for Fake {
    fn keys(&self, key: &str) -> Vec<String> {
        let below = format!("{key}\\");
        let names = self.values.keys().filter_map(|known| known.strip_prefix(&below)?.split('\\').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.dedup();
        names
    }

    fn values(&self, key: &str) -> Vec<(String, Value)> {
        self.values.get(key).cloned().unwrap_or_default()
    }

    fn account(&self, sid: &str) -> Option<String> {
        let known = [
            ("S-1-5-18", r"NT-AUTORITÄT\SYSTEM"),
            ("S-1-5-21-1-2-3-1001", "bea"),
            ("S-1-5-32-544", "Administratoren"),
        ];
        known.iter().find(|(of, _)| *of == sid).map(|(_, name)| (*name).to_owned())
    }

    fn members(&self, sid: &str) -> Result<Vec<String>, String> {
        Ok(self.members.get(sid).cloned().unwrap_or_default())
    }

    fn accounts(&self) -> Result<Vec<LocalAccount>, String> {
        Ok(self.accounts.clone())
    }

    fn unread(&self) -> Vec<String> {
        Vec::new()
    }
}
