"""The one training loop, of fine-tuning and of distillation: steps, dev scores, early stopping, and it survives.

A run is a pure function of its starting values, its data, its settings and its seed: batches and dropout depend on
seed and step alone. Killed at any moment, the same call goes on from the last checkpoint and ends with the same bits.
"""

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.errors import TrainingError
from edgebert.keras import keras, tf, traced
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Progress, Report, silent
from edgebert.training.arithmetic import check_arithmetic, computing_in
from edgebert.training.companion import Companion
from edgebert.training.curves import Curves
from edgebert.training.dropout import StepwiseDropout
from edgebert.training.feed import Feed
from edgebert.training.hashing import dataset_sha256, key_sha256, values_sha256
from edgebert.training.optimizer import adamw
from edgebert.training.settings import (
    DEFAULT_CHECKPOINTS,
    EVENTS_FOLDER,
    CheckpointSettings,
    EpochResult,
    TrainingSettings,
    best_epoch,
)
from edgebert.training.step import LOSS, take_step
from edgebert.training.storage import Standing, Storage
from edgebert.version import VERSION

OPTIMIZER = "optimizer."
COMPANION = "companion."
TRAINED = "trained."


@dataclass(frozen=True)
class Trainee:
    """What the loop trains."""

    # Whose best epoch is kept.
    model: TaskModel
    # All that is trained by name, the model's own and what only serves its training.
    trained: dict[str, tf.Variable]
    # (inputs, targets or None) to the weighted losses of a batch, dropout on; their sum is minimised.
    losses: Callable[[Any, Any], dict[str, tf.Tensor]]
    # Everything that losses and dev scores depend on besides the training data, for the key of a checkpoint.
    description: dict[str, Any]
    companion: Companion | None = None
    # The loss of answering every class alike, where losses are of answers to classes alone.
    guessing_loss: float | None = None


def begin(seed: int) -> None:
    """Seed everything and make operators deterministic, for the rest of the process (TensorFlow has no way back).

    Call it before a model is made whose random values a resumed run must meet again.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def train(
    task: str,
    trainee: Trainee,
    feed: Feed,
    judge: Callable[[], float],
    settings: TrainingSettings,
    report: Report = silent,
    folder: str | os.PathLike | None = None,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
) -> tuple[EpochResult, ...]:
    """Train in place; all ends with the values of the epoch that `judge` (larger is better) liked best: the model, what
    is trained beside it, and its companion.

    With a folder the run survives: call it again with the same arguments. A finished run is only loaded.
    """
    return _Run(task, trainee, feed, judge, settings, report, folder, checkpoints).train()


class _Run:
    def __init__(self, task, trainee, feed, judge, settings, report, folder, checkpoints):
        self.task, self.trainee, self.feed, self.judge = task, trainee, feed, judge
        self.settings, self.report, self.checkpoints = settings, report, checkpoints
        self.variables: dict[str, tf.Variable] = trainee.trained
        self.standing = Standing()
        self.best: dict[str, np.ndarray] = {}
        check_arithmetic(settings.arithmetic)
        begin(settings.seed)
        self.first_kept_epoch = self._plan_companion()
        total = feed.steps * settings.epochs
        self.optimizer = adamw(
            settings.learning_rate, total, settings.warmup_share, settings.weight_decay, settings.averaging
        )
        self.optimizer.build(list(self.variables.values()))
        self.dropout = StepwiseDropout(settings.seed, self.optimizer.iterations)
        self.storage = Storage(folder, self._key()) if folder is not None else None
        self.curves = Curves(Path(folder) / EVENTS_FOLDER if folder is not None and checkpoints.curves else None)
        self.saved_at, self.steps_since_saved = time.monotonic(), 0

    def train(self) -> tuple[EpochResult, ...]:
        self._restore()
        if not self._is_done():
            with self.dropout.installed(self.trainee.model), self.curves:
                self.curves.go_on_from(self._steps_taken)
                step = self._compiled_step()
                while not self._is_done():
                    self._run_epoch(step)
        self._assign_best()
        return self.standing.results

    def _run_epoch(self, step: Callable) -> None:
        epoch = self.standing.epoch
        task = f"{self.task} {epoch + 1}/{self.settings.epochs}"
        for batch in self.feed.epoch(epoch, self.standing.step):
            with computing_in(self.settings.arithmetic):
                losses = {name: float(value) for name, value in step(*batch).items()}
            self._note(task, losses)
            if self._is_time_to_save():
                self._save()
        means = {name: total / self.feed.steps for name, total in self.standing.sums.items()}
        loss = means.pop(LOSS)
        with self.optimizer.averages_in_place():
            result = EpochResult(epoch + 1, loss, self._judged(task), means, epoch + 1 >= self.first_kept_epoch)
            # The last step is told of with what the epoch came to.
            remark = f"mean loss {loss:.4f}, dev score {result.dev_score:.4f}"
            self.report(Progress(task, self.feed.steps, self.feed.steps, remark))
            results = (*self.standing.results, result)
            self.standing = dataclasses.replace(self.standing, step=0, sums={}, results=results)
            if best_epoch(results) is result:
                self._keep_best()
        self.curves.add_dev_score(self._steps_taken, result.dev_score)
        self._save()

    def _note(self, task: str, losses: dict[str, float]) -> None:
        standing, done = self.standing, self.standing.step + 1
        watch = standing.watch.seen(f"{task}, step {done}", losses[LOSS], self.trainee.guessing_loss)
        sums = {name: standing.sums.get(name, 0.0) + value for name, value in losses.items()}
        self.standing = dataclasses.replace(standing, step=done, sums=sums, watch=watch)
        self.curves.add_step(self._steps_taken, losses, float(self.optimizer.learning_rate))
        self.steps_since_saved += 1
        if done < self.feed.steps:
            terms = [f"{name} {value:.4f}" for name, value in losses.items()]
            # A single term is the sum.
            remark = ", ".join(terms if len(terms) > 2 else terms[:1])
            later = self.feed.steps * (self.settings.epochs - standing.epoch - 1)
            self.report(Progress(task, done, self.feed.steps, remark, later))

    def _judged(self, task: str) -> float:
        score = self.judge()
        if not np.isfinite(score):
            raise TrainingError(f"{task}: expected a finite dev score, got {score}. Do: lower the learning rate.")
        return score

    def _compiled_step(self) -> Callable:
        variables = list(self.variables.values())
        companion = self.trainee.companion

        def step(inputs, targets=None):
            self.dropout.begin_step()
            if companion is None:
                return take_step(lambda: self.trainee.losses(inputs, targets), variables, self.optimizer)
            # Copied: the update counts the variable on.
            steps_taken = tf.identity(self.optimizer.iterations)
            companion.begin_step(steps_taken)
            losses = take_step(lambda: self.trainee.losses(inputs, targets), variables, self.optimizer)
            companion.end_step(steps_taken)
            return losses

        return traced(step, input_signature=self.feed.signature)

    def _is_done(self) -> bool:
        results = self.standing.results
        if len(results) >= self.settings.epochs:
            return True
        if not results or not best_epoch(results).may_be_kept:
            return False
        return len(results) - best_epoch(results).epoch >= self.settings.patience

    def _is_time_to_save(self) -> bool:
        if self.storage is None or self.standing.step == self.feed.steps:
            return False
        every_steps = self.checkpoints.every_steps
        late = time.monotonic() - self.saved_at >= self.checkpoints.every_seconds
        return late or (every_steps is not None and self.steps_since_saved >= every_steps)

    def _save(self) -> None:
        if self.storage is None:
            return
        self.curves.flush()
        # Of a finished run only the best epoch is wanted.
        self.storage.save(self.standing, {} if self._is_done() else self._values())
        self.saved_at, self.steps_since_saved = time.monotonic(), 0

    def _keep_best(self) -> None:
        values = model_tensors(self.trainee.model) | {name: value.numpy() for name, value in self._beside().items()}
        if self.storage is None:
            self.best = values
        else:
            self.storage.save_best(self.standing.epoch, values)

    def _assign_best(self) -> None:
        values = self.storage.load_best(best_epoch(self.standing.results).epoch) if self.storage else self.best
        beside = self._beside()
        for name, variable in beside.items():
            variable.assign(values[name])
        assign_tensors(self.trainee.model, {name: value for name, value in values.items() if name not in beside})

    def _values(self) -> dict[str, np.ndarray]:
        return {name: variable.numpy() for name, variable in self._stored().items()}

    def _stored(self) -> dict[str, tf.Variable]:
        return self.variables | self._slots() | self._companions()

    def _beside(self) -> dict[str, tf.Variable]:
        """What is kept with an epoch and is not the model's: projections of a distillation, a companion's state."""
        own = {id(variable) for variable in self.trainee.model.variables}
        trained = {f"{TRAINED}{name}": one for name, one in self.variables.items() if id(one) not in own}
        return trained | self._companions()

    def _companions(self) -> dict[str, tf.Variable]:
        companion = self.trainee.companion
        return {f"{COMPANION}{name}": state for name, state in companion.variables.items()} if companion else {}

    def _slots(self) -> dict[str, tf.Variable]:
        """The optimizer's, but its count of steps, which is no float."""
        slots = [variable for variable in self.optimizer.variables if variable is not self.optimizer.iterations]
        return {f"{OPTIMIZER}{number}": variable for number, variable in enumerate(slots)}

    def _restore(self) -> None:
        stored = self.storage.load() if self.storage else None
        if stored is None:
            return
        self.standing, values = stored
        if self._is_done():
            return
        for name, variable in self._stored().items():
            variable.assign(values[name])
        self.optimizer.iterations.assign(self._steps_taken)

    def _plan_companion(self) -> int:
        companion = self.trainee.companion
        if companion is None:
            return 1
        if self.settings.averaging:
            raise TrainingError(
                "training averaging: expected 0 while masks or ranges change, got "
                f"{self.settings.averaging}. Do: leave it out."
            )
        return companion.plan(self.feed.steps, self.settings.epochs)

    @property
    def _steps_taken(self) -> int:
        return self.standing.epoch * self.feed.steps + self.standing.step

    def _key(self) -> str:
        """Of everything that the result depends on."""
        return key_sha256(
            {
                "version": VERSION,
                "task": self.trainee.description,
                **({"companion": self.trainee.companion.description} if self.trainee.companion else {}),
                "settings": dataclasses.asdict(self.settings),
                "train": dataset_sha256(self.feed.data),
                "start": values_sha256(self._start()),
            }
        )

    def _start(self) -> dict[str, np.ndarray]:
        others = {name: variable.numpy() for name, variable in self.variables.items()}
        others |= {name: state.numpy() for name, state in self._companions().items()}
        return others | {f"model.{name}": values for name, values in model_tensors(self.trainee.model).items()}
