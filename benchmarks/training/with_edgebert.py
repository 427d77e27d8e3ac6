"""Our step: `python -m benchmarks.training.with_edgebert TASK float32|bfloat16`.

TASK: finetune, distil (TinyBERT's prediction step), distil-layers (its intermediate step), or one of the latter two
with -cached: what the teacher says of the texts is then computed before the first turn and kept on disk, as in
training; in a turn it is read.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.training import shapes
from benchmarks.training.worker import serve
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES, EncodedDataset
from edgebert.data.wordpiece import Encoded
from edgebert.distill.computing import teacher_needs
from edgebert.distill.distiller import Distiller
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.published import published
from edgebert.distill.running import DEFAULT_CACHE
from edgebert.distill.teacher_cache import TeacherCache, cache_teacher, parts_of
from edgebert.keras import keras, tf
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.training.arithmetic import computing_in
from edgebert.training.dropout import StepwiseDropout
from edgebert.training.feed import TEACHER
from edgebert.training.loop import begin
from edgebert.training.optimizer import adamw
from edgebert.training.step import LOSS, take_step

HEAD = HeadConfig("classification", "pooler", labels=("no", "yes"))
MANY_STEPS = 100_000
CACHED = "-cached"
RECIPES = {
    "distil": published("tinybert_prediction"),
    "distil-layers": dataclasses.replace(
        published("tinybert_intermediate"), layer_map=LayerMap("explicit", teacher_layers=shapes.TAUGHT_BY)
    ),
}


class Trained(NamedTuple):
    student: TaskModel
    variables: dict[str, tf.Variable]
    # (inputs, targets, training) to each term's loss.
    losses: Callable
    # Where there is a teacher.
    distiller: Distiller | None
    teacher: TaskModel | None


def model(shape: tuple[int, int, int, int]) -> TaskModel:
    layers, width, heads, feed_forward = shape
    config = EncoderConfig(shapes.VOCABULARY_SIZE, width, layers, heads, feed_forward, width, dropout=shapes.DROPOUT)
    return build_model(config, HEAD)


def make(task: str) -> Trained:
    if task == "finetune":
        trained = model(shapes.TEACHER)
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def losses(inputs, targets, training):
            return {"label": entropy(targets, trained(inputs, training=training))}

        return Trained(trained, named_variables(trained), losses, None, None)
    student, teacher = model(shapes.STUDENT), model(shapes.TEACHER)
    distiller = Distiller(student, [teacher], RECIPES[task.removesuffix(CACHED)], labelled=False)

    def losses(inputs, targets, training):
        return distiller.term_losses(inputs, targets, training=training)

    return Trained(student, distiller.trained, losses, distiller, teacher)


def inputs_of(ids: np.ndarray) -> dict[str, np.ndarray]:
    return {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}


def keep_answers(made: Trained, folder: str) -> TeacherCache:
    """Of every text of the run, as a distillation keeps them."""
    texts = [tuple(map(int, ids)) for ids in shapes.all_texts()]
    data = EncodedDataset(tuple(Encoded(ids, (1,) * len(ids), (0,) * len(ids)) for ids in texts), None)
    config = made.teacher.config
    needs = teacher_needs(made.distiller.recipe, made.student.config.layers, config.layers)
    parts = parts_of(needs, config, HEAD.outputs, DEFAULT_CACHE.precision)
    return cache_teacher(Path(folder), made.distiller.teach, "of this process alone", needs, parts, data)


def main() -> None:
    task, arithmetic = sys.argv[1:]
    begin(0)
    made = make(task)
    variables = list(made.variables.values())
    optimizer = adamw(shapes.LEARNING_RATE, MANY_STEPS, 0.0, shapes.WEIGHT_DECAY)
    optimizer.build(variables)
    dropout = StepwiseDropout(0, optimizer.iterations)
    signature = dict.fromkeys(INPUT_NAMES, tf.TensorSpec([None, None], tf.int32))
    with tempfile.TemporaryDirectory() as folder, dropout.installed(made.student):
        cache = keep_answers(made, folder) if task.endswith(CACHED) else None
        if cache is not None:
            signature[TEACHER] = cache.signature

        @tf.function(input_signature=[signature, tf.TensorSpec([None], tf.int64)])
        def compiled(inputs, targets):
            dropout.begin_step()
            return take_step(lambda: made.losses(inputs, targets, True), variables, optimizer)

        def step(batch):
            inputs = inputs_of(batch.ids)
            if cache is not None:
                inputs[TEACHER] = cache.batch(batch.positions, batch.ids.shape[1])
            with computing_in(arithmetic):
                float(compiled(inputs, batch.labels)[LOSS])

        serve(step)


if __name__ == "__main__":
    main()
