"""A model and its tokenizer to one finished .tflite: converted, quantised, packed, and inspected before it is handed
over."""

from dataclasses import dataclass
from typing import Any

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE, StoredRanges, has_ranges_for
from edgebert.config import EncoderConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.generations import GENERATIONS, Generation
from edgebert.export.graph import OUTPUT_NAMES, check_length, convert_graph
from edgebert.export.inspect import require, summarize
from edgebert.export.metadata import pack_metadata
from edgebert.export.precisions import (
    PRECISIONS,
    Precision,
    check_pooling,
    check_precision,
    check_table_width,
    quantize,
)
from edgebert.export.quantization.calibration import CalibrationSet
from edgebert.export.quantization.integer_output import with_integer_outputs
from edgebert.export.quantization.learnt import static_with
from edgebert.export.quantization.learnt_integers import full_int8_with
from edgebert.export.quantization.marking import placed_graph
from edgebert.export.versions import Runtime
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.training.hashing import values_sha256

_CLIENTS = {generation.name: generation for generation in GENERATIONS}


@dataclass(frozen=True)
class ExportRequest:
    """What to make of one model. `length` None: as long as each text.

    `compatible_with`: the oldest client that has to run it; a precision that it cannot run is refused here.
    `integer_output`: the answer stays int8 with a scale and a zero point.
    """

    precision: str = "dynamic"
    length: int | None = None
    compatible_with: str | None = None
    integer_output: bool = False

    def __post_init__(self) -> None:
        check_precision(self.precision)
        if self.integer_output and not PRECISIONS[self.precision].demand.is_integer_throughout:
            integer = ", ".join(name for name, each in PRECISIONS.items() if each.demand.is_integer_throughout)
            raise ArtefactError(
                f"integer output: expected a precision that computes its answer in integers ({integer}), got "
                f"{self.precision}, whose answer is float32. Do: convert to {integer}, or leave --integer-output out."
            )
        if self.compatible_with is None:
            return
        self._check_client()

    def _check_client(self) -> None:
        if self.compatible_with not in _CLIENTS:
            raise ArtefactError(
                f"compatible_with: expected {', '.join(_CLIENTS)}, got {self.compatible_with}. Do: choose one of these."
            )
        if self.integer_output and not self._client.takes_int8_answers:
            raise ArtefactError(
                f"integer output: expected a client that reads answers of int8, got {self._client.title}. "
                "Do: leave --integer-output or --compatible-with out."
            )
        if not _can_run(self._client, PRECISIONS[self.precision]):
            possible = [name for name, each in PRECISIONS.items() if _can_run(self._client, each)]
            raise ArtefactError(
                f"precision: expected one that {self._client.title} can run ({', '.join(possible)}), got "
                f"{self.precision}, which needs runtime {Runtime.parse(PRECISIONS[self.precision].runtime)}. "
                "Do: choose one of these, or leave out --compatible-with."
            )

    @property
    def per_tensor(self) -> bool:
        """Whether only a single scale a matrix lets the client run it."""
        needs = Runtime.parse(PRECISIONS[self.precision].runtime)
        return self.compatible_with is not None and self._client.runtime < needs

    @property
    def _client(self) -> Generation:
        return _CLIENTS[self.compatible_with]


def check_needs_no_texts(precision: str, learnt: StoredRanges | None = None) -> None:
    """learnt: ranges that lie beside the checkpoint, which one scheme takes in the place of texts."""
    if not PRECISIONS[precision].needs_calibration or has_ranges_for(precision, learnt):
        return
    if learnt is not None:
        raise ArtefactError(
            f"{precision}: expected ranges that were learnt for it, or texts to calibrate with, got ranges for "
            f"{learnt.ranges.scheme}. Do: convert to {learnt.ranges.scheme}, or give --calibration FILE."
        )
    raise ArtefactError(
        f"{precision}: expected texts to calibrate its ranges with, got none. "
        "Do: give --calibration FILE, with texts like those that the model will see."
    )


def _table_widths(config: EncoderConfig) -> set[int]:
    """Of the words and of the positions, which are added to them before or after they are projected."""
    return {config.embedding_width, config.embedding_width if config.projection == "after_norm" else config.width}


def _can_run(client: Generation, precision: Precision) -> bool:
    return client.runtime >= Runtime.parse(precision.runtime_per_tensor or precision.runtime)


class Exporter:
    """Converts one model in several precisions; the float32 graph of each length is made once."""

    def __init__(
        self,
        model: TaskModel,
        tokenizer: WordPiece,
        provenance: dict[str, Any],
        calibration: CalibrationSet | None = None,
        learnt: StoredRanges | None = None,
    ):
        """learnt: what the model was trained for int8 with; its scheme takes these ranges, whatever texts say."""
        if len(tokenizer.vocabulary) > model.config.vocabulary_size:
            raise ArtefactError(
                f"vocabulary: expected at most {model.config.vocabulary_size:,} pieces (the embedding table's rows), "
                f"got {len(tokenizer.vocabulary):,}. Do: give the vocabulary that the model was trained with."
            )
        self.model, self.tokenizer, self.provenance = model, tokenizer, provenance
        self.calibration, self.learnt = calibration, learnt
        self._graphs: dict[int | None, bytes] = {}

    def check(self, request: ExportRequest) -> None:
        """Refuse before any work what this model cannot be made into."""
        check_length(self.model.config, request.length)
        for width in _table_widths(self.model.config):
            check_table_width(request.precision, width)
        check_pooling(request.precision, self.model.head_config.pooling)
        if self.calibration is None:
            check_needs_no_texts(request.precision, self.learnt)
        if has_ranges_for(request.precision, self.learnt):
            self._require_own_weights()

    def export(self, request: ExportRequest) -> bytes:
        self.check(request)
        if request.length not in self._graphs:
            self._graphs[request.length] = convert_graph(self.model, request.length)
        quantized, ranges_from = self._quantized(request, self._graphs[request.length])
        if request.integer_output:
            quantized = with_integer_outputs(quantized)
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
            provenance=self.provenance | ranges_from,
        )
        require(
            summarize(packed),
            precision=request.precision,
            inputs=INPUT_NAMES,
            outputs=(OUTPUT_NAMES[head.kind],),
            compatible_with=request.compatible_with,
            integer_output=request.integer_output,
        )
        return packed

    def _quantized(self, request: ExportRequest, graph: bytes) -> tuple[bytes, dict[str, Any]]:
        """The file, and where its ranges are from."""
        if has_ranges_for(request.precision, self.learnt):
            content = self._with_learnt_ranges(request, graph)
            return content, {"ranges": {"from": "learnt", "sha256": self.learnt.sha256, **self.learnt.learnt}}
        if not PRECISIONS[request.precision].needs_calibration:
            return quantize(graph, request.precision, request.per_tensor), {}
        content = quantize(graph, request.precision, request.per_tensor, self.calibration.inputs(request.length))
        return content, {"calibration": self.calibration.provenance()}

    def _with_learnt_ranges(self, request: ExportRequest, graph: bytes) -> bytes:
        values, ranges = model_tensors(self.model), self.learnt.ranges
        if ranges.is_integer_throughout:
            return full_int8_with(placed_graph(self.model, request.length), values, ranges)
        return static_with(graph, values, ranges, request.per_tensor)

    def _require_own_weights(self) -> None:
        if self.learnt.weights_sha256 != values_sha256(model_tensors(self.model)):
            raise ArtefactError(
                f"{QUANTIZATION_FILE}: expected ranges that were learnt with these weights, got others'. Do: train the "
                "model as it is now for int8 (edgebert quantize), or delete the file and calibrate."
            )
