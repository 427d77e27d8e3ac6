"""A tiny classifier that stations change, with texts of which it knows most words."""

from pathlib import Path

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.models.checkpoint import save_checkpoint
from edgebert.models.weights import WORD_TABLE
from tests.models.configs import values_for

LETTERS = [form + letter for letter in "abcdefghijklmnopqrstuvwxyz" for form in ("", "##")]
WORDS = ["the", "cat", "dog", "sat", "on", "red", "blue", "good", "of", "and", "zebra", "##ing", "mat", "house", "of"]
PIECES = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, ".", *WORDS]))
CONFIG = EncoderConfig(
    vocabulary_size=len(PIECES),
    width=32,
    layers=2,
    heads=4,
    feed_forward_width=48,
    embedding_width=32,
    maximum_length=32,
    pooler=False,
)
HEAD = HeadConfig(kind="classification", pooling="mean", labels=("bad", "fine"))


def write_model(folder: Path, config: EncoderConfig = CONFIG, head: HeadConfig | None = HEAD) -> Path:
    values = {name: 0.3 * one for name, one in values_for(config, head).items()}
    values |= {name: one + 1 for name, one in values.items() if name.endswith("gain")}
    # Words tell texts apart more than positions do.
    values[WORD_TABLE] = 3 * values[WORD_TABLE]
    save_checkpoint(folder, values, config, head)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return folder
