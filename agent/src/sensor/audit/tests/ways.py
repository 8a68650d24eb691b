"""Ways to open a file that a plain rule on its folder does not see. Usage: ways.py WAY PATH"""
import ctypes
import mmap
import os
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def io_uring(path, flags):
    """One openat through a ring; with SQPOLL it is a thread of the kernel that opens."""
    params = bytearray(120)
    struct.pack_into("II", params, 8, flags, 0)
    buffer = (ctypes.c_char * 120).from_buffer(params)
    ring = checked(libc.syscall(425, 4, buffer))
    entries, completions = struct.unpack_from("II", params, 0)
    sq = struct.unpack_from("10I", params, 40)
    cq = struct.unpack_from("10I", params, 80)
    size = max(sq[6] + entries * 4, cq[5] + completions * 16)
    rings = mmap.mmap(ring, size, mmap.MAP_SHARED | 0x8000, offset=0)
    entry = mmap.mmap(ring, entries * 64, mmap.MAP_SHARED | 0x8000, offset=0x10000000)
    name = ctypes.create_string_buffer(path.encode())
    # opcode OPENAT, flags, ioprio, fd, off, addr, len (mode), open_flags, user_data
    struct.pack_into("<BBHiQQIIQ", entry, 0, 18, 0, 0, AT_FDCWD, 0, ctypes.addressof(name), 0, 0, 7)
    struct.pack_into("I", rings, sq[6], 0)
    struct.pack_into("I", rings, sq[1], 1)
    if flags & 2:
        # Until the kernel's thread has put the result into the ring.
        until = time.monotonic() + 10
        while struct.unpack_from("I", rings, cq[1])[0] == 0 and time.monotonic() < until:
            libc.syscall(426, ring, 0, 0, 2, None, 0)
            os.sched_yield()
    else:
        checked(libc.syscall(426, ring, 1, 1, 1, None, 0))
    print("result", struct.unpack_from("i", rings, cq[5] + 8)[0])


def handle(path):
    """A handle that was got earlier opens the file without its name."""
    raw = ctypes.create_string_buffer(8 + 128)
    struct.pack_into("I", raw, 0, 128)
    mount = ctypes.c_int()
    checked(libc.name_to_handle_at(AT_FDCWD, path.encode(), raw, ctypes.byref(mount), 0))
    folder = os.open(os.path.dirname(os.path.dirname(path)), os.O_RDONLY)
    print("opened", checked(libc.open_by_handle_at(folder, raw, os.O_RDONLY)))


def int80(path):
    """The open of 32-bit programs, from this 64-bit one: int 0x80."""
    low = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
    at = ctypes.addressof(ctypes.c_char.from_buffer(low))
    low[4096:4096 + len(path) + 1] = path.encode() + b"\0"
    # push rbx; mov eax, 5; mov ebx, path; xor ecx, ecx; xor edx, edx; int 0x80; pop rbx; ret
    code = b"\x53\xb8\x05\0\0\0\xbb" + struct.pack("<I", at + 4096) + b"\x31\xc9\x31\xd2\xcd\x80\x5b\xc3"
    low[:len(code)] = code
    print("result", ctypes.CFUNCTYPE(ctypes.c_int)(at)())


WAYS = {
    "io_uring": lambda path: io_uring(path, 0),
    "sqpoll": lambda path: io_uring(path, 2),
    "handle": handle,
    "int80": int80,
}
WAYS[sys.argv[1]](sys.argv[2])
