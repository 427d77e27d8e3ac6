"""The last step of an export: vocabulary, labels and tokenizer go into the file, so that a client takes a string.

tflite-support's writers make the metadata, on a stand-in with the same inputs and outputs; LiteRT's own schema puts it
into the graph. Their `populate` on the graph itself would take it through the schema of 2023, which drops block-wise
quantisation, `builtin_options_2` and buffers that lie behind the flatbuffer.
"""

import contextlib
import ctypes
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from edgebert.bundle import (
    DESCRIPTION_FILE,
    LABELS_FILE,
    TFLITE_IDENTIFIER,
    VOCABULARY_FILE,
    Description,
    vocabulary_sha256,
)
from edgebert.data.batches import INPUT_NAMES
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.vocabulary import check_vocabulary
from edgebert.errors import ArtefactError, DataError, TokenizerError
from edgebert.export.editable import editable_bytes, read_editable

# Clients have no regression; to them it is a classifier of one label. Without one Task Library ends in a segfault.
REGRESSION_LABEL = "score"
METADATA_NAME = b"TFLITE_METADATA"
# What the clients' C++ has written into it: it looks these pieces up by text, and finds piece 0 where there is none.
CLIENTS_TOKENS = {
    "classify_token": "[CLS]",
    "separate_token": "[SEP]",
    "unknown_token": "[UNK]",
    "continuation_prefix": "##",
}
BUFFER_ALIGNMENT_BYTES = 16
# One date for every packed file: the same model and vocabulary give the same bytes.
PACKING_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Title:
    """What a person reads in the metadata."""

    name: str = "edgebert model"
    summary: str = "Made by edgebert from a BERT-family checkpoint."
    licence: str | None = None


def pack_metadata(
    model: bytes,
    *,
    vocabulary: Sequence[str],
    labels: Sequence[str] | None,
    tokenizer: TokenizerSettings,
    task: str,
    pooling: str,
    maximum_length: int,
    precision: str,
    provenance: Mapping[str, Any],
    title: Title | None = None,
) -> bytes:
    """Pack into a converted model what a client needs to be handed a string, and what we need to know it again.

    The inputs are found through the signature, by name. The result answers in the text classifiers of Task Library and
    MediaPipe (task `classification`) or in their text embedders (`embedding`).
    """
    graph = read_editable(model)
    names = _input_tensor_names(graph)
    if task == "regression":
        labels = labels or (REGRESSION_LABEL,)
    check_vocabulary(vocabulary, tokenizer, subject="vocabulary")
    _check_tokens(vocabulary, tokenizer)
    _check_labels(labels, _output_width(graph), task)
    description = Description(
        task=task,
        pooling=pooling,
        length=_length(graph),
        maximum_length=maximum_length,
        precision=precision,
        tokenizer=tokenizer,
        vocabulary_sha256=vocabulary_sha256(vocabulary),
        labels=tuple(labels) if labels else None,
        provenance=provenance,
    )
    files = _packed_files(vocabulary, description)
    answer = _output_meaning(graph, description)
    metadata = _write_metadata(_stand_in(graph), names, files, description, title or Title(), answer)
    return _append_zip(_insert_metadata(graph, metadata), files)


def _input_tensor_names(graph) -> dict[str, str]:
    """Signature name to tensor name. The converter reorders inputs, so nothing is found by its position."""
    tensors = graph.subgraphs[0].tensors
    inputs = graph.signatureDefs[0].inputs if graph.signatureDefs else []
    names = {entry.name.decode(): tensors[entry.tensorIndex].name.decode() for entry in inputs}
    if set(names) != set(INPUT_NAMES):
        raise ArtefactError(
            f"model: expected a signature with the inputs {', '.join(INPUT_NAMES)}, got "
            f"{', '.join(sorted(names)) or 'none'}. Do: convert it with a signature of these names."
        )
    return names


def _length(graph) -> int | None:
    subgraph = graph.subgraphs[0]
    tensor = subgraph.tensors[subgraph.inputs[0]]
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return None if signature[1] == -1 else int(signature[1])


def _output_width(graph) -> int:
    subgraph = graph.subgraphs[0]
    return int(subgraph.tensors[subgraph.outputs[0]].shape[-1])


def _check_tokens(vocabulary: Sequence[str], tokenizer: TokenizerSettings) -> None:
    """Refuse what no client can be told. Case and accents they do in their own way; `verify` shows where it matters."""
    for setting, fixed in CLIENTS_TOKENS.items():
        if getattr(tokenizer, setting) != fixed:
            raise TokenizerError(
                f"tokenizer: expected {fixed} as {setting}, got {getattr(tokenizer, setting)}. "
                "Do: use a checkpoint with BERT's special tokens; the clients know no others."
            )
    for number, piece in enumerate(vocabulary):
        if "\n" in piece or piece.endswith("\r"):
            raise TokenizerError(
                f"vocabulary: expected a text of one line, got {piece!r} as piece {number:,}. "
                "Do: restore the published file."
            )


def _check_labels(labels: Sequence[str] | None, outputs: int, task: str) -> None:
    if not labels:
        if task == "classification":
            raise DataError(f"labels: expected {outputs} names, got none. Do: hand over one for each output.")
        return
    if len(labels) != outputs:
        raise DataError(
            f"labels: expected {outputs} names, got {len(labels)}. Do: hand over one for each output, in their order."
        )
    for label in labels:
        if not label or "\n" in label or labels.count(label) > 1:
            raise DataError(f"labels: expected different names of one line, got {label!r}. Do: rename it.")


def _packed_files(vocabulary: Sequence[str], description: Description) -> dict[str, bytes]:
    files = {VOCABULARY_FILE: "\n".join(vocabulary).encode("utf-8")}
    if description.labels:
        files[LABELS_FILE] = "\n".join(description.labels).encode("utf-8")
    files[DESCRIPTION_FILE] = json.dumps(description.to_json(), ensure_ascii=False, indent=1).encode("utf-8")
    return files


def _stand_in(graph) -> bytes:
    """The graph's inputs and outputs, without operations and weights: all that a metadata writer looks at."""
    from ai_edge_litert import schema_py_generated as schema

    original = graph.subgraphs[0]
    subgraph = schema.SubGraphT()
    subgraph.tensors = [original.tensors[index] for index in (*original.inputs, *original.outputs)]
    subgraph.inputs = list(range(len(original.inputs)))
    subgraph.outputs = list(range(len(original.inputs), len(subgraph.tensors)))
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = graph.version, [subgraph], [schema.BufferT()]
    return editable_bytes(model)


def _write_metadata(
    stand_in: bytes,
    names: Mapping[str, str],
    files: Mapping[str, bytes],
    description: Description,
    title: Title,
    answer: str,
) -> bytes:
    """The metadata flatbuffer, as tflite-support's writer makes it. answer: what the output is, for a person."""
    _load_libusb()
    with _without_tensorflow():
        from tensorflow_lite_support.metadata.python import metadata
        from tensorflow_lite_support.metadata.python.metadata_writers import metadata_info, metadata_writer

    with tempfile.TemporaryDirectory(prefix="edgebert-metadata-") as folder:
        paths = {name: str(Path(folder, name)) for name in files}
        for name, content in files.items():
            Path(paths[name]).write_bytes(content)
        inputs = metadata_info.BertInputTensorsMd(
            stand_in,
            *(names[name] for name in INPUT_NAMES),
            tokenizer_md=metadata_info.BertTokenizerMd(paths[VOCABULARY_FILE]),
        )
        general = metadata_info.GeneralMd(title.name, description=title.summary, licenses=title.licence)
        model = general.create_metadata()
        ours = metadata_info.AssociatedFileMd(paths[DESCRIPTION_FILE], "Tokenizer settings, task and provenance.")
        model.associatedFiles = [ours.create_metadata()]
        writer = metadata_writer.MetadataWriter.create_from_metadata(
            stand_in,
            model,
            inputs.create_input_tesnor_metadata(),
            [_output_metadata(metadata_info, paths.get(LABELS_FILE), description.task, answer).create_metadata()],
            list(paths.values()),
            inputs.create_input_process_unit_metadata(),
        )
        return metadata.get_metadata_buffer(writer.populate())


def _output_metadata(metadata_info, labels_path: str | None, task: str, answer: str):
    if labels_path is None:
        return metadata_info.TensorMd(task, answer)
    # Task Library finds the scores under this name.
    labels = metadata_info.LabelFileMd(labels_path)
    return metadata_info.ClassificationTensorMd("probability", answer, [labels])


def _output_meaning(graph, description: Description) -> str:
    """In words; of integers how they are read too, which clients find in the tensor."""
    answer = "Score of each label" if description.labels else "The model's answer"
    subgraph = graph.subgraphs[0]
    quantization = subgraph.tensors[subgraph.outputs[0]].quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return f"{answer}."
    return f"{answer}: (integer - {quantization.zeroPoint[0]}) x {quantization.scale[0]:.9g}."


def _load_libusb() -> None:
    # Works around tflite-support 0.4.4: its libraries, the metadata writer's too, link libusb and no wheel brings it.
    import libusb_package

    ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """tflite-support would import TensorFlow only to open files with it: 5 s, and its remarks on stderr."""
    hidden = "tensorflow" not in sys.modules
    if hidden:
        sys.modules["tensorflow"] = None
    try:
        yield
    finally:
        if hidden:
            del sys.modules["tensorflow"]


def _insert_metadata(graph, metadata: bytes) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    entry = next((each for each in graph.metadata or [] if each.name == METADATA_NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = METADATA_NAME, len(graph.buffers)
        graph.metadata = [*(graph.metadata or []), entry]
        graph.buffers.append(schema.BufferT())
    graph.buffers[entry.buffer].data = metadata
    for each in graph.buffers:
        if each.data is not None:
            # The schema's packer writes an array at once and anything else byte by byte.
            each.data = np.frombuffer(each.data, np.uint8)
    builder = _AligningBuilder()
    builder.Finish(graph.Pack(builder), file_identifier=TFLITE_IDENTIFIER)
    return bytes(builder.Output())


class _AligningBuilder(flatbuffers.Builder):
    """Places constant data as the schema's `force_align: 16` asks, which Python's packer does not know."""

    def StartVector(self, item_bytes, count, alignment_bytes):  # noqa: N802, the library's name
        return super().StartVector(item_bytes, count, BUFFER_ALIGNMENT_BYTES if item_bytes == 1 else alignment_bytes)


def _append_zip(model: bytes, files: Mapping[str, bytes]) -> bytes:
    with io.BytesIO() as target:
        target.write(model)
        with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, PACKING_DATE), content)
        return target.getvalue()
