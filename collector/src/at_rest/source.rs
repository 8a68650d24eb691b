//! Where the key comes from: a passphrase that a person types, a systemd credential, a file on removable media.

use std::fmt;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use console::Term;
use ntk_evidence::hash::{hex, unhex};
use zeroize::Zeroizing;

use super::AtRestError;
use crate::home::{Home, HomeError, random, read_text, write_file};
use crate::reviewer::LETTERS_MIN;

/// The file with the passphrase, where nobody sits at a terminal.
pub const PASSPHRASE_FILE: &str = "NTK_AT_REST_PASSPHRASE_FILE";
/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Name of the credential.
pub const CREDENTIAL: &str = "ntk-at-rest";
/// The longest passphrase, bytes.
const BYTES_MAX: usize = 1024;

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person types it at each start.
    Passphrase,
    /// systemd hands it over (`LoadCredentialEncrypted=ntk-at-rest`).
    Credential,
    /// A file on removable media.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "passphrase" => Ok(Self::Passphrase),
            "credential" => Ok(Self::Credential),
            _ => match text.strip_prefix("file:").filter(|path| !path.is_empty()) {
                Some(path) => {
                    std::path::absolute(path).map(Self::File).map_err(|error| format!("`{path}`: {error}"))
                }
                None => {
                    Err("write passphrase, credential, or file:PATH such as file:/media/usb/ntk.key".into())
                }
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase => f.write_str("passphrase"),
            Self::Credential => f.write_str("credential"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Source {
    /// Without the path: what acts and reviews say.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::Credential => "credential",
            Self::File(_) => "file",
        }
    }
}

/// What the key is derived from. Never printed, overwritten when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(withheld)")
    }
}

impl Secret {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The secret that a folder was encrypted with. A passphrase comes out of `passphrase_file`, else the file that the
/// variable [`PASSPHRASE_FILE`] names, else the terminal, else the first line of standard input.
pub fn obtain(source: &Source, home: &Home, passphrase_file: Option<&Path>) -> Result<Secret, AtRestError> {
    match source {
        Source::Passphrase => {
            passphrase(named_file(passphrase_file).as_deref(), "Passphrase of the collector's data")
        }
        Source::Credential => credential(),
        Source::File(path) => key_file(path, home),
    }
}

/// The secret to encrypt with from now on: a passphrase is typed twice, a key file is made where there is none.
pub fn make(source: &Source, home: &Home, passphrase_file: Option<&Path>) -> Result<Secret, AtRestError> {
    make_new(source, home, named_file(passphrase_file).as_deref())
}

/// [`make`], where the variable names the file with the passphrase until now.
pub fn make_new(source: &Source, home: &Home, passphrase_file: Option<&Path>) -> Result<Secret, AtRestError> {
    match source {
        Source::Passphrase => {
            let prompt = "New passphrase for the collector's data";
            let new = passphrase(passphrase_file, prompt)?;
            let is_long =
                std::str::from_utf8(new.bytes()).is_ok_and(|text| text.trim().chars().count() >= LETTERS_MIN);
            if !is_long || new.bytes().len() > BYTES_MAX {
                return Err(AtRestError::Weak);
            }
            if is_typed(passphrase_file) && passphrase(None, "The same again")?.bytes() != new.bytes() {
                return Err(AtRestError::Twice);
            }
            Ok(new)
        }
        Source::Credential => credential(),
        Source::File(path) => {
            refuse_inside(path, home)?;
            if !path.exists() {
                write_file(path, format!("{}\n", hex(&random()?)).as_bytes(), 0o600)?;
            }
            key_file(path, home)
        }
    }
}

fn named_file(given: Option<&Path>) -> Option<PathBuf> {
    given.map(Path::to_owned).or_else(|| std::env::var_os(PASSPHRASE_FILE).map(PathBuf::from))
}

fn is_typed(given: Option<&Path>) -> bool {
    given.is_none() && console::user_attended_stderr() && std::io::stdin().is_terminal()
}

fn passphrase(given: Option<&Path>, prompt: &str) -> Result<Secret, AtRestError> {
    let text = if let Some(path) = given {
        refuse_loose(path)?;
        Zeroizing::new(read_text(path)?)
    } else if is_typed(given) {
        let term = Term::stderr();
        let typed = term.write_str(&format!("{prompt}: ")).and_then(|()| term.read_secure_line());
        Zeroizing::new(typed.map_err(AtRestError::Terminal)?)
    } else {
        // Whoever waits here should know for what.
        eprintln!("{prompt}: the first line of standard input");
        let mut line = Zeroizing::new(String::new());
        std::io::stdin().lock().read_line(&mut line).map_err(AtRestError::Terminal)?;
        line
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(AtRestError::NoPassphrase);
    }
    Ok(Secret::new(text.as_bytes().to_vec()))
}

fn credential() -> Result<Secret, AtRestError> {
    let folder = std::env::var_os(CREDENTIALS).ok_or(AtRestError::NoCredential)?;
    let path = PathBuf::from(folder).join(CREDENTIAL);
    if !path.exists() {
        return Err(AtRestError::NoCredential);
    }
    // systemd keeps it in memory and for this service only; its modes are systemd's.
    of_text(&path)
}

fn key_file(path: &Path, home: &Home) -> Result<Secret, AtRestError> {
    if !path.exists() {
        return Err(AtRestError::NoFile(path.to_owned()));
    }
    refuse_inside(path, home)?;
    refuse_loose(path)?;
    of_text(path)
}

fn of_text(path: &Path) -> Result<Secret, AtRestError> {
    let text = Zeroizing::new(read_text(path)?);
    let key = unhex(text.trim()).filter(|key| key.len() == 32);
    key.map(Secret::new).ok_or_else(|| HomeError::NotAKey { path: path.to_owned() }.into())
}

fn refuse_loose(path: &Path) -> Result<(), AtRestError> {
    match crate::system::is_loose_at(path) {
        Ok(false) => Ok(()),
        Ok(true) => Err(AtRestError::Loose(path.to_owned())),
        Err(source) => Err(HomeError::Read { path: path.to_owned(), source }.into()),
    }
}

/// A key beside what it opens goes wherever a copy of the folder goes.
fn refuse_inside(path: &Path, home: &Home) -> Result<(), AtRestError> {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let real = path.canonicalize().ok().or(folder);
    let own = home.dir().canonicalize().ok().or_else(|| std::path::absolute(home.dir()).ok());
    match (real, own) {
        (Some(real), Some(own)) if real.starts_with(&own) => Err(AtRestError::Inside(path.to_owned())),
        _ if path.starts_with(home.dir()) => Err(AtRestError::Inside(path.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for text in ["passphrase", "credential", "file:/media/usb/ntk.key"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for wrong in ["", "file:", "disk", "Passphrase"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_refused_where_it_is_loose_inside_or_no_key() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        home.create().unwrap();
        let path = scratch.path().join("ntk.key");
        let source = Source::File(path.clone());
        assert!(matches!(obtain(&source, &home, None), Err(AtRestError::NoFile(_))));
        let made = make(&source, &home, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(make(&source, &home, None).unwrap().bytes(), made.bytes(), "the one that is there");
        assert_eq!(obtain(&source, &home, None).unwrap().bytes(), made.bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(obtain(&source, &home, None), Err(AtRestError::Loose(_))));
        let inside = Source::File(home.path("ntk.key"));
        assert!(matches!(make(&inside, &home, None), Err(AtRestError::Inside(_))));
        std::os::unix::fs::symlink(home.dir(), scratch.path().join("link")).unwrap();
        let by_link = Source::File(scratch.path().join("link").join("ntk.key"));
        assert!(matches!(make(&by_link, &home, None), Err(AtRestError::Inside(_))));
        let no_key = scratch.path().join("no.key");
        write_file(&no_key, b"12 34", 0o600).unwrap();
        assert!(matches!(obtain(&Source::File(no_key), &home, None), Err(AtRestError::Home(_))));
    }

    #[test]
    fn a_passphrase_comes_from_a_file_that_others_cannot_read() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        let path = scratch.path().join("passphrase");
        write_file(&path, b"correct horse battery\n", 0o600).unwrap();
        let read = obtain(&Source::Passphrase, &home, Some(&path)).unwrap();
        assert_eq!(read.bytes(), b"correct horse battery");
        make(&Source::Passphrase, &home, Some(&path)).unwrap();
        write_file(&path, b"short\n", 0o600).unwrap();
        assert!(matches!(make(&Source::Passphrase, &home, Some(&path)), Err(AtRestError::Weak)));
        write_file(&path, b"\n", 0o600).unwrap();
        assert!(matches!(obtain(&Source::Passphrase, &home, Some(&path)), Err(AtRestError::NoPassphrase)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(obtain(&Source::Passphrase, &home, Some(&path)), Err(AtRestError::Loose(_))));
    }
}
