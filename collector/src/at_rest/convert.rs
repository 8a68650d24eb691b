//! Encrypting a folder that is in use, changing what its key comes from, and decrypting it.
//!
//! 1. The header is written: from here on both forms are read, and whoever opens the folder goes on with step 2.
//! 2. Under the ledger's lock: the cache is removed, segments are written again one by one, then the small files, each
//!    whole under its own name before the old one is gone.
//! 3. The header says that it is done; from here on plain files are refused. After decrypting it is removed.
//!
//! A crash anywhere leaves a folder that opens. What the old files held is freed and not overwritten: on SSDs,
//! copy-on-write disks and in earlier backups it may stay readable.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ntk_evidence::trust::TrustFile;
use ntk_segment::convert::Conversion;
use ntk_segment::disk::{Disk, RealDisk};

use super::header::{FILE, Header, State};
use super::keys::{Key, Keys, Room, is_sealed};
use super::source::{Secret, Source};
use super::{AtRestError, Opening, with_keys};
use crate::home::{Home, HomeError, random, sync_folder, write_file};

/// Hears how many of the ledger's files are done, of how many.
pub type Tell<'a> = &'a mut dyn FnMut(u64, u64);

/// Writes the header of a new practice, before anything else is written there; its folder with the keys.
pub fn begin_new(home: Home, source: &Source, secret: &Secret, recovery: &str) -> Result<Home, AtRestError> {
    begin_as(home, State::Encrypted, source, secret, recovery)
}

/// Step 1 for a practice in use.
pub fn begin(home: Home, source: &Source, secret: &Secret, recovery: &str) -> Result<Home, AtRestError> {
    begin_as(home, State::Encrypting, source, secret, recovery)
}

fn begin_as(
    home: Home,
    state: State,
    source: &Source,
    secret: &Secret,
    recovery: &str,
) -> Result<Home, AtRestError> {
    let data_key = Key::new(random()?);
    Header::new(state, &data_key, source, secret, recovery)?.write(&home)?;
    Ok(with_keys(home, &data_key, state))
}

/// Step 1 of decrypting; its folder, which reads both forms from here on.
pub fn begin_decrypting(home: Home, opening: &Opening) -> Result<Home, AtRestError> {
    let header = Header::read(&home)?.ok_or(AtRestError::NotEncrypted)?.at(State::Decrypting);
    let data_key = opening.data_key(&header)?;
    header.write(&home)?;
    Ok(with_keys(home, &data_key, State::Decrypting))
}

/// Wraps the data key anew; nothing else is written again.
pub fn change(
    home: &Home,
    opened_by: &Opening,
    source: &Source,
    secret: &Secret,
    recovery: &str,
) -> Result<(), AtRestError> {
    let old = Header::read(home)?.ok_or(AtRestError::NotEncrypted)?;
    let data_key = opened_by.data_key(&old)?;
    Header::new(old.state, &data_key, source, secret, recovery)?.write(home)
}

/// Encrypts the data key to the recovery key in force, where it is still encrypted to one before it; whether that was so.
/// The former one still opens an earlier `at-rest.json`, as in a backup.
pub fn for_recovery(home: &Home, trust: &TrustFile) -> Result<bool, AtRestError> {
    let Some(header) = Header::read(home)?.filter(|header| !header.is_for(trust)) else { return Ok(false) };
    let keys = home.keys().ok_or(AtRestError::NotUnlocked)?;
    header.for_recovery(&trust.recovery, keys.data_key())?.write(home)?;
    Ok(true)
}

/// Steps 2 and 3 where they are not done yet. Gives the folder as it is opened from now on.
///
/// # Errors
/// When another process has the ledger, the folder was not unlocked, or the disk fails: then it is done again later.
pub fn finish(home: Home, tell: Tell<'_>) -> Result<Home, AtRestError> {
    let Some(header) = Header::read(&home)? else { return Ok(home) };
    let Some(keys) = home.keys().cloned() else { return Err(AtRestError::NotUnlocked) };
    match header.state {
        State::Encrypted => Ok(home),
        State::Encrypting => encrypt_all(home, &keys, header, tell),
        State::Decrypting => decrypt_all(home, &keys, tell),
    }
}

/// Encrypts what is still plain, also where everything should be encrypted already (a file that was put back from an
/// old backup).
pub fn encrypt_all(
    home: Home,
    keys: &Arc<Keys>,
    header: Header,
    tell: Tell<'_>,
) -> Result<Home, AtRestError> {
    let disk = keys.encrypted_disk();
    let to: Arc<dyn Disk> = Arc::<_>::clone(disk) as Arc<dyn Disk>;
    let conversion = Conversion::begin(to, &home.ledger())?;
    remove_cache(&home)?;
    conversion.rewrite(&RealDisk, |path| disk.is_encrypted(path), tell)?;
    each_small_file(&home, |room, name, path, bytes| {
        if is_sealed(&bytes) { Ok(()) } else { replace(path, &keys.seal(room, name, &bytes)?) }
    })?;
    header.at(State::Encrypted).write(&home)?;
    let keys = Arc::new(keys.refusing_plain_files());
    Ok(home.with_keys(keys))
}

fn decrypt_all(home: Home, keys: &Arc<Keys>, tell: Tell<'_>) -> Result<Home, AtRestError> {
    let disk = keys.encrypted_disk();
    let conversion = Conversion::begin(Arc::new(RealDisk), &home.ledger())?;
    remove_cache(&home)?;
    conversion.rewrite(
        disk.as_ref(),
        |path| disk.is_encrypted(path).map(|is_encrypted| !is_encrypted),
        tell,
    )?;
    each_small_file(&home, |room, name, path, bytes| {
        if !is_sealed(&bytes) {
            return Ok(());
        }
        let content = keys.open(room, name, &bytes);
        replace(path, &content.ok_or_else(|| HomeError::DoesNotOpen { path: path.to_owned() })?)
    })?;
    let header = home.path(FILE);
    fs::remove_file(&header)
        .and_then(|()| sync_folder(&header))
        .map_err(|source| HomeError::Write { path: header, source })?;
    Ok(Home::new(home.dir()))
}

/// It may be deleted at any time, and it names people.
fn remove_cache(home: &Home) -> Result<(), AtRestError> {
    match fs::remove_dir_all(home.cache()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(HomeError::Write { path: home.cache(), source }.into());
        }
        _ => {}
    }
    Ok(home.create()?)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), AtRestError> {
    Ok(write_file(path, bytes, 0o600)?)
}

/// Secrets, kept reviews and bundles; certificates are for everybody to see. What a crash left half written goes.
fn each_small_file(
    home: &Home,
    mut change: impl FnMut(Room, &str, &Path, Vec<u8>) -> Result<(), AtRestError>,
) -> Result<(), AtRestError> {
    for room in Room::ALL {
        let folder = home.path(room.folder());
        let read_error = |source| HomeError::Read { path: folder.clone(), source };
        // A practice of an earlier version has no folder for bundles before the first is kept.
        if room == Room::Bundles && !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(read_error)? {
            let path = entry.map_err(read_error)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
                continue;
            };
            if !path.is_file() || name.ends_with(".pem") {
                continue;
            }
            if name.ends_with(".new") {
                fs::remove_file(&path).map_err(|source| HomeError::Write { path: path.clone(), source })?;
                continue;
            }
            let bytes = fs::read(&path).map_err(|source| HomeError::Read { path: path.clone(), source })?;
            change(room, &name, &path, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ntk_segment::reader::Reader;

    use super::super::{source, unlock};
    use super::*;
    use crate::clock::Clock;
    use crate::init::{InitOptions, init};
    use crate::practice::Practice;

    /// Files below a folder that conversion changes, the cache left out.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let of_room = |room: &str| {
            let entries = fs::read_dir(folder.join(room)).unwrap();
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| !path.ends_with("lock"))
                .collect::<Vec<_>>()
        };
        let mut found: Vec<PathBuf> =
            ["ledger", "private", "reports"].into_iter().flat_map(of_room).collect();
        found.sort();
        found
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    fn quietly(home: Home) -> Home {
        finish(home, &mut |_, _| {}).unwrap()
    }

    /// Everything that a start reads can be read.
    fn works(home: &Home) {
        let practice = Practice::open(home.clone()).unwrap();
        practice.ledger_keys().unwrap();
        practice.bundle_key().unwrap();
        practice.server().unwrap();
        assert_eq!(home.read_report("2026-W47.html").unwrap(), b"a review");
        let reader = Reader::open_on(home.disk(), &home.ledger()).unwrap();
        assert!(reader.frames().unwrap().all(|frame| frame.is_ok()));
    }

    /// Whatever was done when it stopped: the folder opens as it is, and the next one who opens it does the rest.
    #[test]
    fn a_folder_half_encrypted_or_half_decrypted_opens_and_is_finished() {
        let scratch = tempfile::tempdir().unwrap();
        let begun = scratch.path().join("begun");
        let home = Home::new(&begun);
        let options = InitOptions {
            name: "Maple Street".into(),
            timezone: "UTC".into(),
            template: "small-practice".into(),
            keys_to: vec![scratch.path().join("keys.txt")],
            administers: [("host".to_owned(), "us".to_owned())].into(),
            listen: "127.0.0.1:0".into(),
            console: None,
            console_address: None,
            place: None,
            at_rest: None,
        };
        init(&home, &options, &Clock::system()).unwrap();
        home.write_report("2026-W47.html", b"a review").unwrap();
        let key = Source::File(scratch.path().join("ntk.key"));
        let secret = source::make(&key, &home, None).unwrap();
        let recovery = Practice::open(home.clone()).unwrap().trust.recovery;
        let home = begin(home, &key, &secret, &recovery).unwrap();
        works(&home);
        let done = scratch.path().join("done");
        copy(&begun, &done);
        let finished = quietly(unlock(Home::new(&done)).unwrap());
        works(&finished);
        let n_files = files(&begun).len();
        assert!(n_files >= 9 && files(&done).len() == n_files, "{:?}", files(&begun));
        for (n_done, state) in (0..=n_files).flat_map(|n| [(n, State::Encrypting), (n, State::Decrypting)]) {
            let half = scratch.path().join(format!("{n_done}-{state:?}"));
            let (from, to) = if state == State::Encrypting { (&begun, &done) } else { (&done, &begun) };
            copy(from, &half);
            for file in files(to).into_iter().take(n_done) {
                fs::copy(&file, half.join(file.strip_prefix(to).unwrap())).unwrap();
            }
            // What a crash leaves of the file that was next.
            fs::write(half.join("ledger/00000000000000000000.seg.tmp"), b"half").unwrap();
            fs::write(half.join("private/log.key.new"), b"half").unwrap();
            let home = Home::new(&half);
            Header::read(&home).unwrap().unwrap().at(state).write(&home).unwrap();
            let home = unlock(home).unwrap();
            works(&home);
            let home = quietly(home);
            works(&home);
            let is_encrypted = state == State::Encrypting;
            assert_eq!(Header::read(&home).unwrap().is_some(), is_encrypted);
            works(&if is_encrypted { unlock(Home::new(&half)).unwrap() } else { Home::new(&half) });
            for file in files(&half).into_iter().filter(|file| file.extension().is_none_or(|it| it != "pem"))
            {
                let bytes = fs::read(&file).unwrap();
                let sealed = is_sealed(&bytes) || bytes.starts_with(b"NTKCHNK");
                assert_eq!(sealed, is_encrypted, "{n_done} {state:?} {}", file.display());
            }
        }
    }
}
