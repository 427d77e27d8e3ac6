"""A checkpoint and a corpus to the same checkpoint with fewer pieces: `edgebert trim`. Nothing is trained."""

import dataclasses
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE, StoredRanges
from edgebert.compression.vocabulary.choosing import Choice, Kept, choose, kept_pieces
from edgebert.compression.vocabulary.counting import Corpus, require_known
from edgebert.compression.vocabulary.measuring import Effect, measure_effects, with_pieces
from edgebert.compression.vocabulary.trimming import save_trimmed, trim
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.weights import WORD_TABLE
from edgebert.progress import Report, silent
from edgebert.stations.file_comparison import FileComparison, check_comparable, compare_files
from edgebert.stations.finetuning import checkpoint_facts, stored_values_sha256
from edgebert.stations.result_folder import ResultFolder

STATION = "trim"
COMPANION_FOLDER = "companions"


@dataclass(frozen=True)
class TrimRequest:
    checkpoint: Checkpoint
    corpus: Corpus
    choice: Choice = dataclasses.field(default_factory=Choice)
    # What both files are scored on, if it has labels.
    dev: Dataset | None = None
    # Of the files that are compared; none makes no file.
    precision: str | None = "dynamic"

    def __post_init__(self) -> None:
        require_known(self.corpus, self.tokenizer)
        if self.precision is not None:
            check_comparable(self.checkpoint, self.precision)

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.checkpoint.source)

    @cached_property
    def ranges(self) -> StoredRanges | None:
        """That the model was trained for int8 with. They hold for the trimmed one: activations are the same, and tables
        have no range here: a file takes it from the rows, each row's own, or in full int8 that of all, which of fewer
        rows is as fine or finer."""
        return StoredRanges.read(self.checkpoint.source)

    @cached_property
    def kept(self) -> Kept:
        """What cannot be chosen is an error here."""
        return choose(self.tokenizer, self.corpus.counts, self.choice)

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """On each text that is held out."""
        after = with_pieces(self.tokenizer, kept_pieces(self.tokenizer.vocabulary, self.kept.ids))
        return measure_effects(self.corpus.held_out, self.tokenizer, after)

    @property
    def table_width(self) -> int:
        return self.checkpoint.encoder.embedding_width

    @property
    def rows_before(self) -> int:
        return self.checkpoint.encoder.vocabulary_size

    @property
    def parameters_before(self) -> int:
        return sum(values.size for values in self.checkpoint.tensors.values())

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        ranges = {} if self.ranges is None else {"ranges_sha256": self.ranges.sha256}
        return ranges | {
            "checkpoint": checkpoint_facts(self.checkpoint, self.tokenizer),
            "corpus_sha256": self.corpus.sha256,
            "choice": dataclasses.asdict(self.choice),
            "dev_sha256": None if self.dev is None else self.dev.sha256,
            "precision": self.precision,
        }


@dataclass(frozen=True)
class TrimmedCheckpoint:
    pieces_before: int
    pieces_after: int
    parameters_before: int
    parameters_after: int
    effects: tuple[Effect, ...]
    # Tensors beside the model's own that were not written.
    left_out: tuple[str, ...]
    files: FileComparison | None
    # It was there before; nothing was made now.
    found: bool = False

    def to_json(self) -> dict[str, Any]:
        fields = {
            name: getattr(self, name)
            for name in ("pieces_before", "pieces_after", "parameters_before", "parameters_after")
        }
        return fields | {
            "held_out": [effect.to_json() for effect in self.effects],
            "left_out": list(self.left_out),
            "files": None if self.files is None else self.files.to_json(),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        names = [field.name for field in dataclasses.fields(Effect)]
        return cls(
            *(fields[name] for name in ("pieces_before", "pieces_after", "parameters_before", "parameters_after")),
            tuple(Effect(**{name: effect[name] for name in names}) for effect in fields["held_out"]),
            tuple(fields["left_out"]),
            None if fields["files"] is None else FileComparison.from_json(fields["files"]),
            found=True,
        )


def trim_checkpoint(
    request: TrimRequest, folder: str | os.PathLike, report: Report = silent, replace: bool = False
) -> TrimmedCheckpoint:
    """Make the checkpoint in `folder`. Killed, the same call makes it anew; a finished one is only reported."""
    with ResultFolder(folder, STATION, request.to_json(), replace) as place:
        if place.finished:
            return TrimmedCheckpoint.from_json(place.result)
        _require_own_ranges(request)
        trimmed = trim(request.checkpoint, request.tokenizer.vocabulary, request.kept.ids)
        place.begin()
        saved = save_trimmed(place.path, trimmed, request.checkpoint, place.work / COMPANION_FOLDER)
        if request.ranges is not None:
            _bring_ranges(request.ranges, place.path)
        sides = request.checkpoint.source, place.path
        files = compare_files(*sides, request.precision, request.dev, place.work, report)
        done = TrimmedCheckpoint(
            pieces_before=len(request.tokenizer.vocabulary),
            pieces_after=len(request.kept.ids),
            parameters_before=request.parameters_before,
            parameters_after=parameters_after(request),
            effects=request.effects,
            left_out=saved.left_out,
            files=files,
        )
        place.finish(done.to_json())
    return done


def _require_own_ranges(request: TrimRequest) -> None:
    if request.ranges is not None and request.ranges.weights_sha256 != stored_values_sha256(request.checkpoint):
        raise ArtefactError(
            f"{request.checkpoint.source / QUANTIZATION_FILE}: expected ranges that were learnt with these weights, "
            "got others'. Do: train the model as it is now for int8 (edgebert quantize), or delete the file."
        )


def _bring_ranges(ranges: StoredRanges, folder: Path) -> None:
    dataclasses.replace(ranges, weights_sha256=stored_values_sha256(load_checkpoint(folder))).write(folder)


def check_request(request: TrimRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that `trim_checkpoint` would refuse before it writes."""
    ResultFolder(folder, STATION, request.to_json(), replace).check()


def parameters_after(request: TrimRequest) -> int:
    gone = request.rows_before - len(request.kept.ids)
    # A masked-word head has a bias for each piece.
    biases = sum(name == "head.decoder.bias" for name in request.checkpoint.tensors)
    return request.parameters_before - gone * (request.checkpoint.tensors[WORD_TABLE].shape[1] + biases)
