//! Settings that were copied off-site: read, checked, and put back into the new collector's folder.

use std::fs;

use ntk_evidence::hash::Hash;
use ntk_evidence::trust::TrustFile;

use super::source::Source;
use crate::home::{Home, HomeError, write_file};
use crate::off_site::list::{self, Newest};
use crate::off_site::settings::{AUTHORITY, CONFIGURATION, Settings, open};
use crate::recovery::{NotOpened, RecoveryKeys, which};

/// Where the old configuration is put: for a person to compare, because addresses and paths may be others now.
const BEFORE: &str = "collector.toml.before";

/// The newest settings of all sources, and a sentence for each that could not be used.
pub(super) fn found(
    sources: &[Source],
    recovery: &RecoveryKeys,
    trust: &TrustFile,
) -> (Option<Settings>, Vec<String>) {
    let (mut newest, mut refused): (Option<Settings>, Vec<String>) = (None, Vec::new());
    for source in sources {
        match of(source, recovery, trust) {
            Ok(Some(settings)) if newest.as_ref().is_none_or(|known| known.log_size < settings.log_size) => {
                newest = Some(settings);
            }
            Ok(_) => {}
            Err(wrong) => refused.push(format!(
                "The settings in `{}` were not put back: {wrong}. Set passphrases and second factors anew.",
                source.folder.display()
            )),
        }
    }
    (newest, refused)
}

fn of(source: &Source, recovery: &RecoveryKeys, trust: &TrustFile) -> Result<Option<Settings>, String> {
    let Ok(list) = fs::read(source.place.join(list::NAME)) else { return Ok(None) };
    let list = Newest::parse(&list).map_err(|error| error.to_string())?;
    let Some(object) = list.settings else { return Ok(None) };
    let sealed =
        fs::read(source.place.join(object.name())).map_err(|_| "they are missing there".to_owned())?;
    if Hash::of(&sealed).to_hex() != object.sha256 {
        return Err("they are not what the list beside them names".to_owned());
    }
    let plain = recovery.open(&sealed).map_err(|error| match error {
        NotOpened::OtherKey => format!("they are encrypted to {}", which(&object.recipient, trust)),
        error => error.to_string(),
    })?;
    let settings = open(&plain, &source.trust.slug, &source.trust.collector);
    settings.map(Some).map_err(|error| error.to_string())
}

/// Writes them into the new folder, and says of when they are.
pub(super) fn put_back(home: &Home, settings: &Settings) -> Result<String, HomeError> {
    for (name, text) in &settings.files {
        if name == CONFIGURATION {
            write_file(&home.path(BEFORE), text.as_bytes(), 0o640)?;
        } else if !AUTHORITY.contains(&name.as_str()) {
            // A collector that was made anew has an authority of its own.
            home.write_secret(name, text.as_bytes())?;
        }
    }
    Ok(format!(
        "Passphrases, second factors and passwords for mail are those of {}, when the old log had {} leaves: what was changed later is gone. Compare `{BEFORE}` with the new configuration.",
        settings.made, settings.log_size
    ))
}
