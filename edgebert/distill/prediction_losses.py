"""Losses on outputs: logits [..., C] of examples or of tokens, regression scores [B, 1], embeddings [B, W].

`where`, booleans of the logits' leading shape, says which count; without it all do.
"""

from edgebert.distill.masking import batch_mean, fixed, float32, mean_where
from edgebert.keras import tf

# The target of a token that is not to be predicted.
NOT_MASKED = -100


def soft_cross_entropy(student, teacher, temperature=1.0, temperature_squared=True, where=None):
    """-sum_c p_T(c) log p_S(c) with p = softmax(z / t), times t^2 (Hinton et al. 2015; TinyBERT's L_pred).

    Gradients of softened targets shrink with 1/t^2; the factor keeps their share when the temperature changes. The
    sum over classes is a sum: TinyBERT's published code takes the mean, which divides the loss by C, and has no t^2.
    """
    log_student, log_teacher = _softened(student, teacher, temperature)
    losses = -tf.reduce_sum(tf.exp(log_teacher) * log_student, axis=-1)
    return _scale(temperature, temperature_squared) * _mean(losses, where)


def soft_kl(student, teacher, temperature=1.0, temperature_squared=True, where=None):
    """KL(p_T || p_S), times t^2: the cross-entropy less the teacher's entropy, the same gradient, and 0 at best.

    DistilBERT's L_ce, as its published training computes it (Sanh et al. 2019).
    """
    losses = _divergence(float32(student), fixed(teacher), temperature)
    return _scale(temperature, temperature_squared) * _mean(losses, where)


def output_mse(student, teacher):
    """Mean of (y_S - y_T)^2: regression on the teacher's output, not on the label (TinyBERT's published code takes the
    label here); on logits it is Ba and Caruana's objective (2014), on unit embeddings 2 (1 - cos) / W."""
    return _mean(tf.square(float32(student) - fixed(teacher)), None)


def label_cross_entropy(logits, labels):
    """Cross-entropy with class ids [B], the mean over examples."""
    return _mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=float32(logits)), None)


def label_mse(outputs, targets):
    """Mean of (y - target)^2: scores [B, 1], targets [B]."""
    return _mean(tf.square(float32(outputs)[:, 0] - float32(targets)), None)


def masked_token_cross_entropy(logits, targets):
    """DistilBERT's L_mlm (Devlin et al. 2018): cross-entropy at the masked tokens alone, the mean over them.

    logits [B, T, V] or of the masked positions only; targets the tokens to be found, NOT_MASKED elsewhere.
    """
    asked = masked_tokens(targets)
    labels = tf.where(asked, targets, tf.zeros_like(targets))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=float32(logits))
    return _mean(losses, asked)


def masked_tokens(targets):
    return tf.not_equal(targets, NOT_MASKED)


def _softened(student, teacher, temperature):
    return (tf.nn.log_softmax(float32(student) / temperature), tf.nn.log_softmax(fixed(teacher) / temperature))


def _divergence(student, teacher, temperature):
    """KL(p_T || p_S) of each row, as sum_c p_T (e^r - 1 - r) with r = log p_S - log p_T.

    The same as -sum_c p_T r, as p_T e^r = p_S adds up to 1 like p_T; but there terms of the size of r cancel down to
    r^2 / 2, each with the rounding of a log-probability, and at temperature 10 that error times t^2 is 1e-5. Here no
    term is negative and what r is rounded by counts r times.
    """

    # The gradient is known; derived, it would keep every tensor between, each as wide as a vocabulary, and take 1.8
    # times as long (512 tokens of 30,522 logits, one thread).
    @tf.custom_gradient
    def divergence(student):
        log_student, log_teacher = _softened(student, teacher, temperature)
        p_student, p_teacher, ratio = tf.exp(log_student), tf.exp(log_teacher), log_student - log_teacher
        # e^r alone overflows where the teacher's probability is next to nothing; there is little to cancel beyond 1.
        terms = tf.where(
            ratio < 1.0, p_teacher * (tf.math.expm1(ratio) - ratio), p_student - p_teacher - p_teacher * ratio
        )

        def gradient(upstream):
            return upstream[..., None] * (p_student - p_teacher) / temperature

        return tf.reduce_sum(terms, axis=-1), gradient

    return divergence(student)


def _scale(temperature, squared):
    return temperature**2 if squared else 1.0


def _mean(losses, where):
    if where is not None:
        return mean_where(where, losses)
    return batch_mean(tf.reduce_sum(losses), tf.cast(tf.size(losses), losses.dtype))
