//! What Windows says of its own recording: the effective audit policy, entries for auditing, the Security log.
//!
//! Asked by calls and not by reading what `auditpol /get /r` prints: its settings are words of the system's language, and whoever
//! can put another program in its place would answer for the system. `AuditQuerySystemPolicy` answers with numbers. It and the
//! system's part of a descriptor need the privilege SeSecurityPrivilege, which the service has (it runs as SYSTEM) and
//! administrators have, switched off until it is asked for.
#![expect(
    unsafe_code,
    reason = "audit policy and descriptors have no safe form in std or a crate that we use"
)]

use std::collections::BTreeMap;
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use ntk_windows::audit_policy::{Descriptor, Found, SecurityLog, Setting, Wanted};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_NOT_ALL_ASSIGNED, ERROR_SUCCESS, LUID, LocalFree,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    AUDIT_POLICY_INFORMATION, AuditFree, AuditQuerySystemPolicy,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, DACL_SECURITY_INFORMATION, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW,
    PSECURITY_DESCRIPTOR, SACL_SECURITY_INFORMATION, SE_PRIVILEGE_ENABLED, TOKEN_ADJUST_PRIVILEGES,
    TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RegGetValueW,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::core::{GUID, PWSTR};

use super::system_ffi::wide;
use crate::sensor::audit_policy::System;

/// Bits of `AuditingInformation` (ntsecapi.h, POLICY_AUDIT_EVENT_SUCCESS and its like).
const SUCCESS: u32 = 1;
const FAILURE: u32 = 2;

/// A descriptor of more letters is not read: an access list has at most 64 KiB.
const LETTERS_MAX: usize = 1 << 18;

/// Security option "Audit: Force audit policy subcategory settings" (Microsoft, of that name).
const LSA: &str = r"SYSTEM\CurrentControlSet\Control\Lsa";
const FORCED: &str = "SCENoApplyLegacyAuditPolicy";
/// The Security log as it is set, and as a group policy sets it, in KiB (Microsoft, "Eventlog Key"; EventLog.admx).
const LOG: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Security";
const LOG_POLICY: &str = r"SOFTWARE\Policies\Microsoft\Windows\EventLog\Security";
/// `WinNT` is a workstation; servers are `ServerNT` and `LanmanNT` (Microsoft, Win32_OperatingSystem, ProductType).
const PRODUCT: &str = r"SYSTEM\CurrentControlSet\Control\ProductOptions";

/// This machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemPolicy;

impl System for SystemPolicy {
    fn look(&self, watched: &[String]) -> Found {
        let privilege = allow_security();
        // The refusal of the privilege is the reason for whatever it refuses afterwards.
        let why = |error: &io::Error| match &privilege {
            Ok(()) => error.to_string(),
            Err(refused) => format!("{error}; the right to read it was refused: {refused}"),
        };
        let descriptor_of = |path: &String| {
            let found = descriptor(path).map_err(|error| why(&error));
            (path.clone(), found)
        };
        Found {
            is_server: text(PRODUCT, "ProductType").is_ok_and(|kind| !kind.eq_ignore_ascii_case("WinNT")),
            settings: settings().map_err(|error| why(&error)),
            is_subcategory_forced: number(LSA, FORCED)
                .map(|value| value == Some(1))
                .map_err(|error| error.to_string()),
            log: log().map_err(|error| error.to_string()),
            folders: watched.iter().map(descriptor_of).collect(),
        }
    }
}

/// Switches the privilege on for this process.
fn allow_security() -> io::Result<()> {
    let mut token = null_mut();
    // SAFETY: the pseudo handle of this process needs no closing; `token` is ours.
    let opened = unsafe {
        OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &raw mut token)
    };
    if opened == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just made and is nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let name = wide("SeSecurityPrivilege");
    let mut luid = LUID { LowPart: 0, HighPart: 0 };
    // SAFETY: the name ends with 0 and outlives the call; `luid` is ours.
    if unsafe { LookupPrivilegeValueW(null(), name.as_ptr(), &raw mut luid) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
    };
    // SAFETY: one privilege, as its count says; no earlier state is asked for.
    let adjusted = unsafe {
        AdjustTokenPrivileges(token.as_raw_handle(), 0, &raw const wanted, 0, null_mut(), null_mut())
    };
    let error = io::Error::last_os_error();
    // Success with this error means that the account does not have the privilege at all.
    let is_refused = error.raw_os_error() == i32::try_from(ERROR_NOT_ALL_ASSIGNED).ok();
    if adjusted == 0 || is_refused { Err(error) } else { Ok(()) }
}

/// The effective policy of the parts that are wanted.
fn settings() -> io::Result<BTreeMap<String, Setting>> {
    let parts = &Wanted::built_in().subcategories;
    let guids: Vec<GUID> = parts.iter().filter_map(|part| guid(&part.guid)).collect();
    let n_guids = u32::try_from(guids.len()).map_err(io::Error::other)?;
    if guids.len() != parts.len() || guids.is_empty() {
        return Err(io::Error::other("the list of this program names a part that is none"));
    }
    let mut found: *mut AUDIT_POLICY_INFORMATION = null_mut();
    // SAFETY: as many identifiers as are said, which outlive the call; `found` is ours.
    let known = unsafe { AuditQuerySystemPolicy(guids.as_ptr(), n_guids, &raw mut found) };
    if !known || found.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded: one answer for each identifier, in their order; copied before it is freed as its documentation
    // asks, and not used after that.
    let bits: Vec<u32> = unsafe {
        let answers = std::slice::from_raw_parts(found, guids.len());
        let bits = answers.iter().map(|answer| answer.AuditingInformation).collect();
        AuditFree(found.cast());
        bits
    };
    let setting = |bits: u32| Setting { success: bits & SUCCESS != 0, failure: bits & FAILURE != 0 };
    Ok(parts.iter().zip(bits).map(|(part, bits)| (part.guid.clone(), setting(bits))).collect())
}

fn guid(text: &str) -> Option<GUID> {
    u128::from_str_radix(&text.replace('-', ""), 16).ok().map(GUID::from_u128)
}

/// The system's part of a descriptor: entries for auditing.
fn descriptor(path: &str) -> io::Result<Descriptor> {
    let text = text_of(path, SACL_SECURITY_INFORMATION)?;
    Ok(Descriptor { text, is_folder: Path::new(path).is_dir() })
}

/// The part of a descriptor that says who may use a file or folder, as SDDL.
pub fn rights_of(path: &Path) -> io::Result<String> {
    let path = path.to_str().ok_or_else(|| io::Error::other("its name is no text"))?;
    text_of(path, DACL_SECURITY_INFORMATION)
}

fn text_of(path: &str, part: u32) -> io::Result<String> {
    let name = wide(path);
    let mut found: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the name ends with 0 and outlives the call; only the descriptor is asked for, and is ours to free.
    let status = unsafe {
        GetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            part,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut found,
        )
    };
    if status != ERROR_SUCCESS {
        return Err(of_code(status));
    }
    let (mut text, mut n_letters): (PWSTR, u32) = (null_mut(), 0);
    // SAFETY: the descriptor is the system's own, just made; `text` and its length are ours.
    let written = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            found,
            SDDL_REVISION_1,
            part,
            &raw mut text,
            &raw mut n_letters,
        )
    };
    let error = io::Error::last_os_error();
    // SAFETY: allocated for us by the call above (its documentation: LocalFree), and not used after this.
    unsafe { LocalFree(found) };
    if written == 0 || text.is_null() {
        return Err(error);
    }
    let n_letters = usize::try_from(n_letters).unwrap_or_default().min(LETTERS_MAX);
    // SAFETY: the call succeeded: `text` is that many letters, copied before it is freed as its documentation asks.
    let letters = unsafe {
        let letters = std::slice::from_raw_parts(text, n_letters).to_vec();
        LocalFree(text.cast());
        letters
    };
    Ok(String::from_utf16_lossy(&letters).trim_end_matches('\0').to_owned())
}

fn log() -> io::Result<SecurityLog> {
    let of_policy = number(LOG_POLICY, "MaxSize").unwrap_or_default().map(|kib| u64::from(kib) << 10);
    let of_log = number(LOG, "MaxSize")?.map(u64::from);
    let missing = || io::Error::other("the registry does not say how large the Security log may be");
    let keeps = |key: &str| -> io::Result<bool> {
        // A group policy writes these two as text, `0` and `1`.
        let is_on = |name: &str| {
            let of_text = text(key, name).is_ok_and(|value| value == "1");
            number(key, name).map(|value| value.is_some_and(|value| value != 0) || of_text)
        };
        Ok(is_on("Retention").unwrap_or_default() && !is_on("AutoBackupLogFiles").unwrap_or_default())
    };
    Ok(SecurityLog {
        bytes_max: of_policy.or(of_log).ok_or_else(missing)?,
        stops_when_full: keeps(LOG)? || keeps(LOG_POLICY)?,
    })
}

/// A number of the registry; none where nobody set it.
fn number(key: &str, value: &str) -> io::Result<Option<u32>> {
    let (key, value) = (wide(key), wide(value));
    let (mut number, mut bytes) = (0_u32, 4_u32);
    // SAFETY: both names end with 0 and outlive the call; `bytes` is the size of `number`, which is ours.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_DWORD,
            null_mut(),
            (&raw mut number).cast(),
            &raw mut bytes,
        )
    };
    match status {
        ERROR_SUCCESS => Ok(Some(number)),
        ERROR_FILE_NOT_FOUND => Ok(None),
        other => Err(of_code(other)),
    }
}

/// A short text of the registry.
fn text(key: &str, value: &str) -> io::Result<String> {
    let (key, value) = (wide(key), wide(value));
    let mut letters = [0_u16; 32];
    let mut bytes = u32::try_from(size_of_val(&letters)).map_err(io::Error::other)?;
    // SAFETY: both names end with 0 and outlive the call; `bytes` is the size of `letters`, which are ours.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_SZ,
            null_mut(),
            letters.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if status != ERROR_SUCCESS {
        return Err(of_code(status));
    }
    let letters: Vec<u16> = letters.iter().copied().take_while(|letter| *letter != 0).collect();
    Ok(String::from_utf16_lossy(&letters))
}

fn of_code(code: u32) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX))
}
