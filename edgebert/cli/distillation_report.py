"""A distillation's plan and its result, as text for a person and as JSON for a program."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.cli.output import counted, table
from edgebert.config import EncoderConfig
from edgebert.distill.planning import FLOAT_BYTES, PlannedStep, count_parameters
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.stations.distil_request import DistilRequest
from edgebert.stations.distilling import Distilled
from edgebert.stations.distilling_text import TextDistilled
from edgebert.stations.making_student import StepOutcome
from edgebert.stations.student_request import StudentRequest
from edgebert.stations.text_request import TextRequest


def plan_as_text(request: StudentRequest) -> str:
    plan, teacher = request.plan, request.teachers[0]
    student_parameters, teacher_parameters = _parameters(request)
    lengths = [len(one.input_ids) for one in request.encoded[0].encoded]
    facts = [
        ("teacher", f"{teacher.source}: {_shape(teacher.encoder)}, {teacher_parameters:,} parameters"),
        *((f"teacher {number}", str(other.source)) for number, other in enumerate(request.teachers[1:], 2)),
        (
            "student",
            f"{_shape(plan.student)}, {student_parameters:,} parameters "
            f"({teacher_parameters / student_parameters:.1f}x smaller, {FLOAT_BYTES * student_parameters:,} bytes in "
            "float32)",
        ),
        ("start", _start(request)),
        (
            "data",
            f"{counted(len(lengths), request.unit)} of {np.mean(lengths):.1f} tokens (at most {request.tokens}), "
            f"{len(request.encoded[1]):,} to score on",
        ),
        ("disk", f"at most {plan.disk_bytes:,} bytes while it trains"),
    ]
    width = max(len(name) for name, _ in facts)
    header = ("step", "recipe", "layers", "epochs", "batch", "learning rate", "training steps", "teacher's answers")
    rows = [_step_row(number, planned) for number, planned in enumerate(plan.steps, 1)]
    return "\n".join([*(f"{name.ljust(width)}  {text}" for name, text in facts), "", table(header, rows)])


def plan_as_json(request: StudentRequest) -> dict[str, Any]:
    plan = request.plan
    student_parameters, teacher_parameters = _parameters(request)
    steps = [
        {
            "recipe": recipe_to_dict(planned.step.recipe),
            "training": dataclasses.asdict(planned.step.settings),
            "layers": [list(pair) for pair in planned.layers],
            "training_steps": planned.training_steps,
            "cache_bytes": planned.cache_bytes,
            "is_cached": planned.is_cached,
        }
        for planned in plan.steps
    ]
    return {
        "teachers": [str(teacher.source) for teacher in request.teachers],
        "teacher_parameters": teacher_parameters,
        "student": plan.student.to_json(),
        "student_parameters": student_parameters,
        "head": plan.head.to_json(),
        "start": _start(request),
        "train_examples": len(request.encoded[0]),
        "dev_examples": len(request.encoded[1]),
        "tokens": request.tokens,
        "disk_bytes": plan.disk_bytes,
        "steps": steps,
        "notes": list(plan.notes),
    }


def result_as_text(folder: Path, request: DistilRequest, done: Distilled) -> str:
    best = max(done.teacher_scores)
    models = [
        (teacher.source, f"{count_parameters(teacher.encoder, teacher.head):,}", f"{100 * score:.2f}", "")
        for teacher, score in zip(request.teachers, done.teacher_scores, strict=True)
    ]
    retention = "-" if done.retention is None else f"{100 * done.retention:.1f}% of {100 * best:.2f}"
    models.append((folder, f"{_parameters(request)[0]:,}", f"{100 * done.dev_score:.2f}", retention))
    return "\n".join(
        [
            *done.started,
            "",
            _steps(done.steps),
            "",
            table(("model", "parameters", f"dev {done.metric}", "retained"), models),
        ]
    )


def text_result_as_text(folder: Path, request: TextRequest, done: TextDistilled) -> str:
    models = [
        *((teacher.source, f"{count_parameters(teacher.encoder, request.head):,}") for teacher in request.teachers),
        (folder, f"{_parameters(request)[0]:,}"),
    ]
    return "\n".join([*done.started, "", _steps(done.steps), "", table(("model", "parameters"), models)])


def result_as_json(folder: Path, request: StudentRequest, done: Distilled | TextDistilled) -> dict[str, Any]:
    student_parameters, teacher_parameters = _parameters(request)
    return {
        "folder": str(folder),
        "found": done.found,
        "parameters": student_parameters,
        "teacher_parameters": teacher_parameters,
        **done.to_json(),
    }


def _steps(outcomes: Sequence[StepOutcome]) -> str:
    header = ("step", "recipe", "epochs", "best epoch", "loss", "chosen by", "score", "teacher's answers")
    rows = [
        (
            number,
            step.recipe,
            len(step.epochs),
            step.best_epoch,
            f"{step.epochs[step.best_epoch - 1].training_loss:.4f}",
            step.chosen_by,
            f"{step.epochs[step.best_epoch - 1].dev_score:.4f}",
            "not kept" if step.cache_bytes is None else f"{step.cache_bytes:,} bytes",
        )
        for number, step in enumerate(outcomes, 1)
    ]
    return table(header, rows)


def _parameters(request: StudentRequest) -> tuple[int, int]:
    teacher = request.teachers[0]
    return count_parameters(request.student, request.head), count_parameters(teacher.encoder, request.teacher_heads[0])


def _shape(config: EncoderConfig) -> str:
    table_width = "" if config.projection == "none" else f", word table {config.embedding_width}"
    return (
        f"{counted(config.layers, 'layer')}, width {config.width}, {counted(config.heads, 'head')}, "
        f"feed-forward {config.feed_forward_width:,}{table_width}"
    )


def _start(request: StudentRequest) -> str:
    if not request.fits_norms:
        return _origin(request)
    texts = min(request.plan.start.examples, len(request.encoded[0]))
    return f"{_origin(request)}, NoNorm fitted on {counted(texts, 'text')}"


def _origin(request: StudentRequest) -> str:
    start = request.plan.start
    if start.method == "from_folder":
        return f"the student in {start.folder}"
    if start.method == "random":
        return f"random, seed {start.seed}"
    layers = ", ".join(
        str(pair.teacher) for pair in start.layer_map.pairs(request.student.layers, request.teachers[0].encoder.layers)
    )
    if start.method == "from_layers":
        return f"the teacher's layers {layers}"
    texts = min(start.examples, len(request.encoded[0]))
    by = f"{start.importance} on {counted(texts, 'text')}" if start.importance == "taylor" else start.importance
    return f"the teacher's layers {layers}, truncated by importance ({by})"


def _step_row(number: int, planned: PlannedStep) -> tuple[object, ...]:
    settings = planned.step.settings
    answers = f"{planned.cache_bytes:,} bytes kept" if planned.is_cached else "computed in every epoch"
    return (
        number,
        planned.step.recipe.name,
        " ".join(f"{student}:{teacher}" for student, teacher in planned.layers) or "-",
        settings.epochs,
        settings.batch_size,
        f"{settings.learning_rate:g}",
        f"{planned.training_steps:,}",
        answers,
    )
