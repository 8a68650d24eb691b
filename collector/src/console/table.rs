//! Who may open what: one table, for the pages and for the JSON API below `/api` alike.
//!
//! A route that has no row does not exist: the gate answers 404 before anything of it runs. So a page or request that
//! somebody forgot to put here is shut, not open. Tests walk the table, and hold it to the routes that there are.

pub mod api;

use axum::http::Method;

use crate::account::Role;

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever reaches the console: style, script, sign-in.
    Anybody,
    /// Whoever has shown a passphrase, and is still to set up the second factor.
    Beginning,
    /// Whoever is signed in.
    Everyone,
    /// Whoever is signed in with one of these roles.
    Only(&'static [&'static str]),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path, with `{names}` for what changes.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
}

const fn get(path: &'static str, who: Who) -> Row {
    Row { method: "GET", path, who }
}

const fn post(path: &'static str, who: Who) -> Row {
    Row { method: "POST", path, who }
}

/// Those who decide.
const DECIDE: Who = Who::Only(&["manager", "reviewer"]);
/// Those who decide, and who keeps it running.
const RUN: Who = Who::Only(&["manager", "reviewer", "operator"]);
/// Who keeps it running: adds machines, ends them.
const KEEP: Who = Who::Only(&["manager", "operator"]);
/// Who lets people in and out, and says what is watched.
const MANAGER: Who = Who::Only(&["manager"]);

/// Who has one case and nothing else.
const ATTORNEY: Who = Who::Only(&["attorney"]);

/// The pages in the order in which they are named on every page. One without a row below is not built yet, and is shown
/// to nobody.
pub const NAVIGATION: &[(&str, &str)] = &[
    ("This week", "/"),
    ("Findings", "/findings"),
    ("Events", "/events"),
    ("People", "/people"),
    ("Machines", "/machines"),
    ("What is protected", "/protected"),
    ("Tickets", "/tickets"),
    ("Departure", "/departure"),
    ("Second signatures", "/second"),
    ("Reports", "/reports"),
    ("Evidence", "/evidence"),
    ("Self-check", "/self-check"),
    ("Settings", "/settings"),
    ("Your case", "/case"),
    ("About me", "/mine"),
];

/// Every page.
pub const PAGES: &[Row] = &[
    // What every page needs.
    get("/console.css", Who::Anybody),
    get("/console.js", Who::Anybody),
    get("/icon.svg", Who::Anybody),
    // Signing in and out.
    get("/sign-in", Who::Anybody),
    post("/sign-in", Who::Anybody),
    get("/set-up/{token}", Who::Anybody),
    post("/set-up/{token}", Who::Anybody),
    get("/second-factor", Who::Beginning),
    post("/second-factor", Who::Beginning),
    post("/sign-out", Who::Beginning),
    get("/me", Who::Everyone),
    post("/me/end-others", Who::Everyone),
    post("/me/passphrase", Who::Everyone),
    // This week.
    get("/", DECIDE),
    get("/live", DECIDE),
    // Findings.
    get("/findings", DECIDE),
    get("/findings/{id}", DECIDE),
    post("/findings/{id}", DECIDE),
    // Events.
    get("/events", DECIDE),
    get("/events.csv", DECIDE),
    // People.
    get("/people", DECIDE),
    post("/people", DECIDE),
    post("/accounts/confirm", MANAGER),
    post("/self-view", MANAGER),
    get("/people/{id}", DECIDE),
    post("/people/{id}/leave", MANAGER),
    post("/people/{id}/notice", DECIDE),
    get("/notices", DECIDE),
    post("/notices", MANAGER),
    // Questions: links and forms that are open.
    get("/links", DECIDE),
    post("/links", DECIDE),
    // Each about themselves.
    get("/mine", Who::Everyone),
    // Reports.
    get("/reports", DECIDE),
    get("/reports/{name}", DECIDE),
    post("/reports/sign-off", DECIDE),
    // An attorney's case.
    get("/case", ATTORNEY),
    get("/case/bundle/{id}", ATTORNEY),
    post("/case/bundle/{id}", ATTORNEY),
    get("/case/checked/{id}", ATTORNEY),
    // Departure.
    get("/departure", DECIDE),
    post("/departure", DECIDE),
    // Breach assessments.
    get("/breach", DECIDE),
    get("/breach/begin/{id}", DECIDE),
    post("/breach/begin/{id}", DECIDE),
    get("/breach/{id}", DECIDE),
    post("/breach/{id}", DECIDE),
    // Evidence.
    get("/evidence", DECIDE),
    get("/evidence/imports", DECIDE),
    get("/evidence/preview", DECIDE),
    post("/evidence/build", DECIDE),
    post("/evidence/preserve", DECIDE),
    get("/evidence/bundle/{id}", DECIDE),
    post("/evidence/bundle/{id}", DECIDE),
    get("/evidence/checked/{id}", DECIDE),
    post("/evidence/hold/release", MANAGER),
    // Machines.
    get("/machines", RUN),
    get("/machines/{name}", RUN),
    post("/machines/{name}/ask", DECIDE),
    post("/machines/{name}/shut-out", KEEP),
    get("/add-machine", KEEP),
    post("/add-machine", KEEP),
    // What is protected.
    get("/protected", DECIDE),
    post("/protected/watch", MANAGER),
    get("/protected/jobs", DECIDE),
    post("/protected/jobs", DECIDE),
    get("/protected/try", DECIDE),
    post("/protected/try", DECIDE),
    // Tickets.
    get("/tickets", DECIDE),
    get("/tickets/request", DECIDE),
    post("/tickets/request", DECIDE),
    get("/tickets/{id}", DECIDE),
    post("/tickets/{id}", DECIDE),
    post("/tickets/{id}/seen", DECIDE),
    // Second signatures.
    get("/second", DECIDE),
    post("/second/reviewer", MANAGER),
    post("/second/sign", DECIDE),
    post("/second/decline", DECIDE),
    // Set-up.
    get("/wizard", MANAGER),
    get("/wizard/{step}", MANAGER),
    post("/wizard/{step}", MANAGER),
    post("/wizard/put-away/now", MANAGER),
    // Settings.
    get("/settings", RUN),
    post("/settings", KEEP),
    get("/settings/accounts", MANAGER),
    post("/settings/accounts", MANAGER),
    get("/settings/help-desks", MANAGER),
    post("/settings/help-desks", MANAGER),
    get("/settings/roster", DECIDE),
    post("/settings/roster", MANAGER),
    get("/settings/table", DECIDE),
    post("/settings/table", MANAGER),
    get("/settings/keeping", DECIDE),
    post("/settings/keeping", DECIDE),
    // Self-check.
    get("/self-check", RUN),
    post("/self-check", RUN),
];

/// Every route, pages and API.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    PAGES.iter().chain(api::API)
}

/// The row of a request, by the pattern that the router found; a HEAD is a GET without its body.
pub fn row(method: &Method, pattern: &str) -> Option<&'static Row> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    rows().find(|row| row.method == method && row.path == pattern)
}

/// Whether a role may do what a row says.
pub fn may(who: Who, role: &Role) -> bool {
    match who {
        Who::Anybody | Who::Beginning | Who::Everyone => true,
        Who::Only(roles) => roles.contains(&role.name()),
    }
}

/// The pages that a role may open, as they are named.
pub fn navigation(role: &Role) -> impl Iterator<Item = (&'static str, &'static str)> {
    let opens = |path: &str| row(&Method::GET, path).is_some_and(|row| may(row.who, role));
    NAVIGATION.iter().copied().filter(move |(_, path)| opens(path))
}

/// Where somebody begins.
pub fn first_page(role: &Role) -> &'static str {
    navigation(role).next().map_or("/me", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_written_once_with_roles_that_there_are() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            assert!(seen.insert((row.method, row.path)), "{} {} stands twice", row.method, row.path);
            assert!(["GET", "POST"].contains(&row.method), "{row:?}");
            if let Who::Only(roles) = row.who {
                for role in roles {
                    let case = (*role == "attorney").then_some("C-1");
                    assert!(Role::parse(role, case).is_ok(), "{row:?}");
                }
            }
            assert!(
                !row.path.starts_with("/api/") || matches!(row.who, Who::Only(_)),
                "{}: a request of the API says which roles",
                row.path
            );
        }
        for (name, path) in NAVIGATION {
            assert!(path.starts_with('/') && !name.is_empty());
        }
    }

    #[test]
    fn the_operator_is_shown_nothing_that_names_a_finding() {
        for row in rows().filter(|row| may(row.who, &Role::Operator)) {
            for word in ["finding", "events", "report", "export", "evidence", "ticket", "roster"] {
                assert!(!row.path.contains(word), "{} is open to the operator", row.path);
            }
        }
        assert_eq!(first_page(&Role::Manager), "/");
        assert_ne!(first_page(&Role::Operator), "/");
    }
}
