"""How fast a training step is, beside the same step in plain PyTorch: both sides in turns, two threads each.

    python -m benchmarks.training.run --torch-python PYTHON

PYTHON is the interpreter of an environment with torch and transformers (`pip install torch transformers`). First both
sides' losses and gradients are compared for the same weights (`parity`). Writes `results.json` with every sample and
prints the table. `--rounds 1 --results FILE` only tries it out.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.training import shapes
from edgebert.cli.output import table
from edgebert.files import write_atomically
from edgebert.version import VERSION

RESULTS = Path(__file__).parent / "results.json"
ROOT = Path(__file__).parent.parent.parent
EVERYWHERE = (("edgebert", "float32"), ("edgebert", "bfloat16"), ("pytorch", "float32"), ("pytorch", "bfloat16"))
# What takes turns in one run and may be compared: (task, side, arithmetic).
RUNS = (
    tuple(("finetune", *side) for side in EVERYWHERE),
    (
        *(("distil", *side) for side in EVERYWHERE),
        # With a cache the teacher does not run; what it replaces is the step that runs it.
        ("distil-cached", "edgebert", "float32"),
        ("distil-cached", "edgebert", "bfloat16"),
    ),
    (
        *(("distil-layers", *side) for side in EVERYWHERE),
        ("distil-layers-cached", "edgebert", "float32"),
        ("distil-layers-cached", "edgebert", "bfloat16"),
    ),
)


class Worker:
    def __init__(self, python: str, task: str, side: str, arithmetic: str):
        module = f"benchmarks.training.with_{side}"
        self.process = subprocess.Popen(
            [python, "-m", module, task, arithmetic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{module} {task} {arithmetic}: did not start")

    def run(self, number: int) -> dict[str, int]:
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="an interpreter that has torch and transformers")
    parser.add_argument("--rounds", type=int, default=shapes.ROUNDS, help=f"at most {shapes.ROUNDS}, which is usual")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the samples go (default: results.json)")
    arguments = parser.parse_args()
    if not 1 <= arguments.rounds <= shapes.ROUNDS:
        parser.error(f"--rounds: expected 1 to {shapes.ROUNDS}, got {arguments.rounds}")
    pythons = {"edgebert": sys.executable, "pytorch": arguments.torch_python}
    found = {
        "version": VERSION,
        "rounds": arguments.rounds,
        "samples_in_a_turn": shapes.CHUNK * shapes.BATCH_SIZE,
        "parity": compared(arguments.torch_python),
        "cases": [],
    }
    for cases in RUNS:
        workers = [Worker(pythons[side], task, side, arithmetic) for task, side, arithmetic in cases]
        turns: list[list[dict[str, int]]] = [[] for _ in workers]
        for number in range(shapes.WARM_UP + arguments.rounds):
            for worker, taken in zip(workers, turns, strict=True):
                taken.append(worker.run(number))
        for (task, side, arithmetic), worker, taken in zip(cases, workers, turns, strict=True):
            worker.close()
            counted = taken[shapes.WARM_UP :]
            found["cases"].append(
                {
                    "task": task,
                    "side": side,
                    "arithmetic": arithmetic,
                    "nanoseconds": [turn["nanoseconds"] for turn in counted],
                    "peak_bytes": counted[-1]["peak_bytes"],
                }
            )
    write_atomically(arguments.results, (json.dumps(found, indent=1) + "\n").encode())
    print(results_table(arguments.results))


def compared(torch_python: str) -> dict[str, dict[str, list[float]]]:
    """In a process of its own, whose memory and threads are gone before anything is timed."""
    command = [sys.executable, "-m", "benchmarks.training.parity", "--torch-python", torch_python, "--json"]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout)


def results_table(results: Path = RESULTS) -> str:
    found = json.loads(results.read_text(encoding="utf-8"))
    eager = {
        case["task"]: np.array(case["nanoseconds"])
        for case in found["cases"]
        if (case["side"], case["arithmetic"]) == ("pytorch", "float32")
    }
    rows = []
    for case in found["cases"]:
        times = np.array(case["nanoseconds"])
        ratios = eager[case["task"].removesuffix("-cached")] / times
        rate = found["samples_in_a_turn"] / np.median(times) * 1e9
        rows.append(
            (
                case["task"],
                case["side"],
                case["arithmetic"],
                f"{rate:.0f}",
                f"{np.median(ratios):.2f}x",
                f"{case['peak_bytes'] / 1e6:,.0f}",
            )
        )
    return table(("step", "side", "arithmetic", "samples/s", "of PyTorch float32", "peak MB"), rows)


if __name__ == "__main__":
    main()
