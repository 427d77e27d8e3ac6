"""A result is made once, taken up where it stood, and never replaced unasked."""

import json
from pathlib import Path

import pytest

from edgebert.errors import OutputError
from edgebert.stations.result_folder import RECORD_FILE, ResultFolder, require_free, work_folder
from tests.data.house_form import assert_house_form

INPUTS = {"data": "abc", "settings": {"epochs": 3, "rate": 0.1}, "labels": ["no", "yes"]}


def made(path: Path, inputs: dict = INPUTS, **how) -> ResultFolder:
    """A finished result with a checkpoint of one file, curves and what only served to go on."""
    with ResultFolder(path, "test", inputs, **how) as place:
        if not place.finished:
            place.begin()
            (path / "config.json").write_text(json.dumps(inputs))
            for name in ("state.bin", "teacher/cache.bin", "step-1/state.bin", "step-1/events/curve", "events/curve"):
                (place.work / name).parent.mkdir(exist_ok=True, parents=True)
                (place.work / name).write_text("x")
            (place.work / "skipped-train.jsonl").write_text("{}")
            place.finish({"score": inputs["settings"]["epochs"]})
    return place


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def refusal(path: Path, inputs: dict = INPUTS, **how) -> str:
    with pytest.raises(OutputError) as caught, ResultFolder(path, "test", inputs, **how):
        pass
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_a_finished_result_keeps_its_files_its_curves_and_its_record_alone(tmp_path: Path) -> None:
    made(tmp_path)
    assert files(tmp_path) == {
        "config.json",
        "training/.lock",
        "training/record.json",
        "training/skipped-train.jsonl",
        "training/events/curve",
        "training/step-1/events/curve",
    }
    assert not (tmp_path / "training" / "teacher").exists()


def test_a_finished_result_is_found_wherever_it_lies(tmp_path: Path) -> None:
    made(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    before = (tmp_path / "there" / "config.json").stat().st_mtime_ns
    again = made(tmp_path / "there")
    assert again.finished and again.result == {"score": 3}
    assert (tmp_path / "there" / "config.json").stat().st_mtime_ns == before


def test_what_a_kill_left_beside_a_finished_result_is_removed(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "training" / "state.bin").write_text("left")
    made(tmp_path)
    assert not (tmp_path / "training" / "state.bin").exists()


def test_an_unfinished_result_is_taken_up_with_all_that_it_had(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, "test", INPUTS) as place:
        place.begin()
        (place.work / "state.bin").write_text("half way")
    with ResultFolder(tmp_path, "test", INPUTS) as place:
        place.begin()
        assert not place.finished and (place.work / "state.bin").read_text() == "half way"


@pytest.mark.parametrize("finished", [True, False])
def test_other_inputs_are_refused_with_what_differs(tmp_path: Path, finished: bool) -> None:
    if finished:
        made(tmp_path)
    else:
        with ResultFolder(tmp_path, "test", INPUTS) as place:
            place.begin()
    other = INPUTS | {"settings": {"epochs": 4, "rate": 0.1}}
    state = "a finished one" if finished else "an unfinished one"
    assert f"got {state} of others (settings.epochs 3 there, 4 here). Do:" in refusal(tmp_path, other)
    before = files(tmp_path)
    ResultFolder(tmp_path, "test", other, replace=True).check()
    with pytest.raises(OutputError, match="of others"):
        ResultFolder(tmp_path, "test", other).check()
    assert files(tmp_path) == before
    made(tmp_path, other, replace=True)
    assert made(tmp_path, other).result == {"score": 4}
    assert json.loads((tmp_path / "config.json").read_text()) == other


def test_what_was_not_begun_leaves_the_folder_free(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, "test", INPUTS):
        pass
    assert made(tmp_path, INPUTS | {"data": "new"}).finished


def test_another_station_is_another_result(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(OutputError, match="station test there, prune here"), ResultFolder(tmp_path, "prune", INPUTS):
        pass


def test_replacing_leaves_what_somebody_added_and_nothing_of_the_old_run(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    assert made(tmp_path).finished
    with ResultFolder(tmp_path, "test", INPUTS | {"data": "new"}, replace=True) as place:
        assert (tmp_path / "config.json").exists()
        place.begin()
        assert files(tmp_path) == {
            "README.md",
            "training/.lock",
            "training/record.json",
            "training/skipped-train.jsonl",
        }


def test_a_result_that_was_changed_since_is_told_and_made_anew_on_demand_only(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "got config.json changed or gone" in refusal(tmp_path)
    assert made(tmp_path, replace=True).finished
    assert json.loads((tmp_path / "config.json").read_text()) == INPUTS


def test_a_folder_with_other_things_is_refused_even_with_replace(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for replace in (False, True):
        assert "got one that holds thesis.tex" in refusal(tmp_path, replace=replace)
    with pytest.raises(OutputError, match=r"holds thesis\.tex"):
        require_free(tmp_path)
    assert files(tmp_path) == {"thesis.tex"}
    require_free(tmp_path / "new")
    with pytest.raises(OutputError, match="expected a folder for the result"):
        require_free(tmp_path / "thesis.tex")


def test_two_processes_on_one_folder_are_refused(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, "test", INPUTS):
        assert "expected a run that nobody works on" in refusal(tmp_path)
    made(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"state": "finished"}'])
def test_a_record_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    work_folder(tmp_path).mkdir()
    (work_folder(tmp_path) / RECORD_FILE).write_text(content)
    assert "expected the record of a run" in refusal(tmp_path)
