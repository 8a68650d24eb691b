//! What leaves the computer as a file: in the clear, or encrypted to whoever is named with `--encrypt-to`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::answer::Usage;
use crate::encrypt::{Recipients, encrypt};
use crate::home::write_file;

/// `--encrypt-to`.
#[derive(Debug, Args)]
pub struct EncryptTo {
    /// Encrypt to this age public key, so that only its holder reads it; can be given several times
    #[arg(long = "encrypt-to", value_name = "age1...")]
    pub keys: Vec<String>,
}

impl EncryptTo {
    /// The keys that may read; `None` where nothing is to be encrypted.
    pub(super) fn recipients(&self) -> Result<Option<Recipients>, Usage> {
        Recipients::parse(&self.keys).map_err(|error| Usage(format!("`--encrypt-to`: {error}")))
    }
}

/// Writes a file that its owner's group may read, or its encrypted form as `FILE.age`; where it was written.
/// With recipients nothing plain is written here, not even for a moment.
pub(super) fn write(file: &Path, bytes: &[u8], to: Option<&Recipients>) -> anyhow::Result<PathBuf> {
    let Some(to) = to else {
        write_file(file, bytes, 0o640)?;
        return Ok(file.to_owned());
    };
    let encrypted = name(file);
    write_file(&encrypted, &encrypt(bytes, to)?, 0o640)?;
    Ok(encrypted)
}

/// The name with `.age` at its end, once.
fn name(file: &Path) -> PathBuf {
    if file.extension().is_some_and(|extension| extension == "age") {
        return file.to_owned();
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".age");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_file_ends_in_age_once() {
        for (given, named) in [
            ("b.zip", "b.zip.age"),
            ("b.zip.age", "b.zip.age"),
            ("out/b", "out/b.age"),
            ("out.age/b.zip", "out.age/b.zip.age"),
        ] {
            assert_eq!(name(Path::new(given)), Path::new(named));
        }
    }
}
