"""What structured pruning brings and costs a trained student: bytes, dev score on the .tflite, time on this machine.

    python -m benchmarks.shrinking.run STUDENT --teacher TEACHER --data clinc150 --work runs/shrinking --name clinc150
    python -m benchmarks.shrinking.tables

The first makes each row's checkpoint by `edgebert shrink` below `--work`, where a killed run goes on. It writes
`results/NAME.json`, with the scores of float32 and dynamic files on the whole dev set, and `results/NAME-latency.json`,
with the times of all dynamic files, in turns in one run at 128 tokens. A row that is in the result already is not made
again; `--keep` says which rows there are. All else, such as `--max-examples 6000 --epochs 2`, goes to `edgebert shrink`
and into the result. The second prints README's table of all results.
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

from benchmarks.recording import write_latency
from edgebert.cli import main as edgebert
from edgebert.cli.output import note
from edgebert.compression.shrinking.counts import Counts, block_parameters
from edgebert.data.examples import Dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.training.scoring import METRICS, score
from edgebert.version import VERSION

RESULTS = Path(__file__).parent / "results"
PRECISIONS = ("float32", "dynamic")
TOKENS = 128
WHOLE = "as it is"


def shrunk(keep: float, arguments: argparse.Namespace, how: list[str]) -> Path:
    folder = arguments.work / f"keep-{keep:g}"
    given = ["--student", arguments.student, "--teacher", arguments.teacher, "--data", arguments.data]
    code = edgebert([str(flag) for flag in ("shrink", *given, "--output", folder, "--keep", keep, *how)])
    if code:
        raise SystemExit(code)
    return folder


def measured(folder: Path, dev: Dataset, files: dict[str, Path]) -> dict[str, Any]:
    checkpoint, tokenizer = load_checkpoint(folder), WordPiece.from_folder(folder)
    exporter = Exporter(load_model(checkpoint).model, tokenizer, {"checkpoint_sha256": checkpoint.sha256})
    record = folder / "training" / "record.json"
    steps = json.loads(record.read_text())["result"].get("steps") if record.exists() else None
    return {
        "checkpoint_sha256": checkpoint.sha256,
        "counts": Counts.of(checkpoint.encoder).to_json(),
        "parameters": sum(values.size for values in checkpoint.tensors.values()),
        "block_parameters": block_parameters(checkpoint.encoder),
        # On dev in Keras, in order: before each step, cut, healed.
        "steps": [[step[f"score_{when}"] for when in ("before", "cut", "healed")] for step in steps or ()],
        "files": {
            precision: _file(exporter.export(ExportRequest(precision)), files[precision], checkpoint.head, dev)
            for precision in PRECISIONS
        },
    }


def _file(content: bytes, path: Path, head, dev: Dataset) -> dict[str, Any]:
    write_atomically(path, content)
    answers = AnsweringModel(path).answer_all([(example.text, example.second_text) for example in dev.examples])
    dev_score = score(head, answers, dev.label_ids())
    return {"bytes": len(content), "gzipped_bytes": len(gzip.compress(content, mtime=0)), "dev_score": dev_score}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", type=Path)
    parser.add_argument("--teacher", required=True, type=Path)
    parser.add_argument("--data", required=True, help="`clinc150`, `snips`, or a folder with train and dev files")
    parser.add_argument("--work", required=True, type=Path, help="where checkpoints and files are kept")
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--keep", type=float, nargs="+", default=[0.5, 0.25], help="of the blocks' weights, each a row")
    arguments, how = parser.parse_known_args()
    source = load_checkpoint(arguments.student)
    dev = read_examples(arguments.data, split="dev", labels=source.head.labels)
    path = make_folder(RESULTS) / f"{arguments.name}.json"
    record = {
        "edgebert": VERSION,
        "data": Path(arguments.data).name,
        "how": how,
        "metric": METRICS[source.head.kind],
        "dev_sha256": dev.sha256,
        "student_sha256": source.sha256,
        "teacher_sha256": load_checkpoint(arguments.teacher).sha256,
        "rows": {},
    }
    if path.exists():
        found = json.loads(path.read_text())
        if {**found, "rows": {}} == record:
            record["rows"] = found["rows"]
    latency = []
    for name, keep in ((WHOLE, None), *((f"{keep:.0%} of the blocks", keep) for keep in arguments.keep)):
        place = make_folder(arguments.work / "files")
        files = {one: place / f"{keep or 1:g}-{one}.tflite" for one in PRECISIONS}
        if name not in record["rows"] or not all(file.exists() for file in files.values()):
            folder = arguments.student if keep is None else shrunk(keep, arguments, how)
            record["rows"][name] = measured(folder, dev, files)
            write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
        latency.append(files["dynamic"])
        scores = ", ".join(f"{100 * file['dev_score']:.2f}" for file in record["rows"][name]["files"].values())
        note(f"{arguments.name}, {name}: dev {scores}")
    write_latency(
        tuple(latency), (TOKENS,), arguments.student / "vocab.txt", RESULTS / f"{arguments.name}-latency.json"
    )


if __name__ == "__main__":
    main()
