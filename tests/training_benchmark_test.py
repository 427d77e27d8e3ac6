"""The table of training speeds: each step beside PyTorch's same step, whichever have been measured."""

import json
from pathlib import Path

import pytest

from benchmarks.training.run import RUNS, results_table


def written(path: Path, cases: list[tuple[str, str, str]]) -> Path:
    """Turns of 1 s, but of 2 s in PyTorch's float32, and 4 s where it works on layers."""

    def seconds(task: str, side: str, arithmetic: str) -> int:
        return (4 if task == "distil-layers" else 2) if (side, arithmetic) == ("pytorch", "float32") else 1

    rows = [
        {
            **dict(zip(("task", "side", "arithmetic"), case, strict=True)),
            "nanoseconds": [seconds(*case) * 10**9] * 2,
            "peak_bytes": 10**9,
        }
        for case in cases
    ]
    path.write_text(json.dumps({"samples_in_a_turn": 256, "cases": rows}))
    return path


@pytest.mark.parametrize("measured", [1, 2, 3])
def test_each_row_is_compared_with_pytorchs_same_step(tmp_path: Path, measured: int) -> None:
    cases = [case for run in RUNS[:measured] for case in run]
    rows = results_table(written(tmp_path / "results.json", cases)).splitlines()[2:]
    assert [tuple(row.split()[:3]) for row in rows] == cases
    ratios = {case: row.split()[4] for case, row in zip(cases, rows, strict=True)}
    for (task, side, arithmetic), ratio in ratios.items():
        if (side, arithmetic) == ("pytorch", "float32"):
            assert ratio == "1.00x"
        else:
            assert ratio == ("4.00x" if task.startswith("distil-layers") else "2.00x")
