"""The training step of every recipe: one teacher pass without gradient, one student pass, one scalar."""

from collections.abc import Sequence

from edgebert.distill.checking import check
from edgebert.distill.computing import compute
from edgebert.distill.projections import make_projections
from edgebert.distill.recipe import Recipe
from edgebert.distill.teachers import combine_teachers
from edgebert.keras import keras, tf
from edgebert.models.task import TaskModel

LOSS = "loss"


class Distiller(keras.Model):
    """Trains `student` from one teacher or several; `fit` takes batches of (inputs, targets), or inputs alone.

    The student is trained in place and is all that remains of value; the projections only serve the recipe.
    """

    def __init__(self, student: TaskModel, teachers: Sequence[TaskModel], recipe: Recipe, *, labelled: bool = True):
        super().__init__(name="distiller")
        first = teachers[0]
        check(
            recipe,
            first.config,
            student.config,
            first.head_config,
            student.head_config,
            labelled=labelled,
            further_teacher_heads=[teacher.head_config for teacher in teachers[1:]],
        )
        self.recipe, self.student = recipe, student
        self.projections = make_projections(recipe, first.config, student.config)
        # In a tuple behind a function, and so not tracked: a teacher is neither trained nor saved with the student.
        self._teachers_of = lambda: tuple(teachers)
        self._term_means = {name: keras.metrics.Mean(name=name) for name in (LOSS, *recipe.term_names)}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean for the sum and one for each term; Keras starts them anew with every epoch."""
        return list(self._term_means.values())

    def call(self, inputs, training=None):
        return self.student(inputs, training=training)

    def train_step(self, data):
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            losses = self._weighted_terms(inputs, targets, training=True)
            total = tf.add_n(list(losses.values()))
            # Each replica minimises its share of the mean over all of them; mixed precision scales it besides.
            scaled = self._scaled(total / tf.distribute.get_strategy().num_replicas_in_sync)
        variables = self.trained_variables
        gradients = tape.gradient(scaled, variables)
        if isinstance(self.optimizer, keras.mixed_precision.LossScaleOptimizer):
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        self.optimizer.apply_gradients(
            (gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        )
        return self._tell(total, losses)

    def test_step(self, data):
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        losses = self._weighted_terms(inputs, targets, training=False)
        return self._tell(tf.add_n(list(losses.values())), losses)

    @property
    def trained_variables(self) -> list[tf.Variable]:
        return self.student.trainable_variables + self.projections.trainable_variables

    def _weighted_terms(self, inputs, targets, training: bool) -> dict[str, tf.Tensor]:
        traces = [teacher.trace(inputs, training=False) for teacher in self._teachers_of()]
        teacher = tf.nest.map_structure(tf.stop_gradient, combine_teachers(traces, self.recipe.teacher_weighting))
        student = self.student.trace(inputs, training=training)
        return compute(self.recipe, teacher, student, inputs["input_mask"], targets, self.projections)

    def _scaled(self, loss):
        if isinstance(self.optimizer, keras.mixed_precision.LossScaleOptimizer):
            return self.optimizer.get_scaled_loss(loss)
        return loss

    def _tell(self, total, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in {LOSS: total, **losses}.items():
            self._term_means[name].update_state(value)
        return {name: mean.result() for name, mean in self._term_means.items()}
