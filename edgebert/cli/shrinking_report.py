"""A plan to shrink and its result, as text for a person and as JSON for a program."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.cli.output import counted, table
from edgebert.compression.shrinking.counts import PARTS, Counts, block_parameters
from edgebert.config import EncoderConfig
from edgebert.distill.planning import count_parameters
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.stations.healing import LABELS
from edgebert.stations.shrink_request import ShrinkRequest, ShrinkStep
from edgebert.stations.shrinking import Shrunk

COUNTED = ("layers", "heads", "neurons", "width")


def plan_as_text(request: ShrinkRequest) -> str:
    plan, encoder = request.plan, request.student.encoder
    lengths = [len(one.input_ids) for one in request.encoded[0].encoded]
    ranking = request.ranking
    texts = counted(min(ranking.examples, len(lengths)), "training text")
    facts = [
        ("student", f"{request.student.source}: {count_parameters(encoder, request.head):,} parameters"),
        *(("teacher", str(teacher.source)) for teacher in request.teachers),
        ("importance", f"taylor on {texts}" if ranking.importance == "taylor" else ranking.importance),
        (
            "data",
            f"{counted(len(lengths), 'example')} of {np.mean(lengths):.1f} tokens (at most {request.tokens}), "
            f"{len(request.encoded[1]):,} to score on",
        ),
        ("disk", f"at most {plan.disk_bytes:,} bytes while it trains"),
    ]
    width = max(len(name) for name, _ in facts)
    header = ("step", *COUNTED, "in blocks", "of the student's", "healed by", "epochs")
    rows = [("-", *_counts(encoder), f"{block_parameters(encoder):,}", "100.0%", "", "")]
    rows += [
        (
            number,
            *_counts(step.config),
            f"{block_parameters(step.config):,}",
            _percent(block_parameters(step.config), block_parameters(encoder)),
            _healer(step),
            request.training.epochs,
        )
        for number, step in enumerate(plan.steps, 1)
    ]
    return "\n".join([*(f"{name.ljust(width)}  {text}" for name, text in facts), "", table(header, rows)])


def plan_as_json(request: ShrinkRequest) -> dict[str, Any]:
    plan, encoder = request.plan, request.student.encoder
    return {
        "student": str(request.student.source),
        "teachers": [str(teacher.source) for teacher in request.teachers],
        "start": _facts(encoder, request),
        "steps": [
            {
                **_facts(step.config, request),
                "recipe": step.distillation and recipe_to_dict(step.distillation.steps[0].step.recipe),
            }
            for step in plan.steps
        ],
        "ranking": dataclasses.asdict(request.ranking),
        "training": dataclasses.asdict(request.training),
        "train_examples": len(request.encoded[0]),
        "dev_examples": len(request.encoded[1]),
        "tokens": request.tokens,
        "disk_bytes": plan.disk_bytes,
        "notes": list(plan.notes),
    }


def result_as_text(folder: Path, request: ShrinkRequest, done: Shrunk) -> str:
    header = ("step", *COUNTED, "importance kept", f"dev {done.metric} before", "cut", "healed", "by")
    steps = [
        (
            number,
            *(getattr(step.counts, part) for part in PARTS),
            _kept(step.importance_kept),
            *(f"{100 * score:.2f}" for score in (step.score_before, step.score_cut, step.score_healed)),
            step.healing.recipe,
        )
        for number, step in enumerate(done.steps, 1)
    ]
    last = done.steps[-1]
    models = [
        (
            request.student.source,
            f"{done.start_parameters:,}",
            f"{done.start_block_parameters:,}",
            f"{100 * done.start_score:.2f}",
        ),
        (folder, f"{last.parameters:,}", f"{last.block_parameters:,}", f"{100 * done.dev_score:.2f}"),
    ]
    heads = (
        f"layer {layer} of the student's: heads {', '.join(map(str, heads))}"
        for layer, heads in zip(last.remaining.layers, last.remaining.heads, strict=True)
    )
    compared = table(("model", "parameters", "in blocks", f"dev {done.metric}"), models)
    return "\n".join([table(header, steps), "", "left, counted from 1:", *heads, "", compared])


def result_as_json(folder: Path, done: Shrunk) -> dict[str, Any]:
    return {"folder": str(folder), "found": done.found, **done.to_json()}


def _facts(config: EncoderConfig, request: ShrinkRequest) -> dict[str, Any]:
    return {
        **Counts.of(config).to_json(),
        "parameters": count_parameters(config, request.head),
        "block_parameters": block_parameters(config),
    }


def _counts(config: EncoderConfig) -> Iterable[int]:
    return (getattr(Counts.of(config), part) for part in PARTS)


def _healer(step: ShrinkStep) -> str:
    return step.distillation.steps[0].step.recipe.name if step.distillation else LABELS


def _kept(shares: dict[str, float]) -> str:
    """Of the kinds of which anything went."""
    return ", ".join(f"{name} {100 * share:.1f}%" for name, share in shares.items() if share < 1) or "all"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"
