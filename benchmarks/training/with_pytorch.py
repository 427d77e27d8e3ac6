"""Plain PyTorch and transformers: `python -m benchmarks.training.with_pytorch finetune|distil [bfloat16]`."""

import contextlib
import sys

import torch
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.training import shapes
from benchmarks.training.worker import serve


def model(shape: tuple[int, int, int, int]) -> BertForSequenceClassification:
    layers, width, heads, feed_forward = shape
    config = BertConfig(
        vocab_size=shapes.VOCABULARY_SIZE,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        num_labels=2,
    )
    return BertForSequenceClassification(config).train()


def main() -> None:
    task, *rest = sys.argv[1:]
    torch.set_num_threads(2)
    torch.manual_seed(0)
    trained = model(shapes.TEACHER if task == "finetune" else shapes.STUDENT)
    teacher = model(shapes.TEACHER).eval() if task == "distil" else None
    optimizer = torch.optim.AdamW(trained.parameters(), lr=shapes.LEARNING_RATE, weight_decay=shapes.WEIGHT_DECAY)

    def arithmetic():
        return torch.autocast("cpu", torch.bfloat16) if "bfloat16" in rest else contextlib.nullcontext()

    def loss(ids, labels):
        mask = torch.ones_like(ids)
        logits = trained(input_ids=ids, attention_mask=mask).logits.float()
        if teacher is None:
            return torch.nn.functional.cross_entropy(logits, labels)
        with torch.no_grad():
            taught = teacher(input_ids=ids, attention_mask=mask).logits.float().softmax(-1)
        return torch.nn.functional.cross_entropy(logits, taught)

    def step(ids, labels):
        with arithmetic():
            value = loss(torch.from_numpy(ids).long(), torch.from_numpy(labels))
        value.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), shapes.LARGEST_NORM)
        optimizer.step()
        optimizer.zero_grad()
        value.item()

    serve(step)


if __name__ == "__main__":
    main()
