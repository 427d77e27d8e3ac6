"""The stages in their order, by the names that `--from` takes; each has a folder of its name in the run's."""

from edgebert.errors import OutputError
from edgebert.run_directory import RunDirectory

BUDGET = "budget"
FINETUNE = "finetune"
DISTILL_TEXT = "distill-text"
DISTILL = "distill"
CONVERT = "convert"
SCORE = "score"
VERIFY = "verify"
BENCHMARK = "benchmark"
REPORT = "report"
STAGES = (BUDGET, FINETUNE, DISTILL_TEXT, DISTILL, CONVERT, SCORE, VERIFY, BENCHMARK, REPORT)


def forget_from(run: RunDirectory, first: str) -> None:
    """Make the stage and all after it run anew."""
    if first not in STAGES:
        raise OutputError(f"--from: expected {', '.join(STAGES)}, got {first!r}. Do: choose one of them.")
    for name in STAGES[STAGES.index(first) :]:
        run.forget(name)
