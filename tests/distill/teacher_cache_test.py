"""Kept outputs of a teacher: the same training as with the teacher running, and never another's or half a file."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import build_parser
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import Encoded
from edgebert.distill import teacher_cache
from edgebert.distill.computing import teacher_needs
from edgebert.distill.distiller import Distiller
from edgebert.distill.published import published
from edgebert.distill.running import CacheSettings, is_kept
from edgebert.distill.teacher_cache import TeacherCache, cache_teacher, parts_of, size_bytes
from edgebert.errors import OutputError, TrainingError
from edgebert.keras import keras, tf
from edgebert.training.feed import Feed
from tests.data.house_form import assert_house_form
from tests.distill.cases import CLASSES, model

RECIPES = ("logits_only", "tinybert_intermediate", "patient_kd", "minilm", "attention_cross_entropy_task")


def texts(count: int = 21, seed: int = 0, targets: bool = True) -> EncodedDataset:
    generator = np.random.default_rng(seed)
    encoded = []
    for _ in range(count):
        ids = tuple(map(int, generator.integers(1, 40, generator.integers(1, 15))))
        encoded.append(Encoded(ids, (1,) * len(ids), (0,) * len(ids)))
    return EncodedDataset(tuple(encoded), generator.integers(0, 3, count) if targets else None)


def distiller(name: str) -> Distiller:
    # Keras draws the seeds of first weights from Python's generator, which TensorFlow's own seed leaves as it is.
    keras.utils.set_random_seed(0)
    return Distiller(model(2, layers=2, width=6), (model(1),), published(name))


def cached(folder: Path, made: Distiller, data: EncodedDataset, precision="float32", teacher="t", **changes):
    needs = teacher_needs(made.recipe, 2, 4)
    parts = parts_of(needs, made._teachers_of()[0].config, CLASSES.outputs, precision)
    return cache_teacher(folder, changes.get("teach", made.teach), teacher, needs, parts, data)


def losses(made: Distiller, data: EncodedDataset, cache: TeacherCache | None) -> list[dict[str, float]]:
    feed = Feed(data, 8, seed=3, extras=cache)
    batches = [tf.nest.map_structure(tf.constant, batch) for batch in feed.epoch(0)]
    found = [made.term_losses(*batch, training=False) for batch in batches]
    return [{name: float(value) for name, value in each.items()} for each in found]


def refuse(inputs):
    pytest.fail("expected the cache to be read, got the teacher asked")


@pytest.mark.parametrize("name", RECIPES)
def test_kept_outputs_give_the_losses_of_a_running_teacher(name: str, tmp_path: Path) -> None:
    made, data = distiller(name), texts()
    alive = losses(made, data, None)
    for precision, tolerance in (("float32", 1e-6), ("float16", 1e-3)):
        kept = losses(made, data, cached(tmp_path, made, data, precision))
        for ours, theirs in zip(kept, alive, strict=True):
            assert ours == pytest.approx(theirs, rel=tolerance, abs=1e-6)


def test_size_is_known_before_and_is_that_of_the_files(tmp_path: Path) -> None:
    made, data = distiller("tinybert_intermediate"), texts()
    cached(tmp_path, made, data)
    needs = teacher_needs(made.recipe, 2, 4)
    expected = size_bytes(parts_of(needs, model(1).config, 3, "float32"), data)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != teacher_cache.DESCRIPTION_FILE]
    assert sum(path.stat().st_size for path in files) == expected
    # By hand: embeddings and two layers of 12 numbers a token, two layers of 3 heads of t * t scores.
    lengths = np.array([len(item.input_ids) for item in data.encoded])
    assert expected == 4 * (3 * 12 * lengths.sum() + 2 * 3 * (lengths**2).sum())


def test_a_whole_cache_is_read_and_the_teacher_is_not_asked(tmp_path: Path) -> None:
    made, data = distiller("logits_only"), texts()
    first = losses(made, data, cached(tmp_path, made, data))
    assert losses(made, data, cached(tmp_path, made, data, teach=refuse)) == first
    # Labels are no input of a teacher: other ones leave its outputs as they are.
    cached(tmp_path, made, dataclasses.replace(data, targets=None), teach=refuse)


def test_anything_else_is_not_found(tmp_path: Path) -> None:
    made, data = distiller("tinybert_intermediate"), texts()
    cached(tmp_path, made, data)
    others = (
        {"teacher": "another"},
        {"data": texts(seed=1)},
        {"precision": "float16"},
        {"made": distiller("attention_cross_entropy_task")},
    )
    for change in others:
        asked, asking = [], change.get("made", made)

        def teach(inputs, asked=asked, asking=asking):
            asked.append(inputs)
            return asking.teach(inputs)

        cached(tmp_path, **({"made": made, "data": data, "teach": teach} | change))
        assert asked, change


@pytest.mark.parametrize("damage", ["cut", "missing", "no description", "unfinished"])
def test_half_a_cache_is_made_anew(damage: str, tmp_path: Path) -> None:
    made, data = distiller("logits_only"), texts()
    expected = losses(made, data, cached(tmp_path, made, data))
    (place,) = tmp_path.iterdir()
    part = place / "output"
    if damage == "cut":
        part.write_bytes(part.read_bytes()[:-4])
    elif damage == "missing":
        part.unlink()
    elif damage == "no description":
        (place / teacher_cache.DESCRIPTION_FILE).unlink()
    else:
        place.rename(place.with_suffix(".partial"))
    assert losses(made, data, cached(tmp_path, made, data)) == expected
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_full_disk_is_told_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgebert.distill.teacher_cache.os.posix_fallocate", full)
    with pytest.raises(OutputError, match="expected room for 252 bytes of the teacher's outputs"):
        cached(tmp_path, distiller("logits_only"), texts(), teach=refuse)
    assert not list(tmp_path.iterdir())


def test_values_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    made = distiller("align")
    for variable in made._teachers_of()[0].encoder.blocks[3].feed_forward.norm.trainable_variables:
        variable.assign(variable + 1e5)
    with pytest.raises(TrainingError, match=r"hidden\.4: expected values that float16 can hold") as caught:
        cached(tmp_path, made, texts(), "float16")
    assert_house_form(str(caught.value))
    shutil.rmtree(tmp_path)
    # What it advises: the flag is there, nothing is kept under it; float32 holds the values.
    assert "(--cache-budget 0)" in str(caught.value) and 'CacheSettings(precision="float32")' in str(caught.value)
    given = ["distill", "--teacher", "t", "--output", "o", "--data", "snips", "--cache-budget", "0"]
    budget = build_parser().parse_args(given).cache_budget
    needs = teacher_needs(made.recipe, 2, 4)
    assert not is_kept(needs, 1, epochs=2, cache=CacheSettings(budget_bytes=budget))
    cached(tmp_path, made, texts(), CacheSettings(precision="float32").precision)


def test_a_teacher_whose_answers_are_no_numbers_is_told_apart(tmp_path: Path) -> None:
    made = distiller("align")
    for variable in made._teachers_of()[0].encoder.blocks[3].feed_forward.norm.trainable_variables:
        variable.assign(variable * np.nan)
    with pytest.raises(TrainingError, match=r"hidden\.4: expected finite values, got NaN or infinity") as caught:
        cached(tmp_path, made, texts(), "float32")
    assert_house_form(str(caught.value))
