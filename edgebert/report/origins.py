"""Where a run's models come from: what it learnt from, how much of that, and what its student began as."""

from collections.abc import Collection, Iterator, Sequence

from edgebert.report.model import TrainingData
from edgebert.report.run_file import RunFile, Source
from edgebert.report.stages import StageRecord

LABELLED, STUDENT, PLAIN_TEXT = "training data", "training data of the student", "plain text"
# Stages of the pipeline.
_BUDGET, _FINETUNE, _DISTILL_TEXT, _DISTILL = "budget", "finetune", "distill-text", "distill"


def training_data(record: RunFile, stages: Sequence[StageRecord], trained: Collection[str]) -> Iterator[TrainingData]:
    """Of the stages that `trained`; one that only cuts or converts learns from nothing."""
    found = {stage.name: stage.inputs.get("train_sha256") for stage in stages if stage.name in trained}
    share = _budget_share(stages)
    found.pop(_DISTILL_TEXT, None)
    teachers = {name: sha256 for name, sha256 in found.items() if record.student_train is None or name == _FINETUNE}
    if teachers:
        yield _taken(LABELLED, record.train, next(iter(teachers.values())), share)
    students = [sha256 for name, sha256 in found.items() if name not in teachers]
    if students:
        yield _taken(STUDENT, record.student_train, students[0], share)
    if _DISTILL_TEXT in trained:
        for name in record.plain_texts:
            yield TrainingData(PLAIN_TEXT, name)


def student_start(record: RunFile, stages: Sequence[StageRecord]) -> str | None:
    """The student that the run's own one began as, where that was trained before the run."""
    starts = {stage.name: stage.inputs.get("start") for stage in stages}
    began = starts.get(_DISTILL)
    # One of plain text is the run's own.
    is_older = isinstance(began, dict) and began.get("method") == "from_folder" and _DISTILL_TEXT not in starts
    return record.student_start if is_older else None


def _taken(role: str, source: Source | None, sha256: str | None, share: float) -> TrainingData:
    if source is None:
        return TrainingData(role, sha256=sha256)
    examples = None if source.examples is None else max(round(share * source.examples), 1)
    return TrainingData(role, source.name, examples, source.examples_read, sha256, source.bundled)


def _budget_share(stages: Sequence[StageRecord]) -> float:
    """Of the examples, as the pipeline decided; all of them where it had no budget to keep to."""
    results = [stage.result for stage in stages if stage.name == _BUDGET and stage.finished]
    decisions = [result.get("decision") for result in results if isinstance(result, dict)]
    shares = [decision.get("example_share") for decision in decisions if isinstance(decision, dict)]
    return next((float(share) for share in shares if isinstance(share, (int, float))), 1.0)
