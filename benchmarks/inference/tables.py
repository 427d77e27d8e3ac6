"""The committed results as the Markdown tables that README.md quotes: `python -m benchmarks.inference.tables`."""

import numpy as np

from benchmarks.inference.results import read_results, results_file
from benchmarks.markdown import markdown_table

NAMES = {
    "plain-float32": "plain TensorFlow Lite graph, float32",
    "plain-dynamic": "plain TensorFlow Lite graph, dynamic int8",
    "pytorch-float32": "PyTorch, float32",
    "onnx-float32": "ONNX Runtime, float32, fused",
    "onnx-int8": "ONNX Runtime, dynamic int8, fused",
    "edgebert-float32": "edgebert, float32",
    "edgebert-float16": "edgebert, float16",
    "edgebert-dynamic": "edgebert, dynamic",
    "edgebert-hybrid": "edgebert, hybrid",
    "edgebert-static": "edgebert, static",
    "edgebert-int4-embedding": "edgebert, int4-embedding",
    "edgebert-int4-embedding-rows": "edgebert, int4-embedding-rows",
    "edgebert-full-int8": "edgebert, full-int8 (NoNorm, ReLU, fewer heads)",
}
BASE = "plain-float32"
TITLES = {"tiny4": "TinyBERT4's shape", "minilm6": "MiniLM-L6's shape"}


def inference_table(shape: str) -> str:
    """Medians of all runs; ratios are medians of the rounds', in each of which every engine had its turn."""
    found = read_results(results_file(shape))
    rounds = {engine.name: np.median(engine.nanoseconds, axis=1) for engine in found.engines}
    rows = []
    for engine in sorted(found.engines, key=lambda engine: list(NAMES).index(engine.name)):
        milliseconds = np.median(engine.nanoseconds) / 1e6
        ratio = np.median(rounds[BASE] / rounds[engine.name])
        sizes = (f"{engine.size_bytes / 1e6:.1f}", f"{engine.peak_bytes / 1e6:,.0f}")
        rows.append((NAMES[engine.name], f"{milliseconds:.2f}", f"{ratio:.2f}×", *sizes))
    header = (f"{TITLES[shape]}, {found.length} tokens, {found.threads} thread", "ms", "speed", "file MB", "process MB")
    return markdown_table(header, rows)


def tables() -> str:
    return "\n\n".join(inference_table(shape) for shape in TITLES if results_file(shape).is_file())


if __name__ == "__main__":
    print(tables())
