//! Tickets with the real programs: from request to approval, break-glass, the help desks' listener.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use anyhow::Result;
use ntk_tests::practice::Practice;
use serde_json::Value;

const NO: i32 = 1;
const USAGE: i32 = 64;

/// Two people who decide; `NTK_PASSPHRASE` is never set here, so a file is the only way.
fn with_passphrases() -> Result<(Practice, PathBuf, PathBuf)> {
    let practice = Practice::start()?;
    let roster = format!(
        "{}\n[[person]]\nid = \"drchen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\n",
        ntk_tests::practice::ROSTER
    );
    practice.import_roster(&roster)?;
    let mut files = Vec::new();
    for (who, words) in [("mary", "correct horse battery\n"), ("drchen", "staple of the morning")] {
        let file = practice.folder().join(format!("{who}.txt"));
        fs::write(&file, words)?;
        practice.collector(&["reviewer", "passphrase", who, "--passphrase-file", &file.to_string_lossy()])?;
        files.push(file);
    }
    let (second, first) = (files.pop().unwrap(), files.pop().unwrap());
    Ok((practice, first, second))
}

#[test]
fn a_mailbox_ticket_goes_from_request_over_two_approvals_to_its_end() -> Result<()> {
    let (practice, marys, chens) = with_passphrases()?;
    let (marys, chens) = (marys.to_string_lossy().into_owned(), chens.to_string_lossy().into_owned());
    let said = practice.collector(&[
        "ticket",
        "request",
        "--for",
        "northwind",
        "--class",
        "mailbox",
        "--hours",
        "2",
        "--reason",
        "Move mail",
    ])?;
    assert!(said.contains("T-1") && said.contains("Northwind IT may open 3 people’s mailboxes"), "{said}");
    let approve = |by: &str, file: &str| {
        practice.try_collector(&["ticket", "approve", "T-1", "--by", by, "--yes", "--passphrase-file", file])
    };
    let (code, said) = approve("mary", &chens)?;
    assert!(code == Some(NO) && said.contains("not the passphrase of `mary`"), "{said}");
    let (code, said) =
        practice.try_collector(&["ticket", "approve", "T-1", "--by", "mary", "--passphrase-file", &marys])?;
    assert!(code == Some(USAGE) && said.contains("--yes"), "{said}");
    let (code, said) = practice.try_collector(&["ticket", "approve", "T-1", "--by", "mary", "--yes"])?;
    assert!(code == Some(USAGE) && said.contains("NTK_PASSPHRASE"), "{said}");
    let (code, said) = approve("mary", &marys)?;
    assert!(code == Some(0) && said.contains("second person"), "{said}");
    let (code, said) = approve("drchen", &chens)?;
    assert!(code == Some(0) && said.contains("Approved."), "{said}");
    let list: Value = serde_json::from_str(&practice.collector(&["ticket", "list", "--json"])?)?;
    assert_eq!(list["tickets"][0]["state"], "approved");
    practice.collector(&["ticket", "close", "T-1", "--by", "mary", "--note", "done"])?;
    assert!(practice.collector(&["ticket", "list"])?.contains("closed"));
    let acts = practice.events(&["--acts"])?;
    let steps: Vec<&str> = acts
        .iter()
        .filter(|row| row["event"]["kind"] == "act_ticket")
        .filter_map(|row| row["event"]["act"]["step"].as_str())
        .collect();
    assert_eq!(steps, ["requested", "approved", "approved", "closed"]);
    let all = acts.iter().map(ToString::to_string).collect::<String>();
    assert!(!all.contains("horse") && !all.contains("argon2"), "no passphrase and no hash in the ledger");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn wrong_tickets_are_named_and_a_half_wrong_file_asks_for_nothing() -> Result<()> {
    let practice = Practice::start()?;
    let file = practice.folder().join("requests.csv");
    fs::write(&file, "for,class,reason\nnorthwind,export,Restore\nnobody,tea,\n")?;
    let path = file.to_string_lossy().into_owned();
    let (code, said) = practice.try_collector(&["ticket", "import", &path])?;
    assert!(code == Some(NO) && said.contains("line 3, column for") && said.contains("`tea`"), "{said}");
    let request = ["ticket", "request", "--reason", "x", "--for", "northwind", "--class"];
    for (more, code, says) in [
        (vec!["tea"], NO, "--class"),
        (vec!["export", "--hours", "0"], NO, "1 to 72"),
        (vec!["export", "--to", "soon"], NO, "soon"),
        (vec!["export", "--hours", "many"], USAGE, "many"),
        (vec!["export", "--hours", "2", "--to", "2026-11-30"], USAGE, "--to"),
        (vec!["export", "--owner", "sam", "--host", "ws-01"], USAGE, "--host"),
    ] {
        let (ended, said) = practice.try_collector(&[&request[..], &more].concat())?;
        assert!(ended == Some(code) && said.contains(says), "{more:?}: {ended:?} {said}");
    }
    for (arguments, says) in [
        (vec!["ticket", "decline", "T-1", "--by", "mary", "--reason", "no"], "T-1"),
        (vec!["ticket", "import", "no-such.csv"], "no-such.csv"),
        (vec!["break-glass", "--person", "nobody", "--reason", "x"], "nobody"),
        (vec!["break-glass", "--person", "sam"], "--reason"),
        (vec!["reviewer", "passphrase", "nobody", "--passphrase-file", &path], "nobody"),
        (vec!["ticket", "token", "new", "--name", "Help Desk"], "Help Desk"),
        (vec!["ticket", "token", "revoke", "other"], "other"),
    ] {
        let (code, said) = practice.try_collector(&arguments)?;
        assert!(code.is_some_and(|code| code != 0) && said.contains(says), "{arguments:?}: {said}");
    }
    let list: Value = serde_json::from_str(&practice.collector(&["ticket", "list", "--json"])?)?;
    assert_eq!(list["tickets"].as_array().map(Vec::len), Some(0));
    Ok(())
}

#[test]
fn break_glass_is_listed_until_another_person_acknowledges_it() -> Result<()> {
    let (practice, marys, _) = with_passphrases()?;
    let said = practice.collector(&["break-glass", "--person", "northwind", "--reason", "Server down"])?;
    assert!(said.contains("B-1") && said.contains("Northwind IT has access until"), "{said}");
    assert!(practice.collector(&["ticket", "list", "--open"])?.contains("not acknowledged yet"));
    let file = marys.to_string_lossy();
    practice.collector(&["break-glass", "acknowledge", "B-1", "--by", "mary", "--passphrase-file", &file])?;
    assert!(!practice.collector(&["ticket", "list", "--open"])?.contains("B-1"));
    Ok(())
}

#[test]
fn help_desks_are_listened_for_where_the_configuration_says_so() -> Result<()> {
    let mut practice = Practice::start()?;
    practice.stop_collector()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("tickets_listen = \"127.0.0.1:{port}\"\n{text}"))?;
    practice.start_collector()?;
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    let token = practice.collector(&["ticket", "token", "new", "--name", "helpdesk"])?;
    assert!(token.starts_with("ntk-ticket."), "the token alone on standard output");
    assert!(practice.collector(&["ticket", "token", "list"])?.contains("in use"));
    practice.collector(&["ticket", "token", "revoke", "helpdesk"])?;
    assert!(practice.collector(&["ticket", "token", "list"])?.contains("revoked"));
    practice.stop_collector()
}
