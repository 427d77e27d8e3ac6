"""The weight table against the layers that Keras makes: every variable has one row, of its shape."""

import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.models.families import FAMILIES, OWN_FAMILY, encoder_rows
from edgebert.models.task import build_model, named_variables
from edgebert.models.weights import head_rows
from tests.models.configs import EVERY, PUBLISHED

HEADS = {
    "embedding": HeadConfig(kind="embedding", pooling="mean", unit_length=True),
    "classification": HeadConfig(kind="classification", pooling="first", transform="relu", labels=("a", "b", "c")),
    "regression": HeadConfig(kind="regression", pooling="mean", transform="tanh"),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_variable_has_a_row_of_its_shape(name: str) -> None:
    config = EVERY[name]
    head = list(HEADS.values())[len(name) % len(HEADS)]
    variables = {ours: tuple(variable.shape) for ours, variable in named_variables(build_model(config, head)).items()}
    rows = encoder_rows(config, OWN_FAMILY, {}) + head_rows(config, head, own_names=True)
    assert {row.ours: row.shape for row in rows} == variables
    assert all(row.ours == row.theirs and not row.transposed for row in rows)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_has_its_rows(name: str) -> None:
    config, head = EVERY["plain"], HEADS[name]
    variables = named_variables(build_model(config, head).head, "head.")
    rows = head_rows(config, head, own_names=False)
    shapes = {row.ours: row.shape[::-1] if row.transposed else row.shape for row in rows}
    assert shapes == {ours: tuple(variable.shape) for ours, variable in variables.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_familys_rows_are_the_same_variables_under_names_that_differ(name: str) -> None:
    config, family = PUBLISHED[name]
    rows = encoder_rows(config, family, {"inner_group_num": _inner(config)})
    own = {row.ours: row.shape for row in encoder_rows(config, OWN_FAMILY, {})}
    assert {row.ours: row.shape[::-1] if row.transposed else row.shape for row in rows} == own
    assert len({row.theirs for row in rows}) == len(rows)
    assert {row.ours for row in rows if row.transposed} == {ours for ours in own if ours.endswith(".kernel")}
    assert not any("{" in row.theirs for row in rows)


def _inner(config: EncoderConfig) -> int:
    return 2 if config.layer_blocks == (0, 1, 0, 1) else 1


def test_every_name_of_a_familys_table_is_used() -> None:
    """A name that no configuration asks for is misspelled or dead."""
    for family, description in FAMILIES.items():
        used = {
            row.theirs.rpartition(".")[0]
            for config, of_family in PUBLISHED.values()
            if of_family == family
            for row in encoder_rows(config, family, {})
        }
        numbered = {name.format(0, 0) for name in description.names.values()}
        assert numbered <= used, family
