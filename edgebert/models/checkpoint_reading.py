"""A checkpoint folder in the Hugging Face layout into plain values: every tensor is used, or named."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.tokenizer_json import read_json_object as read_tokenizer_object
from edgebert.data.vocabulary import read_vocabulary
from edgebert.errors import CheckpointError
from edgebert.models import families, weights
from edgebert.models.families import FAMILIES, OWN_FAMILY
from edgebert.models.heads import read_configs, sentence_head
from edgebert.models.json_fields import read_json_object
from edgebert.models.tensor_file import StoredTensor, TensorFile, read_tensor_file, shown, some
from edgebert.models.weights import Row

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# A buffer that PyTorch stores with the weights in some versions: a plain count, the same for everybody.
POSITION_BUFFER = "embeddings.position_ids"


# Tables are padded to round numbers of rows (50,280 pieces to 50,368 rows); a larger gap is another vocabulary.
MOST_PADDING_SHARE = 0.1


@dataclass(frozen=True)
class Checkpoint:
    source: Path
    family: str
    encoder: EncoderConfig
    head: HeadConfig | None
    # Our variable name -> float32 values in our orientation, read-only views into the file where it stores them so.
    tensors: dict[str, np.ndarray] = field(repr=False)
    # Tensors that we do not run, by their names in the file; the user is told.
    left_aside: tuple[str, ...]
    # What is odd but no mistake; the user is told.
    notes: tuple[str, ...]
    raw_config: dict[str, Any] = field(repr=False)
    file: TensorFile = field(repr=False)
    # Our variable name -> the name in the file.
    stored_names: dict[str, str] = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """Of the weights file."""
        return self.file.sha256()

    @property
    def prefix(self) -> str:
        """What stands before the encoder's tensors in the file: the family's name, or nothing."""
        prefix = "" if self.family == OWN_FAMILY else FAMILIES[self.family].prefix
        return prefix if any(name.startswith(prefix) for name in self.stored_names.values()) else ""


def load_checkpoint(source: str | Path) -> Checkpoint:
    """Read a checkpoint folder; every tensor is used or named in `left_aside`, or an error names it."""
    folder = Path(source)
    config_path = _file(folder, CONFIG_FILE)
    raw = read_json_object(config_path)
    family = families.family_name(raw, str(config_path))
    file = read_tensor_file(_weights_file(folder))
    names = _plain_names(file, "" if family == OWN_FAMILY else FAMILIES[family].prefix)
    encoder, head = read_configs(raw, family, _has_pooler(family, names), str(config_path))
    head = head or sentence_head(folder)
    rows = model_rows(encoder, head, family, raw)
    _check_names(rows, names, file.path)
    stored = {row.ours: names[row.theirs] for row in rows}
    tensors = {row.ours: _values(row, names[row.theirs], file) for row in rows}
    _check_finite(tensors, stored, file.path)
    buffer = names.get(POSITION_BUFFER)
    if buffer is not None:
        _check_positions(buffer, file)
    used = {*stored.values(), buffer}
    return Checkpoint(
        source=folder,
        family=family,
        encoder=encoder,
        head=head,
        tensors=tensors,
        left_aside=tuple(sorted(name for name in file.tensors if name not in used)),
        notes=_vocabulary_notes(folder, encoder),
        raw_config=raw,
        file=file,
        stored_names=stored,
    )


def model_rows(encoder: EncoderConfig, head: HeadConfig | None, family: str, raw: dict[str, Any]) -> list[Row]:
    """The weight table of an encoder with its head."""
    rows = families.encoder_rows(encoder, family, raw)
    return rows + (families.head_rows(encoder, head, family) if head else [])


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    try:
        if path.is_file():
            return path
        got = "a folder of that name" if path.is_dir() else f"no {name}"
        if not folder.is_dir():
            got = "a file" if folder.is_file() else "nothing there"
    except OSError as error:
        got = f"'{error.strerror}'"
    raise CheckpointError(
        f"{folder}: expected a folder with {CONFIG_FILE} and {WEIGHTS_FILE}, got {got}. "
        "Do: give the folder of a checkpoint in the Hugging Face layout."
    )


def _weights_file(folder: Path) -> Path:
    path = folder / WEIGHTS_FILE
    if path.exists():
        return _file(folder, WEIGHTS_FILE)
    if (folder / f"{WEIGHTS_FILE}.index.json").exists():
        # BERT-large is a quarter of the size from which transformers splits a file; splitting is not met in practice.
        got, size = "weights split into several files", ', max_shard_size="50GB"'
    else:
        others = sorted(file.name for pattern in ("*.bin", "*.h5", "*.msgpack") for file in folder.glob(pattern))
        got, size = some(others) or "no weights at all", ""
    raise CheckpointError(
        f"{folder}: expected {WEIGHTS_FILE}, got {got}. "
        f"Do: load the model in transformers and save it with save_pretrained(folder, safe_serialization=True{size})."
    )


def _plain_names(file: TensorFile, prefix: str) -> dict[str, str]:
    """The names as the weight table has them -> the names in the file."""
    plain: dict[str, str] = {}
    for stored in file.tensors:
        name = stored.removeprefix(prefix)
        for old, new in weights.NORM_ALIASES:
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name in plain:
            raise CheckpointError(
                f"{file.path}: expected one tensor for {shown(name)}, got {some([plain[name], stored])}. "
                "Do: remove the one that the model was not trained with."
            )
        plain[name] = stored
    return plain


def _has_pooler(family: str, names: Iterable[str]) -> bool:
    pooler = None if family == OWN_FAMILY else FAMILIES[family].names.get("pooler")
    return pooler is not None and any(f"{pooler}.{leaf}" in names for leaf in ("weight", "bias"))


def _check_names(rows: list[Row], names: Iterable[str], path: Path) -> None:
    implied = {row.theirs for row in rows}
    missing = sorted(implied.difference(names))
    unknown = sorted(
        name
        for name in names
        if name not in implied and name != POSITION_BUFFER and not weights.KNOWN_EXTRAS.match(name)
    )
    if missing:
        instead = f", but {some(unknown)}" if unknown else ""
        raise CheckpointError(
            f"{path}: expected every tensor that config.json implies, got none for {some(missing)}{instead}. "
            "Do: check that config.json (its model_type, architectures and number of layers) belongs to the weights."
        )
    if unknown:
        raise CheckpointError(
            f"{path}: expected only tensors that the encoder or a known head uses, got {some(unknown)}. "
            "Do: check model_type and the number of layers in config.json."
        )


def _values(row: Row, name: str, file: TensorFile) -> np.ndarray:
    tensor: StoredTensor = file.tensors[name]
    if tensor.shape != row.shape:
        raise CheckpointError(
            f"{file.path} {shown(name)}: expected the shape {list(row.shape)} that config.json implies, "
            f"got {shown(list(tensor.shape))}. Do: check that config.json and the weights belong together."
        )
    values = tensor.float32()
    if values is None:
        raise CheckpointError(
            f"{file.path} {shown(name)}: expected floating-point weights (F16, BF16, F32 or F64), "
            f"got {tensor.type_name}. Do: give an unquantised checkpoint."
        )
    return values.T if row.transposed else values


def _check_finite(tensors: dict[str, np.ndarray], stored_names: dict[str, str], path: Path) -> None:
    broken = [stored_names[ours] for ours, values in tensors.items() if not np.isfinite(values).all()]
    if broken:
        raise CheckpointError(
            f"{path}: expected finite weights, got NaN or infinity in {some(broken)}. "
            "Do: give the checkpoint from before its training diverged, or download it again."
        )


def _check_positions(name: str, file: TensorFile) -> None:
    positions = file.tensors[name].integers()
    if positions is None or not np.array_equal(positions.ravel(), np.arange(positions.size)):
        raise CheckpointError(
            f"{file.path} {shown(name)}: expected 0, 1, 2, ..., got other positions. "
            "Do: give a checkpoint with plain absolute positions."
        )


def _vocabulary_notes(folder: Path, encoder: EncoderConfig) -> tuple[str, ...]:
    """A piece without a row cannot be looked up; rows without a piece are common, tables are padded for speed."""
    text, rows = folder / "vocab.txt", encoder.vocabulary_size
    path = text if text.exists() else folder / "tokenizer.json"
    if not path.exists():
        return ()
    if path == text:
        pieces = len(read_vocabulary(path))
    else:
        model = read_tokenizer_object(path).get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        pieces = len(vocabulary) if isinstance(vocabulary, dict | list) else rows
    if pieces > rows:
        raise CheckpointError(
            f"{path}: expected at most {rows:,} pieces, as vocab_size in config.json says, got {pieces:,}. "
            "Do: take the vocabulary saved with the model."
        )
    unused = rows - pieces
    if unused > MOST_PADDING_SHARE * rows:
        raise CheckpointError(
            f"{path}: expected about {rows:,} pieces, as vocab_size in config.json says, got {pieces:,}. "
            "Do: take the vocabulary saved with the model; this one is another's, or cut short."
        )
    return (f"{path}: {pieces:,} pieces for {rows:,} rows; {unused:,} rows are never looked up",) if unused else ()
