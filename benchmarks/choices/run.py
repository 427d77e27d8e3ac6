"""Why some numbers of edgebert/export/quantization are what they are: each beside what it could have been.

    python -m benchmarks.choices.run values clinc150 runs/nonorm --data clinc150 --scheme full-int8
    python -m benchmarks.choices.run values minilm minilm --data snips --scheme static
    python -m benchmarks.choices.run kernels clinc150 FILE.tflite ... --data clinc150

`values` calibrates a checkpoint on 256 and on 16 training texts, as edgebert does and with each other value, and
compares the files' answers to 300 other training texts with the float32 file's: dev and test texts choose nothing.
`kernels` compares what XNNPACK and LiteRT's built-in kernels answer to all dev texts, by `edgebert verify`: how far
one right answer may be from another. Both write their record beside this file and print all that are there.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.markdown import markdown_table
from edgebert.cli import main as edgebert
from edgebert.cli.output import note
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.quantization import channel_balance, ranges, schemes
from edgebert.export.quantization.calibration import CalibrationSet, calibration_set
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.sources import resolve_checkpoint

HERE = Path(__file__).parent
CALIBRATION_TEXTS = (256, 16)
OTHER_TEXTS = 300
LENGTH = 64
AS_IS = "as edgebert does"

# A name, and what is set for one conversion: the module, its constant or function, the other value.
Change = tuple[Any, str, Any]


def with_headroom(factor: float) -> Change:
    """Every range of the graph wider than what calibration saw."""
    choose = schemes.choose_ranges

    def wider(*arguments: Any) -> dict[int, tuple[float, float]]:
        return {index: (low * factor, high * factor) for index, (low, high) in choose(*arguments).items()}

    return schemes, "choose_ranges", wider


def changes(scheme: str) -> Iterator[tuple[str, Change | None]]:
    yield AS_IS, None
    if scheme == "static":
        for headroom in (1.0, 1.1, 1.3):
            yield f"evened channels' headroom {headroom}", (ranges, "EVENED_HEADROOM", headroom)
        return
    yield "channels not evened out", (schemes, "balance_throughout", schemes.balance_attention)
    for exponent in (0.4, 0.5, 0.7, 1.0):
        yield f"exponent {exponent}", (channel_balance, "EXPONENT", exponent)
    for share in (0.1, 1.0):
        yield f"quietest {share} of the median", (channel_balance, "QUIETEST_SHARE_OF_MEDIAN", share)
    for headroom in (1.1, 1.2):
        yield f"all ranges' headroom {headroom}", with_headroom(headroom)


def measure_values(checkpoint: str, source: str, scheme: str) -> dict[str, Any]:
    folder = resolve_checkpoint(checkpoint)
    loaded = load_checkpoint(folder)
    model, tokenizer = load_model(loaded).model, WordPiece.from_folder(folder)
    examples = read_examples(source, split="train")
    texts = [(one.text, one.second_text) for one in examples.examples]
    chosen = np.random.default_rng(0).permutation(len(texts))
    others = [texts[number] for number in chosen[-OTHER_TEXTS:]]
    rows = []
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "model.tflite"

        def answers(precision: str, calibration: CalibrationSet | None) -> np.ndarray:
            path.write_bytes(Exporter(model, tokenizer, {}, calibration).export(ExportRequest(precision, LENGTH)))
            return AnsweringModel(path).answer_all(others)

        right = answers("float32", None)
        for count in CALIBRATION_TEXTS:
            used = [texts[number] for number in chosen[:count]]
            calibration = calibration_set(used, tokenizer, LENGTH, source, examples.sha256, len(texts))
            for name, change in changes(scheme):
                with ExitStack() as undone:
                    if change is not None:
                        undone.enter_context(patch.object(*change))
                    rows.append(
                        {"choice": name, "calibration_texts": count} | _error(answers(scheme, calibration), right)
                    )
                note(f"{count} texts, {name}: {rows[-1]['mean']:.5f}")
    return {"scheme": scheme, "checkpoint_sha256": loaded.sha256, "data": examples.sha256, "rows": rows}


def _error(answers: np.ndarray, right: np.ndarray) -> dict[str, float]:
    distances = np.linalg.norm(answers - right, axis=1)
    return {"mean": float(distances.mean()), "largest": float(distances.max())}


def measure_kernels(files: Sequence[Path], source: str) -> dict[str, Any]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "verified.json"
        for path in files:
            # 1 says that they differ by more than is allowed, which is told here like any other difference.
            arguments = ["--data", source, "--split", "dev", "--clients", "litert", "--json", str(told)]
            if edgebert(["verify", str(path), *arguments]) == 2:
                raise SystemExit(2)
            verified = json.loads(told.read_text(encoding="utf-8"))
            (client,) = verified["clients"]
            found[path.name] = {
                "model_sha256": verified["model_sha256"],
                "texts": len(verified["texts"]),
                **{name: client[name] for name in ("version", "same_labels", "largest_difference")},
            }
    return found


def tables() -> str:
    values = [
        (path.stem.removeprefix("values-"), record["scheme"], one)
        for path in sorted(HERE.glob("values-*.json"))
        for record in [json.loads(path.read_text(encoding="utf-8"))]
        for one in record["rows"]
    ]
    kernels = [
        (path.stem.removeprefix("kernels-"), name, one)
        for path in sorted(HERE.glob("kernels-*.json"))
        for name, one in json.loads(path.read_text(encoding="utf-8")).items()
    ]
    return "\n\n".join(
        (
            markdown_table(
                ("model", "scheme", "calibration texts", "choice", "mean error", "largest"),
                [
                    (
                        name,
                        scheme,
                        one["calibration_texts"],
                        one["choice"],
                        f"{one['mean']:.4f}",
                        f"{one['largest']:.3f}",
                    )
                    for name, scheme, one in values
                ],
            ),
            markdown_table(
                ("data", "file", "dev texts", "same label", "largest difference"),
                [
                    (name, file, f"{one['texts']:,}", f"{one['same_labels']:,}", f"{one['largest_difference']:.3f}")
                    for name, file, one in kernels
                ],
            ),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part")
    values, kernels = parts.add_parser("values"), parts.add_parser("kernels")
    for part in (values, kernels):
        part.add_argument("name", help="of the record")
    values.add_argument("checkpoint")
    values.add_argument("--scheme", choices=("static", "full-int8"), required=True)
    kernels.add_argument("files", type=Path, nargs="+")
    for part in (values, kernels):
        part.add_argument("--data", required=True, metavar="SOURCE")
    arguments = parser.parse_args()
    if arguments.part:
        if arguments.part == "values":
            found = measure_values(arguments.checkpoint, arguments.data, arguments.scheme)
        else:
            found = measure_kernels(arguments.files, arguments.data)
        path = HERE / f"{arguments.part}-{arguments.name}.json"
        write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    print(tables())


if __name__ == "__main__":
    main()
