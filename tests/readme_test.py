"""The README says what the records say."""

import re
from pathlib import Path

import pytest

from benchmarks.graph.tables import tables
from edgebert.cli import COMMANDS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_committed_records() -> None:
    quoted = re.search(r"<!-- benchmarks\.graph\.tables -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert quoted is not None
    assert quoted.group(1).strip() == tables()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert f"`edgebert {command}`" in README
