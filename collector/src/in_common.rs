//! What the collectors of one practice have in common besides the ledger: passphrase hashes, accounts with their second
//! factors, tokens of help desks, and reviews as they were made. None of it is an entry, and all of it must be there when
//! the collector that leads is gone.
//!
//! Each is a row of the database that holds the ledger, and each collector keeps a copy in its own folder, where it is
//! read. A change is made on top of the row, in the version that was read: of two that meet, one is made again. It is in
//! the row before anybody is told that it was made. Collectors look at a start, and then once a second
//! (a thread of its own).
//!
//! # Who may lie
//! Rows are sealed with a key that is made of the collector's key, also where nothing is encrypted at rest, for one
//! practice, name and version. Whoever writes to the database can neither read a hash nor put in one of their own. They can
//! put back an older row or remove one: each collector remembers the newest version that it saw, keeps the copy that it has
//! and says so, and nobody changes anything on top of such a row: the copies that collectors have may differ by then, and
//! the older one must not become the newest. They can keep a newer row from a collector that never saw it; which passphrase
//! is the last one that was set, the ledger says ([`crate::reviewer`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::at_rest::keys::RowSeal;
use crate::config::store::StoreAt;
use crate::home::{Home, HomeError, create_folder};
use crate::ledger::database::{Database, DatabaseError, StoredFile};
use crate::practice::file;

/// Files of `private/` that all collectors have.
const PRIVATE: [&str; 3] = ["reviewers.json", "accounts.json", "ticket-tokens.json"];
/// Which versions of them this collector saw, below `private/`.
const SEEN: &str = "in-common.json";
/// What the key is made for.
const PURPOSE: &str = "need-to-know: what collectors have in common";
/// How often a change is made on top of another one that was faster.
const ATTEMPTS: u32 = 20;
/// How long until the same is said again.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// What is wrong with a row that does not open.
const CHANGED: &str = "it does not open with this practice's key for this name and version: somebody changed it. This collector goes on with the copy that it has";
/// What is wrong with one that is older than what was seen, or gone.
const WENT_BACK: &str = "an older one stands there than this collector has seen, or none: somebody put it back. This collector goes on with the copy that it has";
/// What to do about either.
const WHAT_TO_DO: &str = "nothing is changed on top of it; `migrate --to files` on the collector on which the last change was made, and then into a new database";

/// Makes of a file as it stands, if it does, what to say and what to write.
pub type Change<'a, T, E> = dyn FnMut(Option<&str>) -> Result<(T, Vec<u8>), E> + 'a;

/// What one collector has in common with the others of its practice.
#[derive(Debug)]
pub struct InCommon {
    /// Its folder, where its copies are.
    home: Home,
    at: StoreAt,
    tenant: String,
    /// Held while a copy is written.
    copying: Mutex<()>,
    said: Mutex<BTreeMap<String, Instant>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn private_row(name: &str) -> String {
    format!("private/{name}")
}

/// The file below `reports/` that a row is; nothing for a name that would lead elsewhere.
fn review_of(row: &str) -> Option<&str> {
    let name = row.strip_prefix("reports/")?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    (is_plain && !name.starts_with('.') && matches!(kind, Some("html" | "json" | "pdf"))).then_some(name)
}

fn wrong(row: &str, what: &str) -> DatabaseError {
    DatabaseError::Damaged { what: format!("row `{row}`"), wrong: format!("{what}; {WHAT_TO_DO}") }
}

impl InCommon {
    /// Of this folder; nothing is asked yet.
    pub fn new(home: Home, at: StoreAt, tenant: &str) -> Self {
        Self { home, at, tenant: tenant.to_owned(), copying: Mutex::default(), said: Mutex::default() }
    }

    /// A way to its rows of its own.
    ///
    /// # Errors
    /// As [`Database::new`].
    pub fn connect(&self) -> Result<Database, DatabaseError> {
        Database::new(&self.at, &self.home, &self.tenant)
    }

    fn seal(&self) -> Result<RowSeal, HomeError> {
        let key = zeroize::Zeroizing::new(self.home.read_key(file::COLLECTOR_KEY)?);
        Ok(RowSeal::of_key(&key, PURPOSE))
    }

    fn place(&self, row: &str, version: i64) -> String {
        format!("{}/{version}/{row}", self.tenant)
    }

    fn sealed(&self, row: &str, version: i64, content: &[u8]) -> Result<StoredFile, DatabaseError> {
        let body = self.seal()?.seal(&self.place(row, version), content).map_err(|_| DatabaseError::Seal)?;
        Ok(StoredFile { version, body })
    }

    fn opened(&self, row: &str, stored: &StoredFile) -> Result<Vec<u8>, DatabaseError> {
        let content = self.seal()?.open(&self.place(row, stored.version), &stored.body);
        content.ok_or_else(|| wrong(row, CHANGED))
    }

    fn seen(&self) -> Result<BTreeMap<String, i64>, HomeError> {
        let path = self.home.private(SEEN);
        let not_json = |error| HomeError::Read { path: path.clone(), source: std::io::Error::other(error) };
        let text = self.home.find_secret(SEEN)?;
        text.map_or_else(|| Ok(BTreeMap::new()), |text| serde_json::from_str(&text).map_err(not_json))
    }

    fn seen_of(&self, name: &str) -> Result<i64, HomeError> {
        Ok(self.seen()?.get(name).copied().unwrap_or_default())
    }

    /// Writes this collector's copy, unless it has a newer one. A crash between the two files: copied once more.
    fn copy(&self, name: &str, version: i64, content: &[u8]) -> Result<(), HomeError> {
        let _copying = locked(&self.copying);
        let mut seen = self.seen()?;
        if seen.get(name).is_some_and(|newest| *newest >= version) {
            return Ok(());
        }
        self.home.write_secret(name, content)?;
        seen.insert(name.to_owned(), version);
        self.home.write_secret(SEEN, &serde_json::to_vec(&seen).unwrap_or_default())
    }

    /// Writes a row whose outcome may be unknown: whether it stands there now.
    fn put(
        &self,
        database: &mut Database,
        row: &str,
        before: i64,
        file: &StoredFile,
    ) -> Result<bool, DatabaseError> {
        match database.put_file(row, before, file) {
            Err(DatabaseError::Lost(_)) => Ok(database.file(row)?.as_ref() == Some(file)),
            answered => answered,
        }
    }

    /// What a change of a file of `private/` is made on top of: its version and content.
    fn base(&self, database: &mut Database, name: &str) -> Result<(i64, Option<String>), DatabaseError> {
        let row = private_row(name);
        let stored = database.file(&row)?;
        let seen = self.seen_of(name)?;
        match stored {
            None if seen == 0 => Ok((0, self.home.find_secret(name)?)),
            Some(stored) if stored.version >= seen => {
                let text = String::from_utf8(self.opened(&row, &stored)?);
                Ok((stored.version, Some(text.map_err(|_| wrong(&row, CHANGED))?)))
            }
            _ => Err(wrong(&row, WENT_BACK)),
        }
    }

    /// Whether a file of `private/` could be changed now: asked before an act says that it was.
    ///
    /// # Errors
    /// When the database does not answer, or the row there is not what collectors put there.
    pub fn check(&self, name: &str) -> Result<(), HomeError> {
        let failed = |source| HomeError::Common { name: private_row(name), source: Box::new(source) };
        let mut database = self.connect().map_err(failed)?;
        self.base(&mut database, name).map(|_| ()).map_err(failed)
    }

    /// Changes a file of `private/` in the database, then here.
    ///
    /// # Errors
    /// As `change` says; when the database does not answer, or the row there is not what collectors put there.
    pub fn change<T, E: From<HomeError>>(&self, name: &str, change: &mut Change<'_, T, E>) -> Result<T, E> {
        let row = private_row(name);
        let failed = |source| HomeError::Common { name: row.clone(), source: Box::new(source) };
        // A connection for this change: changes are seldom, and it must not end where nothing may block.
        let mut database = self.connect().map_err(failed)?;
        for _ in 0..ATTEMPTS {
            let (before, text) = self.base(&mut database, name).map_err(failed)?;
            let (changed, text) = change(text.as_deref())?;
            let file = self.sealed(&row, before.saturating_add(1), &text).map_err(failed)?;
            if self.put(&mut database, &row, before, &file).map_err(failed)? {
                self.copy(name, file.version, &text)?;
                return Ok(changed);
            }
        }
        let busy = "it is changed by others again and again, or the ledger has left this database; look, and try again";
        let source = DatabaseError::Damaged { what: format!("row `{row}`"), wrong: busy.into() };
        Err(failed(source).into())
    }

    /// Puts a review where every collector finds it.
    ///
    /// # Errors
    /// When the database does not answer, or another review of this name is there.
    pub fn keep_review(&self, name: &str, content: &[u8]) -> Result<(), HomeError> {
        let failed = |source| HomeError::Common { name: format!("reports/{name}"), source: Box::new(source) };
        let mut database = self.connect().map_err(failed)?;
        self.put_review(&mut database, name, content).map_err(failed)
    }

    fn put_review(&self, database: &mut Database, name: &str, content: &[u8]) -> Result<(), DatabaseError> {
        let row = format!("reports/{name}");
        let file = self.sealed(&row, 1, content)?;
        if self.put(database, &row, 0, &file)? {
            return Ok(());
        }
        match database.file(&row)? {
            Some(there) if self.opened(&row, &there)? == content => Ok(()),
            _ => Err(wrong(
                &row,
                "another review of this name stands there, or the ledger has left this database",
            )),
        }
    }

    /// Brings this collector's copies up to the database. Whoever leads also puts there what never was: of a database of an
    /// earlier version. What is wrong with a row is said, and the copy here stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn look(&self, database: &mut Database, leads: bool) -> Result<(), DatabaseError> {
        let listed: BTreeMap<String, i64> = database.files()?.into_iter().collect();
        for name in PRIVATE {
            let looked = self.look_at_private(database, name, &listed, leads);
            self.unless_lost(name, looked)?;
        }
        let here = self.reviews_here();
        for name in listed.keys().filter_map(|row| review_of(row)).filter(|name| !here.contains(*name)) {
            let looked = self.look_at_review(database, name);
            self.unless_lost(name, looked)?;
        }
        for name in here.iter().filter(|name| leads && !listed.contains_key(&format!("reports/{name}"))) {
            let put = self.home.read_report(name).map_err(DatabaseError::from);
            let put = put.and_then(|content| self.put_review(database, name, &content));
            self.unless_lost(name, put)?;
        }
        Ok(())
    }

    /// What is wrong with one file must not stop the ledger: it is said, once a minute.
    fn unless_lost(&self, name: &str, looked: Result<(), DatabaseError>) -> Result<(), DatabaseError> {
        let Err(failure) = looked else { return Ok(()) };
        if matches!(failure, DatabaseError::Lost(_)) {
            return Err(failure);
        }
        self.say(name, &failure);
        Ok(())
    }

    /// Says what was not taken, once a minute.
    pub(crate) fn say(&self, name: &str, failure: &DatabaseError) {
        let mut said = locked(&self.said);
        if said.get(name).is_none_or(|at| at.elapsed() > SAY_EVERY) {
            said.insert(name.to_owned(), Instant::now());
            warn!(file = name, reason = %crate::error_chain(failure), "what the collectors have in common was not taken from the database");
        }
    }

    fn look_at_private(
        &self,
        database: &mut Database,
        name: &str,
        listed: &BTreeMap<String, i64>,
        leads: bool,
    ) -> Result<(), DatabaseError> {
        let row = private_row(name);
        let seen = self.seen_of(name)?;
        let there = listed.get(&row).copied().unwrap_or_default();
        if there < seen {
            return Err(wrong(&row, WENT_BACK));
        }
        if there == 0 {
            return if leads { self.put_private(database, name, 0, 1) } else { Ok(()) };
        }
        // Read also where it is no newer: a changed one is said before somebody needs it.
        let Some(stored) = database.file(&row)? else { return Ok(()) };
        let content = self.opened(&row, &stored)?;
        if stored.version > seen {
            self.copy(name, stored.version, &content)?;
            info!(file = name, version = stored.version, "taken from what the collectors have in common");
        }
        Ok(())
    }

    /// Puts a file of this folder there, in the place of the version `before`.
    fn put_private(
        &self,
        database: &mut Database,
        name: &str,
        before: i64,
        version: i64,
    ) -> Result<(), DatabaseError> {
        let Some(content) = self.home.find_secret(name)? else { return Ok(()) };
        let row = private_row(name);
        let file = self.sealed(&row, version, content.as_bytes())?;
        if self.put(database, &row, before, &file)? {
            self.copy(name, version, content.as_bytes())?;
        }
        Ok(())
    }

    /// The files of this folder into a database to which its ledger moves. `now` in seconds: newer than whatever any
    /// collector of the practice saw in a database before.
    ///
    /// # Errors
    /// When the database does not answer, or holds another review of a name.
    pub fn bring(&self, database: &mut Database, now: i64) -> Result<(), DatabaseError> {
        let listed: BTreeMap<String, i64> = database.files()?.into_iter().collect();
        for name in PRIVATE {
            let there = listed.get(&private_row(name)).copied().unwrap_or_default();
            let newest = there.max(self.seen_of(name)?).saturating_add(1).max(now);
            self.put_private(database, name, there, newest)?;
        }
        for name in self.reviews_here() {
            self.put_review(database, &name, &self.home.read_report(&name)?)?;
        }
        Ok(())
    }

    fn look_at_review(&self, database: &mut Database, name: &str) -> Result<(), DatabaseError> {
        let row = format!("reports/{name}");
        let Some(stored) = database.file(&row)? else { return Ok(()) };
        let content = self.opened(&row, &stored)?;
        create_folder(&self.home.path("reports"), 0o700)?;
        // The folder that this has is one without the database: nothing is put there again.
        Ok(self.home.write_report(name, &content)?)
    }

    fn reviews_here(&self) -> BTreeSet<String> {
        let Ok(here) = std::fs::read_dir(self.home.path("reports")) else { return BTreeSet::new() };
        let names = here.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| review_of(&format!("reports/{name}")).is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &Path, key: u8) -> InCommon {
        let home = Home::new(folder);
        home.create().unwrap();
        home.write_key(file::COLLECTOR_KEY, &[key; 32]).unwrap();
        let (postgres, lease) = ("host=/run/postgresql user=ntk".parse().unwrap(), Duration::from_secs(2));
        let at = StoreAt { postgres, authority: None, password_file: None, lease };
        InCommon::new(home, at, "maple.0badcafe")
    }

    #[test]
    fn a_row_opens_under_its_practice_name_and_version_unchanged_and_with_its_key_only() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, stranger) = (of(one.path(), 1), of(other.path(), 2));
        let stored = here.sealed("private/reviewers.json", 3, b"hashes").unwrap();
        assert_eq!(here.opened("private/reviewers.json", &stored).unwrap(), b"hashes");
        let refused = |row: &str, stored: &StoredFile| {
            let said = here.opened(row, stored).unwrap_err().to_string();
            assert!(said.contains("somebody changed it") && said.contains("migrate --to files"), "{said}");
        };
        refused("private/accounts.json", &stored);
        refused("private/reviewers.json", &StoredFile { version: 4, ..stored.clone() });
        for at in 0..stored.body.len() {
            let mut body = stored.body.clone();
            body[at] ^= 1;
            refused("private/reviewers.json", &StoredFile { body, ..stored.clone() });
            let body = stored.body[..at].to_vec();
            refused("private/reviewers.json", &StoredFile { body, ..stored.clone() });
        }
        assert!(stranger.opened("private/reviewers.json", &stored).is_err());
    }

    #[test]
    fn the_newest_copy_stays_and_no_row_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let here = of(folder.path(), 1);
        here.copy("reviewers.json", 5, b"new").unwrap();
        here.copy("reviewers.json", 4, b"old").unwrap();
        assert_eq!(here.home.read_secret("reviewers.json").unwrap(), "new");
        assert_eq!((here.seen_of("reviewers.json").unwrap(), here.seen_of("accounts.json").unwrap()), (5, 0));
        assert_eq!(review_of("reports/2026-W47-leaf-12.html"), Some("2026-W47-leaf-12.html"));
        for row in [
            "reports/../private/log.json",
            "reports/.json",
            "private/log.key",
            "reports/a/b.pdf",
            "reports/x.sh",
        ] {
            assert_eq!(review_of(row), None, "{row}");
        }
        // A file that says what was seen and cannot be read is no reason to take an older row.
        here.home.write_secret(SEEN, b"{").unwrap();
        assert!(here.seen_of("reviewers.json").is_err());
    }
}
