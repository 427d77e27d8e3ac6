"""TensorBoard's event files read without TensorFlow, which a report must not need.

A file is a chain of records (length, checksum of it, content, checksum of it), each an Event message; of that only the
step and the scalars of its summary are taken. The reading ends at the first record that is cut or damaged, as
TensorBoard's does: a killed run leaves such a one.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Field numbers of tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
_EVENT_STEP, _EVENT_SUMMARY, _SUMMARY_VALUE, _VALUE_TAG, _VALUE_SCALAR = 2, 5, 1, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_CASTAGNOLI = 0x82F63B78
# TFRecord stores checksums rotated and shifted, so that a checksum of checksums stays one.
_MASK_DELTA, _WORD = 0xA282EAD8, 0xFFFFFFFF


@dataclass(frozen=True)
class Scalars:
    step: int
    values: dict[str, float]


def read_events(path: Path) -> Iterator[Scalars]:
    """The events with scalars, in the file's order."""
    for record in _records(path.read_bytes()):
        try:
            scalars = _scalars(record)
        except (ValueError, IndexError, struct.error):
            return
        if scalars.values:
            yield scalars


def _records(content: bytes) -> Iterator[bytes]:
    place = 0
    while place + _LENGTH.size + 2 * _CHECKSUM.size <= len(content):
        length_bytes = content[place : place + _LENGTH.size]
        (length,) = _LENGTH.unpack(length_bytes)
        start = place + _LENGTH.size + _CHECKSUM.size
        place = start + length + _CHECKSUM.size
        if place > len(content):
            return
        record = content[start : start + length]
        (of_length,) = _CHECKSUM.unpack_from(content, start - _CHECKSUM.size)
        (of_record,) = _CHECKSUM.unpack_from(content, start + length)
        if (of_length, of_record) != (_masked_checksum(length_bytes), _masked_checksum(record)):
            return
        yield record


def _scalars(event: bytes) -> Scalars:
    step, values = 0, {}
    for field, content in _fields(event):
        if field == _EVENT_STEP and isinstance(content, int):
            step = content
        elif field == _EVENT_SUMMARY and isinstance(content, bytes):
            for _, value in (each for each in _fields(content) if each[0] == _SUMMARY_VALUE):
                values.update(_tagged(value))
    return Scalars(step, values)


def _tagged(message: int | float | bytes) -> dict[str, float]:
    tag, scalar = None, None
    for field, content in _fields(message if isinstance(message, bytes) else b""):
        if field == _VALUE_TAG and isinstance(content, bytes):
            tag = content.decode("utf-8")
        elif field == _VALUE_SCALAR and isinstance(content, float):
            scalar = content
    return {} if tag is None or scalar is None else {tag: scalar}


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Number and content of each field; 32-bit ones are floats in all that is read here."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            content, place = _varint(message, place)
        elif kind == _FIXED64:
            content, place = message[place : place + 8], place + 8
        elif kind == _FIXED32:
            (content,), place = struct.unpack_from("<f", message, place), place + 4
        elif kind == _BYTES:
            length, place = _varint(message, place)
            content, place = message[place : place + length], place + length
        else:
            raise ValueError(f"wire type {kind}")
        if place > len(message):
            raise ValueError("a field that ends behind its message")
        yield key >> 3, content


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _checksum_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _checksum_table()


def _masked_checksum(content: bytes) -> int:
    """CRC-32C, masked as TFRecord has it."""
    checksum = _WORD
    for byte in content:
        checksum = _TABLE[(checksum ^ byte) & 255] ^ checksum >> 8
    checksum ^= _WORD
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & _WORD
