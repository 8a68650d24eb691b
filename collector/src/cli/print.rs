//! Answers for people at a terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use ntk_evidence::event::Commission;
use serde_json::Value;

/// Puts a question where somebody sits at the terminal; none where nobody does.
pub(super) fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    print!("{question}\n> ");
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// What a bundle would show and withhold.
pub(super) fn preview(body: &Value) {
    println!(
        "shown: {} entries; withheld behind commitments: {}",
        number(body, "/shown"),
        number(body, "/withheld")
    );
    let each = |pointer: &str| body.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    for part in each("/authors") {
        let (shown, withheld) = (number(&part, "/shown"), number(&part, "/withheld"));
        println!("  {:<24} {shown:>8} shown {withheld:>8} withheld", at(&part, "/author"));
    }
    for kind in each("/kinds") {
        println!("  {:>8}  {}", number(&kind, "/1"), at(&kind, "/0"));
    }
    for line in each("/words") {
        println!(
            "  {} {} {}: {}",
            at(&line, "/author"),
            number(&line, "/number"),
            at(&line, "/time"),
            at(&line, "/sentence")
        );
    }
    for sentence in each("/not_included").iter().filter_map(Value::as_str) {
        println!("not in it: {sentence}");
    }
}

pub(super) fn status(body: &Value) {
    println!("{} ({}), version {}", at(body, "/practice"), at(body, "/slug"), at(body, "/version"));
    println!("listening for agents on {}", at(body, "/listening"));
    println!("ledger: {} leaves, root {}", number(body, "/log/size"), at(body, "/log/root"));
    println!("{}", at(body, "/at_rest"));
    if body.pointer("/decided/goes_on").and_then(Value::as_bool) == Some(false) {
        println!(
            "ATTENTION: findings stand still since leaf {}; see the collector's log",
            number(body, "/decided/leaves")
        );
    }
    for author in body.pointer("/authors").and_then(Value::as_array).into_iter().flatten() {
        println!("  {:<24} {:>8} entries", at(author, "/author"), number(author, "/size"));
    }
    for (author, stream) in body.pointer("/streams").and_then(Value::as_object).into_iter().flatten() {
        let connected = stream.get("connected").and_then(Value::as_bool).unwrap_or(false);
        println!(
            "  {author:<24} {} since {}",
            if connected { "connected" } else { "not connected" },
            at(stream, "/since")
        );
    }
    if let Some(disk) = body.get("disk").filter(|disk| !disk.is_null()) {
        println!("{}", crate::disk::sentence_of(disk));
    }
    for place in ["/delegation/sentence", "/authority_ends"] {
        if let Some(said) = body.pointer(place).and_then(Value::as_str) {
            println!("ATTENTION: {said}");
        }
    }
    println!("{}", off_site(body.pointer("/off_site").unwrap_or(&Value::Null)));
    println!("{}", time_stamps(body.pointer("/time_stamps").unwrap_or(&Value::Null)));
    let refusals: Vec<String> = body
        .pointer("/refusals")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(code, count)| format!("{code} {count}"))
        .collect();
    if !refusals.is_empty() {
        println!("refused: {}", refusals.join(", "));
    }
}

/// How the copy outside stands, in one line.
pub(super) fn off_site(standing: &Value) -> String {
    let Some(to) = standing.get("to").and_then(Value::as_str) else {
        return "no copy outside: nothing leaves this machine ([off_site] in collector.toml)".to_owned();
    };
    let mut said = match standing.get("succeeded").and_then(Value::as_str) {
        None => format!("copy outside: {to}, nothing copied yet"),
        Some(when) => format!(
            "copy outside: {to}, {} segments up to {} leaves, last looked at {when}",
            number(standing, "/segments"),
            number(standing, "/log_size")
        ),
    };
    if let Some(since) = standing.get("failing_since").and_then(Value::as_str) {
        said.push_str(&format!("\nATTENTION: copying fails since {since}: {}", at(standing, "/failure")));
    }
    said
}

/// How time-stamping stands, in one line.
fn time_stamps(standing: &Value) -> String {
    let newest = standing.pointer("/newest/time").and_then(Value::as_str);
    let newest = newest.map(|time| format!("{time}, log size {}", number(standing, "/newest/size")));
    let is_configured = standing.get("configured").and_then(Value::as_bool).unwrap_or(false);
    match (is_configured, newest, standing.get("failing_since").and_then(Value::as_str)) {
        (false, None, _) => "no time-stamping authority is configured".to_owned(),
        (false, Some(newest), _) => {
            format!("time-stamped last {newest}; no time-stamping authority is configured")
        }
        (true, Some(newest), None) => format!("time-stamped last {newest}"),
        (true, None, None) => "not time-stamped yet".to_owned(),
        (true, newest, Some(since)) => format!(
            "ATTENTION: no time-stamp since {}; failing since {since}, {} times: {}",
            newest.unwrap_or_else(|| "the beginning".to_owned()),
            number(standing, "/failed"),
            at(standing, "/reason")
        ),
    }
}

pub(super) fn machines(body: &Value) {
    let machines = body.pointer("/machines").and_then(Value::as_array).cloned().unwrap_or_default();
    if machines.is_empty() {
        println!("No machine is enrolled. Make a token: ntk-collector enroll new --machine NAME");
    }
    for machine in &machines {
        let revoked = machine.pointer("/machine/revoked").and_then(Value::as_str);
        let connected = machine.pointer("/stream/connected").and_then(Value::as_bool).unwrap_or(false);
        let silent = machine.pointer("/standing/state").and_then(Value::as_str) == Some("silent");
        let state = match (revoked, connected) {
            (Some(when), _) => format!("revoked {when}"),
            (None, _) if silent => format!("silent since {}", at(machine, "/standing/since")),
            (None, true) => "connected".to_owned(),
            (None, false) => "not connected".to_owned(),
        };
        println!(
            "{:<24} {:>8} entries  epoch {:<5} enrolled {}  {state}",
            at(machine, "/author").trim_start_matches("agent/"),
            number(machine, "/entries"),
            number(machine, "/epoch"),
            at(machine, "/machine/enrolled")
        );
        if let Some(key) = machine.pointer("/machine/enrolment/replaces").and_then(Value::as_str) {
            let before = key.split('+').next().and_then(|name| name.split_once("agent/"));
            println!(
                "{:24} the same machine as {}, set up anew",
                "",
                before.map_or("before", |(_, before)| before)
            );
        }
        let notice = machine.pointer("/machine/enrolment/notice").and_then(Value::as_str);
        println!("{:24} notice to its users: {}", "", notice.unwrap_or("not said at enrolment"));
        // Where nothing was announced there is nothing to say.
        if matches!(at(machine, "/standing/program"), "announced" | "withdrawn" | "not_announced") {
            println!("{:24} {}", "", at(machine, "/standing/runs_in_words"));
        }
    }
    for offer in body.pointer("/offers").and_then(Value::as_array).into_iter().flatten() {
        println!("{:<24} token open until {}", at(offer, "/machine"), at(offer, "/expires"));
        println!("{:24} notice to its users: {}", "", at(offer, "/notice"));
    }
}

/// The result of an on-site test, and who was there.
fn result_of_test(row: &Value) -> Option<String> {
    let told = row.pointer("/event/commission")?;
    let test: Commission = serde_json::from_value(told.clone()).ok()?;
    let people: Vec<String> = test.by.iter().chain(&test.present).cloned().collect();
    let there = if people.is_empty() { String::new() } else { format!(" (there: {})", people.join(", ")) };
    Some(format!("on-site test: {}{there}", test.in_words()))
}

pub(super) fn events(lines: &str) {
    let mut shown = 0u64;
    for line in lines.lines() {
        let Ok(row) = serde_json::from_str::<Value>(line) else { continue };
        let who = row
            .pointer("/decision/account")
            .or(row.pointer("/event/actor/login_user"))
            .and_then(Value::as_str)
            .unwrap_or("-");
        let what = row
            .pointer("/event/action")
            .or(row.pointer("/event/kind"))
            .and_then(Value::as_str)
            .unwrap_or("-");
        println!(
            "{}  {:<16} {:<24} {:<10} {:<8} {}",
            at(&row, "/event/time"),
            at(&row, "/author").trim_start_matches("agent/"),
            who,
            what,
            at(&row, "/event/outcome"),
            result_of_test(&row).unwrap_or_else(|| at(&row, "/event/object/path").to_owned()),
        );
        shown = shown.saturating_add(1);
    }
    if shown == 0 {
        println!("No entry fits the question.");
    }
}
