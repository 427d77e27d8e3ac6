"""Training curves for TensorBoard: each loss term, the learning rate and the dev score, by the number of steps taken.

One event holds all scalars of a step and is written as a record without `tf.summary`, whose operators take 1 ms for
five scalars; this takes 0.07 ms.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from edgebert.errors import OutputError
from edgebert.files import make_folder
from edgebert.keras import tf
from edgebert.training.step import LOSS

# TensorBoard takes every file with "tfevents" in its name, in the order of the names.
FILE, FILES = "events.out.tfevents.{:010d}.edgebert", "events.out.tfevents.*.edgebert"
FILE_VERSION = "brain.Event:2"
LEARNING_RATE, DEV_SCORE = "learning_rate", "dev_score"
STEPS_WRITTEN_TOGETHER = 10

Event, Summary = tf.compat.v1.Event, tf.compat.v1.Summary


class Curves:
    """The curves of one run, in one file; without a folder nothing is written."""

    def __init__(self, folder: Path | None):
        self._folder, self._writer = folder, None
        self._waiting: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self.flush()
            self._writer.close()
            self._writer = None

    def go_on_from(self, steps_taken: int) -> None:
        """Begin, with what was written of the first `steps_taken` steps; what a killed run wrote beyond is dropped.

        All goes into a new file before the old ones are removed: a kill between leaves events twice, and the next
        start makes one of them.
        """
        if self._folder is None:
            return
        old = sorted(make_folder(self._folder).glob(FILES))
        number = 1 + max((int(path.name.split(".")[3]) for path in old), default=0)
        kept = [event for event in _merged(old) if event.step <= steps_taken]
        with _told(self._folder):
            self._writer = tf.io.TFRecordWriter(str(self._folder / FILE.format(number)))
        self._waiting = [Event(wall_time=time.time(), file_version=FILE_VERSION), *kept]
        self.flush()
        for path in old:
            path.unlink()

    def add_step(self, number: int, losses: dict[str, float], learning_rate: float) -> None:
        terms = {name if name == LOSS else f"{LOSS}/{name}": value for name, value in losses.items()}
        self._add(number, {**terms, LEARNING_RATE: learning_rate})
        if len(self._waiting) >= STEPS_WRITTEN_TOGETHER:
            self.flush()

    def add_dev_score(self, number: int, score: float) -> None:
        self._add(number, {DEV_SCORE: score})

    def flush(self) -> None:
        """To be called before a checkpoint is written: a run that goes on from it finds all steps before it."""
        if self._writer is None:
            return
        with _told(self._folder):
            for event in self._waiting:
                self._writer.write(event.SerializeToString())
            self._writer.flush()
        self._waiting = []

    def _add(self, number: int, scalars: dict[str, float]) -> None:
        if self._folder is not None:
            self._waiting.append(_event(number, time.time(), scalars))


def _event(step: int, wall_time: float, scalars: dict[str, float]) -> Event:
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    return Event(step=step, wall_time=wall_time, summary=Summary(value=values))


def _merged(files: list[Path]) -> list[Event]:
    """Each step once; where files hold one twice, the later file's."""
    scalars: dict[int, dict[str, float]] = {}
    times: dict[int, float] = {}
    for event in (event for path in files for event in _read(path) if event.HasField("summary")):
        scalars.setdefault(event.step, {}).update({value.tag: value.simple_value for value in event.summary.value})
        times[event.step] = event.wall_time
    return [_event(step, times[step], scalars[step]) for step in sorted(scalars)]


def _read(path: Path) -> Iterator[Event]:
    """The whole events of a file; a kill may have cut its last one."""
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield Event.FromString(record)
    except tf.errors.DataLossError:
        return


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What TensorFlow says of a full disk, in our words."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OutputError(
            f"{folder}: expected a place for training curves, got '{error.message}'. "
            "Do: make room there, or train without curves."
        ) from error
