"""What configurations of benchmarks/methods say can be run: checkpoints and files that edgebert knows how to make."""

import re
from pathlib import Path

import pytest

from benchmarks.methods.plan import CONFIGS, STUDENT, TEACHER, MethodsPlan, read_plan
from benchmarks.methods.run import REFERENCE, Methods
from edgebert.cli import build_parser
from edgebert.export.precisions import PRECISIONS

NAMES = sorted(path.stem for path in CONFIGS.glob("*.toml"))
PLANS = {name: read_plan(name) for name in NAMES}
ROWS = [(name, row) for name in NAMES for row in PLANS[name].rows]


@pytest.fixture(params=NAMES)
def plan(request: pytest.FixtureRequest) -> MethodsPlan:
    return PLANS[request.param]


def test_every_command_is_one_that_there_is(plan: MethodsPlan) -> None:
    methods = Methods(plan, Path("given-student"), Path("given-teacher"), "snips", Path("work"))
    for name in plan.checkpoints:
        arguments = build_parser().parse_args(methods.command(name))
        assert arguments.output == Path("work") / name, name


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_row_is_a_file_of_a_checkpoint_that_is_made_before_it(name: str, row: str) -> None:
    plan = PLANS[name]
    wanted = plan.rows[row]
    assert wanted.precision in PRECISIONS
    made = {STUDENT, TEACHER}
    for checkpoint in plan.needed(wanted.checkpoint):
        command = plan.checkpoints[checkpoint]
        assert set(re.findall(r"\{([\w-]+)\}", command)) - {"data"} <= made, command
        made.add(checkpoint)
    assert wanted.checkpoint in made


def test_rows_are_of_both_datasets_and_of_one_reference(plan: MethodsPlan) -> None:
    assert plan.rows[REFERENCE].checkpoint == STUDENT
    assert plan.rows.keys() == PLANS[NAMES[0]].rows.keys()
