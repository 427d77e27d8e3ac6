"""Means over real tokens only: padding never counts, in the sum or in the divisor.

A mean is over all real positions of the batch together, not over examples first: every token weighs the same, as in
DistilBERT's published training. On several replicas it is the global batch's; see `batch_mean`. B batch, T tokens, A
heads, W width, D width of one head.
"""

from edgebert.keras import tf

# Far below any score, yet finite: a row without a single real key stays a number, and is left out afterwards.
HIDDEN_SCORE = -1e9


def float32(tensor):
    """Losses are computed in float32 whatever the models compute in."""
    return tf.cast(tensor, tf.float32)


def fixed(tensor):
    """A teacher's tensor: float32, and no gradient reaches it."""
    return tf.stop_gradient(float32(tensor))


def real_positions(mask):
    """The input mask, whatever its type, as booleans [B, T]."""
    return tf.cast(mask, tf.bool)


def real_cells(mask):
    """[B, T] to [B, 1, T, T]: cells whose query and key are both real."""
    real = real_positions(mask)
    return tf.logical_and(real[:, None, :, None], real[:, None, None, :])


def keep(where, tensor):
    """Zero elsewhere. A selection and not a product: what padding holds, infinity included, leaves no trace, in the
    gradient either."""
    return tf.where(where, tensor, tf.zeros_like(tensor))


def mean_where(where, values):
    """Mean of the values, of the same shape, over the places where `where` holds; 0 where it holds nowhere."""
    return batch_mean(tf.reduce_sum(keep(where, values)), tf.reduce_sum(float32(where)))


def batch_mean(total, count):
    """total / count; 0 where nothing is counted, so that a batch without any is no NaN.

    Under a strategy the divisor is the count of all replicas over their number: the mean of what the replicas get is
    the mean over the global batch, as one replica would have it, even where their shares differ in tokens or examples,
    or one of them gets none.
    """
    # None outside of a replica, where nothing is shared out.
    replica, replicas = tf.distribute.get_replica_context(), tf.distribute.get_strategy().num_replicas_in_sync
    if replica is not None and replicas > 1:
        count = replica.all_reduce(tf.distribute.ReduceOp.SUM, count) / replicas
    return tf.math.divide_no_nan(total, tf.stop_gradient(count))


def log_softmax_over_real(scores, mask):
    """Log-probabilities of each real query over the real keys: [B, A, T, T]; other cells hold finite numbers."""
    return tf.nn.log_softmax(tf.where(real_cells(mask), scores, HIDDEN_SCORE))
