"""One inference in edgebert's files, the plain graph, PyTorch and ONNX Runtime: same shape, same texts, in turns.

    python -m benchmarks.inference.run --peers-python PYTHON [--shape tiny4]

PYTHON is the interpreter of an environment with `requirements.txt`. All but the plain graph, whose weights are its own,
hold the same random weights and must give the same probabilities. One thread each; writes `results-SHAPE.json` with
every sample and prints the table.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain_reference
from benchmarks.compression.run import calibration
from benchmarks.inference.tables import NAMES, inference_table, results_file
from benchmarks.inference.worker import BLOCK_RUNS, INPUTS_FILE
from edgebert.benchmark.device import read_device
from edgebert.benchmark.texts import builtin_texts
from edgebert.cli.progress_line import ProgressLine
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.documents import to_plain
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.files import write_atomically
from edgebert.keras import keras
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import build_model
from edgebert.progress import Progress
from edgebert.version import VERSION

ROOT = Path(__file__).parent.parent.parent
LENGTH, TEXTS = 128, 20
ROUNDS = 40
# Turns before the first that counts.
WARM_UP = 3
OURS = ("float32", "float16", "dynamic", "hybrid", "static")
# Of probabilities, to the same weights in PyTorch: rounding, and what int8 costs random weights.
TOLERANCES, INT8_TOLERANCE = {"float32": 1e-4, "float16": 5e-3}, 0.1


@dataclass
class Engine:
    """A worker in a process of its own, and what it took."""

    name: str
    size_bytes: int
    process: subprocess.Popen
    answers: np.ndarray
    turns: list[dict[str, Any]]

    def turn(self, number: int) -> None:
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        self.turns.append(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def start(name: str, python: str, side: str, folder: Path, model: Path) -> Engine:
    module = f"benchmarks.inference.with_{side}"
    command = [python, "-m", module, str(folder), str(model)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    answered = process.stdout.readline()
    if not answered:
        raise SystemExit(f"{name}: {' '.join(command)} did not start")
    weights = model / "model.safetensors" if model.is_dir() else model
    return Engine(name, weights.stat().st_size, process, np.array(json.loads(answered)), [])


def write_models(folder: Path, shape: str, peers_python: str) -> dict[str, tuple[str, Path]]:
    """Name to the side that runs it, and the file."""
    minilm = resolve_checkpoint("minilm")
    tokenizer = WordPiece.from_folder(minilm)
    layers, width, heads, feed_forward = plain_reference.SHAPES[shape]
    keras.utils.set_random_seed(0)
    config = EncoderConfig(
        plain_reference.VOCABULARY_SIZE, width, layers, heads, feed_forward, width, initializer_range=0.05
    )
    head = HeadConfig("classification", "pooler", labels=("no", "yes"))
    model = build_model(config, head)
    save_checkpoint(folder / "checkpoint", model_tensors(model), config, head, load_checkpoint(minilm))
    rows = tokenizer.encode_batch(builtin_texts(TEXTS).texts, length=LENGTH, pad_to=LENGTH)
    np.savez(folder / INPUTS_FILE, **{name: rows[name] for name in ("input_ids", "input_mask")})
    exporter = Exporter(model, tokenizer, {"weights": "random"}, calibration(tokenizer, LENGTH))
    found = {"pytorch-float32": ("pytorch", folder / "checkpoint")}
    for precision in OURS:
        path = folder / f"{precision}.tflite"
        path.write_bytes(exporter.export(ExportRequest(precision, None)))
        found[f"edgebert-{precision}"] = ("litert", path)
    for precision, path in plain_reference.write(folder, shape, LENGTH, ("float32", "dynamic")).items():
        found[f"plain-{precision}"] = ("litert", path)
    export = [peers_python, "-m", "benchmarks.inference.export_onnx", str(folder / "checkpoint"), str(folder)]
    subprocess.run(export, check=True, cwd=ROOT, stdout=sys.stderr)
    for precision in ("float32", "int8"):
        found[f"onnx-{precision}"] = ("onnx", folder / f"{precision}.onnx")
    return found


def check_alike(engines: list[Engine]) -> dict[str, float]:
    """The largest difference of each engine's probabilities to PyTorch's, or an end: a wrong model may be fast."""
    reference = next(engine.answers for engine in engines if engine.name == "pytorch-float32")
    found = {}
    for engine in engines:
        if engine.name.startswith("plain"):
            continue
        found[engine.name] = float(np.abs(engine.answers - reference).max())
        tolerance = TOLERANCES.get(engine.name.rpartition("-")[2], INT8_TOLERANCE)
        if not found[engine.name] <= tolerance:
            raise SystemExit(
                f"{engine.name}: expected PyTorch's probabilities to {tolerance}, got {found[engine.name]}"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", required=True, help="an interpreter that has requirements.txt")
    parser.add_argument("--shape", choices=plain_reference.SHAPES, default="tiny4")
    arguments = parser.parse_args()
    pythons = {"litert": sys.executable, "pytorch": arguments.peers_python, "onnx": arguments.peers_python}
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch, ProgressLine() as report:
        folder = Path(scratch)
        models = write_models(folder, arguments.shape, arguments.peers_python)
        engines = [start(name, pythons[models[name][0]], models[name][0], folder, models[name][1]) for name in NAMES]
        differences = check_alike(engines)
        for number in range(WARM_UP + ROUNDS):
            for engine in order.sample(engines, len(engines)):
                engine.turn(number)
            report(Progress("rounds", number + 1, WARM_UP + ROUNDS))
        for engine in engines:
            engine.close()
    found = {
        "version": VERSION,
        "shape": arguments.shape,
        "length": LENGTH,
        "device": to_plain(read_device()),
        "requirements": (Path(__file__).parent / "requirements.txt").read_text().splitlines()[1:],
        "block_runs": BLOCK_RUNS,
        "engines": {
            engine.name: {
                "size_bytes": engine.size_bytes,
                "largest_difference": differences.get(engine.name),
                "peak_bytes": engine.turns[-1]["peak_bytes"],
                "nanoseconds": [turn["nanoseconds"] for turn in engine.turns[WARM_UP:]],
            }
            for engine in engines
        },
    }
    write_atomically(results_file(arguments.shape), (json.dumps(found) + "\n").encode())
    print(inference_table(arguments.shape))


if __name__ == "__main__":
    main()
