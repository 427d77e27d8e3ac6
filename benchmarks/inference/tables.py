"""The committed results as the Markdown table that README.md quotes: `python -m benchmarks.inference.tables`."""

import json
from pathlib import Path

import numpy as np

from benchmarks.markdown import markdown_table

NAMES = {
    "plain-float32": "plain TensorFlow Lite graph, float32",
    "plain-dynamic": "plain TensorFlow Lite graph, dynamic int8",
    "pytorch-float32": "PyTorch, float32",
    "onnx-float32": "ONNX Runtime, float32, fused",
    "onnx-int8": "ONNX Runtime, dynamic int8, fused",
    "edgebert-float32": "edgebert, float32",
    "edgebert-float16": "edgebert, float16",
    "edgebert-dynamic": "edgebert, dynamic int8",
    "edgebert-hybrid": "edgebert, hybrid int8",
    "edgebert-static": "edgebert, static int8",
}
BASE = "plain-float32"
SHAPES = ("tiny4", "minilm6")
TITLES = {"tiny4": "TinyBERT4 shape", "minilm6": "MiniLM-L6 shape"}


def results_file(shape: str) -> Path:
    return Path(__file__).parent / f"results-{shape}.json"


def inference_table(shape: str) -> str:
    """Medians of all runs; ratios are medians of the rounds', in each of which every engine had its turn."""
    found = json.loads(results_file(shape).read_text(encoding="utf-8"))
    rounds = {name: np.median(engine["nanoseconds"], axis=1) for name, engine in found["engines"].items()}
    rows = []
    for name, engine in found["engines"].items():
        milliseconds = np.median(engine["nanoseconds"]) / 1e6
        ratio = np.median(rounds[BASE] / rounds[name])
        sizes = (f"{engine['size_bytes'] / 1e6:.1f}", f"{engine['peak_bytes'] / 1e6:,.0f}")
        rows.append((NAMES[name], f"{milliseconds:.2f}", f"{ratio:.2f}×", *sizes))
    header = (f"{TITLES[shape]}, {found['length']} tokens, one thread", "ms", "speed", "file MB", "process MB")
    return markdown_table(header, rows)


def tables() -> str:
    return "\n\n".join(inference_table(shape) for shape in SHAPES if results_file(shape).is_file())


if __name__ == "__main__":
    print(tables())
