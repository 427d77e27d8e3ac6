"""AdamW in fused passes, with the gradient of a table made dense: the optimizer that every training here uses.

Keras' own spends as long on a 30,522-row table as a small student on the whole text: a sparse gradient makes every read
of the table a copy, and each of its formula's dozen operators walks over memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgebert.keras import keras, tf
from edgebert.training.schedule import WarmupThenLinear

# Decaying a bias or a norm's gain pulls the layer towards doing nothing; BERT's authors exclude them.
UNDECAYED = ("bias", "gain")


@dataclass(frozen=True)
class _OfStep:
    """What is the same for all variables: computed for each, it was a fifth of the operators that a step is traced
    into."""

    rate: tf.Tensor
    # Of a weight, behind the decay.
    kept_share: tf.Tensor
    beta_1_power: tf.Tensor
    beta_2_power: tf.Tensor
    beta_1: tf.Tensor
    beta_2: tf.Tensor
    epsilon: tf.Tensor


class FusedAdamW(keras.optimizers.Adam):
    """Decoupled weight decay, then Adam, as Keras' AdamW computes them; same slots, same iterations."""

    def __init__(self, learning_rate, decay: float, undecayed: tuple[str, ...] = UNDECAYED, **kwargs):
        # Keras would compile each variable's update for a GPU, where it cannot see what is computed once for all.
        super().__init__(learning_rate=learning_rate, **{**kwargs, "jit_compile": False})
        self.decay, self.undecayed = decay, undecayed
        self._of_step: _OfStep | None = None

    def apply_gradients(self, grads_and_vars, **kwargs):
        # Keras clips by the norm of a table's gradient before it adds up the rows of a piece that stands twice.
        return super().apply_gradients(
            [(_summed(gradient), variable) for gradient, variable in grads_and_vars], **kwargs
        )

    def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
        # Keras 2 offers no public place around all updates of a step; its last release is pinned.
        step = tf.cast(self.iterations + 1, tf.float32)
        rate = tf.cast(self.learning_rate, tf.float32)
        self._of_step = _OfStep(
            rate,
            1 - rate * self.decay,
            tf.pow(self.beta_1, step),
            tf.pow(self.beta_2, step),
            *map(tf.constant, (self.beta_1, self.beta_2, self.epsilon)),
        )
        try:
            return super()._distributed_apply_gradients_fn(distribution, grads_and_vars, **kwargs)
        finally:
            self._of_step = None

    def update_step(self, gradient, variable) -> None:
        of_step = self._of_step
        if self.decay and not any(part in variable.name for part in self.undecayed):
            variable.assign(variable * of_step.kept_share)
        slot = self._index_dict[self._var_key(variable)]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[slot].handle,
            v=self._velocities[slot].handle,
            beta1_power=of_step.beta_1_power,
            beta2_power=of_step.beta_2_power,
            lr=of_step.rate,
            beta1=of_step.beta_1,
            beta2=of_step.beta_2,
            epsilon=of_step.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )

    @contextmanager
    def averages_in_place(self) -> Iterator[None]:
        """Inside, the variables hold their running averages, if any are kept."""
        pairs = list(zip(self._trained, self._model_variables_moving_average, strict=True)) if self.use_ema else []
        own = [variable.numpy() for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average)
        try:
            yield
        finally:
            for (variable, _), value in zip(pairs, own, strict=True):
                variable.assign(value)

    def build(self, var_list) -> None:
        super().build(var_list)
        self._trained = list(var_list)

    def get_config(self) -> dict:
        return {**super().get_config(), "decay": self.decay, "undecayed": self.undecayed}


def _summed(gradient):
    """Of a table: one row for each piece, so that the clipped norm is the true one."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    pieces, places = tf.unique(gradient.indices)
    rows = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(pieces))
    return tf.IndexedSlices(rows, pieces, gradient.dense_shape)


def adamw(
    peak: float, total_steps: int, warmup_share: float, weight_decay: float, averaging: float = 0.0
) -> FusedAdamW:
    schedule = WarmupThenLinear(peak, round(total_steps * warmup_share), total_steps)
    average = {"use_ema": averaging > 0, "ema_momentum": averaging}
    return FusedAdamW(schedule, weight_decay, epsilon=1e-6, global_clipnorm=1.0, **average)
