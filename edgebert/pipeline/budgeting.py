"""A budget's stage: speeds are measured once, what they allow is decided, and a resumed run keeps to it."""

import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebert.compression.pruning.schedule import MOST_UPDATES
from edgebert.data.batches import EncodedDataset
from edgebert.data.plain_text import PlainText
from edgebert.distill.planning import PlannedStep
from edgebert.pipeline.budget import Decision, Training, decide
from edgebert.pipeline.compressions import CompressionRequest
from edgebert.pipeline.config_file import to_plain
from edgebert.pipeline.probing import Speeds, measure_speeds
from edgebert.pipeline.request import Request, names_of
from edgebert.pipeline.stages import BUDGET, DISTILL, DISTILL_TEXT, FINETUNE, TEACHER
from edgebert.pipeline.verifying import chosen_clients
from edgebert.progress import Report
from edgebert.run_directory import RECORD_FILE, RunDirectory
from edgebert.stations.healing_request import HealingRequest
from edgebert.stations.prune_request import PruneRequest
from edgebert.stations.quantize_request import QuantizeRequest
from edgebert.stations.shrink_request import ShrinkRequest
from edgebert.stations.trimming import TrimRequest
from edgebert.truncation.norm_fitting import norm_places

SECONDS_A_MINUTE = 60
# Measured with MiniLM and its students on two cores of 2026: what does not depend on the number of examples.
START_SECONDS = 20.0
TRAINING_START_SECONDS = 10.0
CONVERSION_SECONDS = 12.0
PRECISION_SECONDS = 3.0
CLIENT_SECONDS = 4.0
LOAD_SECONDS = 2.0
# To choose the smallest anew: a second for the 4.6 million of a student of TinyBERT4's shape.
SECONDS_A_MASKED_WEIGHT = 1 / 4.6e6
REPORT_SECONDS = 4.0
# A .tflite on one thread takes no longer for an example than TensorFlow does in batches on all of them.
MEASURED_ROUNDS = 1.5


def budget_inputs(request: Request) -> dict[str, Any]:
    """What the decision depends on: not the machine, which a resumed run may find busier."""
    config = to_plain(request.config)
    kept = ("budget_minutes", "seed", "finetune", "distill_text", "distill", *request.config.compressions)
    return {
        "config": {name: config[name] for name in kept if name in config},
        "checkpoint_sha256": request.checkpoint.sha256,
        "train_sha256": request.all_train.sha256,
        "dev_sha256": request.dev.sha256,
        "student_train_sha256": None if request.all_student_train is None else request.all_student_train.sha256,
    }


def within_budget(run: RunDirectory, request: Request, report: Report) -> tuple[Request, tuple[str, ...]]:
    """The request with the epochs and examples that the time allows, and what a person should hear of it."""
    minutes = request.config.budget_minutes
    if minutes is None:
        return request, ()
    stage = run.stage(BUDGET, budget_inputs(request))
    if not stage.finished:
        began = time.monotonic()
        speeds = measure_speeds(request, report)
        trainings, fixed = trainings_of(request, speeds), fixed_seconds(request, speeds) + time.monotonic() - began
        decision = decide(minutes * SECONDS_A_MINUTE, fixed, trainings)
        stage.finish(
            {
                "speeds": speeds.to_json(),
                "fixed_seconds": fixed,
                "trainings": [dataclasses.asdict(one) for one in trainings],
                "decision": decision.to_json(),
            }
        )
    decision = Decision.from_json(stage.result["decision"])
    return decided(request, decision), explained(decision, minutes)


def read_decision(folder: str | os.PathLike) -> Decision:
    """Of a finished stage."""
    record = json.loads((Path(folder) / RECORD_FILE).read_bytes())
    return Decision.from_json(record["result"]["decision"])


def explained(decision: Decision, minutes: float) -> tuple[str, ...]:
    epochs = ", ".join(f"{name} {count}" for name, count in decision.epochs.items())
    gave_up = f"gave up: {'; '.join(decision.given_up)} kept" if decision.given_up else "nothing given up"
    return (
        f"about {decision.expected_seconds / SECONDS_A_MINUTE:.1f} of {minutes:g} minutes expected; epochs: {epochs}",
        gave_up,
    )


def decided(request: Request, decision: Decision) -> Request:
    """The request as the decision has it."""
    config, epochs = request.config, decision.epochs
    if FINETUNE in epochs:
        config = dataclasses.replace(config, finetune=dataclasses.replace(config.finetune, epochs=epochs[FINETUNE]))
    for name, field in ((DISTILL_TEXT, "distill_text"), (DISTILL, "distill")):
        steps = tuple(count for training, count in epochs.items() if training.rpartition(" ")[0] == name)
        if steps:
            config = dataclasses.replace(config, **{field: dataclasses.replace(getattr(config, field), epochs=steps)})
    for stage in config.compressions:
        if stage in epochs:
            table = dataclasses.replace(config.stage(stage), epochs=epochs[stage])
            config = dataclasses.replace(config, **{stage: table})
    share, text = decision.example_share, request.text
    if share < 1 and text is not None:
        text = _thinned(text, share)
    return dataclasses.replace(request, config=config, example_share=share, text=text)


def trainings_of(request: Request, speeds: Speeds) -> tuple[Training, ...]:
    """Each training of the run with what its epochs take, by measured speeds."""
    examples, dev = len(request.train), len(request.dev)
    found = []
    if request.trains_teacher:
        found.append(
            Training(FINETUNE, request.config.finetune.epochs, examples * speeds.finetune, dev * speeds.teacher_answer)
        )
    if request.text is not None:
        plan, sizes = request.text_distillation.plan, tuple(map(len, request.text_distillation.encoded))
        found += _distillations(DISTILL_TEXT, plan.steps, speeds.distill_text, sizes, speeds)
    if request.config.has_student:
        sizes = len(request.student_train), dev
        found += _distillations(DISTILL, request.future_distillation.plan.steps, speeds.distill, sizes, speeds)
    for stage, one in request.future_compressions.items():
        if isinstance(one, HealingRequest):
            found.append(_healing(stage, one, speeds))
    return tuple(found)


def fixed_seconds(request: Request, speeds: Speeds) -> float:
    """What comes after training, and before."""
    names, config = names_of(request.exports), request.config
    trainings = request.trains_teacher + len(speeds.distill) + len(speeds.distill_text) + len(speeds.heal)
    # What becomes of a student is no slower than it was; without one it begins as the teacher.
    small = speeds.student_answer if config.has_student else speeds.teacher_answer
    answers = dict.fromkeys(config.models, small) | {TEACHER: speeds.teacher_answer}
    texts = len(request.dev) + MEASURED_ROUNDS * config.benchmark.runs * len(config.benchmark.threads)
    scored = sum(texts * answers[model] for model, _ in names.values())
    clients = len(names) * (1 + len(chosen_clients(config.verify))) * CLIENT_SECONDS
    return (
        START_SECONDS
        + trainings * TRAINING_START_SECONDS
        + (_first_values(request, speeds) if config.has_student else 0.0)
        + sum(_beside_training(one, speeds) for one in request.future_compressions.values())
        + len(request.exports) * CONVERSION_SECONDS
        + len(names) * (PRECISION_SECONDS + LOAD_SECONDS + REPORT_SECONDS)
        + scored
        + clients
    )


def _first_values(request: Request, speeds: Speeds) -> float:
    """What a student takes before its first step, on the texts that it is measured on: one pass of its teacher, forward
    and back, to rank channels, and passes with and without LayerNorm to fit each of its NoNorms."""
    distillation = request.future_distillation if request.text is None else request.text_distillation
    seconds = 0.0
    if distillation.start.method == "truncated":
        seconds += speeds.finetune or speeds.teacher_answer
    if distillation.fits_norms:
        seconds += (1 + 2 * len(norm_places(distillation.student))) * speeds.student_answer
    return seconds * min(request.config.distill.importance_examples, len(request.student_train))


def _distillations(
    name: str, steps: Sequence[PlannedStep], speeds: Sequence[float], sizes: tuple[int, int], answers: Speeds
) -> list[Training]:
    examples, _ = sizes
    found = []
    for number, (planned, seconds) in enumerate(zip(steps, speeds, strict=True), 1):
        judged, once = _judging(planned, sizes, answers.student_answer, answers.teacher_answer)
        epochs = planned.step.settings.epochs
        found.append(Training(f"{name} {number}", epochs, examples * seconds, judged, once))
    return found


def _healing(stage: str, request: HealingRequest, speeds: Speeds) -> Training:
    """A student that shrinks in steps has that many epochs for each that is asked for."""
    steps = request.steps if isinstance(request, ShrinkRequest) else 1
    (planned,) = request.distillation_of(request.student.encoder).steps
    examples, dev = (len(data) for data in request.encoded)
    student = speeds.student_answer or speeds.teacher_answer
    judged, once = _judging(planned, (examples, dev), student, speeds.teacher_answer)
    return Training(stage, request.training.epochs, steps * examples * speeds.heal[stage], steps * judged, once)


def _beside_training(request: CompressionRequest, speeds: Speeds) -> float:
    """What a stage does besides, once: masks that are chosen anew, parts that are ranked, ranges that are calibrated,
    and scores of all models before."""
    if isinstance(request, TrimRequest):
        return LOAD_SECONDS
    student = speeds.student_answer or speeds.teacher_answer
    seconds = len(request.dev) * (speeds.teacher_answer + student)
    if isinstance(request, ShrinkRequest):
        # Forward and back.
        seconds += request.steps * 3 * student * min(request.ranking.examples, len(request.train))
    elif isinstance(request, PruneRequest):
        seconds += MOST_UPDATES * SECONDS_A_MASKED_WEIGHT * sum(one.elements for one in request.matrices)
    elif isinstance(request, QuantizeRequest):
        seconds += CONVERSION_SECONDS + 3 * request.calibration_texts * student
    return seconds


def _judging(planned: PlannedStep, sizes: tuple[int, int], student: float, teacher: float) -> tuple[float, float]:
    """Seconds for dev in every epoch, and for what the teacher is asked once: where the loss is what epochs are chosen
    by, of dev too."""
    examples, dev = sizes
    of_teacher = 0.0 if planned.is_scored else dev * teacher
    if planned.is_cached:
        return dev * student, examples * teacher + of_teacher
    return dev * student + of_teacher, 0.0


def _thinned(text: PlainText, share: float) -> PlainText:
    count = max(round(share * len(text.train)), 1)
    kept = [number * len(text.train) // count for number in range(count)]
    train = EncodedDataset(tuple(text.train.encoded[number] for number in kept), None)
    return dataclasses.replace(text, train=train)
