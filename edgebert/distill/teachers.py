"""Several teachers as one: their outputs combined, example by example."""

import math
from collections.abc import Sequence

from edgebert.distill.masking import fixed
from edgebert.keras import tf
from edgebert.models.task import TaskTrace

# Keeps the weights a division that is defined where no teacher is sure of anything: then all weigh the same.
LEAST_CONFIDENCE = 1e-6


def combine_outputs(outputs: Sequence, weighting: str = "mean"):
    """Outputs [B, C] of several teachers to one [B, C]: sum_k w_k z_k with weights that add up to 1 for each example.

    mean: w_k = 1/K. max_probability: w_k in proportion to max_c p_k(c). entropy: in proportion to 1 - H(p_k) / log C,
    which is 0 for a teacher that knows nothing and 1 for one that is certain. The weights are of the logits, so that
    temperatures apply to the combination as to one teacher.
    """
    stacked = tf.stack([fixed(output) for output in outputs])
    if weighting == "mean":
        return tf.reduce_mean(stacked, axis=0)
    confidence = _CONFIDENCES[weighting](stacked) + LEAST_CONFIDENCE
    weights = confidence / tf.reduce_sum(confidence, axis=0, keepdims=True)
    return tf.reduce_sum(weights[:, :, None] * stacked, axis=0)


def combine_teachers(traces: Sequence[TaskTrace], weighting: str = "mean") -> TaskTrace:
    """The combined output, with the first teacher's encoder: hidden states of different models have no mean."""
    output = combine_outputs([trace.output for trace in traces], weighting)
    return TaskTrace(output, traces[0].encoder)


def _max_probability(logits):
    return tf.reduce_max(tf.nn.softmax(logits), axis=-1)


def _certainty(logits):
    log_probabilities = tf.nn.log_softmax(logits)
    entropy = -tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)
    # Rounding may put the entropy of a uniform answer a hair above its maximum.
    return tf.maximum(1.0 - entropy / math.log(logits.shape[-1]), 0.0)


_CONFIDENCES = {"max_probability": _max_probability, "entropy": _certainty}
