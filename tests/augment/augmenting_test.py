"""From examples to shards: the same whatever the shards, the order and the interruptions are."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.augment.augmenting import AugmentSettings, augment
from edgebert.augment.candidates import Candidates
from edgebert.augment.shards import read_augmented
from edgebert.data.examples import Dataset, Example
from edgebert.data.reading import read_examples
from edgebert.errors import CheckpointError, DataError, EdgebertError
from edgebert.run_directory import RECORD_FILE
from tests.augment.conftest import EXAMPLES
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form
from tests.models.folders import copy_of

TABLE = AugmentSettings(candidates_from="table", per_example=6, examples_per_shard=2)


def examples_of(folder: Path) -> list[Example]:
    return list(read_augmented(folder))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def by_original(made: list[Example], originals: tuple[Example, ...]) -> dict[Example, list[Example]]:
    groups: dict[Example, list[Example]] = {}
    for example in made:
        if example in originals:
            current = groups.setdefault(example, [])
        else:
            current.append(example)
    return groups


@pytest.mark.parametrize("source", ["table", "masked-words"])
def test_every_example_with_its_augmentations(teacher, data, tmp_path, source):
    made = augment(data, teacher, tmp_path, dataclasses.replace(TABLE, candidates_from=source))
    groups = by_original(examples_of(made.folder), EXAMPLES)
    assert tuple(groups) == EXAMPLES
    assert made.originals == 7 and made.shards == 4
    assert made.texts == made.new_texts == sum(map(len, groups.values()))
    for original, augmented in groups.items():
        assert len(augmented) == (0 if original.text == "the of and" else 6)
        assert len({*augmented, original}) == len(augmented) + 1
        assert {example.label for example in augmented} <= {original.label}
        for example in augmented:
            # Stop words, punctuation and blanks are where they were.
            kept = {"the", "of", "is,", "it?", "on", "a"} & set(original.text.split())
            assert kept <= set(example.text.split())
            assert len(example.text.split()) == len(original.text.split())
    assert all(example.text.split()[1] == "A" and example.text.isupper() for example in groups[EXAMPLES[2]])


def test_the_candidates_of_auto_are_the_heads_where_there_is_one(teacher):
    chosen = {source: Candidates(teacher, 15, source) for source in ("auto", "masked-words", "table")}
    assert chosen["auto"].identity == chosen["masked-words"].identity != chosen["table"].identity
    assert "masked-word head" in chosen["auto"].description and "table" in chosen["table"].description
    assert "table" in Candidates(GOLDEN / "reference" / "bert", 15).description


@pytest.mark.parametrize("source", ["table", "masked-words"])
def test_neither_shards_nor_order_change_what_is_made(teacher, data, tmp_path, source):
    settings = dataclasses.replace(TABLE, candidates_from=source)
    reference = by_original(examples_of(augment(data, teacher, tmp_path / "a", settings).folder), EXAMPLES)
    whole = dataclasses.replace(settings, examples_per_shard=100)
    backwards = dataclasses.replace(data, examples=EXAMPLES[::-1])
    other = by_original(examples_of(augment(backwards, teacher, tmp_path / "b", whole).folder), EXAMPLES)
    assert tuple(other) == EXAMPLES[::-1]
    assert other == reference
    seeded = augment(data, teacher, tmp_path / "c", dataclasses.replace(settings, seed=1))
    assert by_original(examples_of(seeded.folder), EXAMPLES) != reference


def test_an_example_that_stands_twice_is_augmented_once(teacher, data, tmp_path):
    once = augment(data, teacher, tmp_path / "once", TABLE)
    twice = augment(dataclasses.replace(data, examples=EXAMPLES * 2), teacher, tmp_path / "twice", TABLE)
    assert twice.originals == 7
    # The data's words are counted with their repetitions, which changes nothing among equals.
    assert examples_of(twice.folder) == examples_of(once.folder)


def test_what_is_finished_is_not_made_again(teacher, data, tmp_path):
    first = augment(data, teacher, tmp_path, TABLE)
    files = files_of(first.folder)
    heard = []
    second = augment(data, teacher, tmp_path, TABLE, report=heard.append)
    assert (second.new_texts, second.texts, heard) == (0, first.texts, [])
    assert files_of(second.folder) == files
    other = augment(data, teacher, tmp_path, dataclasses.replace(TABLE, per_example=2))
    assert other.new_texts == other.texts < first.texts


def test_a_damaged_shard_is_noticed_and_made_again(teacher, data, tmp_path):
    made = augment(data, teacher, tmp_path, TABLE)
    files = files_of(made.folder)
    shard = made.folder / "shard-00001.jsonl.gz"
    shard.write_bytes(shard.read_bytes()[:-9])
    again = augment(data, teacher, tmp_path, TABLE)
    # A finished folder that changed since is made anew as a whole: who knows what else changed.
    assert again.new_texts == made.texts
    assert files_of(again.folder) == files


KILLED = """
import os, pathlib, signal, sys
from edgebert.augment.augmenting import augment
from tests.augment.augmenting_test import TABLE, dataset
teacher, out, moment = sys.argv[1:]
replaced = []
replace = pathlib.Path.replace
def replace_or_die(self, target):
    replaced.append(target)
    # The file is written beside its place and not there yet.
    if len(replaced) == int(moment):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = replace_or_die
augment(dataset(), pathlib.Path(teacher), pathlib.Path(out), TABLE)
"""


def dataset() -> Dataset[Example]:
    return Dataset(EXAMPLES, ("film", "music", "weather"), "test")


# Before the stage's record, the first shard, the last shard and the record of the end.
@pytest.mark.parametrize("moment", [1, 2, 5, 6])
def test_killed_and_repeated_it_ends_as_if_never_interrupted(teacher, tmp_path, moment):
    whole = augment(dataset(), teacher, tmp_path / "whole", TABLE)
    out = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(teacher), str(out), str(moment)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    left = sorted(path.name for path in (out / "augmented").glob("shard-*"))
    assert len(left) == max(moment - 2, 0)
    times = {name: (out / "augmented" / name).stat().st_mtime_ns for name in left}
    with pytest.raises(DataError):
        examples_of(out / "augmented")
    again = augment(dataset(), teacher, out, TABLE)
    assert {name: (again.folder / name).stat().st_mtime_ns for name in left} == times
    assert files_of(again.folder) == files_of(whole.folder)
    assert (again.texts, again.originals, again.shards) == (whole.texts, whole.originals, whole.shards)


def test_shards_read_alone_and_joined(teacher, data, tmp_path):
    made = augment(data, teacher, tmp_path, TABLE)
    shards = sorted(made.folder.glob("shard-*.jsonl.gz"))
    joined = tmp_path / "train.jsonl.gz"
    joined.write_bytes(b"".join(shard.read_bytes() for shard in shards))
    assert list(read_examples(joined)) == examples_of(made.folder)
    # A shard alone need not have every class; read_augmented gives the order of the source.
    assert read_augmented(made.folder).labels == data.labels
    assert read_augmented(made.folder, data.labels[::-1]).labels == data.labels[::-1]


def test_pairs_with_numbers(teacher, tmp_path):
    pairs = tuple(Example(f"red {name} boat", f"a green {name} river", 1.0) for name in ("bread", "soup", "apple"))
    made = augment(Dataset(pairs, None, "pairs"), teacher, tmp_path, dataclasses.replace(TABLE, per_example=20))
    examples = examples_of(made.folder)
    assert made.texts == 60 and len(set(examples)) == 63
    whole = read_augmented(made.folder)
    assert whole.is_regression and whole.labels is None
    for original, augmented in by_original(examples, pairs).items():
        changed = {(new.text != original.text, new.second_text != original.second_text) for new in augmented}
        assert {(True, True), (False, True)} <= changed
        assert all(new.second_text.startswith("a ") for new in augmented)


def test_unlabelled(teacher, tmp_path):
    texts = Dataset((Example("red boat"), Example("green river")), None, "texts")
    made = augment(texts, teacher, tmp_path, TABLE)
    assert all(example.label is None for example in examples_of(made.folder)) and made.texts == 12


def test_word_vectors_serve_the_words_of_several_pieces(teacher, tmp_path):
    vectors = tmp_path / "glove.txt"
    vectors.write_text("planted 1 0\nsown 1 0.1\ngrown 1 0.2\nred 0 1\nblue 0.1 1\n", encoding="utf-8")
    text = Dataset((Example("Planted red slower"),), None, "text")
    made = augment(text, teacher, tmp_path, dataclasses.replace(TABLE, candidates=2, per_example=50), vectors)
    words = [{example.text.split()[place] for example in examples_of(made.folder)} for place in range(3)]
    assert words[0] == {"Planted", "Sown", "Grown"}
    # One piece: from the teacher's table and not from the file; and a word that the file does not hold stays.
    assert len(words[1]) == 3 and not words[1] & {"planted", "sown", "grown"}
    assert words[2] == {"slower"}
    vectors.write_text("planted 1 0\nraised 1 0.1\n", encoding="utf-8")
    again = augment(text, teacher, tmp_path, dataclasses.replace(TABLE, candidates=2, per_example=50), vectors)
    assert any("Raised" in example.text for example in examples_of(again.folder)), "the file changed, the shards not"


def test_progress_is_told(teacher, data, tmp_path):
    heard = []
    augment(data, teacher, tmp_path, TABLE, report=heard.append)
    assert [progress.task for progress in heard] == ["reading words", *["augmenting"] * 4]
    assert [progress.done for progress in heard] == [7, 2, 4, 6, 7] and {progress.total for progress in heard} == {7}
    assert all(progress.remark.endswith(" sentences/s") for progress in heard[1:])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"per_example": 0}, "per_example"),
        ({"candidates": 0}, "candidates"),
        ({"examples_per_shard": 0}, "examples_per_shard"),
        ({"replace_probability": 0.0}, "replace_probability"),
        ({"replace_probability": 1.5}, "replace_probability"),
        ({"replace_probability": float("nan")}, "replace_probability"),
        ({"candidates_from": "glove"}, "candidates_from"),
    ],
)
def test_settings_out_of_bounds(settings, named):
    with pytest.raises(DataError, match=f"^{named}: expected ") as caught:
        AugmentSettings(**settings)
    assert_house_form(str(caught.value))


def refusal(*arguments, **settings) -> str:
    with pytest.raises(EdgebertError) as caught:
        augment(*arguments, dataclasses.replace(TABLE, **settings))
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_data_that_cannot_be_augmented(teacher, tmp_path):
    assert "got none" in refusal(Dataset((), None, "empty"), teacher, tmp_path)
    mixed = Dataset((Example("red", None, "a"), Example("blue")), ("a",), "mixed")
    assert "a label for every example" in refusal(mixed, teacher, tmp_path)
    mixed = Dataset((Example("red", "blue"), Example("blue")), None, "mixed")
    assert "a second text for every example" in refusal(mixed, teacher, tmp_path)
    stop_words = Dataset((Example("the of and 3 ..."),), None, "stop words")
    assert "words that can be replaced" in refusal(stop_words, teacher, tmp_path)


def test_a_teacher_without_a_head_is_named_where_one_is_asked_for(data, tmp_path):
    folder = copy_of("bert", tmp_path)
    assert "expected the masked-word head" in refusal(data, folder, tmp_path / "out", candidates_from="masked-words")
    with pytest.raises(CheckpointError):
        augment(data, tmp_path / "nothing", tmp_path / "out", TABLE)


def test_an_unfinished_folder_is_not_read(tmp_path):
    for content in (None, b"{", b"[]", json.dumps({"state": "begun"}).encode()):
        if content is not None:
            (tmp_path / RECORD_FILE).write_bytes(content)
        with pytest.raises(DataError, match="expected the record of a finished augmentation") as caught:
            read_augmented(tmp_path)
        assert_house_form(str(caught.value))
