//! `inventory`: what accounts hold on each machine, as it told last, or as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::answer::{Usage, given, json, text};
use super::exit;
use super::passphrase::{By, send};
use crate::admin::client::{ASK_EVERY, Client};

/// An answer is waited for so long: a machine answers at most once a minute.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);

/// `inventory`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector inventory\n  \
    ntk-collector inventory --machine reception-2 --json\n  \
    ntk-collector inventory --all --now --by mary")]
pub struct InventoryArgs {
    /// Only this machine
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Every machine that is let in [default without --now]
    #[arg(long, conflicts_with = "machine")]
    pub all: bool,
    /// Have the machines look now, and wait for their answers; that somebody asked is recorded
    #[arg(long, requires = "by")]
    pub now: bool,
    /// Who asks: the person's id in the roster
    #[arg(long, value_name = "WHO", requires = "now")]
    pub by: Option<String>,
    /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "now")]
    pub passphrase_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks, and shows the answer.
pub(super) async fn run(client: &Client, args: InventoryArgs) -> anyhow::Result<u8> {
    let mut missing = BTreeMap::new();
    if let (true, Some(by)) = (args.now, args.by) {
        if args.machine.is_none() && !args.all {
            return Err(Usage("`--now` asks machines: say which with --machine NAME, or --all".into()).into());
        }
        let by = By { by, passphrase_file: args.passphrase_file };
        missing = ask(client, args.machine.as_deref(), &by).await?;
    }
    let query = [("machine", args.machine.as_deref())];
    let mut body = json(&client.get("/v1/inventory", &given(&query)).await?)?;
    if args.json {
        if let (true, Some(fields)) = (args.now, body.as_object_mut()) {
            fields.insert("did_not_answer".into(), json!(missing));
        }
        println!("{body}");
    } else {
        print!("{}", in_words(&body));
        for (machine, why) in &missing {
            println!("{machine} did not answer: {why}");
        }
    }
    Ok(if missing.is_empty() { 0 } else { exit::NO })
}

/// Asks and waits: the machines that did not answer, and why.
async fn ask(
    client: &Client,
    machine: Option<&str>,
    by: &By,
) -> anyhow::Result<BTreeMap<String, &'static str>> {
    let asked = json(&send(client, "/v1/inventory/ask", json!({"machine": machine}), by).await?)?;
    let mut missing = BTreeMap::new();
    let mut waited_for = BTreeMap::new();
    for row in asked.get("machines").and_then(Value::as_array).into_iter().flatten() {
        let is = |key: &str| row.get(key).and_then(Value::as_bool) == Some(true);
        let machine = text(row, "machine").to_owned();
        if !is("connected") {
            missing.insert(machine, "it is not connected, and answers when it is");
        } else if !is("has_told") {
            missing.insert(machine, "it has never told what accounts hold there: it watches an agent only, plays recordings, or is no Linux machine");
        } else {
            waited_for.insert(text(row, "author").to_owned(), machine);
        }
    }
    let bar =
        ProgressBar::with_draw_target(u64::try_from(waited_for.len()).ok(), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message("waiting for answers");
    let ends = tokio::time::Instant::now().checked_add(ANSWERS_WITHIN);
    while !waited_for.is_empty() && ends.is_some_and(|ends| tokio::time::Instant::now() < ends) {
        let body = json(&client.get("/v1/inventory/answers", &[]).await?)?;
        let answered = body.get("answered").and_then(Value::as_array).into_iter().flatten();
        let answered: BTreeSet<&str> = answered.filter_map(Value::as_str).collect();
        let before = waited_for.len();
        waited_for.retain(|author, _| !answered.contains(author.as_str()));
        bar.inc(u64::try_from(before.saturating_sub(waited_for.len())).unwrap_or(0));
        if !waited_for.is_empty() {
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
    bar.finish_and_clear();
    let late =
        "no answer came within two minutes; it may still come, or its agent is older than this question";
    missing.extend(waited_for.into_values().map(|machine| (machine, late)));
    Ok(missing)
}

fn in_words(body: &Value) -> String {
    let machines = body.get("machines").and_then(Value::as_array).cloned().unwrap_or_default();
    if machines.is_empty() {
        return "No machine is let in.\n".to_owned();
    }
    machines.iter().map(machine_in_words).collect::<Vec<_>>().join("\n")
}

fn machine_in_words(row: &Value) -> String {
    let machine = text(row, "machine");
    if text(row, "taken").is_empty() {
        return format!("{machine}: has told nothing of what accounts hold there.\n");
    }
    let mut said = format!(
        "{machine}, as it told at {} (everything at {}). Names only: nothing secret is read out.\n",
        text(row, "taken"),
        text(row, "full")
    );
    let of = |key: &str| row.get(key).and_then(Value::as_array).into_iter().flatten();
    let administrators: BTreeSet<&str> = of("administrators").filter_map(Value::as_str).collect();
    let mut by_account: BTreeMap<(bool, &str), Vec<&Value>> = BTreeMap::new();
    let mut of_the_machine = Vec::new();
    for holding in of("holdings") {
        let accounts = holding.get("accounts").and_then(Value::as_array).into_iter().flatten();
        let accounts: Vec<&str> = accounts.filter_map(Value::as_str).collect();
        if accounts.is_empty() {
            of_the_machine.push(holding);
        }
        for account in accounts {
            by_account.entry((!administrators.contains(account), account)).or_default().push(holding);
        }
    }
    for ((is_other, account), holdings) in by_account {
        let rights = if is_other { "" } else { "  (can act as an administrator)" };
        section(&mut said, &format!("{account}{rights}"), &holdings);
    }
    section(&mut said, "the machine as a whole", &of_the_machine);
    let left_out = row.get("left_out").and_then(Value::as_u64).unwrap_or(0);
    if left_out > 0 {
        said.push_str(&format!("  {left_out} more are not listed: there are too many of one kind.\n"));
    }
    for sentence in of("cannot_see").filter_map(Value::as_str) {
        said.push_str(&format!("  Not seen: {sentence}.\n"));
    }
    said
}

fn section(said: &mut String, title: &str, holdings: &[&Value]) {
    if holdings.is_empty() {
        return;
    }
    said.push_str(&format!("  {title}\n"));
    for holding in holdings {
        let kind = text(holding, "what").replace('_', " ");
        let more = [text(holding, "detail"), text(holding, "place")];
        let used = Some(text(holding, "last_used")).filter(|used| !used.is_empty());
        let used = used.map(|used| format!("last used {used}"));
        let more = more.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).chain(used);
        let more: Vec<String> = more.collect();
        let more = if more.is_empty() { String::new() } else { format!("  {}", more.join("; ")) };
        said.push_str(&format!("    {kind:<15} {}{more}\n", text(holding, "name")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn holdings_are_read_by_account_administrators_first() {
        let body = json!({"machines": [
            {"machine": "ws-01", "taken": "2", "full": "1", "administrators": ["bea"], "left_out": 3,
             "cannot_see": ["accounts of the directory service (sss) are not listed"], "holdings": [
                {"what": "account", "name": "ann", "accounts": ["ann"], "last_used": "0"},
                {"what": "admin_group", "name": "sudo", "accounts": ["bea"]},
                {"what": "authorized_key", "name": "SHA256:x", "accounts": ["ann", "bea"], "place": "~/.ssh", "detail": "ED25519"},
                {"what": "remote_tool", "name": "TeamViewer"}]},
            {"machine": "ws-02"},
        ]});
        expect![[r#"
            ws-01, as it told at 2 (everything at 1). Names only: nothing secret is read out.
              bea  (can act as an administrator)
                admin group     sudo
                authorized key  SHA256:x  ED25519; ~/.ssh
              ann
                account         ann  last used 0
                authorized key  SHA256:x  ED25519; ~/.ssh
              the machine as a whole
                remote tool     TeamViewer
              3 more are not listed: there are too many of one kind.
              Not seen: accounts of the directory service (sss) are not listed.

            ws-02: has told nothing of what accounts hold there.
        "#]]
        .assert_eq(&in_words(&body));
    }
}
