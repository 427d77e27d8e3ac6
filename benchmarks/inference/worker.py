"""One engine with one model in a process of its own: a line in, the nanoseconds of a block of inferences out."""

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgebert.benchmark.memory import peak_bytes

# Small, so that engines take turns often; the run that brings a model back into the caches is not counted.
BLOCK_RUNS = 5
INPUTS_FILE = "inputs.npz"


def inputs_of(folder: Path) -> dict[str, np.ndarray]:
    """`input_ids` and `input_mask`: a row for each text, all of one length."""
    with np.load(folder / INPUTS_FILE) as file:
        return {name: file[name] for name in file.files}


def serve(answer: Callable[[np.ndarray, np.ndarray], np.ndarray], folder: Path, *packages: str) -> None:
    """`answer(ids, mask)` gives the class probabilities of one text. First all answers, then blocks as asked for.

    `packages` are those whose versions matter.
    """
    inputs = inputs_of(folder)
    rows = list(zip(inputs["input_ids"], inputs["input_mask"], strict=True))
    rows = [(ids[None], mask[None]) for ids, mask in rows]
    answers = [np.asarray(answer(*row)).ravel().tolist() for row in rows]
    versions = {name: importlib.metadata.version(name) for name in (*packages, "numpy")}
    print(json.dumps({"answers": answers, "versions": {"python": platform.python_version(), **versions}}), flush=True)
    for line in sys.stdin:
        start = int(line) * BLOCK_RUNS
        answer(*rows[start % len(rows)])
        taken = []
        for number in range(start, start + BLOCK_RUNS):
            row = rows[number % len(rows)]
            began = time.perf_counter_ns()
            answer(*row)
            taken.append(time.perf_counter_ns() - began)
        print(json.dumps({"nanoseconds": taken, "peak_bytes": peak_bytes()}), flush=True)
