"""A checkpoint's graph looked into under one scheme, or mixed until it loses little enough: all that is said of it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.export.quantization.calibration import CalibrationSet
from edgebert.export.quantization.observing import Inputs
from edgebert.export.sensitivity.choosing import Halves, choose
from edgebert.export.sensitivity.exam import CLASSIFICATION, EMBEDDING, Exam
from edgebert.export.sensitivity.measuring import Trial, groups, measure_groups
from edgebert.export.sensitivity.preparation import Prepared, prepare
from edgebert.export.sensitivity.result import SCHEMA, SCHEMA_VERSION, Choice, GroupHarm, Sensitivity, Verdict
from edgebert.export.sensitivity.tensors import Comparison, compare_tensors
from edgebert.progress import Report, silent

AUTO, FASTEST = "auto", "static"


@dataclass(frozen=True, eq=False)
class Subject:
    """A float32 graph with what is asked of it. `metric`: what the exam's score is, if it has one."""

    checkpoint: str
    checkpoint_sha256: str
    graph: bytes
    exam: Exam
    metric: str | None
    texts_source: str
    texts_sha256: str
    calibration: CalibrationSet | None
    tensor_texts: Sequence[Inputs]

    @property
    def calibration_inputs(self) -> list[Inputs]:
        return [] if self.calibration is None else self.calibration.inputs(None)


@dataclass(frozen=True, eq=False)
class Mixed:
    """`content` is the graph of the plan, not yet packed."""

    found: Sensitivity
    prepared: Prepared
    content: bytes

    @property
    def choice(self) -> Choice:
        return self.found.choice


def look_into(subject: Subject, scheme: str, by: Sequence[str], report: Report = silent) -> Sensitivity:
    """Each tensor's error under the scheme, and what each group of parts costs alone."""
    prepared = prepare(subject.graph, scheme, subject.calibration_inputs)
    trial = Trial.begin(prepared, subject.graph, subject.exam)
    content = prepared.build(prepared.whole())
    whole = subject.exam.judge(subject.exam.answers(content), trial.reference)
    harms = measure_groups(trial, groups(prepared, by), report)
    compared = compare_tensors(prepared.graph, content, subject.tensor_texts, report)
    return _found(subject, scheme, trial.float32(), whole, harms, compared)


def mix(subject: Subject, halves: Halves, most_points: float, report: Report = silent) -> Mixed:
    """The fastest scheme with as little moved back as will do; the best that was found if none will."""
    prepared = prepare(subject.graph, FASTEST, subject.calibration_inputs)
    chosen = choose(prepared, subject.graph, subject.exam, halves, most_points, report)
    content = prepared.build(chosen.levels)
    trial = Trial.begin(prepared, subject.graph, subject.exam)
    whole = subject.exam.judge(subject.exam.answers(content), trial.reference)
    compared = compare_tensors(prepared.graph, content, subject.tensor_texts, report)
    found = _found(subject, AUTO, trial.float32(), whole, chosen.harms, compared)
    return Mixed(dataclasses.replace(found, choice=chosen.choice), prepared, content)


def _found(
    subject: Subject,
    scheme: str,
    float32: Verdict,
    whole: Verdict,
    harms: tuple[GroupHarm, ...],
    compared: Comparison,
) -> Sensitivity:
    calibration = None if subject.calibration is None else subject.calibration.provenance()
    return Sensitivity(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        scheme=scheme,
        task=subject.exam.task,
        metric=subject.metric or _unlabelled_metric(subject.exam.task),
        checkpoint=subject.checkpoint,
        checkpoint_sha256=subject.checkpoint_sha256,
        calibration_source=calibration and calibration["source"],
        calibration_sha256=calibration and calibration["sha256"],
        calibration_texts=calibration["texts"] if calibration else 0,
        texts_source=subject.texts_source,
        texts_sha256=subject.texts_sha256,
        float32=float32,
        whole=whole,
        groups=harms,
        tensor_texts=len(subject.tensor_texts),
        tensors=compared.tensors,
        unmapped=compared.unmapped,
    )


def _unlabelled_metric(task: str) -> str:
    return {CLASSIFICATION: "agreement", EMBEDDING: "cosine"}.get(task, "correlation")
