"""A benchmark_model that is none: its options, really run in this machine's LiteRT, told as its versions tell it.

`2019` knows no --input_layer_value_files and passes over it; `2020` prints bare lines; `2025` prints levels and
percentiles; `many` runs more often than it is asked to; `refuses`, `crashes` and `sleeps` do as they are called.
"""

import math
import os
import signal
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edgebert.benchmark.session import Session


def main(version: str, arguments: list[str]) -> int:
    options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
    say = (lambda line: print(f"INFO: {line}", file=sys.stderr)) if version == "2025" else print
    say("STARTING!")
    say(f"Graph: [{options['graph']}]")
    say(f"Input layers: [{options['input_layer']}]")
    if version == "2020":
        say(f"Input layer values files: [{options['input_layer_value_files']}]")
    elif version != "2019":
        say(f"Input value files: [{options['input_layer_value_files']}]")
    say(f"Loaded model {options['graph']}")
    print("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", file=sys.stderr)
    if version == "refuses":
        print("ERROR: Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'", file=sys.stderr)
        print("ERROR: Benchmarking failed.", file=sys.stderr)
        return 1
    if version == "sleeps":
        time.sleep(600)
    if version == "crashes":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    _run(version, options, say)
    return 0


def _run(version: str, options: dict[str, str], say) -> None:
    shapes = [tuple(map(int, shape.split(","))) for shape in options["input_layer_shape"].split(":")]
    files = [written.rpartition(":")[2] for written in options["input_layer_value_files"].split(",")]
    session = Session(options["graph"], int(options["num_threads"]))
    # In the order of the graph's own inputs, as the tool takes them.
    inputs = Interpreter(model_path=options["graph"]).get_input_details()
    dtypes = [np.dtype(detail["dtype"]) for detail in inputs]
    rows = [np.fromfile(file, dtype) for file, dtype in zip(files, dtypes, strict=True)]
    for row, shape in zip(rows, shapes, strict=True):
        if row.size != math.prod(shape):
            raise SystemExit("The size of an input file is not the tensor's.")
    tensors = [int(detail["index"]) for detail in inputs]
    session.prepare(tensors, [dtype.name for dtype in dtypes], [[row.tolist() for row in rows]])
    say("Initialized session in 5.579ms.")
    runs = int(options["num_runs"]) * (5 if version == "many" else 1)
    told = []
    for count in (int(options["warmup_runs"]), runs):
        say(f"Running benchmark for at least {count} iterations and at least 0 seconds")
        measured = [max(1, wall_ns // 1000) for wall_ns in session.run([0] * count)["wall_ns"]]
        told.append(measured)
        say(f"{_statistics(measured, version == '2025')}\n")
    if version == "2025":
        say("Memory footprint delta from the start of the tool (MB): init=6.36328 overall=109.832")
    warmup, measured = told
    say(
        f"Inference timings in us: Init: 5579, First inference: {warmup[0]}, Warmup (avg): {np.mean(warmup):g}, "
        f"Inference (avg): {np.mean(measured):g}"
    )


def _statistics(values: list[int], percentiles: bool) -> str:
    text = f"count={len(values)} "
    if min(values) == max(values):
        text += f"curr={values[-1]}" + ("(all same)" if len(values) > 1 else "")
    else:
        text += f"first={values[0]} curr={values[-1]} min={min(values)} max={max(values)} "
        text += f"avg={np.mean(values):g} std={int(np.std(values))}"
    if percentiles:
        ordered = sorted(values)
        text += "".join(f" {name}={ordered[len(ordered) * at // 100]}" for name, at in _PERCENTILES)
    return text


_PERCENTILES = (("p5", 5), ("median", 50), ("p95", 95))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
