//! The author of a source's records: a log of its own, with a key of its own that is made at the first import.
//!
//! The key lies in `private/`. Whoever holds the collector's folder can write in this author's name, as in the collector's own:
//! what guards against that is what guards the collector's acts (checkpoints that others remember). Where the key is gone, or is
//! another one than was enrolled, the next author of the source is enrolled in its place (`import/m365.2`); nothing is rewritten.

use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};

use super::Source;
use super::task::ImportError;
use crate::app::App;
use crate::delegation;
use crate::home::{HomeError, random};
use crate::ledger::{Continuation, LedgerError};

/// Writes entries of one source.
pub(super) struct Writer {
    author: Author,
    signer: NoteSigner,
}

impl Writer {
    /// The author of a source, enrolled now where it was not yet. From a thread that may wait.
    pub(super) fn open(app: &App, source: Source) -> Result<Self, ImportError> {
        let registry = app.ledger.published().registry;
        let newest = registry.newest_import(source.name());
        let mut replaces = None;
        let author = match newest {
            None => Author::import(source.name()).map_err(LedgerError::from)?,
            Some((author, enrolled)) => {
                let own = signer(app, &author)?;
                if let Some(signer) = own
                    && signer.verifier().to_string() == enrolled.enrolment.key
                    && enrolled.revoked.is_none()
                {
                    return Ok(Self { author, signer });
                }
                replaces = Some(enrolled.enrolment.key.clone());
                author.successor().ok_or(ImportError::NoAuthor)?
            }
        };
        // A verifier asks the practice key's permission of every author, and so it is asked here, before anything is written.
        if let Some(why) = delegation::ended(&app.trust.now().0, app.ledger.clock().now()) {
            return Err(ImportError::NotPermitted(why));
        }
        // A key that is there was made by a first import that did not get as far as its enrolment.
        let signer = match signer(app, &author)? {
            Some(signer) => signer,
            None => {
                let seed = zeroize::Zeroizing::new(random()?);
                app.practice.home.write_key(&key_file(&author), &seed)?;
                NoteSigner::new(&app.ledger.slug().author_origin(&author), KeyType::Ed25519, &seed)
                    .map_err(LedgerError::from)?
            }
        };
        let enrolment = Enrolment {
            author: author.to_string(),
            key: signer.verifier().to_string(),
            epoch: 0,
            certificate: None,
            machine: None,
            notice: None,
            replaces,
            witness: None,
            begins: None,
        };
        let body = serde_json::to_value(&enrolment).map_err(ImportError::Act)?;
        let _appended =
            app.ledger.act_blocking(vec![act::event(act::kind::ENROLMENT, app.ledger.now(), body)])?;
        Ok(Self { author, signer })
    }

    /// Appends entries as one batch; returns when they are durable.
    pub(super) fn append(&self, app: &App, entries: Vec<Entry>) -> Result<(), ImportError> {
        if entries.is_empty() {
            return Ok(());
        }
        let published = app.ledger.published();
        let known = published.authors.get(&self.author).ok_or(ImportError::NoAuthor)?;
        let base = known.log.clone();
        let key = BatchKey::new(random()?);
        let (batch, next) = base.seal(entries, key, &self.signer).map_err(LedgerError::from)?;
        let answer = app.ledger.append_blocking(Continuation { batch, base, next })?;
        let _appended = answer.blocking_recv().map_err(|_| LedgerError::Stopped)??;
        Ok(())
    }

    /// Whose log.
    pub(super) const fn author(&self) -> &Author {
        &self.author
    }
}

fn key_file(author: &Author) -> String {
    format!("{}.key", author.file_stem())
}

/// The key that lies there; none where no file does.
fn signer(app: &App, author: &Author) -> Result<Option<NoteSigner>, ImportError> {
    let home = &app.practice.home;
    let name = key_file(author);
    if !home.private(&name).exists() {
        return Ok(None);
    }
    let seed = match home.read_key(&name) {
        Ok(seed) => zeroize::Zeroizing::new(seed),
        // As good as gone: another one takes its place, and the file stays for whoever looks into it.
        Err(HomeError::NotAKey { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let origin = app.ledger.slug().author_origin(author);
    Ok(Some(NoteSigner::new(&origin, KeyType::Ed25519, &seed).map_err(LedgerError::from)?))
}
