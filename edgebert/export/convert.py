"""A model and its tokenizer to one finished .tflite: converted, quantised, packed, and inspected before it is handed
over."""

from dataclasses import dataclass
from typing import Any

from edgebert.data.batches import INPUT_NAMES
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.graph import OUTPUT_NAMES, convert_graph
from edgebert.export.inspect import require, summarize
from edgebert.export.metadata import pack_metadata
from edgebert.export.precisions import check_precision, quantize
from edgebert.models.task import TaskModel

# Clients older than per-channel int8 weights, for which --compatible-with makes files.
OLD_CLIENTS = ("task-library",)


@dataclass(frozen=True)
class ExportRequest:
    """What to make of one model. `length` None: as long as each text."""

    precision: str = "dynamic"
    length: int | None = None
    compatible_with: str | None = None

    def __post_init__(self) -> None:
        check_precision(self.precision)
        if self.compatible_with is not None and self.compatible_with not in OLD_CLIENTS:
            raise ArtefactError(
                f"compatible_with: expected {', '.join(OLD_CLIENTS)}, got {self.compatible_with}. "
                "Do: choose one of these."
            )


class Exporter:
    """Converts one model in several precisions; the float32 graph of each length is made once."""

    def __init__(self, model: TaskModel, tokenizer: WordPiece, provenance: dict[str, Any]):
        if len(tokenizer.vocabulary) > model.config.vocabulary_size:
            raise ArtefactError(
                f"vocabulary: expected at most {model.config.vocabulary_size:,} pieces (the embedding table's rows), "
                f"got {len(tokenizer.vocabulary):,}. Do: give the vocabulary that the model was trained with."
            )
        self.model, self.tokenizer, self.provenance = model, tokenizer, provenance
        self._graphs: dict[int | None, bytes] = {}

    def export(self, request: ExportRequest) -> bytes:
        if request.length not in self._graphs:
            self._graphs[request.length] = convert_graph(self.model, request.length)
        quantized = quantize(
            self._graphs[request.length], request.precision, per_tensor=request.compatible_with is not None
        )
        head = self.model.head_config
        packed = pack_metadata(
            quantized,
            vocabulary=self.tokenizer.vocabulary,
            labels=head.labels or None,
            tokenizer=self.tokenizer.settings,
            task=head.kind,
            pooling=head.pooling,
            maximum_length=self.model.config.maximum_length,
            precision=request.precision,
            provenance=self.provenance,
        )
        require(
            summarize(packed),
            precision=request.precision,
            inputs=INPUT_NAMES,
            outputs=(OUTPUT_NAMES[head.kind],),
            compatible_with=request.compatible_with,
        )
        return packed
