"""The training step of every recipe: one teacher pass without gradient, one student pass, one scalar."""

from collections.abc import Sequence

from edgebert.config import MASKED_WORDS
from edgebert.data.batches import INPUT_NAMES
from edgebert.distill.checking import check
from edgebert.distill.computing import asked_tokens, compute
from edgebert.distill.projections import make_projections
from edgebert.distill.recipe import Recipe
from edgebert.distill.teachers import combine_teachers
from edgebert.distill.traces import trace_of
from edgebert.errors import TrainingError
from edgebert.keras import keras, tf
from edgebert.models.task import TaskModel, TaskTrace, named_variables
from edgebert.training.feed import TEACHER
from edgebert.training.step import LOSS, take_step

# Of Keras' compile, what a recipe has its own of.
UNREAD_OPTIONS = ("loss", "metrics", "loss_weights", "weighted_metrics")


class Distiller(keras.Model):
    """Trains `student` from one teacher or several; `fit` takes batches of (inputs, targets), or inputs alone.

    Inputs may hold what a `TeacherCache` kept of the teachers, under "teacher"; then these are not run.

    The student is trained in place and is all that remains of value; the projections only serve the recipe.

    Under a strategy with several replicas losses are those of the global batch, weighted as on one: a replica whose
    texts are longer, or that gets more of the last batch, counts for more.
    """

    def __init__(
        self, student: TaskModel, teachers: TaskModel | Sequence[TaskModel], recipe: Recipe, *, labelled: bool = True
    ):
        super().__init__(name="distiller")
        teachers = (teachers,) if isinstance(teachers, TaskModel) else tuple(teachers)
        if not teachers:
            raise TrainingError("teachers: expected one or more, got none. Do: give a teacher.")
        first = teachers[0]
        check(
            recipe,
            first.config,
            student.config,
            first.head_config,
            student.head_config,
            labelled=labelled,
            language_model=all(model.head_config == MASKED_WORDS for model in (student, *teachers)),
            further_teachers=[(teacher.config, teacher.head_config) for teacher in teachers[1:]],
        )
        self._same_vocabulary = first.config.vocabulary_size == student.config.vocabulary_size
        if not recipe.reads_outputs:
            # States of several models have no mean.
            teachers = teachers[:1]
        self.recipe, self.student = recipe, student
        self.projections = make_projections(recipe, first.config, student.config)
        # In a tuple behind a function, and so not tracked: a teacher is neither trained nor saved with the student.
        self._teachers_of = lambda: teachers
        self._term_means = {name: keras.metrics.Mean(name=name) for name in (LOSS, *recipe.term_names)}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean for the sum and one for each term; Keras starts them anew with every epoch."""
        return list(self._term_means.values())

    def compile(self, optimizer="rmsprop", **options):
        """What is minimised is the recipe's; `metrics` and the like would be taken and never computed."""
        unread = [name for name in UNREAD_OPTIONS if options.get(name)]
        if unread:
            raise TrainingError(
                f"compile: expected the recipe's losses alone, got {unread[0]}. "
                "Do: leave it out; the terms are told one by one."
            )
        super().compile(optimizer=optimizer, **options)

    def call(self, inputs, training=None):
        return self.student({name: inputs[name] for name in INPUT_NAMES}, training=training)

    def train_step(self, data):
        inputs, targets = _unpacked(data)

        def losses():
            return self.term_losses(inputs, targets, training=True)

        return self._tell(take_step(losses, list(self.trained.values()), self.optimizer))

    def test_step(self, data):
        inputs, targets = _unpacked(data)
        losses = self.term_losses(inputs, targets, training=False)
        return self._tell({LOSS: tf.add_n(list(losses.values())), **losses})

    @property
    def trained(self) -> dict[str, tf.Variable]:
        """Every variable that is trained: the student's, then the projections'."""
        named = named_variables(self.student, "student.") | named_variables(self.projections, "projections.")
        trainable = {id(variable) for variable in self.trainable_variables}
        return {name: variable for name, variable in named.items() if id(variable) in trainable}

    def term_losses(self, inputs, targets=None, *, training: bool) -> dict[str, tf.Tensor]:
        """Each term's weighted loss. What the teachers say is computed here, or was before: inputs["teacher"]."""
        texts = {name: inputs[name] for name in INPUT_NAMES}
        if not self._same_vocabulary and TEACHER not in inputs:
            raise TrainingError(
                "teacher: expected its answers in the batch, where its vocabulary is not the student's, got none. Do: "
                "keep them in a TeacherCache, computed from the teacher's own tokens (distil_task's teacher_train)."
            )
        asked = asked_tokens(self.recipe, texts["input_mask"], targets)
        teacher = self._kept(inputs[TEACHER]) if TEACHER in inputs else self.teach(texts, asked)
        student = self.student.trace(texts, training=training, asked=asked)
        return compute(self.recipe, teacher, student, texts["input_mask"], targets, self.projections, asked)

    def teach(self, texts, asked=None) -> TaskTrace:
        """What the teachers say of the texts, as one; of masked words only those that are asked for."""
        traces = [teacher.trace(texts, training=False, asked=asked) for teacher in self._teachers_of()]
        return tf.nest.map_structure(tf.stop_gradient, combine_teachers(traces, self.recipe.teacher_weighting))

    def _kept(self, kept) -> TaskTrace:
        return trace_of(kept, self._teachers_of()[0].config.layers)

    def _tell(self, losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in losses.items():
            self._term_means[name].update_state(value)
        return {name: mean.result() for name, mean in self._term_means.items()}


def _unpacked(data):
    inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise TrainingError(
            "fit: expected inputs and labels, got weights of examples or classes too, which no recipe reads. "
            "Do: leave them out."
        )
    return inputs, targets
