"""The published families: their config.json beside ours, and where their tensors' names begin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgebert.config import BottleneckConfig, EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models import weights
from edgebert.models.weights import Row

# Our own layout, for encoders that no published family describes: tensors under our names, our fields in config.json.
OWN_FAMILY = "edgebert"

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
REQUIRED = ("vocabulary_size", "width", "layers", "heads", "feed_forward_width", "embedding_width")


@dataclass(frozen=True)
class Family:
    prefix: str
    fields: dict[str, str]
    activation_field: str
    default_activation: str
    base_class: str
    classifier_class: str
    classifier_transform: str | None
    settle: Callable[[dict[str, Any], dict[str, Any]], None]
    rows: Callable[[EncoderConfig, dict[str, Any]], list[Row]]


def _settle_bert(fields: dict[str, Any], raw: dict[str, Any]) -> None:
    fields["embedding_width"] = fields["width"]


def _settle_distilbert(fields: dict[str, Any], raw: dict[str, Any]) -> None:
    fields |= {"embedding_width": fields["width"], "segments": 0, "pooler": False}


def _settle_albert(fields: dict[str, Any], raw: dict[str, Any]) -> None:
    layers, groups, inner = fields["layers"], raw.get("num_hidden_groups", 1), raw.get("inner_group_num", 1)
    if not (0 < groups <= layers and inner > 0):
        raise CheckpointError(
            f"config.json num_hidden_groups: expected 1 to {layers} (the layers), got {groups}. Do: correct the file."
        )
    group_of = [int(layer / (layers / groups)) for layer in range(layers)]
    blocks = tuple(group * inner + number for group in group_of for number in range(inner))
    fields |= {"projection": "after_norm", "layers": len(blocks), "layer_blocks": blocks}


def _settle_mobilebert(fields: dict[str, Any], raw: dict[str, Any]) -> None:
    trigram = raw.get("trigram_input", True)
    projected = trigram or fields["embedding_width"] != fields["width"]
    fields |= {
        "trigram": trigram,
        "projection": "before_sum" if projected else "none",
        "normalization": "no_norm",
        "pooler": fields["pooler"] and raw.get("classifier_activation", True),
    }
    # The other settings exist in code but in no published checkpoint, and there transformers mixes two epsilons.
    for name, published in (("use_bottleneck", True), ("normalization_type", "no_norm")):
        if raw.get(name, published) != published:
            raise CheckpointError(
                f"config.json {name}: expected {published} as in every published MobileBERT, got {raw[name]}. "
                "Do: give a checkpoint of the published architecture."
            )
    fields["bottleneck"] = BottleneckConfig(
        width=raw.get("intra_bottleneck_size", 128),
        key_query_shared=raw.get("key_query_shared_bottleneck", True),
        all_inputs_narrow=raw.get("use_bottleneck_attention", False),
        feed_forward_networks=raw.get("num_feedforward_networks", 4),
    )


FAMILIES: dict[str, Family] = {
    "bert": Family(
        "bert.", BERT_FIELDS, "hidden_act", "gelu", "BertModel", "BertForSequenceClassification", None,
        _settle_bert, lambda config, raw: weights.bert(config),
    ),
    "distilbert": Family(
        "distilbert.", DISTILBERT_FIELDS, "activation", "gelu",
        "DistilBertModel", "DistilBertForSequenceClassification", "relu",
        _settle_distilbert, lambda config, raw: weights.distilbert(config),
    ),
    "albert": Family(
        "albert.", NARROW_TABLE_FIELDS, "hidden_act", "gelu_new",
        "AlbertModel", "AlbertForSequenceClassification", None,
        _settle_albert, lambda config, raw: weights.albert(config, raw.get("inner_group_num", 1)),
    ),
    "mobilebert": Family(
        "mobilebert.", NARROW_TABLE_FIELDS, "hidden_act", "relu",
        "MobileBertModel", "MobileBertForSequenceClassification", None,
        _settle_mobilebert, lambda config, raw: weights.mobilebert(config),
    ),
}  # fmt: skip


def family_name(raw: dict[str, Any], source: str) -> str:
    """The family of a config.json; TinyBERT's published files name none and are BERT's."""
    name = raw.get("model_type")
    if name is None and "hidden_size" in raw and "num_hidden_groups" not in raw and "trigram_input" not in raw:
        return "bert"
    if name not in FAMILIES and name != OWN_FAMILY:
        raise CheckpointError(
            f"{source} model_type: expected {', '.join(sorted(FAMILIES))} or {OWN_FAMILY}, got {name}. "
            "Do: give a checkpoint of one of these architectures."
        )
    return name


def read_encoder_config(raw: dict[str, Any], family: str, has_pooler: bool, source: str) -> EncoderConfig:
    if family == OWN_FAMILY:
        return _own_config(raw, source)
    description = FAMILIES[family]
    fields = {ours: raw[theirs] for theirs, ours in description.fields.items() if theirs in raw}
    if raw.get("position_embedding_type", "absolute") != "absolute" or raw.get("is_decoder"):
        raise CheckpointError(
            f"{source}: expected an encoder with absolute positions, got "
            f"position_embedding_type={raw.get('position_embedding_type')}, is_decoder={raw.get('is_decoder')}. "
            "Do: give a plain encoder."
        )
    activation = raw.get(description.activation_field, description.default_activation)
    if activation not in ACTIVATION_NAMES:
        raise CheckpointError(
            f"{source} {description.activation_field}: expected {', '.join(ACTIVATION_NAMES)}, got {activation}. "
            "Do: give a checkpoint with one of these activations."
        )
    fields |= {"activation": ACTIVATION_NAMES[activation], "pooler": has_pooler}
    missing = [theirs for theirs, ours in description.fields.items() if ours in REQUIRED and ours not in fields]
    if missing:
        raise CheckpointError(
            f"{source}: expected the fields {', '.join(missing)}, got none. "
            "Do: use the config.json saved with the model."
        )
    wrong = [name for name, value in fields.items() if name in REQUIRED and not isinstance(value, int)]
    if wrong:
        raise CheckpointError(
            f"{source}: expected whole numbers for {', '.join(wrong)}, got "
            f"{', '.join(repr(fields[name]) for name in wrong)}. Do: use the config.json saved with the model."
        )
    description.settle(fields, raw)
    return EncoderConfig(**fields)


def _own_config(raw: dict[str, Any], source: str) -> EncoderConfig:
    try:
        return EncoderConfig.from_json(raw["encoder"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{source}: expected edgebert's own fields under 'encoder', got {error}. "
            "Do: use the folder as edgebert saved it."
        ) from error


def read_head_config(raw: dict[str, Any], family: str, has_pooler: bool) -> HeadConfig | None:
    """The head that config.json describes, or none for a bare encoder."""
    if "edgebert_head" in raw:
        return HeadConfig.from_json(raw["edgebert_head"])
    if family == OWN_FAMILY or FAMILIES[family].classifier_class not in raw.get("architectures", ()):
        return None
    names = {int(number): label for number, label in raw.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"}).items()}
    labels = tuple(names[number] for number in sorted(names))
    regression = raw.get("problem_type") == "regression" or len(labels) == 1
    return HeadConfig(
        kind="regression" if regression else "classification",
        pooling="pooler" if has_pooler else "first",
        transform=FAMILIES[family].classifier_transform,
        labels=() if regression else labels,
    )


def write_config(config: EncoderConfig, head: HeadConfig | None, family: str, raw: dict[str, Any]) -> dict[str, Any]:
    """config.json for a model: what was read, with what has changed since."""
    if family == OWN_FAMILY:
        written = {"model_type": OWN_FAMILY, "encoder": config.to_json()}
    else:
        written = dict(raw) | {"model_type": family}
        fields = {theirs: getattr(config, ours) for theirs, ours in FAMILIES[family].fields.items()}
        if family == "albert":
            # Layers that a group repeats inside itself are counted once there.
            fields["num_hidden_layers"] = config.layers // raw.get("inner_group_num", 1)
        written |= fields
        family_classes = FAMILIES[family]
        standard = (
            head is not None and head.outputs and read_head_pooling(family, config) == (head.pooling, head.transform)
        )
        written["architectures"] = [family_classes.classifier_class if standard else family_classes.base_class]
    for stale in ("edgebert_head", "id2label", "label2id"):
        written.pop(stale, None)
    if head is not None:
        written["edgebert_head"] = head.to_json()
        if head.labels:
            written["id2label"] = {str(number): label for number, label in enumerate(head.labels)}
            written["label2id"] = {label: number for number, label in enumerate(head.labels)}
    return written


def read_head_pooling(family: str, config: EncoderConfig) -> tuple[str, str | None]:
    """Pooling and transform of the family's published classifier."""
    return ("pooler" if config.pooler else "first", FAMILIES[family].classifier_transform)
