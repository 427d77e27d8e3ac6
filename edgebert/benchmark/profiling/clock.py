"""A clock for an emulated core that cuts instead of telling the time. Runs in the guest: numpy and LiteRT only.

LiteRT's profiler looks at the clock where each operator begins and ends. Here that look is a mark for the counting
plugin, and the time it is told grows by 1, 2, 3, ... microseconds: what the profiler calls an operator's time is then
the number of the segment in which it ran.
"""

import ctypes
import mmap

# Between two looks, the clock's own part: what is before the mark of the one, and behind that of the other.
OWN_INSTRUCTIONS = 17
_STATE = 256
_PAGE_BYTES = 4096
_READ_WRITE_EXECUTE = 7
_UMASK_SYSCALL = 166


def _move(register: int, value: int, upper_half: bool = False) -> int:
    """MOVZ of the lower sixteen bits, or MOVK of those above."""
    if upper_half:
        return 0xF2A00000 | (value >> 16 & 0xFFFF) << 5 | register
    return 0xD2800000 | (value & 0xFFFF) << 5 | register


def _code(mark_argument: int) -> bytes:
    """clock_gettime(w0, x1) for ARM64; its state is two numbers, looks and nanoseconds, _STATE bytes behind it."""
    words = (
        0x10000000 | (_STATE // 4) << 5 | 10,  # adr x10, state
        0xF940014B,  # ldr x11, [x10]
        0x9100056B,  # add x11, x11, 1
        0xF900014B,  # str x11, [x10]
        0xF940054C,  # ldr x12, [x10, 8]
        _move(13, 1000),
        0x9B0D316C,  # madd x12, x11, x13, x12
        0xF900054C,  # str x12, [x10, 8]
        0xA900303F,  # stp xzr, x12, [x1]
        _move(0, mark_argument),
        _move(0, mark_argument, upper_half=True),
        _move(8, _UMASK_SYSCALL),
        0xD4000001,  # svc 0
        _move(0, 0),
        0xD65F03C0,  # ret
    )
    return b"".join(word.to_bytes(4, "little") for word in words)


class CuttingClock:
    """Takes the place of libc's clock_gettime for the rest of the process, which must end by os._exit."""

    def __init__(self, mark_argument: int) -> None:
        self._page = mmap.mmap(-1, _PAGE_BYTES, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(_code(mark_argument))
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        libc = ctypes.CDLL(None)
        replaced = ctypes.cast(libc.clock_gettime, ctypes.c_void_p).value
        pages = ctypes.c_void_p(replaced & -_PAGE_BYTES)
        if libc.mprotect(pages, ctypes.c_size_t(2 * _PAGE_BYTES), _READ_WRITE_EXECUTE):
            raise RuntimeError("expected libc's code to be writable on the emulated core, got a refusal")
        # ldr x16, 8 bytes on; br x16
        jump = 0xD61F0200_58000050.to_bytes(8, "little") + address.to_bytes(8, "little")
        ctypes.memmove(replaced, jump, len(jump))

    def reset(self) -> None:
        """The next look is the first."""
        self._page[_STATE : _STATE + 16] = bytes(16)
