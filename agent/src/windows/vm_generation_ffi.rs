//! The generation id of a virtual machine: 128 bits that the hypervisor changes whenever the machine goes on from an earlier
//! point (a snapshot, a backup, a copy), and never otherwise; not when it boots, pauses or moves. Microsoft, "Virtual Machine
//! Generation Identifier" and vmgenerationcounter.h.
#![expect(unsafe_code, reason = "a device's control codes have no safe form in std or a crate that we use")]

use std::fs::OpenOptions;
use std::os::windows::io::AsRawHandle as _;
use std::ptr::{null, null_mut};

use windows_sys::Win32::System::IO::DeviceIoControl;

/// The driver of the ACPI device. Hardware has none, and Wine neither.
const DEVICE: &str = r"\\.\VmGenerationCounter";
/// IOCTL_VMGENCOUNTER_READ: CTL_CODE(FILE_DEVICE_ACPI, 1, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS).
const READ: u32 = 0x0032_C004;

/// The id, as 32 hexadecimal digits; none where there is no such device, or it does not answer.
pub fn vm_generation() -> Option<String> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE).ok()?;
    // VM_GENCOUNTER: the low half, then the high one.
    let mut halves = [0_u64; 2];
    let mut bytes = 0;
    let size = u32::try_from(size_of_val(&halves)).ok()?;
    // SAFETY: the handle is open and ours; nothing is handed in; the answer goes to `halves`, of the size that is said, and its
    // length to `bytes`; the call waits (no OVERLAPPED).
    let known = unsafe {
        DeviceIoControl(
            device.as_raw_handle(),
            READ,
            null(),
            0,
            halves.as_mut_ptr().cast(),
            size,
            &raw mut bytes,
            null_mut(),
        )
    };
    let [low, high] = halves;
    (known != 0 && bytes == size).then(|| format!("{high:016x}{low:016x}"))
}
