//! `staff-notice`: the text that tells people that access is recorded, and who has acknowledged it.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::super::answer::{json, text};
use super::super::passphrase::{By, send};
use super::{print_link, rows};
use crate::admin::client::Client;
use crate::home::read_text;

/// Which notice.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Which {
    /// To everybody who works here
    #[default]
    Staff,
    /// To firms, for their contract
    VendorContract,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::VendorContract => "vendor_contract",
        }
    }
}

/// `staff-notice`.
#[derive(Debug, Subcommand)]
pub enum StaffNotice {
    /// Print the text in force, or the one that comes with the program
    Show {
        /// Which
        #[arg(long, value_enum, default_value_t)]
        notice: Which,
        /// The one that comes with the program, to be edited and published
        #[arg(long)]
        template: bool,
    },
    /// Bring a text into force; everybody is asked to acknowledge it
    Publish {
        /// Which
        #[arg(long, value_enum, default_value_t)]
        notice: Which,
        /// File with the practice's own text [default: the one that comes with the program]
        #[arg(long, value_name = "FILE")]
        text: Option<PathBuf>,
        /// Name of the version [default: the next number]
        #[arg(long, value_name = "V")]
        version: Option<String>,
        /// Who publishes it
        #[command(flatten)]
        by: By,
    },
    /// Say with your passphrase that you have read the version in force
    Acknowledge {
        /// Which
        #[arg(long, value_enum, default_value_t)]
        notice: Which,
        /// Who has read it
        #[command(flatten)]
        by: By,
    },
    /// Record that somebody signed it on paper
    Paper {
        /// Who signed
        person: String,
        /// Which
        #[arg(long, value_enum, default_value_t)]
        notice: Which,
        /// The day on the paper [default: today]
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
        /// Who records it
        #[command(flatten)]
        by: By,
    },
    /// Make a one-time link for somebody to read and acknowledge it
    Link {
        /// Who reads it
        person: String,
        /// Which
        #[arg(long, value_enum, default_value_t)]
        notice: Which,
        /// For how many days it holds, at most 60
        #[arg(long, value_name = "N")]
        days: Option<u16>,
        /// Address under which they reach the console, such as https://records.example:7444
        #[arg(long, value_name = "URL")]
        address: Option<String>,
        /// Who makes it
        #[command(flatten)]
        by: By,
    },
    /// Who acknowledged which version, when and how, and who has not
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(in crate::cli) async fn staff_notice(client: &Client, what: StaffNotice) -> anyhow::Result<u8> {
    match what {
        StaffNotice::Show { notice, template } => {
            let body = json(&client.get("/v1/staff-notice", &[("notice", notice.name())]).await?)?;
            let in_force = body.pointer("/in_force/text").and_then(Value::as_str).filter(|_| !template);
            if in_force.is_none() && !template {
                eprintln!("None is in force; this is the text that comes with the program.");
            }
            print!("{}", in_force.unwrap_or(text(&body, "template")));
        }
        StaffNotice::Publish { notice, text: file, version, by } => {
            let own = file.as_deref().map(read_text).transpose()?;
            let request = json!({"notice": notice.name(), "text": own, "version": version});
            let body = json(&send(client, "/v1/staff-notice", request, &by).await?)?;
            let n = rows(&body, "missing").len();
            println!(
                "Version {} is in force. {} to acknowledge it: ntk-collector staff-notice list",
                text(&body, "version"),
                crate::report::text::count(n, "person has", "people have")
            );
        }
        StaffNotice::Acknowledge { notice, by } => {
            let request = json!({"notice": notice.name()});
            let body = json(&send(client, "/v1/staff-notice/acknowledge", request, &by).await?)?;
            println!("{} has acknowledged version {}.", text(&body, "person"), text(&body, "version"));
        }
        StaffNotice::Paper { person, notice, on, by } => {
            let request = json!({"notice": notice.name(), "person": person, "on": on});
            let body = json(&send(client, "/v1/staff-notice/paper", request, &by).await?)?;
            println!(
                "Recorded by {}: {} signed version {} on paper on {}.",
                text(&body, "recorded_by"),
                text(&body, "person"),
                text(&body, "version"),
                text(&body, "on")
            );
        }
        StaffNotice::Link { person, notice, days, address, by } => {
            let request = json!({"notice": notice.name(), "person": person, "days": days});
            let body = json(&send(client, "/v1/staff-notice/link", request, &by).await?)?;
            print_link(&body, address.as_deref());
        }
        StaffNotice::List { json: as_json } => {
            let body = json(&client.get("/v1/staff-notice/list", &[]).await?)?;
            if as_json { println!("{body}") } else { print_list(&body) }
        }
    }
    Ok(0)
}

fn print_list(body: &Value) {
    let notices = rows(body, "notices");
    if notices.is_empty() {
        println!(
            "No notice is in force. Read the one that comes with the program: ntk-collector staff-notice show"
        );
    }
    for row in &notices {
        println!(
            "{}, version {}, in force since {}:",
            text(row, "notice").replace('_', " "),
            text(row, "version"),
            text(row, "since")
        );
        for said in rows(body, "acknowledged") {
            let is_it = text(&said, "notice") == text(row, "notice")
                && text(&said, "version") == text(row, "version");
            if !is_it {
                continue;
            }
            let by = said.get("recorded_by").and_then(Value::as_str);
            let by =
                by.map(|by| format!(", signed {}, recorded by {by}", text(&said, "on"))).unwrap_or_default();
            println!("  {:<16} {}  {}{by}", text(&said, "person"), text(&said, "at"), text(&said, "how"));
        }
        for missing in rows(row, "missing") {
            println!("  {:<16} not yet", text(&missing, "person"));
        }
    }
    for machine in rows(body, "machines") {
        let said = machine.get("notice").and_then(Value::as_str).unwrap_or("not said at enrolment");
        println!("machine {:<16} notice to its users: {said}", text(&machine, "machine"));
    }
}
