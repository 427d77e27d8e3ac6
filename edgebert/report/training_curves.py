"""Training curves of a run's stages: by step from TensorBoard's events where they were kept, else by epoch."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgebert.report.events import Scalars, read_events
from edgebert.report.model import Curve
from edgebert.report.stages import StageRecord

EPOCH, STEP = "epoch", "step"
DEV_SCORE = "dev score"
# More points than this no screen shows; neighbours are averaged.
_MOST_POINTS = 240
_EVENT_FILES = "events.out.tfevents.*"
# Folders that say nothing of what was trained.
_FOLDERS = ("events", "training", "checkpoint")
# Tags that `edgebert.training.curves` writes.
_LOSS, _DEV_SCORE = "loss", "dev_score"
_TOTAL = "all terms"


def curves_of(run: int, stage: StageRecord) -> tuple[Curve, ...]:
    """What the stage's trainings left behind, each once: events say more than the epochs' means."""
    by_step = [
        _by_step(run, stage, folder)
        for folder in sorted({path.parent for path in stage.folder.glob(f"**/{_EVENT_FILES}")})
    ]
    by_step = [curve for curve in by_step if curve is not None]
    by_epoch = [_by_epoch(run, stage, *training) for training in _trainings(stage.result, "", DEV_SCORE)]
    if not by_step or len(by_step) < len(by_epoch):
        return tuple(by_epoch)
    if len(by_step) == len(by_epoch):
        # The same trainings in the same order, and the results know what they are called.
        pairs = zip(by_step, by_epoch, strict=True)
        return tuple(dataclasses.replace(step, title=epoch.title, dev_name=epoch.dev_name) for step, epoch in pairs)
    return tuple(by_step)


def trained_stages(curves: Iterable[Curve], run: int) -> tuple[str, ...]:
    """Every training leaves a curve."""
    return tuple(dict.fromkeys(curve.stage for curve in curves if curve.run == run))


def _trainings(result: Any, title: str, dev_name: str) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Every list of epoch results in a stage's result, with the recipe and the judge that are named beside it."""
    if isinstance(result, dict):
        recipe, chosen_by = (result.get(name, other) for name, other in (("recipe", title), ("chosen_by", dev_name)))
        for value in result.values():
            yield from _trainings(value, str(recipe), str(chosen_by))
    elif isinstance(result, list) and result and all(_is_epoch(each) for each in result):
        yield title, dev_name, result
    elif isinstance(result, list):
        for value in result:
            yield from _trainings(value, title, dev_name)


def _is_epoch(value: Any) -> bool:
    return isinstance(value, dict) and {"epoch", "training_loss", "dev_score", "losses"} <= value.keys()


def _by_epoch(run: int, stage: StageRecord, title: str, dev_name: str, epochs: Sequence[dict[str, Any]]) -> Curve:
    names = dict.fromkeys(name for epoch in epochs for name in epoch["losses"])
    terms = {name: tuple(_finite(epoch["losses"].get(name)) for epoch in epochs) for name in names}
    if len(names) != 1:
        # A single term is the sum.
        terms = {_TOTAL: tuple(_finite(epoch["training_loss"]) for epoch in epochs), **terms}
    numbers = tuple(epoch["epoch"] for epoch in epochs)
    scores = [(number, epoch["dev_score"]) for number, epoch in zip(numbers, epochs, strict=True)]
    known = [pair for pair in scores if _finite(pair[1]) is not None]
    return _curve(run, stage, title, EPOCH, numbers, terms, known, dev_name)


def _by_step(run: int, stage: StageRecord, folder: Path) -> Curve | None:
    events: list[Scalars] = [event for path in sorted(folder.glob(_EVENT_FILES)) for event in read_events(path)]
    # A run that went on after a kill may have written a step twice; the later one counts.
    by_step: dict[int, dict[str, float]] = {}
    for event in events:
        by_step.setdefault(event.step, {}).update(event.values)
    steps = sorted(step for step, values in by_step.items() if _LOSS in values)
    if not steps:
        return None
    tags = dict.fromkeys(tag for step in steps for tag in by_step[step] if tag.split("/")[0] == _LOSS)
    if len(tags) == 2:
        tags.pop(_LOSS)
    buckets = _buckets(steps)
    terms = {
        _TOTAL if tag == _LOSS else tag.removeprefix(f"{_LOSS}/"): tuple(
            _mean([by_step[step].get(tag) for step in bucket]) for bucket in buckets
        )
        for tag in tags
    }
    dev = [(step, by_step[step][_DEV_SCORE]) for step in sorted(by_step) if _DEV_SCORE in by_step[step]]
    inside = folder.relative_to(stage.folder).parts
    title = next((part for part in reversed(inside) if part not in _FOLDERS), "")
    return _curve(run, stage, title, STEP, tuple(bucket[-1] for bucket in buckets), terms, dev)


def _curve(run, stage, title, axis, positions, terms, dev, dev_name=DEV_SCORE) -> Curve:
    return Curve(
        run=run,
        stage=stage.name,
        title=title or stage.name,
        axis=axis,
        positions=positions,
        terms=terms,
        dev_positions=tuple(position for position, _ in dev),
        dev_scores=tuple(float(score) for _, score in dev),
        dev_name=dev_name,
    )


def _buckets(steps: Sequence[int]) -> list[Sequence[int]]:
    size = math.ceil(len(steps) / _MOST_POINTS)
    return [steps[start : start + size] for start in range(0, len(steps), size)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
