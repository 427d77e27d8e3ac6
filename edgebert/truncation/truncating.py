"""A smaller encoder cut out of a larger one: the same channels everywhere, fewer heads and neurons in every block."""

from collections.abc import Sequence

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.models.weights import encoder_rows
from edgebert.truncation.choosing import Kept, KeptBlock, teacher_blocks
from edgebert.truncation.heads import pooler_and_head
from edgebert.truncation.refitting import columns, query_key_bases, refit, refit_norm, value_basis
from edgebert.truncation.tables import EMBEDDINGS, embedding_tables
from edgebert.truncation.values import BlockSpread, Source, Spread, TeacherSpread

Tensors = dict[str, np.ndarray]


def from_layers(
    teacher: Source,
    student: EncoderConfig,
    head: HeadConfig,
    layers: tuple[int, ...],
    vocabulary_rows: Sequence[int] | None = None,
) -> Tensors:
    """Whole layers of a teacher of the same width, counted from 1 (DistilBERT's start)."""
    channels = range(student.width)
    tensors = embedding_tables(teacher, student, channels, vocabulary_rows)
    blocks = teacher_blocks(student, teacher.config, layers)
    for row in encoder_rows(student, None):
        if row.ours.startswith("encoder.blocks."):
            _, _, number, rest = row.ours.split(".", 3)
            tensors[row.ours] = teacher.tensors[f"encoder.blocks.{blocks[int(number)]}.{rest}"]
        elif row.ours.startswith(f"{EMBEDDINGS}norm."):
            tensors[row.ours] = teacher.tensors[row.ours]
    return tensors | pooler_and_head(teacher, student, head, channels, vocabulary_rows=vocabulary_rows)


def truncated(
    teacher: Source,
    student: EncoderConfig,
    head: HeadConfig,
    kept: Kept,
    spread: TeacherSpread | None = None,
    vocabulary_rows: Sequence[int] | None = None,
) -> Tensors:
    """The student that keeps what `kept` says; with a spread, what is kept is refitted to stand in for the rest."""
    channels = np.asarray(kept.channels)
    tensors = embedding_tables(teacher, student, channels, vocabulary_rows)
    tensors |= _norm(teacher, "encoder.embeddings.norm", channels, spread and spread.embeddings)
    for number, block in enumerate(kept.blocks):
        found = _cut_block(teacher, student, channels, block, spread and spread.blocks[block.teacher_block])
        tensors |= {f"encoder.blocks.{number}.{name}": values for name, values in found.items()}
    last = kept.blocks[student.layer_blocks[-1]].teacher_block
    rows = spread and spread.blocks[last].outputs
    return tensors | pooler_and_head(teacher, student, head, channels, rows, vocabulary_rows)


def _cut_block(
    teacher: Source, student: EncoderConfig, channels: np.ndarray, kept: KeptBlock, spread: BlockSpread | None
) -> Tensors:
    block = f"encoder.blocks.{kept.teacher_block}."
    neurons = np.asarray(kept.neurons)
    reads = columns(teacher.config.width, channels)
    up = refit(*_dense(teacher, f"{block}feed_forward.up"), reads, spread and spread.between)
    fires = columns(teacher.config.feed_forward_width, neurons)
    down = refit(*_dense(teacher, f"{block}feed_forward.down"), fires, spread and spread.neurons)
    parts = _cut_attention(teacher, student, reads, kept, spread)
    parts["attention_output"] = _write(parts["attention_output"], channels)
    parts["feed_forward.up"] = _write(up, neurons)
    parts["feed_forward.down"] = _write(down, channels)
    found = {
        f"{name}.{leaf}": values
        for name, part in parts.items()
        for leaf, values in zip(("kernel", "bias"), part, strict=True)
    }
    for name, outputs in (
        ("attention_norm", spread and spread.between),
        ("feed_forward.norm", spread and spread.outputs),
    ):
        norm = _norm(teacher, f"{block}{name}", channels, outputs)
        found |= {full.removeprefix(block): values for full, values in norm.items()}
    return found


def _cut_attention(
    teacher: Source, student: EncoderConfig, reads: np.ndarray, kept: KeptBlock, spread: BlockSpread | None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Query, key, value, and attention_output still with all of its columns."""
    block = f"encoder.blocks.{kept.teacher_block}."
    bases = _attention_bases(teacher, student, kept, spread)
    parts = {}
    for part in ("query", "key", "value"):
        kernel, bias = refit(*_dense(teacher, f"{block}{part}"), reads, spread and spread.inputs)
        parts[part] = kernel @ bases[part], bias @ bases[part]
    parts["attention_output"] = refit(
        *_dense(teacher, f"{block}attention_output"), bases["value"], spread and spread.context
    )
    return parts


def _attention_bases(
    teacher: Source, student: EncoderConfig, kept: KeptBlock, spread: BlockSpread | None
) -> dict[str, np.ndarray]:
    """For query, key and value: [A*D, A'*D'], a narrower basis for each kept head, nothing for the others."""
    config, block = teacher.config, f"encoder.blocks.{kept.teacher_block}."
    old, new = config.head_width, student.head_width
    output = teacher.tensors[f"{block}attention_output.kernel"]
    shape = config.heads * old, student.heads * new
    bases = {part: np.zeros(shape, np.float32) for part in ("query", "key", "value")}
    for place, head in enumerate(kept.heads):
        rows, columns_ = slice(head * old, (head + 1) * old), slice(place * new, (place + 1) * new)
        queries, keys, context = _head_spread(teacher, block, head, spread)
        query, key = query_key_bases(queries, keys, new)
        # The student divides scores by the root of its own head width.
        bases["query"][rows, columns_] = query * np.float32(np.sqrt(new / old))
        bases["key"][rows, columns_] = key
        bases["value"][rows, columns_] = value_basis(context, output[rows], new)
    return bases


def _head_spread(
    teacher: Source, block: str, head: int, spread: BlockSpread | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second moments of one head's queries, keys and context; without data, those of independent unit inputs."""
    rows = slice(head * teacher.config.head_width, (head + 1) * teacher.config.head_width)
    if spread is not None:
        return spread.queries[head], spread.keys[head], spread.context.covariance[rows, rows]
    query, key, value = (teacher.tensors[f"{block}{part}.kernel"][:, rows] for part in ("query", "key", "value"))
    bias = teacher.tensors[f"{block}query.bias"][rows]
    return query.T @ query + np.outer(bias, bias), key.T @ key, value.T @ value


def _dense(teacher: Source, name: str) -> tuple[np.ndarray, np.ndarray]:
    return teacher.tensors[f"{name}.kernel"], teacher.tensors[f"{name}.bias"]


def _write(layer: tuple[np.ndarray, np.ndarray], outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return layer[0][:, outputs], layer[1][outputs]


def _norm(teacher: Source, name: str, channels: np.ndarray, outputs: Spread | None) -> Tensors:
    gain, bias = teacher.tensors[f"{name}.gain"], teacher.tensors[f"{name}.bias"]
    if teacher.config.normalization == "no_norm":
        # An affine map of each channel: the others never mattered.
        outputs = None
    gain, bias = refit_norm(gain, bias, channels, outputs)
    return {f"{name}.gain": gain, f"{name}.bias": bias}
