"""`trim_checkpoint`: the folder, and what the .tflite made of it packs and answers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.bundle import read_bundle
from edgebert.compression.quantizing.ranges import QuantizationRanges, StoredRanges
from edgebert.compression.vocabulary.choosing import Choice
from edgebert.compression.vocabulary.counting import corpus_of_examples
from edgebert.data.examples import Dataset, Example
from edgebert.data.vocabulary import read_vocabulary
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.answering import AnsweringModel
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.stations import trimming
from edgebert.stations.file_comparison import FILES_FOLDER, FileComparison, check_comparable, compare_files
from edgebert.stations.trimming import TrimmedCheckpoint, TrimRequest, trim_checkpoint
from edgebert.training.hashing import values_sha256
from tests.data.house_form import assert_house_form
from tests.stations.small_model import CONFIG, PIECES, write_model

TRAIN = ("the cat sat on the mat.", "good dog and red cat", "the dog sat")
SEEN, UNSEEN = ("the cat and the dog.", "good red mat"), ("the blue zebra", "cat house", "dog ß")


def dataset(*texts: str, labels: tuple[str, ...] | None = ("bad", "fine")) -> Dataset:
    examples = (Example(text, None, labels and labels[number % 2]) for number, text in enumerate(texts))
    return Dataset(tuple(examples), labels, "texts.tsv")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("trimming") / "model")


def request(model: Path, precision: str | None = None, **choice: int) -> TrimRequest:
    checkpoint = load_checkpoint(model)
    dev = dataset(*SEEN, *UNSEEN)
    corpus = corpus_of_examples(dataset(*TRAIN), dev, WordPiece.from_folder(model))
    return TrimRequest(checkpoint, corpus, Choice(**choice), dev, precision)


@pytest.fixture(scope="module")
def compared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FileComparison]:
    """A folder with the files before and after."""
    place = tmp_path_factory.mktemp("compared")
    trim_checkpoint(request(model), place / "trimmed")
    return place, compare_files(model, place / "trimmed", "dynamic", dataset(*SEEN), place)


@pytest.fixture(scope="module")
def made(model: Path, compared, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrimmedCheckpoint]:
    """With files that a call which was cut short had finished."""
    folder = tmp_path_factory.mktemp("made") / "trimmed"
    finished = folder / "training" / FILES_FOLDER
    finished.mkdir(parents=True)
    for name in ("before.tflite", "after.tflite"):
        shutil.copy(compared[0] / FILES_FOLDER / name, finished)
    return folder, trim_checkpoint(request(model, "dynamic"), folder)


def test_the_folder_holds_fewer_pieces_and_says_what_that_does(model: Path, made) -> None:
    folder, done = made
    gone = {"blue", "of", "zebra", "##ing", "house"}
    assert read_vocabulary(folder / "vocab.txt") == tuple(piece for piece in PIECES if piece not in gone)
    assert (done.pieces_before, done.pieces_after) == (len(PIECES), len(PIECES) - len(gone))
    after = load_checkpoint(folder)
    assert done.parameters_after == sum(values.size for values in after.tensors.values())
    assert done.parameters_before - done.parameters_after == CONFIG.width * len(gone)
    (effect,) = done.effects
    assert (effect.texts, effect.changed_texts, effect.unknown_before, effect.unknown_after) == (5, 2, 1, 1)
    assert effect.pieces_after - effect.pieces_before == len("blue") + len("zebra") + len("house") - 3
    assert not (folder / "training" / FILES_FOLDER).exists()


def test_a_finished_one_is_only_reported(model: Path, made) -> None:
    folder, done = made
    again = trim_checkpoint(request(model, "dynamic"), folder)
    assert again.found and again.to_json() == done.to_json()


def test_the_file_is_smaller_packs_the_smaller_vocabulary_and_answers_the_same(compared, made) -> None:
    (place, files), (folder, done) = compared, made
    packed = read_bundle(place / FILES_FOLDER / "after.tflite").vocabulary
    assert tuple(packed) == read_vocabulary(folder / "vocab.txt")
    assert files.after.size_bytes == (place / FILES_FOLDER / "after.tflite").stat().st_size < files.before.size_bytes
    assert files.after.gzipped_bytes < files.before.gzipped_bytes
    before, after = (AnsweringModel(place / FILES_FOLDER / f"{name}.tflite") for name in ("before", "after"))
    pairs = [(text, None) for text in SEEN] + [(SEEN[0], SEEN[1])]
    # Each row of the table has a scale of its own, so not one bit is another.
    np.testing.assert_array_equal(before.answer_all(pairs), after.answer_all(pairs))
    assert files.agreement == 1.0 and files.before.dev_score == files.after.dev_score
    sizes = [(one.before.size_bytes, one.after.size_bytes) for one in (files, done.files)]
    assert sizes[0] == sizes[1] and done.files.metric == "accuracy" and 0 <= done.files.after.dev_score <= 1


def test_interrupted_the_same_call_makes_the_same(model: Path, made, tmp_path: Path, monkeypatch) -> None:
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trimming, "compare_files", interrupt)
        with pytest.raises(KeyboardInterrupt):
            trim_checkpoint(request(model, "dynamic"), tmp_path / "cut")
    assert json.loads((tmp_path / "cut" / "training" / "record.json").read_text())["state"] == "begun"
    monkeypatch.setattr(trimming, "compare_files", lambda *_: made[1].files)
    done = trim_checkpoint(request(model, "dynamic"), tmp_path / "cut")
    assert not done.found and done == made[1]
    for name in ("model.safetensors", "config.json", "vocab.txt"):
        assert (tmp_path / "cut" / name).read_bytes() == (made[0] / name).read_bytes()


def test_what_it_depends_on_is_all_in_the_record(model: Path) -> None:
    asked = [request(model), request(model, "dynamic"), request(model, minimum_count=2), request(model, keep_pieces=66)]
    other = dataset(*TRAIN, "blue")
    corpus = corpus_of_examples(other, dataset(*SEEN), WordPiece.from_folder(model))
    asked.append(TrimRequest(load_checkpoint(model), corpus, precision=None))
    assert len({json.dumps(one.to_json()) for one in asked}) == len(asked)


def test_an_encoder_without_a_head_is_trimmed_without_files(tmp_path: Path) -> None:
    write_model(tmp_path / "bare", head=None)
    with pytest.raises(ArtefactError) as caught:
        request(tmp_path / "bare", "dynamic")
    assert_house_form(str(caught.value))
    assert "got none. Do: leave the files out (--no-files)" in str(caught.value)
    done = trim_checkpoint(request(tmp_path / "bare"), tmp_path / "new")
    assert done.files is None and load_checkpoint(tmp_path / "new").encoder.vocabulary_size == done.pieces_after


@pytest.mark.parametrize("precision", ["int3", "static"])
def test_precisions_that_no_file_can_be_made_in_are_refused(model: Path, precision: str) -> None:
    with pytest.raises(ArtefactError):
        check_comparable(load_checkpoint(model), precision)


def test_unlabelled_texts_are_compared_without_scores(model: Path, compared) -> None:
    place, _ = compared
    files = compare_files(model, place / "trimmed", "dynamic", dataset(*SEEN, labels=None), place)
    assert (files.metric, files.agreement, files.after.dev_score) == (None, None, None)


def sha256_of(folder: Path) -> str:
    return values_sha256(model_tensors(load_model(load_checkpoint(folder)).model))


def test_ranges_that_the_model_was_trained_with_go_along(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "learnt")
    ranges = QuantizationRanges("static", (), (), (), ("encoder.embeddings.word",))
    StoredRanges(ranges, sha256_of(folder), {"epochs": 1}).write(folder)
    trim_checkpoint(request(folder), tmp_path / "new")
    found = StoredRanges.read(tmp_path / "new")
    assert (found.ranges.to_json(), found.learnt) == (ranges.to_json(), {"epochs": 1})
    assert found.weights_sha256 == sha256_of(tmp_path / "new") != sha256_of(folder)
    with_ranges = request(folder).to_json()
    StoredRanges(ranges, "of other weights", {}).write(folder)
    assert request(folder).to_json() != with_ranges
    with pytest.raises(ArtefactError) as caught:
        trim_checkpoint(request(folder), tmp_path / "other")
    assert_house_form(str(caught.value))
    assert "expected ranges that were learnt with these weights" in str(caught.value)
    assert not (tmp_path / "other" / "model.safetensors").exists()
