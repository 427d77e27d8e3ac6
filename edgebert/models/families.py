"""The published families: what their config.json says in our terms, and the other way round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models import weights
from edgebert.models.encoder_fields import (
    MOST_LAYERS,
    REQUIRED,
    build_config,
    read_bottleneck,
    read_own_config,
    read_value,
)
from edgebert.models.json_fields import Fields
from edgebert.models.tensor_file import shown

# Our own layout, for encoders that no published family describes: tensors under our names, our fields in config.json.
OWN_FAMILY = "edgebert"

# The first name of a meaning is the one that is written.
ACTIVATION_NAMES = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
BERT_FIELDS = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "feed_forward_width",
    "max_position_embeddings": "maximum_length",
    "type_vocab_size": "segments",
    "layer_norm_eps": "norm_epsilon",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "initializer_range": "initializer_range",
}
DISTILBERT_FIELDS = {
    "vocab_size": "vocabulary_size",
    "dim": "width",
    "n_layers": "layers",
    "n_heads": "heads",
    "hidden_dim": "feed_forward_width",
    "max_position_embeddings": "maximum_length",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "initializer_range": "initializer_range",
}
NARROW_TABLE_FIELDS = {**BERT_FIELDS, "embedding_size": "embedding_width"}
MOBILEBERT_BOTTLENECK = {
    "width": "intra_bottleneck_size",
    "key_query_shared": "key_query_shared_bottleneck",
    "all_inputs_narrow": "use_bottleneck_attention",
    "feed_forward_networks": "num_feedforward_networks",
}
# Those of transformers, for fields that a config.json leaves out.
MOBILEBERT_DEFAULTS = {
    "width": 128,
    "key_query_shared": True,
    "all_inputs_narrow": False,
    "feed_forward_networks": 4,
}


@dataclass(frozen=True)
class Family:
    # transformers puts it before an encoder's tensors where a head stands beside them.
    prefix: str
    names: Mapping[str, str]
    fields: Mapping[str, str]
    activation_field: str
    default_activation: str
    base_class: str
    classifier_class: str
    classifier_transform: str | None
    # Of the head for masked words; MobileBERT's has a second kernel and is not known here.
    masked_words_class: str | None
    masked_word_names: Mapping[str, str] | None
    # Completes our fields from theirs, and theirs from our configuration.
    read_rest: Callable[[dict[str, Any], Fields], None]
    write_rest: Callable[[EncoderConfig, dict[str, Any]], dict[str, Any]]


def family_name(raw: dict[str, Any], source: str) -> str:
    """The family of a config.json; TinyBERT's published files name none and are BERT's."""
    name = raw.get("model_type")
    if name is None and "hidden_size" in raw and "num_hidden_groups" not in raw and "trigram_input" not in raw:
        return "bert"
    if not isinstance(name, str) or (name not in FAMILIES and name != OWN_FAMILY):
        raise CheckpointError(
            f"{source} model_type: expected {', '.join(sorted(FAMILIES))} or {OWN_FAMILY}, got {shown(name)}. "
            "Do: give a checkpoint of one of these architectures."
        )
    return name


def read_encoder_config(raw: dict[str, Any], family: str, has_pooler: bool, source: str) -> EncoderConfig:
    theirs = Fields(raw, source)
    if family == OWN_FAMILY:
        return read_own_config(theirs.object("encoder"))
    description = FAMILIES[family]
    _refuse_other_attention(theirs)
    values = {
        ours: read_value(theirs, name, ours)
        for name, ours in description.fields.items()
        if name in raw or ours in REQUIRED
    }
    activation = theirs.choice(
        description.activation_field, tuple(ACTIVATION_NAMES), default=description.default_activation
    )
    values |= {"activation": ACTIVATION_NAMES[activation], "pooler": has_pooler}
    description.read_rest(values, theirs)
    return build_config(values, source)


def write_encoder_config(config: EncoderConfig, family: str, raw: dict[str, Any]) -> dict[str, Any] | None:
    """`raw` with the fields that describe `config`, or none if the family's fields cannot say all of it."""
    if family == OWN_FAMILY:
        return {**raw, "model_type": OWN_FAMILY, "encoder": config.to_json()}
    description = FAMILIES[family]
    written = {**raw, "model_type": family}
    written |= {theirs: getattr(config, ours) for theirs, ours in description.fields.items()}
    activation = raw.get(description.activation_field, description.default_activation)
    if ACTIVATION_NAMES[activation] != config.activation:
        activation = next(name for name, meaning in ACTIVATION_NAMES.items() if meaning == config.activation)
    written[description.activation_field] = activation
    written |= description.write_rest(config, written)
    try:
        understood = read_encoder_config(written, family, config.pooler, family)
    except CheckpointError:
        return None
    return written if understood == config else None


def expressible(config: EncoderConfig, family: str) -> bool:
    """Whether the family's config.json says all of `config`: it is written, read back and compared."""
    return write_encoder_config(config, family, {}) is not None


def encoder_rows(config: EncoderConfig, family: str, raw: dict[str, Any]) -> list[weights.Row]:
    if family == OWN_FAMILY:
        return weights.encoder_rows(config, None)
    return weights.encoder_rows(config, FAMILIES[family].names, raw.get("inner_group_num", 1))


def head_rows(config: EncoderConfig, head: HeadConfig, family: str) -> list[weights.Row]:
    if family == OWN_FAMILY:
        return weights.head_rows(config, head, own_names=True)
    return weights.head_rows(config, head, own_names=False, masked_word_names=FAMILIES[family].masked_word_names)


def _refuse_other_attention(theirs: Fields) -> None:
    positions = theirs.content.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise CheckpointError(
            f"{theirs.source} position_embedding_type: expected absolute, got {shown(positions)}. "
            "Do: give a checkpoint with absolute positions."
        )
    for name in ("is_decoder", "add_cross_attention"):
        if theirs.truth(name, default=False):
            raise CheckpointError(f"{theirs.source} {name}: expected false, got true. Do: give an encoder.")


def _read_bert(values: dict[str, Any], theirs: Fields) -> None:
    values["embedding_width"] = values["width"]


def _read_distilbert(values: dict[str, Any], theirs: Fields) -> None:
    values |= {"embedding_width": values["width"], "segments": 0, "pooler": False}


def _read_albert(values: dict[str, Any], theirs: Fields) -> None:
    layers = values["layers"]
    groups = theirs.whole("num_hidden_groups", 1, layers, default=1)
    inner = theirs.whole("inner_group_num", 1, MOST_LAYERS // layers, default=1)
    group_of = [int(layer / (layers / groups)) for layer in range(layers)]
    blocks = tuple(group * inner + number for group in group_of for number in range(inner))
    values |= {"projection": "after_norm", "layers": len(blocks), "layer_blocks": blocks}


def _write_albert(config: EncoderConfig, written: dict[str, Any]) -> dict[str, Any]:
    """The groups that repeat these blocks in this order; nothing where no groups do."""
    for inner in (written.get("inner_group_num", 1), *range(1, config.blocks + 1)):
        if config.layers % inner or config.blocks % inner:
            continue
        groups = {"num_hidden_groups": config.blocks // inner, "inner_group_num": inner}
        values: dict[str, Any] = {"layers": config.layers // inner}
        _read_albert(values, Fields(groups, "albert"))
        if values["layer_blocks"] == config.layer_blocks:
            return groups | {"num_hidden_layers": config.layers // inner}
    return {}


def _read_mobilebert(values: dict[str, Any], theirs: Fields) -> None:
    trigram = theirs.truth("trigram_input", default=True)
    projected = trigram or values["embedding_width"] != values["width"]
    values |= {
        "trigram": trigram,
        "projection": "before_sum" if projected else "none",
        "normalization": "no_norm",
        "pooler": values["pooler"] and theirs.truth("classifier_activation", default=True),
        "bottleneck": read_bottleneck(theirs, MOBILEBERT_BOTTLENECK, MOBILEBERT_DEFAULTS),
    }
    bottleneck = values["bottleneck"]
    if not (bottleneck.key_query_shared or bottleneck.all_inputs_narrow):
        # transformers makes the query narrow here and then feeds it wide rows.
        raise theirs.wrong("key_query_shared_bottleneck", "true where use_bottleneck_attention is false", False)
    # The other settings exist in code but in no published checkpoint, and there transformers mixes two epsilons.
    for name, published in (("use_bottleneck", True), ("normalization_type", "no_norm")):
        stated = theirs.content.get(name, published)
        if stated != published:
            raise theirs.wrong(name, f"{published} as in every published MobileBERT", stated)


def _write_mobilebert(config: EncoderConfig, written: dict[str, Any]) -> dict[str, Any]:
    if config.bottleneck is None:
        return {}
    bottleneck = {theirs: getattr(config.bottleneck, ours) for ours, theirs in MOBILEBERT_BOTTLENECK.items()}
    return bottleneck | {
        "trigram_input": config.trigram,
        "true_hidden_size": config.bottleneck.width,
        # Whether there is a pooler.
        "classifier_activation": config.pooler or written.get("classifier_activation", False),
    }


def _write_nothing(config: EncoderConfig, written: dict[str, Any]) -> dict[str, Any]:
    return {}


FAMILIES = {
    "bert": Family(
        prefix="bert.",
        names=weights.BERT_NAMES,
        fields=BERT_FIELDS,
        activation_field="hidden_act",
        default_activation="gelu",
        base_class="BertModel",
        classifier_class="BertForSequenceClassification",
        classifier_transform=None,
        masked_words_class="BertForMaskedLM",
        masked_word_names=weights.BERT_MASKED_WORD_NAMES,
        read_rest=_read_bert,
        write_rest=_write_nothing,
    ),
    "distilbert": Family(
        prefix="distilbert.",
        names=weights.DISTILBERT_NAMES,
        fields=DISTILBERT_FIELDS,
        activation_field="activation",
        default_activation="gelu",
        base_class="DistilBertModel",
        classifier_class="DistilBertForSequenceClassification",
        classifier_transform="relu",
        masked_words_class="DistilBertForMaskedLM",
        masked_word_names=weights.DISTILBERT_MASKED_WORD_NAMES,
        read_rest=_read_distilbert,
        write_rest=_write_nothing,
    ),
    "albert": Family(
        prefix="albert.",
        names=weights.ALBERT_NAMES,
        fields=NARROW_TABLE_FIELDS,
        activation_field="hidden_act",
        default_activation="gelu_new",
        base_class="AlbertModel",
        classifier_class="AlbertForSequenceClassification",
        classifier_transform=None,
        masked_words_class=None,
        masked_word_names=None,
        read_rest=_read_albert,
        write_rest=_write_albert,
    ),
    "mobilebert": Family(
        prefix="mobilebert.",
        names=weights.MOBILEBERT_NAMES,
        fields=NARROW_TABLE_FIELDS,
        activation_field="hidden_act",
        default_activation="relu",
        base_class="MobileBertModel",
        classifier_class="MobileBertForSequenceClassification",
        classifier_transform=None,
        masked_words_class=None,
        masked_word_names=None,
        read_rest=_read_mobilebert,
        write_rest=_write_mobilebert,
    ),
}
