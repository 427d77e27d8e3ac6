"""A checkpoint with fewer pieces: rows of the word table taken out, nothing computed."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgebert.compression.vocabulary.tokenizer_files import Renumbered, renumbered_config, renumbered_files
from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import Checkpoint, Saved, save_checkpoint
from edgebert.models.checkpoint_writing import SENTENCE_FILES
from edgebert.models.masked_word_head import read_masked_word_head
from edgebert.models.weights import WORD_TABLE

DECODER_BIAS = "head.decoder.bias"


@dataclass(frozen=True)
class Trimmed:
    tensors: dict[str, np.ndarray] = field(repr=False)
    encoder: EncoderConfig
    # Also one for masked words that the checkpoint keeps among what it leaves aside.
    head: HeadConfig | None
    new: Renumbered = field(repr=False)


def trim(checkpoint: Checkpoint, vocabulary: Sequence[str], ids: Sequence[int]) -> Trimmed:
    """Rows of the table without a piece go, too."""
    rows = np.asarray(ids)
    tensors, head = dict(checkpoint.tensors), checkpoint.head
    if head is None and (masked_words := _masked_words(checkpoint)):
        tensors |= masked_words
        head = MASKED_WORDS
    for name in (WORD_TABLE, DECODER_BIAS):
        if name in tensors:
            tensors[name] = tensors[name][rows]
    encoder = dataclasses.replace(checkpoint.encoder, vocabulary_size=len(ids))
    return Trimmed(tensors, encoder, head, Renumbered(vocabulary, ids))


def save_trimmed(folder: Path, trimmed: Trimmed, checkpoint: Checkpoint, work: Path) -> Saved:
    """All files at once; `work` is a folder for those that are not tensors, on their way."""
    for name, content in _companions(checkpoint.source, trimmed.new).items():
        make_folder((work / name).parent)
        write_atomically(work / name, content)
    raw = renumbered_config(checkpoint.raw_config, trimmed.new)
    # Where the files beside the tensors are taken from.
    source = dataclasses.replace(checkpoint, source=work, raw_config=raw)
    return save_checkpoint(folder, trimmed.tensors, trimmed.encoder, trimmed.head, source)


def _companions(folder: Path, new: Renumbered) -> dict[str, bytes]:
    try:
        unchanged = {name: (folder / name).read_bytes() for name in SENTENCE_FILES if (folder / name).is_file()}
        return unchanged | renumbered_files(folder, new)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: expected tokenizer files that can be read, got '{error.strerror}'. Do: check their permissions."
        ) from error


def _masked_words(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """Of a head that decodes with the word table; one with a table of its own is left out, as saving says."""
    head = read_masked_word_head(checkpoint)
    if head is None or not np.array_equal(head.table, checkpoint.tensors[WORD_TABLE]):
        return {}
    return head.variables
