//! `[monitoring]`: a small listener of its own for health checks and metrics.

use serde::{Deserialize, Serialize};

/// `[monitoring]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MonitoringSection {
    /// Where `/healthz`, `/readyz` and `/metrics` are answered, without encryption and to everyone who reaches it:
    /// `127.0.0.1:9464`, or an address that only the monitoring system reaches. Machines are named there, people are not.
    pub listen: String,
}

impl MonitoringSection {
    pub(super) fn check(&self, faults: &mut Vec<String>) {
        if !super::is_address(&self.listen) {
            faults.push(format!("`monitoring.listen`: `{}` is not `address:port`", self.listen));
        }
    }
}
