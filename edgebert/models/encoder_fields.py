"""An encoder's configuration out of JSON fields, with the bounds of each; our own layout of them is read here whole."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from edgebert.config import ACTIVATIONS, NORMALIZATIONS, PROJECTIONS, BottleneckConfig, EncoderConfig
from edgebert.errors import CheckpointError
from edgebert.models.json_fields import NEEDED, Fields

# Far above any encoder for a phone. What fits in here is still compared with the tensors before anything is allocated.
MOST_LAYERS = 1000
MOST_FEED_FORWARDS = 64
SIZES = {
    "vocabulary_size": 2**24,
    "width": 2**16,
    "layers": MOST_LAYERS,
    "heads": 2**12,
    "feed_forward_width": 2**20,
    "embedding_width": 2**16,
    "maximum_length": 2**20,
    "segments": 2**10,
    "own_head_width": 2**16,
}
# Our own layout leaves out what was not there in its first version.
OPTIONAL = ("segments", "own_head_width")
LARGEST_NUMBERS = {"norm_epsilon": 1.0, "dropout": 1.0, "attention_dropout": 1.0, "initializer_range": 100.0}
REQUIRED = ("vocabulary_size", "width", "layers", "heads", "feed_forward_width", "embedding_width")


def read_value(stated: Fields, name: str, ours: str) -> int | float:
    """The field `name`, which means our field `ours`."""
    if ours in SIZES:
        return stated.whole(name, 1, SIZES[ours])
    return stated.number(name, 0, LARGEST_NUMBERS[ours])


def build_config(values: dict[str, Any], source: str) -> EncoderConfig:
    try:
        return EncoderConfig(**values)
    except CheckpointError as error:
        raise CheckpointError(f"{source} {str(error).removeprefix('config.')}") from error


def read_own_config(own: Fields) -> EncoderConfig:
    own.only(*(field.name for field in fields(EncoderConfig)))
    values: dict[str, Any] = {name: read_value(own, name, name) for name in SIZES if name not in OPTIONAL}
    values |= {name: read_value(own, name, name) for name in LARGEST_NUMBERS}
    values["segments"] = own.whole("segments", 0, SIZES["segments"])
    if own.content.get("own_head_width") is not None:
        values["own_head_width"] = read_value(own, "own_head_width", "own_head_width")
    for name, allowed in (
        ("activation", ACTIVATIONS),
        ("normalization", NORMALIZATIONS),
        ("projection", PROJECTIONS),
    ):
        values[name] = own.choice(name, allowed)
    values["trigram"], values["pooler"] = own.truth("trigram"), own.truth("pooler")
    if values["trigram"] and values["projection"] != "before_sum":
        raise own.wrong("projection", "before_sum, as trigrams need it", values["projection"])
    blocks = own.content.get("layer_blocks")
    if not isinstance(blocks, list | tuple) or not all(
        type(block) is int and 0 <= block < values["layers"] for block in blocks
    ):
        raise own.wrong("layer_blocks", f"a list of block numbers below {values['layers']}", blocks)
    values["layer_blocks"] = tuple(blocks)
    if own.content.get("bottleneck") is not None:
        names = {field.name: field.name for field in fields(BottleneckConfig)}
        bottleneck = own.object("bottleneck")
        bottleneck.only(*names)
        values["bottleneck"] = read_bottleneck(bottleneck, names, defaults={})
    return build_config(values, own.source)


def read_bottleneck(theirs: Fields, names: Mapping[str, str], defaults: Mapping[str, Any]) -> BottleneckConfig:
    def default(ours: str) -> Any:
        return defaults.get(ours, NEEDED)

    return BottleneckConfig(
        width=theirs.whole(names["width"], 1, SIZES["width"], default("width")),
        key_query_shared=theirs.truth(names["key_query_shared"], default("key_query_shared")),
        all_inputs_narrow=theirs.truth(names["all_inputs_narrow"], default("all_inputs_narrow")),
        feed_forward_networks=theirs.whole(
            names["feed_forward_networks"], 1, MOST_FEED_FORWARDS, default("feed_forward_networks")
        ),
    )
