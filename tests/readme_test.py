"""The README says what the records say."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.compression import bars as compression
from benchmarks.configs import pictures
from benchmarks.configs import tables as configs
from benchmarks.distillation import tables as distillation
from benchmarks.graph import tables as graph
from benchmarks.inference import tables as inference
from benchmarks.methods import tables as methods
from benchmarks.sensitivity import run as sensitivity
from benchmarks.training.run import results_table
from benchmarks.vocabulary import tables as vocabulary
from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import mean_by_class
from edgebert.cli import COMMANDS
from edgebert.cli.convert import precision_list
from edgebert.measurement_file import read_record

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
# In percent of dynamic's instructions, as the paragraphs of the schemes say.
HYBRID_ON_CORTEX_A53, STATIC_ON_CORTEX_A53 = (103, 104, 105), (112, 113, 114)


@pytest.mark.parametrize(
    "module",
    [graph, compression, inference, distillation, vocabulary, methods, sensitivity, configs],
    ids=lambda module: module.__name__,
)
def test_the_tables_are_those_of_the_committed_records(module) -> None:
    quoted = re.search(rf"<!-- {re.escape(module.__name__)} -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert quoted is not None
    assert quoted.group(1).strip() == module.tables()


def test_the_schemes_are_told_as_the_command_tells_them() -> None:
    assert f"```text\n{precision_list()}\n```" in README


def test_every_bar_holds_as_the_readme_tells() -> None:
    found = compression.find_bars()
    assert [bar.what for bar in found if not bar.holds] == []
    assert len(found) == 4 + 4 + 3 + 2 * 4, "cosines, times, instructions, and what two datasets' students keep"


def test_the_training_speeds_are_those_of_the_committed_samples() -> None:
    quoted = re.search(r"<!-- benchmarks\.training\.run -->\n```\n(.*?)\n```", README, re.DOTALL)
    assert quoted is not None
    assert quoted.group(1).rstrip() == results_table().rstrip()


def test_the_pictures_are_those_of_the_committed_records() -> None:
    drawn = pictures.pictures()
    assert {path.name for path in drawn} == {path.name for path in configs.RESULTS.glob("*.svg")}
    for path, content in drawn.items():
        assert path.read_text(encoding="utf-8") == content
        assert f"(benchmarks/configs/results/{path.name})" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert f"`edgebert {command}`" in README


def test_what_schemes_are_said_to_be_fastest_on_the_records_count() -> None:
    """The paragraphs of `edgebert convert --list-precisions` on hardware, of one model with LayerNorm."""
    record = read_record(compression.HERE / "instructions.json")
    counts = {
        (Path(record.models[case.model].name).stem, case.emulation.core): mean_by_class(case)[ALL]
        for case in record.cases
    }

    def share(scheme: str, core: str) -> float:
        return counts[scheme, core] / counts["dynamic", core]

    schemes = ("float32", "float16", "hybrid", "static")
    assert all(share(scheme, "cortex-a53") > 1 for scheme in schemes)
    assert round(100 * share("hybrid", "cortex-a53")) in HYBRID_ON_CORTEX_A53
    assert round(100 * share("static", "cortex-a53")) in STATIC_ON_CORTEX_A53
    assert min(schemes, key=lambda scheme: share(scheme, "cortex-a55")) == "hybrid"
    assert share("hybrid", "cortex-a55") < 0.9 and 0.98 < share("static", "cortex-a55") <= 1
    for core in ("cortex-a76", "i8mm"):
        assert min(schemes, key=lambda scheme: share(scheme, core)) == "static"
        assert share("static", core) < share("hybrid", core) < 1


def test_students_cost_on_cortex_a53_what_the_paragraphs_say() -> None:
    lines = [line.strip("| ").split(" | ") for line in methods.tables().splitlines() if line]
    column = lines[0].index("cortex-a53, M")
    found = defaultdict(list)
    for cells in lines:
        found[cells[0]].append(cells[column])
    for of_student, calibrated in (("", ", calibrated"), (", six heads, NoNorm and ReLU", "")):
        schemes = (f"dynamic{of_student}", f"hybrid{of_student}", f"static{of_student}{calibrated}")
        for dynamic, hybrid, static in zip(*(found[scheme] for scheme in schemes), strict=True):
            assert round(100 * float(hybrid) / float(dynamic)) in HYBRID_ON_CORTEX_A53
            assert round(100 * float(static) / float(dynamic)) in STATIC_ON_CORTEX_A53
