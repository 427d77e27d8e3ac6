"""Counts, lengths, duplicates and conflicts, and the warnings that follow from them."""

import pytest

from edgebert.data.describing import Conflict, Lengths, describe
from edgebert.data.examples import Answer, Dataset, Example, SkippedRow, SpanExample, TaggedExample


def dataset_of(*examples, labels=("a", "b"), skipped=(), notes=()):
    return Dataset(tuple(examples), labels, "made up", tuple(skipped), tuple(notes))


def test_counts_follow_the_label_order():
    described = describe(dataset_of(Example("x", None, "b"), Example("y", None, "b"), Example("z", None, "a")))
    assert described.example_count == 3
    assert described.label_counts == (("a", 1), ("b", 2))
    assert described.label_range is None
    assert described.warnings == ()


def test_lengths_count_both_texts_of_a_pair():
    examples = [Example("one", "two three", "a"), Example("one two", "one two", "b"), Example("x " * 30, "y", "a")]
    assert describe(dataset_of(*examples)).lengths == Lengths(3, 4, 31, 31)


def test_duplicates_ignore_case_and_white_space():
    examples = [Example("Play  it", None, "a"), Example("play it ", None, "a"), Example("play", "it", "b")]
    described = describe(dataset_of(*examples))
    assert described.duplicate_count == 1
    assert described.conflicts == ()


def test_a_text_with_two_labels_is_a_conflict_and_no_error():
    described = describe(dataset_of(Example("x", None, "a"), Example("X", None, "b"), Example("y", None, "a")))
    assert described.conflicts == (Conflict("x", ("a", "b")),)
    assert described.duplicate_count == 1
    assert described.warnings == ("texts with more than one label: 1, 'x' (a, b)",)


def test_one_label_only():
    described = describe(dataset_of(Example("x", None, "a"), Example("y", None, "a"), labels=("a",)))
    assert described.warnings == ("every example has the label 'a': there is nothing to learn or to measure",)


def test_labels_without_an_example_are_named():
    described = describe(dataset_of(Example("x", None, "a"), Example("y", None, "c"), labels=("a", "b", "c")))
    assert described.warnings == ("labels without an example here: 1 (b)",)


def test_some_examples_without_a_label():
    described = describe(dataset_of(Example("x", None, "a"), Example("y", None, "b"), Example("z")))
    assert described.warnings == ("examples without a label: 1 of 3",)


def test_notes_and_skipped_rows_are_warnings():
    skipped = [SkippedRow("f.csv", 3, "expected x, got y", "raw"), SkippedRow("f.csv", 9, "other", "raw")]
    described = describe(
        dataset_of(Example("x", None, "a"), Example("y", None, "b"), skipped=skipped, notes=["read as latin-1"])
    )
    assert described.warnings == ("read as latin-1", "rows skipped: 2; the first: f.csv:3: expected x, got y")


def test_regression_has_a_range_and_no_conflicts():
    described = describe(dataset_of(Example("x", "y", 1.5), Example("x", "y", 3.0), labels=None))
    assert described.label_range == (1.5, 3.0)
    assert described.label_counts == ()
    assert described.conflicts == ()
    assert described.duplicate_count == 1


def test_unlabelled():
    described = describe(dataset_of(Example("x"), Example("y"), labels=None))
    assert (described.label_counts, described.label_range, described.warnings) == ((), None, ())


def test_tags_are_counted_by_word():
    examples = [TaggedExample(("a", "b"), ("O", "B-x")), TaggedExample(("c",), ("O",))]
    described = describe(dataset_of(*examples, labels=("O", "B-x")))
    assert described.label_counts == (("O", 2), ("B-x", 1))
    assert described.lengths == Lengths(1, 1, 2, 2)
    assert described.warnings == ()


def test_spans():
    example = SpanExample("who is it", "Ann is it", (Answer("Ann", 0),))
    described = describe(dataset_of(example, example, labels=None))
    assert described.lengths.maximum_words == 6
    assert described.duplicate_count == 1


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_lengths_are_lengths_of_real_examples(count):
    lengths = describe(dataset_of(*(Example("w " * (3 * number + 1)) for number in range(count)), labels=None)).lengths
    present = {3 * number + 1 for number in range(count)}
    assert {lengths.median_words, lengths.ninety_ninth_percentile_words} <= present
    assert (lengths.minimum_words, lengths.maximum_words) == (min(present), max(present))
