//! Tests of `ntk-verify` as a program: bundles in folders and ZIP files, hostile archives, and the witness.
#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(clippy::indexing_slicing, reason = "test code")]
#![expect(clippy::panic, reason = "test code")]

mod agree;
mod archives;
#[path = "../../../evidence/tests/it/practice.rs"]
#[expect(dead_code, reason = "the practice of the evidence tests; not all of it is needed here")]
mod practice;
mod restored;
mod witness;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program.
fn ntk_verify(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntk-verify")).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
