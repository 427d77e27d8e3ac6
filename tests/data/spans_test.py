"""Questions with answers in a context: SQuAD 1.1 and 2.0."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.examples import Answer, SpanExample
from edgebert.data.reading import read_examples, read_span_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
    str.strip
)


def as_document(examples):
    """Every example in a paragraph of its own."""
    paragraphs = [
        {
            "context": example.context,
            "qas": [
                {
                    "question": example.question,
                    "id": example.identifier,
                    "is_impossible": not example.answers,
                    "answers": [{"text": answer.text, "answer_start": answer.start} for answer in example.answers],
                }
            ],
        }
        for example in examples
    ]
    return {"data": [{"title": "t", "paragraphs": paragraphs}], "version": "2.0"}


@st.composite
def span_examples(draw):
    context = draw(TEXTS)
    cuts = st.lists(st.integers(0, len(context)), min_size=2, max_size=2, unique=True).map(sorted)
    answers = [Answer(context[start:end], start) for start, end in draw(st.lists(cuts, max_size=3))]
    answers = tuple(answer for answer in answers if answer.text.strip())
    return SpanExample(draw(TEXTS), context, answers, draw(TEXTS))


@given(examples=st.lists(span_examples(), min_size=1, max_size=5), escaped=st.booleans())
def test_round_trip(tmp_path, examples, escaped):
    path = tmp_path / "dev-v2.0.json"
    path.write_text(json.dumps(as_document(examples), ensure_ascii=escaped), encoding="utf-8")
    dataset = read_span_examples(path)
    assert list(dataset) == examples
    assert dataset.labels is None
    for example in dataset:
        for answer in example.answers:
            assert example.context[answer.start : answer.start + len(answer.text)] == answer.text


GOOD = {"question": "Who?", "id": "1", "answers": [{"text": "Ann", "answer_start": 0}]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answers": [{"text": "Ann", "answer_start": 1}]}, "expected the answer 'Ann' at character 1, got 'nn '"),
        ({"answers": [{"text": "Ann", "answer_start": -9}]}, "expected the answer 'Ann' at character -9, got ''"),
        ({"answers": [{"text": "Ann", "answer_start": 99}]}, "expected the answer 'Ann' at character 99, got ''"),
        ({"answers": [{"text": "Ann", "answer_start": "0"}]}, "to be a whole number, got text"),
        ({"answers": [{"text": "", "answer_start": 0}]}, "expected a text as answer, got an empty one"),
        ({"answers": [{"answer_start": 0}]}, "expected a text as answer, got nothing"),
        ({"answers": ["Ann"]}, "expected a text as answer, got nothing"),
        ({"answers": []}, "expected an answer, or is_impossible, got none"),
        ({"answers": None}, "expected a list of answers, got nothing"),
        ({"question": " "}, "expected a text as question, got an empty one"),
        ({"question": "\ud83d?"}, "question: expected text, got one half of a surrogate pair"),
    ],
)
def test_a_bad_question_is_named_or_skipped(tmp_path, change, reason):
    questions = [GOOD, GOOD | change, GOOD]
    document = {"data": [{"paragraphs": [{"context": "Ann was here.", "qas": questions}]}]}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError) as caught:
        read_span_examples(path)
    assert f"{path}, question 2: " in str(caught.value)
    assert reason in str(caught.value)
    assert_house_form(str(caught.value))
    dataset = read_span_examples(path, skip_bad_rows=True)
    assert len(dataset) == 2
    assert [row.line for row in dataset.skipped] == [2]
    assert json.loads(dataset.skipped[0].raw)["context"] == "Ann was here."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "expected a JSON document"),
        ("[]", "got nothing under 'data'"),
        ('{"data": {}}', "got an object under 'data'"),
        ('{"data": [{"paragraphs": 3}]}', "got a number under 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"context": "a"}]}]}', "got nothing under 'qas'"),
        ('{"data": []}', "expected usable rows, got none"),
    ],
)
def test_a_document_that_is_not_squad(tmp_path, text, reason):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError) as caught:
        read_span_examples(tmp_path / "x.json", skip_bad_rows=True)
    assert reason in str(caught.value)
    assert_house_form(str(caught.value))


def test_a_folder_of_versions(tmp_path):
    for name in ("train-v1.1.json", "dev-v1.1.json"):
        example = SpanExample(name, "Ann", (Answer("Ann", 0),), "1")
        (tmp_path / name).write_text(json.dumps(as_document([example])))
    assert read_span_examples(tmp_path, split="dev").examples[0].question == "dev-v1.1.json"
    with pytest.raises(DataError, match="dev, train") as caught:
        read_span_examples(tmp_path, split="test")
    assert_house_form(str(caught.value))
    with pytest.raises(DataError, match="got a JSON document"):
        read_examples(tmp_path)


def test_another_format(tmp_path):
    (tmp_path / "data.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match="expected SQuAD JSON") as caught:
        read_span_examples(tmp_path / "data.csv")
    assert_house_form(str(caught.value))
