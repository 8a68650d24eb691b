//! What differs from system to system: who may use a file, how the command line reaches a collector that runs, what asks it
//! to stop. One file a system, each with the same face; the rest of the collector does not know on which it runs.

pub mod sddl;
#[cfg(unix)]
pub mod signs;

/// How [`connect`] fails where a collector runs and this account must not talk to it; every other failure means that none runs.
pub const NOT_OURS: std::io::ErrorKind = std::io::ErrorKind::ConnectionAborted;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{
    Answering, CLOSING_FAT, DEFAULT_DIR, Owner, SOCKET, Stream, answering, answers, asked_to_stop, closing,
    connect, create_new, create_unnamed, is_loose, is_loose_at, keep_memory, kept_so, make_folder, owner_of,
    read_exact_at, write_all_at,
};
#[cfg(windows)]
pub use windows::{
    Answering, CLOSING_FAT, DEFAULT_DIR, Owner, SOCKET, Stream, answering, answers, asked_to_stop, closing,
    connect, create_new, create_unnamed, is_loose, is_loose_at, keep_memory, kept_so, make_folder, owner_of,
    read_exact_at, write_all_at,
};
