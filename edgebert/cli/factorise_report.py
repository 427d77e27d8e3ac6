"""A factorisation's plan and result, as text for a person and as JSON for a program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgebert.cli import distillation_report
from edgebert.cli.trim_report import files_as_text
from edgebert.compression.vocabulary.factorising import RANK_STEP
from edgebert.stations.factorise_request import FactoriseRequest
from edgebert.stations.factorising import FactorisedCheckpoint


def remarks(request: FactoriseRequest) -> Iterator[str]:
    """What is not as usual."""
    made = request.factorised
    rank = made.encoder.embedding_width
    if made.table_after >= made.table_before:
        yield f"rank {rank} makes the table no smaller: {made.table_after:,} numbers instead of {made.table_before:,}"
    if rank % RANK_STEP:
        yield f"rank {rank} is no multiple of {RANK_STEP}: int4-embedding cannot be made of it, int4-embedding-rows can"
    if request.heal is not None:
        yield from request.heal.plan.notes


def plan_as_text(request: FactoriseRequest) -> str:
    lines = _facts(request)
    if request.heal is not None:
        lines += ["", distillation_report.plan_as_text(request.heal)]
    return "\n".join(lines)


def plan_as_json(request: FactoriseRequest) -> dict[str, Any]:
    made = request.factorised
    return {
        "model": str(request.checkpoint.source),
        "weighted_by": None if request.corpus is None else list(request.corpus.names),
        "rank": made.encoder.embedding_width,
        "kept_energy": made.kept_energy,
        "table_before": made.table_before,
        "table_after": made.table_after,
        "healing": None if request.heal is None else distillation_report.plan_as_json(request.heal),
    }


def result_as_text(request: FactoriseRequest, done: FactorisedCheckpoint) -> str:
    lines = _facts(request)
    if done.healed is not None:
        (step,) = done.healed.steps
        lines.append(
            f"healed  {step.recipe}, epoch {step.best_epoch} of {len(step.epochs)}: "
            f"dev {done.healed.metric} {100 * done.healed.dev_score:.2f} in float32"
        )
    if done.files is not None:
        lines += ["", files_as_text(done.files)]
    return "\n".join(lines)


def result_as_json(folder: Path, done: FactorisedCheckpoint) -> dict[str, Any]:
    return {"folder": str(folder), "found": done.found, **done.to_json()}


def _facts(request: FactoriseRequest) -> list[str]:
    made, rows = request.factorised, request.checkpoint.encoder.vocabulary_size
    by = "" if request.corpus is None else f", weighted by {', '.join(request.corpus.names)}"
    return [
        f"model   {request.checkpoint.source}",
        f"table   {rows:,} x {request.checkpoint.encoder.width} by rank {made.encoder.embedding_width}{by}",
        f"kept    {made.kept_energy:.1%} of its squares about the mean",
        f"size    {made.table_after:,} of {made.table_before:,} numbers",
    ]
