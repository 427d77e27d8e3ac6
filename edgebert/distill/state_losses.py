"""Losses on hidden states [B, T, W], the student's already in the teacher's width. See `masking` for means."""

from collections.abc import Sequence
from itertools import pairwise

from edgebert.distill.masking import batch_mean, fixed, float32, keep, mean_where, real_positions
from edgebert.keras import tf

# Below this squared length a vector has no direction; it is not blown up to one.
SHORTEST_SQUARED = 1e-24


def hidden_mse(student, teacher, mask):
    """TinyBERT's L_hidn = MSE(H_S W_h, H_T) and L_embd = MSE(E_S W_e, E_T) (Jiao et al. 2019).

    The mean is over real positions and the teacher's width; the published code averages padded positions in.
    """
    real = real_positions(mask)
    difference = keep(real[:, :, None], float32(student) - fixed(teacher))
    return mean_where(real, tf.reduce_mean(tf.square(difference), axis=-1))


def hidden_cosine(student, teacher, mask):
    """DistilBERT's L_cos: 1 - cos(h_S, h_T), the mean over real positions (Sanh et al. 2019)."""
    real = real_positions(mask)
    student = unit_length(keep(real[:, :, None], float32(student)))
    teacher = unit_length(keep(real[:, :, None], fixed(teacher)))
    return mean_where(real, 1.0 - tf.reduce_sum(student * teacher, axis=-1))


def first_row_mse(student, teacher):
    """Patient KD: MSE of the [CLS] rows brought to unit length (Sun et al. 2019).

    The paper sums over the width; its published code and the weights it gives (10 to 1000) take the mean, as here.
    Only row 0 is read.
    """
    student, teacher = unit_length(float32(student[:, 0])), unit_length(fixed(teacher[:, 0]))
    differences = tf.square(student - teacher)
    return batch_mean(tf.reduce_sum(differences), float32(tf.size(differences)))


def increments(states: Sequence) -> list:
    """What each layer holds beyond the next: F_l - Up(F_(l+1)), and F_L for the last.

    Up brings a deeper feature to the shallower one's shape. All layers of one encoder have one length and one width
    (the student's: after its projection), so here Up is the identity. The increments of one layer and all above it
    add up to that layer's state.
    """
    return [state - deeper for state, deeper in pairwise(states)] + [states[-1]]


def increment_mse(students: Sequence, teachers: Sequence, mask) -> list:
    """L_incr, one value a layer: MSE between the student's increments and the teacher's.

    Reading taken: "successive" layers are successive pairs of the layer map, and the student's own increments, after
    projection, are compared with the teacher's, so that a student that copies every mapped layer loses 0. Phase one
    trains with L_align (`hidden_mse` over the map) alone, phase two with L_align + lambda * L_incr.
    """
    student_increments = increments([float32(state) for state in students])
    teacher_increments = increments([fixed(state) for state in teachers])
    return [
        hidden_mse(student, teacher, mask)
        for student, teacher in zip(student_increments, teacher_increments, strict=True)
    ]


def unit_length(vectors):
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squared, SHORTEST_SQUARED))
