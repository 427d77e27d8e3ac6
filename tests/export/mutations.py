"""Damaged copies of a file, from a seed: flipped bits, cuts, splices, and length fields set to extremes."""

import struct

import numpy as np

EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)


def mutate(content: bytes, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    damaged = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        _KINDS[int(random.integers(len(_KINDS)))](damaged, random)
    return bytes(damaged)


def _position(damaged: bytearray, random, size_bytes: int = 1) -> int:
    # Half of the damage goes where the structure is dense: the two ends of the table part.
    reach = len(damaged) if random.random() < 0.5 else min(len(damaged), 4096)
    start = int(random.integers(0, max(reach - size_bytes, 1)))
    return start if random.random() < 0.5 else max(len(damaged) - size_bytes - start, 0)


def _flip_bits(damaged: bytearray, random) -> None:
    for _ in range(int(random.integers(1, 9))):
        if damaged:
            damaged[_position(damaged, random)] ^= 1 << int(random.integers(8))


def _set_extreme(damaged: bytearray, random) -> None:
    """A 32-bit field, aligned as lengths and offsets are."""
    position = _position(damaged, random, 4) // 4 * 4
    if position + 4 <= len(damaged):
        value = int(EXTREMES[int(random.integers(len(EXTREMES)))])
        struct.pack_into("<I", damaged, position, value)


def _shift_offset(damaged: bytearray, random) -> None:
    position = _position(damaged, random, 4) // 4 * 4
    if position + 4 <= len(damaged):
        value = struct.unpack_from("<I", damaged, position)[0] + int(random.integers(-64, 65)) * 4
        struct.pack_into("<I", damaged, position, value & 0xFFFFFFFF)


def _cut(damaged: bytearray, random) -> None:
    del damaged[int(random.integers(0, len(damaged) + 1)) :]


def _splice(damaged: bytearray, random) -> None:
    """A piece of the file over another piece of it."""
    size_bytes = int(random.integers(1, 257))
    source, target = _position(damaged, random, size_bytes), _position(damaged, random, size_bytes)
    damaged[target : target + size_bytes] = damaged[source : source + size_bytes]


def _remove(damaged: bytearray, random) -> None:
    size_bytes, position = int(random.integers(1, 33)), _position(damaged, random)
    del damaged[position : position + size_bytes]


_KINDS = (_flip_bits, _flip_bits, _set_extreme, _set_extreme, _shift_offset, _shift_offset, _cut, _splice, _remove)
