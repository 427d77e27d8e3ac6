"""Plain PyTorch and transformers: `python -m benchmarks.training.with_pytorch TASK [bfloat16]`.

TASK: finetune, distil (TinyBERT's prediction step), or distil-layers (its intermediate step, as its published code has
it: MSE of hidden states through one dense layer, and of attention scores ahead of the softmax; all texts of a batch
have its length, so that no position is padding). transformers gives probabilities in the place of scores, so both
models run its plain attention here with the scores returned; without them, its fused one.
"""

import contextlib
import sys
from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy, mse_loss
from transformers import AttentionInterface, AttentionMaskInterface, BertConfig, BertForSequenceClassification
from transformers.masking_utils import eager_mask

from benchmarks.training import shapes
from benchmarks.training.worker import serve

SCORES = "scores_returned"


def attend_and_return_scores(module, query, key, value, mask, scaling, dropout=0.0, **_):
    """As transformers' eager attention, but for the second value: its probabilities are of no use here."""
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    masked = scores if mask is None else scores + mask
    probabilities = torch.nn.functional.dropout(masked.softmax(-1), p=dropout, training=module.training)
    return torch.matmul(probabilities, value).transpose(1, 2).contiguous(), scores


AttentionInterface.register(SCORES, attend_and_return_scores)
AttentionMaskInterface.register(SCORES, eager_mask)


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


class Step(torch.nn.Module):
    """A step's losses by their names, and all that it trains."""

    def __init__(self, task: str, trained: BertForSequenceClassification, teacher=None):
        super().__init__()
        self.task, self.trained = task, trained
        # In a list, and so not registered: nothing of the teacher is trained.
        self.teacher = [teacher]
        if task == "distil-layers":
            self.projection = torch.nn.Linear(trained.config.hidden_size, teacher.config.hidden_size)
            for one in (trained, teacher):
                one.set_attn_implementation(SCORES)

    def losses(self, ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.task == "distil-layers":
            return self._layers(ids)
        mask, (teacher,) = torch.ones_like(ids), self.teacher
        logits = self.trained(input_ids=ids, attention_mask=mask).logits.float()
        if teacher is None:
            return {"label": cross_entropy(logits, labels)}
        with torch.no_grad():
            taught = teacher(input_ids=ids, attention_mask=mask).logits.float().softmax(-1)
        return {"soft_cross_entropy": cross_entropy(logits, taught)}

    def _layers(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            taught = self._encoded(self.teacher[0], ids)
        learnt = self._encoded(self.trained, ids)
        projected = [self.projection(states) for states in learnt.hidden_states]
        states = [taught.hidden_states[layer] for layer in shapes.TAUGHT_BY]
        scores = [taught.attentions[layer - 1] for layer in shapes.TAUGHT_BY]
        return {
            "embedding_mse": mse_loss(projected[0], taught.hidden_states[0]),
            "hidden_mse": sum_of_mse(projected[1:], states),
            "attention_scores_mse": sum_of_mse(learnt.attentions, scores),
        }

    def _encoded(self, model: BertForSequenceClassification, ids: torch.Tensor):
        return model.bert(
            input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, output_attentions=True
        )


def sum_of_mse(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> torch.Tensor:
    return sum(mse_loss(one, other) for one, other in zip(ours, theirs, strict=True))


def main() -> None:
    task, *rest = sys.argv[1:]
    torch.set_num_threads(2)
    torch.manual_seed(0)
    trained = model(shapes.TEACHER if task == "finetune" else shapes.STUDENT)
    parts = Step(task, trained, None if task == "finetune" else model(shapes.TEACHER).eval())
    optimizer = torch.optim.AdamW(parts.parameters(), lr=shapes.LEARNING_RATE, weight_decay=shapes.WEIGHT_DECAY)

    def arithmetic():
        return torch.autocast("cpu", torch.bfloat16) if "bfloat16" in rest else contextlib.nullcontext()

    def step(batch):
        with arithmetic():
            losses = parts.losses(torch.from_numpy(batch.ids).long(), torch.from_numpy(batch.labels))
            value = sum(losses.values())
        value.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), shapes.LARGEST_NORM)
        optimizer.step()
        optimizer.zero_grad()
        value.item()

    serve(step)


if __name__ == "__main__":
    main()
