"""The files as published: as many rows as their publishers say, and nothing skipped."""

import csv
import functools
import json
from collections import Counter

import pytest

from edgebert.data.describing import describe
from edgebert.data.reading import read_examples, read_span_examples, read_tagged_examples
from tests.data.published import published

# Several tests look at one split; reading each once keeps the suite short.
read_once = functools.lru_cache(read_examples)

COUNTS = [
    # name, split, out of scope, examples, labels
    pytest.param("sst2", "train", False, 67_349, 2, marks=pytest.mark.long),
    ("sst2", "dev", False, 872, 2),
    ("stsb", "train", False, 5_749, None),
    ("stsb", "dev", False, 1_500, None),
    ("banking77", "train", False, 10_003, 77),
    ("banking77", "test", False, 3_080, 77),
    ("clinc150", "train", False, 15_000, 150),
    ("clinc150", "val", False, 3_000, 150),
    ("clinc150", "test", False, 4_500, 150),
    ("clinc150", "train", True, 15_100, 151),
    ("clinc150", "val", True, 3_100, 151),
    ("clinc150", "test", True, 5_500, 151),
    ("snips", "train", False, 13_784, 7),
    ("snips", "validate", False, 700, 7),
    ("snips_slots", "train", False, 13_084, 7),
    ("snips_slots", "valid", False, 700, 7),
    ("snips_slots", "test", False, 700, 7),
]


@pytest.mark.parametrize(("name", "split", "include_out_of_scope", "examples", "labels"), COUNTS)
def test_texts(name, split, include_out_of_scope, examples, labels):
    dataset = read_once(published(name), split=split, include_out_of_scope=include_out_of_scope)
    assert len(dataset) == examples
    assert (None if dataset.labels is None else len(dataset.labels)) == labels
    assert dataset.is_labelled
    assert dataset.skipped == ()
    if labels is not None:
        assert set(dataset.label_ids().tolist()) == set(range(labels))


def test_named_layouts_are_those_that_are_recognised():
    for name, layout, split in [("sst2", "glue", "dev"), ("banking77", "banking77", "test"), ("clinc150", None, "val")]:
        folder = published(name)
        assert read_once(folder, split=split, layout=layout).sha256 == read_once(folder, split=split).sha256


def test_a_single_file_reads_as_its_folder_does():
    folder = published("sst2")
    assert read_once(folder / "dev.tsv").sha256 == read_once(folder, split="dev").sha256
    folder = published("clinc150")
    in_file = read_once(folder / "data_full.json", split="test")
    assert in_file.sha256 == read_once(folder, split="test").sha256


def test_stsb_is_read_verbatim_with_its_quotes():
    path = published("stsb") / "train.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]
    dataset = read_once(path)
    assert [(example.text, example.second_text) for example in dataset] == [(row[7], row[8]) for row in rows]
    assert sum(example.text.startswith('"') for example in dataset) > 10
    assert dataset.is_regression
    assert dataset.label_values().min() == 0
    assert dataset.label_values().max() == 5


def test_banking77_is_what_the_standard_reader_reads_and_in_the_published_order():
    folder = published("banking77")
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        expected = list(csv.reader(file, strict=True))[1:]
    dataset = read_once(folder, split="train")
    assert [[example.text, example.label] for example in dataset] == expected
    assert list(dataset.labels) == json.loads((folder / "categories.json").read_text(encoding="utf-8"))
    assert sum("\n" in example.text for example in dataset) == 10


def test_clinc150_has_the_same_ids_with_out_of_scope_and_without():
    folder = published("clinc150")
    without = read_once(folder, split="val").labels
    with_it = read_once(folder, split="val", include_out_of_scope=True).labels
    assert with_it == (*without, "oos")
    assert set(without) == {
        intent for intents in json.loads((folder / "domains.json").read_text()).values() for intent in intents
    }


def test_snips_intents_and_the_file_that_is_not_utf8():
    dataset = read_once(published("snips"), split="train")
    counts = Counter(example.label for example in dataset)
    assert [counts[label] for label in dataset.labels] == [1942, 1973, 2000, 2000, 1956, 1954, 1959]
    [note] = dataset.notes
    assert "train_PlayMusic_full.json" in note
    assert "CESU-8" in note
    texts = {example.text for example in dataset}
    assert "play the Música Da Série De Filmes O Hobbit album by Alex Otaola" in texts
    assert any(text.endswith("Pop Punk Perfection 🍕 off of Deezer") for text in texts)
    assert not any("Ã" in text for text in texts)


@pytest.mark.long
def test_sst2_has_five_texts_with_two_labels():
    description = describe(read_once(published("sst2"), split="train"))
    assert len(description.conflicts) == 5
    assert description.duplicate_count == 371
    assert dict(description.label_counts) == {"0": 29_780, "1": 37_569}


@pytest.mark.parametrize(
    ("name", "split", "sentences", "words", "entity_types"),
    [
        ("wnut17", "train", 3_394, 62_730, 6),
        ("wnut17", "dev", 1_009, 15_733, 6),
        ("wnut17", "test", 1_287, 23_394, 6),
        # 1,841 blocks and 39,152 lines, of which 145 are document separators.
        ("wikigold", None, 1_841 - 145, 39_152 - 145, 4),
        ("snips_slots", "train", 13_084, 117_700, 39),
        ("snips_slots", "valid", 700, 6_384, 39),
        ("snips_slots", "test", 700, 6_354, 39),
    ],
)
def test_tagged_words(name, split, sentences, words, entity_types):
    dataset = read_tagged_examples(published(name), split=split)
    assert len(dataset) == sentences
    assert sum(len(example.words) for example in dataset) == words
    assert len({tag.partition("-")[2] for tag in dataset.labels} - {""}) == entity_types
    assert dataset.labels[0] == "O"
    assert dataset.skipped == ()


def test_wikigold_says_what_it_left_out():
    assert "145 document separators" in read_tagged_examples(published("wikigold")).notes[0]


@pytest.mark.parametrize(("split", "questions", "paragraphs"), [("new_wiki", 7_938, 1_581), ("reddit", 9_803, 2_035)])
def test_questions(split, questions, paragraphs):
    folder = published("squadshifts")
    dataset = read_span_examples(folder, split=split)
    assert len(dataset) == questions
    assert dataset.skipped == ()
    document = json.loads((folder / f"{split}_v1.0.json").read_text(encoding="utf-8"))
    contexts = [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]]
    assert len(contexts) == paragraphs
    assert {example.context for example in dataset} == set(contexts)
    for example in dataset:
        for answer in example.answers:
            assert example.context[answer.start : answer.start + len(answer.text)] == answer.text
