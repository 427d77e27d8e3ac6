"""ONNX Runtime: `python -m benchmarks.inference.with_onnx FOLDER MODEL.onnx`."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.inference.worker import serve


def main() -> None:
    folder, model = map(Path, sys.argv[1:])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def answer(ids, mask):
        inputs = {"input_ids": ids.astype(np.int64), "attention_mask": mask.astype(np.int64)}
        (logits,) = session.run(["logits"], inputs)
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    serve(answer, folder, "onnxruntime")


if __name__ == "__main__":
    main()
