"""TF-MOT's wrappers around the layers inside a model, put in place as attributes and taken off again.

The model stays the model: no layer is rebuilt, its variables are the ones that are trained.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgebert.compression.quantizing.quantizers import (
    PROBABILITIES,
    TANH,
    Channels,
    MaskedScores,
    MovingRange,
    Site,
    Whole,
    rounded_in,
    rounded_rows,
)
from edgebert.compression.quantizing.ranges import QuantizationRanges
from edgebert.data.batches import INPUT_NAMES
from edgebert.errors import TrainingError
from edgebert.keras import keras, tf
from edgebert.model_optimization import tfmot
from edgebert.models.layers import FLOAT_TABLE_ROWS
from edgebert.models.places import layer_at, place_names, put
from edgebert.models.task import TaskModel, named_variables

# What a norm multiplies by and adds.
_CONSTANTS = ("gain", "bias")


class _DenseConfig(tfmot.quantization.keras.QuantizeConfig):
    """A dense layer's weights by column, and what it returns where that is rounded."""

    def __init__(self, weights: Channels, output: MovingRange):
        self._weights, self._output = weights, output

    def get_weights_and_quantizers(self, layer):
        return [(layer.kernel, self._weights)]

    def get_activations_and_quantizers(self, layer):
        return []

    def get_output_quantizers(self, layer):
        return [self._output]

    def set_quantize_weights(self, layer, quantize_weights):
        # Past Keras, which would stop counting the variable among the layer's own.
        object.__setattr__(layer, "kernel", quantize_weights[0])

    def set_quantize_activations(self, layer, quantize_activations):
        # The activation functions stay in floating point. (AutoGraph takes no function without a statement.)
        return

    def get_config(self) -> dict[str, Any]:
        return {"weights": self._weights.get_config(), "output": self._output.get_config()}


class _TableConfig(_DenseConfig):
    def __init__(self):
        """Its rows are rounded when they were looked up."""

    def get_weights_and_quantizers(self, layer):
        return []

    def get_output_quantizers(self, layer):
        return []

    def set_quantize_weights(self, layer, quantize_weights):
        return

    def get_config(self) -> dict[str, Any]:
        return {}


class _Wrapper(tfmot.quantization.keras.QuantizeWrapperV2):
    def build(self, input_shape) -> None:
        super().build(input_shape)
        # TF-MOT counts steps for quantisers with a delay, which are none of ours; to us it would be a value of the
        # model.
        del self.optimizer_step


class QuantizedDense(_Wrapper):
    """`read` is none where the layer is given what another one has just rounded."""

    def __init__(self, layer: keras.layers.Layer, read: Site | None, config: _DenseConfig, offset: tf.Variable | None):
        super().__init__(layer, config)
        # Behind a function, and so not tracked: it is a norm's own variable.
        self._read, self._offset_of = read, lambda: offset

    def call(self, inputs, training=None):
        kernel, bias, offset = self.layer.kernel, self.layer.bias, self._offset_of()
        try:
            if offset is not None:
                inputs = inputs - offset
                # With the weights as they are before they are rounded, as the converter has them.
                object.__setattr__(self.layer, "bias", bias + tf.linalg.matvec(kernel, offset, transpose_a=True))
            rounded = inputs if self._read is None else self._read(inputs, training=bool(training))
            return super().call(rounded, training=bool(training))
        finally:
            # The next call rounds the variable again, and who asks for the model's values finds it.
            object.__setattr__(self.layer, "kernel", kernel)
            object.__setattr__(self.layer, "bias", bias)

    @property
    def output_range(self) -> Mapping[str, tf.Variable]:
        return self._output_quantizer_vars


class QuantizedTable(_Wrapper):
    """`is_whole`: one scale for the table instead of one a row."""

    def __init__(self, layer: keras.layers.Layer, is_whole: bool):
        super().__init__(layer, _TableConfig())
        self._is_whole = is_whole

    def call(self, indices, training=None):
        rows = super().call(indices, training=bool(training))
        return rounded_in(rows, self.layer.weight) if self._is_whole else rounded_rows(rows)


@dataclass(eq=False)
class QuantizedModel:
    """A model with its wrappers on. `ranges` is what they started with."""

    model: TaskModel
    ranges: QuantizationRanges
    is_frozen: tf.Variable
    _sites: dict[str, Site] = field(default_factory=dict)
    _dense: dict[str, QuantizedDense] = field(default_factory=dict)
    _tables: dict[str, QuantizedTable] = field(default_factory=dict)
    # What stands at places of the model, by their names.
    _standing: dict[str, Site] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """Both ends of every range, by the site's name."""
        ranges = {name: site.range for name, site in self._sites.items()}
        ranges |= {f"{name}.output": layer.output_range for name, layer in self._dense.items()}
        return {
            f"{site.name}.{end.removesuffix('_var')}": ranges[site.name][end]
            for site in self.ranges.sites
            for end in ("min_var", "max_var")
        }

    @property
    def wrapped(self) -> dict[str, keras.layers.Layer]:
        """The model's own layers that have a wrapper, by name."""
        return {name: wrapper.layer for name, wrapper in (self._dense | self._tables).items()}

    def learnt(self) -> QuantizationRanges:
        """The ranges as they are now."""
        values = {name: float(variable.numpy()) for name, variable in self.variables.items()}

        def now(site):
            return dataclasses.replace(site, range=(values[f"{site.name}.min"], values[f"{site.name}.max"]))

        return self.ranges.mapped(now)

    def strip(self) -> TaskModel:
        """Take the wrappers off: the float model, holding what was trained. Compiled functions know only the old."""
        for name, layer in self.wrapped.items():
            _put(self.model, name, layer)
        for name in self._standing:
            put(self.model, name, None)
        return self.model

    def _stand(self, place: str, site: Site) -> None:
        self._standing[place] = site
        put(self.model, place, site)


def wrap(model: TaskModel, ranges: QuantizationRanges) -> QuantizedModel:
    """Round in the model, in place, what the scheme rounds."""
    if model.infer.experimental_get_tracing_count():
        raise ValueError("model: expected one that has not answered yet: what is compiled of it would round nothing")
    _check(model, ranges)
    frozen = tf.Variable(False, trainable=False, name="is_frozen")
    quantized = QuantizedModel(model, ranges, frozen)
    factors: dict[str, np.ndarray | None] = {}
    reads: dict[str, Site] = {}
    offsets = {layer: site.offset for site in ranges.reads if site.offset for layer in site.layers}
    variables = named_variables(model)
    for site in ranges.reads:
        made = Site(MovingRange(site, frozen), site.name)
        quantized._sites[site.name] = made
        reads |= dict.fromkeys(site.layers, made)
        factors |= dict.fromkeys(site.layers, site.factors)
    for site in ranges.written:
        config = _DenseConfig(Channels(factors.get(site.layer)), MovingRange(site, frozen))
        offset = variables[offsets[site.layer]] if site.layer in offsets else None
        wrapper = QuantizedDense(layer_at(model, site.layer), reads.get(site.layer), config, offset)
        quantized._dense[site.layer] = wrapper
        _put(model, site.layer, wrapper)
    for name in ranges.tables:
        quantized._tables[name] = QuantizedTable(layer_at(model, name), ranges.is_integer_throughout)
        _put(model, name, quantized._tables[name])
    for site in (*ranges.scores, *ranges.places):
        quantized._sites[site.name] = Site(MovingRange(site, frozen), site.name)
        quantized._stand(site.name, quantized._sites[site.name])
    for place, quantizer in _derived(model, quantized):
        quantized._stand(place, Site(quantizer, place))
    _build(model)
    return quantized


def _derived(model: TaskModel, quantized: QuantizedModel) -> Iterator[tuple[str, Any]]:
    """Places that have no range of their own, and how they round."""
    ranges = quantized.ranges
    for site in ranges.scores:
        yield f"{site.block}.probabilities", PROBABILITIES
        if ranges.is_integer_throughout:
            yield f"{site.block}.masked", MaskedScores(quantized._sites[site.name], ranges.masked_below)
    if ranges.is_integer_throughout:
        for norm in {place.place.rpartition(".")[0] for place in ranges.places if place.place.endswith(".scaled")}:
            yield from ((f"{norm}.{constant}", Whole()) for constant in _CONSTANTS)
        if model.head_config.pooling == "pooler":
            yield "encoder.pooled", TANH
        if model.head_config.transform == "tanh":
            yield "head.transformed", TANH


def _build(model: TaskModel) -> None:
    """Make every variable now: the first step is too late for those that are stored and restored."""
    inputs = {name: tf.zeros([1, 2], tf.int32) for name in INPUT_NAMES} | {"input_mask": tf.ones([1, 2], tf.int32)}
    model.trace(inputs)
    model(inputs)


def _check(model: TaskModel, ranges: QuantizationRanges) -> None:
    shapes = {name: tuple(variable.shape) for name, variable in named_variables(model).items()}
    readers = {layer: site.factors for site in ranges.reads for layer in site.layers}
    for site in ranges.written:
        shape = shapes.get(f"{site.layer}.kernel")
        if shape is None:
            raise _unlike(site.layer, "a dense layer of the model", "none of that name")
        for what, factors, width in (("in", readers.get(site.layer), shape[0]), ("out", site.factors, shape[1])):
            if factors is not None and len(factors) != width:
                raise _unlike(site.layer, f"{width} factors of what goes {what}", len(factors))
    for site in ranges.reads:
        if site.offset is not None and site.offset not in shapes:
            raise _unlike(site.offset, "a vector of the model", "none of that name")
    for layer in set(readers) - {site.layer for site in ranges.written}:
        raise _unlike(layer, "a range of what it returns", "none")
    for name in ranges.tables:
        if f"{name}.weight" not in shapes:
            raise _unlike(name, "a table of the model", "none of that name")
    for site in ranges.scores:
        if f"{site.block}.query.kernel" not in shapes:
            raise _unlike(site.block, "a block of the model", "none of that name")
    there = set(place_names(model))
    for site in ranges.places:
        if site.place not in there:
            raise _unlike(site.place, "a place of the model", "none of that name")


def _unlike(name: str, expected: str, got: object) -> TrainingError:
    return TrainingError(
        f"{name}: expected {expected}, got {got}. Do: use the ranges with the model that they were made for."
    )


def hold_first_row(model: TaskModel, ranges: QuantizationRanges) -> QuantizationRanges:
    """The same ranges, those of the last block's first token held where calibration left them.

    Where the head reads that token alone, no graph computes the others there, while distillation does: ranges that
    followed all tokens would be too wide for the one.
    """
    if model.head_config.pooling not in ("first", "pooler"):
        return ranges
    block = f"encoder.blocks.{model.config.layer_blocks[-1]}"
    all_tokens = {f"{block}.{part}" for part in ("key.output", "value.output", "key.input", "value.input")}

    def held(site):
        inside = site.name.startswith(f"{block}.") and site.name not in all_tokens
        return dataclasses.replace(site, learns=False) if inside else site

    return ranges.mapped(held)


def rounded_tables(model: TaskModel, smallest_rows: int = FLOAT_TABLE_ROWS + 1) -> tuple[str, ...]:
    """Those that a graph holds in int8, by name: in full-int8 the smallest too."""
    tables = {
        name: variable for name, variable in named_variables(model).items() if name.startswith("encoder.embeddings.")
    }
    return tuple(
        name.removesuffix(".weight")
        for name, variable in tables.items()
        if name.endswith(".weight") and variable.shape[0] >= smallest_rows
    )


def _put(model: TaskModel, name: str, layer: keras.layers.Layer) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(layer_at(model, owner), attribute, layer)
