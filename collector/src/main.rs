//! `ntk-collector`: configuration, logs, one command, one exit code.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use ntk_collector::cli::{Cli, execute, exit, exit_code};
use ntk_collector::config::Config;
use ntk_collector::journal::Journal;
use ntk_collector::run::LevelHandle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, reload};

fn main() -> ExitCode {
    end_quietly_where_nobody_reads();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    // One provider, named here; the other one is banned from the graph.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let level = logs(&cli);
    match execute(cli, Some(level)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mut chain: Vec<String> = Vec::new();
            for cause in error.chain().map(ToString::to_string) {
                if !chain.iter().any(|said| said.contains(&cause)) {
                    chain.push(cause);
                }
            }
            eprintln!("ntk-collector: {}", chain.join(": "));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// `print!` panics where its reader has gone (`| head`): that is an end, and no fault to be told.
fn end_quietly_where_nobody_reads() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        // As Unix and as Windows (ERROR_NO_DATA) say it.
        let is_unread = said.contains("Broken pipe") || said.contains("os error 232");
        if said.starts_with("failed printing to stdout") && is_unread {
            // As a shell counts a program that SIGPIPE ended.
            std::process::exit(141);
        }
        tell(panic);
    }));
}

/// Logs go to standard error, those of a Windows service to a file: human, JSON or journald lines; only warnings for everything but `run`.
fn logs(cli: &Cli) -> LevelHandle {
    let runs = cli.command.runs();
    let config = cli.config.clone().or_else(|| cli.dir.as_ref().map(|dir| dir.join("collector.toml")));
    let config = config.filter(|_| runs).and_then(|path| Config::read(&path).ok());
    let filter =
        std::env::var("NTK_LOG").ok().or_else(|| config.as_ref().map(|config| config.raw.log_level.clone()));
    let filter = filter.and_then(|text| text.parse::<EnvFilter>().ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(if runs { "info" } else { "error" }));
    let (filter, handle) = reload::Layer::new(filter);
    let (to, is_for_people) = log_output(cli);
    let output = match config.as_ref().map(|config| config.raw.log.as_str()) {
        Some("json") => fmt::layer().json().with_writer(to).boxed(),
        Some("journald") => fmt::layer().event_format(Journal::default()).with_writer(to).boxed(),
        _ => fmt::layer().with_writer(to).with_ansi(is_for_people).with_target(false).boxed(),
    };
    // PR-1: whatever level somebody sets.
    let output =
        output.with_filter(filter_fn(|event| !ntk_collector::mail::lookup::tells_names(event.target())));
    tracing_subscriber::registry().with(filter).with(output).init();
    handle
}

/// Where log lines go, and whether a person at a terminal reads them.
fn log_output(cli: &Cli) -> (BoxMakeWriter, bool) {
    #[cfg(windows)]
    if cli.command.is_service()
        && let Some(Ok(file)) = cli.dir.as_deref().map(ntk_collector::windows::service::log_file)
    {
        return (BoxMakeWriter::new(std::sync::Mutex::new(file)), false);
    }
    let _ = cli;
    (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal())
}
