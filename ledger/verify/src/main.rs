//! `ntk-verify`: checks an evidence bundle without collector or network; its subcommands are in `command`.

mod command;

use std::process::ExitCode;

use clap::Parser;
use command::check::CheckArgs;
use command::{Command, USAGE};

/// Check an evidence bundle of Need-to-Know: named checks, one sentence each.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit code: 0 verified (only with --trust), 1 altered, 2 incomplete, 3 not verifiable, 64 usage or I/O.

Examples:
  ntk-verify bundle.zip --trust trust.txt     check a bundle against a trust file that came another way
  ntk-verify bundle/ --json                   check an unpacked bundle, for a machine
  ntk-verify witness --state usb.state --trust trust.txt          make a witness, print its key
  ntk-verify witness --state usb.state round.txt                  cosign a checkpoint"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    check: CheckArgs,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match cli.command {
        Some(command) => command.run(),
        None => command::check::run(&cli.check),
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("ntk-verify: {error:#}");
        USAGE
    }))
}
