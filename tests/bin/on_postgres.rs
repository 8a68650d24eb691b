//! `ntk-on-postgres COMMAND…`: runs tests on the second form of the store. Starts a database server of the distribution,
//! says in `$NTK_STORE_PORT` where it is, and ends as the command ends; 3 where no server is installed.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use ntk_tests::postgres::Postgres;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("ntk-on-postgres COMMAND…")?;
    let Some(server) = Postgres::start()? else {
        println!("skipped: no PostgreSQL server is installed");
        return Ok(ExitCode::from(3));
    };
    // Each test has a database of its own and up to three collectors.
    let status =
        Command::new(program).args(arguments).env("NTK_STORE_PORT", server.port().to_string()).status()?;
    drop(server);
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
