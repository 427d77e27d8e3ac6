"""The tokenizer that a model's ids must come from: the one packed in its file, or a vocabulary given beside it."""

from dataclasses import dataclass
from pathlib import Path

from edgebert.bundle import Bundle, read_bundle, vocabulary_sha256
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.vocabulary import read_vocabulary
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import MeasurementError

# BERT's, where nothing is packed that says how many this model has.
_USUAL_POSITIONS = 512


@dataclass(frozen=True)
class Tokenizer:
    name: str
    vocabulary_sha256: str
    # How many positions the model has, where its file says so.
    positions: int | None
    wordpiece: WordPiece

    def encode(self, text: str, second_text: str | None, length: int | None) -> dict[str, tuple[int, ...]]:
        """The three rows of one text, padded or cut to `length`; None: as long as the text, up to the positions."""
        if length is None:
            row = self.wordpiece.encode(text, second_text, length=self.positions or _USUAL_POSITIONS)
            return {role: getattr(row, role) for role in ("input_ids", "input_mask", "segment_ids")}
        batch = self.wordpiece.encode_batch([(text, second_text)], length=length, pad_to=length)
        return {role: tuple(rows[0].tolist()) for role, rows in batch.items()}


def find_tokenizer(model: Path, vocabulary: Path | None) -> Tokenizer:
    """`vocabulary` wins over what is packed; how text is cut comes from the file in either case, if it says."""
    bundle = read_bundle(model)
    if vocabulary is not None:
        return _tokenizer(bundle, read_vocabulary(vocabulary), f"WordPiece with {vocabulary.name}")
    if bundle.vocabulary is None:
        raise MeasurementError(
            f"{model.name}: expected a vocabulary packed in the file, got none. "
            "Do: give it with --vocab vocab.txt, or measure with random ids by --synthetic-ids."
        )
    return _tokenizer(bundle, bundle.vocabulary, "WordPiece with the packed vocabulary")


def _tokenizer(bundle: Bundle, vocabulary: tuple[str, ...], name: str) -> Tokenizer:
    description = bundle.description
    return Tokenizer(
        name=name,
        vocabulary_sha256=vocabulary_sha256(vocabulary),
        positions=None if description is None else description.maximum_length,
        wordpiece=WordPiece(vocabulary, TokenizerSettings() if description is None else description.tokenizer),
    )
