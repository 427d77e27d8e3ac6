"""`factorise_checkpoint`: with and without healing, resumed, and refused before anything is written."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.vocabulary.counting import corpus_of_examples
from edgebert.compression.vocabulary.factorising import RankChoice
from edgebert.data.batches import encode_dataset
from edgebert.data.examples import Dataset, Example
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.planning import TrainingChoices
from edgebert.errors import ArtefactError, CheckpointError, TrainingError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.loading import load_model
from edgebert.stations import factorising
from edgebert.stations.factorise_request import FactoriseRequest, Healing, healing_recipe
from edgebert.stations.factorising import check_request, factorise_checkpoint
from edgebert.stations.file_comparison import FileComparison, FileFacts
from edgebert.training.scoring import predict
from edgebert.training.settings import TrainingSettings
from tests.data.house_form import assert_house_form
from tests.stations.small_model import CONFIG, WORDS, write_model

RANK = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(write_model(tmp_path_factory.mktemp("factorising") / "model"))


@functools.cache
def texts(folder: Path, count: int, seed: int) -> Dataset:
    """Labelled as the model in the folder answers: what healing is to bring back."""
    draw = np.random.default_rng(seed)
    said = tuple(Example(" ".join(draw.choice(WORDS, 5))) for _ in range(count))
    encoded = encode_dataset(Dataset(said, None, "said"), WordPiece.from_folder(folder), 32)
    answers = predict(load_model(load_checkpoint(folder)).model, encoded)
    labels = np.argmax(answers, axis=-1)
    examples = (Example(one.text, None, ("bad", "fine")[int(label)]) for one, label in zip(said, labels, strict=True))
    return Dataset(tuple(examples), ("bad", "fine"), f"texts-{seed}.tsv")


def request(model: Checkpoint, heals: bool = True, precision: str | None = None, **settings) -> FactoriseRequest:
    train, dev = texts(model.source, 64, 1), texts(model.source, 48, 2)
    healing = None
    if heals:
        common = TrainingSettings(batch_size=8, warmup_share=0.0, weight_decay=0.0)
        training = TrainingChoices(common, (settings.get("epochs", 3),), (3e-3,))
        healing = Healing((model,), train, dev, healing_recipe(None, model, model), training)
    corpus = corpus_of_examples(train, dev, WordPiece.from_folder(model.source))
    return FactoriseRequest(model, RankChoice(settings.get("rank", RANK)), corpus, dev, precision, healing)


@pytest.fixture(scope="module")
def healed(model: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("healed") / "narrow"
    factorise_checkpoint(request(model), folder)
    return folder


def test_healing_trains_towards_the_teacher_and_without_a_teacher_nothing_is_trained(model, healed, tmp_path) -> None:
    (step,) = factorise_checkpoint(request(model), healed).healed.steps
    losses = [epoch.training_loss for epoch in step.epochs]
    assert losses[-1] < 0.8 * losses[0]
    plain = factorise_checkpoint(request(model, heals=False), tmp_path / "plain")
    assert plain.healed is None and plain.rank == RANK
    hurt, well = load_checkpoint(tmp_path / "plain"), load_checkpoint(healed)
    assert hurt.encoder == well.encoder and well.head == model.head
    assert (well.encoder.projection, well.encoder.embedding_width) == ("before_sum", RANK)
    for name, values in request(model).factorised.tensors.items():
        np.testing.assert_array_equal(hurt.tensors[name], values, err_msg=name)
        assert not np.array_equal(well.tensors[name], values), name


def test_where_nothing_is_learnt_the_model_is_the_factorised_one(model: Checkpoint, tmp_path: Path) -> None:
    asked = request(model)
    still = TrainingChoices(TrainingSettings(batch_size=8), (1,), (1e-12,))
    healing = Healing(asked.healing.teachers, asked.healing.train, asked.healing.dev, asked.healing.recipe, still)
    factorise_checkpoint(FactoriseRequest(model, asked.choice, asked.corpus, None, None, healing), tmp_path / "still")
    made = load_checkpoint(tmp_path / "still")
    for name, values in asked.factorised.tensors.items():
        np.testing.assert_allclose(made.tensors[name], values, atol=1e-6, err_msg=name)


def test_a_finished_one_is_only_reported_with_its_epochs(model: Checkpoint, healed: Path) -> None:
    again = factorise_checkpoint(request(model), healed)
    (step,) = again.healed.steps
    assert again.found and step.recipe == "tinybert_joint" and len(step.epochs) == 3
    assert again.kept_energy == request(model).factorised.kept_energy
    assert {path.name for path in healed.iterdir()} == {"config.json", "model.safetensors", "vocab.txt", "training"}


@pytest.mark.long
def test_cut_short_in_its_healing_the_same_call_ends_with_the_same_bits(model, healed, tmp_path, monkeypatch) -> None:
    seen = []

    def interrupt(progress) -> None:
        seen.append(progress)
        if len(seen) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        factorise_checkpoint(request(model), tmp_path / "cut", interrupt)
    assert json.loads((tmp_path / "cut" / "training" / "record.json").read_text())["state"] == "begun"
    factorise_checkpoint(request(model), tmp_path / "cut")
    ours, whole = (load_checkpoint(folder).tensors for folder in (tmp_path / "cut", healed))
    for name, values in whole.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)


def test_files_of_both_are_compared(model: Checkpoint, tmp_path: Path, monkeypatch) -> None:
    compared = []
    files = FileComparison("dynamic", "accuracy", FileFacts(9, 8, 0.5), FileFacts(7, 6, 0.25), 0.75)
    monkeypatch.setattr(factorising, "compare_files", lambda *given: compared.append(given) or files)
    asked = request(model, heals=False, precision="dynamic")
    done = factorise_checkpoint(asked, tmp_path / "out")
    assert [given[:4] for given in compared] == [(model.source, tmp_path / "out", "dynamic", asked.dev)]
    again = factorise_checkpoint(asked, tmp_path / "out")
    assert done.files == again.files == files and again.found and len(compared) == 1


def test_a_teacher_of_the_models_width_is_not_projected_unless_a_recipe_says_so(model: Checkpoint) -> None:
    assert healing_recipe(None, model, model).projection == "none"
    assert healing_recipe("minilm", model, model).name == "minilm"
    assert healing_recipe("tinybert_joint", model, model).projection == "shared"


@pytest.mark.parametrize(
    ("choose", "error", "says"),
    [
        (
            lambda model: healing_recipe("tinybert", model, model),
            TrainingError,
            "got tinybert of 2. Do: write tinybert_",
        ),
        (lambda model: request(model, rank=33).factorised, CheckpointError, "expected 1 to 32"),
        (lambda model: request(model, precision="int4-embedding"), ArtefactError, "blocks of 32 divide, got 8"),
        (lambda model: request(model, precision="hybrid"), ArtefactError, "expected texts to calibrate"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(model, choose, error, says, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        choose(model)
    assert_house_form(str(caught.value))
    assert says in str(caught.value)


def test_a_teacher_that_reads_other_tokens_is_refused(model: Checkpoint, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other")
    pieces = (other / "vocab.txt").read_text().split("\n")
    (other / "vocab.txt").write_text("\n".join([*pieces[:-3], pieces[-2], pieces[-3], ""]))
    asked = request(model)
    healing = Healing((load_checkpoint(other),), asked.healing.train, asked.healing.dev, asked.healing.recipe)
    with pytest.raises(TrainingError, match="a student with the teacher's vocabulary"):
        check_request(FactoriseRequest(model, asked.choice, None, None, None, healing), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_it_depends_on_is_all_in_the_record(model: Checkpoint) -> None:
    asked = [
        request(model),
        request(model, heals=False),
        request(model, rank=9),
        request(model, epochs=2),
        request(model, precision="dynamic"),
        FactoriseRequest(model, RankChoice(RANK), precision=None),
    ]
    assert len({json.dumps(one.to_json()) for one in asked}) == len(asked)
    assert asked[0].heal.student == asked[0].factorised.encoder != CONFIG
