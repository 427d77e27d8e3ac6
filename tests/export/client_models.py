"""Small models for the tests of packing and of clients, made from one committed file without TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.export.clients.environments import install
from edgebert.export.clients.process import ask_version
from edgebert.export.clients.registry import INSTALLABLE
from edgebert.export.metadata import pack_metadata
from tests.caching import kept_cache
from tests.conftest import GOLDEN

LABELS = ("negative", "positive")
VOCABULARY = tuple((GOLDEN / "tiny_vocab.txt").read_text("utf-8").removesuffix("\n").split("\n"))
POSITIONS = 512
TEXTS = (
    "the film is good",
    "a film, not good",
    "the order!",
    "is the order good?",
    "and the ending",
    "not ordered and not good - a mess",
    "x",
    "",
    "aaa bbb ccc ddd eee fff ggg hhh",
    "What a Good Film",
)


def graph(length: int | None = None) -> bytes:
    """The tiny classifier of two labels in float32, of dynamic length or cut to `length`, with sharper answers."""
    model = flatbuffer_utils.read_model(GOLDEN / "tiny_dynamic_length.tflite")
    subgraph = model.subgraphs[0]
    sharpen(model, subgraph)
    if length is not None:
        for index in subgraph.inputs:
            subgraph.tensors[index].shape, subgraph.tensors[index].shapeSignature = [1, length], None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def sharpen(model, subgraph) -> None:
    """Scale the last layer, whose random weights answer every text with nearly the same score."""
    softmax = next(operator for operator in reversed(subgraph.operators))
    logits = softmax.inputs[0]
    last = next(operator for operator in subgraph.operators if operator.outputs[0] == logits)
    buffer = model.buffers[subgraph.tensors[last.inputs[1]].buffer]
    buffer.data = (np.frombuffer(bytes(buffer.data), np.float32) * 4).view(np.uint8)


def pack(model: bytes, **changed) -> bytes:
    """Pack with this module's vocabulary and labels; any argument of pack_metadata can be another."""
    arguments = {
        "vocabulary": VOCABULARY,
        "labels": LABELS,
        "tokenizer": TokenizerSettings(),
        "task": "classification",
        "pooling": "first",
        "maximum_length": POSITIONS,
        "precision": "float32",
        "provenance": {"checkpoint_sha256": "0" * 64},
    }
    return pack_metadata(model, **(arguments | changed))


def repack(packed: bytes, **changed: bytes | None) -> bytes:
    """Exchange packed files without touching the graph, as a careless tool would; `labels_txt=None` removes one."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files |= {name.replace("_", "."): content for name, content in changed.items()}
    start = packed.index(b"PK\x03\x04")
    target = io.BytesIO()
    target.write(packed[:start])
    with zipfile.ZipFile(target, "a") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)
    return target.getvalue()


@pytest.fixture(scope="session")
def client_cache(pytestconfig: pytest.Config):
    """Both clients installed by pip, once: in EDGEBERT_CACHE where it is set, else in pytest's own cache."""
    with kept_cache(pytestconfig) as folder:
        for client in INSTALLABLE:

            def check(python: Path, client=client) -> str:
                reply = ask_version(client, python)
                assert reply.version is not None, reply.failure
                return reply.version

            install(client, check, print)
        yield folder
