"""PyTorch and transformers: `python -m benchmarks.inference.with_pytorch FOLDER CHECKPOINT`."""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from benchmarks.inference.worker import serve


def main() -> None:
    folder, checkpoint = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()

    @torch.inference_mode()
    def answer(ids, mask):
        logits = model(input_ids=torch.from_numpy(ids).long(), attention_mask=torch.from_numpy(mask).long()).logits
        return logits.softmax(-1).numpy()

    serve(answer, folder, "torch", "transformers")


if __name__ == "__main__":
    main()
