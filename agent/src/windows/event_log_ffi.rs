//! The event log of Windows (winevt.h): subscriptions that are asked for records, and queries by place.
//!
//! Records are asked for (pull): no call of the system comes in on a thread of its own. `EvtNext` says 259
//! (`ERROR_NO_MORE_ITEMS`) when there is nothing now; `EvtRender` says 122 (`ERROR_INSUFFICIENT_BUFFER`) and how many
//! bytes it wants. Microsoft, "Subscribing to Events" and "Rendering Events".
#![expect(unsafe_code, reason = "the event log has no safe form in std or a crate that we use")]

use std::collections::VecDeque;
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::null;

use windows_sys::Win32::Foundation::{
    ERROR_EVT_CHANNEL_NOT_FOUND, ERROR_INSUFFICIENT_BUFFER, ERROR_NO_MORE_ITEMS, ERROR_TIMEOUT,
};
use windows_sys::Win32::System::EventLog::{
    EVT_HANDLE, EvtClose, EvtCreateBookmark, EvtNext, EvtQuery, EvtQueryChannelPath,
    EvtQueryForwardDirection, EvtQueryReverseDirection, EvtRender, EvtRenderEventXml, EvtSeek,
    EvtSeekRelativeToBookmark, EvtSubscribe, EvtSubscribeStartAfterBookmark, EvtSubscribeStartAtOldestRecord,
    EvtSubscribeStrict,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent};

use super::system_ffi::wide;
use crate::sensor::event_log::{Log, Records, Start};

/// Records that one call asks for.
const RECORDS_MAX: usize = 32;
/// How long a call waits for records that the log already has.
const WITHIN_MS: u32 = 1000;
/// More than the system lets a record have: 64 KiB in the log, as text some times that.
const RECORD_BYTES_MAX: u32 = 1 << 20;

/// The event log of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemLog;

impl Log for SystemLog {
    fn newest(&self, channel: &str) -> io::Result<Option<String>> {
        query(channel, EvtQueryReverseDirection)?.next()
    }

    fn reread(&self, channel: &str, record: u64, n_max: u32) -> io::Result<Box<dyn Records>> {
        let found = query(channel, EvtQueryForwardDirection)?;
        let bookmark = bookmark(channel, record)?;
        let back = i64::from(n_max).wrapping_neg();
        // Without EvtSeekStrict: where there are fewer records, or not this one, the nearest that is there.
        // SAFETY: both handles are open and ours.
        let sought = unsafe { EvtSeek(found.handle.0, back, bookmark.0, 0, EvtSeekRelativeToBookmark) };
        // A place that is not there at all: from the oldest record on.
        if sought == 0 {
            Ok(Box::new(query(channel, EvtQueryForwardDirection)?))
        } else {
            Ok(Box::new(found))
        }
    }

    fn follow(&self, channel: &str, start: Start) -> io::Result<Box<dyn Records>> {
        let (bookmark, flags) = match start {
            Start::Oldest => (None, EvtSubscribeStartAtOldestRecord),
            Start::Behind(record) => {
                (Some(bookmark(channel, record)?), EvtSubscribeStartAfterBookmark | EvtSubscribeStrict)
            }
        };
        // SAFETY: no attributes and no name; a manual-reset event, set, as the pull model wants it.
        let signal = unsafe { CreateEventW(null(), 1, 1, null()) };
        if signal.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just made and is nobody else's.
        let signal = unsafe { OwnedHandle::from_raw_handle(signal) };
        let path = wide(channel);
        let bookmark = bookmark.as_ref().map_or(0, |bookmark| bookmark.0);
        // SAFETY: the channel's name ends with 0 and outlives the call; the event lives as long as the subscription (fields of
        // `Found` are dropped in their order); neither context nor callback: nothing of ours is called.
        let handle = unsafe {
            EvtSubscribe(0, signal.as_raw_handle(), path.as_ptr(), null(), bookmark, null(), None, flags)
        };
        Ok(Box::new(Found::new(handle, Some(signal))?))
    }
}

fn query(channel: &str, direction: u32) -> io::Result<Found> {
    let path = wide(channel);
    // SAFETY: the channel's name ends with 0 and outlives the call; no query text means every record.
    let handle = unsafe { EvtQuery(0, path.as_ptr(), null(), EvtQueryChannelPath | direction) };
    Found::new(handle, None)
}

/// A bookmark of a record by its number, in the form in which the system renders its own.
fn bookmark(channel: &str, record: u64) -> io::Result<Handle> {
    let channel = channel.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
    let xml = wide(&format!(
        "<BookmarkList><Bookmark Channel='{channel}' RecordId='{record}' IsCurrent='true'/></BookmarkList>"
    ));
    // SAFETY: the text ends with 0 and outlives the call.
    Handle::new(unsafe { EvtCreateBookmark(xml.as_ptr()) })
}

/// A handle of the event log, closed when it is dropped.
struct Handle(EVT_HANDLE);

impl Handle {
    fn new(handle: EVT_HANDLE) -> io::Result<Self> {
        if handle != 0 {
            return Ok(Self(handle));
        }
        let error = io::Error::last_os_error();
        let is_no_channel = code_of(&error) == Some(ERROR_EVT_CHANNEL_NOT_FOUND);
        Err(if is_no_channel { io::Error::from(io::ErrorKind::NotFound) } else { error })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open and ours, and not used after this.
        unsafe { EvtClose(self.0) };
    }
}

fn code_of(error: &io::Error) -> Option<u32> {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok())
}

/// A query's or a subscription's records.
struct Found {
    waiting: VecDeque<Handle>,
    handle: Handle,
    /// Set by the system when there is more.
    signal: Option<OwnedHandle>,
    buffer: Vec<u16>,
}

impl Found {
    fn new(handle: EVT_HANDLE, signal: Option<OwnedHandle>) -> io::Result<Self> {
        let handle = Handle::new(handle)?;
        Ok(Self { waiting: VecDeque::new(), handle, signal, buffer: vec![0; 4096] })
    }

    fn ask(&mut self) -> io::Result<()> {
        let mut handles = [0; RECORDS_MAX];
        let mut n_handles = 0;
        let n_max = u32::try_from(RECORDS_MAX).unwrap_or(1);
        // SAFETY: `handles` has room for `n_max` handles and lives through the call; what it gets is ours to close.
        let found =
            unsafe { EvtNext(self.handle.0, n_max, handles.as_mut_ptr(), WITHIN_MS, 0, &raw mut n_handles) };
        if found == 0 {
            let error = io::Error::last_os_error();
            return match code_of(&error) {
                Some(ERROR_NO_MORE_ITEMS | ERROR_TIMEOUT) => {
                    if let Some(signal) = &self.signal {
                        // SAFETY: the event is open and ours.
                        unsafe { ResetEvent(signal.as_raw_handle()) };
                    }
                    Ok(())
                }
                _ => Err(error),
            };
        }
        let n_handles = usize::try_from(n_handles).unwrap_or_default();
        self.waiting.extend(handles.into_iter().take(n_handles).map(Handle));
        Ok(())
    }

    fn render(&mut self, record: &Handle) -> io::Result<String> {
        loop {
            let bytes = u32::try_from(size_of_val(self.buffer.as_slice())).unwrap_or_default();
            let (mut used, mut n_properties) = (0, 0);
            // SAFETY: `bytes` is the size of our buffer, which lives through the call; so do both numbers.
            let done = unsafe {
                EvtRender(
                    0,
                    record.0,
                    EvtRenderEventXml,
                    bytes,
                    self.buffer.as_mut_ptr().cast(),
                    &raw mut used,
                    &raw mut n_properties,
                )
            };
            let n_letters = usize::try_from(used).unwrap_or_default().div_ceil(size_of::<u16>());
            if done != 0 {
                let text = self.buffer.get(..n_letters).unwrap_or_default();
                let text = text.split(|letter| *letter == 0).next().unwrap_or_default();
                return Ok(String::from_utf16_lossy(text));
            }
            let error = io::Error::last_os_error();
            let wants_more = error.raw_os_error().and_then(|code| u32::try_from(code).ok())
                == Some(ERROR_INSUFFICIENT_BUFFER);
            if !wants_more || used <= bytes || used > RECORD_BYTES_MAX {
                return Err(error);
            }
            self.buffer.resize(n_letters, 0);
        }
    }
}

impl Records for Found {
    fn next(&mut self) -> io::Result<Option<String>> {
        if self.waiting.is_empty() {
            self.ask()?;
        }
        let Some(record) = self.waiting.pop_front() else { return Ok(None) };
        self.render(&record).map(Some)
    }
}
