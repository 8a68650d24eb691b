//! Programs that nobody here wrote, and what each of them judged of ours: `tests/run` counts those that check proofs and
//! those that check shape and sums apart, because the second kind proves nothing about a log.

use std::fs::OpenOptions;
use std::io::Write as _;

/// What a stranger's program checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Signatures, inclusion, consistency, roots, tokens: the proofs themselves.
    Proofs,
    /// Form, fields and checksums.
    Shape,
}

/// Says that a stranger's program accepted what is right and refused each changed twin.
pub fn judged(checks: Checks, program: &str) {
    let word = match checks {
        Checks::Proofs => "proofs",
        Checks::Shape => "shape",
    };
    println!("{program} judged {word}");
    let Some(path) = std::env::var_os("NTK_STRANGERS") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{word} {program}\n").as_bytes()));
    if let Err(error) = written {
        println!("could not count the stranger's program: {error}");
    }
}
