//! Prints the kernel's audit as comparable text: status on the first line, then one line a rule. `deploy/quickstart`
//! compares before and after with it; exit 69 where it cannot be read. With `try own` or `try exclude` it is the hand of an
//! attack, for machines of our own; exit 1 where the kernel refused.

use std::process::ExitCode;

use ntk_tests::audit_state;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => print(),
        ["try", "own"] => told(audit_state::try_to_own()),
        ["try", "exclude"] => told(audit_state::try_to_exclude()),
        _ => {
            eprintln!("usage: ntk-audit-state [try own|exclude]");
            ExitCode::from(64)
        }
    }
}

fn told(tried: anyhow::Result<()>) -> ExitCode {
    match tried {
        Ok(()) => {
            println!("the kernel did it");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error:#}");
            ExitCode::from(1)
        }
    }
}

fn print() -> ExitCode {
    match audit_state::read() {
        Ok(state) => {
            println!("{state}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the kernel's audit cannot be read: {error:#}");
            ExitCode::from(69)
        }
    }
}
