"""Our step: `python -m benchmarks.training.with_edgebert finetune|distil|distil-cached float32|bfloat16`."""

import sys

import numpy as np

from benchmarks.training import shapes
from benchmarks.training.worker import serve
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.distill.distiller import Distiller
from edgebert.distill.published import published
from edgebert.distill.traces import OUTPUT
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


def model(shape: tuple[int, int, int, int]) -> TaskModel:
    layers, width, heads, feed_forward = shape
    config = EncoderConfig(shapes.VOCABULARY_SIZE, width, layers, heads, feed_forward, width, dropout=shapes.DROPOUT)
    return build_model(config, HEAD)


def main() -> None:
    task, arithmetic = sys.argv[1:]
    begin(0)
    if task == "finetune":
        trained = model(shapes.TEACHER)
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        variables = list(named_variables(trained).values())

        def losses(inputs, targets):
            return {"label": entropy(targets, trained(inputs, training=True))}
    else:
        trained = model(shapes.STUDENT)
        distiller = Distiller(trained, [model(shapes.TEACHER)], published("tinybert_prediction"), labelled=False)
        variables = list(distiller.trained.values())

        def losses(inputs, targets):
            return distiller.term_losses(inputs, targets, training=True)

    optimizer = adamw(shapes.LEARNING_RATE, MANY_STEPS, 0.0, shapes.WEIGHT_DECAY)
    optimizer.build(variables)
    dropout = StepwiseDropout(0, optimizer.iterations)
    tokens = tf.TensorSpec([None, None], tf.int32)
    signature = dict.fromkeys(INPUT_NAMES, tokens)
    if task == "distil-cached":
        signature[TEACHER] = {OUTPUT: tf.TensorSpec([None, 2], tf.float32)}

    @tf.function(input_signature=[signature, tf.TensorSpec([None], tf.int64)])
    def compiled(inputs, targets):
        dropout.begin_step()
        return take_step(lambda: losses(inputs, targets), variables, optimizer)

    def step(ids, labels):
        inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
        if task == "distil-cached":
            # As the cache would hand them over; their values cost nothing.
            inputs[TEACHER] = {OUTPUT: np.zeros((len(ids), 2), np.float32)}
        with computing_in(arithmetic):
            float(compiled(inputs, labels)[LOSS])

    with dropout.installed(trained):
        serve(step)


if __name__ == "__main__":
    main()
