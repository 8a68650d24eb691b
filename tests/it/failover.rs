//! One agent, several addresses: dead ones and silent ones are passed over, and what worked last is asked first.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::Result;
use ntk_tests::practice::{Practice, free_port};
use ntk_tests::proxy::Proxy;
use ntk_tests::wait;

/// A silent address costs the fifteen seconds that a connection may take; the rest is waiting for a turn.
const PASSED_OVER_WITHIN: Duration = Duration::from_secs(60);

fn grows(practice: &Practice, what: &str) -> Result<()> {
    let before = practice.size_of("ws-09")?;
    wait::until_so(what, PASSED_OVER_WITHIN, || Ok(practice.size_of("ws-09")? > before + 1))
}

#[test]
fn an_agent_passes_over_dead_and_silent_addresses_and_comes_back() -> Result<()> {
    let practice = Practice::start()?;
    let (one, two) = (Proxy::to(&practice.address())?, Proxy::to(&practice.address())?);
    let dead = format!("127.0.0.1:{}", free_port()?);
    // It takes connections, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let silent_address = silent.local_addr()?.to_string();

    // The token carries all of them, in order; the enrolment passes over the dead one, too.
    let token = practice.collector(&[
        "enroll",
        "new",
        "--machine",
        "ws-09",
        "--address",
        &dead,
        "--address",
        &one.address(),
        "--address",
        &silent_address,
        "--address",
        &two.address(),
    ])?;
    let mut machine = ntk_tests::machine::Machine::enroll(practice.folder(), "ws-09", token.trim())?;
    let identity = std::fs::read_to_string(machine.dir().join("identity").join("identity.toml"))?;
    assert!(identity.contains(&format!("collector = \"{dead}\"")), "{identity}");
    machine.configure("health_every_s = 1\nkeepalive_s = 1\n[sensor]\naudit = false\nfanotify = false\nlogs = false\nnotify = false\n")?;
    machine.start()?;
    grows(&practice, "entries by the second address, behind a dead one")?;

    one.cut();
    grows(&practice, "entries by the fourth address, behind a dead and a silent one")?;
    two.cut();
    one.mend();
    grows(&practice, "entries by the second address again")?;

    // Nothing was lost and nothing came twice: what is acknowledged is one log, and it verifies.
    let checked = machine.command(&["check"])?;
    assert!(checked.contains("collector 2 of 4") && checked.contains("answers and shows"), "{checked}");
    assert!(machine.stop()?.success());
    let said = practice.collector(&["self-check"])?;
    assert!(!said.is_empty());
    Ok(())
}
