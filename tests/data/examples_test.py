"""The Dataset: its ids, its hash, and the file of skipped rows."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.examples import Answer, Dataset, Example, SkippedRow, SpanExample, TaggedExample, write_skipped
from edgebert.errors import DataError, OutputError
from tests.data.house_form import assert_house_form

EXAMPLES = (Example("x", None, "b"), Example("y", "z", "a"))


def test_the_hash_is_of_the_content_alone():
    first = Dataset(EXAMPLES, ("a", "b"), "here")
    second = Dataset(EXAMPLES, ("a", "b"), "there", (SkippedRow("f", 1, "r", "raw"),), ("note",))
    assert first.sha256 == second.sha256
    # Written down once: provenance of old runs must not change with the code.
    assert first.sha256 == "9bda605b483f4dd7bc202bb3cc6704335350c215bd84baae377f35b9ba36a2f9"


@pytest.mark.parametrize(
    "other",
    [
        Dataset(EXAMPLES, ("b", "a"), "here"),
        Dataset(EXAMPLES[::-1], ("a", "b"), "here"),
        Dataset(EXAMPLES[:1], ("a", "b"), "here"),
        Dataset((Example("x", "", "b"), EXAMPLES[1]), ("a", "b"), "here"),
        Dataset((Example("x", None, "a"), EXAMPLES[1]), ("a", "b"), "here"),
        Dataset((Example("x", None, 1.0), EXAMPLES[1]), ("a", "b"), "here"),
        Dataset((Example("x", None, "1.0"), EXAMPLES[1]), ("a", "b"), "here"),
        Dataset(EXAMPLES, None, "here"),
    ],
)
def test_any_change_of_content_changes_the_hash(other):
    assert other.sha256 != Dataset(EXAMPLES, ("a", "b"), "here").sha256


@given(
    st.lists(st.builds(Example, st.text(), st.none() | st.text(), st.none() | st.text() | st.floats(allow_nan=False)))
)
def test_every_text_has_a_hash(examples):
    first, second = (Dataset(tuple(examples), None, "x").sha256 for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_half_of_a_surrogate_pair_has_a_hash_too():
    assert Dataset((Example("\ud83d"),), None, "x").sha256 != Dataset((Example("\ude00"),), None, "x").sha256


def test_ids():
    dataset = Dataset(EXAMPLES, ("a", "b"), "here")
    assert dataset.label_ids().tolist() == [1, 0]
    assert dataset.is_labelled
    assert not dataset.is_regression
    assert list(dataset) == list(EXAMPLES)


def test_tag_ids():
    dataset = Dataset((TaggedExample(("x", "y"), ("B-p", "O")), TaggedExample(("z",), ("O",))), ("O", "B-p"), "here")
    assert [ids.tolist() for ids in dataset.tag_ids()] == [[1, 0], [0]]
    assert all(ids.dtype == np.int64 for ids in dataset.tag_ids())


@pytest.mark.parametrize(
    ("dataset", "method", "got"),
    [
        (Dataset(EXAMPLES, None, "here"), "label_ids", "class names"),
        (Dataset(EXAMPLES, ("a", "c"), "here"), "label_ids", "'b'"),
        (Dataset(EXAMPLES, ("a", "b"), "here"), "label_values", "class names"),
        (Dataset(EXAMPLES, ("a", "b"), "here"), "tag_ids", "class names"),
        (Dataset((Example("x", None, 1.5),), None, "here"), "label_ids", "numbers"),
        (Dataset((Example("x"),), ("a",), "here"), "label_ids", "examples without a label"),
        (Dataset((), ("a",), "here"), "label_values", "no examples"),
        (Dataset((TaggedExample(("x",), ("O",)),), ("O",), "here"), "label_ids", "TaggedExamples"),
        (Dataset((SpanExample("q", "c", (Answer("c", 0),)),), None, "here"), "label_values", "SpanExamples"),
    ],
)
def test_ids_of_another_kind(dataset, method, got):
    with pytest.raises(DataError) as caught:
        getattr(dataset, method)()
    assert f"got {got}" in str(caught.value)
    assert_house_form(str(caught.value))


@given(
    st.lists(st.builds(SkippedRow, st.text(), st.integers(1), st.text(), st.text(), st.sampled_from(["line", "row"])))
)
def test_skipped_rows_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("skipped") / "rows.jsonl"
    write_skipped(Dataset((), None, "x", tuple(rows)), path)
    read = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [SkippedRow(**row) for row in read] == rows


def test_skipped_rows_need_a_place(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_skipped(Dataset((), None, "x"), tmp_path / "none" / "rows.jsonl")
    assert_house_form(str(caught.value))
