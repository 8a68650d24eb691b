//! Rows of a name, a number, a unit; as a table for people or as JSON.

use std::fmt;

use serde_json::{Value, json};

/// Figures of one bench.
#[derive(Debug)]
pub(crate) struct Table {
    name: &'static str,
    rows: Vec<(String, f64, &'static str)>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new() }
    }

    /// One figure.
    pub(crate) fn row(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push((what.into(), value, unit));
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let rows =
            self.rows.iter().map(|(what, value, unit)| json!({"what": what, "value": value, "unit": unit}));
        json!({"bench": self.name, "figures": rows.collect::<Vec<_>>()})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for (what, value, unit) in &self.rows {
            let digits = if value.abs() >= 100.0 { 0 } else { 1 };
            writeln!(f, "  {what:<64} {value:>12.digits$} {unit}")?;
        }
        Ok(())
    }
}

/// A count as a figure; exact up to 2^53.
pub(crate) fn float(n: u64) -> f64 {
    n as f64
}
