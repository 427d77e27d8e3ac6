"""What a run needs of disk and memory, as far as that can be known before it begins."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.benchmark.device import read_integer, read_meminfo
from edgebert.config import EncoderConfig
from edgebert.data.batches import EncodedDataset
from edgebert.distill.planning import FLOAT_BYTES, count_parameters
from edgebert.errors import OutputError, TrainingError
from edgebert.pipeline.compressions import passing_bytes, shape_after
from edgebert.pipeline.request import Request, names_of
from edgebert.pipeline.stages import COMPRESSIONS, CONVERT, DISTILL, DISTILL_TEXT, FINETUNE, STUDENT, TEACHER
from edgebert.pipeline.standings import FINISHED
from edgebert.stations.healing_request import HealingRequest

# TensorFlow, its kernels and compiled steps: a MiniLM and its student of four layers peaked at 2.3 GB in batches of 32.
PROCESS_BYTES = 1200 * 2**20
# A training keeps weights, gradients and two slots of the optimizer, and the file that was read.
COPIES_IN_TRAINING = 5
# A checkpoint has weights and two slots, the old one stands until the new one is whole, and so has the best epoch.
COPIES_ON_DISK = 8
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Resources:
    disk_bytes: int
    disk_free_bytes: int
    memory_bytes: int
    memory_available_bytes: int | None
    memory_total_bytes: int | None

    @property
    def notes(self) -> tuple[str, ...]:
        if self.memory_available_bytes is None or self.memory_bytes <= self.memory_available_bytes:
            return ()
        return (
            f"memory: about {self.memory_bytes:,} bytes are needed and {self.memory_available_bytes:,} available now; "
            "close other programs, or lower the batch size (--batch-size)",
        )

    def check(self, folder: str | os.PathLike) -> None:
        if self.disk_bytes > self.disk_free_bytes:
            raise OutputError(
                f"{folder}: expected room for {self.disk_bytes:,} bytes while it runs, got {self.disk_free_bytes:,}. "
                "Do: make room, choose another folder, or lower the cache's budget (--cache-budget)."
            )
        if self.memory_total_bytes is not None and self.memory_bytes > self.memory_total_bytes:
            raise TrainingError(
                f"memory: expected about {self.memory_bytes:,} bytes for this training, got a machine that has "
                f"{self.memory_total_bytes:,}. Do: lower --batch-size or --training-length, or take a smaller teacher."
            )


def resources_of(request: Request, folder: str | os.PathLike, standings: Mapping[str, str]) -> Resources:
    """Of the stages that have not finished."""
    free, left = _room(Path(folder), [name for name, state in standings.items() if state != FINISHED])
    total, available = _memory()
    return Resources(_disk(request, standings), free + left, _peak(request, standings), available, total)


def _disk(request: Request, standings: Mapping[str, str]) -> int:
    """All that stays, and the most that a training takes besides while it runs."""
    stays, passing = 0, [0]
    teacher = FLOAT_BYTES * count_parameters(request.checkpoint.encoder, request.head)
    to_do = {name for name, state in standings.items() if state != FINISHED}
    if FINETUNE in to_do:
        stays += teacher
        passing.append(COPIES_ON_DISK * teacher)
    plans = {}
    if request.config.has_student:
        plans[DISTILL] = request.future_distillation
    if request.text is not None:
        plans[DISTILL_TEXT] = request.text_distillation
    for name in plans.keys() & to_do:
        stays += FLOAT_BYTES * count_parameters(plans[name].student, plans[name].head)
        passing.append(plans[name].plan.disk_bytes)
    sizes = {TEACHER: teacher}
    if request.config.has_student:
        one = request.future_distillation
        sizes[STUDENT] = FLOAT_BYTES * count_parameters(one.student, one.head)
    for stage, one in request.future_compressions.items():
        sizes[COMPRESSIONS[stage]] = FLOAT_BYTES * count_parameters(shape_after(one), request.head)
        if stage in to_do:
            stays += sizes[COMPRESSIONS[stage]]
            passing.append(passing_bytes(one))
    if CONVERT in to_do:
        # No precision takes more than float32.
        stays += sum(sizes[model] for model, _ in names_of(request.exports).values())
    return stays + max(passing)


def _peak(request: Request, standings: Mapping[str, str]) -> int:
    peaks, batch = [PROCESS_BYTES], request.common.batch_size
    healing = {name: one for name, one in request.future_compressions.items() if isinstance(one, HealingRequest)}
    trained = (FINETUNE, DISTILL, DISTILL_TEXT, *healing)
    if not {name for name in trained if standings.get(name, FINISHED) != FINISHED}:
        return PROCESS_BYTES
    teacher = request.checkpoint.encoder
    weights = FLOAT_BYTES * count_parameters(teacher, request.head)
    students = [(one.student.encoder, one.encoded[0]) for one in healing.values()]
    if request.config.has_student:
        students.append((request.future_distillation.student, request.future_distillation.encoded[0]))
    for student, train in students:
        tokens = _longest(train)
        taught = FLOAT_BYTES * count_parameters(student, request.head)
        # The teacher answers beside its student, forward only.
        beside = weights * 2 + activation_bytes(teacher, batch, tokens) // 2
        peaks.append(PROCESS_BYTES + beside + COPIES_IN_TRAINING * taught + activation_bytes(student, batch, tokens))
    if request.trains_teacher:
        tokens = min(request.finetuning.tokens, teacher.maximum_length)
        if request.config.has_student:
            tokens = min(tokens, _longest(request.future_distillation.encoded[0]))
        peaks.append(PROCESS_BYTES + COPIES_IN_TRAINING * weights + activation_bytes(teacher, batch, tokens))
    return max(peaks)


def activation_bytes(encoder: EncoderConfig, batch_size: int, tokens: int) -> int:
    """Of a step forward and back: what each layer keeps of its rows, its inner rows and its attention."""
    rows = 12 * encoder.width + 4 * encoder.feed_forward_width + 3 * encoder.heads * tokens
    return FLOAT_BYTES * batch_size * tokens * encoder.layers * rows


def _longest(data: EncodedDataset) -> int:
    return int(np.max([len(one.input_ids) for one in data.encoded]))


def _room(folder: Path, unfinished: Sequence[str]) -> tuple[int, int]:
    """Free bytes, and those that unfinished stages hold and will use again."""
    place = folder.absolute()
    left = sum(path.stat().st_size for stage in unfinished for path in (place / stage).rglob("*") if path.is_file())
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free, left


def _memory() -> tuple[int | None, int | None]:
    """Total and available bytes, or what a container is allowed."""
    facts = read_meminfo()
    total, available = facts.get("MemTotal"), facts.get("MemAvailable")
    limit = read_integer(CGROUP_LIMIT)
    if limit is not None and total is not None:
        total = min(total, limit)
    return total, available
