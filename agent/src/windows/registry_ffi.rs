//! The registry, for reading: keys and values by name, each within a bound. Whoever owns a hive may have written anything.
#![expect(unsafe_code, reason = "std has no registry; the declarations are Microsoft's")]

use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, HKEY_USERS, KEY_READ, KEY_WOW64_64KEY, RegCloseKey, RegEnumKeyExW,
    RegEnumValueW, RegOpenKeyExW,
};

use super::system_ffi::{answered, wide};
use crate::inventory::windows::system::{NAMES_MAX, VALUE_BYTES_MAX, Value};

/// Letters of a name: 255 of a key, 16,383 of a value (Microsoft, "Registry Element Size Limits").
const NAME_LETTERS_MAX: usize = 16_384;

/// An open key.
#[derive(Debug)]
pub struct Key(HKEY);

/// Names, or values by name; and whether there are more than are taken.
pub type Listed<T> = (Vec<T>, bool);

impl Key {
    /// Opens a key for reading by its path from its hive, `HKLM\...` or `HKU\...`; `NotFound` where it is not there.
    pub fn open(path: &str) -> io::Result<Self> {
        let (hive, rest) = path.split_once('\\').unwrap_or((path, ""));
        let hive = match hive {
            "HKLM" => HKEY_LOCAL_MACHINE,
            "HKU" => HKEY_USERS,
            _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let rest = wide(rest);
        let mut key: HKEY = null_mut();
        // SAFETY: the path ends with 0 and outlives the call; `key` is ours, and closed when it is dropped.
        let status =
            unsafe { RegOpenKeyExW(hive, rest.as_ptr(), 0, KEY_READ | KEY_WOW64_64KEY, &raw mut key) };
        answered(status).map(|()| Self(key))
    }

    /// Names of the keys below.
    pub fn keys(&self) -> io::Result<Listed<String>> {
        let mut names = Vec::new();
        let mut name = vec![0_u16; NAME_LETTERS_MAX];
        for nth in 0.. {
            let mut letters = u32::try_from(name.len()).map_err(io::Error::other)?;
            // SAFETY: `letters` is the size of `name`; both are ours and live through the call; the key is open.
            let status = unsafe {
                RegEnumKeyExW(
                    self.0,
                    nth,
                    name.as_mut_ptr(),
                    &raw mut letters,
                    null(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                )
            };
            match status {
                ERROR_NO_MORE_ITEMS => break,
                _ if names.len() >= NAMES_MAX => return Ok((names, true)),
                other => answered(other)?,
            }
            names.push(text(&name, letters));
        }
        Ok((names, false))
    }

    /// The values; one longer than [`VALUE_BYTES_MAX`] is left out, and counts as more.
    pub fn values(&self) -> io::Result<Listed<(String, Value)>> {
        let (mut values, mut more) = (Vec::new(), false);
        let mut name = vec![0_u16; NAME_LETTERS_MAX];
        let mut bytes = vec![0_u8; VALUE_BYTES_MAX];
        for nth in 0.. {
            if values.len() >= NAMES_MAX {
                return Ok((values, true));
            }
            let mut letters = u32::try_from(name.len()).map_err(io::Error::other)?;
            let mut size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            let mut kind = 0;
            // SAFETY: `letters` and `size` are those of `name` and `bytes`; all of it is ours and lives through the call; the
            // key is open.
            let status = unsafe {
                RegEnumValueW(
                    self.0,
                    nth,
                    name.as_mut_ptr(),
                    &raw mut letters,
                    null(),
                    &raw mut kind,
                    bytes.as_mut_ptr(),
                    &raw mut size,
                )
            };
            match status {
                ERROR_SUCCESS => {}
                ERROR_NO_MORE_ITEMS => break,
                ERROR_MORE_DATA => {
                    more = true;
                    continue;
                }
                other => answered(other)?,
            }
            let size = usize::try_from(size).unwrap_or_default();
            values.push((text(&name, letters), Value::of(kind, bytes.get(..size).unwrap_or_default())));
        }
        Ok((values, more))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is open and ours, and not used after this.
        unsafe { RegCloseKey(self.0) };
    }
}

fn text(name: &[u16], letters: u32) -> String {
    let letters = usize::try_from(letters).unwrap_or_default();
    String::from_utf16_lossy(name.get(..letters).unwrap_or_default())
}
