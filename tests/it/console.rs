//! The console with the real binary, over TLS, with a plain HTTP client.

mod breach;
mod case;
mod changes;
mod departure;
mod doors;
mod events;
mod evidence;
mod kept;
mod machines;
mod pages;
mod people;
mod protected;
mod questions;
mod second;
mod settings;
mod tickets;
mod wizard;

use anyhow::Result;
use ntk_tests::console::{Browser, set_up_link, with_manager};
use ntk_tests::practice::Practice;

/// What stands on every answer, whatever it is.
const STRICT: &[(&str, &str)] = &[
    ("content-security-policy", "default-src 'none'"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("strict-transport-security", "max-age="),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("permissions-policy", "camera=()"),
];

#[test]
fn the_first_manager_sets_up_the_console_and_sees_this_week() -> Result<()> {
    let (practice, mut browser, mut mary) = with_manager()?;
    let week = browser.get("/")?;
    assert_eq!(week.status, 200, "{}", week.body);
    assert!(week.body.contains("aria-current=\"page\">This week"), "{}", week.body);
    assert!(week.body.contains("No machine is enrolled yet"), "{}", week.body);
    for path in ["/", "/me", "/console.css", "/sign-in", "/nowhere", "/api/v1/status", "/api/v1/nothing"] {
        let answer = browser.get(path)?;
        for (name, part) in STRICT {
            let value = answer.header(name).unwrap_or_default();
            assert!(value.contains(part), "{path}: {name}: {value}");
        }
        assert!(!answer.body.contains("style=") && !answer.body.contains("onclick"), "{path}");
    }
    assert_eq!(browser.get("/nowhere")?.status, 404);
    // Another browser, with a recovery code; it is one more sign-in, and each is an act.
    let mut other = Browser::open(&practice)?;
    let answer = other.sign_in(&mut mary)?;
    assert_eq!(answer.leads_to(), Some("/me?recovery=1"), "{}", answer.body);
    let acts = practice.events(&["--acts"])?;
    let kinds: Vec<String> = acts.iter().map(ToString::to_string).collect();
    let n = |part: &str| kinds.iter().filter(|line| line.contains(part)).count();
    assert_eq!(n("act_sign_in"), 1, "{kinds:#?}");
    assert_eq!(n("\"link_used\""), 1);
    assert_eq!(n("\"second_factor_set\""), 1);
    assert!(n("this week") >= 1);
    // Signing out ends it: a copy of the cookie is worth nothing.
    let copy = std::fs::read_to_string(other.jar())?;
    other.get("/me")?;
    assert_eq!(other.post("/sign-out", &[])?.leads_to(), Some("/sign-in"));
    std::fs::write(other.jar(), copy)?;
    assert_eq!(other.get("/me")?.leads_to(), Some("/sign-in?next=/me"));
    Ok(())
}

#[test]
fn the_set_up_link_works_once_and_says_so() -> Result<()> {
    let practice = Practice::start()?;
    let link = set_up_link(&practice)?;
    let mut browser = Browser::open(&practice)?;
    browser.set_up(&link, &[("person", "mary"), ("name", "Mary Lopez")])?;
    let mut stranger = Browser::open(&practice)?;
    let again = stranger.get(&link)?;
    assert_eq!(again.status, 410);
    assert!(again.body.contains("This link was used on"), "{}", again.body);
    let path = link.strip_prefix(&practice.console_origin()).unwrap_or_default();
    let fields = [
        ("person", "sam"),
        ("name", "Sam"),
        ("passphrase", "another horse battery"),
        ("again", "another horse battery"),
    ];
    assert_eq!(stranger.post(path, &fields)?.status, 410);
    assert_eq!(stranger.get("/set-up/0000")?.status, 410);
    let acts = practice.events(&["--acts"])?;
    let refused = acts.iter().filter(|act| act.to_string().contains("link_refused")).count();
    assert_eq!(refused, 2);
    Ok(())
}
