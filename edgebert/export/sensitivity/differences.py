"""How far numbers are from what they stand for: SQNR in dB and cosine, summed up over any number of arrays."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class Difference:
    """Sums over pairs of arrays, in float64: tensors of all texts never lie in memory at once."""

    signal: float = 0.0
    noise: float = 0.0
    product: float = 0.0
    other: float = 0.0
    elements: int = 0

    def add(self, exact: np.ndarray, rounded: np.ndarray) -> None:
        exact, rounded = exact.astype(np.float64).ravel(), rounded.astype(np.float64).ravel()
        self.signal += float(exact @ exact)
        self.other += float(rounded @ rounded)
        self.product += float(exact @ rounded)
        error = exact - rounded
        self.noise += float(error @ error)
        self.elements += exact.size

    @property
    def sqnr_db(self) -> float:
        """10 log10 of signal over noise; infinite without noise, and minus that where there is nothing but noise."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal > 0 else -math.inf

    @property
    def cosine(self) -> float:
        if self.signal == 0 or self.other == 0:
            return 1.0 if self.signal == self.other else 0.0
        return self.product / math.sqrt(self.signal * self.other)
