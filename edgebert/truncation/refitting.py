"""Dense layers and norms that read fewer channels than they were trained with.

What is dropped is not independent of what is kept: least squares on the teacher's own activations tells the kept
channels' share of it, and the means of the rest move into the bias.
"""

import numpy as np

from edgebert.truncation.values import Spread

# Relative to the mean variance; keeps the fit defined where channels repeat each other or texts are few.
RIDGE = 1e-2
# Relative to the largest gain of a norm.
LEAST_GAIN = 1e-4


def columns(size: int, kept) -> np.ndarray:
    """The basis [size, len(kept)] that picks channels."""
    return np.eye(size, dtype=np.float32)[:, list(kept)]


def refit(
    weight: np.ndarray, bias: np.ndarray, basis: np.ndarray, spread: Spread | None
) -> tuple[np.ndarray, np.ndarray]:
    """The layer x @ weight + bias for a reader that gets x @ basis instead of x.

    weight [n, out], basis [n, m] with orthonormal columns. Minimises the mean square of the difference; without a
    spread, channels count as independent with mean 0. Where nothing that matters is dropped nothing changes.
    """
    plain = basis.T @ weight
    missing = weight - basis @ plain
    if spread is None or not missing.any():
        return plain, bias
    shared = basis.T @ spread.covariance
    kept = shared @ basis
    ridge = RIDGE * np.trace(spread.covariance) / len(spread.covariance)
    added = np.linalg.solve(kept + ridge * np.eye(len(kept)), shared @ missing)
    constant = spread.mean @ missing - (spread.mean @ basis) @ added
    return (plain + added).astype(np.float32), (bias + constant).astype(np.float32)


def refit_norm(
    gain: np.ndarray, bias: np.ndarray, kept: np.ndarray, outputs: Spread | None
) -> tuple[np.ndarray, np.ndarray]:
    """Gain and bias of a LayerNorm over the kept channels alone, which have another mean and variance than all.

    With z the teacher's normalised values, the student's norm gives (z_K - mean(z_K)) / std(z_K): the average of
    std(z_K) goes into the gain and that of mean(z_K) into the bias.
    """
    if outputs is None or len(kept) == len(gain):
        return gain[kept], bias[kept]
    # A channel without gain shows nothing of what was normalised (MiniLM has some, at 1e-20); the others speak for it.
    shown = kept[np.abs(gain[kept]) > LEAST_GAIN * np.max(np.abs(gain))]
    mean = (outputs.mean[shown] - bias[shown]) / gain[shown]
    second = outputs.covariance[np.ix_(shown, shown)] / np.outer(gain[shown], gain[shown]) + np.outer(mean, mean)
    variance = np.mean(np.diag(second)) - np.mean(second)
    return (
        (gain[kept] * np.sqrt(variance)).astype(np.float32),
        (bias[kept] + gain[kept] * np.mean(mean)).astype(np.float32),
    )


def query_key_bases(queries: np.ndarray, keys: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Bases [D, width] for one head's queries and keys that keep most of the energy of their scores.

    queries, keys: second moments [D, D]. Scores are products of both, so they stay the same under any
    (q @ T, k @ inverse(T).T): in the basis where both are diagonal the channels' energies |q_i k_i| are the singular
    values, and no choice of `width` channels keeps more.
    """
    if width == len(queries):
        return np.eye(width, dtype=np.float32), np.eye(width, dtype=np.float32)
    root, inverse_root = _roots(keys)
    energies, directions = np.linalg.eigh(root @ queries @ root)
    chosen = directions[:, np.argsort(-energies, kind="stable")[:width]]
    for_queries, for_keys = root @ chosen, inverse_root @ chosen
    # Any factor may move between the two; equal lengths give both the same learning rate.
    lengths = [
        np.maximum(np.linalg.norm(basis, axis=0), np.finfo(np.float32).tiny) for basis in (for_queries, for_keys)
    ]
    balance = np.sqrt(lengths[1] / lengths[0])
    return (for_queries * balance).astype(np.float32), (for_keys / balance).astype(np.float32)


def value_basis(context: np.ndarray, output: np.ndarray, width: int) -> np.ndarray:
    """An orthonormal basis [D, width] of one head's values that keeps most of what attention_output makes of them.

    context: covariance [D, D]; output [D, W]: the head's rows of attention_output.
    """
    if width == len(context):
        return np.eye(width, dtype=np.float32)
    # Principal directions of context @ output, seen from the head's side: D is small, W is not.
    root, inverse_root = _roots(context)
    energies, directions = np.linalg.eigh(root @ (output @ output.T) @ root)
    chosen = directions[:, np.argsort(-energies, kind="stable")[:width]]
    return np.linalg.qr(inverse_root @ chosen)[0].astype(np.float32)


def _roots(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric square root of a covariance, and its pseudo-inverse."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    alive = values > np.max(values) * 1e-7
    roots = np.sqrt(np.where(alive, values, 0.0))
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=alive)
    return (vectors * roots) @ vectors.T, (vectors * inverse) @ vectors.T
