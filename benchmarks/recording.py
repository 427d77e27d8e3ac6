"""What the benchmarks of the graph and of the schemes write down alike: times, instructions, closeness to float32."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgebert.benchmark.emulated.cores import choose_cores
from edgebert.benchmark.emulated.measuring import count
from edgebert.benchmark.emulated.report import derived_counts, report_on_counts
from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.report import derived, report_on
from edgebert.benchmark.texts import builtin_texts
from edgebert.cli.output import note
from edgebert.cli.progress_line import ProgressLine
from edgebert.data.reading import read_examples
from edgebert.export.answering import AnsweringModel
from edgebert.measurement_file import to_json

SENTENCES = 200
RUNS = 300
EMULATED = "emulated:cortex-a53,cortex-a55,cortex-a76,i8mm"


def write_latency(files: tuple[Path, ...], lengths: tuple[int, ...], record: Path) -> None:
    plan = Plan(files, builtin_texts(20), lengths=lengths, runs=RUNS)
    with ProgressLine() as progress:
        measured = measure(plan, lambda unfinished: None, note, progress)
    record.write_bytes(to_json(measured, derived(report_on(measured))))


def write_instructions(files: tuple[Path, ...], lengths: tuple[int, ...], record: Path) -> None:
    """Counts repeat, so two runs of one text will do."""
    plan = Plan(files, builtin_texts(1), lengths=lengths, runs=2, warmup_inputs=1, minimum_seconds=0)
    with ProgressLine() as progress:
        counted = count(plan, choose_cores(EMULATED), lambda unfinished: None, progress)
    record.write_bytes(to_json(counted, derived_counts(report_on_counts(counted))))


def write_cosines(files: Mapping[str, Path], record: Path) -> None:
    """Of each file's sentence embedding to the first one's, on questions that nothing was chosen or calibrated on."""
    examples = read_examples("clinc150", split="test").examples
    texts = [(example.text, None) for example in examples[:: len(examples) // SENTENCES][:SENTENCES]]
    found, reference = {}, None
    for name, path in files.items():
        values = AnsweringModel(path).answer_all(texts)
        reference = values if reference is None else reference
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(reference, axis=1)
        cosines = np.sum(values * reference, axis=1) / lengths
        found[name] = {
            "mean": float(cosines.mean()),
            "minimum": float(cosines.min()),
            "size_bytes": path.stat().st_size,
            "sentences": len(texts),
        }
    record.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
