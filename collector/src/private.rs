//! How the collector's secrets are kept: each file with its mode and owner, and the folder.

use std::fs;
use std::path::Path;

use crate::home::Home;
use crate::system;

/// The folder and every file in it, each with what was found, or with what is wrong and what mends it.
pub fn kept(home: &Home) -> Vec<Result<String, String>> {
    let folder = home.path("private");
    // Whoever owns the whole folder runs the collector: no other account may own a secret in it.
    let owner = system::owner_of(home.dir()).unwrap_or_default();
    let kept_so = |path: &Path, wanted| system::kept_so(path, wanted, &owner);
    let mut found = vec![kept_so(&folder, 0o700)];
    let mut files: Vec<_> = match fs::read_dir(&folder) {
        Ok(files) => files.filter_map(|file| file.ok().map(|file| file.path())).collect(),
        Err(error) => {
            found.push(Err(format!("`{}` cannot be listed: {error}", folder.display())));
            Vec::new()
        }
    };
    files.sort();
    found.extend(files.iter().map(|path| kept_so(path, if is_public(path) { 0o644 } else { 0o600 })));
    found
}

/// Certificates, and what OpenSSH's tools leave beside the key of the copy outside, are for everybody to see; the folder
/// keeps them from other accounts all the same.
fn is_public(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pem" || extension == "pub")
        || path.file_name().is_some_and(|name| name == "known_hosts")
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
        for name in ["known_hosts", "off-site.key.pub"] {
            fs::write(home.private(name), "public").unwrap();
            loosen(&home.private(name), 0o644);
        }
        assert!(kept(&home).iter().all(Result::is_ok), "what OpenSSH leaves is no secret: {:?}", kept(&home));
        loosen(&home.private("log.key"), 0o640);
        loosen(&home.path("private"), 0o755);
        let wrong: Vec<String> = kept(&home).into_iter().filter_map(Result::err).collect();
        assert!(wrong[0].contains("mode 0755") && wrong[0].contains("chmod 0700"), "{wrong:?}");
        assert!(wrong[1].contains("mode 0640") && wrong[1].contains("chmod 0600"), "{wrong:?}");
    }
}
