//! Who else could use a secret: the permission bits of its file and folder.

use std::path::Path;

use super::IdentityError;

/// The folder is 0700 or tighter.
pub(super) fn check_folder(path: &Path) -> Result<(), IdentityError> {
    check(path, 0o700)
}

/// A secret is 0600 or tighter.
pub(super) fn check_secret(path: &Path) -> Result<(), IdentityError> {
    check(path, 0o600)
}

#[cfg(unix)]
fn check(path: &Path, wanted: u32) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(IdentityError::Missing { path: path.to_owned() });
        }
        Err(source) => return Err(IdentityError::Read { path: path.to_owned(), source }),
    };
    let found = metadata.permissions().mode() & 0o7777;
    if found & !wanted == 0 {
        Ok(())
    } else {
        Err(IdentityError::Loose { path: path.to_owned(), found, wanted })
    }
}

/// Windows: the installer sets the folder's access-control list; there are no bits to look at.
#[cfg(not(unix))]
fn check(path: &Path, _wanted: u32) -> Result<(), IdentityError> {
    if path.exists() { Ok(()) } else { Err(IdentityError::Missing { path: path.to_owned() }) }
}
