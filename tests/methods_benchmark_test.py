"""What configurations of benchmarks/methods say can be run: checkpoints and files that edgebert knows how to make."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.methods.plan import CONFIGS, STUDENT, TEACHER, read_plan
from benchmarks.methods.run import REFERENCE, RESULTS, Methods
from benchmarks.methods.tables import UNKNOWN, tables
from edgebert.benchmark.texts import read_texts
from edgebert.cli import build_parser
from edgebert.export.precisions import PRECISIONS

NAMES = sorted(path.stem for path in CONFIGS.glob("*.toml"))
PLANS = {name: read_plan(name) for name in NAMES}
ROWS = [(name, row) for name in NAMES for row in PLANS[name].rows]


@pytest.fixture(params=NAMES)
def methods(request: pytest.FixtureRequest) -> Methods:
    return Methods(PLANS[request.param], Path("student"), Path("teacher"), "clinc150", Path("work"))


def test_every_command_is_one_that_there_is(methods: Methods) -> None:
    for name in methods.plan.checkpoints:
        arguments = build_parser().parse_args(methods.command(name))
        assert arguments.output == Path("work") / name, name
    for row in methods.plan.rows.values():
        arguments = build_parser().parse_args(methods.conversion(row))
        assert arguments.out / f"{arguments.name}-{row.precision}.tflite" == methods.file(row)


def test_texts_to_calibrate_with_are_there_without_the_published_folder(methods: Methods) -> None:
    (row, *_) = [row for row in methods.plan.rows.values() if row.calibrated]
    arguments = build_parser().parse_args(methods.conversion(row))
    read = read_texts(arguments.calibration, arguments.calibration_texts, split=arguments.calibration_split)
    assert len(read.texts) == arguments.calibration_texts


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_row_is_a_file_of_a_checkpoint_that_is_made_before_it(name: str, row: str) -> None:
    plan = PLANS[name]
    wanted = plan.rows[row]
    needed = plan.needed(wanted.checkpoint)
    assert len(set(needed)) == len(needed)
    assert wanted.precision in PRECISIONS
    made = {STUDENT, TEACHER}
    for checkpoint in needed:
        command = plan.checkpoints[checkpoint]
        assert set(re.findall(r"\{([\w-]+)\}", command)) - {"data"} <= made, command
        made.add(checkpoint)
    assert wanted.checkpoint in made


def test_rows_are_of_both_datasets_and_of_one_reference(methods: Methods) -> None:
    assert methods.plan.rows[REFERENCE].checkpoint == STUDENT
    assert methods.plan.rows.keys() == PLANS[NAMES[0]].rows.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if (RESULTS / f"{name}.json").exists()])
def test_every_row_is_recorded_and_was_made_as_it_is_configured(name: str) -> None:
    recorded = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    methods = Methods(PLANS[name], Path("student"), Path("teacher"), name, Path("work"))
    assert recorded["rows"].keys() == methods.plan.rows.keys()
    for row, one in recorded["rows"].items():
        assert methods.made_as_configured(methods.plan.rows[row], one), row


def test_every_row_but_the_oracle_is_timed_and_counted() -> None:
    lines = [line.strip("| ").split(" | ") for line in tables().splitlines()]
    told = [cells for cells in lines if cells[0] in PLANS[NAMES[0]].rows]
    assert len(told) == len(ROWS)
    # Behind size and scores: milliseconds, their share, and the instructions of four cores.
    assert {cells[0] for cells in told if UNKNOWN in cells[6:12]} == {"int16x8"}
