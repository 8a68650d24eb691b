//! Each subcommand: a request to the admin API, and its answer for people.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::CommandFactory as _;
use jiff::tz::TimeZone;
use ntk_evidence::trust::TrustFile;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::answer::{Usage, given, json, text, with_bar};
use super::passphrase::send_maybe;
use super::policy::PolicyCommand;
use super::practices::RunArgs;
use super::{
    Cli, Command, Enroll, EventsArgs, ExportArgs, Init, ReportArgs, departure, encrypted, exit, findings,
    people, print, roster,
};
use crate::admin::client::Client;
use crate::admin::requests::{Edge, moment};
use crate::at_rest;
use crate::clock::Clock;
use crate::config::time_stamps::read_certificates;
use crate::home::Home;
use crate::init::{AtRestOptions, InitOptions, OnPaper, init_with};
use crate::keys_file::{Secret, TakenAway};
use crate::practice::Practice;
use crate::run::{self, LevelHandle, Starter};

/// Runs a command; the exit code.
pub fn execute(cli: Cli, level: Option<LevelHandle>) -> anyhow::Result<u8> {
    let home = home(&cli)?;
    match cli.command {
        Command::Init(args) => make(&home, args),
        Command::FirstStart { listen } => {
            Ok(crate::first_start::first_start(&home, &listen, &Clock::system()).map(|()| 0)?)
        }
        Command::Refill(args) => super::refill::refill(&home, args),
        Command::Restore(args) => super::restore::restore(&home, args),
        Command::TakeBack(args) => super::restore::take_back(&home, &args),
        Command::Migrate(args) => super::migrate::migrate(&home, &args),
        Command::Run(RunArgs { practices: Some(folder) }) => {
            crate::practices::run(&folder, &CancellationToken::new())?;
            Ok(0)
        }
        Command::Run(_) => run::run(home, level, &Starter::default()).map(|()| 0).map_err(Into::into),
        Command::Practices(args) => super::practices::practices(&args),
        #[cfg(windows)]
        Command::Service(what) => super::service_windows::service(home, level, what),
        Command::Policy { what: PolicyCommand::Schema } => {
            print!("{}", crate::policy::cedar::SCHEMA);
            Ok(0)
        }
        Command::Policy { what: PolicyCommand::Template { name } } => {
            super::policy::template(name.as_deref())
        }
        Command::Api(args) => super::answer::api(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "ntk-collector", &mut std::io::stdout());
            Ok(0)
        }
        Command::Check => check(home),
        Command::Status(args) if args.running && !crate::system::answers(&home) => {
            eprintln!("no collector runs here");
            Ok(1)
        }
        Command::AtRest { what } => super::at_rest::at_rest(home, what),
        Command::Keys { what } if !what.is_request() => super::keys::keys(&home, what),
        command => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            runtime.block_on(async {
                let client = Client::connect(home.clone()).await?;
                let result = ask(&client, &home, command).await;
                client.close().await;
                result
            })
        }
    }
}

fn home(cli: &Cli) -> anyhow::Result<Home> {
    home_of(cli.dir.as_deref(), cli.config.as_deref(), std::env::var_os(super::DIR_VARIABLE).as_deref())
}

/// The folder that somebody names: a file on the command line goes before a folder of the environment, and two that differ
/// on one command line are a mistake.
fn home_of(dir: Option<&Path>, config: Option<&Path>, environment: Option<&OsStr>) -> anyhow::Result<Home> {
    let Some(config) = config else {
        return Ok(Home::new(dir.unwrap_or(Path::new(crate::system::DEFAULT_DIR))));
    };
    let usage = |why: String| Err(Usage(format!("`--config {}`: {why}", config.display())).into());
    if config.file_name().is_none_or(|name| name != "collector.toml") {
        return usage("the configuration is the file collector.toml in the collector's folder".to_owned());
    }
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match dir {
        Some(dir) if dir != folder && Some(dir.as_os_str()) != environment => usage(format!(
            "the configuration of `--dir {}` lies in that folder; give one of the two",
            dir.display()
        )),
        _ => Ok(Home::new(folder)),
    }
}

/// Who administers what, as given, asked for, or said to be not named.
pub(super) fn administers(given: Option<&str>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut administers = BTreeMap::new();
    for pair in given.unwrap_or_default().split(',').filter(|pair| !pair.is_empty()) {
        let (what, who) = pair
            .split_once('=')
            .ok_or_else(|| Usage(format!("`--administers`: `{pair}` is not WHAT=WHO")))?;
        administers.insert(what.trim().to_owned(), who.trim().to_owned());
    }
    for what in crate::config::ADMINISTERED {
        if !administers.contains_key(what) {
            let who =
                print::ask(&format!("Who administers the {what}? It is named in every report's footer."));
            administers.insert(what.to_owned(), who.unwrap_or_else(|| "not named at set-up".to_owned()));
        }
    }
    Ok(administers)
}

fn make(home: &Home, args: Init) -> anyhow::Result<u8> {
    if args.keys_on_paper {
        super::keys::must_be_terminal(args.words_answer)?;
    }
    let mut keys_to = args.keys_to;
    if keys_to.is_empty() && !args.keys_on_paper {
        keys_to.push(home.path("keys-to-take-away.txt"));
    }
    let administers = administers(args.administers.as_deref())?;
    let options = InitOptions {
        name: args.name,
        timezone: args.timezone,
        template: args.template,
        keys_to,
        administers,
        listen: args.listen,
        console: Some(args.console).filter(|at| at != "none"),
        console_address: None,
        place: args.place,
        at_rest: args.at_rest.map(|key| AtRestOptions { key, passphrase_file: args.at_rest_passphrase_file }),
    };
    let second = args.second_reviewer.or_else(|| {
        let asked = args.decline_second.is_none();
        let question = "Who is the second reviewer, who decides what is about the manager and co-signs? (empty: named later)";
        asked.then(|| print::ask(question)).flatten()
    });
    let second = match (second, args.decline_second) {
        (Some(name), _) => json!({"second_reviewer": {"named": name}}),
        (None, Some(because)) => json!({"second_reviewer": {"declined": because}}),
        (None, None) => json!({}),
    };
    let is_piped = args.words_answer;
    let mut show =
        |keys: &TakenAway, trust: &TrustFile| super::keys::on_paper(keys, trust, &Secret::BOTH, is_piped);
    let on_paper: Option<OnPaper<'_>> = if args.keys_on_paper { Some(&mut show) } else { None };
    let made = init_with(home, &options, second, on_paper, &Clock::system())?;
    println!("Made {} in {}.", made.slug, home.dir().display());
    println!("Practice key in twelve words: {}", made.practice_words);
    println!("{}", at_rest::sentence(home)?);
    if options.at_rest.is_none() {
        println!("To encrypt it: ntk-collector at-rest on --key passphrase, credential or file:PATH.");
    }
    for place in &made.keys_to {
        println!("Take {} away now (USB stick or paper), then delete it here.", place.display());
    }
    if args.keys_on_paper {
        println!(
            "The words on paper are the keys: one sheet into the safe, another to somebody independent."
        );
    }
    println!("Next: ntk-collector run --config {}", home.config().display());
    Ok(0)
}

fn check(home: Home) -> anyhow::Result<u8> {
    let mut faults = 0u8;
    let mut line = |what: &str, result: Result<String, String>| match result {
        Ok(said) => println!("ok    {what}: {said}"),
        Err(wrong) => {
            faults = faults.saturating_add(1);
            println!("FAULT {what}: {wrong}");
        }
    };
    let said = |error: &dyn std::error::Error| crate::error_chain(error);
    for found in crate::private::kept(&home) {
        line("kept", found);
    }
    let mut home = home;
    if home.config().exists() {
        line("at rest", at_rest::sentence(&home).map(str::to_owned).map_err(|error| said(&error)));
        match at_rest::unlock(home.clone()) {
            Ok(unlocked) => home = unlocked,
            Err(error) => line("key of what is encrypted", Err(said(&error))),
        }
    }
    match Practice::open(home.clone()) {
        Err(error) => line("configuration and trust file", Err(said(&error))),
        Ok(practice) => {
            line("configuration and trust file", Ok(practice.trust.slug.to_string()));
            line(
                "keys of the ledger",
                practice.ledger_keys().map(|_| "fit the trust file".into()).map_err(|error| said(&error)),
            );
            line(
                "key of bundles",
                practice.bundle_key().map(|_| "fits the trust file".into()).map_err(|error| said(&error)),
            );
            line(
                "certificates",
                practice
                    .authority()
                    .map(|_| ())
                    .and(practice.server().map(|_| "can be read".into()))
                    .map_err(|error| said(&error)),
            );
            let reader = ntk_segment::reader::Reader::open_on(home.disk(), &home.ledger());
            line(
                "ledger",
                reader
                    .map(|reader| format!("readable up to {}", reader.committed_end()))
                    .map_err(|error| said(&error)),
            );
            if let Some(settings) = &practice.config.time_stamps {
                let said = settings.certificates.as_ref().map_or_else(
                    || Ok("no certificates are given: bundles go without the authority's chain".to_owned()),
                    |file| {
                        read_certificates(home.dir(), file)
                            .map(|_| "the authority's certificates can be read".into())
                    },
                );
                line("time-stamps", said);
            }
            let running = crate::system::answers(&home);
            let address = &practice.config.raw.listen;
            let bind = if running {
                Ok("a collector runs here now".to_owned())
            } else {
                std::net::TcpListener::bind(address)
                    .map(|_| format!("{address} is free"))
                    .map_err(|error| format!("{address}: {error}"))
            };
            line("agents' listener", bind);
            if let Some(target) = &practice.config.off_site {
                let found = super::off_site::reach(target, &practice.trust.slug);
                line("copy outside", found.map_err(|error| said(&error)));
            }
            if let (Some(address), false) = (&practice.config.raw.tickets_listen, running) {
                let bind = std::net::TcpListener::bind(address);
                let bind = bind.map(|_| format!("{address} is free"));
                line("help desks' listener", bind.map_err(|error| format!("{address}: {error}")));
            }
            if let Some(console) = &practice.config.console {
                let certificate = crate::console::listener::certificate(&practice, console);
                let bind =
                    if running { Ok(()) } else { std::net::TcpListener::bind(&console.listen).map(|_| ()) };
                let bind = bind.map_err(|error| format!("{}: {error}", console.listen));
                let said = certificate.map_err(|error| said(&error)).and(bind);
                line("console", said.map(|()| format!("{} can be opened", console.origin)));
            }
        }
    }
    Ok(if faults == 0 { 0 } else { exit::CONFIG })
}

async fn ask(client: &Client, home: &Home, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Status(args) => {
            let body = json(&client.get("/v1/status", &[]).await?)?;
            if args.form.json {
                println!("{body}")
            } else {
                print::status(&body)
            }
            Ok(0)
        }
        Command::Metrics => {
            print!("{}", String::from_utf8_lossy(&client.get("/v1/metrics", &[]).await?));
            Ok(0)
        }
        Command::SelfCheck(args) => {
            let body = json(
                &with_bar(client, "verifying the ledger", client.post("/v1/self-check", &json!({}))).await?,
            )?;
            if args.json {
                println!("{body}")
            } else {
                println!("{}", text(&body, "sentence"))
            }
            Ok(if body.get("passed").and_then(Value::as_bool) == Some(true) { 0 } else { exit::NO })
        }
        Command::Rebuild(args) => {
            let body = json(&client.post("/v1/rebuild", &json!({})).await?)?;
            if args.json {
                println!("{body}")
            } else {
                println!("{}", text(&body, "sentence"))
            }
            Ok(if body.get("same").and_then(Value::as_bool) == Some(true) { 0 } else { exit::NO })
        }
        Command::Enroll { what } => enroll(client, what).await,
        Command::Roster { what } => roster::roster(client, what).await,
        Command::Leave(args) => departure::leave(client, args).await,
        Command::Watch(args) => super::proposals::run(client, args).await,
        Command::Inventory(args) => super::inventory::run(client, args).await,
        Command::Departure(args) => departure::departure(client, args).await,
        Command::Policy { what } => super::policy::policy(client, what).await,
        Command::Ticket { what } => super::tickets::ticket(client, what).await,
        Command::BreakGlass(args) => super::tickets::break_glass(client, args).await,
        Command::Reviewer { what } => super::tickets::reviewer(client, what).await,
        Command::SignOff(args) => super::sign_off::sign_off(client, args).await,
        Command::Account { what } => super::account::account(client, what).await,
        Command::Cosign { what } => people::cosign(client, what).await,
        Command::Link { what } => people::link(client, what).await,
        Command::StaffNotice { what } => people::staff_notice(client, what).await,
        Command::Breach { what } => people::breach(client, what).await,
        Command::Mine(args) => people::mine(client, args).await,
        Command::SelfView { what } => people::self_view(client, what).await,
        Command::Protected(args) => super::protected::run(client, args).await,
        Command::Baseline(args) => super::baseline::run(client, args).await,
        Command::Findings(args) => findings::list(client, args).await,
        Command::Finding(args) => findings::one(client, args).await,
        Command::Keys { what } => super::keys::renew(client, what).await,
        Command::Trust { what } => super::trust::trust(client, what).await,
        Command::Witness { what } => super::trust::witness(client, what).await,
        Command::Update { what } => super::update::update(client, what).await,
        Command::TimeStamp(args) => super::time_stamp::time_stamp(client, args).await,
        Command::Events(args) => events(client, args).await,
        Command::Report(args) => report(client, args).await,
        Command::Bundle { what } => super::bundle::bundle(client, what).await,
        Command::Hold { what } => super::preservation::hold(client, what).await,
        Command::Preserve(args) => super::preservation::preserve(client, args).await,
        Command::Prune(args) => super::preservation::prune(client, args).await,
        Command::Custody { what } => super::preservation::custody(client, what).await,
        Command::Import(args) => super::import::import(client, args).await,
        Command::Poll(args) => super::import::poll(client, args).await,
        Command::Imports(args) => super::import::imports(client, args).await,
        Command::Backup { json } => super::off_site::now(client, json).await,
        Command::OffSite { what } => super::off_site::off_site(client, what).await,
        Command::SetUp { what } => super::set_up::set_up(client, what).await,
        Command::Mail { what } => super::delivery::mail(client, what).await,
        Command::Notice { what } => super::delivery::notice(client, what).await,
        Command::Export(args) => export(client, home, args).await,
        Command::Init(_)
        | Command::FirstStart { .. }
        | Command::Refill(_)
        | Command::Restore(_)
        | Command::TakeBack(_)
        | Command::Migrate(_)
        | Command::Run(_)
        | Command::Practices(_)
        | Command::Check
        | Command::Api(_)
        | Command::AtRest { .. }
        | Command::Completions { .. } => Err(anyhow!("not a request")),
        #[cfg(windows)]
        Command::Service(_) => Err(anyhow!("not a request")),
    }
}

async fn enroll(client: &Client, what: Enroll) -> anyhow::Result<u8> {
    match what {
        Enroll::New { machine, replace, expires, address, users_notified, not_notified_because } => {
            let notice = roster::notice(users_notified.as_deref(), not_notified_because.as_deref())?;
            let seconds = seconds(&expires).ok_or_else(|| {
                Usage(format!("`--expires`: `{expires}` is not a time such as 30m, 1h, 2d"))
            })?;
            let (first, more) = address.split_first().unzip();
            let more = more.unwrap_or_default();
            let (is_replaced, machine) = (replace.is_some(), replace.or(machine).unwrap_or_default());
            let body = json(
                &client
                    .post(
                        "/v1/enroll",
                        &json!({"machine": machine, "replace": is_replaced, "expires_seconds": seconds, "address": first, "more_addresses": more, "notice": notice}),
                    )
                    .await?,
            )?;
            // The token alone on standard output, so that a script can take it.
            eprintln!(
                "One-time token for {machine}, until {}. It is shown once. On that machine:",
                text(&body, "expires")
            );
            if is_replaced {
                eprintln!("  ntk-agent enroll --token TOKEN --replace");
                eprintln!(
                    "With that {machine} goes on as {}; nothing is taken from its earlier identity any more, and what it sent stays.",
                    text(&body, "author").trim_start_matches("agent/")
                );
            } else {
                eprintln!("  ntk-agent enroll --token TOKEN");
            }
            println!("{}", text(&body, "token"));
            Ok(0)
        }
        Enroll::List(args) => {
            let body = json(&client.get("/v1/enroll", &[]).await?)?;
            if args.json {
                println!("{body}")
            } else {
                print::machines(&body)
            }
            Ok(0)
        }
        Enroll::Revoke { machine, reason } => {
            client.post("/v1/enroll/revoke", &json!({"machine": machine, "reason": reason})).await?;
            println!("{machine} is revoked: nothing more is taken from it. What it sent stays.");
            Ok(0)
        }
    }
}

async fn events(client: &Client, args: EventsArgs) -> anyhow::Result<u8> {
    let acts = args.acts.then_some("true");
    let query = [
        ("person", args.person.as_deref()),
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("asset", args.asset.as_deref()),
        ("computer", args.computer.as_deref()),
        ("what", args.what.as_deref()),
        ("path", args.path.as_deref()),
        ("rests_on", args.rests_on.as_deref()),
        ("acts", acts),
    ];
    let bytes = client.get("/v1/events", &given(&query)).await?;
    let lines = String::from_utf8_lossy(&bytes);
    if args.json {
        print!("{lines}");
    } else {
        print::events(&lines);
    }
    Ok(0)
}

async fn report(client: &Client, args: ReportArgs) -> anyhow::Result<u8> {
    let to = args.encrypt_to.recipients()?;
    let asked = json!({"week": args.week, "send": args.send});
    let body = json(&client.post("/v1/report", &asked).await?)?;
    if let Some(n) = body.get("queued").and_then(Value::as_u64) {
        println!("Week {}: queued for {n}; it goes out while the collector runs.", text(&body, "week"));
    }
    let Some(out) = args.out else { return Ok(0) };
    std::fs::create_dir_all(&out)
        .with_context(|| format!("could not make the folder `{}`", out.display()))?;
    let (html, data) = (out.join("report.html"), out.join("report.json"));
    let html = encrypted::write(&html, text(&body, "html").as_bytes(), to.as_ref())?;
    let report = serde_json::to_string_pretty(body.get("report").unwrap_or(&Value::Null))?;
    encrypted::write(&data, report.as_bytes(), to.as_ref())?;
    let paper = BASE64_STANDARD
        .decode(text(&body, "pdf"))
        .context("the collector sent a report.pdf that cannot be read")?;
    encrypted::write(&out.join("report.pdf"), &paper, to.as_ref())?;
    println!("Week {}: {}", text(&body, "week"), html.display());
    Ok(0)
}

async fn export(client: &Client, home: &Home, args: ExportArgs) -> anyhow::Result<u8> {
    let to = args.encrypt_to.recipients()?;
    let practice = Practice::open(home.clone())?;
    let zone: &TimeZone = &practice.config.zone;
    let time = |text: &str, edge| {
        moment(text, zone, edge)
            .map_err(|_| Usage(format!("`{text}` is not a time; write 2026-11-20 or 2026-11-20T18:30:00Z")))
    };
    let mut question = json!({
        "person": args.person, "case": args.case, "redact_paths": args.redact.iter().any(|what| what == "paths"),
        "redact_people": args.redact.iter().any(|what| what == "people"), "interchange": args.interchange, "assets": args.asset,
        "from": time(&args.from, Edge::Start)?.to_string(), "to": time(&args.to, Edge::End)?.to_string(),
    });
    let Some(out) = args.out else {
        let preview =
            with_bar(client, "looking through it", client.post("/v1/export/preview", &question)).await?;
        let preview = json(&preview)?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&preview)?);
        } else {
            print::preview(&preview);
        }
        return Ok(0);
    };
    if let Some(fields) = question.as_object_mut() {
        fields.insert("cosigned".to_owned(), json!(args.cosigned));
        fields.insert("alone_because".to_owned(), json!(args.alone_because));
    }
    let asked = send_maybe(client, "/v1/export", question, args.by, args.passphrase_file);
    let zip = with_bar(client, "building the bundle", asked).await?;
    if let Some(code) = serde_json::from_slice(&zip).ok().as_ref().and_then(people::waits) {
        println!("Then once more, with --cosigned and its number.");
        return Ok(code);
    }
    let asked = out;
    let out = encrypted::write(&asked, &zip, to.as_ref())?;
    if let Some(to) = to {
        println!(
            "{} encrypted to {} {}. Its reader runs: age --decrypt --identity KEYFILE --output bundle.zip {}",
            out.display(),
            to.count(),
            if to.count() == 1 { "key" } else { "keys" },
            out.display()
        );
        println!(
            "and then: ntk-verify bundle.zip --trust TRUSTFILE (here {}). The bundle inside has {} bytes.",
            home.trust().display(),
            zip.len()
        );
        return Ok(0);
    }
    println!(
        "{} ({} bytes). Check it with: ntk-verify {} --trust {}",
        asked.display(),
        zip.len(),
        asked.display(),
        home.trust().display()
    );
    Ok(0)
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        dir: Option<&str>,
        config: Option<&str>,
        environment: Option<&str>,
        expected: Result<&str, &str>,
    ) {
        let found = home_of(dir.map(Path::new), config.map(Path::new), environment.map(OsStr::new));
        match (found, expected) {
            (Ok(home), Ok(folder)) => assert_eq!(home.dir(), Path::new(folder)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{dir:?} {config:?} {environment:?}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn the_folder_is_the_one_that_the_command_line_names_before_the_one_of_the_environment() {
        check(None, None, None, Ok(crate::system::DEFAULT_DIR));
        check(Some("/a"), None, Some("/a"), Ok("/a"));
        check(None, Some("/b/collector.toml"), None, Ok("/b"));
        check(None, Some("collector.toml"), None, Ok("."));
        // The program's own reading of the environment stands where `--dir` would.
        check(Some("/a"), Some("/b/collector.toml"), Some("/a"), Ok("/b"));
        check(Some("/b"), Some("/b/collector.toml"), None, Ok("/b"));
        check(Some("/a"), Some("/b/collector.toml"), None, Err("give one of the two"));
        check(Some("/a"), Some("/b/collector.toml"), Some("/c"), Err("give one of the two"));
        check(None, Some("/b/other.toml"), None, Err("collector.toml"));
    }
}
