//! A test that cannot be run here says so in the file that `tests/run` counts.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that a test is skipped, and why; the caller returns after it.
pub fn skip(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
    let Some(path) = std::env::var_os("NTK_SKIPS") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{test}: {why}\n").as_bytes()));
    if let Err(error) = written {
        println!("could not count the skipped test: {error}");
    }
}
