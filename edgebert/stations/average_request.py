"""Which trainings are averaged, and on what they are scored, checked as far as files and configurations go."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE
from edgebert.config import EncoderConfig
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.projections import FILE_NAME as PROJECTIONS_FILE
from edgebert.errors import DataError, TrainingError
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.tensor_file import FLOAT_TYPES, TensorFile, read_tensor_file, some
from edgebert.stations.distil_request import label_order
from edgebert.stations.finetuning import checkpoint_facts, require_kind, require_labelled, usual_length
from edgebert.training.hashing import key_sha256
from edgebert.training.scoring import METRICS

# Of an encoder's configuration what only training reads.
TRAINING_FIELDS = ("dropout", "attention_dropout", "initializer_range")
# A matrix with more zeros than this was pruned; rounding and padding rows leave far fewer.
PRUNED_SHARE = 0.01


@dataclass(frozen=True)
class AverageRequest:
    """Made, it can be carried out as far as anybody knows beforehand."""

    checkpoints: tuple[Checkpoint, ...]
    # Each checkpoint and their mean are scored on it.
    dev: Dataset | None = None
    # Tokens of a text that are kept in scoring.
    length: int | None = None

    def __post_init__(self) -> None:
        self._require_several()
        for other in self.checkpoints[1:]:
            self._require_same_model(other)
            self._require_same_tokenizer(other)
            _require_same_tensors(self.first.file, other.file)
        for one in self.checkpoints:
            _require_no_ranges(one)
        _require_same_zeros([one.file for one in self.checkpoints])
        if self.dev is not None:
            self._require_scorable(self.dev)

    @property
    def first(self) -> Checkpoint:
        return self.checkpoints[0]

    @property
    def tokens(self) -> int:
        return usual_length(self.first) if self.length is None else self.length

    @cached_property
    def tokenizers(self) -> tuple[WordPiece, ...]:
        return tuple(WordPiece.from_folder(one.source) for one in self.checkpoints)

    @cached_property
    def projections(self) -> tuple[TensorFile, ...]:
        """What distillations left beside their students, if all did and of the same layers; else none is averaged."""
        paths = [one.source / PROJECTIONS_FILE for one in self.checkpoints]
        files = tuple(read_tensor_file(path) for path in paths if path.exists())
        alike = len({_shapes(file) for file in files}) == 1
        return files if alike and len(files) == len(paths) else ()

    @property
    def leaves_projections_out(self) -> bool:
        return not self.projections and any((one.source / PROJECTIONS_FILE).exists() for one in self.checkpoints)

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        facts = zip(self.checkpoints, self.tokenizers, strict=True)
        return {
            "checkpoints": [checkpoint_facts(*each) for each in facts],
            "head": None if self.first.head is None else self.first.head.to_json(),
            # Beside the weights, such as config.json's dtype.
            "config_sha256": key_sha256(self.first.raw_config),
            "projections_sha256": [file.sha256() for file in self.projections],
            "dev_sha256": None if self.dev is None else self.dev.sha256,
            "tokens": None if self.dev is None else self.tokens,
        }

    def _require_several(self) -> None:
        if len(self.checkpoints) < 2:
            raise TrainingError(
                f"checkpoints: expected two or more to average, got {len(self.checkpoints)}. "
                "Do: give the folders of several trainings."
            )
        seen: dict[object, Path] = {}
        for one in self.checkpoints:
            for key in (one.source.resolve(), one.sha256):
                if seen.setdefault(key, one.source) is not one.source:
                    raise TrainingError(
                        f"{one.source}: expected weights of its own, got those of {seen[key]} again, which would only "
                        "count twice. Do: give each training once."
                    )

    def _require_same_model(self, other: Checkpoint) -> None:
        ours, theirs = (_architecture(one) for one in (self.first, other))
        differing = [name for name in ours if ours[name] != theirs.get(name)]
        if differing:
            name = differing[0]
            raise TrainingError(
                f"{other.source}: expected the architecture of {self.first.source}, got {name} "
                f"{theirs.get(name)} instead of {ours[name]}. Do: average trainings of one checkpoint."
            )
        heads = [{} if one.head is None else one.head.to_json() for one in (self.first, other)]
        differing = [name for name in {**heads[0], **heads[1]} if heads[0].get(name) != heads[1].get(name)]
        if differing:
            name = differing[0]
            raise TrainingError(
                f"{other.source}: expected the head of {self.first.source}, got another ({name} "
                f"{_short(heads[1].get(name))} instead of {_short(heads[0].get(name))}). Do: average trainings on one "
                "task, with the labels in one order."
            )

    def _require_same_tokenizer(self, other: Checkpoint) -> None:
        ours, theirs = self.tokenizers[0], self.tokenizers[self.checkpoints.index(other)]
        if ours.vocabulary != theirs.vocabulary:
            got = "another vocabulary"
        elif ours.settings != theirs.settings:
            fields = [dataclasses.asdict(one.settings) for one in (ours, theirs)]
            got = f"another {next(name for name in fields[0] if fields[0][name] != fields[1][name])}"
        else:
            return
        raise TrainingError(
            f"{other.source}: expected the tokenizer of {self.first.source}, got {got}. "
            "Do: average trainings of one checkpoint."
        )

    def _require_scorable(self, dev: Dataset) -> None:
        head = self.first.head
        if head is None or head.kind not in METRICS:
            raise TrainingError(
                f"{self.first.source}: expected a head for {' or '.join(METRICS)} to score on {dev.source}, got "
                f"{'none' if head is None else head.kind}. Do: leave the data out; the mean is made without it."
            )
        require_labelled(dev=dev)
        require_kind(dev, head.kind, "the checkpoints'")
        order = label_order(self.first)
        if dev.labels is not None and (len(dev.labels) != head.outputs or (order and order != dev.labels)):
            raise DataError(
                f"{dev.source}: expected the checkpoints' {head.outputs} labels in their order, got "
                f"{', '.join(dev.labels[:4])}. Do: give the data of their task."
            )
        check_length(self.first.encoder, self.tokens)


def _architecture(checkpoint: Checkpoint) -> dict[str, Any]:
    encoder: EncoderConfig = checkpoint.encoder
    fields = {name: value for name, value in encoder.to_json().items() if name not in TRAINING_FIELDS}
    return {"family": checkpoint.family, "own_head_width": encoder.own_head_width, **fields}


def _require_same_tensors(ours: TensorFile, theirs: TensorFile) -> None:
    one_sided = sorted(ours.tensors.keys() ^ theirs.tensors.keys())
    if one_sided:
        raise TrainingError(
            f"{theirs.path}: expected the tensors of {ours.path}, got {some(one_sided)} in one of them alone. "
            "Do: average trainings of one checkpoint that were saved alike."
        )
    for name, tensor in ours.tensors.items():
        other = theirs.tensors[name]
        if tensor.shape != other.shape:
            raise TrainingError(
                f"{theirs.path} {name}: expected the shape {list(tensor.shape)} of {ours.path}, got "
                f"{list(other.shape)}. Do: average trainings of one checkpoint."
            )
        if not {tensor.type_name, other.type_name} <= FLOAT_TYPES.keys() and tensor != other:
            raise TrainingError(
                f"{theirs.path} {name}: expected {tensor.type_name} values as in {ours.path}, which have no mean, got "
                "others. Do: average trainings of one checkpoint."
            )


def _require_no_ranges(checkpoint: Checkpoint) -> None:
    if (checkpoint.source / QUANTIZATION_FILE).exists():
        raise TrainingError(
            f"{checkpoint.source}: expected a checkpoint before quantisation, got one with {QUANTIZATION_FILE}, whose "
            "ranges hold for its own weights alone. Do: average first, then edgebert quantize the mean."
        )


def _require_same_zeros(files: Sequence[TensorFile]) -> None:
    """A weight is zero in the mean where it is in all: of two pruned apart little stays pruned."""
    for name, tensor in files[0].tensors.items():
        if len(tensor.shape) < 2 or tensor.type_name not in FLOAT_TYPES:
            continue
        zeros = [file.tensors[name].float32() == 0 for file in files]
        common = np.logical_and.reduce(zeros).mean()
        sparsest = max(range(len(files)), key=lambda number: zeros[number].mean())
        share = zeros[sparsest].mean()
        if share - common > PRUNED_SHARE:
            raise TrainingError(
                f"{files[sparsest].path} {name}: expected zeros where the other checkpoints have theirs, got "
                f"{share:.0%} zeros of which the mean would keep {common:.0%}. "
                "Do: average first, then edgebert prune the mean."
            )


def _shapes(file: TensorFile) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted((name, tensor.shape) for name, tensor in file.tensors.items()))


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
