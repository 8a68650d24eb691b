//! Opens of Windows.

use std::fs::File;
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// `FILE_FLAG_OPEN_REPARSE_POINT` of CreateFileW: the link, not what it leads to.
const ITSELF: u32 = 0x0020_0000;
/// `FILE_ATTRIBUTE_OFFLINE`, `_RECALL_ON_OPEN`, `_RECALL_ON_DATA_ACCESS` (Microsoft, "File Attribute Constants"): reading
/// would fetch the file from a cloud or a tape.
const ELSEWHERE: u32 = 0x1000 | 0x0004_0000 | 0x0040_0000;

/// A file for reading, never what a link leads to.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(ITSELF).open(path)
}

/// The same of a file whose content is on this machine.
pub(super) fn open_itself(path: &Path) -> io::Result<File> {
    if path.symlink_metadata()?.file_attributes() & ELSEWHERE != 0 {
        return Err(io::Error::other("its content is not on this machine"));
    }
    open(path)
}

/// The drives of this machine's own disks: a network drive may take minutes to answer.
pub(super) fn drives() -> Vec<String> {
    crate::windows::system_ffi::fixed_drives()
}
