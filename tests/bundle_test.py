"""What is packed beside the graph comes back as it was, and whatever else is in a file is one line of error."""

import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.bundle import DESCRIPTION_FORMAT, Bundle, Description, read_bundle, vocabulary_sha256
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.errors import ArtefactError
from tests.conftest import GOLDEN
from tests.export.client_models import LABELS, VOCABULARY, graph, pack, repack

FOREIGN = GOLDEN / "tiny_fixed_length.tflite"


@pytest.fixture(scope="module")
def packed() -> bytes:
    return pack(graph())


def write(folder: Path, content: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return path


def assert_one_line_error(path: Path) -> str:
    with pytest.raises(ArtefactError) as caught:
        read_bundle(path)
    message = str(caught.value)
    assert "\n" not in message and ": expected " in message and "Do: " in message
    return message


descriptions = st.builds(
    Description,
    task=st.sampled_from(["classification", "regression", "embedding"]),
    pooling=st.sampled_from(["first", "mean", "pooler"]),
    length=st.none() | st.integers(2, 512),
    maximum_length=st.integers(2, 512),
    precision=st.text(max_size=9),
    tokenizer=st.builds(TokenizerSettings, lowercase=st.booleans(), strip_accents=st.none() | st.booleans()),
    vocabulary_sha256=st.text(max_size=9),
    labels=st.none() | st.lists(st.text()).map(tuple),
    provenance=st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none()),
)


@given(descriptions)
def test_a_description_survives_json(description: Description) -> None:
    assert Description.from_json(json.loads(json.dumps(description.to_json()))) == description


def test_what_was_packed_comes_back(tmp_path: Path, packed: bytes) -> None:
    bundle = read_bundle(write(tmp_path, packed))
    assert bundle.vocabulary == VOCABULARY
    assert bundle.labels == LABELS
    assert bundle.description == Description(
        task="classification",
        pooling="first",
        length=None,
        maximum_length=512,
        precision="float32",
        tokenizer=TokenizerSettings(),
        vocabulary_sha256=vocabulary_sha256(VOCABULARY),
        labels=LABELS,
        provenance={"checkpoint_sha256": "0" * 64},
    )


def test_only_a_newline_ends_a_piece(tmp_path: Path) -> None:
    vocabulary = (*VOCABULARY, "a\u2028b", "\u0085", "\u2029", "c\x0bd", "\x1c")
    assert read_bundle(write(tmp_path, pack(graph(), vocabulary=vocabulary))).vocabulary == vocabulary


def test_a_file_of_another_maker_has_nothing_of_ours() -> None:
    assert read_bundle(FOREIGN) == Bundle(None, None, None)


def test_bytes_that_look_like_a_zips_end_are_no_zip(tmp_path: Path) -> None:
    weights_by_chance = b"PK\x05\x06" + b"\x01" * 18
    assert read_bundle(write(tmp_path, FOREIGN.read_bytes() + weights_by_chance)) == Bundle()


@pytest.mark.parametrize("content", [b"", b"short", b"PK\x03\x04" * 20, b"\x1c\0\0\0TFL2" + b"\0" * 99])
def test_what_is_no_tflite_is_refused(tmp_path: Path, content: bytes) -> None:
    assert_one_line_error(write(tmp_path, content))


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "No such file" in assert_one_line_error(tmp_path / "missing.tflite")
    assert "directory" in assert_one_line_error(tmp_path).lower()


def test_a_file_cut_anywhere_in_its_packed_part_is_refused(tmp_path: Path, packed: bytes) -> None:
    start = packed.index(b"PK\x03\x04")
    name_end = start + 30 + len("vocab.txt")
    for end in [*range(name_end, len(packed), 97), *range(len(packed) - 30, len(packed))]:
        assert "damaged" in assert_one_line_error(write(tmp_path, packed[:end]))


def test_a_file_cut_before_its_packed_part_has_none(tmp_path: Path, packed: bytes) -> None:
    assert read_bundle(write(tmp_path, packed[: packed.index(b"PK\x03\x04")])) == Bundle()


def test_changed_bytes_never_end_in_a_traceback(tmp_path: Path, packed: bytes) -> None:
    draw = random.Random(0)
    start = packed.index(b"PK\x03\x04")
    for _ in range(600):
        changed = bytearray(packed)
        # Half of them in the directory at the end, where zipfile is least careful.
        first = start if draw.random() < 0.5 else len(packed) - 230
        for _ in range(draw.randint(1, 4)):
            changed[draw.randrange(first, len(changed))] = draw.randrange(256)
        try:
            read_bundle(write(tmp_path, bytes(changed)))
        except ArtefactError as error:
            assert "\n" not in str(error)


def test_an_entry_that_claims_to_be_huge_is_refused(tmp_path: Path, packed: bytes) -> None:
    start = packed.index(b"PK\x03\x04")
    target = io.BytesIO(packed[:start])
    target.seek(0, io.SEEK_END)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vocab.txt", b"\0" * 70_000_000)
    assert "claims" in assert_one_line_error(write(tmp_path, target.getvalue()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "Expecting"),
        (b"[]", "list"),
        (b"{}", "no 'format'"),
        (b'{"format": 1}', "no 'task'"),
        (b'{"format": 2}', "format 2"),
        (b"\xff", "utf-8"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_description_that_is_none_is_refused(tmp_path: Path, packed: bytes, content: bytes, said: str) -> None:
    assert said in assert_one_line_error(write(tmp_path, repack(packed, edgebert_json=content)))


@pytest.mark.parametrize("field", ["task", "length", "tokenizer", "labels", "provenance"])
def test_a_field_of_the_wrong_type_is_refused(tmp_path: Path, packed: bytes, field: str) -> None:
    content = read_bundle(write(tmp_path, packed)).description.to_json() | {field: True}
    message = assert_one_line_error(write(tmp_path, repack(packed, edgebert_json=json.dumps(content).encode())))
    assert field in message and str(DESCRIPTION_FORMAT) in message


def test_a_vocabulary_that_is_not_utf8_is_refused(tmp_path: Path, packed: bytes) -> None:
    assert "UTF-8" in assert_one_line_error(write(tmp_path, repack(packed, vocab_txt=b"[PAD]\n\xff")))


def test_it_needs_the_standard_library_alone() -> None:
    code = """
import sys
for name in ("numpy", "tensorflow", "ai_edge_litert", "tokenizers", "flatbuffers"):
    sys.modules[name] = None
import edgebert.bundle
"""
    subprocess.run([sys.executable, "-c", code], check=True)
