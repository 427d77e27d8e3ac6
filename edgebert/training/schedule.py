"""The learning-rate schedule that fine-tuning and distillation share."""

from edgebert.keras import keras, tf


class WarmupThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 to `peak` over the warm-up steps, then in a straight line to 0 at the last step."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32) + 1.0
        rising = step / max(self.warmup_steps, 1)
        falling = (self.total_steps - step + 1.0) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}
