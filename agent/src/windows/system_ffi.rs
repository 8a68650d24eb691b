//! Calls of Windows for which std has none: two clocks, a mark of this boot, secrets that only this machine opens.
#![expect(
    unsafe_code,
    reason = "these functions of the Windows API have no safe form in std or a crate that we use"
)]

use std::io;
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData,
    CryptUnprotectData,
};
use windows_sys::Win32::Storage::FileSystem::{GetDriveTypeW, GetLogicalDrives};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_SET_VALUE, REG_OPTION_VOLATILE, REG_SZ, RRF_RT_REG_SZ,
    RegCloseKey, RegCreateKeyExW, RegGetValueW, RegSetValueExW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

/// The most that is sealed or opened at once; a key has a hundred bytes, its PEM some hundred.
const SECRET_BYTES_MAX: usize = 1 << 16;

/// A registry key that Windows itself forgets when the machine boots (RegCreateKeyExW, `REG_OPTION_VOLATILE`).
const BOOT_KEY: &str = r"SOFTWARE\Need-to-Know\Boot";
const BOOT_VALUE: &str = "Id";
/// Letters of a boot's id: a UUID without its dashes.
const BOOT_ID_LETTERS: usize = 32;

/// How long the machine has been up, sleep included, to some 16 ms.
pub fn uptime() -> Duration {
    // SAFETY: no arguments, no preconditions.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// The same without the time that the machine slept.
pub fn monotonic() -> Duration {
    let mut ticks = 0;
    // SAFETY: the pointer is to a live u64 of ours for the time of the call.
    let known = unsafe { QueryUnbiasedInterruptTime(&raw mut ticks) };
    // Ticks have 100 ns.
    if known == 0 { uptime() } else { Duration::from_nanos(ticks.saturating_mul(100)) }
}

/// The drives of this machine's own disks, `C:` and so on.
pub fn fixed_drives() -> Vec<String> {
    /// `DRIVE_FIXED` of GetDriveTypeW.
    const FIXED: u32 = 3;
    // SAFETY: no arguments, no preconditions.
    let all = unsafe { GetLogicalDrives() };
    let is_fixed = |drive: &String| {
        let root = wide(&format!("{drive}\\"));
        // SAFETY: the text ends with 0 and outlives the call.
        unsafe { GetDriveTypeW(root.as_ptr()) == FIXED }
    };
    let letters = ('A'..='Z')
        .enumerate()
        .filter(|(bit, _)| all.checked_shr(u32::try_from(*bit).unwrap_or(32)).unwrap_or(0) & 1 == 1);
    letters.map(|(_, letter)| format!("{letter}:")).filter(is_fixed).collect()
}

/// The id of this boot: what an earlier run of the agent left in a key that does not outlast a boot, or this new one.
pub fn boot_id(new: &str) -> io::Result<String> {
    let (path, value) = (wide(BOOT_KEY), wide(BOOT_VALUE));
    let mut key: HKEY = null_mut();
    // SAFETY: both strings end with 0 and outlive the call; `key` is ours, and closed below when it was opened.
    let status = unsafe {
        RegCreateKeyExW(
            HKEY_LOCAL_MACHINE,
            path.as_ptr(),
            0,
            null(),
            REG_OPTION_VOLATILE,
            KEY_QUERY_VALUE | KEY_SET_VALUE,
            null(),
            &raw mut key,
            null_mut(),
        )
    };
    answered(status)?;
    let found = value_of(key, &value).map_or_else(|| keep_value(key, &value, new), Ok);
    // SAFETY: `key` was opened above and is not used after this.
    unsafe { RegCloseKey(key) };
    found
}

fn value_of(key: HKEY, value: &[u16]) -> Option<String> {
    let mut text = [0_u16; BOOT_ID_LETTERS + 1];
    let mut bytes = u32::try_from(size_of_val(&text)).ok()?;
    // SAFETY: `value` ends with 0; `bytes` is the size of `text`, which is ours; RegGetValueW ends what it writes with 0.
    let status = unsafe {
        RegGetValueW(
            key,
            null(),
            value.as_ptr(),
            RRF_RT_REG_SZ,
            null_mut(),
            text.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let letters: Vec<u16> = text.iter().copied().take_while(|letter| *letter != 0).collect();
    let found = String::from_utf16(&letters).ok()?;
    (status == ERROR_SUCCESS && found.len() == BOOT_ID_LETTERS).then_some(found)
}

fn keep_value(key: HKEY, value: &[u16], new: &str) -> io::Result<String> {
    let text = wide(new);
    let bytes = u32::try_from(size_of_val(text.as_slice())).map_err(io::Error::other)?;
    // SAFETY: both strings end with 0 and outlive the call; `bytes` is the size of `text` with its end.
    let status = unsafe { RegSetValueExW(key, value.as_ptr(), 0, REG_SZ, text.as_ptr().cast(), bytes) };
    answered(status).map(|()| new.to_owned())
}

/// Seals a secret so that it opens on this machine only (`CryptProtectData`, `CRYPTPROTECT_LOCAL_MACHINE`): a copy of the
/// file elsewhere, from a backup say, is worth nothing. Programs of this machine that can read the file can open it.
pub fn seal(secret: &[u8]) -> io::Result<Vec<u8>> {
    let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
    changed(secret, |from, to| {
        // SAFETY: `changed` gives two blobs that live through the call; nothing else is handed over.
        unsafe { CryptProtectData(from, null(), null(), null(), null(), flags, to) }
    })
}

/// Opens what [`seal`] sealed on this machine.
pub fn open(sealed: &[u8]) -> io::Result<Vec<u8>> {
    changed(sealed, |from, to| {
        // SAFETY: `changed` gives two blobs that live through the call; nothing else is handed over.
        unsafe { CryptUnprotectData(from, null_mut(), null(), null(), null(), CRYPTPROTECT_UI_FORBIDDEN, to) }
    })
}

fn changed(
    from: &[u8],
    change: impl FnOnce(*const CRYPT_INTEGER_BLOB, *mut CRYPT_INTEGER_BLOB) -> i32,
) -> io::Result<Vec<u8>> {
    if from.len() > SECRET_BYTES_MAX {
        return Err(io::Error::other("too large for a secret"));
    }
    let size = u32::try_from(from.len()).map_err(io::Error::other)?;
    // The call does not write through this pointer, though its type would allow it.
    let from = CRYPT_INTEGER_BLOB { cbData: size, pbData: from.as_ptr().cast_mut() };
    let mut to = CRYPT_INTEGER_BLOB { cbData: 0, pbData: null_mut() };
    if change(&raw const from, &raw mut to) == 0 || to.pbData.is_null() {
        return Err(io::Error::last_os_error());
    }
    let size = usize::try_from(to.cbData).unwrap_or_default();
    // SAFETY: the call succeeded: `pbData` is `cbData` bytes that the system allocated for us; copied, overwritten (one of
    // the two is the secret), then freed as its documentation asks, and not used after that.
    unsafe {
        let copy = std::slice::from_raw_parts(to.pbData, size).to_vec();
        std::ptr::write_bytes(to.pbData, 0, size);
        LocalFree(to.pbData.cast());
        Ok(copy)
    }
}

pub(crate) fn answered(status: u32) -> io::Result<()> {
    match status {
        ERROR_SUCCESS => Ok(()),
        other => Err(io::Error::from_raw_os_error(i32::try_from(other).unwrap_or(i32::MAX))),
    }
}

/// UTF-16 with a 0 at its end, as the system wants its texts.
pub(crate) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain(std::iter::once(0)).collect()
}
