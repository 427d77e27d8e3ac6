"""Losses on attention: scores and probabilities [B, A, T, T], query, key and value [B, A, T, D].

Cells count where query and key are both real, rows where the query is.
"""

from edgebert.distill.masking import (
    fixed,
    float32,
    keep,
    log_softmax_over_real,
    mean_where,
    real_cells,
    real_positions,
)
from edgebert.keras import tf


def attention_mse(student, teacher, mask):
    """TinyBERT's L_attn = 1/h sum_i MSE(A_i_S, A_i_T) (Jiao et al. 2019), on scores or on probabilities.

    The paper prefers the raw scores. Its published code sets padded keys' scores to 0 on both sides but counts them in
    the mean, and compares the rows of padded queries as if they were text; here neither counts.
    """
    cells = real_cells(mask)
    squared = tf.square(keep(cells, float32(student) - fixed(teacher)))
    # Every head has the same cells, so the mean over heads may come first.
    return mean_where(cells, tf.reduce_mean(squared, axis=1, keepdims=True))


def attention_cross_entropy(student_scores, teacher_scores, mask):
    """-sum_j A_T[i, j] log A_S[i, j], the mean over heads and real queries i; j runs over real keys.

    Its least value is the teacher's own entropy, not 0. From scores, because the logarithm of a probability that has
    become 0 cannot be mended afterwards.
    """
    log_student = log_softmax_over_real(float32(student_scores), mask)
    log_teacher = log_softmax_over_real(fixed(teacher_scores), mask)
    return _mean_over_queries(-tf.exp(log_teacher) * log_student, mask)


def attention_kl(student_scores, teacher_scores, mask):
    """MiniLM's L_AT: KL(A_T || A_S), the mean over heads and real queries (Wang et al. 2020)."""
    return _kl(float32(student_scores), fixed(teacher_scores), mask)


def relation_kl(student, teacher, mask, relation_heads: int):
    """MiniLM v2: KL(R_T || R_S) with R = softmax(X X^T / sqrt(d_r)), the mean over relation heads and real rows
    (Wang et al. 2021); X is all heads' queries, or keys, or values, side by side and cut into
    `relation_heads` parts of d_r. Teacher and student may differ in heads and width.

    X without the factor 1/sqrt(D) that `Attention.query` carries. On values, with as many relation heads as attention
    heads, it is the value relation of MiniLM v1 (Wang et al. 2020).
    """
    # Padded vectors would reach real ones' gradients through the product, if what they hold is no number.
    real = real_positions(mask)[:, None, :, None]
    student, teacher = keep(real, float32(student)), keep(real, fixed(teacher))
    return _kl(_relation(student, relation_heads), _relation(teacher, relation_heads), mask)


def regroup_heads(vectors, heads: int):
    """[B, A, T, D] to [B, heads, T, A * D / heads]: the heads side by side, cut anew."""
    _, old_heads, _, width = vectors.shape
    if old_heads == heads:
        return vectors
    shape = tf.shape(vectors)
    rows = tf.transpose(vectors, [0, 2, 1, 3])
    cut = tf.reshape(rows, [shape[0], shape[2], heads, old_heads * width // heads])
    return tf.transpose(cut, [0, 2, 1, 3])


def _relation(vectors, heads: int):
    parts = regroup_heads(vectors, heads)
    return tf.matmul(parts, parts, transpose_b=True) * parts.shape[-1] ** -0.5


def _kl(student_scores, teacher_scores, mask):
    log_student = log_softmax_over_real(student_scores, mask)
    log_teacher = log_softmax_over_real(teacher_scores, mask)
    return _mean_over_queries(tf.exp(log_teacher) * (log_teacher - log_student), mask)


def _mean_over_queries(cell_values, mask):
    """Sum over real keys, mean over heads and real queries: [B, A, T, T] to one number."""
    rows = tf.reduce_sum(keep(real_cells(mask), cell_values), axis=-1)
    return mean_where(real_positions(mask), tf.reduce_mean(rows, axis=1))
