"""A plan of quantisation-aware training and its result, as text for a person and as JSON for a program."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.cli.output import counted, table
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.stations.quantize_request import QuantizeRequest
from edgebert.stations.quantizing import Quantized


def plan_as_text(request: QuantizeRequest) -> str:
    lengths = [len(one.input_ids) for one in request.encoded[0].encoded]
    training = request.training
    facts = [
        ("student", str(request.student.source)),
        *(("teacher", str(teacher.source)) for teacher in request.teachers),
        ("trained for", f"{request.scheme}, by {request.recipe.name if request.recipe else 'labels'}"),
        (
            "data",
            f"{counted(len(lengths), 'example')} of {np.mean(lengths):.1f} tokens (at most {request.tokens}), "
            f"{len(request.encoded[1]):,} to score on",
        ),
        ("ranges", _ranges(request)),
        (
            "training",
            f"{counted(training.epochs, 'epoch')}, {request.steps:,} steps of {training.batch_size}, learning rate "
            f"{training.learning_rate:g}; epochs from {request.first_kept_epoch} on can be kept",
        ),
    ]
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in facts)


def plan_as_json(request: QuantizeRequest) -> dict[str, Any]:
    return {
        "student": str(request.student.source),
        "teachers": [str(teacher.source) for teacher in request.teachers],
        "scheme": request.scheme,
        "recipe": request.recipe and recipe_to_dict(request.recipe),
        "train_examples": len(request.train),
        "dev_examples": len(request.dev),
        "tokens": request.tokens,
        "training": dataclasses.asdict(request.training),
        "training_steps": request.steps,
        "calibration_texts": len(request.calibration().encoded),
        "ranges_frozen_from_step": request.frozen_from + 1,
        "first_kept_epoch": request.first_kept_epoch,
    }


def result_as_text(folder: Path, request: QuantizeRequest, done: Quantized) -> str:
    best = done.healing.epochs[done.healing.best_epoch - 1]
    taught = zip(request.teachers, done.teacher_scores, strict=True)
    models = [
        *((teacher.source, "float32", _percent(score)) for teacher, score in taught),
        (request.student.source, "float32", _percent(done.score_before)),
        (request.student.source, f"{done.scheme}, calibrated", _percent(done.calibrated_score)),
        (folder, f"{done.scheme}, trained", _percent(done.dev_score)),
    ]
    return "\n".join(
        [
            f"trained by {done.healing.recipe}, best in epoch {done.healing.best_epoch} of "
            f"{len(done.healing.epochs)} (loss {best.training_loss:.4f}); {done.moved_sites} of {done.sites} ranges "
            "moved",
            "",
            table(("model", "rounded as", f"dev {done.metric}"), models),
            "",
            f"Its file: edgebert convert {folder} --out FOLDER --precision {done.scheme}",
            *advice(request.student.source, done),
        ]
    )


def advice(student: Path, done: Quantized) -> tuple[str, ...]:
    """Where training took more than rounding does."""
    if done.dev_score >= done.calibrated_score:
        return ()
    return (
        f"Calibration alone scores {_percent(done.calibrated_score)}: train at a lower --learning-rate, or use "
        f"edgebert convert {student} --out FOLDER --precision {done.scheme} --calibration SOURCE instead.",
    )


def result_as_json(folder: Path, done: Quantized) -> dict[str, Any]:
    return {"folder": str(folder), "found": done.found, **done.to_json()}


def _percent(score: float) -> str:
    return f"{100 * score:.2f}"


def _ranges(request: QuantizeRequest) -> str:
    texts = counted(len(request.calibration().encoded), "training text")
    return f"from {texts}, moving until step {request.frozen_from:,}, then still"
