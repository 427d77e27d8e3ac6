"""The committed records of this folder as the Markdown tables that README.md quotes; measures nothing.

python -m benchmarks.graph.tables
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.markdown import markdown_table
from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import mean_by_class, millions
from edgebert.measurement import Case, Record
from edgebert.measurement_file import read_record

HERE = Path(__file__).parent
NAMES = {
    "plain-tiny4-128-dynamic": "plain, dynamic int8",
    "ours-dynamic-fixed": "edgebert, dynamic int8, 128 tokens",
    "ours-dynamic-open": "edgebert, dynamic int8, any length",
    "plain-tiny4-128-float32": "plain, float32",
    "ours-float32-fixed": "edgebert, float32, 128 tokens",
    "minilm-float32": "float32",
    "minilm-float16": "float16",
    "minilm-dynamic": "dynamic",
    "minilm-dynamic-per-tensor": "dynamic, `--compatible-with task-library`",
}


def tables() -> str:
    return "\n\n".join((graph_table(), length_table(), accuracy_table()))


def graph_table() -> str:
    times, counts = read_record(HERE / "latency-fixed.json"), read_record(HERE / "instructions.json")
    cores = list(dict.fromkeys(_core(case) for case in counts.cases))
    header = ("TinyBERT4 shape, 128 tokens, one thread", "ms", "time", *(f"{core}, M" for core in cores))
    base = _cpu_ms(times.cases[0])
    rows = []
    for case in times.cases:
        name = _name(times, case)
        instructions = [millions(_instructions(counts, core, _of_model(counts, name))) for core in cores]
        rows.append((NAMES[name], f"{_cpu_ms(case):.2f}", f"{_cpu_ms(case) / base:.2f}×", *instructions))
    return markdown_table(header, rows)


def length_table() -> str:
    """Times and counts, each with its share of the longest's."""
    times, counts = read_record(HERE / "latency-lengths.json"), read_record(HERE / "instructions-lengths.json")
    cores = list(dict.fromkeys(_core(case) for case in counts.cases))
    longest = times.cases[-1]
    rows = []
    for case in times.cases:
        cells = [f"{_cpu_ms(case):.2f}", f"{_cpu_ms(case) / _cpu_ms(longest):.3f}×"]
        for core in cores:
            instructions, most = (_instructions(counts, core, _of_length(each.length)) for each in (case, longest))
            cells.append(f"{millions(instructions)} ({instructions / most:.3f}×)")
        rows.append((case.length, *cells))
    rows.append((f"16, a file for 16 alone: {_sixteen_alone():.2f}× the open file's time", *[""] * (len(cores) + 2)))
    return markdown_table(("tokens, one file of any length", "ms", "of 128", *(f"{core}, M" for core in cores)), rows)


def _sixteen_alone() -> float:
    """What no open length can beat: the graph built for these tokens, beside the open one in one run."""
    alone, opened = read_record(HERE / "latency-sixteen.json").cases
    return _cpu_ms(alone) / _cpu_ms(opened)


def accuracy_table() -> str:
    found = json.loads((HERE / "accuracy.json").read_text())
    rows = [
        (NAMES[name], f"{found[name]['size_bytes']:,}", f"{found[name]['mean']:.4f}", f"{found[name]['minimum']:.4f}")
        for name in NAMES
        if name in found
    ]
    return markdown_table(("MiniLM-L6 sentence embedding", "bytes", "mean cosine to float32", "least"), rows)


def _name(record: Record, case: Case) -> str:
    return Path(record.models[case.model].name).stem


def _core(case: Case) -> str:
    return case.emulation.core


def _cpu_ms(case: Case) -> float:
    return float(np.median(case.samples.values["thread_cpu_ns"])) / 1e6


def _instructions(record: Record, core: str, belongs: Callable[[Case], bool]) -> float:
    (case,) = (case for case in record.cases if _core(case) == core and belongs(case))
    return mean_by_class(case)[ALL]


def _of_model(record: Record, name: str) -> Callable[[Case], bool]:
    return lambda case: _name(record, case) == name


def _of_length(length: int | None) -> Callable[[Case], bool]:
    return lambda case: case.length == length


if __name__ == "__main__":
    print(tables())
