//! `ntk-verify agree A B`: whether two bundles of one log agree, told for people or as JSON.

use std::path::{Path, PathBuf};

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::checks::agree::{Agreement, Outcome, agree};

use crate::read::{self, Limits, ReadError};

/// Exit code for a bundle that cannot be read as one.
const CONTRADICT: u8 = 1;

/// Two bundles and how the answer is wanted.
#[derive(Debug, clap::Args)]
pub struct AgreeArgs {
    /// One bundle: a ZIP file, or a folder with bagit.txt in it
    pub a: PathBuf,
    /// The other
    pub b: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Compares; what to print and the exit code.
///
/// # Errors
/// Where a file cannot be read at all.
pub fn run(args: &AgreeArgs) -> Result<(String, u8), ReadError> {
    let read = |path: &Path, name: &str| -> Result<Result<Files, String>, ReadError> {
        match read::bundle(path, Limits::default()) {
            Ok(files) => Ok(Ok(files)),
            Err(ReadError::Refused { sentence, .. }) => {
                Ok(Err(format!("{name} cannot be read: {sentence}\n")))
            }
            Err(error) => Err(error),
        }
    };
    let (a, b) = match (read(&args.a, "A")?, read(&args.b, "B")?) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(sentence), _) | (_, Err(sentence)) => return Ok((sentence, CONTRADICT)),
    };
    let found = agree(&a, &b);
    let said = if args.json { json(&found) } else { text(&found) };
    Ok((said, found.outcome.exit_code()))
}

/// The outcome for people; the verdict is the last line.
pub fn text(found: &Agreement) -> String {
    let mut out = String::new();
    for sentence in &found.contradictions {
        out.push_str(&format!("contradiction: {sentence}\n"));
    }
    for sentence in &found.differences {
        out.push_str(&format!("difference:    {sentence}\n"));
    }
    let (rows, notes, parts) = (found.rows_in_common, found.notes_in_common, found.parts_in_common);
    out.push_str(&match found.outcome {
        Outcome::Agree => format!(
            "agree: {rows} rows, {notes} notes and {parts} shown parts are in both, all the same. Verify each bundle by itself, too."
        ),
        Outcome::Contradict => "contradict: at least one of the two is not what was recorded".to_owned(),
        Outcome::NothingInCommon => "nothing in common: no row and no note is in both".to_owned(),
    });
    out.push('\n');
    out
}

/// The same for machines.
pub fn json(found: &Agreement) -> String {
    let mut value = serde_json::json!(found);
    if let Some(object) = value.as_object_mut() {
        object.insert("exit_code".to_owned(), found.outcome.exit_code().into());
    }
    format!("{value:#}\n")
}
