//! Prints the kernel's audit as comparable text: status on the first line, then one line a rule. `deploy/quickstart`
//! compares before and after with it; exit 69 where it cannot be read.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ntk_tests::audit_state::read() {
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
