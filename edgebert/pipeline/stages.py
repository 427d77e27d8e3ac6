"""The stages in their order, by the names that `--from` takes; each has a folder of its name in the run's."""

from edgebert.errors import OutputError
from edgebert.run_directory import RunDirectory

BUDGET = "budget"
FINETUNE = "finetune"
DISTILL_TEXT = "distill-text"
DISTILL = "distill"
SHRINK = "shrink"
PRUNE = "prune"
QUANTIZE = "quantize"
TRIM = "trim"
CONVERT = "convert"
SCORE = "score"
VERIFY = "verify"
BENCHMARK = "benchmark"
REPORT = "report"
TEACHER, STUDENT = "teacher", "student"
# The stages that make a smaller model of the student, each with its model's name. Their order is the one that is right:
# shrinking changes the shapes that masks and ranges belong to; pruning moves weights that ranges would have been learnt
# with, while training for int8 holds zeros at zero; and a teacher of other tokens could only compare answers while its
# student heals, so the vocabulary is trimmed last, which only takes rows out of the table: zeros and ranges stay.
COMPRESSIONS = {SHRINK: "shrunk", PRUNE: "pruned", QUANTIZE: "quantized", TRIM: "trimmed"}
STAGES = (BUDGET, FINETUNE, DISTILL_TEXT, DISTILL, *COMPRESSIONS, CONVERT, SCORE, VERIFY, BENCHMARK, REPORT)


def forget_from(run: RunDirectory, first: str) -> None:
    """Make the stage and all after it run anew."""
    if first not in STAGES:
        raise OutputError(f"--from: expected {', '.join(STAGES)}, got {first!r}. Do: choose one of them.")
    for name in STAGES[STAGES.index(first) :]:
        run.forget(name)
