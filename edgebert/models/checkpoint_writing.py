"""A model's values into a checkpoint folder that `load_checkpoint`, and for the published families transformers, reads
back bit for bit."""

import contextlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError, OutputError
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint_reading import CONFIG_FILE, WEIGHTS_FILE, Checkpoint, model_rows
from edgebert.models.families import FAMILIES, OWN_FAMILY, write_encoder_config
from edgebert.models.heads import MODULES_FILE, POOLING_FILE, write_head
from edgebert.models.masked_word_head import head_tensor_names
from edgebert.models.tensor_file import StoredTensor, float32_tensor, some, tensor_file_bytes
from edgebert.models.weights import ENCODER, HEAD, Row

# Written beside a model as its source has them.
TOKENIZER_FILES = (
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
# What makes a folder one of sentence-transformers'; true as long as the head is the one it came with.
SENTENCE_FILES = (
    MODULES_FILE,
    POOLING_FILE,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
TYPE_FIELDS = ("dtype", "torch_dtype")


class Saved(NamedTuple):
    folder: Path
    family: str
    # Tensors that the source had left aside and that no longer belong to the encoder: written nowhere.
    left_out: tuple[str, ...]


def save_checkpoint(
    folder: str | Path,
    tensors: dict[str, np.ndarray],
    encoder: EncoderConfig,
    head: HeadConfig | None,
    source: Checkpoint | None = None,
) -> Saved:
    """Write config.json, model.safetensors and the source's tokenizer files, all of them or none.

    `source` is the checkpoint that the tensors descend from: its family and its remaining config fields are kept, and
    if its encoder has not changed, so are its number types and the tensors that were left aside. What the family
    cannot express is written in our own layout.
    """
    family, described = _describe(encoder, source)
    rows = model_rows(encoder, head, family, described)
    _check_values(rows, tensors)
    written = _tensors_to_write(rows, tensors, _layout(encoder, head, family, source))
    same_tensors = source is not None and written.keys() == source.file.tensors.keys()
    config = write_head(described, encoder, head, family, same_tensors=same_tensors)
    if source is None or any(source.file.tensors.get(name) is not tensor for name, tensor in written.items()):
        config |= {name: "float32" for name in TYPE_FIELDS if name in config}
    contents = _companions(source, encoder, head) if source else {}
    contents[WEIGHTS_FILE] = tensor_file_bytes(written, source.file.metadata if source else {"format": "pt"})
    contents[CONFIG_FILE] = (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()
    _write_together(Path(folder), contents)
    left_aside = source.left_aside if source else ()
    replaced = set(head_tensor_names(source).values()) if source and head == MASKED_WORDS else ()
    left_out = tuple(
        name for name in left_aside if name not in replaced and written.get(name) is not source.file.tensors[name]
    )
    return Saved(Path(folder), family, left_out)


class _Layout(NamedTuple):
    """How the encoder's tensors are named in the file."""

    prefix: str
    # The source whose names, types and unused tensors may be kept: its encoder has the same shape.
    same_as: Checkpoint | None


def _describe(encoder: EncoderConfig, source: Checkpoint | None) -> tuple[str, dict[str, Any]]:
    """The family to write and its config.json's fields: the source's family, or without a source the first published
    one, that can say all of `encoder`; else ours."""
    for family in (source.family,) if source else tuple(FAMILIES):
        described = write_encoder_config(encoder, family, source.raw_config if source else {})
        if described is not None:
            return family, described
    return OWN_FAMILY, write_encoder_config(encoder, OWN_FAMILY, {})


def _layout(encoder: EncoderConfig, head: HeadConfig | None, family: str, source: Checkpoint | None) -> _Layout:
    prefixed = family != OWN_FAMILY and bool(
        (source and source.prefix) or (head and (head.outputs or head == MASKED_WORDS))
    )
    prefix = FAMILIES[family].prefix if prefixed else ""
    same = source is not None and (family, encoder, prefix) == (source.family, source.encoder, source.prefix)
    return _Layout(prefix, source if same else None)


def _check_values(rows: list[Row], tensors: dict[str, np.ndarray]) -> None:
    shapes = {row.ours: row.shape[::-1] if row.transposed else row.shape for row in rows}
    given = {name: values.shape for name, values in tensors.items()}
    if given != shapes:
        differing = sorted(name for name in shapes.keys() | given.keys() if shapes.get(name) != given.get(name))
        raise ValueError(f"tensors: expected the variables of the configuration, got others: {some(differing)}")
    broken = [name for name, values in tensors.items() if not np.isfinite(values).all()]
    if broken:
        raise CheckpointError(
            f"model: expected finite weights to save, got NaN or infinity in {some(broken)}. "
            "Do: train with a smaller learning rate."
        )


def _tensors_to_write(rows: list[Row], tensors: dict[str, np.ndarray], layout: _Layout) -> dict[str, StoredTensor]:
    same_as = layout.same_as
    kept = {name for name in tensors if same_as and _same_bits(tensors[name], same_as.tensors.get(name))}
    written = {}
    for row in rows:
        name = row.theirs if row.ours.startswith(HEAD) else layout.prefix + row.theirs
        if same_as:
            # Old files spell some names differently.
            name = same_as.stored_names.get(row.ours, name)
        if len(kept) == len(rows):
            written[name] = same_as.file.tensors[name]
        else:
            values = tensors[row.ours]
            written[name] = float32_tensor(values.T if row.transposed else values)
    if same_as and kept.issuperset(row.ours for row in rows if row.ours.startswith(ENCODER)):
        used = set(same_as.stored_names.values())
        if any(row.ours.startswith(f"{HEAD}decoder.") for row in rows):
            # Under whatever names: the head's values are written now.
            used.update(head_tensor_names(same_as).values())
        return {name: tensor for name, tensor in same_as.file.tensors.items() if name not in used} | written
    return written


def _same_bits(values: np.ndarray, others: np.ndarray | None) -> bool:
    # Equal as numbers is not enough: 0 and -0 are.
    return others is not None and np.array_equal(values.view(np.uint32), others.view(np.uint32))


def _companions(source: Checkpoint, encoder: EncoderConfig, head: HeadConfig | None) -> dict[str, bytes]:
    same_head = head == source.head and encoder.width == source.encoder.width
    names = TOKENIZER_FILES + (SENTENCE_FILES if same_head else ())
    try:
        return {name: (source.source / name).read_bytes() for name in names if (source.source / name).is_file()}
    except OSError as error:
        raise CheckpointError(
            f"{source.source}: expected tokenizer files that can be read, got '{error.strerror}'. "
            "Do: check their permissions."
        ) from error


def _write_together(folder: Path, contents: dict[str, bytes]) -> None:
    """All files or none: they are written beside their places first and moved there when all are whole.

    The old config.json goes first and the new one comes last, so a folder that has one is complete.
    """
    parents = {(folder / name).parent for name in contents}
    staging = folder / f".{secrets.token_hex(4)}.partial"
    made: list[Path] = []
    moved = False
    try:
        made += (one for one in {*parents, folder, *folder.parents} if not one.exists())
        make_folder(folder)
        for name, content in contents.items():
            make_folder((staging / name).parent)
            write_atomically(staging / name, content)
        for parent in parents:
            make_folder(parent)
        (folder / CONFIG_FILE).unlink(missing_ok=True)
        for name in sorted(contents, key=CONFIG_FILE.__eq__):
            (staging / name).replace(folder / name)
        moved = True
    except OutputError as error:
        raise OutputError(str(error).replace(f"{staging.name}/", "")) from error
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a folder whose files can be replaced, got '{error.strerror}'. "
            "Do: choose another output folder."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not moved:
            # Only those that were not there before and are empty.
            for one in sorted(made, key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):
                    one.rmdir()
