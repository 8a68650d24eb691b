//! The rows of the JSON API, as `admin::router` has the routes; below `/api` in the console.
//!
//! [`WITHHELD`] names the routes that nobody has here, and why: they stay with the command line on the collector.

use super::{Row, Who, get, post};

const DECIDE: Who = Who::Only(&["manager", "reviewer"]);
const RUN: Who = Who::Only(&["manager", "reviewer", "operator"]);
const KEEP: Who = Who::Only(&["manager", "operator"]);
/// Each about themselves.
const ALL: Who = Who::Only(&["manager", "reviewer", "attorney", "operator", "person"]);
const MANAGER: Who = Who::Only(&["manager"]);
/// Those who decide, and an attorney for one case.
const BUNDLES: Who = Who::Only(&["manager", "reviewer", "attorney"]);

/// One row a route.
pub const API: &[Row] = &[
    get("/api/v1/openapi.json", RUN),
    get("/api/v1/status", RUN),
    get("/api/v1/metrics", RUN),
    get("/api/v1/progress", RUN),
    get("/api/v1/ready", RUN),
    post("/api/v1/self-check", RUN),
    // Machines, and what keeps the collector well.
    get("/api/v1/enroll", RUN),
    post("/api/v1/enroll", KEEP),
    post("/api/v1/enroll/revoke", KEEP),
    get("/api/v1/off-site", RUN),
    post("/api/v1/off-site/now", KEEP),
    post("/api/v1/off-site/check", RUN),
    get("/api/v1/time-stamp", RUN),
    post("/api/v1/time-stamp", KEEP),
    get("/api/v1/witness", RUN),
    post("/api/v1/witness/round", KEEP),
    get("/api/v1/trust", RUN),
    get("/api/v1/programs", RUN),
    // What is taken there is signed with the practice key, or refused.
    post("/api/v1/programs", KEEP),
    post("/api/v1/programs/withdraw", KEEP),
    // What decides.
    get("/api/v1/findings", DECIDE),
    get("/api/v1/findings/{id}", DECIDE),
    post("/api/v1/findings/{id}/step", DECIDE),
    get("/api/v1/events", DECIDE),
    get("/api/v1/reports", DECIDE),
    post("/api/v1/sign-off", DECIDE),
    get("/api/v1/roster", DECIDE),
    post("/api/v1/roster", MANAGER),
    get("/api/v1/roster/items", DECIDE),
    get("/api/v1/roster/proposals", DECIDE),
    post("/api/v1/roster/confirm", MANAGER),
    post("/api/v1/roster/acknowledge", MANAGER),
    post("/api/v1/leave", MANAGER),
    get("/api/v1/departure", DECIDE),
    post("/api/v1/departure/tick", DECIDE),
    get("/api/v1/policy", DECIDE),
    post("/api/v1/policy", MANAGER),
    get("/api/v1/policy/table", DECIDE),
    post("/api/v1/policy/try", DECIDE),
    get("/api/v1/protected", DECIDE),
    get("/api/v1/watches", DECIDE),
    post("/api/v1/watches/decide", MANAGER),
    get("/api/v1/imports", DECIDE),
    post("/api/v1/imports/begin", DECIDE),
    post("/api/v1/imports/part", DECIDE),
    post("/api/v1/imports/end", DECIDE),
    post("/api/v1/poll", DECIDE),
    get("/api/v1/inventory", DECIDE),
    get("/api/v1/inventory/answers", DECIDE),
    post("/api/v1/inventory/ask", DECIDE),
    get("/api/v1/baseline", DECIDE),
    post("/api/v1/baseline/confirm", DECIDE),
    get("/api/v1/tickets", DECIDE),
    post("/api/v1/tickets/request", DECIDE),
    post("/api/v1/tickets/echo", DECIDE),
    post("/api/v1/tickets/approve", DECIDE),
    post("/api/v1/tickets/decline", DECIDE),
    post("/api/v1/tickets/close", DECIDE),
    post("/api/v1/break-glass", DECIDE),
    post("/api/v1/break-glass/acknowledge", DECIDE),
    // Who may.
    get("/api/v1/reviewers", MANAGER),
    get("/api/v1/accounts", RUN),
    post("/api/v1/accounts", MANAGER),
    post("/api/v1/accounts/role", MANAGER),
    post("/api/v1/accounts/remove", MANAGER),
    post("/api/v1/accounts/unlock", MANAGER),
    post("/api/v1/accounts/reset-second-factor", MANAGER),
    get("/api/v1/ticket-tokens", MANAGER),
    post("/api/v1/ticket-tokens", MANAGER),
    post("/api/v1/ticket-tokens/revoke", MANAGER),
    get("/api/v1/set-up", MANAGER),
    post("/api/v1/set-up/keys", MANAGER),
    post("/api/v1/set-up/put-away", MANAGER),
    // With people: questions, notices, second signatures, assessments.
    get("/api/v1/links", DECIDE),
    post("/api/v1/links/withdraw", DECIDE),
    get("/api/v1/staff-notice", DECIDE),
    post("/api/v1/staff-notice", MANAGER),
    get("/api/v1/staff-notice/list", DECIDE),
    post("/api/v1/staff-notice/paper", DECIDE),
    post("/api/v1/staff-notice/link", DECIDE),
    get("/api/v1/second-reviewer", DECIDE),
    post("/api/v1/second-reviewer", MANAGER),
    get("/api/v1/cosign", DECIDE),
    get("/api/v1/cosign/{id}", DECIDE),
    post("/api/v1/cosign/sign", DECIDE),
    post("/api/v1/cosign/decline", DECIDE),
    get("/api/v1/breach", DECIDE),
    post("/api/v1/breach", DECIDE),
    post("/api/v1/breach/note", DECIDE),
    post("/api/v1/breach/close", DECIDE),
    get("/api/v1/mine", ALL),
    get("/api/v1/self-view", DECIDE),
    post("/api/v1/self-view", MANAGER),
    // What goes out.
    get("/api/v1/delivery", RUN),
    post("/api/v1/delivery/test", KEEP),
    post("/api/v1/delivery/decline", MANAGER),
    // Keeping.
    get("/api/v1/hold", DECIDE),
    post("/api/v1/hold", DECIDE),
    post("/api/v1/hold/release", MANAGER),
    get("/api/v1/custody", BUNDLES),
    post("/api/v1/custody", DECIDE),
    get("/api/v1/preserve", DECIDE),
    post("/api/v1/preserve", DECIDE),
    // Evidence: nobody has a bundle that is about themselves (admin::bundles), an attorney those of one case.
    post("/api/v1/export", DECIDE),
    post("/api/v1/export/preview", DECIDE),
    get("/api/v1/bundles", BUNDLES),
    post("/api/v1/bundles", DECIDE),
    get("/api/v1/bundles/{id}", BUNDLES),
    post("/api/v1/bundles/check", BUNDLES),
    post("/api/v1/bundles/remove", DECIDE),
];

/// Routes of the API that the console does not open, and why.
pub const WITHHELD: &[(&str, &str)] = &[
    ("POST /v1/reviewers/passphrase", "one's own is changed under /me; another's only on the collector"),
    ("POST /v1/accounts/set-up-link", "whoever is signed in needs none"),
    (
        "POST /v1/report",
        "its answer holds what is about its reader; the page Reports shows what was kept, without that",
    ),
    (
        "POST /v1/staff-notice/acknowledge",
        "in somebody else's name by whoever runs the collector; people have their link",
    ),
    ("POST /v1/delivery/secret", "passwords and tokens are set on the collector"),
    ("POST /v1/trust", "takes a file that was signed elsewhere and carried"),
    ("POST /v1/prune", "takes entries away for good: on the collector, where the files are"),
    ("POST /v1/rebuild", "stops every question for its time: on the collector"),
    ("POST /v1/tickets/import", "takes a file of the collector's administrator"),
    ("POST /v1/time-stamp/add", "takes a file that was carried"),
    ("POST /v1/time-stamp/request", "makes a file that is carried"),
    ("POST /v1/witness/add", "takes a file that was carried"),
    ("POST /v1/witness/body", "makes a file that is carried"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_api_has_a_row_or_is_withheld_and_every_row_has_a_route() {
        let api = crate::admin::api();
        let routes = api.operations();
        assert!(routes.len() > 40, "{routes:?}");
        for route in &routes {
            let (method, path) = (route.method.name(), route.path);
            let has_row =
                API.iter().any(|row| row.method == method && row.path.strip_prefix("/api") == Some(path));
            let is_withheld = WITHHELD
                .iter()
                .any(|(withheld, why)| *withheld == format!("{method} {path}") && !why.is_empty());
            assert!(
                has_row != is_withheld,
                "{method} {path}: write a row in console/table/api.rs, or say in WITHHELD why nobody has it"
            );
        }
        for row in API {
            let is_there = |path: &str| {
                routes.iter().any(|route| route.path == path && route.method.name() == row.method)
            };
            let path = row.path.trim_start_matches("/api");
            assert!(is_there(path), "{} {path}: there is no such route", row.method);
        }
        for (withheld, _) in WITHHELD {
            let is_it = |route: &&crate::admin::api::Operation| {
                format!("{} {}", route.method.name(), route.path) == *withheld
            };
            assert!(routes.iter().any(is_it), "{withheld}: there is no such route");
        }
    }
}
