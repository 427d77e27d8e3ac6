"""How fast this machine trains and answers here: a few steps of each training on a few of its own examples, timed."""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgebert.config import EncoderConfig
from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.distill.general import distil_general
from edgebert.distill.planning import PlannedStep
from edgebert.distill.running import CacheSettings, Step
from edgebert.distill.stages import distil_task
from edgebert.models.loading import load_model
from edgebert.models.task import TaskModel, build_model
from edgebert.pipeline.request import Request
from edgebert.progress import Progress, Report
from edgebert.stations.healing_request import HealingRequest
from edgebert.stations.quantize_request import QuantizeRequest
from edgebert.stations.student_request import StudentRequest
from edgebert.training.finetune import finetune
from edgebert.training.loop import begin
from edgebert.training.scoring import predict

STEPS = 12
# Those in which TensorFlow traces the step, and its kernels prepare themselves for the first lengths.
UNCOUNTED_STEPS = 4
PREDICTED_EXAMPLES = 128


@dataclass(frozen=True)
class Speeds:
    """Seconds for an example: of the teacher's training and answers, of each step of each distillation."""

    finetune: float
    teacher_answer: float
    student_answer: float = 0.0
    distill: tuple[float, ...] = ()
    distill_text: tuple[float, ...] = ()
    # Of the training in each stage that heals, by its name.
    heal: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


# Of a step that rounds as int8 will: 1.26 of the processor time for a student of TinyBERT4's shape at 12 tokens, where
# the update of the word table, which is the same, weighs most.
ROUNDING_STEP_FACTOR = 1.5


class StepClock:
    """A report that notes when each training step ended."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._task = clock, ""
        self._ended, self._seconds = 0.0, list[float]()

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if progress.task == self._task and progress.done > 1:
            self._seconds.append(now - self._ended)
        # Before an epoch's first step lies the scoring of the one before.
        self._task, self._ended = progress.task, now

    @property
    def seconds_a_step(self) -> float:
        """The median: a length that is met for the first time is compiled for, which a whole training does a few times
        and a probe at every other step."""
        counted = self._seconds[UNCOUNTED_STEPS:] or self._seconds
        return statistics.median(counted) if counted else 0.0


def measure_speeds(request: Request, report: Report) -> Speeds:
    """Takes about half a minute for a MiniLM and its student. Nothing of it is kept but the figures."""
    total = 1 + (len(request.future_distillation.plan.steps) if request.config.has_student else 0)
    report(Progress("measure speeds", 0, total, "teacher"))
    begin(request.config.seed)
    teacher = load_model(request.checkpoint, request.head).model
    train, dev = (sample(data, request.common.batch_size) for data in _encoded(request))
    trained = _finetuning_speed(request, teacher, train, dev) if request.trains_teacher else 0.0
    speeds = Speeds(trained, answering_speed(teacher, train))
    speeds = dataclasses.replace(speeds, heal=_healing_speeds(request, teacher, train, dev))
    if not request.config.has_student:
        return speeds
    task, text = request.future_distillation, None
    report(Progress("measure speeds", 1, total, "student"))
    steps = [_task_speed(task, step, teacher, train, dev) for step in task.plan.steps]
    student = build_model(task.student, task.head)
    if request.text is not None:
        text = [_text_speed(request.text_distillation, step) for step in request.text_distillation.plan.steps]
    report(Progress("measure speeds", total, total))
    return dataclasses.replace(
        speeds,
        student_answer=answering_speed(student, train),
        distill=tuple(steps),
        distill_text=tuple(text or ()),
    )


def sample(data: EncodedDataset, batch_size: int) -> EncodedDataset:
    """As many examples as the steps need, evenly from all of them."""
    count = min(len(data), STEPS * batch_size)
    kept = [number * len(data) // count for number in range(count)]
    targets = None if data.targets is None else data.targets[kept]
    return EncodedDataset(tuple(data.encoded[number] for number in kept), targets)


def answering_speed(model: TaskModel, data: EncodedDataset) -> float:
    few = sample(data, max(PREDICTED_EXAMPLES // STEPS, 1))
    # The first time TensorFlow traces.
    predict(model, few)
    began = time.monotonic()
    predict(model, few)
    return (time.monotonic() - began) / len(few)


def _encoded(request: Request) -> Sequence[EncodedDataset]:
    if request.config.has_student:
        return request.future_distillation.encoded
    one = request.finetuning
    return [encode_dataset(data, one.tokenizer, one.tokens) for data in (one.train, one.dev)]


def _finetuning_speed(request: Request, teacher: TaskModel, train: EncodedDataset, dev: EncodedDataset) -> float:
    clock, settings = StepClock(), request.finetuning.settings
    finetune(teacher, train, dev, _few_epochs(settings, train), clock)
    return clock.seconds_a_step / settings.batch_size


def _task_speed(
    request: StudentRequest, planned: PlannedStep, teacher: TaskModel, train: EncodedDataset, dev: EncodedDataset
) -> float:
    return _step_speed(build_model(request.student, request.head), teacher, planned, train, dev, request.cache)


def _step_speed(
    student: TaskModel,
    teacher: TaskModel,
    planned: PlannedStep,
    train: EncodedDataset,
    dev: EncodedDataset,
    kept: CacheSettings,
) -> float:
    clock, step, cache = StepClock(), _few_steps(planned, train), _cache(kept, planned)
    with tempfile.TemporaryDirectory(prefix="edgebert-probe-") as folder:
        distil_task(student, teacher, train, dev, [step], folder, _steps_alone(clock), cache)
    return clock.seconds_a_step / step.settings.batch_size


def _healing_speeds(
    request: Request, teacher: TaskModel, train: EncodedDataset, dev: EncodedDataset
) -> dict[str, float]:
    """Stages whose students have the same shape and the same step are measured once. A student that shrinks is measured
    as it begins: it does not get slower."""
    measured: list[tuple[EncoderConfig, PlannedStep, float]] = []
    found = {}
    for stage, one in request.future_compressions.items():
        if not isinstance(one, HealingRequest):
            continue
        shape = one.student.encoder
        planned = one.distillation_of(shape).steps[0]
        seconds = next((each for *same, each in measured if same == [shape, planned]), None)
        if seconds is None:
            student = build_model(shape, one.head)
            seconds = _step_speed(student, teacher, planned, train, dev, one.cache)
            measured.append((shape, planned, seconds))
        found[stage] = seconds * (ROUNDING_STEP_FACTOR if isinstance(one, QuantizeRequest) else 1.0)
    return found


def _text_speed(request: StudentRequest, planned: PlannedStep) -> float:
    teacher = load_model(request.teachers[0], request.head).model
    student = build_model(request.student, request.head)
    train, dev = (sample(data, planned.step.settings.batch_size) for data in request.encoded)
    clock, step, cache = StepClock(), _few_steps(planned, train), _cache(request.cache, planned)
    with tempfile.TemporaryDirectory(prefix="edgebert-probe-") as folder:
        distil_general(
            student,
            [teacher],
            train,
            dev,
            [step],
            Path(folder),
            _steps_alone(clock),
            cache,
            masking=request.masking,
        )
    return clock.seconds_a_step / step.settings.batch_size


def _steps_alone(clock: StepClock) -> Report:
    """The teacher's answers are not a student's steps."""
    return lambda progress: clock(progress) if progress.task.startswith("distil ") else None


def _cache(kept: CacheSettings, planned: PlannedStep) -> CacheSettings:
    """All examples' answers may be too many to keep where a few are not."""
    return dataclasses.replace(kept, budget_bytes=kept.budget_bytes if planned.is_cached else 0)


def _few_steps(planned: PlannedStep, train: EncodedDataset) -> Step:
    return dataclasses.replace(planned.step, settings=_few_epochs(planned.step.settings, train))


def _few_epochs(settings: Any, train: EncodedDataset) -> Any:
    steps = -(-len(train) // settings.batch_size)
    epochs = -(-STEPS // steps)
    return dataclasses.replace(settings, epochs=epochs, patience=epochs)
