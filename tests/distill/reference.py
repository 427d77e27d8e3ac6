"""The losses once more, as the papers write them: float64 numpy, one example after the other, each cut to its real
length, so that there is no mask to get wrong. Shares no code with edgebert."""

import numpy as np


def lengths(mask) -> list[int]:
    return [int(row.sum()) for row in mask]


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def hidden_mse(student, teacher, mask):
    squares = [
        (student[b, t, w] - teacher[b, t, w]) ** 2
        for b, length in enumerate(lengths(mask))
        for t in range(length)
        for w in range(student.shape[2])
    ]
    return np.mean(squares)


def hidden_cosine(student, teacher, mask):
    losses = []
    for b, length in enumerate(lengths(mask)):
        for t in range(length):
            s, z = student[b, t], teacher[b, t]
            losses.append(1 - s @ z / (np.linalg.norm(s) * np.linalg.norm(z)))
    return np.mean(losses)


def first_row_mse(student, teacher, mask=None):
    losses = []
    for s, z in zip(student[:, 0], teacher[:, 0], strict=True):
        losses.append(np.mean((s / np.linalg.norm(s) - z / np.linalg.norm(z)) ** 2))
    return np.mean(losses)


def attention_mse(student, teacher, mask):
    squares = []
    for b, length in enumerate(lengths(mask)):
        for head in range(student.shape[1]):
            cell = student[b, head, :length, :length] - teacher[b, head, :length, :length]
            squares += list((cell**2).ravel())
    return np.mean(squares)


def attention_cross_entropy(student, teacher, mask):
    losses = []
    for b, length in enumerate(lengths(mask)):
        for head in range(student.shape[1]):
            p = softmax(teacher[b, head, :length, :length])
            q = softmax(student[b, head, :length, :length])
            losses += list(-(p * np.log(q)).sum(axis=-1))
    return np.mean(losses)


def attention_kl(student, teacher, mask):
    return attention_cross_entropy(student, teacher, mask) - attention_cross_entropy(teacher, teacher, mask)


def relation_kl(student, teacher, mask, relation_heads):
    """query, key or value [B, A, T, D] of both sides, without a factor."""
    return attention_kl(_relations(student, relation_heads), _relations(teacher, relation_heads), mask)


def _relations(vectors, relation_heads):
    batch, heads, tokens, width = vectors.shape
    part = heads * width // relation_heads
    relations = np.zeros((batch, relation_heads, tokens, tokens))
    for b in range(batch):
        rows = np.concatenate([vectors[b, head] for head in range(heads)], axis=-1)
        for head in range(relation_heads):
            cut = rows[:, head * part : (head + 1) * part]
            relations[b, head] = cut @ cut.T / np.sqrt(part)
    return relations


def soft_cross_entropy(student, teacher, temperature, squared=True):
    losses = []
    for s, z in zip(student, teacher, strict=True):
        losses.append(-sum(softmax(z / temperature) * np.log(softmax(s / temperature))))
    return np.mean(losses) * (temperature**2 if squared else 1)


def soft_kl(student, teacher, temperature, squared=True):
    losses = []
    for s, z in zip(student, teacher, strict=True):
        p, q = softmax(z / temperature), softmax(s / temperature)
        losses.append(sum(p * np.log(p / q)))
    return np.mean(losses) * (temperature**2 if squared else 1)


def label_cross_entropy(logits, labels):
    return np.mean([-np.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)])
