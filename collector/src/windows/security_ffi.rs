//! Calls of Windows for which std and tokio have none: files, folders and pipes that are made with a list of rights, and the
//! list of one that is there.
#![expect(
    unsafe_code,
    reason = "these functions of the Windows API have no safe form in std or a crate that we use"
)]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsHandle, AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::{
    ERROR_INSUFFICIENT_BUFFER, GENERIC_WRITE, INVALID_HANDLE_VALUE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, GetTokenInformation, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TokenOwner,
    TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_DELETE, FILE_SHARE_READ,
    FILE_SHARE_WRITE,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::system::sddl::Rights;

/// The largest descriptor that is read, bytes: a list of rights has at most 64 KiB (Microsoft, "ACL").
const DESCRIPTOR_BYTES_MAX: usize = 1 << 17;
/// What is asked of one.
const ASKED: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/// A security descriptor of the system's making, freed with this value.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn of_text(sddl: &str) -> io::Result<Self> {
        let text = wide(OsStr::new(sddl));
        let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
        // SAFETY: `text` ends with 0 and outlives the call; `descriptor` is ours, and freed by `Drop` where the call succeeds.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        };
        if made == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }

    /// Attributes that point at it: they must not outlive it.
    fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system allocated it for us with LocalAlloc, and nothing uses it after this.
        unsafe { LocalFree(self.0) };
    }
}

/// Makes a new file with these rights (`CreateFileW`, `CREATE_NEW`), for writing: no moment at which it has others.
pub fn create_file(path: &Path, sddl: &str) -> io::Result<File> {
    let (name, descriptor) = (wide(std::path::absolute(path)?.as_os_str()), Descriptor::of_text(sddl)?);
    let attributes = descriptor.attributes();
    // SAFETY: `name` ends with 0; it, `attributes` and the descriptor that they point at outlive the call.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            GENERIC_WRITE,
            // As std has it: what is open may be renamed.
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &raw const attributes,
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is an open file that nobody else owns.
    Ok(unsafe { File::from_raw_handle(handle) })
}

/// Makes a folder with these rights (`CreateDirectoryW`); what lies above it must be there.
pub fn create_folder(path: &Path, sddl: &str) -> io::Result<()> {
    let (name, descriptor) = (wide(std::path::absolute(path)?.as_os_str()), Descriptor::of_text(sddl)?);
    let attributes = descriptor.attributes();
    // SAFETY: `name` ends with 0; it, `attributes` and the descriptor that they point at outlive the call.
    let made = unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) };
    if made == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a pipe of this name with these rights, for this machine only; `is_first` where no other process may have one.
pub fn create_pipe(name: &str, is_first: bool, sddl: &str) -> io::Result<NamedPipeServer> {
    let descriptor = Descriptor::of_text(sddl)?;
    let mut attributes = descriptor.attributes();
    let mut options = ServerOptions::new();
    options.first_pipe_instance(is_first).reject_remote_clients(true);
    // SAFETY: `attributes` is a SECURITY_ATTRIBUTES that, with the descriptor that it points at, outlives the call.
    unsafe { options.create_with_security_attributes_raw(name, (&raw mut attributes).cast()) }
}

/// Owner and rights of something that is open, in the text form of [`crate::system::sddl`].
pub fn descriptor(of: impl AsHandle) -> io::Result<String> {
    let handle = of.as_handle().as_raw_handle();
    // Numbers, so that they lie where a descriptor may lie.
    let mut bytes = vec![0_u64; 1 << 7];
    loop {
        let length = size_of_val(bytes.as_slice());
        let size = u32::try_from(length).map_err(io::Error::other)?;
        let mut needed = 0;
        // SAFETY: the handle is open for as long as `of` lives; `bytes` is ours and `size` its size.
        let read = unsafe {
            GetKernelObjectSecurity(handle, ASKED, bytes.as_mut_ptr().cast(), size, &raw mut needed)
        };
        if read != 0 {
            return text_of(bytes.as_mut_ptr().cast());
        }
        let error = io::Error::last_os_error();
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        let is_small = error.raw_os_error() == i32::try_from(ERROR_INSUFFICIENT_BUFFER).ok();
        if !is_small || needed <= length || needed > DESCRIPTOR_BYTES_MAX {
            return Err(error);
        }
        bytes.resize(needed.div_ceil(size_of::<u64>()), 0);
    }
}

fn text_of(descriptor: PSECURITY_DESCRIPTOR) -> io::Result<String> {
    let (mut text, mut letters) = (null_mut::<u16>(), 0);
    // SAFETY: `descriptor` is one that the system wrote whole, alive for the call; `text` and `letters` are ours.
    let made = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            ASKED,
            &raw mut text,
            &raw mut letters,
        )
    };
    if made == 0 || text.is_null() {
        return Err(io::Error::last_os_error());
    }
    let letters = usize::try_from(letters).unwrap_or_default();
    // SAFETY: the call succeeded: `text` is `letters` units that the system allocated for us; copied, then freed as its
    // documentation asks, and not used after that.
    let copy = unsafe {
        let copy = String::from_utf16_lossy(std::slice::from_raw_parts(text, letters));
        LocalFree(text.cast());
        copy
    };
    Ok(copy.trim_end_matches('\0').to_owned())
}

/// The account of this process, and in whose name it makes things (an administrator's are the group's), as [`descriptor`] names
/// owners (`GetTokenInformation`, `TokenUser`, `TokenOwner`).
pub fn own() -> io::Result<Vec<String>> {
    let mut token = null_mut();
    // SAFETY: the pseudo-handle of this process needs no closing; `token` is ours.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was opened above, and nobody else owns it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    [TokenUser, TokenOwner].into_iter().map(|class| account(&token, class)).collect()
}

/// What a token says of one of these two classes.
fn account(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS) -> io::Result<String> {
    let mut bytes = [0_u64; 1 << 5];
    let size = u32::try_from(size_of_val(&bytes)).map_err(io::Error::other)?;
    let mut needed = 0;
    // SAFETY: `bytes` is ours and `size` its size; either structure with the longest SID (68 bytes) fits.
    let read = unsafe {
        GetTokenInformation(token.as_raw_handle(), class, bytes.as_mut_ptr().cast(), size, &raw mut needed)
    };
    if read == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut text = null_mut::<u16>();
    // SAFETY: the call succeeded: `bytes` begins with a TOKEN_USER or TOKEN_OWNER, both of which begin with a pointer to a SID
    // that lies in `bytes`, too; `text` is ours.
    let made = unsafe { ConvertSidToStringSidW(bytes.as_ptr().cast::<PSID>().read(), &raw mut text) };
    if made == 0 || text.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut letters = Vec::new();
    // SAFETY: the call succeeded: `text` ends with 0; read up to there, then freed as its documentation asks.
    unsafe {
        for at in 0.. {
            match text.add(at).read() {
                0 => break,
                letter => letters.push(letter),
            }
        }
        LocalFree(text.cast());
    }
    // Through a descriptor and back: some accounts have abbreviations there.
    let descriptor = Descriptor::of_text(&format!("O:{}", String::from_utf16_lossy(&letters)))?;
    Ok(Rights::read(&text_of(descriptor.0)?).owner)
}

/// UTF-16 with a 0 at its end, as the system wants its texts.
fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain(std::iter::once(0)).collect()
}
