//! How the collector's secrets are kept: each file with its mode and owner, and the folder.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::home::Home;

/// The folder and every file in it, each with what was found, or with what is wrong and what mends it.
pub fn kept(home: &Home) -> Vec<Result<String, String>> {
    let folder = home.path("private");
    // Whoever owns the whole folder runs the collector: no other account may own a secret in it.
    let owner = fs::metadata(home.dir()).map_or(0, |dir| dir.uid());
    let kept_so = |path: &Path, wanted| kept_so(path, wanted, owner);
    let mut found = vec![kept_so(&folder, 0o700)];
    let mut files: Vec<_> = match fs::read_dir(&folder) {
        Ok(files) => files.filter_map(|file| file.ok().map(|file| file.path())).collect(),
        Err(error) => {
            found.push(Err(format!("`{}` cannot be listed: {error}", folder.display())));
            Vec::new()
        }
    };
    files.sort();
    // Certificates are for everybody to see; the folder keeps them from other accounts all the same.
    found.extend(files.iter().map(|path| match path.extension().and_then(|extension| extension.to_str()) {
        Some("pem") => kept_so(path, 0o644),
        _ => kept_so(path, 0o600),
    }));
    found
}

fn kept_so(path: &Path, wanted: u32, own: u32) -> Result<String, String> {
    let name = path.display();
    let metadata =
        fs::symlink_metadata(path).map_err(|error| format!("`{name}` cannot be looked at: {error}"))?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let said = format!("`{name}` mode {mode:04o}, owner uid {owner}");
    if metadata.is_symlink() {
        return Err(format!(
            "{said}: it is a link, and whoever can change it chooses the key; put the file itself there"
        ));
    }
    if mode & !wanted != 0 {
        return Err(format!("{said}: other accounts could use it; run: chmod {wanted:04o} {name}"));
    }
    if owner != own {
        return Err(format!(
            "{said}, where the collector's folder is of uid {own}: that account could use it; run as root: chown {own} {name}"
        ));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_secret_is_named_with_its_mode_and_a_loose_one_with_what_mends_it() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        home.create().unwrap();
        home.write_key("log.key", &[7; 32]).unwrap();
        assert!(kept(&home).iter().all(Result::is_ok), "{:?}", kept(&home));
        assert_eq!(kept(&home).len(), 2, "the folder and the key");
        let loosen = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        loosen(&home.private("log.key"), 0o640);
        loosen(&home.path("private"), 0o755);
        let wrong: Vec<String> = kept(&home).into_iter().filter_map(Result::err).collect();
        assert!(wrong[0].contains("mode 0755") && wrong[0].contains("chmod 0700"), "{wrong:?}");
        assert!(wrong[1].contains("mode 0640") && wrong[1].contains("chmod 0600"), "{wrong:?}");
    }
}
