//! The one call of the audit socket that no safe library has: a filter in the kernel that keeps records away which nobody reads.
#![expect(unsafe_code, reason = "neither rustix nor nix attaches a socket filter")]

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::libc::{
    BPF_ABS, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, SO_ATTACH_FILTER, SOL_SOCKET, c_void,
    setsockopt, sock_filter, sock_fprog, socklen_t,
};

use crate::record::kind::EOE;

/// Where a netlink message has its type: two bytes in the host's order.
const TYPE_AT: u32 = 4;

/// The kernel drops EOE records before they come to the socket: one record in five, which only says that an event is over, as
/// its PROCTITLE did. An event without one (io_uring) is given out after [`crate::coalesce::PATIENCE`], whole all the same.
pub(super) fn keep_ends_away(socket: &OwnedFd) -> io::Result<()> {
    let step = |code: u32, jt: u8, jf: u8, k: u32| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    // Filters read what they load as big-endian.
    let eoe = u32::from(u16::from_be_bytes(EOE.to_ne_bytes()));
    let mut program = [
        step(BPF_LD | BPF_H | BPF_ABS, 0, 0, TYPE_AT),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, eoe),
        step(BPF_RET | BPF_K, 0, 0, 0),
        step(BPF_RET | BPF_K, 0, 0, u32::MAX),
    ];
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = sock_fprog { len, filter: program.as_mut_ptr() };
    let size = socklen_t::try_from(size_of::<sock_fprog>()).map_err(io::Error::other)?;
    // SAFETY: the socket is open, and the kernel copies the program of `len` steps before the call returns.
    let done = unsafe {
        setsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_ATTACH_FILTER,
            std::ptr::from_ref(&filter).cast::<c_void>(),
            size,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn ends_of_events_do_not_come_and_all_else_does() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let socket = OwnedFd::from(other.try_clone().unwrap());
        keep_ends_away(&socket).unwrap();
        for kind in [1300_u16, EOE, 1327, EOE, 1331] {
            let mut message = vec![0; 16];
            message[4..6].copy_from_slice(&kind.to_ne_bytes());
            let _ = one.send(&message);
        }
        other.set_nonblocking(true).unwrap();
        let mut kinds = Vec::new();
        let mut message = [0; 64];
        while let Ok(n) = other.recv(&mut message) {
            kinds.push((u16::from_ne_bytes([message[4], message[5]]), n));
        }
        assert_eq!(kinds, [(1300, 16), (1327, 16), (1331, 16)]);
    }
}
