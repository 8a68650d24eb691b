//! The calls of the Linux agent that no safe library has: unmapping pages of programs, and giving free memory back.
#![expect(
    unsafe_code,
    reason = "madvise is unsafe for whatever range it is given, and the C library has no safe face"
)]

use std::ops::Range;

use rustix::mm::{Advice, madvise};

/// Unmaps the pages of a mapping of the running program's file, or of a library's, that is not writable and holds no page but
/// the file's. Such mappings stay until the process ends, so nothing else can stand there by now.
pub(super) fn unmap(mapping: Range<usize>) {
    let at = std::ptr::with_exposed_provenance_mut(mapping.start);
    // SAFETY: no page here differs from the file's (nothing wrote to it, and nothing can), so what is read after the call
    // is what was read before: MADV_DONTNEED on a private mapping of a file reads the file again.
    let _ = unsafe { madvise(at, mapping.len(), Advice::LinuxDontNeed) };
}

/// Gives pages that the allocator holds free back to the system: malloc_trim(3) of the GNU C library; elsewhere nothing.
pub(super) fn trim() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: any number is allowed, and what is in use is not touched.
        unsafe { malloc_trim(0) };
    }
}

/// One arena for all threads: mallopt(3) of the GNU C library; elsewhere nothing.
pub(super) fn one_arena() {
    #[cfg(target_env = "gnu")]
    {
        /// `M_ARENA_MAX` of malloc.h.
        const ARENA_MAX: std::ffi::c_int = -8;
        unsafe extern "C" {
            fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
        }
        // SAFETY: the parameter and its value are from the manual; nothing in use is touched.
        unsafe { mallopt(ARENA_MAX, 1) };
    }
}
