"""The weight table: every variable of a model with its shape, beside the published checkpoints' tensor names.

`layers` says what an encoder consists of; one table a family says what that family calls it. Loading and saving read
the same rows in opposite directions.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgebert.config import EncoderConfig, HeadConfig

ENCODER = "encoder."
HEAD = "head."
WORD_TABLE = "encoder.embeddings.word.weight"


class Layer(NamedTuple):
    """A layer with weights of its own: dense (inputs, outputs), norm (width), table (rows, width) or bias (width)."""

    name: str
    kind: str
    shape: tuple[int, ...]


class Row(NamedTuple):
    ours: str
    theirs: str
    # As the file has it: PyTorch stores a dense layer as [out, in], Keras as [in, out].
    shape: tuple[int, ...]
    transposed: bool = False


# Our variables of each kind of layer: our name and theirs.
LEAVES = {
    "dense": (("kernel", "weight"), ("bias", "bias")),
    "norm": (("gain", "weight"), ("bias", "bias")),
    "table": (("weight", "weight"),),
    "bias": (("bias", "bias"),),
}
# Numbers in a layer's name are {} on the left; on the right {0} is the block, {1} the number inside it.
BERT_NAMES = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "blocks.{}.query": "encoder.layer.{0}.attention.self.query",
    "blocks.{}.key": "encoder.layer.{0}.attention.self.key",
    "blocks.{}.value": "encoder.layer.{0}.attention.self.value",
    "blocks.{}.attention_output": "encoder.layer.{0}.attention.output.dense",
    "blocks.{}.attention_norm": "encoder.layer.{0}.attention.output.LayerNorm",
    "blocks.{}.feed_forward.up": "encoder.layer.{0}.intermediate.dense",
    "blocks.{}.feed_forward.down": "encoder.layer.{0}.output.dense",
    "blocks.{}.feed_forward.norm": "encoder.layer.{0}.output.LayerNorm",
    "pooler": "pooler.dense",
}
DISTILBERT_NAMES = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "blocks.{}.query": "transformer.layer.{0}.attention.q_lin",
    "blocks.{}.key": "transformer.layer.{0}.attention.k_lin",
    "blocks.{}.value": "transformer.layer.{0}.attention.v_lin",
    "blocks.{}.attention_output": "transformer.layer.{0}.attention.out_lin",
    "blocks.{}.attention_norm": "transformer.layer.{0}.sa_layer_norm",
    "blocks.{}.feed_forward.up": "transformer.layer.{0}.ffn.lin1",
    "blocks.{}.feed_forward.down": "transformer.layer.{0}.ffn.lin2",
    "blocks.{}.feed_forward.norm": "transformer.layer.{0}.output_layer_norm",
}
# Here {0} is the group and {1} the layer inside it.
ALBERT_NAMES = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "embeddings.projection": "encoder.embedding_hidden_mapping_in",
    "blocks.{}.query": "encoder.albert_layer_groups.{0}.albert_layers.{1}.attention.query",
    "blocks.{}.key": "encoder.albert_layer_groups.{0}.albert_layers.{1}.attention.key",
    "blocks.{}.value": "encoder.albert_layer_groups.{0}.albert_layers.{1}.attention.value",
    "blocks.{}.attention_output": "encoder.albert_layer_groups.{0}.albert_layers.{1}.attention.dense",
    "blocks.{}.attention_norm": "encoder.albert_layer_groups.{0}.albert_layers.{1}.attention.LayerNorm",
    "blocks.{}.feed_forward.up": "encoder.albert_layer_groups.{0}.albert_layers.{1}.ffn",
    "blocks.{}.feed_forward.down": "encoder.albert_layer_groups.{0}.albert_layers.{1}.ffn_output",
    "blocks.{}.feed_forward.norm": "encoder.albert_layer_groups.{0}.albert_layers.{1}.full_layer_layer_norm",
    "pooler": "pooler",
}
MOBILEBERT_NAMES = BERT_NAMES | {
    "embeddings.projection": "embeddings.embedding_transformation",
    "blocks.{}.narrow_input.dense": "encoder.layer.{0}.bottleneck.input.dense",
    "blocks.{}.narrow_input.norm": "encoder.layer.{0}.bottleneck.input.LayerNorm",
    "blocks.{}.narrow_attention.dense": "encoder.layer.{0}.bottleneck.attention.dense",
    "blocks.{}.narrow_attention.norm": "encoder.layer.{0}.bottleneck.attention.LayerNorm",
    "blocks.{}.earlier_feed_forwards.{}.up": "encoder.layer.{0}.ffn.{1}.intermediate.dense",
    "blocks.{}.earlier_feed_forwards.{}.down": "encoder.layer.{0}.ffn.{1}.output.dense",
    "blocks.{}.earlier_feed_forwards.{}.norm": "encoder.layer.{0}.ffn.{1}.output.LayerNorm",
    "blocks.{}.widen": "encoder.layer.{0}.output.bottleneck.dense",
    "blocks.{}.widen_norm": "encoder.layer.{0}.output.bottleneck.LayerNorm",
}
HEAD_NAMES = {"transform": "pre_classifier", "classifier": "classifier"}
BERT_MASKED_WORD_NAMES = {
    "transform": "cls.predictions.transform.dense",
    "norm": "cls.predictions.transform.LayerNorm",
    "decoder": "cls.predictions",
}
DISTILBERT_MASKED_WORD_NAMES = {
    "transform": "vocab_transform",
    "norm": "vocab_layer_norm",
    "decoder": "vocab_projector",
}

# Heads for other tasks, which an encoder can be read without; whoever loads is told their names.
KNOWN_EXTRAS = re.compile(
    r"^(cls\.|lm_head|predictions\.|sop_classifier\.|qa_outputs\.|fit_dense|vocab_|classifier\.|pre_classifier\.)"
    r"|^pooler\."
    # MobileBERT has these layers whether its configuration reads them or not.
    r"|^encoder\.layer\.\d+\.bottleneck\.attention\.|^embeddings\.embedding_transformation\."
)
# Old TensorFlow names for a norm's gain and bias, still met in converted files.
NORM_ALIASES = ((".gamma", ".weight"), (".beta", ".bias"))


def encoder_rows(config: EncoderConfig, names: Mapping[str, str] | None, inner_blocks: int = 1) -> list[Row]:
    """The encoder's variables and what a family calls them; without `names`, what we call them.

    ALBERT counts its blocks by group: `inner_blocks` is how many each of its groups has.
    """
    rows = []
    for layer in layers(config):
        if names is None:
            rows += _rows(layer, ENCODER)
        else:
            numbers = [int(number) for number in re.findall(r"\d+", layer.name)]
            if inner_blocks > 1 and numbers:
                numbers = list(divmod(numbers[0], inner_blocks))
            rows += _rows(layer, ENCODER, names[re.sub(r"\d+", "{}", layer.name)].format(*numbers, 0))
    return rows


def head_rows(
    config: EncoderConfig,
    head: HeadConfig,
    *,
    own_names: bool,
    masked_word_names: Mapping[str, str] | None = None,
) -> list[Row]:
    """The head's variables. masked_word_names: what the family calls a masked-word head's layers, if anything."""
    masked_words = head.kind == "masked_words"
    names = masked_word_names if masked_words else None if own_names else HEAD_NAMES
    found = _masked_word_layers(config) if masked_words else _head_layers(config, head)
    return [row for layer in found for row in _rows(layer, HEAD, names and names[layer.name])]


def _head_layers(config: EncoderConfig, head: HeadConfig) -> Iterator[Layer]:
    if head.transform:
        yield Layer("transform", "dense", (config.width, config.width))
    if head.outputs:
        yield Layer("classifier", "dense", (config.width, head.outputs))


def _masked_word_layers(config: EncoderConfig) -> Iterator[Layer]:
    """The kernel of the decoder is the table of words, which is as wide as the embeddings."""
    yield Layer("transform", "dense", (config.width, config.embedding_width))
    yield Layer("norm", "norm", (config.embedding_width,))
    yield Layer("decoder", "bias", (config.vocabulary_size,))


def layers(config: EncoderConfig) -> Iterator[Layer]:
    yield from _embeddings(config)
    for number in range(config.blocks):
        for layer in _block(config):
            yield layer._replace(name=f"blocks.{number}.{layer.name}")
    if config.pooler:
        yield Layer("pooler", "dense", (config.width, config.width))


def _embeddings(config: EncoderConfig) -> Iterator[Layer]:
    sum_width = config.embedding_width if config.projection == "after_norm" else config.width
    yield Layer("embeddings.word", "table", (config.vocabulary_size, config.embedding_width))
    yield Layer("embeddings.position", "table", (config.maximum_length, sum_width))
    if config.segments:
        yield Layer("embeddings.segment", "table", (config.segments, sum_width))
    if config.projection != "none":
        # A trigram is the embeddings of three neighbours side by side.
        inputs = config.embedding_width * (3 if config.trigram else 1)
        yield Layer("embeddings.projection", "dense", (inputs, config.width))
    yield Layer("embeddings.norm", "norm", (sum_width,))


def _block(config: EncoderConfig) -> Iterator[Layer]:
    width, narrow, bottleneck = config.width, config.attention_width, config.bottleneck
    query_width = value_width = width
    if bottleneck:
        yield Layer("narrow_input.dense", "dense", (width, narrow))
        yield Layer("narrow_input.norm", "norm", (narrow,))
        if bottleneck.all_inputs_narrow:
            query_width = value_width = narrow
        elif bottleneck.key_query_shared:
            query_width = narrow
            yield Layer("narrow_attention.dense", "dense", (width, narrow))
            yield Layer("narrow_attention.norm", "norm", (narrow,))
    for part, inputs in (("query", query_width), ("key", query_width), ("value", value_width)):
        yield Layer(part, "dense", (inputs, config.heads_width))
    yield Layer("attention_output", "dense", (config.heads_width, narrow))
    yield Layer("attention_norm", "norm", (narrow,))
    earlier = range(bottleneck.feed_forward_networks - 1) if bottleneck else ()
    for name in (*(f"earlier_feed_forwards.{number}" for number in earlier), "feed_forward"):
        yield Layer(f"{name}.up", "dense", (narrow, config.feed_forward_width))
        yield Layer(f"{name}.down", "dense", (config.feed_forward_width, narrow))
        yield Layer(f"{name}.norm", "norm", (narrow,))
    if bottleneck:
        yield Layer("widen", "dense", (narrow, width))
        yield Layer("widen_norm", "norm", (width,))


def _rows(layer: Layer, root: str, theirs: str | None = None) -> Iterator[Row]:
    """A layer's variables; where no other name is given, under our names and in our orientation."""
    for our_leaf, their_leaf in LEAVES[layer.kind]:
        ours = f"{root}{layer.name}.{our_leaf}"
        shape = layer.shape[-1:] if our_leaf == "bias" else layer.shape
        if theirs is None:
            yield Row(ours, ours, shape)
        else:
            turned = our_leaf == "kernel"
            yield Row(ours, f"{theirs}.{their_leaf}", shape[::-1] if turned else shape, turned)
