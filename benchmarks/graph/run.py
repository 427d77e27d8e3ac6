"""What the graph and the dynamic precision bring: our tiny4 beside the plain one, and what int8 costs MiniLM.

    python -m benchmarks.graph.run [--emulated]

writes into benchmarks/graph: `latency-fixed.json`, `latency-lengths.json` and `latency-sixteen.json` (measurement
records, every sample), `accuracy.json`, and with --emulated `instructions.json` and `instructions-lengths.json`; then
prints the tables that README.md quotes. Random weights for speed (it does not depend on them), MiniLM's real ones for
accuracy. The emulator is set up by `edgebert emulator install`.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import plain_reference
from benchmarks.graph.tables import tables
from benchmarks.recording import write_cosines, write_instructions, write_latency
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.keras import keras
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import build_model

HERE = Path(__file__).parent
LENGTHS = (16, 32, 64, 128)
COMPARED = ("plain-dynamic", "ours-dynamic-fixed", "ours-dynamic-open", "plain-float32", "ours-float32-fixed")


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
        for name, path in plain_reference.write(folder, "tiny4", 128, ("float32", "dynamic"), vocabulary).items()
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulated", action="store_true", help="count instructions on emulated cores too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_models(Path(folder))
        fixed, open_length = tuple(files[name] for name in COMPARED), (files["ours-dynamic-open"],)
        write_latency(fixed, (128,), HERE / "latency-fixed.json")
        write_latency(open_length, LENGTHS, HERE / "latency-lengths.json")
        shortest = (files["ours-dynamic-16"], *open_length)
        write_latency(shortest, (16,), HERE / "latency-sixteen.json")
        embedding = {name: path for name, path in files.items() if "minilm" in name}
        write_cosines(embedding, HERE / "accuracy.json")
        if arguments.emulated:
            write_instructions(fixed, (128,), HERE / "instructions.json")
            write_instructions(open_length, LENGTHS, HERE / "instructions-lengths.json")
    print(tables())


if __name__ == "__main__":
    main()
