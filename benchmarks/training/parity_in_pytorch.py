"""The PyTorch side of `parity`: `python -m benchmarks.training.parity_in_pytorch FOLDER TASK`, the values as JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import BertForSequenceClassification

from benchmarks.training.with_pytorch import Step


def main() -> None:
    folder, task = Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(2)
    student = BertForSequenceClassification.from_pretrained(folder / "student").eval()
    has_teacher = (folder / "teacher").exists()
    teacher = BertForSequenceClassification.from_pretrained(folder / "teacher").eval() if has_teacher else None
    step = Step(task, student, teacher)
    given = dict(np.load(folder / "given.npz"))
    if "kernel" in given:
        with torch.no_grad():
            step.projection.weight.copy_(torch.from_numpy(given["kernel"].T))
            step.projection.bias.copy_(torch.from_numpy(given["bias"]))
    losses = step.losses(torch.from_numpy(given["ids"]).long(), torch.from_numpy(given["labels"]))
    sum(losses.values()).backward()
    gradients = [one.grad.double() for one in step.parameters() if one.grad is not None]
    values = {name: value.item() for name, value in losses.items()}
    print(json.dumps(values | {"gradient_norm": sum(one.square().sum() for one in gradients).sqrt().item()}))


if __name__ == "__main__":
    main()
