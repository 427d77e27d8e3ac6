"""One step of gradient descent on a sum of named losses: under Keras' fit, in our loop, on one device or several."""

from collections.abc import Callable, Sequence

from edgebert.keras import keras, tf

LOSS = "loss"


def take_step(
    losses_of: Callable[[], dict[str, tf.Tensor]],
    variables: Sequence[tf.Variable],
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, tf.Tensor]:
    """Update the variables once; return the weighted losses and, under LOSS, their sum."""
    scales = isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)
    with tf.GradientTape() as tape:
        losses = losses_of()
        total = tf.add_n(list(losses.values()))
        # Each replica minimises its share of the mean over all of them; mixed precision scales it besides.
        minimised = total / tf.distribute.get_strategy().num_replicas_in_sync
        if scales:
            minimised = optimizer.get_scaled_loss(minimised)
    gradients = tape.gradient(minimised, variables)
    if scales:
        gradients = optimizer.get_unscaled_gradients(gradients)
    pairs = zip(gradients, variables, strict=True)
    optimizer.apply_gradients([(gradient, variable) for gradient, variable in pairs if gradient is not None])
    return {LOSS: total, **losses}
