"""Which weights of a matrix are cut together: each alone, in blocks, or so many of every few neighbours.

Rows and columns are those of the matrix in a .tflite: a row for each output of a dense layer or each piece of a table.
"""

import re
from dataclasses import dataclass

from edgebert.errors import TrainingError

REMEDY = "Do: choose another --block, or exclude the layer (--exclude)."
# TF-MOT squeezes the matrix of pooled blocks, which must therefore have two rows and two columns.
FEWEST_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Blocks:
    rows: int = 1
    columns: int = 1

    @property
    def is_single(self) -> bool:
        return self.rows == self.columns == 1

    def __str__(self) -> str:
        return "single weights" if self.is_single else f"blocks of {self.rows}x{self.columns}"


@dataclass(frozen=True, slots=True)
class Groups:
    """`zeros` of every `size` neighbours in a row, as sparse matrix units want them."""

    zeros: int
    size: int

    @property
    def sparsity(self) -> float:
        return self.zeros / self.size

    def __str__(self) -> str:
        return f"{self.zeros} of every {self.size}"


Pattern = Blocks | Groups
SINGLE = Blocks()


def parse_pattern(text: str) -> Pattern:
    """`1x4` or `2:4`."""
    blocks, groups = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text), re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    if blocks and all(map(int, blocks.groups())):
        return Blocks(*map(int, blocks.groups()))
    if groups and 0 < int(groups[1]) < int(groups[2]):
        return Groups(*map(int, groups.groups()))
    raise TrainingError(
        f"block: expected ROWSxCOLUMNS such as 1x4, or ZEROS:OF such as 2:4 (fewer zeros than weights), got {text!r}. "
        "Do: write one of these."
    )


def check_fits(pattern: Pattern, name: str, rows: int, columns: int, *, is_table: bool) -> None:
    """Refuse a matrix that the pattern does not divide: TF-MOT pads it, and the cut would be uneven."""
    if isinstance(pattern, Groups):
        if is_table:
            raise TrainingError(
                f"{name}: expected a matrix that is multiplied with for {pattern}, got a table whose rows are looked "
                f"up. {REMEDY}"
            )
        if columns % pattern.size:
            raise TrainingError(
                f"{name}: expected rows of a length that {pattern.size} divides, got {columns:,}. {REMEDY}"
            )
    elif not pattern.is_single:
        for length, block, what in ((rows, pattern.rows, "rows"), (columns, pattern.columns, "columns")):
            if length % block or length < FEWEST_BLOCKS * block:
                raise TrainingError(
                    f"{name}: expected {what} that make {FEWEST_BLOCKS} or more whole blocks of "
                    f"{pattern.rows}x{pattern.columns}, got {length:,}. {REMEDY}"
                )
