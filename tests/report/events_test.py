"""Event files as TensorFlow writes them, whole, cut and damaged; and the curves of steps that they make."""

from pathlib import Path

import pytest

from edgebert.report.events import read_events
from edgebert.report.stages import StageRecord
from edgebert.report.training_curves import curves_of
from edgebert.training.curves import Curves
from tests.report.runs import EPOCHS


def written(folder: Path, steps: int = 25) -> Path:
    """By our own writer, which goes through TensorFlow's records and messages."""
    with Curves(folder) as curves:
        curves.go_on_from(0)
        for step in range(1, steps + 1):
            curves.add_step(step, {"loss": 3.0 / step, "hidden": 2.0 / step, "label": 1.0 / step}, 1e-3)
        curves.add_dev_score(steps, 0.75)
    (path,) = folder.glob("events.out.tfevents.*")
    return path


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("events"))


def test_every_scalar_is_read(events: Path) -> None:
    found = list(read_events(events))
    assert [one.step for one in found] == [*range(1, 26), 25]
    assert found[9].values == pytest.approx({"loss": 0.3, "loss/hidden": 0.2, "loss/label": 0.1, "learning_rate": 1e-3})
    assert found[-1].values == {"dev_score": 0.75}


def test_reading_ends_where_a_kill_cut_the_file(events: Path, tmp_path: Path) -> None:
    content = events.read_bytes()
    cut = tmp_path / events.name
    counts = []
    for length in range(0, len(content), 97):
        cut.write_bytes(content[:length])
        counts.append(len(list(read_events(cut))))
    assert counts == sorted(counts)
    assert counts[-1] < len(list(read_events(events)))


def test_a_damaged_record_ends_the_reading(events: Path, tmp_path: Path) -> None:
    content = bytearray(events.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / events.name
    path.write_bytes(content)
    assert 0 < len(list(read_events(path))) < len(list(read_events(events)))


def stage_in(folder: Path, result: object) -> StageRecord:
    return StageRecord("distill", folder, True, None, {}, result, {})


def test_events_are_curves_by_step_with_the_results_names(tmp_path: Path) -> None:
    written(tmp_path / "checkpoint" / "training" / "step-1-tinybert" / "events")
    step = {"recipe": "tinybert", "chosen_by": "negated dev loss", "epochs": EPOCHS}
    (curve,) = curves_of(0, stage_in(tmp_path, {"steps": [step]}))
    assert (curve.axis, curve.title, curve.dev_name) == ("step", "tinybert", "negated dev loss")
    assert curve.positions == tuple(range(1, 26))
    assert set(curve.terms) == {"all terms", "hidden", "label"}
    assert curve.terms["hidden"] == pytest.approx([2.0 / step for step in range(1, 26)])
    assert (curve.dev_positions, curve.dev_scores) == ((25,), (0.75,))
    (unnamed,) = curves_of(0, stage_in(tmp_path, {}))
    assert (unnamed.title, unnamed.dev_name) == ("step-1-tinybert", "dev score")


def test_many_steps_become_means_of_neighbours(tmp_path: Path) -> None:
    written(tmp_path / "events", steps=1000)
    (curve,) = curves_of(0, stage_in(tmp_path, None))
    assert len(curve.positions) == 200
    assert curve.positions[0] == 5
    assert curve.terms["label"][0] == pytest.approx(sum(1.0 / step for step in range(1, 6)) / 5)


def test_epochs_stay_where_events_of_some_trainings_are_missing(tmp_path: Path) -> None:
    written(tmp_path / "one" / "events")
    result = {"steps": [{"recipe": name, "epochs": EPOCHS} for name in ("first", "second")]}
    assert [(curve.title, curve.axis) for curve in curves_of(0, stage_in(tmp_path, result))] == [
        ("first", "epoch"),
        ("second", "epoch"),
    ]
