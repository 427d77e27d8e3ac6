"""A plan to prune and its result, as text for a person and as JSON for a program."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.cli.output import counted, table
from edgebert.cli.trim_report import files_as_text
from edgebert.compression.pruning.policy import CLASSES
from edgebert.distill.planning import count_parameters
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.stations.prune_request import PruneRequest
from edgebert.stations.pruning import Pruned


def plan_as_text(request: PruneRequest) -> str:
    encoder, cuts = request.student.encoder, request.cuts
    parameters = count_parameters(encoder, request.head)
    zeros = round(sum(matrix.sparsity * matrix.elements for matrix in request.matrices))
    lengths = [len(one.input_ids) for one in request.encoded[0].encoded]
    once = cuts.begin == cuts.end
    facts = [
        ("student", f"{request.student.source}: {parameters:,} parameters, {zeros:,} of them zero in the end"),
        *(("teacher", str(teacher.source)) for teacher in request.teachers),
        ("healed by", request.recipe.name if request.recipe else "labels"),
        (
            "data",
            f"{counted(len(lengths), 'example')} of {np.mean(lengths):.1f} tokens (at most {request.tokens}), "
            f"{len(request.encoded[1]):,} to score on",
        ),
        (
            "cut",
            (f"at once before step {cuts.begin + 1:,}" if once else _ramp(request))
            + f" of {request.training_steps:,}; epochs from {request.first_kept_epoch} on can be kept",
        ),
    ]
    width = max(len(name) for name, _ in facts)
    rows = []
    for kind in CLASSES:
        found = [matrix for matrix in request.matrices if matrix.kind == kind]
        if found:
            weights = sum(matrix.elements for matrix in found)
            rows.append((kind, len(found), f"{weights:,}", f"{100 * found[0].sparsity:g}%", str(found[0].pattern)))
    header = ("class", "matrices", "weights", "zeros", "cut as")
    return "\n".join([*(f"{name.ljust(width)}  {text}" for name, text in facts), "", table(header, rows)])


def plan_as_json(request: PruneRequest) -> dict[str, Any]:
    return {
        "student": str(request.student.source),
        "teachers": [str(teacher.source) for teacher in request.teachers],
        "recipe": request.recipe and recipe_to_dict(request.recipe),
        "parameters": count_parameters(request.student.encoder, request.head),
        "train_examples": len(request.train),
        "dev_examples": len(request.dev),
        "tokens": request.tokens,
        "training": dataclasses.asdict(request.training),
        "training_steps": request.training_steps,
        "cuts": dataclasses.asdict(request.cuts),
        "first_kept_epoch": request.first_kept_epoch,
        "matrices": [
            {
                "name": matrix.name,
                "kind": matrix.kind,
                "shape": list(matrix.shape),
                "sparsity": matrix.sparsity,
                "pattern": str(matrix.pattern),
            }
            for matrix in request.matrices
        ],
    }


def result_as_text(folder: Path, request: PruneRequest, done: Pruned) -> str:
    layers = [
        (layer.name.removeprefix("encoder."), layer.kind, f"{layer.elements:,}", f"{100 * layer.zero_share:.2f}%")
        for layer in done.layers
    ]
    layers.append(("all of them", "", f"{_pruned_weights(done):,}", f"{100 * done.sparsity:.2f}%"))
    best = done.healing.epochs[done.healing.best_epoch - 1]
    models = [
        *((teacher.source, "", f"{100 * score:.2f}") for teacher, score in _teachers(request, done)),
        (request.student.source, "0", f"{100 * done.score_before:.2f}"),
        (folder, f"{done.zeros:,} of {done.parameters:,}", f"{100 * done.dev_score:.2f}"),
    ]
    return "\n".join(
        [
            table(("layer", "class", "weights", "zeros"), layers),
            "",
            f"healed by {done.healing.recipe}, best in epoch {done.healing.best_epoch} of {len(done.healing.epochs)} "
            f"(loss {best.training_loss:.4f})",
            "",
            table(("model", "zeros", f"dev {done.metric}"), models),
            "",
            *((files_as_text(done.files), "") if done.files else ()),
            "Zeros make a download smaller (gzipped), not the file, and no inference faster.",
        ]
    )


def result_as_json(folder: Path, done: Pruned) -> dict[str, Any]:
    return {"folder": str(folder), "found": done.found, **done.to_json()}


def _teachers(request: PruneRequest, done: Pruned):
    return zip(request.teachers, done.teacher_scores, strict=True)


def _pruned_weights(done: Pruned) -> int:
    return sum(layer.elements for layer in done.layers)


def _ramp(request: PruneRequest) -> str:
    cuts = request.cuts
    every = "" if cuts.frequency == 1 else f", every {cuts.frequency} steps"
    return f"more and more before steps {cuts.begin + 1:,} to {cuts.end + 1:,}{every}"
