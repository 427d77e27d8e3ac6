"""Which columns are chosen, and that nothing ambiguous is guessed."""

import itertools

import pytest

from edgebert.data.columns import LABEL_NAMES, PAIR_NAMES, TEXT_NAMES, Columns, choose_columns
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["sentence", "label"], Columns("sentence", None, "label")),
        (["label", "text", "id"], Columns("text", None, "label")),
        (["Utterance", "INTENT"], Columns("Utterance", None, "INTENT")),
        (["text", "category"], Columns("text", None, "category")),
        (["index", "question", "sentence", "label"], Columns("question", "sentence", "label")),
        (["idx", "premise", "hypothesis", "label"], Columns("premise", "hypothesis", "label")),
        (["index", "genre", "source1", "sentence1", "sentence2", "score"], Columns("sentence1", "sentence2", "score")),
        (
            ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
            Columns("question1", "question2", "is_duplicate"),
        ),
        (["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"], Columns("#1 String", "#2 String", "Quality")),
        (["question", "label"], Columns("question", None, "label")),
        # One column is left, or is the only one.
        (["phrase_as_typed", "label"], Columns("phrase_as_typed", None, "label")),
        (["whatever"], Columns("whatever", None, None)),
        # Unlabelled: a test split.
        (["index", "sentence"], Columns("sentence", None, None)),
    ],
)
def test_guesses(columns, expected):
    assert choose_columns(columns, "data.csv") == expected


def test_every_known_text_is_found_beside_every_known_label():
    for text, label in itertools.product(TEXT_NAMES, LABEL_NAMES):
        assert choose_columns(["id", label, text], "data.csv") == Columns(text, None, label)


@pytest.mark.parametrize("pair", PAIR_NAMES)
def test_every_known_pair_of_texts_is_found(pair):
    assert choose_columns(["label", "id", *reversed(pair)], "data.csv") == Columns(*pair, "label")


@pytest.mark.parametrize(
    ("columns", "flag", "listed"),
    [
        (["text", "review", "label"], "--text-column", "'text', 'review'"),
        (["text", "label", "intent"], "--label-column", "'label', 'intent'"),
        (["text", "label", "Label"], "--label-column", "'label', 'Label'"),
        (["premise", "hypothesis", "sentence1", "sentence2"], "--text-column", "'sentence1', 'sentence2', 'premise'"),
        (["alpha", "beta"], "--text-column", "'alpha', 'beta'"),
        (["alpha", "beta", "label"], "--text-column", "'alpha', 'beta', 'label'"),
        (["label"], "--text-column", "'label'"),
    ],
)
def test_nothing_ambiguous_is_guessed(columns, flag, listed):
    with pytest.raises(DataError) as caught:
        choose_columns(columns, "data.csv")
    assert flag in str(caught.value)
    assert listed in str(caught.value)
    assert_house_form(str(caught.value))


def test_named_columns_win():
    columns = ["text", "review", "label", "intent", "comment"]
    assert choose_columns(columns, "x", text_column="review", label_column="intent") == Columns(
        "review", None, "intent"
    )
    assert choose_columns(columns, "x", "review", "text", "label") == Columns("review", "text", "label")


def test_a_named_text_alone_means_single_texts():
    columns = ["sentence1", "sentence2", "label"]
    assert choose_columns(columns, "x", text_column="sentence1") == Columns("sentence1", None, "label")


def test_a_named_label_is_not_taken_for_a_text():
    assert choose_columns(["sentence", "query"], "x", label_column="query") == Columns("sentence", None, "query")


@pytest.mark.parametrize(
    ("named", "flag"),
    [
        ({"text_column": "txt"}, "--text-column"),
        ({"second_text_column": "txt"}, "--second-text-column"),
        ({"label_column": "txt"}, "--label-column"),
    ],
)
def test_a_named_column_that_is_not_there(named, flag):
    with pytest.raises(DataError, match=f"expected {flag} to name a column, got 'txt'") as caught:
        choose_columns(["text", "label"], "data.csv", **named)
    assert "'text', 'label'" in str(caught.value)
    assert_house_form(str(caught.value))


def test_one_column_for_two_purposes():
    with pytest.raises(DataError, match="a different column") as caught:
        choose_columns(["text", "label"], "data.csv", text_column="text", label_column="text")
    assert_house_form(str(caught.value))
