"""The road from top to bottom. The run directory is its memory: a finished stage with the same inputs is skipped."""

import dataclasses
import os

from edgebert.pipeline.budgeting import within_budget
from edgebert.pipeline.converting import convert_models
from edgebert.pipeline.measuring import measure_files
from edgebert.pipeline.outcome import Outcome, doubts_of, rows_of
from edgebert.pipeline.planning import plan_of
from edgebert.pipeline.recording import logged, record_start
from edgebert.pipeline.reporting import report_on_run
from edgebert.pipeline.request import Request, names_of
from edgebert.pipeline.scoring import score_files
from edgebert.pipeline.stages import forget_from
from edgebert.pipeline.standings import names_of_stages
from edgebert.pipeline.training import train_models
from edgebert.pipeline.verifying import verify_files
from edgebert.progress import Progress, Report, silent
from edgebert.quiet import many_models
from edgebert.run_directory import RunDirectory


def compress(
    request: Request, folder: str | os.PathLike, report: Report = silent, redo_from: str | None = None
) -> Outcome:
    """From a checkpoint and labelled data to files that clients were seen to run.

    Killed or interrupted anywhere, the same call goes on; `redo_from` makes a stage and all after it anew.
    """
    with RunDirectory(folder) as run:
        # What is refused here has removed nothing.
        plan = plan_of(request, folder, redo_from)
        if redo_from is not None:
            forget_from(run, redo_from)
        record_start(run, request)
        with logged(run, _numbered(run, request, report)) as report, many_models():
            for note in plan.notes:
                report(Progress("plan", 1, 1, note))
            request, budget = within_budget(run, request, report)
            models = train_models(run, request, report)
            files = convert_models(run, request, models, report)
            scores = score_files(run, request, files, report)
            clients = verify_files(run, request, files, report)
            record = measure_files(run, request, files, report)
            page = report_on_run(run, report)
    model_of = {name: model for name, (model, _) in names_of(request.exports).items()}
    rows = rows_of(files, model_of, scores, clients, record)
    problems = [f"{name}: {problem}" for name, found in clients["problems"].items() for problem in found]
    return Outcome(
        run.path, scores["metric"], scores["examples"], rows, tuple(problems), doubts_of(record), budget, page
    )


def _numbered(run: RunDirectory, request: Request, report: Report) -> Report:
    """Says of every task which of the run's stages it belongs to."""
    names = names_of_stages(request)

    def hear(progress: Progress) -> None:
        if run.current_stage in names:
            stage = f"[{names.index(run.current_stage) + 1}/{len(names)}]"
            progress = dataclasses.replace(progress, task=f"{stage} {progress.task}")
        report(progress)

    return hear
