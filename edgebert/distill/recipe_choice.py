"""Recipes as a user names them: published ones, TinyBERT's steps together, or a file of one's own."""

import dataclasses
import inspect
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebert.distill.layer_maps import KINDS, LayerMap
from edgebert.distill.objectives import HARD_LABEL
from edgebert.distill.published import PUBLISHED, for_head, published
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_fields import recipe_from_dict
from edgebert.distill.wording import nearest
from edgebert.errors import TrainingError

# TinyBERT's two steps on a task (Jiao et al. 2019), one after the other or at once; and alignment's two phases.
SEVERAL = {
    "tinybert": ("tinybert_intermediate", "tinybert_prediction"),
    "align_incremental": ("align", "align_incremental"),
}
JOINT = {"tinybert_joint": SEVERAL["tinybert"]}
FILE_SUFFIXES = (".toml", ".json")


def recipe_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*SEVERAL, *JOINT, *PUBLISHED)))


def explanations() -> dict[str, str]:
    """A line on each name."""
    several = {name: f"{len(steps)} steps: {', then '.join(steps)}." for name, steps in SEVERAL.items()}
    joint = {name: f"{' and '.join(parts)} in one step, every weight 1." for name, parts in JOINT.items()}
    return several | joint | {name: _explained(name) for name in PUBLISHED if name not in several}


def choose_recipes(names: Sequence[str], kind: str) -> tuple[Recipe, ...]:
    """The recipe of each step in turn, adapted to the kind of head it is to train."""
    found: list[Recipe] = []
    for name in names:
        if Path(name).suffix.lower() in FILE_SUFFIXES:
            found.append(for_head(recipe_from_file(name, kind), kind))
        elif name in JOINT:
            first, second = (published(part, kind) for part in JOINT[name])
            found.append(dataclasses.replace(first, terms=first.terms + second.terms, name=name))
        elif name in SEVERAL or name in PUBLISHED:
            found += [published(step, kind) for step in SEVERAL.get(name, (name,))]
        else:
            raise TrainingError(
                f"recipe: expected one of {', '.join(recipe_names())}, or a .toml or .json file, got {name!r}. Do: "
                f"write {nearest(name, recipe_names())}."
            )
    return tuple(found)


def recipe_from_file(path: str | Path, kind: str) -> Recipe:
    """One recipe, in TOML or JSON (`recipe_fields` says how); it is called like the file unless it has a name."""
    fields = _table(Path(path))
    recipe = recipe_from_dict(fields, kind, path=str(path))
    if "name" not in fields:
        return dataclasses.replace(recipe, name=Path(path).stem)
    if not recipe.name or Path(recipe.name).name != recipe.name:
        # A step's folder is called after it.
        raise TrainingError(f"{path} name: expected a plain name, got {recipe.name!r}. Do: leave slashes out.")
    return recipe


def parse_layer_map(text: str) -> LayerMap:
    """`uniform`, `last`, `first`, `skip:2`, or the teacher's layers: `1,3,5,6`."""
    kind, _, every = text.partition(":")
    if kind == "skip" and every.isdecimal():
        return LayerMap("skip", every=int(every))
    layers = [part.strip() for part in text.split(",")]
    if all(part.isdecimal() for part in layers):
        return LayerMap("explicit", teacher_layers=tuple(map(int, layers)))
    if text in KINDS and text not in ("skip", "explicit"):
        return LayerMap(text)
    raise TrainingError(
        f"layer map: expected uniform, last, first, skip:2 or the teacher's layers such as 1,3,5,6, got {text!r}. "
        "Do: write one of these."
    )


def _explained(name: str) -> str:
    """The first paragraph of a recipe's own description, and what it cannot do without."""
    text = " ".join((inspect.getdoc(PUBLISHED[name]) or "").partition("\n\n")[0].split())
    recipe = PUBLISHED[name]()
    if recipe.predicts_tokens:
        return f"{text} For plain text only, before a task."
    return f"{text} Needs labels." if HARD_LABEL in recipe.term_names else text


def _table(path: Path) -> Mapping[str, Any]:
    read = tomllib.loads if path.suffix.lower() == ".toml" else json.loads
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TrainingError(
            f"{path}: expected a recipe in {path.suffix.lower()[1:].upper()}, got '{reason}'. Do: correct the file."
        ) from error
