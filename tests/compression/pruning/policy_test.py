"""Which matrices a policy means, in every family, and what it refuses."""

import dataclasses

import pytest

from edgebert.compression.pruning.patterns import SINGLE, Blocks, Groups, parse_pattern
from edgebert.compression.pruning.policy import CLASSES, LAYERS, Policy, choose_matrices, class_of
from edgebert.compression.pruning.schedule import CONSTANT, Schedule, Steps
from edgebert.config import BottleneckConfig, EncoderConfig, HeadConfig
from edgebert.errors import TrainingError
from edgebert.models.task import build_model, named_variables
from tests.data.house_form import assert_house_form

PLAIN = EncoderConfig(40, 16, 2, 2, 32, 16)
NARROW_TABLE = dataclasses.replace(PLAIN, embedding_width=8, projection="before_sum")
BOTTLENECK = dataclasses.replace(
    PLAIN,
    embedding_width=8,
    projection="before_sum",
    trigram=True,
    normalization="no_norm",
    bottleneck=BottleneckConfig(8, True, False, 3),
)
TWO = HeadConfig("classification", pooling="mean", labels=("low", "high"))
POOLED = dataclasses.replace(TWO, pooling="pooler", transform="tanh")
# Small on purpose: what they learn is not redundant.
UNCLASSED_TABLES = {"encoder.embeddings.position.weight", "encoder.embeddings.segment.weight"}


def names(policy: Policy, config: EncoderConfig = PLAIN, head: HeadConfig = TWO) -> set[str]:
    return {matrix.name for matrix in choose_matrices(policy, config, head)}


def everything(sparsity: float = 0.5) -> Policy:
    return Policy(dict.fromkeys(CLASSES, sparsity))


@pytest.mark.parametrize("config", [PLAIN, NARROW_TABLE, BOTTLENECK], ids=["plain", "narrow table", "bottleneck"])
def test_every_matrix_of_a_model_has_a_class_but_positions_and_segments(config: EncoderConfig) -> None:
    """A layer that is added to the encoder must be put into the table or be named here."""
    variables = named_variables(build_model(config, POOLED))
    matrices = {name for name, variable in variables.items() if variable.shape.rank == 2}
    assert {name for name in variables if class_of(name)} == matrices - UNCLASSED_TABLES
    assert names(everything(), config, POOLED) == matrices - UNCLASSED_TABLES
    for matrix in choose_matrices(everything(), config, POOLED):
        assert matrix.shape == tuple(variables[matrix.name].shape) and matrix.kind == class_of(matrix.name)


def test_every_layer_of_the_table_exists_somewhere() -> None:
    known = {
        ".".join(part for part in matrix.name.split(".")[:-1] if not part.isdecimal())
        for config in (PLAIN, BOTTLENECK)
        for matrix in choose_matrices(everything(), config, POOLED)
    }
    assert known == {layer for layers in LAYERS.values() for layer in layers}


def test_by_default_attention_and_feed_forward_are_halved() -> None:
    found = choose_matrices(Policy(), PLAIN, TWO)
    assert {(matrix.kind, matrix.sparsity) for matrix in found} == {("attention", 0.5), ("feed_forward", 0.5)}
    assert len(found) == 2 * 6


def test_classes_have_sparsities_of_their_own_and_layers_are_excluded_by_name() -> None:
    policy = Policy({"embeddings": 0.3, "attention": 0.0, "feed_forward": 0.9}, excluded=("blocks.1.feed_forward.up",))
    found = {matrix.name: matrix.sparsity for matrix in choose_matrices(policy, PLAIN, TWO)}
    assert found == {
        "encoder.embeddings.word.weight": 0.3,
        "encoder.blocks.0.feed_forward.up.kernel": 0.9,
        "encoder.blocks.0.feed_forward.down.kernel": 0.9,
        "encoder.blocks.1.feed_forward.down.kernel": 0.9,
    }
    assert names(Policy(excluded=("blocks.0", "feed_forward"))) == {
        f"encoder.blocks.1.{part}.kernel" for part in ("query", "key", "value", "attention_output")
    }


def test_a_name_covers_whole_parts_only() -> None:
    many = dataclasses.replace(PLAIN, layers=11, layer_blocks=())
    left = names(Policy(excluded=("blocks.1",)), many)
    assert any("blocks.10." in name for name in left) and not any("blocks.1." in name for name in left)


def test_a_pooler_that_nothing_reads_is_left_alone() -> None:
    assert "encoder.pooler.kernel" not in names(everything())
    assert "encoder.pooler.kernel" in names(everything(), head=POOLED)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Policy({"attention": 1.0}), "sparsity of attention: expected 0 to below 1, got 1"),
        (lambda: Policy({"attention": -0.1}), "expected 0 to below 1, got -0.1"),
        (lambda: Policy({"attention": float("nan")}), "expected 0 to below 1, got nan"),
        (lambda: Policy({"heads": 0.5}), "expected embeddings, attention, feed_forward, head, got 'heads'"),
        (lambda: Policy({"attention": 0.7}, Groups(2, 4)), "expected 0.5 for 2 of every 4, got 0.7"),
        (lambda: names(Policy(excluded=("blocks.7",))), "got 'blocks.7', which this model does not have"),
        (lambda: names(Policy(excluded=("blocks",))), "got none in attention, feed_forward that is not excluded"),
        (lambda: names(Policy({"attention": 0.0})), "got none in any class"),
        (lambda: names(Policy(pattern=Blocks(1, 12))), "columns that make 2 or more whole blocks of 1x12, got 16"),
        (lambda: names(Policy(pattern=Blocks(3, 1))), "rows that make 2 or more whole blocks of 3x1, got 16"),
        (lambda: names(Policy(pattern=Blocks(1, 16))), "columns that make 2 or more whole blocks of 1x16, got 16"),
        (lambda: names(Policy({"feed_forward": 0.6}, Groups(3, 5))), "rows of a length that 5 divides, got 16"),
        (lambda: names(Policy({"embeddings": 0.5}, Groups(2, 4))), "expected a matrix that is multiplied with"),
        (lambda: Schedule("linear"), "expected polynomial or constant, got 'linear'"),
        (lambda: Schedule(begin=0.6), "above its begin 0.6 and below 1, got 0.5"),
        (lambda: Schedule(begin=0.5, end=0.5), "above its begin 0.5 and below 1, got 0.5"),
        (lambda: Schedule(end=1.0), "above its begin 0 and below 1, got 1"),
        (lambda: Schedule(begin=-0.1), "begin: expected a share of the training from 0 to below 1, got -0.1"),
        (lambda: Schedule(end=None), "below 1, got none"),
        (lambda: Schedule(CONSTANT, end=0.5), "expected none for a constant schedule"),
        (lambda: Schedule(begin=0.5, end=0.6).steps(4), "got no room for it in 4 training steps"),
        (lambda: Schedule(CONSTANT, 0.9, None).steps(3), "got no room for it in 3 training steps"),
    ],
)
def test_the_impossible_is_refused(make, expected: str) -> None:
    with pytest.raises(TrainingError) as refused:
        make()
    assert_house_form(str(refused.value))
    assert expected in str(refused.value)


def test_a_table_is_taken_by_its_rows_and_a_dense_layer_by_its_outputs() -> None:
    """32 rows up, 16 columns: as the file has it, not as Keras does."""
    assert names(Policy({"feed_forward": 0.5}, Blocks(1, 8), ("blocks.0.feed_forward.down",)))
    up = Policy({"feed_forward": 0.5}, Blocks(16, 1), ("blocks.0.feed_forward.down", "blocks.1.feed_forward.down"))
    assert len(names(up)) == 2
    with pytest.raises(TrainingError, match="columns"):
        names(dataclasses.replace(up, pattern=Blocks(1, 16)))
    assert names(Policy({"embeddings": 0.5}, Blocks(20, 1)))
    with pytest.raises(TrainingError, match="rows"):
        names(Policy({"embeddings": 0.5}, Blocks(16, 1)))


def test_312_wide_with_blocks_of_32_is_refused() -> None:
    with pytest.raises(TrainingError, match="columns that make 2 or more whole blocks of 1x32, got 312"):
        names(Policy(pattern=Blocks(1, 32)), EncoderConfig(40, 312, 1, 12, 1200, 312))


@pytest.mark.parametrize(
    ("text", "expected"), [("1x1", SINGLE), ("1x4", Blocks(1, 4)), ("16x2", Blocks(16, 2)), ("2:4", Groups(2, 4))]
)
def test_patterns_are_read(text: str, expected) -> None:
    assert parse_pattern(text) == expected


@pytest.mark.parametrize("text", ["", "4", "0x4", "4x", "-1x4", "1x4x2", "4:4", "0:4", "5:4", "2:4:8", "1X4", "2 : 4"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(TrainingError) as refused:
        parse_pattern(text)
    assert_house_form(str(refused.value))


@pytest.mark.parametrize("total", [2, 3, 7, 99, 100, 1000, 12345])
def test_the_last_cut_is_at_the_end_and_steps_are_left_behind_it(total: int) -> None:
    for schedule in (Schedule(), Schedule(begin=0.1, end=0.99)):
        steps = schedule.steps(total)
        assert (steps.end - steps.begin) % steps.frequency == 0
        assert 0 <= steps.begin < steps.end <= total - 1
        assert (steps.end - steps.begin) // steps.frequency <= 50
        assert abs(steps.end - min(schedule.end * total, total - 1)) <= steps.frequency


@pytest.mark.parametrize(("end", "epoch"), [(0, 1), (9, 1), (10, 2), (19, 2), (29, 3)])
def test_an_epoch_can_be_kept_if_the_last_cut_is_before_one_of_its_steps(end: int, epoch: int) -> None:
    assert Steps(0, end, 1).first_kept_epoch(10) == epoch
