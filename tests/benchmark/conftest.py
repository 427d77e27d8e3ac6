"""The tiny models of the golden folder, bare and with their vocabulary packed as an export packs it."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from edgebert.bundle import DESCRIPTION_FILE, VOCABULARY_FILE, Description, vocabulary_sha256
from edgebert.data.tokenizer_settings import TokenizerSettings
from tests.conftest import GOLDEN

VOCABULARY = GOLDEN / "tiny_vocab.txt"
DYNAMIC = GOLDEN / "tiny_dynamic_length.tflite"
FIXED = GOLDEN / "tiny_fixed_length.tflite"
WITHOUT_SEGMENTS = GOLDEN / "tiny_without_segments.tflite"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The model of dynamic length with its vocabulary and its description appended as a zip."""
    path = tmp_path / "packed.tflite"
    shutil.copy(DYNAMIC, path)
    pieces = tuple(VOCABULARY.read_text().splitlines())
    description = Description(
        task="classification",
        pooling="first",
        length=None,
        maximum_length=40,
        precision="float32",
        tokenizer=TokenizerSettings(),
        vocabulary_sha256=vocabulary_sha256(pieces),
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(VOCABULARY, VOCABULARY_FILE)
        archive.writestr(DESCRIPTION_FILE, json.dumps(description.to_json()))
    return path
