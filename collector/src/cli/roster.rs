//! `roster`: files in and out, accounts that nobody holds yet, notices; and the question at enrolment.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::answer::{Usage, given, json, save, text};
use super::passphrase::{By, send, send_maybe};
use crate::admin::client::Client;
use crate::home::{read_text, write_file};
use crate::roster::csv;

/// `roster`.
#[derive(Debug, Subcommand)]
pub enum RosterCommand {
    /// Bring a file into force: TOML, or a spreadsheet (.csv) for people, accounts and keys
    Import {
        /// The file
        file: PathBuf,
        /// Who does this, as in the roster
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
        #[arg(long, value_name = "FILE", requires = "by")]
        passphrase_file: Option<PathBuf>,
    },
    /// Write what is in force to a file: TOML, or a spreadsheet where it ends in .csv
    Export {
        /// The file
        file: PathBuf,
    },
    /// Accounts that were seen and that nobody holds, and what else in the roster waits for a person
    Proposals {
        /// How many weeks to look back
        #[arg(long, default_value_t = 4)]
        weeks: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Record whose account it is
    Confirm {
        /// The account as `roster proposals` names it, or as USER@MACHINE
        account: String,
        /// Who holds it, as in the roster; several times for an account that people share
        #[arg(long = "person", value_name = "ID", required = true)]
        persons: Vec<String>,
        /// Who confirms it
        #[command(flatten)]
        by: By,
    },
    /// Record that a person has read a notice
    Acknowledge {
        /// Who has read it, as in the roster
        person: String,
        /// The notice's id
        #[arg(long, value_name = "ID")]
        notice: String,
        /// Its version
        #[arg(long, value_name = "VERSION")]
        version: String,
        /// Which day [default: today]
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
        /// Who records it, as in the roster
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
        #[arg(long, value_name = "FILE", requires = "by")]
        passphrase_file: Option<PathBuf>,
    },
}

pub(super) async fn roster(client: &Client, what: RosterCommand) -> anyhow::Result<u8> {
    match what {
        RosterCommand::Import { file, by, passphrase_file } => {
            import(client, &file, by, passphrase_file).await
        }
        RosterCommand::Export { file } if ending(&file) == "csv" => {
            let body = json(&client.get("/v1/roster", &[("format", "csv")]).await?)?;
            // Spreadsheet programs take a file for UTF-8 only where it says so at its beginning.
            let marked = format!("\u{feff}{}", text(&body, "text"));
            write_file(&file, marked.as_bytes(), 0o640)?;
            println!("{}", file.display());
            Ok(0)
        }
        RosterCommand::Export { file } => save(client, "/v1/roster", &file).await,
        RosterCommand::Proposals { weeks, json: as_json } => {
            let weeks = weeks.to_string();
            let body = json(&client.get("/v1/roster/proposals", &given(&[("weeks", Some(&weeks))])).await?)?;
            if as_json {
                println!("{body}");
            } else {
                print_proposals(&body, &weeks);
            }
            Ok(0)
        }
        RosterCommand::Confirm { account, persons, by } => {
            let request = json!({"account": account, "persons": persons});
            let body = json(&send(client, "/v1/roster/confirm", request, &by).await?)?;
            println!("{}", text(&body, "sentence"));
            Ok(0)
        }
        RosterCommand::Acknowledge { person, notice, version, on, by, passphrase_file } => {
            let request = json!({"person": person, "notice": notice, "version": version, "on": on});
            let body =
                json(&send_maybe(client, "/v1/roster/acknowledge", request, by, passphrase_file).await?)?;
            println!("{}", text(&body, "sentence"));
            Ok(0)
        }
    }
}

async fn import(
    client: &Client,
    file: &Path,
    by: Option<String>,
    passphrase_file: Option<PathBuf>,
) -> anyhow::Result<u8> {
    let name = file.display();
    let request = match ending(file).as_str() {
        "csv" => {
            let bytes = std::fs::read(file).with_context(|| format!("could not read `{name}`"))?;
            let rows = csv::text_of(&bytes).map_err(|fault| Usage(format!("`{name}`: {fault}")))?;
            json!({"csv": rows})
        }
        ending @ ("xlsx" | "xls" | "ods" | "numbers") => {
            return Err(Usage(format!(
                "`{name}`: a roster is not read from .{ending}; save the sheet as “CSV UTF-8” and import that"
            ))
            .into());
        }
        _ => json!({"text": read_text(file)?}),
    };
    let body = json(&send_maybe(client, "/v1/roster", request, by, passphrase_file).await?)?;
    if let Some(code) = super::people::waits(&body) {
        return Ok(code);
    }
    println!(
        "In force: {} people, {} accounts.",
        body.get("people").unwrap_or(&Value::Null),
        body.get("accounts").unwrap_or(&Value::Null)
    );
    for change in body.get("changes").and_then(Value::as_array).into_iter().flatten() {
        println!("{}", change.as_str().unwrap_or_default());
    }
    Ok(0)
}

fn ending(file: &Path) -> String {
    file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

fn print_proposals(body: &Value, weeks: &str) {
    let rows = |key: &str| body.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let proposals = rows("proposals");
    if proposals.is_empty() {
        println!("Every account that was seen in the last {weeks} weeks is in the roster.");
    }
    for row in &proposals {
        let account = row.pointer("/proposal/account").and_then(Value::as_str).unwrap_or_default();
        let holder = row.pointer("/proposal/suggestion/person").and_then(Value::as_str).unwrap_or("WHO");
        println!("{}", text(row, "sentence"));
        println!("    ntk-collector roster confirm '{account}' --person {holder} --by WHO");
    }
    for item in rows("items") {
        println!("{}", text(&item, "sentence"));
    }
}

/// Whether the machine's users were told, in words: by flag, by asking, or not at all.
pub(super) fn notice(notified: Option<&str>, because: Option<&str>) -> anyhow::Result<Option<String>> {
    if let Some(date) = notified {
        let day = date.parse::<Date>().ok().filter(|_| date.len() == 10);
        let day = day.ok_or_else(|| {
            Usage(format!("`--users-notified {date}` is not a date; write it as 2026-11-30"))
        })?;
        return Ok(Some(format!("its users were told on {day}")));
    }
    if let Some(reason) = because {
        if reason.trim().is_empty() {
            return Err(Usage("`--not-notified-because` is empty; write the reason".into()).into());
        }
        return Ok(Some(format!("its users were not told: {}", reason.trim())));
    }
    Ok(ask())
}

/// Asks only where a person reads and answers: the token on standard output may go to a script.
fn ask() -> Option<String> {
    let is_person =
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if !is_person {
        return None;
    }
    eprintln!(
        "Were the users of this machine told that access is recorded? The day (2026-11-30), or why not; Enter leaves it open."
    );
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    match line.trim() {
        "" => None,
        day if day.len() == 10 && day.parse::<Date>().is_ok() => {
            Some(format!("its users were told on {day}"))
        }
        reason => Some(format!("its users were not told: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_at_enrolment_is_a_day_or_a_reason() {
        let said = |notified, because| notice(notified, because).map_err(|error| error.to_string());
        assert_eq!(said(Some("2026-11-20"), None), Ok(Some("its users were told on 2026-11-20".into())));
        assert_eq!(
            said(None, Some(" a server without users ")),
            Ok(Some("its users were not told: a server without users".into()))
        );
        assert!(said(Some("yesterday"), None).is_err_and(|said| said.contains("yesterday")));
        assert!(said(None, Some(" ")).is_err());
    }
}
