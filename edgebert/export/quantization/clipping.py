"""The largest magnitude that each row of a table keeps when it has few bits: the one with the least squared error."""

import numpy as np

# Shares of a row's largest magnitude that are tried. Four bits gain most at .7, and nothing is gained below .5.
_SHARES = np.linspace(0.5, 1.0, 11)
_ROWS_AT_ONCE = 4096


def clipped_rows(table: np.ndarray, bits: int) -> np.ndarray:
    """[N, W], each row cut to the symmetric range that its values are best rounded in."""
    steps = 2 ** (bits - 1) - 1
    parts = (table[start : start + _ROWS_AT_ONCE] for start in range(0, len(table), _ROWS_AT_ONCE))
    return np.concatenate([_clipped(part, steps) for part in parts])


def _clipped(rows: np.ndarray, steps: int) -> np.ndarray:
    peaks = np.abs(rows).max(axis=1, keepdims=True)
    limits = [peaks * share for share in _SHARES]
    errors = np.stack([_squared_error(rows, limit, steps) for limit in limits])
    best = _SHARES[errors.argmin(axis=0)][:, None] * peaks
    return np.clip(rows, -best, best).astype(np.float32)


def _squared_error(rows: np.ndarray, limits: np.ndarray, steps: int) -> np.ndarray:
    # A row of zeros, as the padding's often is, has no range.
    scales = np.where(limits > 0, limits / steps, 1.0)
    rounded = np.clip(np.rint(rows / scales), -steps, steps) * scales
    return ((rounded - rows) ** 2).sum(axis=1)
