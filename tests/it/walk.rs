//! The documents walked by somebody who has nothing else: each command in a block marked `sh` is run as it stands there, in
//! the order of the pages, on a machine of its own (`walk/scene.py`). What cannot run there is run by another test, and the
//! table below says by which; a command that is in neither place fails this test.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::{program, skip};
use serde_json::{Value, json};

use crate::documents::lines;
use crate::tidy::{sources, top};

/// The pages, in the order in which a new user comes to them.
const PAGES: [&str; 11] = [
    "docs/box.md",
    "docs/installing.md",
    "docs/running.md",
    "docs/compliance.md",
    "docs/manager.md",
    "docs/growth.md",
    "docs/expert.md",
    "docs/templates/acknowledgement.md",
    "docs/templates/staff-notice.md",
    "docs/templates/vendor-clause.md",
    "docs/database.md",
];

/// How a line begins that needs what the machine of its own has not, and the test that runs the same elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo build", "by tests/run itself"),
    ("deploy/windows/build", "by tests/run itself"),
    (
        "deploy/box/build",
        "a_box_is_set_up_by_a_browser_survives_a_power_cut_and_its_disk_alone_tells_nothing",
    ),
    // Serving in the foreground: everything else here asks one that serves.
    ("ntk-collector run", "two_practices_in_one_database_never_share_a_row"),
    ("sudo ntk-collector practices", "a_damaged_practice_is_told_and_tried_again_and_the_others_go_on"),
    (
        "sudo ntk-collector --dir /var/lib/ntk-practices",
        "nothing_of_one_practice_is_told_on_the_socket_or_in_the_log_lines_of_another",
    ),
    // systemd as the first process, or the kernel's audit.
    ("sudo ntk-agent install", "install_starts_the_service_and_uninstall_says_by_whose_session_it_went"),
    (
        "sudo ntk-agent commission",
        "live_a_test_from_a_real_login_proves_the_machine_and_the_review_names_who_was_there",
    ),
    (
        "ntk-collector watch confirm",
        "what_is_found_is_watched_after_the_manager_confirmed_it_and_not_by_the_administrators_word",
    ),
    // Servers outside, or their records.
    (
        "ntk-collector poll m365 --lookback",
        "all_pages_are_had_once_and_a_second_poll_asks_for_no_content_again",
    ),
    ("ntk-collector import exchange", "what_four_systems_recorded_of_one_person_is_found_to_be_theirs"),
    ("ntk-collector import evtx", "what_four_systems_recorded_of_one_person_is_found_to_be_theirs"),
    ("ssh-keyscan", "an_ssh_server_gets_the_copy_only_where_it_shows_the_known_key_and_takes_ours"),
    ("ntk-collector time-stamp", "rows_of_a_bundle_lie_between_two_answers_of_an_authority"),
    ("ntk-collector mail", "a_quiet_a_busy_and_a_broken_week_arrive_signed_in_over_starttls_and_read_well"),
    (
        "ntk-collector notice test",
        "a_cleared_log_is_told_within_minutes_each_way_without_names_though_one_way_is_down",
    ),
    // What is there only after a loss, or a browser's visit.
    (
        "ntk-collector refill",
        "a_copy_off_site_and_what_machines_kept_since_make_one_ledger_and_a_changed_object_is_named",
    ),
    (
        "ntk-collector restore",
        "a_destroyed_collector_is_put_back_machines_explain_the_difference_and_send_again_what_they_hold",
    ),
    (
        "ntk-collector take-back",
        "a_destroyed_collector_is_put_back_machines_explain_the_difference_and_send_again_what_they_hold",
    ),
    (
        "ntk-collector at-rest change",
        "a_practice_in_use_is_encrypted_gets_another_key_and_is_decrypted_again",
    ),
    (
        "ntk-collector account unlock",
        "a_hundred_wrong_passphrases_lock_the_account_and_the_command_line_opens_it_again",
    ),
    (
        "ntk-collector account reset-second-factor",
        "a_stolen_session_is_worth_nothing_once_the_one_it_was_stolen_from_has_ended",
    ),
    ("ntk-verify agree", "a_bundle_of_one_person_withholds_the_others_and_agrees_with_the_whole_one"),
    ("ntk-verify receipt", "an_acknowledged_batch_that_was_dropped_is_proved_by_its_receipt"),
    ("ntk-collector migrate", "a_ledger_moves_into_a_database_and_back_and_has_the_same_root"),
];

/// Whole lines that end with another code than 0 here, and a part of what they say.
const ENDS: &[(&str, i64, &str)] = &[
    ("ntk-collector set-up list", 1, "open "),
    (
        "ntk-collector export --from 2026-11-20 --to 2026-11-20 --case trial --by mary --out trial.zip",
        1,
        "C-1 waits for a second signature",
    ),
    // The witness's round was not made between: the page says so.
    ("ntk-verify trial.zip --trust trust.txt", 2, "incomplete: see witnesses"),
    ("ntk-verify bundle.zip --trust trust.txt", 2, "incomplete: see witnesses"),
    ("ntk-verify bundle.zip --trust trust.txt --json", 2, "\"incomplete\""),
];

struct Step {
    page: &'static str,
    text: String,
}

/// Every line of the blocks marked `sh`, as one command each.
fn steps() -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for page in PAGES {
        let text = std::fs::read_to_string(top().join(page))?;
        let lines = lines(&text).into_iter().filter(|(block, line)| *block == Some("sh") && !line.is_empty());
        steps.extend(lines.map(|(_, line)| Step { page, text: line.to_owned() }));
    }
    Ok(steps)
}

/// The block marked `toml` of a page that begins so.
fn block(page: &str, begins: &str) -> Result<String> {
    let text = std::fs::read_to_string(top().join(page))?;
    let from =
        text.find(&format!("```toml\n{begins}")).with_context(|| format!("{page}: no block {begins}"))?;
    let block = text[from..].trim_start_matches("```toml\n");
    Ok(block.split("```").next().unwrap_or_default().to_owned())
}

fn elsewhere(text: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(begins, _)| text.starts_with(begins)).map(|(_, test)| *test)
}

/// What another test is named, looked up in its source.
fn is_a_test(name: &str) -> bool {
    let function = format!("fn {}(", name.rsplit("::").next().unwrap_or(name));
    sources().iter().any(|source| source.path.ends_with(".rs") && source.text.contains(&function))
}

fn walk(steps: &[&Step], scratch: &Path) -> Result<Value> {
    let (wanted, result) = (scratch.join("wanted.json"), scratch.join("said.json"));
    let binaries = program::binary("ntk-collector")?;
    let wanted_json = json!({
        "steps": steps.iter().map(|step| json!({"page": step.page, "text": step.text})).collect::<Vec<_>>(),
        "binaries": binaries.parent(),
        "checkout": top(),
        "watch": block("docs/installing.md", "[[watch]]")?,
        "map": block("docs/installing.md", "time = ")?,
    });
    std::fs::write(&wanted, serde_json::to_vec(&wanted_json)?)?;
    let output = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "/usr/bin/python3"])
        .args([&top().join("tests/it/walk/scene.py"), &wanted, &result])
        .stdin(Stdio::null())
        .output()?;
    let failed = program::text(&output.stderr);
    let said = std::fs::read(&result).with_context(|| format!("the scene ended early: {failed}"))?;
    let mut said: Value = serde_json::from_slice(&said)?;
    said["failed"] = failed.into();
    Ok(said)
}

#[test]
fn a_new_user_with_only_the_documents_comes_to_the_end_of_each_page() -> Result<()> {
    let name = "a_new_user_with_only_the_documents_comes_to_the_end_of_each_page";
    for (begins, test) in ELSEWHERE {
        let is_so = *test == "by tests/run itself" || is_a_test(test);
        ensure!(is_so, "`{begins}` is said to run in {test}, which is no test");
    }
    if !rustix::process::geteuid().is_root() {
        skip::skip(name, "a machine of its own needs root");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let steps = steps()?;
    let here: Vec<&Step> = steps.iter().filter(|step| elsewhere(&step.text).is_none()).collect();
    let told = walk(&here, scratch.path())?;
    let said = told["said"].as_array().context("what was said")?;
    let mut wrong = Vec::new();
    for (step, said) in here.iter().zip(said) {
        let (code, text) = (said["code"].as_i64().unwrap_or(-1), said["text"].as_str().unwrap_or_default());
        println!("{:>6} ms  {code:>3}  {}", said["ms"], step.text);
        let expected = ENDS.iter().find(|(line, _, _)| step.text == *line);
        let is_right = match expected {
            None => code == 0,
            Some((_, ends, says)) => code == *ends && text.contains(says),
        };
        if !is_right {
            wrong.push(format!("{}: `{}` ended with {code}:\n{text}", step.page, step.text));
        }
    }
    ensure!(
        wrong.is_empty() && said.len() == here.len(),
        "{}\n{} of {} steps\n{}\n{}",
        wrong.join("\n"),
        said.len(),
        here.len(),
        told["failed"].as_str().unwrap_or_default(),
        told["log"].as_str().unwrap_or_default()
    );
    println!("{} commands were run, {} more by other tests", here.len(), steps.len() - here.len());
    Ok(())
}
