//! `findings` and `finding ID`: what is to be decided, the whole story of one, and the steps that people take.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::answer::{given, json, text};
use super::passphrase::{By, send};
use super::people::Ways;
use super::print::{at, number};
use crate::admin::client::Client;
use crate::finding::step::Given;
use crate::report::text::count;
use crate::roster::Roster;

/// `findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// Only those with an access since: 2026-11-20 or 2026-11-20T18:30:00Z
    #[arg(long)]
    pub since: Option<String>,
    /// Only of this person (as in the roster) or account
    #[arg(long)]
    pub person: Option<String>,
    /// Who looks: findings about themselves or their own firm are left out
    #[arg(long, value_name = "WHO")]
    pub viewer: Option<String>,
    /// Those that are decided, too
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `finding`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector finding 9c3a51d27be0f418\n  \
    ntk-collector finding 9c3a51d27be0f418 ask --question \"What was this for?\" --by mary\n  \
    ntk-collector finding 9c3a51d27be0f418 decide expected --because \"the mail migration\" --until 2026-12-04 --by mary")]
pub struct FindingArgs {
    /// Its id, or how that begins
    pub id: String,
    /// Who looks: what is about themselves or their own firm is not there for them
    #[arg(long, value_name = "WHO")]
    pub viewer: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What to do [default: tell its story]
    #[command(subcommand)]
    pub what: Option<FindingCommand>,
}

/// What can be done about a finding; each is kept in the ledger and cannot be taken away again.
#[derive(Debug, Subcommand)]
pub enum FindingCommand {
    /// Put a question to the person
    Ask {
        /// The question
        #[arg(long)]
        question: String,
        /// Which way it goes to them
        #[command(flatten)]
        ways: Ways,
        /// Who asks
        #[command(flatten)]
        by: By,
    },
    /// Keep the answer
    Answer {
        /// The answer
        #[arg(long)]
        text: String,
        /// It is typed in from paper, by another person than whose answer it is
        #[arg(long)]
        paper: bool,
        /// Whose answer it is [default: whom the finding is about]
        #[arg(long, value_name = "PERSON", requires = "paper")]
        from: Option<String>,
        /// The code of the form; without it the answer is kept as not confirmed
        #[arg(long, value_name = "CODE", requires = "paper")]
        code: Option<String>,
        /// Who says it, or who types it in
        #[command(flatten)]
        by: By,
    },
    /// Decide; deciding again is possible and is kept as well
    Decide {
        /// What
        decision: Decision,
        /// Why
        #[arg(long)]
        because: String,
        /// Until when it explains the same of the same person, at most 90 days ahead
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
        /// Who decides: never the one whom it is about
        #[command(flatten)]
        by: By,
    },
}

/// What can be decided.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Decision {
    /// It was expected
    Expected,
    /// Somebody else has to look into it
    Escalated,
    /// It is undecided again
    Open,
}

/// Lists incidents, worst first; as JSON the findings themselves.
pub(super) async fn list(client: &Client, args: FindingsArgs) -> anyhow::Result<u8> {
    let query = [
        ("since", args.since.as_deref()),
        ("person", args.person.as_deref()),
        ("viewer", args.viewer.as_deref()),
    ];
    let body = json(&client.get("/v1/findings", &given(&query)).await?)?;
    if args.json {
        // One array, one finding a line.
        let rows = array(&body, "/findings").map(ToString::to_string).collect::<Vec<_>>();
        println!("[{}]", rows.join(",\n"));
        return Ok(0);
    }
    let is_shown = |incident: &&Value| args.all || flag(incident, "is_undecided");
    let n_all = array(&body, "/incidents").count();
    let shown: Vec<&Value> = array(&body, "/incidents").filter(is_shown).collect();
    match (shown.len(), n_all) {
        (0, 0) => println!("Nothing to decide: every access so far is explained."),
        (0, n) => println!("Nothing to decide. {} decided; see --all.", count(n, "item is", "items are")),
        (n_shown, n) if n > n_shown => {
            shown.iter().for_each(|incident| print_incident(incident));
            println!(
                "{} decided; see --all.",
                count(n.saturating_sub(n_shown), "more item is", "more items are")
            );
        }
        _ => shown.iter().for_each(|incident| print_incident(incident)),
    }
    Ok(0)
}

/// Tells one incident, or takes a step about it.
pub(super) async fn one(client: &Client, args: FindingArgs) -> anyhow::Result<u8> {
    let path = format!("/v1/findings/{}", plain(&args.id));
    let Some(what) = args.what else {
        let body = json(&client.get(&path, &given(&[("viewer", args.viewer.as_deref())])).await?)?;
        if args.json {
            println!("{body}")
        } else {
            print_story(&body)
        }
        return Ok(0);
    };
    let mut ways = None;
    let (what, by) = match what {
        FindingCommand::Ask { question, ways: asked, by } => {
            let what = json!({"step": "asked", "question": question, "way": asked.request()});
            ways = Some(asked);
            (what, by)
        }
        FindingCommand::Answer { text, paper, from, code, by } => {
            let paper = paper.then(|| json!({"from": from, "code": code}));
            (json!({"step": "answered", "answer": text, "paper": paper}), by)
        }
        FindingCommand::Decide { decision, because, until, by } => {
            let decision = match decision {
                Decision::Expected => "expected",
                Decision::Escalated => "escalated",
                Decision::Open => "open",
            };
            (json!({"step": "decided", "decision": decision, "because": because, "until": until}), by)
        }
    };
    let body = json(&send(client, &format!("{path}/step"), json!({"what": what}), &by).await?)?;
    if let Some(ways) = &ways {
        ways.write(body.get("link").unwrap_or(&Value::Null))?;
    }
    if args.json {
        println!("{body}");
    } else {
        let n = array(&body, "/findings").count();
        println!(
            "Kept in the ledger for {}. {} is now: {}.",
            count(n, "finding", "findings"),
            text(&body, "id"),
            text(&body, "state_in_words")
        );
        if let Some(ways) = &ways {
            ways.tell(body.get("link").unwrap_or(&Value::Null));
        }
    }
    Ok(0)
}

/// What cannot be part of an id is left out, so that the path stays one.
fn plain(id: &str) -> String {
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

fn print_incident(incident: &Value) {
    println!("{} {}  {}", mark(incident), at(incident, "/id"), at(incident, "/headline"));
    let mut facts = vec![at(incident, "/severity").to_owned(), at(incident, "/tag").to_owned()];
    facts.push(match incident.get("age").and_then(Value::as_str) {
        Some(age) => format!("{} for {age}", at(incident, "/state_in_words")),
        None => at(incident, "/state_in_words").to_owned(),
    });
    facts.push(count(number(incident, "/n_accesses"), "access", "accesses"));
    if flag(incident, "is_open") {
        facts.push("still going on".to_owned());
    }
    println!("    {}  {}", at(incident, "/first_time"), facts.join(" · "));
    for key in ["/signals", "/reasons"] {
        array(incident, key).filter_map(Value::as_str).for_each(|sentence| println!("    {sentence}"));
    }
}

fn mark(incident: &Value) -> &'static str {
    match at(incident, "/outcome") {
        "never" => "!",
        "explained" => "~",
        _ => "?",
    }
}

fn print_story(body: &Value) {
    if let Some(incident) = body.get("incident") {
        print_incident(incident);
        if flag(incident, "is_flood") {
            println!(
                "    It stands for {}, all listed below.",
                count(number(incident, "/grouped"), "separate question", "separate questions")
            );
        }
    }
    println!("\nWhat the records show, in order:");
    for line in array(body, "/story/lines") {
        let mark = match (flag(line, "is_of_finding"), line.get("outcome").and_then(Value::as_str)) {
            (true, Some("never")) => "!",
            (true, _) => "?",
            (false, Some("explained")) => "explained",
            (false, _) => "",
        };
        println!("  {:<9} {}", mark, at(line, "/when"));
        println!("            {}", at(line, "/text"));
    }
    match number(body, "/story/n_left_out") {
        0 => {}
        n => println!(
            "  and {} for which there is no room here; see `ntk-collector events`.",
            count(n, "access", "accesses")
        ),
    }
    for row in array(body, "/findings") {
        print_finding(row);
    }
}

fn print_finding(row: &Value) {
    println!("\nFinding {}: {}", at(row, "/finding/id"), at(row, "/headline"));
    let fact = |name: &str, value: &str| println!("  {name}: {value}");
    fact("Why it is shown", at(row, "/tag"));
    fact("How much", at(row, "/what"));
    let sentences = |pointer: &str, key: &str| {
        let all = array(row, pointer).filter_map(|item| item.get(key).unwrap_or(item).as_str());
        all.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let list = |name: &str, items: Vec<String>| {
        if !items.is_empty() {
            println!("  {name}:");
            items.iter().for_each(|item| println!("    - {item}"));
        }
    };
    list("Rules", sentences("/finding/reasons", "sentence"));
    list("Unusual", sentences("/finding/signals", "sentence"));
    list("Would have explained it", sentences("/finding/would_explain", ""));
    if let Some(candidates) = row.get("who_could_have_been").and_then(Value::as_str) {
        fact("Who could have been", candidates);
    }
    list("Harmless causes to rule out first", sentences("/finding/innocent_causes", ""));
    list("What the records do not show", sentences("/not_shown", ""));
    println!(
        "  Evidence: {} of {}, numbers {} to {}",
        count(number(row, "/finding/n_entries"), "entry", "entries"),
        at(row, "/finding/author"),
        number(row, "/finding/first_number"),
        number(row, "/finding/last_number")
    );
    if let Some(because) = row.pointer("/covered_by/because").and_then(Value::as_str) {
        println!(
            "  Covered until {} by what {} decided about {}: {because}",
            at(row, "/covered_by/until"),
            at(row, "/covered_by/by"),
            at(row, "/covered_by/finding")
        );
    }
    for step in array(row, "/steps") {
        println!("  {}  {}", at(step, "/at"), step_in_words(step));
    }
}

fn step_in_words(step: &Value) -> String {
    let by = at(step, "/by");
    match at(step, "/step") {
        "asked" => format!("{by} asked: {}", at(step, "/question")),
        "answered" => match step
            .get("given")
            .and_then(|given| serde_json::from_value::<Given>(given.clone()).ok())
        {
            // Names are not at hand here: ids say who it was as well.
            Some(given) => {
                format!("answered: {} ({}; {by})", at(step, "/answer"), given.in_words(&Roster::default()))
            }
            None => format!("{by} answered: {}", at(step, "/answer")),
        },
        "decided" => {
            let until = step.get("until").and_then(Value::as_str);
            let until = until.map(|until| format!(", until {until}")).unwrap_or_default();
            format!("{by} decided {}{until}: {}", at(step, "/decision"), at(step, "/because"))
        }
        "late_ticket" => {
            format!("ticket {}, approved afterwards, would have covered it", at(step, "/ticket"))
        }
        "acknowledged" => format!("{by} took note of break-glass {}", at(step, "/break_glass")),
        other => format!("{other}, a step that this version does not know"),
    }
}

fn array<'a>(body: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let pointer = if pointer.starts_with('/') { pointer.to_owned() } else { format!("/{pointer}") };
    body.pointer(&pointer).and_then(Value::as_array).into_iter().flatten()
}

fn flag(body: &Value, key: &str) -> bool {
    body.get(key).and_then(Value::as_bool) == Some(true)
}
