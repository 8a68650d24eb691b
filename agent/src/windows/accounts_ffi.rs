//! Accounts, groups and who this process is: what no file and no readable part of the registry says.
#![expect(unsafe_code, reason = "std knows no accounts of Windows; the declarations are Microsoft's")]

use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, HANDLE, LocalFree};
use windows_sys::Win32::NetworkManagement::NetManagement::{
    FILTER_NORMAL_ACCOUNT, LOCALGROUP_MEMBERS_INFO_2, LOCALGROUP_MEMBERS_INFO_3, NetApiBufferFree,
    NetLocalGroupGetMembers, NetUserEnum, UF_ACCOUNTDISABLE, UF_PASSWD_NOTREQD, USER_INFO_1,
};
use windows_sys::Win32::Security::Authorization::{ConvertSidToStringSidW, ConvertStringSidToSidW};
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountSidW, PSID, TOKEN_QUERY, TOKEN_STATISTICS, TOKEN_USER, TokenStatistics,
    TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::system_ffi::wide;
use crate::inventory::windows::system::LocalAccount;

/// Bytes that one answer about members or accounts may have; more are not asked for.
const ANSWER_BYTES_MAX: u32 = 1 << 20;
/// Letters of a name (`UNLEN` and `DNLEN` are less) that are read.
const NAME_LETTERS_MAX: usize = 1024;
/// `NERR_GroupNotFound` and `NERR_Success` of lmerr.h; `ERROR_INVALID_LEVEL` and `ERROR_NO_SUCH_ALIAS` of winerror.h.
const GROUP_NOT_FOUND: [u32; 2] = [2220, 1376];
const DONE: u32 = 0;

/// The name of an account or group: domain and name, as they are in this machine's language.
pub fn name_of(sid: &str) -> io::Result<(String, String)> {
    let text = wide(sid);
    let mut sid: PSID = null_mut();
    // SAFETY: the text ends with 0 and outlives the call; what it gives is freed below.
    if unsafe { ConvertStringSidToSidW(text.as_ptr(), &raw mut sid) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let (mut name, mut domain) = (vec![0_u16; NAME_LETTERS_MAX], vec![0_u16; NAME_LETTERS_MAX]);
    let size = u32::try_from(NAME_LETTERS_MAX).unwrap_or_default();
    let (mut n_name, mut n_domain, mut kind) = (size, size, 0);
    // SAFETY: `sid` was just made; the sizes are those of the buffers; everything lives through the call.
    let found = unsafe {
        LookupAccountSidW(
            null(),
            sid,
            name.as_mut_ptr(),
            &raw mut n_name,
            domain.as_mut_ptr(),
            &raw mut n_domain,
            &raw mut kind,
        )
    };
    let error = io::Error::last_os_error();
    // SAFETY: made by the call above, which asks for this, and not used after it.
    unsafe { LocalFree(sid) };
    if found == 0 { Err(error) } else { Ok((until_zero(&domain), until_zero(&name))) }
}

/// Members of a local group by its name in this machine's language: `DOMAIN\name`, or the identifier of one that has no name
/// any more. None where there is no such group.
pub fn members(group: &str) -> io::Result<Vec<String>> {
    // By identifier where the system can; a system that cannot says names only.
    let by_sid = |entry: &LOCALGROUP_MEMBERS_INFO_2| {
        // SAFETY: the entry is the system's, in a buffer that `listed` keeps; its text ends with 0.
        let name = unsafe { pointed(entry.lgrmi2_domainandname) };
        if name.is_empty() { sid_text(entry.lgrmi2_sid) } else { Some(name) }
    };
    let by_name = |entry: &LOCALGROUP_MEMBERS_INFO_3| {
        // SAFETY: as above.
        Some(unsafe { pointed(entry.lgrmi3_domainandname) }).filter(|name| !name.is_empty())
    };
    match listed_members(group, 2, by_sid) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(_) => listed_members(group, 3, by_name),
        Ok(found) if found.is_empty() => listed_members(group, 3, by_name).or(Ok(found)),
        found => found,
    }
}

fn listed_members<T>(group: &str, level: u32, of: impl Fn(&T) -> Option<String>) -> io::Result<Vec<String>> {
    let group = wide(group);
    listed(of, |buffer, read, total| {
        // SAFETY: the name ends with 0 and outlives the call; the three pointers are to live values of `listed`.
        unsafe {
            NetLocalGroupGetMembers(
                null(),
                group.as_ptr(),
                level,
                buffer,
                ANSWER_BYTES_MAX,
                read,
                total,
                null_mut(),
            )
        }
    })
}

/// The machine's own accounts.
pub fn accounts() -> io::Result<Vec<LocalAccount>> {
    let of = |entry: &USER_INFO_1| {
        Some(LocalAccount {
            // SAFETY: the entry is the system's, in a buffer that `listed` keeps; its text ends with 0.
            name: unsafe { pointed(entry.usri1_name) },
            is_disabled: entry.usri1_flags & UF_ACCOUNTDISABLE != 0,
            needs_no_password: entry.usri1_flags & UF_PASSWD_NOTREQD != 0,
        })
    };
    listed(of, |buffer, read, total| {
        // SAFETY: the three pointers are to live values of `listed`; no handle to go on with: one answer is all.
        unsafe {
            NetUserEnum(null(), 1, FILTER_NORMAL_ACCOUNT, buffer, ANSWER_BYTES_MAX, read, total, null_mut())
        }
    })
}

/// What is in a buffer of the network functions: an array of entries that the system allocated.
fn listed<T, R>(
    of: impl Fn(&T) -> Option<R>,
    ask: impl FnOnce(*mut *mut u8, *mut u32, *mut u32) -> u32,
) -> io::Result<Vec<R>> {
    let (mut buffer, mut read, mut total) = (null_mut::<u8>(), 0, 0);
    let status = ask(&raw mut buffer, &raw mut read, &raw mut total);
    if buffer.is_null() {
        return match status {
            DONE => Ok(Vec::new()),
            status if GROUP_NOT_FOUND.contains(&status) => Err(io::Error::from(io::ErrorKind::NotFound)),
            status => Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX))),
        };
    }
    let mut found = Vec::new();
    if matches!(status, DONE | ERROR_MORE_DATA) {
        let n = usize::try_from(read).unwrap_or_default();
        // SAFETY: the call succeeded: the buffer holds `read` entries of the level that was asked for, aligned as the system
        // aligns them; it lives until it is freed below.
        let entries = unsafe { std::slice::from_raw_parts(buffer.cast::<T>(), n) };
        found.extend(entries.iter().filter_map(of));
    }
    // SAFETY: the system's buffer, of which nothing is used any more.
    unsafe { NetApiBufferFree(buffer.cast()) };
    match status {
        DONE | ERROR_MORE_DATA => Ok(found),
        status => Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX))),
    }
}

/// Who this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Security identifier of the account.
    pub sid: String,
    /// Logon id of the session, as events of logins have it.
    pub logon: u64,
}

/// Who this process is.
pub fn me() -> io::Result<Me> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of this process needs no closing; `token` is ours.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just made and is nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // In units that are aligned for both structures.
    let mut space = [0_u64; 64];
    let size = u32::try_from(size_of_val(&space)).unwrap_or_default();
    let mut used = 0;
    let mut ask = |kind, space: &mut [u64; 64]| {
        // SAFETY: `size` is that of `space`, which lives through the call; the token is open.
        let done = unsafe {
            GetTokenInformation(token.as_raw_handle(), kind, space.as_mut_ptr().cast(), size, &raw mut used)
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    ask(TokenStatistics, &mut space)?;
    // SAFETY: the call succeeded and wrote this structure to the beginning of `space`, which is larger and aligned.
    let logon = unsafe { space.as_ptr().cast::<TOKEN_STATISTICS>().read() }.AuthenticationId;
    ask(TokenUser, &mut space)?;
    // SAFETY: as above; the identifier it points to lies in `space`, too, which lives on.
    let user = unsafe { space.as_ptr().cast::<TOKEN_USER>().read() };
    let sid = sid_text(user.User.Sid).ok_or_else(io::Error::last_os_error)?;
    let high = u64::from(u32::from_ne_bytes(logon.HighPart.to_ne_bytes()));
    Ok(Me { sid, logon: (high << 32) | u64::from(logon.LowPart) })
}

/// An identifier in its usual form. The caller's pointer is the system's own, or null.
fn sid_text(sid: PSID) -> Option<String> {
    if sid.is_null() {
        return None;
    }
    let mut text = null_mut();
    // SAFETY: `sid` is one that the system gave; the text that it makes is copied and freed here.
    unsafe {
        if ConvertSidToStringSidW(sid, &raw mut text) == 0 {
            return None;
        }
        let copy = pointed(text);
        LocalFree(text.cast());
        Some(copy)
    }
}

/// A copy of the system's text; empty for null.
///
/// # Safety
/// The pointer is null, or to letters that end with 0.
unsafe fn pointed(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    let mut letters = Vec::new();
    let mut at = text;
    while letters.len() < NAME_LETTERS_MAX {
        // SAFETY: not beyond the 0 that ends the text, as the caller promises.
        let letter = unsafe { at.read() };
        if letter == 0 {
            break;
        }
        letters.push(letter);
        // SAFETY: the letter was not the last: the next one is in the same text.
        at = unsafe { at.add(1) };
    }
    String::from_utf16_lossy(&letters)
}

fn until_zero(letters: &[u16]) -> String {
    String::from_utf16_lossy(letters.split(|letter| *letter == 0).next().unwrap_or_default())
}
