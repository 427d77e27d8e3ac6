"""Int8 by calibration and by training beside float32: dev scores of the files, and Keras' rounding beside them.

    python -m benchmarks.quantizing.run --student STUDENT --quantized RESULT --data clinc150 --out FOLDER

STUDENT is a checkpoint that knows the task, RESULT what `edgebert quantize` made of it, for static or for full-int8. A
STUDENT for static is calibrated in hybrid too. Writes the files and
`figures.json` into FOLDER and prints a row for each. The calibrated file is calibrated on as many training texts as the
training began with; scores are of dev examples that neither saw.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from edgebert.cli.output import table
from edgebert.compression.quantizing.ranges import STATIC, StoredRanges
from edgebert.config import HeadConfig
from edgebert.data.examples import Dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.quantization.calibration import calibration_set
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.stations.rounding_parity import compare_rounding
from edgebert.training.scoring import score

CALIBRATION_TEXTS = 256
LENGTH = 128


def write_files(arguments: argparse.Namespace, train: Dataset, scheme: str) -> dict[str, Path]:
    step = max(1, len(train) // CALIBRATION_TEXTS)
    chosen = [(one.text, one.second_text) for one in train.examples[::step][:CALIBRATION_TEXTS]]
    made: dict[str, Path] = {}
    for name, folder, precision in (
        ("float32", arguments.student, "float32"),
        ("dynamic", arguments.student, "dynamic"),
        *((("hybrid, calibrated", arguments.student, "hybrid"),) if scheme == STATIC else ()),
        (f"{scheme}, calibrated", arguments.student, scheme),
        ("float32, trained", arguments.quantized, "float32"),
        (f"{scheme}, trained", arguments.quantized, scheme),
    ):
        checkpoint, tokenizer = load_checkpoint(folder), WordPiece.from_folder(folder)
        calibration = calibration_set(chosen, tokenizer, LENGTH, train.source, train.sha256, len(train))
        exporter = Exporter(load_model(checkpoint).model, tokenizer, {}, calibration, StoredRanges.read(folder))
        path = arguments.out / f"{name.replace(', ', '-')}.tflite"
        made[name] = write_atomically(path, exporter.export(ExportRequest(precision)))
    return made


def figures(files: dict[str, Path], head: HeadConfig, dev: Dataset) -> dict[str, dict[str, float]]:
    texts = [(one.text, one.second_text) for one in dev.examples]
    targets = dev.label_values() if dev.is_regression else dev.label_ids()
    found, reference = {}, None
    for name, path in files.items():
        model = AnsweringModel(path)
        answers = model.answer_all(texts)
        reference = answers if reference is None else reference
        found[name] = {
            "bytes": path.stat().st_size,
            "dev_score": score(head, answers, targets),
            "agreement": float(np.mean(answers.argmax(-1) == reference.argmax(-1))),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--student", "--quantized", "--out"):
        parser.add_argument(flag, type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--data", required=True)
    arguments = parser.parse_args()
    make_folder(arguments.out)
    head = load_checkpoint(arguments.student).head
    train, dev = (read_examples(arguments.data, split=split, labels=head.labels or None) for split in ("train", "dev"))
    stored = StoredRanges.read(arguments.quantized)
    if stored is None:
        parser.error(f"{arguments.quantized}: expected ranges beside the checkpoint, as edgebert quantize puts them")
    scheme = stored.ranges.scheme
    files = write_files(arguments, train, scheme)
    parity = compare_rounding(arguments.quantized, files[f"{scheme}, trained"], dev, LENGTH)
    found = figures(files, head, dev)
    content = {
        "data": arguments.data,
        "scheme": scheme,
        "examples": len(dev),
        "files": found,
        "parity": parity.to_json(),
    }
    write_atomically(arguments.out / "figures.json", (json.dumps(content, indent=1) + "\n").encode())
    rows = [
        (name, f"{one['bytes']:,}", f"{100 * one['dev_score']:.2f}", f"{100 * one['agreement']:.2f}")
        for name, one in found.items()
    ]
    print(table(("file", "bytes", "dev score", "agrees with float32"), rows))
    print(json.dumps(parity.to_json(), indent=1))


if __name__ == "__main__":
    main()
