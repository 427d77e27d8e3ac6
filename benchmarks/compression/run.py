"""The schemes beside the plain graph's: what they cost on TinyBERT4's shape, and what they keep of MiniLM's embeddings.

    python -m benchmarks.compression.run [accuracy] [latency] [instructions]

writes `accuracy.json`, `latency.json` and `instructions.json` (measurement records, every sample) into
benchmarks/compression, each part by itself if it is named, and prints every bar with what was found. Speed: random
weights, 128 tokens, one thread, all files in turns; the plain graph is benchmarks/plain_reference.py. Accuracy:
calibrated on 256 questions of SNIPS, judged on 200 of CLINC150's test split, on which nothing was chosen. The graphs
have heads that read the first token, so that the last layer computes it alone; a head on the mean has more to do, and
benchmarks/methods has both.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import plain_reference
from benchmarks.compression.bars import tables
from benchmarks.recording import write_cosines, write_instructions, write_latency
from edgebert.benchmark.texts import read_texts
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.quantization.calibration import CalibrationSet, calibration_set
from edgebert.keras import keras
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.sources import resolve_checkpoint
from edgebert.models.task import build_model

HERE = Path(__file__).parent
PARTS = ("accuracy", "latency", "instructions")
LENGTH = 128
CALIBRATION_TEXTS = 256
# int16x8 is left out: a hundred times slower, it is an oracle and nobody's choice. 312 is no multiple of 32.
SPEED_SCHEMES = ("float32", "float16", "dynamic", "hybrid", "static", "int4-embedding-rows")
ACCURACY_SCHEMES = (*SPEED_SCHEMES, "int4-embedding", "int16x8")
# For full-int8: NoNorm and ReLU, and a third of the heads, since int8's softmax is the one slow operator left.
INTEGER_HEADS = 4


def calibration(tokenizer: WordPiece, length: int) -> CalibrationSet:
    read = read_texts("snips", CALIBRATION_TEXTS, split="train")
    return calibration_set(read.texts, tokenizer, length, read.source, read.sha256, read.available)


def write_speed_models(folder: Path, tokenizer: WordPiece) -> list[Path]:
    """The plain dynamic file first: ratios refer to it."""
    plain = plain_reference.write(folder, "tiny4", LENGTH, ("dynamic", "float32"), tokenizer)
    layers, width, heads, feed_forward = plain_reference.SHAPES["tiny4"]
    exporters = {}
    for name, changed in (
        ("ours", {"heads": heads}),
        ("integer", {"heads": INTEGER_HEADS, "normalization": "no_norm", "activation": "relu"}),
    ):
        keras.utils.set_random_seed(0)
        config = EncoderConfig(
            vocabulary_size=plain_reference.VOCABULARY_SIZE,
            width=width,
            layers=layers,
            feed_forward_width=feed_forward,
            embedding_width=width,
            **changed,
        )
        model = build_model(config, HeadConfig("classification", "pooler", labels=("no", "yes")))
        exporters[name] = Exporter(model, tokenizer, {"weights": "random"}, calibration(tokenizer, LENGTH))
    files = [plain["dynamic"], plain["float32"]]
    for scheme in (*SPEED_SCHEMES, "full-int8"):
        exporter = exporters["integer" if scheme == "full-int8" else "ours"]
        files.append(folder / f"{scheme}.tflite")
        files[-1].write_bytes(exporter.export(ExportRequest(scheme, LENGTH)))
    return files


def write_accuracy_models(folder: Path, minilm: Path, tokenizer: WordPiece) -> dict[str, Path]:
    """float32 first: the others are compared with it."""
    exporter = Exporter(
        load_model(load_checkpoint(minilm)).model,
        tokenizer,
        {"weights": "all-MiniLM-L6-v2"},
        calibration(tokenizer, 512),
    )
    requests = [ExportRequest(scheme) for scheme in ACCURACY_SCHEMES]
    requests += [ExportRequest(scheme, None, "task-library") for scheme in ("dynamic", "static")]
    files = {}
    for request in requests:
        name = "-".join(part for part in (request.precision, request.compatible_with) if part)
        files[name] = folder / f"minilm-{name}.tflite"
        files[name].write_bytes(exporter.export(request))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parts = parser.parse_args().parts or PARTS
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"expected {', '.join(PARTS)}, got {', '.join(unknown)}")
    minilm = resolve_checkpoint("minilm")
    tokenizer = WordPiece.from_folder(minilm)
    with tempfile.TemporaryDirectory() as folder:
        if "accuracy" in parts:
            write_cosines(write_accuracy_models(Path(folder), minilm, tokenizer), HERE / "accuracy.json")
        if {"latency", "instructions"} & set(parts):
            files = tuple(write_speed_models(Path(folder), tokenizer))
            if "instructions" in parts:
                write_instructions(files, (LENGTH,), HERE / "instructions.json")
            if "latency" in parts:
                write_latency(files, (LENGTH,), HERE / "latency.json")
    print(tables())


if __name__ == "__main__":
    main()
