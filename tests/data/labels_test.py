"""What a label is, in which order, and when a column is a regression."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.labels import check_label_order, default_order
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form


@pytest.fixture
def read(tmp_path):
    """Read a file with these label cells: spelled out in CSV, or as JSON values."""

    def read_labels(cells, *, suffix=".csv", **options):
        path = tmp_path / f"data{suffix}"
        if suffix == ".csv":
            lines = ["text,label", *(f"text {number},{label}" for number, label in enumerate(cells))]
        else:
            lines = [json.dumps({"text": f"text {number}", "label": label}) for number, label in enumerate(cells)]
        path.write_text("\n".join(lines))
        return read_examples(path, **options)

    return read_labels


def names(dataset):
    return [example.label for example in dataset]


def test_names_are_sorted(read):
    dataset = read(["b", "a", "c", "a"])
    assert dataset.labels == ("a", "b", "c")
    assert dataset.label_ids().tolist() == [1, 0, 2, 0]
    assert dataset.label_ids().dtype == np.int64


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_integers_are_sorted_by_value(read, suffix):
    dataset = read([10, 9, 2, -1], suffix=suffix)
    assert dataset.labels == ("-1", "2", "9", "10")
    assert names(dataset) == ["10", "9", "2", "-1"]


def test_integers_written_as_floats_are_integers(read):
    assert read([1.0, 0.0, 2.0], suffix=".jsonl").labels == ("0", "1", "2")
    assert read(["1.0", "0.0", "2"]).labels == ("0", "1", "2")


def test_codes_with_leading_zeros_are_names(read):
    assert read(["007", "7", "x"]).labels == ("007", "7", "x")


def test_truth_values_are_names_or_index_an_order_of_two(read):
    assert read([True, False], suffix=".jsonl").labels == ("false", "true")
    dataset = read([True, False], suffix=".jsonl", labels=["ham", "spam"])
    assert names(dataset) == ["spam", "ham"]


def test_integers_index_a_given_order(read):
    dataset = read([1, 0, 1], labels=["negative", "positive"])
    assert names(dataset) == ["positive", "negative", "positive"]
    assert dataset.label_ids().tolist() == [1, 0, 1]


def test_a_given_order_wins_and_keeps_labels_without_examples(read):
    dataset = read(["b", "a"], labels=["c", "b", "a"])
    assert dataset.labels == ("c", "b", "a")
    assert dataset.label_ids().tolist() == [1, 2]


def test_integers_that_are_names_are_not_taken_for_indices(read):
    assert read(["2", "1"], labels=["1", "2", "3"]).label_ids().tolist() == [1, 0]
    with pytest.raises(DataError, match="expected one of the 3 labels, got '0'"):
        read(["0", "1"], labels=["1", "2", "3"])


@pytest.mark.parametrize("label", [2, -1])
def test_an_index_outside_of_the_order(read, label):
    with pytest.raises(DataError, match=f"data.csv:2: expected a label from 0 to 1, got {label}") as caught:
        read([label], labels=["a", "b"])
    assert_house_form(str(caught.value))


def test_fractions_mean_regression(read):
    dataset = read(["3.8", "4", "0.25", "5.000", ".5", "1e-1"])
    assert dataset.labels is None
    assert dataset.is_regression
    assert dataset.label_values().tolist() == np.float32([3.8, 4, 0.25, 5, 0.5, 0.1]).tolist()
    with pytest.raises(DataError, match="got numbers") as caught:
        dataset.label_ids()
    assert_house_form(str(caught.value))


def test_fractions_among_more_words_are_names(read):
    assert read(["gpt", "bert", "3.5", "t5"]).labels == ("3.5", "bert", "gpt", "t5")


def test_text_that_looks_like_a_fraction_is_a_name_where_the_format_has_types(read):
    assert read(["1.5", "2.5"], suffix=".jsonl").labels == ("1.5", "2.5")
    assert read(["1.5", "2.5"], suffix=".jsonl", regression=True).label_values().tolist() == [1.5, 2.5]


def test_integers_are_a_regression_on_request_only(read):
    assert not read([1, 2, 5]).is_regression
    assert read([1, 2, 5], regression=True).label_values().tolist() == [1, 2, 5]


def test_fractions_are_classes_on_request(read):
    assert read(["1.5", "2.5", "1.5"], regression=False).labels == ("1.5", "2.5")


def test_regression_with_a_label_order_is_a_contradiction(read):
    with pytest.raises(DataError, match="either labels or regression") as caught:
        read([1, 2], regression=True, labels=["a", "b"])
    assert_house_form(str(caught.value))


def test_a_fraction_is_no_class_of_a_given_order(read):
    with pytest.raises(DataError, match=r"got '0\.5'"):
        read(["0.5", "1"], labels=["a", "b"])


def test_blanks_around_a_label_are_not_part_of_it(read):
    assert read([" a", "a "]).labels == ("a",)


@pytest.mark.parametrize("labels", [[], ["a", "a"], ["a", " "], "ab", ["a", 1]])
def test_an_order_that_is_none(labels):
    with pytest.raises(DataError, match="class names in order") as caught:
        check_label_order(labels)
    assert_house_form(str(caught.value))


@given(st.lists(st.text(min_size=1), min_size=1))
def test_the_default_order_depends_on_the_set_of_names_alone(labels):
    assert default_order(labels) == default_order(reversed(labels))
    assert set(default_order(labels)) == set(labels)


@given(st.sets(st.integers(), min_size=1))
def test_the_default_order_of_integers_is_that_of_their_values(values):
    order = default_order(map(str, values))
    if all(abs(value) < 10**18 for value in values):
        assert order == tuple(map(str, sorted(values)))
    assert set(order) == set(map(str, values))


@given(order=st.permutations(["a", "b", "c", "d"]), labels=st.lists(st.sampled_from("abcd"), min_size=1))
def test_ids_follow_the_given_order(read, order, labels):
    dataset = read(labels, labels=order)
    assert [order[index] for index in dataset.label_ids()] == labels


def test_unlabelled_data_has_no_ids(tmp_path):
    (tmp_path / "data.csv").write_text("index,sentence\n0,hello\n")
    dataset = read_examples(tmp_path / "data.csv")
    assert not dataset.is_labelled
    assert dataset.labels is None
    assert "'index'" in dataset.notes[0]
    for ids in (dataset.label_ids, dataset.label_values, dataset.tag_ids):
        with pytest.raises(DataError, match="without a label") as caught:
            ids()
        assert_house_form(str(caught.value))
