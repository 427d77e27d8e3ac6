"""Which of a model's inputs is which, by name: converters reorder inputs, so a position means nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgebert.errors import ArtefactError

ROLES = ("input_ids", "input_mask", "segment_ids")
_REQUIRED_ROLES = ("input_ids",)
# Names that clients and converters use, after `serving_default_` and `:0` are taken off.
_NAMES = {
    "input_ids": ("input_ids", "ids", "input_word_ids"),
    "input_mask": ("input_mask", "mask", "attention_mask"),
    "segment_ids": ("segment_ids", "input_type_ids", "token_type_ids"),
}
_INTEGER_TYPES = ("int32", "int64")
_BATCH_AND_LENGTH = 2


@dataclass(frozen=True)
class Binding:
    """The tensors to fill, in the order of ROLES as far as the model has them. `length` None: as long as the text."""

    roles: tuple[str, ...]
    tensors: tuple[int, ...]
    dtypes: tuple[str, ...]
    length: int | None
    vocabulary_rows: int | None


def bind_inputs(model: str, inputs: Sequence[Mapping[str, Any]]) -> Binding:
    """Bind what a worker told about its model's inputs; `model` names the file in errors."""
    bound: dict[str, Mapping[str, Any]] = {}
    for detail in inputs:
        role = _role(detail["name"])
        if role is None or role in bound:
            raise _unknown(model, inputs)
        bound[role] = detail
    if any(role not in bound for role in _REQUIRED_ROLES):
        raise _unknown(model, inputs)
    ordered = [(role, bound[role]) for role in ROLES if role in bound]
    return Binding(
        roles=tuple(role for role, _ in ordered),
        tensors=tuple(detail["tensor"] for _, detail in ordered),
        dtypes=tuple(_integer_type(model, detail) for _, detail in ordered),
        length=_length(model, [detail for _, detail in ordered]),
        vocabulary_rows=bound["input_ids"]["table_rows"],
    )


def _role(name: str) -> str | None:
    plain = name.removeprefix("serving_default_").removesuffix(":0")
    return next((role for role, names in _NAMES.items() if plain in names), None)


def _unknown(model: str, inputs: Sequence[Mapping[str, Any]]) -> ArtefactError:
    got = ", ".join(detail["name"] for detail in inputs)
    return ArtefactError(
        f"{model}: expected inputs named {', '.join(ROLES)} (or the clients' names for them), each once, got {got}. "
        "Do: convert the model with these names in its signature."
    )


def _integer_type(model: str, detail: Mapping[str, Any]) -> str:
    if detail["dtype"] not in _INTEGER_TYPES:
        raise ArtefactError(
            f"{model}: expected {detail['name']} to be {' or '.join(_INTEGER_TYPES)}, got {detail['dtype']}. "
            "Do: convert the model with token ids as input."
        )
    return detail["dtype"]


def _length(model: str, details: Sequence[Mapping[str, Any]]) -> int | None:
    """The one length that all inputs have; -1 in a shape is a length that follows the text."""
    shapes = [detail["shape"] for detail in details]
    if any(len(shape) != _BATCH_AND_LENGTH or shape[0] not in (1, -1) for shape in shapes):
        got = ", ".join(str(shape) for shape in shapes)
        raise ArtefactError(
            f"{model}: expected inputs of shape [1, length], got {got}. Do: convert the model for a batch of one."
        )
    lengths = {shape[1] for shape in shapes}
    if len(lengths) != 1:
        raise ArtefactError(
            f"{model}: expected one length for all inputs, got {sorted(lengths)}. Do: convert the model again."
        )
    length = lengths.pop()
    return None if length == -1 else length
