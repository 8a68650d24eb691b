//! Fields of a record whatever its shape: names in any case, lists as JSON or as text that holds JSON, times in two forms.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// The longest text that is taken over, characters: names, addresses, rights.
const TEXT_CHARS_MAX: usize = 320;

/// Fields of one record.
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    /// The first of these that is there and not empty.
    pub(super) fn value(&self, names: &[&str]) -> Option<&'a Value> {
        let map = self.0?;
        names.iter().find_map(|name| {
            let found = map.get(*name);
            let found = found.or_else(|| {
                map.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            })?;
            let is_empty = found.is_null() || found.as_str().is_some_and(|text| text.trim().is_empty());
            (!is_empty).then_some(found)
        })
    }

    /// A text; numbers and truths as they are written.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        text_of(self.value(names)?)
    }

    /// A moment: RFC 3339, the same without a zone (which is UTC), or as a spreadsheet in American English writes it.
    pub(super) fn time(&self, names: &[&str]) -> Option<Timestamp> {
        moment(&self.text(names)?)
    }

    /// An address without its port.
    pub(super) fn address(&self, names: &[&str]) -> Option<String> {
        let text = self.text(names)?;
        let bare = text.trim().trim_start_matches("::ffff:");
        if bare.parse::<IpAddr>().is_ok() {
            return Some(bare.to_owned());
        }
        let host = match bare.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => bare.rsplit_once(':').map_or(bare, |(host, _)| host),
        };
        let host = host.trim_start_matches("::ffff:");
        host.parse::<IpAddr>().ok().map(|address| address.to_string())
    }

    /// An object below this one, or text that holds one.
    pub(super) fn list(&self, names: &[&str]) -> Vec<Value> {
        let Some(value) = self.value(names) else { return Vec::new() };
        match value {
            Value::Array(list) => list.clone(),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(Value::Array(list)) => list,
                Ok(one @ Value::Object(_)) => vec![one],
                _ => Vec::new(),
            },
            one @ Value::Object(_) => vec![one.clone()],
            _ => Vec::new(),
        }
    }

    /// The value of a `{"Name": .., "Value": ..}` in lists of these names.
    pub(super) fn named(&self, lists: &[&str], name: &str) -> Option<String> {
        lists.iter().find_map(|list| {
            self.list(&[list]).iter().find_map(|pair| {
                let pair = Fields::of(pair);
                let is_it = pair.text(&["Name", "displayName"])?.eq_ignore_ascii_case(name);
                if is_it { pair.text(&["Value", "NewValue"]) } else { None }
            })
        })
    }

    /// A parameter of an administrator's command.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.named(&["Parameters", "OperationProperties"], name)
            .or_else(|| self.value(&["CmdletParameters"]).and_then(|value| Fields::of(value).text(&[name])))
    }
}

pub(super) fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.chars().take(TEXT_CHARS_MAX).collect())
}

pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let there = text.parse::<DateTime>().ok().or_else(|| {
        ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S"]
            .iter()
            .find_map(|form| DateTime::strptime(form, text).ok())
    })?;
    TimeZone::UTC.to_timestamp(there).ok()
}
