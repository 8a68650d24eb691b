//! The one call that no safe library has: shutting an ext4 file system down as a power cut would.
#![expect(unsafe_code, reason = "an ioctl that rustix has no function for")]

use std::fs::File;
use std::io;

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// `_IOR('X', 125, __u32)`: EXT4_IOC_SHUTDOWN.
const SHUTDOWN: Opcode = opcode::read::<u32>(b'X', 125);

/// Shuts down the file system on which this file lies.
pub(crate) fn shutdown(file: &File, flags: u32) -> io::Result<()> {
    // SAFETY: the number is this call's own, and what it reads through the pointer is one u32.
    let request = unsafe { Setter::<SHUTDOWN, u32>::new(flags) };
    // SAFETY: the file is open, and the kernel writes nothing through the pointer.
    // JUSTIFICATION: rustix has no function for this call of ext4.
    Ok(unsafe { ioctl(file, request) }?)
}
