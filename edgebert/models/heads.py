"""The head that a folder describes: a classifier of the family's own, ours, or sentence-transformers' pooling."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from edgebert.config import HEAD_KINDS, MASKED_WORDS, POOLINGS, EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.families import FAMILIES, OWN_FAMILY, read_encoder_config
from edgebert.models.json_fields import Fields, is_text, read_json_object
from edgebert.models.tensor_file import shown, some

HEAD_FIELD = "edgebert_head"
# Whether the decoder for masked words is the table of words; yes where config.json says nothing.
TIED_FIELD = "tie_word_embeddings"
# What describes a classifier in a published config.json and must not outlive it.
CLASSIFIER_FIELDS = ("id2label", "label2id", "num_labels", "problem_type")
POOLING_FILE = "1_Pooling/config.json"
MODULES_FILE = "modules.json"
SENTENCE_POOLINGS = {"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean"}


def read_configs(
    raw: dict[str, Any], family: str, has_pooler: bool, source: str
) -> tuple[EncoderConfig, HeadConfig | None]:
    """Encoder and head of a config.json; without a head there is just the encoder."""
    stated = Fields(raw, source)
    # Before a head of ours: where both stand, somebody else trained the classifier since and kept our field.
    if family != OWN_FAMILY and FAMILIES[family].classifier_class in _architectures(stated):
        # A published classifier reads the pooler's output: if the file has none, its absence is an error.
        encoder = read_encoder_config(raw, family, True, source)
        return encoder, _published_head(stated, family, encoder)
    encoder = read_encoder_config(raw, family, has_pooler, source)
    return encoder, _own_head(stated.object(HEAD_FIELD)) if HEAD_FIELD in raw else None


def write_head(
    written: dict[str, Any], encoder: EncoderConfig, head: HeadConfig | None, family: str, *, same_tensors: bool
) -> dict[str, Any]:
    """config.json's fields with the head described: as it was, as the family does it, or in a field of our own.

    `same_tensors`: the file will hold what it held when `written` described it, so its `architectures` still hold.
    """
    candidates = [written] if same_tensors else []
    bare = {name: value for name, value in written.items() if name not in (HEAD_FIELD, *CLASSIFIER_FIELDS)}
    if family == OWN_FAMILY:
        bare.pop("architectures", None)
    else:
        bare["architectures"] = [FAMILIES[family].base_class]
    if head == MASKED_WORDS and family != OWN_FAMILY and FAMILIES[family].masked_words_class:
        return _masked_words_described(bare, family)
    if head is None:
        candidates.append(bare)
    else:
        labels = _label_fields(head)
        if head.outputs and family != OWN_FAMILY:
            candidates.append(bare | labels | {"architectures": [FAMILIES[family].classifier_class]})
        ours = labels | {HEAD_FIELD: head.to_json()}
        candidates += [written | ours, bare | ours] if same_tensors else [bare | ours]
    for one in candidates:
        if _reads_as(one, encoder, head, family):
            return one
    raise CheckpointError(
        f"head: expected one that config.json can describe, got {shown(str(head))}. Do: give labels in plain text."
    )


def sentence_head(folder: Path) -> HeadConfig | None:
    """The pooling that a sentence-transformers folder states."""
    path = folder / POOLING_FILE
    if not path.is_file():
        return None
    stated = Fields(read_json_object(path), str(path))
    names = [name for name in stated.content if name.startswith("pooling_mode_") and stated.truth(name)]
    if len(names) != 1 or names[0] not in SENTENCE_POOLINGS:
        raise CheckpointError(
            f"{path}: expected {' or '.join(SENTENCE_POOLINGS)} alone, got {some(names) or 'none'}. "
            "Do: give a checkpoint with one of these poolings."
        )
    unit_length = (folder / "2_Normalize").is_dir() or _normalizes(folder / MODULES_FILE)
    return HeadConfig(kind="embedding", pooling=SENTENCE_POOLINGS[names[0]], unit_length=unit_length)


def _masked_words_described(bare: dict[str, Any], family: str) -> dict[str, Any]:
    """As transformers does it, without a field of ours: whether the head is there is seen by its tensors."""
    tied = {TIED_FIELD: True} if TIED_FIELD in bare else {}
    return bare | {"architectures": [FAMILIES[family].masked_words_class]} | tied


def _reads_as(written: dict[str, Any], encoder: EncoderConfig, head: HeadConfig | None, family: str) -> bool:
    try:
        return read_configs(written, family, encoder.pooler, family) == (encoder, head)
    except CheckpointError:
        return False


def _architectures(stated: Fields) -> tuple[str, ...]:
    return () if stated.content.get("architectures") is None else stated.texts("architectures")


def _published_head(stated: Fields, family: str, encoder: EncoderConfig) -> HeadConfig:
    labels = _labels(stated)
    regression = len(labels) == 1 or stated.content.get("problem_type") == "regression"
    return _built(
        stated.source,
        kind="regression" if regression else "classification",
        pooling="pooler" if encoder.pooler else "first",
        transform=FAMILIES[family].classifier_transform,
        labels=() if regression else labels,
    )


def _labels(stated: Fields) -> tuple[str, ...]:
    if stated.content.get("id2label") is None:
        return tuple(f"LABEL_{number}" for number in range(stated.whole("num_labels", 1, 2**20, default=2)))
    names = stated.object("id2label")
    labels = tuple(names.content.get(str(number)) for number in range(len(names.content)))
    if not labels or not all(is_text(label) for label in labels):
        raise stated.wrong("id2label", "a text for each number from 0 without a gap", names.content)
    return labels


def _label_fields(head: HeadConfig) -> dict[str, Any]:
    if head.kind in ("embedding", "masked_words"):
        return {}
    labels = head.labels or ("LABEL_0",)
    named = {
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    return named | ({"problem_type": "regression"} if head.kind == "regression" else {})


def _own_head(own: Fields) -> HeadConfig:
    own.only(*(field.name for field in fields(HeadConfig)))
    return _built(
        own.source,
        kind=own.choice("kind", HEAD_KINDS),
        pooling=own.choice("pooling", POOLINGS),
        transform=own.choice("transform", (None, "relu", "tanh")),
        labels=own.texts("labels"),
        unit_length=own.truth("unit_length"),
    )


def _built(source: str, **values: Any) -> HeadConfig:
    try:
        return HeadConfig(**values)
    except CheckpointError as error:
        raise CheckpointError(f"{source} {str(error).removeprefix('config.head.')}") from error


def _normalizes(modules: Path) -> bool:
    return modules.is_file() and "models.Normalize" in modules.read_text(encoding="utf-8", errors="replace")
