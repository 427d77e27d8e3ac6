"""A distillation, thought through before anything is loaded or trained: student, start, steps, and what they take."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.distill.checking import check
from edgebert.distill.computing import teacher_needs
from edgebert.distill.general import GENERAL_SETTINGS
from edgebert.distill.initialisation.checking import check_embeddings, check_layers, check_norms, check_truncated
from edgebert.distill.initialisation.layers import teacher_layers
from edgebert.distill.initialisation.starting import METHODS, Initialisation
from edgebert.distill.layer_maps import LayerMap, LayerPair, nearly_uniform
from edgebert.distill.objectives import Reads
from edgebert.distill.recipe import UNIFORM, Recipe
from edgebert.distill.running import CacheSettings, Step, is_kept, is_scored
from edgebert.distill.stages import TINYBERT_INTERMEDIATE, TINYBERT_PREDICTION
from edgebert.distill.teacher_cache import parts_of, size_bytes
from edgebert.errors import TrainingError
from edgebert.models.weights import encoder_rows, head_rows
from edgebert.training.scoring import METRICS
from edgebert.training.settings import DEFAULT_SETTINGS, TrainingSettings

# Epochs, rate and patience where the user names none.
USUAL_TRAINING = {"tinybert_intermediate": TINYBERT_INTERMEDIATE, "tinybert_prediction": TINYBERT_PREDICTION}
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class TrainingChoices:
    """Epochs and rates are one for each step or one for all; None is what suits each step's recipe."""

    common: TrainingSettings = DEFAULT_SETTINGS
    epochs: tuple[int, ...] | None = None
    learning_rates: tuple[float, ...] | None = None
    patience: int | None = None


@dataclass(frozen=True)
class Teacher:
    """What of a teacher has to be known beforehand."""

    config: EncoderConfig
    head: HeadConfig


@dataclass(frozen=True)
class PlannedStep:
    step: Step
    # Student layer and teacher layer of all that is compared layer by layer.
    layers: tuple[LayerPair, ...]
    training_steps: int
    # Whether epochs are chosen by the task's score, or by the loss, for which the teacher answers too.
    is_scored: bool
    # What keeping the teacher's answers takes; nothing is kept where it is more than the budget.
    cache_bytes: int
    is_cached: bool


@dataclass(frozen=True)
class Plan:
    student: EncoderConfig
    head: HeadConfig
    start: Initialisation
    steps: tuple[PlannedStep, ...]
    # For a person: what is not as usual.
    notes: tuple[str, ...]

    @property
    def disk_bytes(self) -> int:
        """At most, while it runs: what is kept of the teacher, and the checkpoints.

        A checkpoint has weights and two slots, and the old one stands until the new one is whole; so have the best
        epoch's weights. Projections are small beside them.
        """
        weights = FLOAT_BYTES * count_parameters(self.student, self.head)
        caches = {step.cache_bytes for step in self.steps if step.is_cached}
        return sum(caches) + 8 * weights * len(self.steps)


def make_plan(
    teachers: Sequence[Teacher],
    student: EncoderConfig,
    head: HeadConfig,
    start: Initialisation,
    recipes: Sequence[Recipe],
    layer_map: LayerMap | None,
    training: TrainingChoices,
    cache: CacheSettings,
    train: EncodedDataset,
    dev: EncodedDataset,
    same_vocabulary: bool = True,
) -> Plan:
    """Everything that can be known to be impossible is a TrainingError here.

    A head that has no score is none for a task: then it is general distillation that is planned.
    """
    first, *further = teachers
    start = _checked_start(start, student, first.config, layer_map)
    mapped = [with_layer_map(recipe, layer_map, student.layers, first.config.layers) for recipe in recipes]
    for recipe in mapped:
        check(
            recipe,
            first.config,
            student,
            first.head,
            head,
            labelled=train.targets is not None,
            language_model=all(one == MASKED_WORDS for one in (head, *(teacher.head for teacher in teachers))),
            same_vocabulary=same_vocabulary,
            further_teachers=[(teacher.config, teacher.head) for teacher in further],
        )
    if further and not any(recipe.reads_outputs for recipe in mapped):
        raise TrainingError(
            f"teachers: expected one, since no step reads outputs, which are all that is taken of further ones, got "
            f"{len(teachers)}. Do: give one, or add a recipe that reads outputs, such as tinybert_prediction."
        )
    on_task = head.kind in METRICS
    settings = _settings(mapped, training, on_task)
    steps = tuple(
        _planned(Step(recipe, one), first, student, head, cache, (train, dev))
        for recipe, one in zip(mapped, settings, strict=True)
    )
    chosen_here = [layer_map is None and recipe != planned for recipe, planned in zip(recipes, mapped, strict=True)]
    return Plan(student, head, start, steps, _notes(steps, chosen_here, cache, on_task))


def choose_start(text: str, importance: str, examples: int, seed: int) -> Initialisation:
    """A method by name, or the folder of a student that was trained before."""
    methods = [method for method in METHODS if method != "from_folder"]
    if text in methods:
        return Initialisation(text, importance=importance, examples=examples, seed=seed)
    if not Path(text).is_dir():
        raise TrainingError(
            f"start: expected {', '.join(methods)} or a student's folder, got {text!r}. "
            "Do: write one of them, or check the path."
        )
    return Initialisation("from_folder", folder=Path(text), examples=examples, seed=seed)


def start_layers(student_layers: int, teacher_layers: int) -> LayerMap:
    """Where nobody names layers: spread so that the last is the teacher's last, and the first its first.

    From MiniLM's six layers to four, 1, 3, 5, 6 gave students whose last rows explain 61 % of the teacher's by linear
    regression, the two even spreads (1, 3, 4, 6 and 2, 3, 5, 6) 55 to 57 %.
    """
    layers = nearly_uniform(student_layers, teacher_layers)
    return LayerMap("explicit", teacher_layers=(1, *layers[1:]))


def with_layer_map(recipe: Recipe, layer_map: LayerMap | None, student_layers: int, teacher_layers: int) -> Recipe:
    """The recipe with the map that was asked for. Without one its own, and where that is uniform and there is no
    uniform one, the layers that a student starts from."""
    if not any(term.facts.layered and term.layers in ("mapped", "inner") for term in recipe.terms):
        return recipe
    if layer_map is None and recipe.layer_map == UNIFORM and teacher_layers % student_layers:
        if student_layers > teacher_layers:
            # No map at all; the check of the recipe says so.
            return recipe
        layer_map = start_layers(student_layers, teacher_layers)
    return recipe if layer_map is None else dataclasses.replace(recipe, layer_map=layer_map)


def count_parameters(config: EncoderConfig, head: HeadConfig) -> int:
    rows = encoder_rows(config, None) + head_rows(config, head, own_names=True)
    return sum(int(np.prod(row.shape)) for row in rows)


def _checked_start(
    start: Initialisation, student: EncoderConfig, teacher: EncoderConfig, layer_map: LayerMap | None
) -> Initialisation:
    if start.method in ("from_folder", "random"):
        return start
    check_norms(student, teacher)
    check_embeddings(student, teacher)
    (check_layers if start.method == "from_layers" else check_truncated)(student, teacher)
    if layer_map is None and student.layers <= teacher.layers:
        layer_map = start_layers(student.layers, teacher.layers)
    start = dataclasses.replace(start, layer_map=layer_map)
    teacher_layers(student, teacher, start.layer_map)
    return start


def _settings(recipes: Sequence[Recipe], training: TrainingChoices, on_task: bool) -> list[TrainingSettings]:
    usual = [USUAL_TRAINING.get(recipe.name, DEFAULT_SETTINGS) if on_task else GENERAL_SETTINGS for recipe in recipes]
    names = [recipe.name for recipe in recipes]
    epochs = _for_each(training.epochs, [one.epochs for one in usual], "epochs", names)
    rates = _for_each(training.learning_rates, [one.learning_rate for one in usual], "learning_rate", names)
    return [
        dataclasses.replace(
            training.common,
            epochs=epochs[number],
            learning_rate=rates[number],
            patience=usual[number].patience if training.patience is None else training.patience,
        )
        for number in range(len(recipes))
    ]


def _for_each(given: tuple | None, usual: list, what: str, steps: list[str]) -> Sequence:
    if given is None:
        return usual
    if len(given) not in (1, len(steps)):
        raise TrainingError(
            f"training {what}: expected one number, or one for each of {', '.join(steps)}, got {len(given)}. "
            "Do: give as many as there are steps."
        )
    return given * len(steps) if len(given) == 1 else given


def _planned(
    step: Step,
    teacher: Teacher,
    student: EncoderConfig,
    head: HeadConfig,
    cache: CacheSettings,
    data: tuple[EncodedDataset, EncodedDataset],
) -> PlannedStep:
    train, dev = data
    depths = student.layers, teacher.config.layers
    needs = teacher_needs(step.recipe, *depths)
    parts = parts_of(needs, teacher.config, teacher.head.outputs or teacher.config.width, cache.precision)
    if step.recipe.predicts_tokens:
        # With other words hidden in every epoch, no answer comes twice.
        parts = ()
    scored = is_scored(step.recipe, head)
    taken = size_bytes(parts, train) + (0 if scored else size_bytes(parts, dev))
    is_cached = is_kept(needs, taken, step.settings.epochs, cache)
    pairs = {pair for term in step.recipe.terms for pair in term.pairs(step.recipe.layer_map, *depths) if pair.student}
    batches = -(-len(train) // step.settings.batch_size)
    return PlannedStep(step, tuple(sorted(pairs)), batches * step.settings.epochs, scored, taken, is_cached)


def _notes(
    steps: tuple[PlannedStep, ...], map_chosen_here: Sequence[bool], cache: CacheSettings, on_task: bool
) -> tuple[str, ...]:
    notes = []
    for number, (planned, chosen) in enumerate(zip(steps, map_chosen_here, strict=True), 1):
        if chosen:
            layers = planned.step.recipe.layer_map.teacher_layers
            notes.append(
                f"step {number}: layers 1 to {len(layers)} learn from the teacher's {', '.join(map(str, layers))}"
            )
        if planned.cache_bytes > cache.budget_bytes and not planned.is_cached:
            notes.append(
                f"step {number}: the teacher's answers would take {planned.cache_bytes:,} bytes, more than the cache's "
                f"{cache.budget_bytes:,}; the teacher runs in every epoch"
            )
    if on_task and not any(_teaches_answers(planned.step.recipe) for planned in steps):
        notes.append("no step teaches answers: the student's head stays as it starts")
    return tuple(notes)


def _teaches_answers(recipe: Recipe) -> bool:
    return bool(recipe.hard_label_weight) or any(term.facts.reads is Reads.OUTPUT for term in recipe.terms)
