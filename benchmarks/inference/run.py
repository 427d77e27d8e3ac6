"""One inference in edgebert's files, the plain graph, PyTorch and ONNX Runtime: same shape, same texts, in turns.

    python -m benchmarks.inference.run --pytorch-python PYTHON --onnx-python PYTHON [--shape tiny4]

Each PYTHON is the interpreter of an environment with `requirements-pytorch.txt`, or `requirements-onnx.txt`. All hold
the same random weights and must give the same probabilities, but for the plain graph and full-int8, whose architecture
is another. One thread each; writes `results-SHAPE.json` with every sample and prints the table. Of edgebert's
precisions int16x8 is left out: a hundred times slower than the others, it is an oracle and nobody's choice.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain_reference
from benchmarks.compression.run import INTEGER_HEADS, calibration
from benchmarks.inference.results import SCHEMA, SCHEMA_VERSION, Engine, Inference, results_file, write_results
from benchmarks.inference.tables import NAMES, inference_table
from benchmarks.inference.worker import INPUTS_FILE
from edgebert.benchmark.conditions import now_utc, read_conditions
from edgebert.benchmark.device import read_device
from edgebert.benchmark.texts import builtin_texts
from edgebert.cli.progress_line import ProgressLine
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.precisions import PRECISIONS
from edgebert.keras import keras
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import TaskModel, build_model
from edgebert.progress import Progress
from edgebert.version import VERSION

ROOT = Path(__file__).parent.parent.parent
LENGTH, TEXTS = 128, 20
ROUNDS = 40
# Turns before the first that counts.
WARM_UP = 3
INTEGER = "full-int8"
# Of probabilities, to the same weights in PyTorch: rounding, and what int8 costs random weights.
TOLERANCES, INT8_TOLERANCE = {"float32": 1e-4, "float16": 5e-3}, 0.1
HEAD = HeadConfig("classification", "pooler", labels=("no", "yes"))


@dataclass
class Running:
    """A worker in a process of its own, and what it took."""

    name: str
    side: str
    file: Path
    process: subprocess.Popen
    answers: np.ndarray
    versions: Mapping[str, str]
    turns: list[dict[str, Any]]

    def turn(self, number: int) -> None:
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        self.turns.append(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def result(self, difference: float | None) -> Engine:
        return Engine(
            name=self.name,
            versions=self.versions,
            delegate="XNNPACK" if self.side == "litert" else None,
            model_sha256=hashlib.sha256(self.file.read_bytes()).hexdigest(),
            size_bytes=self.file.stat().st_size,
            largest_difference=difference,
            peak_bytes=self.turns[-1]["peak_bytes"],
            nanoseconds=tuple(tuple(turn["nanoseconds"]) for turn in self.turns[WARM_UP:]),
        )


def start(name: str, python: str, side: str, folder: Path, model: Path) -> Running:
    module = f"benchmarks.inference.with_{side}"
    command = [python, "-m", module, str(folder), str(model)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    answered = process.stdout.readline()
    if not answered:
        raise SystemExit(f"{name}: {' '.join(command)} did not start")
    told = json.loads(answered)
    file = model / "model.safetensors" if model.is_dir() else model
    return Running(name, side, file, process, np.array(told["answers"]), told["versions"], [])


def models_of(shape: str) -> tuple[TaskModel, TaskModel]:
    """The model that all share, and one of its size that integers alone can compute."""
    layers, width, heads, feed_forward = plain_reference.SHAPES[shape]
    made = []
    for changed in (
        {"heads": heads},
        {"heads": INTEGER_HEADS, "normalization": "no_norm", "activation": "relu"},
    ):
        keras.utils.set_random_seed(0)
        config = EncoderConfig(
            vocabulary_size=plain_reference.VOCABULARY_SIZE,
            width=width,
            layers=layers,
            feed_forward_width=feed_forward,
            embedding_width=width,
            initializer_range=0.05,
            **changed,
        )
        made.append(build_model(config, HEAD))
    return made[0], made[1]


def write_models(folder: Path, shape: str, onnx_python: str) -> dict[str, tuple[str, Path]]:
    """Name to the side that runs it, and the file."""
    minilm = resolve_checkpoint("minilm")
    tokenizer = WordPiece.from_folder(minilm)
    model, integer = models_of(shape)
    save_checkpoint(folder / "checkpoint", model_tensors(model), model.config, HEAD, load_checkpoint(minilm))
    rows = tokenizer.encode_batch(builtin_texts(TEXTS).texts, length=LENGTH, pad_to=LENGTH)
    np.savez(folder / INPUTS_FILE, **{name: rows[name] for name in ("input_ids", "input_mask")})
    found = {"pytorch-float32": ("pytorch", folder / "checkpoint")}
    exporter, of_integers = (
        Exporter(one, tokenizer, {"weights": "random"}, calibration(tokenizer, LENGTH)) for one in (model, integer)
    )
    for precision in PRECISIONS:
        name = f"edgebert-{precision}"
        request = ExportRequest(precision, LENGTH if precision == INTEGER else None)
        if name in NAMES and is_possible(exporter, request):
            path = folder / f"{precision}.tflite"
            path.write_bytes((of_integers if precision == INTEGER else exporter).export(request))
            found[name] = ("litert", path)
    for precision, path in plain_reference.write(folder, shape, LENGTH, ("float32", "dynamic")).items():
        found[f"plain-{precision}"] = ("litert", path)
    export = [onnx_python, "-m", "benchmarks.inference.export_onnx", str(folder / "checkpoint"), str(folder)]
    subprocess.run(export, check=True, cwd=ROOT, stdout=sys.stderr)
    for precision in ("float32", "int8"):
        found[f"onnx-{precision}"] = ("onnx", folder / f"{precision}.onnx")
    return found


def is_possible(exporter: Exporter, request: ExportRequest) -> bool:
    """Blocks of 32 numbers do not divide every table."""
    try:
        exporter.check(request)
    except ArtefactError:
        return False
    return True


def check_alike(engines: list[Running]) -> dict[str, float]:
    """The largest difference of each engine's probabilities to PyTorch's, or an end: a wrong model may be fast."""
    reference = next(engine.answers for engine in engines if engine.name == "pytorch-float32")
    found = {}
    for engine in engines:
        if engine.name.startswith("plain") or engine.name.endswith(INTEGER):
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
    parser.add_argument("--pytorch-python", required=True, help="an interpreter that has requirements-pytorch.txt")
    parser.add_argument("--onnx-python", required=True, help="an interpreter that has requirements-onnx.txt")
    parser.add_argument("--shape", choices=plain_reference.SHAPES, default="tiny4")
    arguments = parser.parse_args()
    pythons = {"litert": sys.executable, "pytorch": arguments.pytorch_python, "onnx": arguments.onnx_python}
    order, began = random.Random(0), now_utc()
    with tempfile.TemporaryDirectory() as scratch, ProgressLine() as report:
        folder = Path(scratch)
        models = write_models(folder, arguments.shape, arguments.onnx_python)
        ids = np.load(folder / INPUTS_FILE)["input_ids"]
        engines = [start(name, pythons[side], side, folder, path) for name, (side, path) in models.items()]
        differences = check_alike(engines)
        before = read_conditions(own_cpu_ns=None)
        for number in range(WARM_UP + ROUNDS):
            for engine in order.sample(engines, len(engines)):
                engine.turn(number)
            report(Progress("rounds", number + 1, WARM_UP + ROUNDS))
        after = read_conditions(own_cpu_ns=None)
        for engine in engines:
            engine.close()
        results = Inference(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            edgebert_version=VERSION,
            started_at_utc=began,
            finished_at_utc=now_utc(),
            shape=arguments.shape,
            length=LENGTH,
            texts=f"the {TEXTS} built-in texts",
            input_ids_sha256=hashlib.sha256(ids.astype("<i4").tobytes()).hexdigest(),
            threads=1,
            affinity=tuple(sorted(os.sched_getaffinity(0))),
            device=read_device(),
            conditions_before=before,
            conditions_after=after,
            engines=tuple(engine.result(differences.get(engine.name)) for engine in engines),
        )
    write_results(results_file(arguments.shape), results)
    print(inference_table(arguments.shape))


if __name__ == "__main__":
    main()
