"""Encoders that tests share: some that a published family describes, some that none does."""

import dataclasses

import numpy as np

from edgebert.config import BottleneckConfig, EncoderConfig, HeadConfig
from edgebert.models.weights import encoder_rows, head_rows

PLAIN = EncoderConfig(
    vocabulary_size=31,
    width=12,
    layers=2,
    heads=3,
    feed_forward_width=20,
    embedding_width=12,
    maximum_length=9,
)
BOTTLENECK = BottleneckConfig(width=6, key_query_shared=True, all_inputs_narrow=False, feed_forward_networks=3)
MOBILE = dataclasses.replace(
    PLAIN,
    embedding_width=4,
    projection="before_sum",
    trigram=True,
    normalization="no_norm",
    activation="relu",
    bottleneck=BOTTLENECK,
)
SHARED = dataclasses.replace(PLAIN, layers=4, embedding_width=4, projection="after_norm", layer_blocks=(0, 0, 1, 1))
# The family that says all of it.
PUBLISHED = {
    "plain": (PLAIN, "bert"),
    "no pooler, other numbers": (
        dataclasses.replace(PLAIN, pooler=False, activation="gelu_tanh", norm_epsilon=1e-5, dropout=0.0, segments=3),
        "bert",
    ),
    "no segments": (dataclasses.replace(PLAIN, segments=0, pooler=False, attention_dropout=0.25), "distilbert"),
    "two groups": (SHARED, "albert"),
    "groups of two layers": (dataclasses.replace(SHARED, layer_blocks=(0, 1, 0, 1)), "albert"),
    "two groups of two layers": (dataclasses.replace(SHARED, layer_blocks=(0, 1, 2, 3)), "albert"),
    "as wide a table": (dataclasses.replace(SHARED, embedding_width=12), "albert"),
    "mobile": (MOBILE, "mobilebert"),
    "mobile without trigrams": (dataclasses.replace(MOBILE, trigram=False), "mobilebert"),
    "mobile without projection": (
        dataclasses.replace(MOBILE, trigram=False, projection="none", embedding_width=12),
        "mobilebert",
    ),
    "mobile, all narrow, no pooler": (
        dataclasses.replace(
            MOBILE,
            pooler=False,
            bottleneck=dataclasses.replace(
                BOTTLENECK, key_query_shared=False, all_inputs_narrow=True, feed_forward_networks=1
            ),
        ),
        "mobilebert",
    ),
}
UNPUBLISHED = {
    "ReLU, NoNorm, factorised": dataclasses.replace(
        PLAIN, activation="relu", normalization="no_norm", embedding_width=4, projection="before_sum"
    ),
    "trigrams without a bottleneck": dataclasses.replace(PLAIN, projection="before_sum", trigram=True),
    "NoNorm": dataclasses.replace(PLAIN, normalization="no_norm"),
    "no segments, but a pooler": dataclasses.replace(PLAIN, segments=0),
    "a DistilBERT of another epsilon": dataclasses.replace(PLAIN, segments=0, pooler=False, norm_epsilon=1e-5),
    "one block in the middle": dataclasses.replace(SHARED, layer_blocks=(0, 1, 1, 2)),
    "backwards": dataclasses.replace(SHARED, layer_blocks=(1, 0, 1, 0)),
    "shared without factorising": dataclasses.replace(PLAIN, layer_blocks=(0, 0)),
    "a bottleneck before which all is wide": dataclasses.replace(
        MOBILE, bottleneck=dataclasses.replace(BOTTLENECK, key_query_shared=False)
    ),
    "a bottleneck with norms": dataclasses.replace(MOBILE, normalization="layer_norm"),
    "heads removed": dataclasses.replace(PLAIN, heads=2, own_head_width=4),
    "heads removed and shared": dataclasses.replace(SHARED, heads=1, own_head_width=4),
    "heads removed inside a bottleneck": dataclasses.replace(MOBILE, heads=2, own_head_width=2),
    "heads that are no part of the width": dataclasses.replace(PLAIN, heads=5, own_head_width=3),
}
EVERY = {name: config for name, (config, _) in PUBLISHED.items()} | UNPUBLISHED


def values_for(config: EncoderConfig, head: HeadConfig | None, seed: int = 0) -> dict[str, np.ndarray]:
    """Random values for every variable, by our names."""
    random = np.random.default_rng(seed)
    rows = encoder_rows(config, None) + (head_rows(config, head, own_names=True) if head else [])
    return {row.ours: random.normal(size=row.shape).astype(np.float32) for row in rows}
