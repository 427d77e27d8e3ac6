"""Our safetensors against the safetensors library: the same bytes written, the same values read, and its refusals."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgebert.errors import CheckpointError
from edgebert.models.tensor_file import TYPE_BITS, StoredTensor, read_tensor_file, tensor_file_bytes
from tests.data.house_form import assert_house_form
from tests.models.folders import CASES, REFERENCE, WEIGHTS

ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def file_bytes(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_tensor_file(path)
    message = str(caught.value)
    assert_house_form(message)
    assert message.startswith(f"{path}: ") and len(message) < len(str(path)) + 500
    return message


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_read_as_the_library_reads_it_and_written_as_it_was(case: str) -> None:
    path = REFERENCE / case / WEIGHTS
    file, library = read_tensor_file(path), safetensors.numpy.load_file(path)
    assert file.tensors.keys() == library.keys()
    for name, values in library.items():
        ours = file.tensors[name]
        np.testing.assert_array_equal(ours.integers() if values.dtype == np.int64 else ours.float32(), values)
    assert tensor_file_bytes(dict(reversed(file.tensors.items())), file.metadata) == path.read_bytes()


def test_every_type_is_laid_out_as_the_library_lays_it_out() -> None:
    numpy_types = "bool uint8 int8 int16 uint16 float16 bfloat16 int32 uint32 float32 float64 int64 uint64 complex64"
    arrays = {}
    for number, name in enumerate(numpy_types.split()):
        for shape in ((3,), (), (0, 2)):
            arrays[f"{name} “{number % 3}” \t {shape}"] = np.ones(shape, np.dtype(name))
    written = safetensors.numpy.save(arrays, metadata={"format": "pt"})
    from_library = dict(safetensors.deserialize(written))
    stored = {
        name: StoredTensor(entry["dtype"], tuple(entry["shape"]), bytes(entry["data"]))
        for name, entry in from_library.items()
    }
    assert len({tensor.type_name for tensor in stored.values()}) == 14
    assert tensor_file_bytes(stored, {"format": "pt"}) == written


@pytest.mark.parametrize("type_name", ["float16", "bfloat16", "float64"])
def test_other_floating_point_types_become_the_nearest_float32(type_name: str, tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(size=(5, 7)).astype(type_name)
    safetensors.numpy.save_file({"a": values}, tmp_path / "a")
    read = read_tensor_file(tmp_path / "a").tensors["a"].float32()
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.astype(np.float32))


def test_whole_numbers_and_booleans_are_no_weights(tmp_path: Path) -> None:
    for name in ("int8", "int64", "bool"):
        safetensors.numpy.save_file({"a": np.ones(3, name)}, tmp_path / name)
        assert read_tensor_file(tmp_path / name).tensors["a"].float32() is None


def test_the_type_table_is_the_librarys(tmp_path: Path) -> None:
    """A type that one of the two does not know would make one refuse what the other reads."""
    for name, bits in TYPE_BITS.items():
        content = file_bytes({"a": {"dtype": name, "shape": [8], "data_offsets": [0, bits]}}, b"\0" * bits)
        assert dict(safetensors.deserialize(content))["a"]["dtype"] == name
        (tmp_path / name).write_bytes(content)
        assert read_tensor_file(tmp_path / name).tensors["a"].type_name == name


BROKEN = {
    "empty": (b"", "at least 8 bytes, got 0"),
    "shorter than a length": (b"1234567", "got 7"),
    "huge length": (struct.pack("<Q", 2**63) + b"{}", "a header of at most 2 bytes, got a length of 9,223,372,036,854"),
    "length beyond the end": (struct.pack("<Q", 99) + b"{}", "a length of 99"),
    "no JSON": (file_bytes(b"{]"), "a header in JSON"),
    "no UTF-8": (file_bytes(b'{"\xff": 1}'), "a header in JSON"),
    "nested without end": (file_bytes(b"[" * 100_000), "a header in JSON"),
    "a number without end": (file_bytes(b'{"a": ' + b"9" * 10_000 + b"}"), "a header in JSON"),
    "a list": (file_bytes([1]), "a JSON object as header, got list"),
    "metadata of numbers": (file_bytes({"__metadata__": {"a": 1}}), "texts as __metadata__"),
    "metadata as text": (file_bytes({"__metadata__": "pt"}), "texts as __metadata__"),
    "an entry that is none": (file_bytes({"weight": 3}), "types for weight, got None"),
    "unknown type": (file_bytes({"weight": {**ENTRY, "dtype": "F128"}}, b"1234"), "types for weight, got F128"),
    "type that is no text": (file_bytes({"weight": {**ENTRY, "dtype": ["F32"]}}, b"1234"), "got ['F32']"),
    "negative size": (file_bytes({"weight": {**ENTRY, "shape": [-1]}}, b"1234"), "a shape for weight, got [-1]"),
    "size that is no whole number": (file_bytes({"weight": {**ENTRY, "shape": [1.0]}}, b"1234"), "got [1.0]"),
    "size that is a boolean": (file_bytes({"weight": {**ENTRY, "shape": [True]}}, b"1234"), "got [True]"),
    "no shape": (file_bytes({"weight": {"dtype": "F32", "data_offsets": [0, 4]}}, b"1234"), "got None"),
    "too many sizes": (file_bytes({"weight": {**ENTRY, "shape": [1] * 65}}, b"1234"), "a shape for weight"),
    "size beyond any file": (file_bytes({"weight": {**ENTRY, "shape": [2**64]}}, b"1234"), "a shape for weight"),
    "one offset": (file_bytes({"weight": {**ENTRY, "data_offsets": [0]}}, b"1234"), "begin and end for weight"),
    "backward": (file_bytes({"weight": {**ENTRY, "data_offsets": [4, 0]}}, b"1234"), "F32 [1] takes, got -4"),
    "shape and bytes differ": (file_bytes({"weight": {**ENTRY, "shape": [2]}}, b"1234"), "F32 [2] takes, got 4"),
    "beyond the end": (file_bytes({"weight": ENTRY}, b"123"), "4 bytes of data, as the header says, got 3"),
    "bytes left over": (file_bytes({"weight": ENTRY}, b"12345"), "4 bytes of data, as the header says, got 5"),
    "overlapping": (file_bytes({"a": ENTRY, "b": ENTRY}, b"1234"), "b to begin at byte 4 of the data, got 0"),
    "a hole": (
        file_bytes({"a": ENTRY, "b": {**ENTRY, "data_offsets": [8, 12]}}, b"123456789012"),
        "b to begin at byte 4 of the data, got 8",
    ),
    "a name twice": (
        file_bytes(b'{"a": %s, "a": %s}' % ((json.dumps(ENTRY).encode(),) * 2), b"1234"),
        "each name of the header once, got a twice",
    ),
    "a field twice": (
        file_bytes(b'{"a": {"dtype": "F32", "dtype": "F16", "shape": [1], "data_offsets": [0, 4]}}', b"1234"),
        "got dtype twice",
    ),
    "a name of two lines": (file_bytes({"a\nb": {**ENTRY, "shape": [7]}}, b"1234"), r"'a\nb'"),
    "a name without end": (file_bytes({"x" * 9999: {**ENTRY, "shape": [7]}}, b"1234"), "xxx..."),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_with_its_reason(what: str, tmp_path: Path) -> None:
    content, reason = BROKEN[what]
    assert reason in refusal(tmp_path / WEIGHTS, content)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = (REFERENCE / "bert" / WEIGHTS).read_bytes()
    for size in (*range(0, 300, 7), len(content) // 2, len(content) - 4, len(content) - 1):
        refusal(tmp_path / WEIGHTS, content[:size])


def test_a_header_too_large_for_an_encoder_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**30))
        file.truncate(2**31)  # a sparse file
    with pytest.raises(CheckpointError, match="a header of at most 16,777,216 bytes"):
        read_tensor_file(path)


def test_the_values_are_not_copied() -> None:
    file = read_tensor_file(REFERENCE / "bert" / WEIGHTS)
    values = file.tensors["classifier.weight"].float32()
    assert not values.flags.owndata and not values.flags.writeable
