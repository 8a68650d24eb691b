//! How each practice of a folder stands, and who has which slug and port: kept in memory by the collector that runs over the
//! folder, and written to `practices.json` at each change, for `ntk-collector practices`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::clock::Clock;
use crate::home::write_file;

/// What a practice does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being opened.
    Starting,
    /// Agents and commands are answered.
    Running,
    /// It ended or could not begin, and is tried again.
    Waiting,
    /// It was ended in order.
    Stopped,
}

impl State {
    /// As people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a practice last did not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub time: String,
    /// A sentence.
    pub why: String,
}

/// How one practice stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its slug; none where its trust file could not be read yet.
    pub slug: Option<String>,
    /// Its full name.
    pub name: Option<String>,
    /// What it does now.
    pub state: State,
    /// Why it last did not run, since the collector's start.
    pub fault: Option<Fault>,
}

/// Address by key of the configuration.
type Listens = Vec<(&'static str, String)>;

/// The board.
#[derive(Debug)]
pub struct Board {
    file: PathBuf,
    clock: Clock,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By name of the folder.
    standings: BTreeMap<String, Standing>,
    /// By slug: the folder that has it, and where it listens.
    claims: BTreeMap<String, (String, Listens)>,
}

/// A slug and its ports are this practice's until it is dropped.
#[derive(Debug)]
pub struct Claim {
    slug: String,
    board: Arc<Board>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.board.held().claims.remove(&self.slug);
    }
}

/// The file with the board of a folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("practices.json")
}

/// What the collector over this folder wrote last, by name of the practice's folder; nothing where none ever ran.
///
/// # Errors
/// When the file cannot be read or is not the board.
pub fn read(folder: &Path) -> io::Result<BTreeMap<String, Standing>> {
    match std::fs::read(file(folder)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

impl Board {
    /// An empty one.
    pub fn new(folder: &Path) -> Self {
        Self { file: file(folder), clock: Clock::system(), held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what a practice does now; a fault stays until the next one.
    pub fn set(&self, folder: &str, state: State, fault: Option<&str>) {
        let time = self.clock.now().to_rfc3339(0);
        {
            let mut held = self.held();
            let standing = held.standings.entry(folder.to_owned()).or_insert(Standing {
                slug: None,
                name: None,
                state,
                fault: None,
            });
            standing.state = state;
            if let Some(why) = fault {
                standing.fault = Some(Fault { time, why: why.to_owned() });
            }
        }
        self.write();
    }

    /// Its practice was taken away.
    pub fn remove(&self, folder: &str) {
        self.held().standings.remove(folder);
        self.write();
    }

    /// The slug of the practice in a folder.
    pub fn slug_of(&self, folder: &str) -> Option<String> {
        self.held().standings.get(folder)?.slug.clone()
    }

    /// Takes a slug and its ports for the practice in a folder.
    ///
    /// # Errors
    /// A sentence, when another practice here has the slug or a port.
    pub fn claim(
        self: &Arc<Self>,
        folder: &str,
        slug: &str,
        name: &str,
        listens: Listens,
    ) -> Result<Claim, String> {
        let mut held = self.held();
        if let Some((other, _)) = held.claims.get(slug) {
            return Err(format!(
                "the folder `{other}` beside it holds a practice of the same name, `{slug}`: two logs of one name cannot be told apart; take one of them away"
            ));
        }
        // Not before: what is said about a copy is not said in the name of the practice that runs.
        if let Some(standing) = held.standings.get_mut(folder) {
            standing.slug = Some(slug.to_owned());
            standing.name = Some(name.to_owned());
        }
        for (other, (_, theirs)) in &held.claims {
            for (key, at) in &listens {
                if let Some((_, taken)) = theirs.iter().find(|(_, taken)| is_same_port(at, taken)) {
                    return Err(format!(
                        "`{key}` is `{at}`, and the practice `{other}` listens on `{taken}`: give each practice ports of its own in its collector.toml"
                    ));
                }
            }
        }
        held.claims.insert(slug.to_owned(), (folder.to_owned(), listens));
        Ok(Claim { slug: slug.to_owned(), board: Arc::clone(self) })
    }

    /// Writes the board down; where that fails, the practices go on.
    pub fn write(&self) {
        let held = self.held();
        let text = serde_json::to_vec_pretty(&held.standings).unwrap_or_default();
        // Under the lock: an older board never lands on a newer one.
        if let Err(failure) = write_file(&self.file, &text, 0o600) {
            warn!(reason = %crate::error_chain(&failure), "how the practices stand could not be written down");
        }
    }
}

/// Whether two addresses cannot both be listened on.
fn is_same_port(one: &str, other: &str) -> bool {
    let (Some((host, port)), Some((others, theirs))) = (one.rsplit_once(':'), other.rsplit_once(':')) else {
        return one == other;
    };
    let is_any = |host: &str| ["0.0.0.0", "[::]"].contains(&host);
    port == theirs && port != "0" && (host == others || is_any(host) || is_any(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> (tempfile::TempDir, Arc<Board>) {
        let folder = tempfile::tempdir().unwrap();
        let board = Arc::new(Board::new(folder.path()));
        (folder, board)
    }

    #[test]
    fn a_port_or_a_slug_is_one_practices_until_it_ends_and_the_other_is_told_whose_it_is() {
        let (_folder, board) = board();
        let at = |port: &str| vec![("listen", format!("0.0.0.0:{port}"))];
        let maple = board.claim("a", "maple", "Maple", at("7443")).unwrap();
        let said = board.claim("b", "oak", "Oak", vec![("console.listen", "127.0.0.1:7443".into())]);
        assert!(said.unwrap_err().contains("the practice `maple` listens on `0.0.0.0:7443`"));
        let said = board.claim("c", "maple", "Maple", at("7444"));
        assert!(said.unwrap_err().contains("the folder `a` beside it"));
        let _oak = board.claim("b", "oak", "Oak", at("7445")).unwrap();
        drop(maple);
        board.claim("c", "maple", "Maple", at("7443")).unwrap();
    }

    #[test]
    fn addresses_of_two_cards_and_free_ports_do_not_meet() {
        assert!(is_same_port("10.0.0.1:7443", "10.0.0.1:7443"));
        assert!(is_same_port("10.0.0.1:7443", "[::]:7443"));
        assert!(!is_same_port("10.0.0.1:7443", "10.0.0.2:7443"));
        assert!(!is_same_port("127.0.0.1:0", "127.0.0.1:0"));
    }

    #[test]
    fn the_board_is_read_as_it_was_written_and_a_fault_stays_when_the_practice_runs_again() {
        let (folder, board) = board();
        board.set("a", State::Waiting, Some("no disk"));
        let _claim = board.claim("a", "maple", "Maple", Vec::new()).unwrap();
        board.set("a", State::Running, None);
        let read = read(folder.path()).unwrap();
        let standing = &read["a"];
        assert_eq!((standing.state, standing.slug.as_deref()), (State::Running, Some("maple")));
        assert_eq!(standing.fault.as_ref().unwrap().why, "no disk");
        board.remove("a");
        assert!(super::read(folder.path()).unwrap().is_empty());
    }
}
