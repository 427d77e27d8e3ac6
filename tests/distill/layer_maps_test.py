"""Layer maps: what every map promises, the papers' own, and the impossible ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.distill.layer_maps import LayerMap, nearly_uniform
from edgebert.errors import TrainingError
from tests.data.house_form import assert_house_form

depths = st.integers(1, 24)


def teacher_layers(layer_map: LayerMap, student: int, teacher: int) -> list[int]:
    return [pair.teacher for pair in layer_map.pairs(student, teacher)]


@st.composite
def possible_maps(draw) -> tuple[LayerMap, int, int]:
    student, kind = draw(depths), draw(st.sampled_from(["uniform", "first", "last", "skip", "explicit"]))
    factor = draw(st.integers(1, 4))
    if kind == "uniform":
        return LayerMap(kind), student, student * factor
    teacher = student * factor + draw(st.integers(0, 5))
    if kind == "skip":
        return LayerMap(kind, every=factor), student, teacher
    if kind == "explicit":
        chosen = draw(st.permutations(range(1, teacher + 1)))[:student]
        return LayerMap(kind, teacher_layers=tuple(sorted(chosen))), student, teacher
    return LayerMap(kind), student, teacher


@given(possible_maps())
def test_a_map_gives_every_student_layer_one_teacher_layer_that_rises(case) -> None:
    layer_map, student, teacher = case
    pairs = layer_map.pairs(student, teacher)
    assert [pair.student for pair in pairs] == list(range(1, student + 1))
    layers = [pair.teacher for pair in pairs]
    assert layers == sorted(set(layers))
    assert layers[0] >= 1 and layers[-1] <= teacher


@given(possible_maps())
def test_the_whole_map_ends_at_embeddings_and_prediction(case) -> None:
    layer_map, student, teacher = case
    whole = layer_map.whole(student, teacher)
    assert whole[0] == (0, 0)
    assert whole[-1] == (student + 1, teacher + 1)
    assert whole[1:-1] == layer_map.pairs(student, teacher)


@given(depths, st.integers(1, 4))
def test_uniform_is_skip_and_reaches_the_last_layer(student, factor) -> None:
    uniform = teacher_layers(LayerMap("uniform"), student, student * factor)
    assert uniform == teacher_layers(LayerMap("skip", every=factor), student, student * factor)
    assert uniform == list(nearly_uniform(student, student * factor))
    assert uniform[-1] == student * factor


@given(depths)
def test_equal_depths_have_one_map(layers) -> None:
    itself = list(range(1, layers + 1))
    for layer_map in (LayerMap("uniform"), LayerMap("last"), LayerMap("first"), LayerMap("skip", every=1)):
        assert teacher_layers(layer_map, layers, layers) == itself


def test_published_maps() -> None:
    # TinyBERT-4 and -6 from BERT-base (uniform, top and bottom strategies), PKD-Skip.
    assert teacher_layers(LayerMap(), 4, 12) == [3, 6, 9, 12]
    assert teacher_layers(LayerMap(), 6, 12) == [2, 4, 6, 8, 10, 12]
    assert teacher_layers(LayerMap("last"), 4, 12) == [9, 10, 11, 12]
    assert teacher_layers(LayerMap("first"), 4, 12) == [1, 2, 3, 4]
    assert teacher_layers(LayerMap("skip", every=2), 5, 12) == [2, 4, 6, 8, 10]


@given(depths, depths)
def test_nearly_uniform_is_a_possible_explicit_map(one, other) -> None:
    student, teacher = sorted((one, other))
    layers = nearly_uniform(student, teacher)
    assert teacher_layers(LayerMap("explicit", teacher_layers=layers), student, teacher) == list(layers)
    assert all(abs(layer - number * teacher / student) < 1 for number, layer in enumerate(layers, start=1))


@pytest.mark.parametrize(
    ("layer_map", "student", "teacher", "word"),
    [
        (LayerMap("uniform"), 7, 6, "shallower"),
        (LayerMap("last"), 7, 6, "shallower"),
        (LayerMap("explicit", teacher_layers=(1, 2, 3)), 3, 2, "shallower"),
        (LayerMap("uniform"), 4, 6, "[2, 3, 5, 6]"),
        (LayerMap("skip", every=3), 5, 12, "at most 2"),
        (LayerMap("explicit", teacher_layers=(3, 6)), 3, 6, "3 teacher layers"),
        (LayerMap("explicit", teacher_layers=(0, 3)), 2, 6, "from 1 to 6"),
        (LayerMap("explicit", teacher_layers=(3, 7)), 2, 6, "from 1 to 6"),
        (LayerMap("explicit", teacher_layers=(3, 3)), 2, 6, "rise"),
        (LayerMap("explicit", teacher_layers=(4, 3)), 2, 6, "rise"),
    ],
)
def test_an_impossible_map_is_an_error_that_says_what_to_write(layer_map, student, teacher, word) -> None:
    with pytest.raises(TrainingError) as caught:
        layer_map.pairs(student, teacher)
    assert_house_form(str(caught.value))
    assert word in str(caught.value)


@pytest.mark.parametrize("fields", [{"kind": "uniformly"}, {"kind": "skip"}, {"kind": "skip", "every": -1}])
def test_a_map_that_is_none_is_refused_when_made(fields) -> None:
    with pytest.raises(TrainingError) as caught:
        LayerMap(**fields)
    assert_house_form(str(caught.value))
