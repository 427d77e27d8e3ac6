"""A student's numbers: the published shapes, one's own, and what no encoder can have."""

import dataclasses

import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.student_shapes import SHAPES, StudentShape, choose_shape, student_config
from edgebert.errors import TrainingError
from edgebert.models.task import build_model, named_variables
from tests.data.house_form import assert_house_form
from tests.models.configs import MOBILE, PLAIN, SHARED

HEAD = HeadConfig("classification", pooling="mean", labels=("no", "yes"))
MINILM6 = EncoderConfig(30522, 384, 6, 12, 1536, 384)
# As the papers count them, with pooler and without head: TinyBERT's 14.5 million, MiniLM's 22.7, BERT tiny's 4.4.
PUBLISHED_MILLIONS = {"tiny4": 14.35, "tiny6": 66.95, "minilm6": 22.71, "minilm12": 33.36, "bert_tiny": 4.39}


@pytest.mark.parametrize(("name", "millions"), PUBLISHED_MILLIONS.items())
def test_named_shapes_have_as_many_parameters_as_published(name: str, millions: float) -> None:
    config = student_config(MINILM6, dataclasses.replace(HEAD, pooling="pooler"), SHAPES[name])
    assert _parameters(config) / 1e6 == pytest.approx(millions, abs=0.006)


def _parameters(config: EncoderConfig) -> int:
    """By hand, from the papers' description of an encoder."""
    width, inner = config.width, config.feed_forward_width
    tables = (config.vocabulary_size + config.maximum_length + config.segments) * width + 2 * width
    layer = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    return tables + config.layers * layer + width * width + width


def test_what_is_not_named_is_the_teachers() -> None:
    assert student_config(PLAIN, HEAD, StudentShape()) == dataclasses.replace(PLAIN, pooler=False)
    shallow = student_config(PLAIN, HEAD, StudentShape(layers=1))
    assert (shallow.layers, shallow.layer_blocks, shallow.width) == (1, (0,), PLAIN.width)


def test_the_shape_of_a_name_may_be_changed_in_part() -> None:
    chosen = choose_shape("tiny4", StudentShape(layers=3), Initialisation("truncated"), MINILM6)
    assert chosen == dataclasses.replace(SHAPES["tiny4"], layers=3)
    assert choose_shape(None, StudentShape(heads=6), Initialisation("truncated"), MINILM6) == StudentShape(heads=6)


def test_a_student_for_integers_has_a_norm_and_an_activation_of_its_own() -> None:
    integer = StudentShape(layers=1, normalization="no_norm", activation="relu")
    config = student_config(PLAIN, HEAD, integer)
    assert (config.normalization, config.activation, config.width) == ("no_norm", "relu", PLAIN.width)
    # Every other number is as it would be.
    assert choose_shape(
        None, StudentShape(activation="relu"), Initialisation("truncated"), MINILM6
    ) == dataclasses.replace(SHAPES["tiny4"], activation="relu")
    assert integer.has_numbers and not dataclasses.replace(integer, layers=None).has_numbers
    # MobileBERT's norm is its bottleneck's, and yields to a wish alone.
    assert student_config(MOBILE, HEAD, StudentShape(width=6, heads=2)).normalization == "layer_norm"
    kept = student_config(MOBILE, HEAD, StudentShape(width=6, heads=2, normalization="no_norm"))
    assert kept.normalization == "no_norm"


def test_without_a_wish_it_is_tinybert4_or_half_the_layers() -> None:
    assert choose_shape(None, StudentShape(), Initialisation("truncated"), MINILM6) == SHAPES["tiny4"]
    assert choose_shape(None, StudentShape(), Initialisation("from_layers"), MINILM6) == StudentShape(layers=3)


def test_a_pooler_is_kept_only_where_the_head_reads_it() -> None:
    for pooling in ("mean", "first", "pooler"):
        head = dataclasses.replace(HEAD, pooling=pooling)
        assert student_config(PLAIN, head, StudentShape()).pooler == (pooling == "pooler")


@pytest.mark.parametrize(
    ("teacher", "shape"),
    [
        (PLAIN, StudentShape(embedding_width=4)),
        (PLAIN, StudentShape(layers=1, width=6, heads=2, embedding_width=4)),
        (MOBILE, StudentShape(layers=1)),
        (MOBILE, StudentShape(width=6, heads=2)),
        (SHARED, StudentShape(layers=3)),
        (dataclasses.replace(SHARED, layer_blocks=(0,) * 4), StudentShape(layers=3, width=6)),
    ],
)
def test_every_family_gives_students_that_can_be_built(teacher: EncoderConfig, shape: StudentShape) -> None:
    config = student_config(teacher, HEAD, shape)
    for field in ("layers", "width", "heads", "embedding_width"):
        asked = getattr(shape, field)
        assert asked is None or getattr(config, field) == asked
    assert config.blocks == (1 if teacher.blocks == 1 else config.layers)
    assert named_variables(build_model(config, HEAD))


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (StudentShape(layers=0), "student layers: expected a positive number, got 0"),
        (StudentShape(width=-4), "student width: expected a positive number, got -4"),
        (StudentShape(heads=5), "student heads: expected a divisor of the attention width 12, got 5"),
        (StudentShape(embedding_width=99), "student embedding_width: expected 1 to the student's width of 12, got 99"),
    ],
)
def test_impossible_numbers_are_refused(shape: StudentShape, says: str) -> None:
    with pytest.raises(TrainingError) as caught:
        student_config(PLAIN, HEAD, shape)
    assert says in str(caught.value)
    assert_house_form(str(caught.value))


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(TrainingError, match=r"expected one of tiny4, .*got 'tiny5'. Do: write tiny4"):
        choose_shape("tiny5", StudentShape(), Initialisation("truncated"), PLAIN)


def test_a_pruned_teachers_head_width_is_its_students_where_both_have_its_heads_and_width() -> None:
    pruned = dataclasses.replace(PLAIN, heads=2, own_head_width=4)
    assert student_config(pruned, HEAD, StudentShape(layers=1)).head_width == 4
    assert student_config(pruned, HEAD, StudentShape(heads=3)).own_head_width is None
    assert student_config(pruned, HEAD, SHAPES["tiny4"]).head_width == 26
