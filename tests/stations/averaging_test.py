"""The mean of weights: its values against numpy's, its number type, what is refused, and what a kill leaves."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE
from edgebert.data.batches import encode_dataset
from edgebert.data.examples import Dataset, Example
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.projections import read_projections, save_projections
from edgebert.errors import DataError, EdgebertError, TrainingError
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.tensor_file import StoredTensor, read_tensor_file, tensor_file_bytes
from edgebert.stations import averaging
from edgebert.stations.average_request import AverageRequest
from edgebert.stations.averaging import average_checkpoints
from edgebert.training.scoring import predict, score
from tests.data.house_form import assert_house_form
from tests.stations.small_model import CONFIG, HEAD, PIECES, write_model

WEIGHTS = "model.safetensors"
MATRIX = "encoder.blocks.0.query.kernel"


def write_training(folder: Path, start: Path, seed: int, **changes: np.ndarray) -> Path:
    """`start` moved a little, as a training moves it."""
    source, generator = load_checkpoint(start), np.random.default_rng(seed)
    moved = {
        name: (values + 0.02 * generator.normal(size=values.shape)).astype(np.float32)
        for name, values in source.tensors.items()
    }
    save_checkpoint(folder, moved | changes, source.encoder, source.head, source)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A start, three trainings from it."""
    folder = tmp_path_factory.mktemp("averaging")
    write_model(folder / "start")
    for number, name in enumerate(("one", "two", "three")):
        write_training(folder / name, folder / "start", number)
    return folder


def request(*folders: Path, dev: Dataset | None = None, length: int | None = None) -> AverageRequest:
    return AverageRequest(tuple(load_checkpoint(folder) for folder in folders), dev, length)


def labelled(*labels: str, order: tuple[str, ...] | None = HEAD.labels) -> Dataset:
    texts = ("the cat sat", "good dog", "the red mat on the house", "blue zebra and cat", "dog", "the mat of cat")
    return Dataset(tuple(Example(text, None, label) for text, label in zip(texts, labels, strict=False)), order, "dev")


def rewritten(source: Path, target: Path, change) -> Path:
    """A copy whose tensors went through `change(name, tensor)`; None leaves one out."""
    shutil.copytree(source, target)
    file = read_tensor_file(source / WEIGHTS)
    changed = {name: change(name, tensor) for name, tensor in file.tensors.items()}
    content = tensor_file_bytes({name: one for name, one in changed.items() if one is not None}, file.metadata)
    (target / WEIGHTS).write_bytes(content)
    return target


def refusal(*folders: Path, dev: Dataset | None = None) -> str:
    with pytest.raises(EdgebertError) as caught:
        request(*folders, dev=dev)
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_every_tensor_is_the_mean_in_float64_rounded_once(place: Path, tmp_path: Path) -> None:
    folders = [place / name for name in ("one", "two", "three")]
    done = average_checkpoints(request(*folders), tmp_path / "mean")
    made, read = load_checkpoint(tmp_path / "mean"), [load_checkpoint(folder).tensors for folder in folders]
    assert made.tensors.keys() == read[0].keys()
    squares, length = np.zeros(3), 0.0
    for name, values in made.tensors.items():
        exact = sum(tensors[name].astype(np.float64) for tensors in read) / 3
        np.testing.assert_array_equal(values, exact.astype(np.float32), err_msg=name)
        squares += [np.square(tensors[name].astype(np.float64) - exact).sum() for tensors in read]
        length += np.square(exact).sum()
    np.testing.assert_allclose(done.distances, np.sqrt(squares / length), rtol=1e-9)
    assert (done.metric, done.dev_scores, done.dev_score) == (None, (), None)
    for name in ("config.json", "vocab.txt"):
        assert (tmp_path / "mean" / name).read_bytes() == (folders[0] / name).read_bytes()


@pytest.mark.parametrize("type_name", ["F16", "BF16", "F64"])
def test_the_mean_has_the_firsts_number_type(place: Path, tmp_path: Path, type_name: str) -> None:
    def stored(name: str, tensor: StoredTensor) -> StoredTensor:
        values = np.frombuffer(tensor.data, np.float32)
        if type_name == "BF16":
            return StoredTensor("BF16", tensor.shape, (values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
        # With digits that float32 has not.
        content = values.astype({"F16": np.float16, "F64": np.float64}[type_name]) * (1 + 1e-12)
        return StoredTensor(type_name, tensor.shape, content.tobytes())

    first = rewritten(place / "one", tmp_path / "first", stored)
    average_checkpoints(request(first, place / "two"), tmp_path / "mean")
    files = [read_tensor_file(folder / WEIGHTS).tensors for folder in (tmp_path / "mean", first, place / "two")]
    for name, tensor in files[0].items():
        assert (tensor.type_name, tensor.shape) == (type_name, files[1][name].shape)
        if type_name == "F64":
            one, mean = (np.frombuffer(file[name].data, np.float64) for file in (files[1], files[0]))
            other = np.frombuffer(files[2][name].data, np.float32)
            np.testing.assert_array_equal(mean, (one + other.astype(np.float64)) / 2)
            continue
        one, other = (file[name].float32().astype(np.float64) for file in files[1:])
        exact, got = (one + other) / 2, tensor.float32().astype(np.float64)
        # Half a unit in the last place of 8 or 11 bits; float16 has a least unit.
        unit = 2.0 ** -(7 if type_name == "BF16" else 10)
        assert (np.abs(got - exact) <= np.abs(exact) * unit / 2 * 1.0001 + 2.0**-25).all()


def test_bfloat16_rounds_to_the_nearest_and_of_two_to_the_even() -> None:
    """1 + k/128 are neighbours: halves between them go to even k, all else to the nearer."""
    like = StoredTensor("BF16", (5,), b"")
    values = 1 + np.array([0.5, 1.5, 1.25, 1.75, -256.5]) / 128
    got = averaging._stored(values, like).float32()
    np.testing.assert_array_equal(got, np.float32(1 + np.array([0, 2, 1, 2, -256]) / 128))


def test_scores_are_those_of_the_folders_scored_alone(place: Path, tmp_path: Path) -> None:
    dev = labelled("bad", "fine", "fine", "bad", "bad", "fine")
    done = average_checkpoints(request(place / "one", place / "two", dev=dev, length=16), tmp_path / "mean")
    alone = []
    for folder in (place / "one", place / "two", tmp_path / "mean"):
        checkpoint = load_checkpoint(folder)
        encoded = encode_dataset(dev, WordPiece.from_folder(folder), 16)
        alone.append(score(checkpoint.head, predict(load_model(checkpoint).model, encoded), encoded.targets))
    assert (done.metric, [*done.dev_scores, done.dev_score]) == ("accuracy", alone)


def test_a_finished_one_is_only_reported_and_inputs_are_all_in_the_record(place: Path, tmp_path: Path) -> None:
    asked = request(place / "one", place / "two", dev=labelled("bad", "fine"))
    done = average_checkpoints(asked, tmp_path / "mean")
    again = average_checkpoints(asked, tmp_path / "mean")
    assert again.found and again.to_json() == done.to_json() and again == dataclasses.replace(done, found=True)
    others = [
        asked,
        request(place / "two", place / "one", dev=labelled("bad", "fine")),
        request(place / "one", place / "three", dev=labelled("bad", "fine")),
        request(place / "one", place / "two", dev=labelled("bad", "bad")),
        request(place / "one", place / "two", dev=labelled("bad", "fine"), length=8),
        request(place / "one", place / "two"),
    ]
    assert len({json.dumps(other.to_json()) for other in others}) == len(others)


def test_interrupted_the_same_call_makes_the_same(place: Path, tmp_path: Path, monkeypatch) -> None:
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    asked = request(place / "one", place / "two")
    for late in ("save_checkpoint", "_scores"):
        with monkeypatch.context() as patched:
            patched.setattr(averaging, late, interrupt)
            with pytest.raises(KeyboardInterrupt):
                average_checkpoints(asked, tmp_path / "cut")
        assert json.loads((tmp_path / "cut" / "training" / "record.json").read_text())["state"] == "begun"
    done = average_checkpoints(asked, tmp_path / "cut")
    assert not done.found and done == average_checkpoints(asked, tmp_path / "whole")
    assert (tmp_path / "cut" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_fewer_than_two_and_one_twice_are_refused(place: Path, tmp_path: Path) -> None:
    assert "expected two or more to average, got 1" in refusal(place / "one")
    assert "expected weights of its own" in refusal(place / "one", place / "two", place / "one" / ".." / "one")
    shutil.copytree(place / "one", tmp_path / "copy")
    assert f"{tmp_path / 'copy'}: expected weights of its own" in refusal(place / "one", tmp_path / "copy")


def test_other_models_are_refused_by_what_differs(place: Path, tmp_path: Path) -> None:
    first = place / "one"
    write_model(tmp_path / "narrow", dataclasses.replace(CONFIG, feed_forward_width=44))
    assert "got feed_forward_width 44 instead of 48" in refusal(first, tmp_path / "narrow")
    write_model(tmp_path / "order", head=dataclasses.replace(HEAD, labels=("fine", "bad")))
    assert "got another (labels fine, bad instead of bad, fine)" in refusal(first, tmp_path / "order")
    write_model(tmp_path / "first row", head=dataclasses.replace(HEAD, pooling="first"))
    assert "got another (pooling first instead of mean)" in refusal(first, tmp_path / "first row")
    write_model(tmp_path / "bare", head=None)
    assert "got another (kind None instead of classification)" in refusal(first, tmp_path / "bare")
    # Dropout is no part of the model.
    write_model(tmp_path / "dropout", dataclasses.replace(CONFIG, dropout=0.3))
    write_training(tmp_path / "trained", tmp_path / "dropout", 7)
    request(first, tmp_path / "trained")


def test_other_tokenizers_are_refused(place: Path, tmp_path: Path) -> None:
    for name in ("pieces", "case"):
        shutil.copytree(place / "two", tmp_path / name)
    (tmp_path / "pieces" / "vocab.txt").write_text("\n".join(PIECES).replace("\nzebra\n", "\nzebu\n") + "\n")
    (tmp_path / "case" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert "got another vocabulary" in refusal(place / "one", tmp_path / "pieces")
    assert "got another lowercase" in refusal(place / "one", tmp_path / "case")


def test_tensors_without_a_mean_or_a_partner_are_refused(place: Path, tmp_path: Path) -> None:
    """Those beside the model's own: a head that was left aside, a count."""

    def with_extra(source: str, target: str, extra: StoredTensor) -> Path:
        folder = rewritten(place / source, tmp_path / target, lambda name, tensor: tensor)
        file = read_tensor_file(folder / WEIGHTS)
        (folder / WEIGHTS).write_bytes(tensor_file_bytes({**file.tensors, "cls.predictions.bias": extra}, {}))
        return folder

    def integers(*values: int) -> StoredTensor:
        return StoredTensor("I64", (len(values),), np.array(values, np.int64).tobytes())

    short = with_extra("one", "short", integers(1, 2))
    assert "cls.predictions.bias in one of them alone" in refusal(short, place / "two")
    assert "expected the shape [2]" in refusal(short, with_extra("two", "long", integers(1, 2, 3)))
    assert "expected I64 values as in" in refusal(short, with_extra("two", "others", integers(1, 3)))
    average_checkpoints(request(short, with_extra("two", "same", integers(1, 2))), tmp_path / "mean")
    kept = read_tensor_file(tmp_path / "mean" / WEIGHTS).tensors["cls.predictions.bias"]
    assert bytes(kept.data) == bytes(integers(1, 2).data)


def test_pruned_apart_is_refused_and_pruned_alike_stays_pruned(place: Path, tmp_path: Path) -> None:
    start = load_checkpoint(place / "start").tensors[MATRIX]
    masks = np.random.default_rng(5).random((2, *start.shape)) < 0.5
    for name, mask in (("a", masks[0]), ("b", masks[1]), ("c", masks[0])):
        pruned = {MATRIX: np.where(mask, 0, start + 0.01 * len(name)).astype(np.float32)}
        write_training(tmp_path / name, place / "start", ord(name), **pruned)
    for folders in (("a", "b"), ("b", "a")):
        assert "Do: average first, then edgebert prune the mean" in refusal(*(tmp_path / name for name in folders))
    assert "zeros of which the mean would keep 0%" in refusal(place / "one", tmp_path / "a")
    average_checkpoints(request(tmp_path / "a", tmp_path / "c"), tmp_path / "mean")
    np.testing.assert_array_equal(load_checkpoint(tmp_path / "mean").tensors[MATRIX] == 0, masks[0])


def test_ranges_of_one_training_are_refused(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "two", tmp_path / "quantised")
    (tmp_path / "quantised" / QUANTIZATION_FILE).write_text("{}")
    for folders in ((place / "one", tmp_path / "quantised"), (tmp_path / "quantised", place / "one")):
        assert f"got one with {QUANTIZATION_FILE}" in refusal(*folders)


def test_projections_are_averaged_where_all_have_the_same(place: Path, tmp_path: Path) -> None:
    folders = []
    for number, name in enumerate(("one", "two")):
        folders.append(Path(shutil.copytree(place / name, tmp_path / name)))
        save_projections(folders[-1], {"shared.kernel": np.full((2, 3), number, np.float32)})
    average_checkpoints(request(*folders), tmp_path / "mean")
    np.testing.assert_array_equal(read_projections(tmp_path / "mean")["shared.kernel"], np.full((2, 3), 0.5))
    assert load_checkpoint(tmp_path / "mean").head == HEAD
    alone = request(folders[0], place / "two")
    assert alone.leaves_projections_out and not request(*folders).leaves_projections_out
    average_checkpoints(alone, tmp_path / "without")
    assert read_projections(tmp_path / "without") == {}


def test_data_of_another_task_is_refused(place: Path, tmp_path: Path) -> None:
    folders = place / "one", place / "two"
    for dev, says in (
        (labelled("bad", order=("bad",)), "expected the checkpoints' 2 labels in their order, got bad"),
        (labelled("fine", "bad", order=("fine", "bad")), "got fine, bad"),
        (Dataset((Example("a cat", None, 1.5),), None, "numbers"), "expected labels for the checkpoints' classif"),
        (Dataset((Example("a cat", None, None),), None, "texts"), "expected a label for every dev example"),
    ):
        with pytest.raises((DataError, TrainingError)) as caught:
            request(*folders, dev=dev)
        assert_house_form(str(caught.value))
        assert says in str(caught.value)
    write_model(tmp_path / "bare", head=None)
    write_training(tmp_path / "also", tmp_path / "bare", 3)
    assert "Do: leave the data out" in refusal(tmp_path / "bare", tmp_path / "also", dev=labelled("bad"))
    average_checkpoints(request(tmp_path / "bare", tmp_path / "also"), tmp_path / "mean")
    assert load_checkpoint(tmp_path / "mean").head is None
