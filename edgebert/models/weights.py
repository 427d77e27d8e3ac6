"""The weight table: our variable names beside the published checkpoints' tensor names.

One function a family, each a list of rows; loading and saving read the same rows in opposite directions.
"""

import re
from typing import NamedTuple

from edgebert.config import EncoderConfig, HeadConfig


class Row(NamedTuple):
    ours: str
    theirs: str
    # PyTorch stores a dense layer as [out, in], Keras as [in, out].
    transposed: bool = False


# Heads for other tasks, which an encoder can be read without; whoever loads is told their names.
KNOWN_EXTRAS = re.compile(
    r"^(cls\.|lm_head|predictions\.|sop_classifier\.|qa_outputs\.|fit_dense|vocab_|classifier\.|pre_classifier\.)"
    # MobileBERT's files hold a bottleneck that nothing reads when queries and keys come from the narrow input.
    r"|^pooler\.|^encoder\.layer\.\d+\.bottleneck\.attention\."
)
# Old TensorFlow names for a norm's gain and bias, still met in converted files.
NORM_ALIASES = ((".gamma", ".weight"), (".beta", ".bias"))


def dense(ours: str, theirs: str) -> list[Row]:
    return [Row(f"{ours}.kernel", f"{theirs}.weight", True), Row(f"{ours}.bias", f"{theirs}.bias")]


def norm(ours: str, theirs: str) -> list[Row]:
    return [Row(f"{ours}.gain", f"{theirs}.weight"), Row(f"{ours}.bias", f"{theirs}.bias")]


def embeddings(config: EncoderConfig, root: str) -> list[Row]:
    rows = [
        Row("embeddings.word.weight", f"{root}.word_embeddings.weight"),
        Row("embeddings.position.weight", f"{root}.position_embeddings.weight"),
        *norm("embeddings.norm", f"{root}.LayerNorm"),
    ]
    if config.segments:
        rows.append(Row("embeddings.segment.weight", f"{root}.token_type_embeddings.weight"))
    return rows


def bert_block(number: int) -> list[Row]:
    ours, theirs = f"blocks.{number}", f"encoder.layer.{number}"
    return [
        *(
            row
            for part in ("query", "key", "value")
            for row in dense(f"{ours}.{part}", f"{theirs}.attention.self.{part}")
        ),
        *dense(f"{ours}.attention_output", f"{theirs}.attention.output.dense"),
        *norm(f"{ours}.attention_norm", f"{theirs}.attention.output.LayerNorm"),
        *dense(f"{ours}.feed_forward.up", f"{theirs}.intermediate.dense"),
        *dense(f"{ours}.feed_forward.down", f"{theirs}.output.dense"),
        *norm(f"{ours}.feed_forward.norm", f"{theirs}.output.LayerNorm"),
    ]


def bert(config: EncoderConfig) -> list[Row]:
    rows = embeddings(config, "embeddings")
    for number in range(config.blocks):
        rows += bert_block(number)
    return rows + (dense("pooler", "pooler.dense") if config.pooler else [])


def distilbert(config: EncoderConfig) -> list[Row]:
    rows = embeddings(config, "embeddings")
    for number in range(config.blocks):
        ours, theirs = f"blocks.{number}", f"transformer.layer.{number}"
        for part in ("query", "key", "value"):
            rows += dense(f"{ours}.{part}", f"{theirs}.attention.{part[0]}_lin")
        rows += dense(f"{ours}.attention_output", f"{theirs}.attention.out_lin")
        rows += norm(f"{ours}.attention_norm", f"{theirs}.sa_layer_norm")
        rows += dense(f"{ours}.feed_forward.up", f"{theirs}.ffn.lin1")
        rows += dense(f"{ours}.feed_forward.down", f"{theirs}.ffn.lin2")
        rows += norm(f"{ours}.feed_forward.norm", f"{theirs}.output_layer_norm")
    return rows


def albert(config: EncoderConfig, inner_blocks: int) -> list[Row]:
    rows = embeddings(config, "embeddings")
    rows += dense("embeddings.projection", "encoder.embedding_hidden_mapping_in")
    for number in range(config.blocks):
        group, inner = divmod(number, inner_blocks)
        ours, theirs = f"blocks.{number}", f"encoder.albert_layer_groups.{group}.albert_layers.{inner}"
        for part in ("query", "key", "value"):
            rows += dense(f"{ours}.{part}", f"{theirs}.attention.{part}")
        rows += dense(f"{ours}.attention_output", f"{theirs}.attention.dense")
        rows += norm(f"{ours}.attention_norm", f"{theirs}.attention.LayerNorm")
        rows += dense(f"{ours}.feed_forward.up", f"{theirs}.ffn")
        rows += dense(f"{ours}.feed_forward.down", f"{theirs}.ffn_output")
        rows += norm(f"{ours}.feed_forward.norm", f"{theirs}.full_layer_layer_norm")
    return rows + (dense("pooler", "pooler") if config.pooler else [])


def mobilebert(config: EncoderConfig) -> list[Row]:
    rows = embeddings(config, "embeddings")
    if config.projection != "none":
        rows += dense("embeddings.projection", "embeddings.embedding_transformation")
    for number in range(config.blocks):
        rows += bert_block(number) + mobilebert_bottleneck(config, number)
    return rows + (dense("pooler", "pooler.dense") if config.pooler else [])


def mobilebert_bottleneck(config: EncoderConfig, number: int) -> list[Row]:
    if config.bottleneck is None:
        return []
    ours, theirs = f"blocks.{number}", f"encoder.layer.{number}"
    rows = dense(f"{ours}.narrow_input.dense", f"{theirs}.bottleneck.input.dense")
    rows += norm(f"{ours}.narrow_input.norm", f"{theirs}.bottleneck.input.LayerNorm")
    if config.bottleneck.key_query_shared and not config.bottleneck.all_inputs_narrow:
        rows += dense(f"{ours}.narrow_attention.dense", f"{theirs}.bottleneck.attention.dense")
        rows += norm(f"{ours}.narrow_attention.norm", f"{theirs}.bottleneck.attention.LayerNorm")
    for earlier in range(config.bottleneck.feed_forward_networks - 1):
        mine, other = f"{ours}.earlier_feed_forwards.{earlier}", f"{theirs}.ffn.{earlier}"
        rows += dense(f"{mine}.up", f"{other}.intermediate.dense")
        rows += dense(f"{mine}.down", f"{other}.output.dense")
        rows += norm(f"{mine}.norm", f"{other}.output.LayerNorm")
    rows += dense(f"{ours}.widen", f"{theirs}.output.bottleneck.dense")
    return rows + norm(f"{ours}.widen_norm", f"{theirs}.output.bottleneck.LayerNorm")


def head(config: HeadConfig) -> list[Row]:
    rows = dense("head.transform", "pre_classifier") if config.transform else []
    return rows + (dense("head.classifier", "classifier") if config.outputs else [])
