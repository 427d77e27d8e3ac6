"""What the graph and the dynamic precision bring: our tiny4 beside the plain one, and what int8 costs MiniLM.

    python -m benchmarks.graph.run [--emulated]

writes into benchmarks/graph: `latency-fixed.json`, `latency-lengths.json` and `latency-sixteen.json` (measurement
records, every sample), `accuracy.json`, and with --emulated `instructions.json` and `instructions-lengths.json`; then
prints the tables that README.md quotes. Random weights for speed (it does not depend on them), MiniLM's real ones for
accuracy. The emulator is set up by `edgebert emulator install`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import plain_reference
from benchmarks.graph.tables import tables
from edgebert.benchmark.emulated.cores import choose_cores
from edgebert.benchmark.emulated.measuring import count
from edgebert.benchmark.emulated.report import derived_counts, report_on_counts
from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.report import derived, report_on
from edgebert.benchmark.texts import builtin_texts
from edgebert.cli.output import note
from edgebert.cli.progress_line import ProgressLine
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.keras import keras
from edgebert.measurement_file import to_json
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import build_model

HERE = Path(__file__).parent
LENGTHS = (16, 32, 64, 128)
SENTENCES = 200
RUNS = 300
COMPARED = ("plain-dynamic", "ours-dynamic-fixed", "ours-dynamic-open", "plain-float32", "ours-float32-fixed")
EMULATED = "emulated:cortex-a53,cortex-a55,cortex-a76,i8mm"


def write_models(folder: Path) -> dict[str, Path]:
    """The plain graph and ours with the same shape; ours also with an open length."""
    minilm = resolve_checkpoint("minilm")
    vocabulary = WordPiece.from_folder(minilm)
    layers, width, heads, feed_forward = plain_reference.SHAPES["tiny4"]
    keras.utils.set_random_seed(0)
    config = EncoderConfig(plain_reference.VOCABULARY_SIZE, width, layers, heads, feed_forward, width)
    tiny4 = build_model(config, HeadConfig("classification", "pooler", labels=("no", "yes")))
    exporter = Exporter(tiny4, vocabulary, {"weights": "random"})
    files = {
        f"plain-{name}": path
        for name, path in plain_reference.write(folder, "tiny4", 128, ("float32", "dynamic")).items()
    }
    for precision in ("float32", "dynamic"):
        for name, length in (("fixed", 128), ("open", None)):
            path = folder / f"ours-{precision}-{name}.tflite"
            path.write_bytes(exporter.export(ExportRequest(precision, length)))
            files[path.stem] = path
    path = folder / "ours-dynamic-16.tflite"
    path.write_bytes(exporter.export(ExportRequest("dynamic", 16)))
    files[path.stem] = path
    exporter = Exporter(load_model(load_checkpoint(minilm)).model, vocabulary, {"weights": "all-MiniLM-L6-v2"})
    for precision, old in (("float32", None), ("float16", None), ("dynamic", None), ("dynamic", "task-library")):
        path = folder / f"minilm-{precision}{'-per-tensor' if old else ''}.tflite"
        path.write_bytes(exporter.export(ExportRequest(precision, None, old)))
        files[path.stem] = path
    return files


def write_latency(plan: Plan, name: str) -> None:
    with ProgressLine() as progress:
        record = measure(plan, lambda unfinished: None, note, progress)
    (HERE / name).write_bytes(to_json(record, derived(report_on(record))))


def write_instructions(plan: Plan, name: str) -> None:
    with ProgressLine() as progress:
        record = count(plan, choose_cores(EMULATED), lambda unfinished: None, progress)
    (HERE / name).write_bytes(to_json(record, derived_counts(report_on_counts(record))))


def write_accuracy(files: dict[str, Path]) -> None:
    """Cosine of MiniLM's sentence embedding with float32's on ordinary sentences: CLINC150's test questions."""
    examples = read_examples("clinc150", split="test").examples
    texts = [(example.text, None) for example in examples[:: len(examples) // SENTENCES][:SENTENCES]]
    embeddings = {name: AnsweringModel(path).answer_all(texts) for name, path in files.items() if "minilm" in name}
    reference = embeddings["minilm-float32"]
    found = {}
    for name, values in embeddings.items():
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(reference, axis=1)
        cosines = np.sum(values * reference, axis=1) / lengths
        found[name] = {
            "mean": float(cosines.mean()),
            "minimum": float(cosines.min()),
            "size_bytes": files[name].stat().st_size,
            "sentences": len(texts),
        }
    (HERE / "accuracy.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulated", action="store_true", help="count instructions on emulated cores too")
    arguments = parser.parse_args()
    vocabulary = resolve_checkpoint("minilm") / "vocab.txt"
    with tempfile.TemporaryDirectory() as folder:
        files = write_models(Path(folder))
        fixed = tuple(files[name] for name in COMPARED)
        texts = builtin_texts(20)
        write_latency(Plan(fixed, texts, lengths=(128,), vocabulary=vocabulary, runs=RUNS), "latency-fixed.json")
        open_length = (files["ours-dynamic-open"],)
        write_latency(
            Plan(open_length, texts, lengths=LENGTHS, vocabulary=vocabulary, runs=RUNS), "latency-lengths.json"
        )
        shortest = (files["ours-dynamic-16"], files["ours-dynamic-open"])
        write_latency(Plan(shortest, texts, lengths=(16,), vocabulary=vocabulary, runs=RUNS), "latency-sixteen.json")
        write_accuracy(files)
        if arguments.emulated:
            one_text = builtin_texts(1)
            plan = Plan(
                fixed, one_text, lengths=(128,), vocabulary=vocabulary, runs=2, warmup_inputs=1, minimum_seconds=0
            )
            write_instructions(plan, "instructions.json")
            plan = Plan(
                open_length,
                one_text,
                lengths=LENGTHS,
                vocabulary=vocabulary,
                runs=2,
                warmup_inputs=1,
                minimum_seconds=0,
            )
            write_instructions(plan, "instructions-lengths.json")
    print(tables())


if __name__ == "__main__":
    main()
