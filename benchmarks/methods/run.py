"""What every way to compress brings a trained student: one table a dataset, every row scored on its .tflite.

    python -m benchmarks.methods.run clinc150 --student FOLDER --teacher FOLDER --work FOLDER [--data FOLDER]
    python -m benchmarks.methods.run clinc150 --row "static, trained" ...
    python -m benchmarks.methods.run clinc150 --measure latency instructions ...
    python -m benchmarks.methods.tables

The rows stand in `configs/`: each is a file of a checkpoint that edgebert's commands make, one after the other. Files
with ranges that were trained are compared with the model that was trained for them (`parity`), answer by answer. The
first form makes and scores all of them, the second one alone; what --work holds is not made again. The third measures
the files that --work holds, of --row's or of all rows but the oracle's: times in turns in one run beside the plain
graph, instructions on four emulated cores, and writes its record anew. A file with a trimmed vocabulary gets its own
tokens of the same texts, padded as all are. STUDENT and TEACHER are checkpoints that know the task, such as
benchmarks/distillation's. --data is the folder of the published datasets, which bundled ones do without.
"""

import argparse
import json
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain_reference
from benchmarks.methods.plan import STUDENT, TEACHER, MethodsPlan, RowPlan, read_plan
from benchmarks.recording import write_instructions, write_latency
from edgebert.cli import main as edgebert
from edgebert.cli.output import note
from edgebert.compression.quantizing.ranges import StoredRanges, has_ranges_for
from edgebert.data.examples import Dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.files import make_folder, sha256_of_file, write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.report.artefacts import inspect_artefact
from edgebert.stations.rounding_parity import compare_rounding
from edgebert.training.scoring import METRICS, score
from edgebert.version import VERSION

RESULTS = Path(__file__).parent / "results"
LENGTH = 128
# What others agree with or not.
REFERENCE = "float32"
# What times and instructions are shares of, as in the bars: textbook BERT of the same shape, random weights.
PLAIN_PRECISIONS = ("dynamic", "float32")
MEASURES = ("latency", "instructions")
# No kernel is fast with it: a hundred times slower, it would take longer than all others, for no figure that is of use.
NOT_MEASURED = "int16x8"


@dataclass(frozen=True)
class Methods:
    plan: MethodsPlan
    student: Path
    teacher: Path
    source: str
    work: Path

    def folder(self, checkpoint: str) -> Path:
        return {STUDENT: self.student, TEACHER: self.teacher}.get(checkpoint, self.work / checkpoint)

    def file(self, row: RowPlan) -> Path:
        how = "calibrated" if row.calibrated else "as-made"
        return self.work / "files" / f"{row.checkpoint}-{how}-{row.precision}.tflite"

    def command(self, checkpoint: str) -> list[str]:
        folders = {name: self.folder(name) for name in (STUDENT, TEACHER, *self.plan.checkpoints)}
        filled = self.plan.checkpoints[checkpoint].format(data=self.source, **folders)
        return [*shlex.split(filled), "--output", str(self.folder(checkpoint))]

    def conversion(self, row: RowPlan) -> list[str]:
        path = self.file(row)
        wanted = ["convert", str(self.folder(row.checkpoint)), "--out", str(path.parent), "--precision", row.precision]
        wanted += ["--name", path.name.removesuffix(f"-{row.precision}.tflite")]
        if row.calibrated:
            wanted += ["--calibration", self.source, "--calibration-split", "train"]
        return wanted

    def made_as_configured(self, row: RowPlan, recorded: dict[str, Any]) -> bool:
        return (recorded["commands"], recorded["file"]) == (self.plan.commands(row), self.file(row).name)

    def make(self, row: RowPlan) -> Path:
        for checkpoint in self.plan.needed(row.checkpoint):
            note(f"{row.name}: {self.plan.checkpoints[checkpoint]}")
            _carry_out(self.command(checkpoint))
        _carry_out(self.conversion(row))
        return self.file(row)

    @cached_property
    def dev(self) -> Dataset:
        return read_examples(self.source, split="dev", labels=load_checkpoint(self.student).head.labels)

    def answers(self, path: Path) -> np.ndarray:
        return AnsweringModel(path).answer_all([(one.text, one.second_text) for one in self.dev.examples])

    @cached_property
    def reference(self) -> np.ndarray:
        return self.answers(self.make(self.plan.rows[REFERENCE]))

    def measured(self, row: RowPlan) -> dict[str, Any]:
        reference, path = self.reference, self.make(row)
        answers, artefact = self.answers(path), inspect_artefact(path, sha256_of_file(path))
        checkpoint, summary = load_checkpoint(self.folder(row.checkpoint)), artefact.summary
        return {
            "commands": self.plan.commands(row),
            "file": path.name,
            "sha256": artefact.sha256,
            "parameters": sum(values.size for values in checkpoint.tensors.values()),
            "bytes": summary.size_bytes,
            "gzipped_bytes": artefact.gzipped_bytes,
            "zero_share": artefact.zero_share,
            "dev_score": score(checkpoint.head, answers, self.dev.label_ids()),
            "agreement": float(np.mean(answers.argmax(-1) == reference.argmax(-1))),
            "operators": sum(len(one.verdicts) for one in summary.delegations),
            "taken": sum(one.taken for one in summary.delegations),
            "minimum_runtime": summary.minimum_runtime,
            "parity": self.parity(row),
        }

    def parity(self, row: RowPlan) -> dict[str, Any] | None:
        """Of a file with ranges that were trained: its answers beside those of the rounding model in Keras."""
        folder = self.folder(row.checkpoint)
        if not has_ranges_for(row.precision, StoredRanges.read(folder)):
            return None
        return compare_rounding(folder, self.file(row), self.dev).to_json()


def _carry_out(command: list[str]) -> None:
    if code := edgebert(command):
        raise SystemExit(code)


def record_rows(methods: Methods, names: list[str]) -> None:
    path = make_folder(RESULTS) / f"{methods.plan.dataset}.json"
    head = load_checkpoint(methods.student).head
    record = {
        "edgebert": VERSION,
        "data": methods.plan.data,
        "metric": METRICS[head.kind],
        "dev_examples": len(methods.dev),
        "dev_sha256": methods.dev.sha256,
        "student_sha256": load_checkpoint(methods.student).sha256,
        "teacher_sha256": load_checkpoint(methods.teacher).sha256,
        "rows": {},
    }
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {**found, "rows": {}} == record:
            # What was made by commands that are no longer configured is no row of this table.
            record["rows"] = {
                name: one
                for name, one in found["rows"].items()
                if name in methods.plan.rows and methods.made_as_configured(methods.plan.rows[name], one)
            }
    for name in names:
        record["rows"][name] = one = methods.measured(methods.plan.rows[name])
        # In the order of the configuration, whichever was made first.
        record["rows"] = {each: record["rows"][each] for each in methods.plan.rows if each in record["rows"]}
        write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
        note(f"{methods.plan.dataset}, {name}: dev {100 * one['dev_score']:.2f}, {one['bytes']:,} bytes")


def measure(methods: Methods, what: str, names: list[str]) -> None:
    """Of the files of these rows that are there, beside the plain graph. The record is of these alone: what ran in
    other turns is not to be compared."""
    rows = [methods.plan.rows[name] for name in names if methods.file(methods.plan.rows[name]).exists()]
    if not rows:
        raise SystemExit(f"{methods.work}: expected files of rows, got none. Do: make them first, without --measure.")
    tokenizer = WordPiece.from_folder(methods.student)
    plain = plain_reference.write(make_folder(methods.work / "plain"), "tiny4", LENGTH, PLAIN_PRECISIONS, tokenizer)
    files = (*(plain[precision] for precision in PLAIN_PRECISIONS), *dict.fromkeys(map(methods.file, rows)))
    write = {"latency": write_latency, "instructions": write_instructions}[what]
    write(files, (LENGTH,), RESULTS / f"{methods.plan.dataset}-{what}.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="the name of a file in configs/")
    for flag in ("--student", "--teacher", "--work"):
        parser.add_argument(flag, type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the folder of the published datasets")
    parser.add_argument("--row", action="append", metavar="NAME", help="this one alone; repeat for more")
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=[], help="instead of making rows")
    arguments = parser.parse_args()
    plan = read_plan(arguments.dataset)
    names = arguments.row or [
        name for name, row in plan.rows.items() if not (arguments.measure and row.precision == NOT_MEASURED)
    ]
    if unknown := sorted(set(names) - set(plan.rows)):
        parser.error(f"--row: expected some of {'; '.join(plan.rows)}, got {'; '.join(unknown)}")
    published = arguments.data is not None and (arguments.data / plan.data).exists()
    source = str(arguments.data / plan.data) if published else plan.data
    methods = Methods(plan, arguments.student, arguments.teacher, source, make_folder(arguments.work))
    for what in arguments.measure:
        measure(methods, what, names)
    if not arguments.measure:
        record_rows(methods, names)


if __name__ == "__main__":
    main()
