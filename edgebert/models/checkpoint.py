"""Checkpoint folders in the Hugging Face layout: config.json, model.safetensors, vocabulary. Read and written without
PyTorch; reading needs no TensorFlow either."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.files import make_folder, write_atomically
from edgebert.models import families, weights
from edgebert.models.families import FAMILIES, OWN_FAMILY
from edgebert.models.weights import Row

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# Copied as they are when a model is saved beside its source.
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
# Buffers that PyTorch stores with the weights: a plain count, the same for everybody.
POSITION_BUFFER = "embeddings.position_ids"


@dataclass(frozen=True)
class Checkpoint:
    source: Path
    family: str
    encoder: EncoderConfig
    head: HeadConfig | None
    # Our variable name -> values in our orientation.
    tensors: dict[str, np.ndarray]
    # Tensors of heads that we do not run, by their own names; the user is told.
    left_aside: tuple[str, ...]
    raw_config: dict[str, Any] = field(repr=False)
    sha256: str = ""
    prefixed: bool = False
    # Kept only to be written back: some files carry it, some do not.
    position_buffer: np.ndarray | None = field(default=None, repr=False)


def load_checkpoint(source: str | Path) -> Checkpoint:
    """Read a checkpoint folder; every tensor is used or named in `left_aside`, or an error names it."""
    folder = Path(source)
    raw = _read_config(folder)
    family = families.family_name(raw, str(folder / CONFIG_FILE))
    tensors = _read_tensors(folder)
    prefix = FAMILIES[family].prefix if family != OWN_FAMILY else ""
    prefixed = bool(prefix) and any(name.startswith(prefix) for name in tensors)
    tensors = {_plain_name(name, prefix): array for name, array in tensors.items()}
    position_buffer = _take_position_buffer(tensors, folder)
    has_pooler = any(name.startswith("pooler") for name in tensors)
    encoder = families.read_encoder_config(raw, family, has_pooler, str(folder / CONFIG_FILE))
    head = families.read_head_config(raw, family, encoder.pooler) or _sentence_head(folder)
    rows = weight_rows(encoder, head, family, raw, tensors)
    return Checkpoint(
        source=folder,
        family=family,
        encoder=encoder,
        head=head,
        tensors=_take(rows, tensors, folder / WEIGHTS_FILE),
        left_aside=_left_aside(rows, tensors, folder / WEIGHTS_FILE),
        raw_config=raw,
        sha256=hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest(),
        prefixed=prefixed,
        position_buffer=position_buffer,
    )


def weight_rows(
    encoder: EncoderConfig, head: HeadConfig | None, family: str, raw: dict[str, Any], names: Any
) -> list[Row]:
    if family == OWN_FAMILY:
        return [Row(name, name) for name in names]
    rows = [row._replace(ours=f"encoder.{row.ours}") for row in FAMILIES[family].rows(encoder, raw)]
    return rows + (weights.head(head) if head else [])


def save_checkpoint(
    folder: str | Path,
    tensors: dict[str, np.ndarray],
    encoder: EncoderConfig,
    head: HeadConfig | None,
    source: Checkpoint | None = None,
) -> Path:
    """Write a folder that `load_checkpoint`, and for the published families transformers, reads back bit for bit.

    `source` is the checkpoint that the tensors descend from: its family, its remaining config fields and its tokenizer
    files are kept.
    """
    from safetensors.numpy import save

    folder = make_folder(folder)
    family, raw = (source.family, source.raw_config) if source else (OWN_FAMILY, {})
    prefix = _written_prefix(family, head, source)
    written = {}
    for row in weight_rows(encoder, head, family, raw, tensors):
        array = tensors[row.ours]
        name = row.theirs if row.ours.startswith("head.") else prefix + row.theirs
        written[name] = np.ascontiguousarray(array.T if row.transposed else array)
    if source and source.position_buffer is not None:
        written[prefix + POSITION_BUFFER] = source.position_buffer
    if source:
        for name in TOKENIZER_FILES:
            if (source.source / name).exists():
                write_atomically(folder / name, (source.source / name).read_bytes())
    config = families.write_config(encoder, head, family, raw)
    write_atomically(folder / WEIGHTS_FILE, save(written, metadata={"format": "pt"}))
    write_atomically(folder / CONFIG_FILE, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())
    return folder


def _written_prefix(family: str, head: HeadConfig | None, source: Checkpoint | None) -> str:
    """transformers puts the family's name before an encoder's tensors where a head stands beside it."""
    if source is None or family == OWN_FAMILY:
        return ""
    return FAMILIES[family].prefix if source.prefixed or (head is not None and head.outputs) else ""


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: expected a folder with {CONFIG_FILE} and {WEIGHTS_FILE}, got no {CONFIG_FILE}. "
            "Do: give the folder of a checkpoint in the Hugging Face layout."
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected JSON, got '{error}'. Do: download the file again.") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {type(raw).__name__}. Do: download the file again.")
    return raw


def _read_tensors(folder: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, safe_open

    path = folder / WEIGHTS_FILE
    if not path.is_file():
        others = sorted(file.name for file in folder.glob("*.bin")) + sorted(file.name for file in folder.glob("*.h5"))
        raise CheckpointError(
            f"{folder}: expected {WEIGHTS_FILE}, got {', '.join(others) or 'no weights at all'}. "
            "Do: save the model with transformers' save_pretrained(..., safe_serialization=True)."
        )
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            return {name: _as_float32(name, file.get_tensor(name), path) for name in names}
    except (SafetensorError, OSError, UnicodeDecodeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: expected a whole safetensors file, got '{reason}' ({path.stat().st_size:,} bytes). "
            "Do: download or copy the file again."
        ) from error


def _as_float32(name: str, array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype == np.float32 or name.endswith(POSITION_BUFFER):
        return array
    if array.dtype in (np.float16, np.float64) or array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    raise CheckpointError(
        f"{path} {name}: expected floating-point weights, got {array.dtype}. Do: give an unquantised checkpoint."
    )


def _plain_name(name: str, prefix: str) -> str:
    name = name.removeprefix(prefix)
    for old, new in weights.NORM_ALIASES:
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _take_position_buffer(tensors: dict[str, np.ndarray], folder: Path) -> np.ndarray | None:
    buffer = tensors.pop(POSITION_BUFFER, None)
    if buffer is not None and not np.array_equal(buffer.ravel(), np.arange(buffer.size)):
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE} {POSITION_BUFFER}: expected 0, 1, 2, ..., got other positions. "
            "Do: give a checkpoint with plain absolute positions."
        )
    return buffer


def _take(rows: list[Row], tensors: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    missing = sorted(row.theirs for row in rows if row.theirs not in tensors)
    if missing:
        raise CheckpointError(
            f"{path}: expected every tensor that config.json implies, got none for {_some(missing)}. "
            "Do: check that config.json and the weights belong together."
        )
    return {row.ours: tensors[row.theirs].T if row.transposed else tensors[row.theirs] for row in rows}


def _left_aside(rows: list[Row], tensors: dict[str, np.ndarray], path: Path) -> tuple[str, ...]:
    unused = sorted(set(tensors) - {row.theirs for row in rows})
    unknown = [name for name in unused if not weights.KNOWN_EXTRAS.match(name)]
    if unknown:
        raise CheckpointError(
            f"{path}: expected only tensors that the encoder or a known head uses, got {_some(unknown)}. "
            "Do: check model_type and num_hidden_layers in config.json."
        )
    return tuple(unused)


def _sentence_head(folder: Path) -> HeadConfig | None:
    """The pooling that a sentence-transformers folder states."""
    path = folder / "1_Pooling" / CONFIG_FILE
    if not path.is_file():
        return None
    stated = _read_config(path.parent)
    poolings = [
        ours
        for theirs, ours in (("cls_token", "first"), ("mean_tokens", "mean"))
        if stated.get(f"pooling_mode_{theirs}")
    ]
    if len(poolings) != 1:
        raise CheckpointError(f"{path}: expected mean or [CLS] pooling, got neither alone. Do: name a pooling.")
    return HeadConfig(
        kind="embedding", pooling=poolings[0], unit_length=(folder / "2_Normalize").is_dir() or _normalizes(folder)
    )


def _normalizes(folder: Path) -> bool:
    modules = folder / "modules.json"
    return modules.is_file() and "models.Normalize" in modules.read_text(encoding="utf-8", errors="replace")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
