//! The audit netlink socket: requests with their answers, and the records of the owner.
//!
//! Every call but one ([`super::filter_ffi`]) goes through rustix or nix.
//!
//! ```text
//! header: length u32, type u16, flags u16, sequence u32, port u32; then the payload; all in host order
//! ```

use std::io;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, NetlinkAddr, recvmmsg};
use rustix::io::Errno;
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto, sockopt,
};
use rustix::net::{SocketAddrAny, socket_with};

/// Asks for the state.
pub(super) const GET: u16 = 1000;
/// Changes the state.
pub(super) const SET: u16 = 1001;
/// Adds a rule.
pub(super) const ADD_RULE: u16 = 1011;
/// Removes a rule.
pub(super) const DEL_RULE: u16 = 1012;
/// Asks for the rules.
pub(super) const LIST_RULES: u16 = 1013;
/// Changes the features, and whether they can be changed again.
pub(super) const SET_FEATURE: u16 = 1018;
/// Asks for the features.
pub(super) const GET_FEATURE: u16 = 1019;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const HEADER_BYTES: usize = 16;

/// Room for one message; the kernel's longest record is 8,970 bytes, a list of rules comes rule by rule.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Messages that one call of the drain takes, and room for each. Records are 300 bytes as a rule; the longest, a call of a
/// program with a long name of bytes that are no text, stays below 16 KiB. Room that nothing fills costs no memory.
const MANY: usize = 32;
const RECORD_ROOM: usize = 16 * 1024;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How long one wait on the socket lasts, so that a stop is seen.
const WAIT: Duration = Duration::from_millis(100);

/// What came of many messages.
pub(super) enum Many {
    /// Some, and whether more may be there already.
    Some {
        /// The call took as many as it may.
        is_full: bool,
    },
    /// Nothing within the wait.
    Nothing,
    /// The socket's buffer overflowed: messages are lost.
    Overflowed,
}

/// Room for many messages.
pub(super) struct Room {
    bytes: Vec<u8>,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: vec![0; MANY.saturating_mul(RECORD_ROOM)] }
    }
}

/// What is asked of the kernel. Tests put one of their own in its place: a real one that is locked stays so until it boots.
pub(super) trait Kernel: Send {
    /// Asks for a change and waits for the answer.
    fn request(&mut self, kind: u16, payload: &[u8]) -> io::Result<()>;
    /// Asks for one thing.
    fn ask(&mut self, kind: u16) -> io::Result<Vec<u8>>;
    /// Asks for all of a kind.
    fn ask_all(&mut self, kind: u16) -> io::Result<Vec<Vec<u8>>>;
    /// A new socket that the records come to, once the kernel took this change of the state.
    fn owner(&mut self, change: &[u8]) -> io::Result<AuditSocket>;
    /// A new socket that hears the records beside their owner.
    fn listener(&mut self) -> io::Result<AuditSocket>;
}

impl Kernel for AuditSocket {
    fn request(&mut self, kind: u16, payload: &[u8]) -> io::Result<()> {
        Self::request(self, kind, payload)
    }

    fn ask(&mut self, kind: u16) -> io::Result<Vec<u8>> {
        Self::ask(self, kind)
    }

    fn ask_all(&mut self, kind: u16) -> io::Result<Vec<Vec<u8>>> {
        Self::ask_all(self, kind)
    }

    fn owner(&mut self, change: &[u8]) -> io::Result<AuditSocket> {
        let mut owner = Self::open()?;
        owner.widen(RECEIVE_BYTES);
        owner.keep_ends_away();
        owner.request(SET, change)?;
        Ok(owner)
    }

    fn listener(&mut self) -> io::Result<AuditSocket> {
        let listener = Self::listen()?;
        listener.widen(RECEIVE_BYTES);
        listener.keep_ends_away();
        Ok(listener)
    }
}

/// Room in the socket that records come to, so that a pause of the reader loses nothing.
const RECEIVE_BYTES: usize = 16 * 1024 * 1024;

/// What came from the kernel.
pub(super) enum Received {
    /// A message: its type, and its payload.
    Message(u16, Vec<u8>),
    /// Nothing within the wait.
    Nothing,
    /// The socket's buffer overflowed: messages are lost.
    Overflowed,
}

/// One audit socket.
pub(super) struct AuditSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl AuditSocket {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(AUDIT))?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(WAIT))?;
        Ok(Self { socket, buffer: vec![0; MESSAGE_BYTES_MAX], sequence: 0 })
    }

    /// Opens a socket that hears every record beside their owner (AUDIT_NLGRP_READLOG); it can ask for nothing.
    pub(super) fn listen() -> io::Result<Self> {
        const READLOG: u32 = 1;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(AUDIT))?;
        bind(&socket, &SocketAddrNetlink::new(0, READLOG))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(WAIT))?;
        Ok(Self { socket, buffer: vec![0; MESSAGE_BYTES_MAX], sequence: 0 })
    }

    /// A socket that nothing ever comes to, for a kernel of a test's own.
    #[cfg(test)]
    pub(super) fn deaf() -> io::Result<Self> {
        let (socket, _) = std::os::unix::net::UnixDatagram::pair()?;
        socket.set_read_timeout(Some(WAIT))?;
        Ok(Self { socket: socket.into(), buffer: vec![0; MESSAGE_BYTES_MAX], sequence: 0 })
    }

    /// Asks for a greater receive buffer, beyond the system's bound where that is allowed.
    pub(super) fn widen(&self, bytes: usize) {
        if sockopt::set_socket_recv_buffer_size_force(&self.socket, bytes).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&self.socket, bytes);
        }
    }

    /// Has the kernel keep back what the coalescer would only throw away; where that fails, it throws it away.
    fn keep_ends_away(&self) {
        let _ = super::filter_ffi::keep_ends_away(&self.socket);
    }

    /// Waits a moment for one message.
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        loop {
            let (_, n_bytes, from) = match recvfrom(&self.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok(received) => received,
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => return Ok(Received::Overflowed),
                Err(error) => return Err(error.into()),
            };
            // Only the kernel speaks from port 0; a process could send to our port too.
            if from.is_none_or(|from| !is_kernel(from)) {
                continue;
            }
            let message = self.buffer.get(..n_bytes.min(self.buffer.len())).unwrap_or_default();
            let kind = kind_of(message);
            // The length in the header is wrong in some kernels: the datagram's own length counts.
            if let Some((kind, payload)) = kind.zip(message.get(HEADER_BYTES..)) {
                return Ok(Received::Message(kind, payload.to_vec()));
            }
        }
    }

    /// Waits a moment for messages and hands over all that are there, at most [`MANY`]: one call of the system where
    /// [`Self::receive`] needs one for each, and the kernel audits its owner's calls, too.
    pub(super) fn receive_many(&self, room: &mut Room, mut take: impl FnMut(u16, &[u8])) -> io::Result<Many> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            room.bytes.chunks_exact_mut(RECORD_ROOM).map(|slice| [IoSliceMut::new(slice)]).collect();
        let mut headers = MultiHeaders::<NetlinkAddr>::preallocate(MANY, None);
        // Waits for the first one, up to the socket's own timeout, and then for none.
        let flags = MsgFlags::MSG_WAITFORONE;
        let received = match recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
            Ok(received) => received,
            Err(nix::errno::Errno::EAGAIN) => return Ok(Many::Nothing),
            // To be called again at once.
            Err(nix::errno::Errno::EINTR) => return Ok(Many::Some { is_full: true }),
            Err(nix::errno::Errno::ENOBUFS) => return Ok(Many::Overflowed),
            Err(error) => return Err(error.into()),
        };
        let mut n = 0_usize;
        for message in received {
            n = n.saturating_add(1);
            // Only the kernel speaks from port 0; a process could send to our port too.
            if message.address.is_none_or(|from| from.pid() != 0) {
                continue;
            }
            let Some(bytes) = message.iovs().next() else { continue };
            // The length in the header is wrong in some kernels: the datagram's own length counts.
            if let Some((kind, payload)) = kind_of(bytes).zip(bytes.get(HEADER_BYTES..)) {
                take(kind, payload);
            }
        }
        Ok(Many::Some { is_full: n == MANY })
    }

    /// Sends a request and waits until the kernel did it or refused.
    pub(super) fn request(&mut self, kind: u16, payload: &[u8]) -> io::Result<()> {
        self.send(kind, payload)?;
        self.answers(|kind, payload| match kind {
            NLMSG_ERROR => Some(result_of(payload)),
            _ => None,
        })
    }

    /// Asks for the one message of this type.
    pub(super) fn ask(&mut self, kind: u16) -> io::Result<Vec<u8>> {
        self.send(kind, &[])?;
        // Kernels before 4.10 answer a question for the features under the state's type.
        let is_answer = |answer: u16| answer == kind || kind == GET_FEATURE && answer == GET;
        self.answers(|answer, payload| match answer {
            NLMSG_ERROR => result_of(payload).err().map(Err),
            _ if is_answer(answer) => Some(Ok(payload.to_vec())),
            _ => None,
        })
    }

    /// Asks for all messages of this type, up to the last one.
    pub(super) fn ask_all(&mut self, kind: u16) -> io::Result<Vec<Vec<u8>>> {
        self.send(kind, &[])?;
        let mut all = Vec::new();
        self.answers(|answer, payload| match answer {
            NLMSG_ERROR => result_of(payload).err().map(Err),
            NLMSG_DONE => Some(Ok(())),
            _ if answer == kind => {
                all.push(payload.to_vec());
                None
            }
            _ => None,
        })?;
        Ok(all)
    }

    fn send(&mut self, kind: u16, payload: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(payload.len().saturating_add(HEADER_BYTES)).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(payload.len().saturating_add(HEADER_BYTES));
        message.extend_from_slice(&length.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        message.extend_from_slice(&self.sequence.to_ne_bytes());
        message.extend_from_slice(&0_u32.to_ne_bytes());
        message.extend_from_slice(payload);
        sendto(&self.socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        Ok(())
    }

    /// Reads until `take` has what it waits for.
    fn answers<T>(&mut self, mut take: impl FnMut(u16, &[u8]) -> Option<io::Result<T>>) -> io::Result<T> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        while Instant::now() < deadline {
            if let Received::Message(kind, payload) = self.receive()?
                && let Some(taken) = take(kind, &payload)
            {
                return taken;
            }
        }
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }
}

/// The type in a message's header.
fn kind_of(message: &[u8]) -> Option<u16> {
    message.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
}

fn is_kernel(from: SocketAddrAny) -> bool {
    SocketAddrNetlink::try_from(from).is_ok_and(|from| from.pid() == 0)
}

/// The error number of an answer, 0 for done.
fn result_of(payload: &[u8]) -> io::Result<()> {
    let number = payload.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
    match number {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number.saturating_neg())),
    }
}
