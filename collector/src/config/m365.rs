//! `[m365]`: the practice's own application in Microsoft 365, through which its audit log is asked for.

use serde::{Deserialize, Serialize};

use super::time_stamps::AuthorityUrl;

/// `[m365]` as it stands in the file. The application's secret is set by `ntk-collector poll m365 --set-secret`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct M365Section {
    /// The tenant: its id, or a domain of it.
    pub tenant: String,
    /// Application (client) id.
    pub client_id: String,
    /// How often it is asked, minutes; 0 for only when somebody says so.
    #[serde(default = "default_every")]
    pub every_minutes: u32,
    /// Where tokens are had; another one for national clouds.
    #[serde(default = "default_login")]
    pub login: String,
    /// The Office 365 Management Activity API.
    #[serde(default = "default_activity")]
    pub activity: String,
    /// Microsoft Graph.
    #[serde(default = "default_graph")]
    pub graph: String,
}

const fn default_every() -> u32 {
    60
}
fn default_login() -> String {
    "https://login.microsoftonline.com".into()
}
fn default_activity() -> String {
    "https://manage.office.com".into()
}
fn default_graph() -> String {
    "https://graph.microsoft.com".into()
}

/// The section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct M365 {
    /// The tenant.
    pub tenant: String,
    /// The application.
    pub client_id: String,
    /// How often, seconds; none for only when somebody says so.
    pub every_seconds: Option<u64>,
    /// Where tokens are had.
    pub login: AuthorityUrl,
    /// The Management Activity API.
    pub activity: AuthorityUrl,
    /// Microsoft Graph.
    pub graph: AuthorityUrl,
}

impl M365Section {
    /// The section checked; what is wrong with it goes to `faults`, by key.
    pub(super) fn check(&self, faults: &mut Vec<String>) -> Option<M365> {
        let before = faults.len();
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'))
        };
        for (key, value) in [("tenant", &self.tenant), ("client_id", &self.client_id)] {
            if !is_name(value) {
                faults.push(format!("`m365.{key}`: `{value}` is not an id such as 8c0d…-…; copy it from the application’s page in Microsoft Entra"));
            }
        }
        if self.every_minutes > 1440 {
            faults.push("`m365.every_minutes` is a number from 0 to 1440".into());
        }
        let mut address = |key: &str, value: &str| {
            let parsed = AuthorityUrl::parse(value).filter(|url| {
                // A secret and mail records go there: in the clear only to this very machine.
                let is_here = matches!(url.host.as_str(), "127.0.0.1" | "::1" | "localhost");
                (url.is_https || is_here) && url.path == "/"
            });
            if parsed.is_none() {
                faults
                    .push(format!("`m365.{key}`: `{value}` is not an address such as `{}`", default_graph()));
            }
            parsed
        };
        let login = address("login", &self.login);
        let activity = address("activity", &self.activity);
        let graph = address("graph", &self.graph);
        if faults.len() > before {
            return None;
        }
        Some(M365 {
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            every_seconds: (self.every_minutes > 0).then(|| u64::from(self.every_minutes).saturating_mul(60)),
            login: login?,
            activity: activity?,
            graph: graph?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_and_a_secret_goes_in_the_clear_to_nobody_else() {
        let section: M365Section = toml::from_str("tenant = 't.example'\nclient_id = 'c-1'").unwrap();
        let mut faults = Vec::new();
        let checked = section.check(&mut faults).unwrap();
        assert_eq!(
            (checked.every_seconds, checked.login.host.as_str()),
            (Some(3600), "login.microsoftonline.com")
        );
        let section: M365Section = toml::from_str(
            "tenant = 'a/b'\nclient_id = ''\nevery_minutes = 9999\nlogin = 'http://login.example'\nactivity = 'http://127.0.0.1:8'\ngraph = 'https://g.example/x'",
        )
        .unwrap();
        assert_eq!(section.check(&mut faults), None);
        let keys: Vec<&str> = faults.iter().filter_map(|fault| fault.split('`').nth(1)).collect();
        assert_eq!(keys, ["m365.tenant", "m365.client_id", "m365.every_minutes", "m365.login", "m365.graph"]);
    }
}
