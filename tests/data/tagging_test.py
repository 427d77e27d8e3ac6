"""Words with tags: CoNLL files and the slot-filling layout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.examples import TaggedExample
from edgebert.data.reading import read_examples, read_tagged_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

# Any character that is no column or line divider, white space of other kinds included; -DOCSTART- is one.
WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\r\n "), min_size=1, max_size=6
).filter(lambda word: word.strip() and not word.startswith("-DOC"))
TAGS = st.sampled_from(["O", "B-person", "I-person", "B-creative-work", "I-creative-work"])
SENTENCES = st.lists(st.lists(st.tuples(WORDS, TAGS), min_size=1, max_size=5), min_size=1, max_size=5)


def as_examples(sentences):
    return [TaggedExample(*map(tuple, zip(*sentence, strict=True))) for sentence in sentences]


@given(
    sentences=SENTENCES,
    divider=st.sampled_from(["\t", " "]),
    between=st.sampled_from(["\n", "\t\n", "\n\n", "\n-DOCSTART- O\n\n", " \n"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    middle=st.sampled_from(["", "NNP"]),
)
def test_conll_round_trip(tmp_path, sentences, divider, between, line_end, middle):
    columns = [divider.join(filter(None, (word, middle, tag))) for sentence in sentences for word, tag in sentence]
    cells = iter(columns)
    blocks = ["".join(next(cells) + "\n" for _ in sentence) for sentence in sentences]
    text = between.join(blocks).replace("\n", line_end)
    (tmp_path / "data.conll").write_text(text, encoding="utf-8", newline="")
    dataset = read_tagged_examples(tmp_path / "data.conll")
    assert list(dataset) == as_examples(sentences)
    assert [tuple(dataset.labels[index] for index in ids) for ids in dataset.tag_ids()] == [
        example.tags for example in dataset
    ]
    assert bool(dataset.notes) == ("DOCSTART" in text)


def test_the_outside_tag_comes_first_and_then_each_type(tmp_path):
    (tmp_path / "data.conll").write_text("a I-b\nb B-b\nc I-a\nd O\ne B-a\n")
    assert read_tagged_examples(tmp_path / "data.conll").labels == ("O", "B-a", "I-a", "B-b", "I-b")
    (tmp_path / "data.conll").write_text("a VERB\nb ADJ\nc O\n")
    assert read_tagged_examples(tmp_path / "data.conll").labels == ("O", "ADJ", "VERB")


def test_a_given_order_of_tags_wins(tmp_path):
    (tmp_path / "data.conll").write_text("a B-x\nb O\n")
    dataset = read_tagged_examples(tmp_path / "data.conll", labels=["B-x", "I-x", "O"])
    assert dataset.labels == ("B-x", "I-x", "O")
    assert [ids.tolist() for ids in dataset.tag_ids()] == [[0, 2]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("lonely", "expected a word and its tag, got 'lonely'"),
        ("word\t", "expected a word and its tag"),
        ("\tO", "expected a word and its tag"),
        ("a\0b\tO", "NUL character"),
        ("word\tB-persn", "got 'B-persn' (the nearest is 'B-person')"),
    ],
)
def test_a_bad_line_costs_its_sentence(tmp_path, line, reason):
    (tmp_path / "data.conll").write_text(f"good\tO\n\nfirst\tB-person\n{line}\nlast\tO\n\ngood\tO\n")
    order = ["O", "B-person", "I-person"]
    with pytest.raises(DataError) as caught:
        read_tagged_examples(tmp_path / "data.conll", labels=order)
    assert reason in str(caught.value)
    assert_house_form(str(caught.value))
    dataset = read_tagged_examples(tmp_path / "data.conll", labels=order, skip_bad_rows=True)
    assert len(dataset) == 2
    [skipped] = dataset.skipped
    assert skipped.raw == f"first\tB-person\n{line}\nlast\tO"
    assert skipped.line == 4


def test_the_split_is_in_the_name_of_the_file(tmp_path):
    for name in ("emerging.dev.conll", "wnut17train.conll", "emerging.test.annotated"):
        (tmp_path / name).write_text(f"{name} O\n")
    assert read_tagged_examples(tmp_path, split="validation").examples[0].words == ("emerging.dev.conll",)
    assert read_tagged_examples(tmp_path, split="test").examples[0].words == ("emerging.test.annotated",)
    with pytest.raises(DataError, match="dev, test, train") as caught:
        read_tagged_examples(tmp_path)
    assert_house_form(str(caught.value))


@pytest.fixture
def slots(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "seq.in").write_text("play  some jazz \nstop\n")
    (tmp_path / "train" / "seq.out").write_text("O O B-genre \nO\n")
    (tmp_path / "train" / "label").write_text("PlayMusic\nStop\n")
    return tmp_path


def test_slots(slots):
    assert list(read_tagged_examples(slots, split="train")) == [
        TaggedExample(("play", "some", "jazz"), ("O", "O", "B-genre"), "PlayMusic"),
        TaggedExample(("stop",), ("O",), "Stop"),
    ]
    assert read_tagged_examples(slots / "train").labels == ("O", "B-genre")


def test_the_intents_of_slots(slots):
    dataset = read_examples(slots, split="train")
    assert [(example.text, example.label) for example in dataset] == [
        ("play  some jazz ", "PlayMusic"),
        ("stop", "Stop"),
    ]


def test_slots_with_a_tag_too_few(slots):
    (slots / "train" / "seq.out").write_text("O O\nO\n")
    with pytest.raises(DataError, match=r"seq\.in:1: expected a tag for each of 3 words, got 2") as caught:
        read_tagged_examples(slots, split="train")
    assert_house_form(str(caught.value))
    assert len(read_tagged_examples(slots, split="train", skip_bad_rows=True)) == 1


def test_slots_with_a_line_too_few(slots):
    (slots / "train" / "label").write_text("PlayMusic\n")
    for read in (read_examples, read_tagged_examples):
        with pytest.raises(DataError, match=r"one line per sentence each, got \[2, ") as caught:
            read(slots, split="train", skip_bad_rows=True)
        assert_house_form(str(caught.value))


def test_a_path_without_tagged_words(tmp_path):
    (tmp_path / "data.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match="expected tagged words") as caught:
        read_tagged_examples(tmp_path)
    assert_house_form(str(caught.value))


def test_tagged_words_are_no_texts_with_labels(tmp_path):
    (tmp_path / "data.conll").write_text("a O\n")
    with pytest.raises(DataError, match="got tagged words") as caught:
        read_examples(tmp_path / "data.conll")
    assert_house_form(str(caught.value))
