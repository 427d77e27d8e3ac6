"""Recipes from and to plain tables, as TOML and JSON hold them.

like = "tinybert_intermediate"      # start from a published recipe; every other key replaces one of its fields
layer_map = [2, 3, 5, 6]            # or "uniform", "last", "first", {skip = 2}

[[terms]]
objective = "hidden_mse"
layer_weights = [1, 1, 1, 2]
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.published import published
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.wording import nearest
from edgebert.errors import TrainingError

LIKE = "like"


def recipe_from_dict(fields: Mapping[str, Any], kind: str = "classification", path: str = "recipe") -> Recipe:
    """Read a recipe; `path` is how errors name the table, `kind` the kind of head that `like` is adapted to."""
    _table(fields, path)
    _known(fields, (LIKE, *_names(Recipe)), path)
    given = {name: _READERS[name](value, f"{path}.{name}") for name, value in fields.items() if name != LIKE}
    if LIKE not in fields:
        return Recipe(**{"terms": (), **given})
    like = published(_text(fields[LIKE], f"{path}.{LIKE}"), kind)
    # Changed, it is no longer the recipe of that name.
    name = f"like {like.name}" if given else like.name
    return dataclasses.replace(like, **{"name": name, **given})


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """All fields, defaults included, without None (TOML has none); `recipe_from_dict` reads it back."""
    fields = {name: getattr(recipe, name) for name in _names(Recipe)}
    fields["terms"] = [_term_to_dict(term) for term in recipe.terms]
    fields["layer_map"] = _layer_map_to_plain(recipe.layer_map)
    return fields


def _term_to_dict(term: Term) -> dict[str, Any]:
    fields = {name: getattr(term, name) for name in _names(Term)}
    if not isinstance(term.layers, str):
        fields["layers"] = [list(pair) for pair in term.layers]
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value is not None
    }


def _layer_map_to_plain(layer_map: LayerMap) -> Any:
    if layer_map.kind == "explicit":
        return list(layer_map.teacher_layers)
    return {"skip": layer_map.every} if layer_map.kind == "skip" else layer_map.kind


def _terms(value: Any, path: str) -> tuple[Term, ...]:
    return tuple(_term(fields, f"{path}[{number}]") for number, fields in enumerate(_list(value, path)))


def _term(fields: Any, path: str) -> Term:
    _table(fields, path)
    _known(fields, _names(Term), path)
    if "objective" not in fields:
        raise _wrong(path, "an objective", "none", 'write objective = "hidden_mse", for example')
    return Term(**{name: _TERM_READERS[name](value, f"{path}.{name}") for name, value in fields.items()})


def _layer_map(value: Any, path: str) -> LayerMap:
    if isinstance(value, list | tuple):
        return LayerMap("explicit", teacher_layers=tuple(_whole(layer, path) for layer in value))
    if isinstance(value, Mapping):
        _known(value, ("skip",), path)
        return LayerMap("skip", every=_whole(value.get("skip"), f"{path}.skip"))
    if value in ("skip", "explicit"):
        raise _wrong(path, "{skip = 2} or a list of teacher layers", value, "say which layers")
    return LayerMap(_text(value, path))


def _layers(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return value
    pairs = [_list(pair, path) for pair in _list(value, path)]
    if any(len(pair) != 2 for pair in pairs):
        raise _wrong(path, "pairs of a student's and a teacher's layer", value, "write [[4, 12]], for example")
    return tuple(tuple(_whole(layer, path) for layer in pair) for pair in pairs)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "a text", repr(value), "put it in quotation marks")
    return value


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "a number", repr(value), "write a number")
    return float(value)


def _whole(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(path, "a whole number", repr(value), "write a whole number")
    return value


def _truth(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", repr(value), "write one of them")
    return value


def _list(value: Any, path: str) -> list:
    if not isinstance(value, list | tuple):
        raise _wrong(path, "a list", repr(value), "put it in brackets")
    return list(value)


def _numbers(value: Any, path: str) -> tuple[float, ...]:
    return tuple(_number(one, path) for one in _list(value, path))


def _texts(value: Any, path: str) -> tuple[str, ...]:
    return tuple(_text(one, path) for one in _list(value, path))


_READERS = {
    "terms": _terms,
    "layer_map": _layer_map,
    "temperature": _number,
    "temperature_squared": _truth,
    "hard_label_weight": _number,
    "projection": _text,
    "teacher_weighting": _text,
    "name": _text,
}
_TERM_READERS = {
    "objective": _text,
    "weight": _number,
    "name": _text,
    "layers": _layers,
    "layer_weights": _numbers,
    "over_layers": _text,
    "relations": _texts,
    "relation_heads": _whole,
    "positions": _text,
}


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _table(fields: Any, path: str) -> None:
    if not isinstance(fields, Mapping):
        raise _wrong(path, "a table", repr(fields), "write key = value lines")


def _known(fields: Mapping[str, Any], names: tuple[str, ...], path: str) -> None:
    for name in fields:
        if name not in names:
            raise _wrong(f"{path}.{name}", f"one of {', '.join(names)}", name, f"write {nearest(str(name), names)}")


def _wrong(path: str, expected: str, got: object, remedy: str) -> TrainingError:
    return TrainingError(f"{path}: expected {expected}, got {got}. Do: {remedy}.")
