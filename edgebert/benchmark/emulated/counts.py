"""What the counting plugin wrote: a line for each segment between two marks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import MeasurementError

# In the order of instruction_classes.h.
CLASSES = (
    *("int8_dot_product", "int8_matrix_multiply", "widening_multiply", "float_multiply_add", "other_float"),
    *("other_vector", "vector_load", "vector_store", "scalar_load", "scalar_store", "branch", "scalar"),
    "scalable_vector",
)
ALL = "all"
# The marks that cut an inference out of what is around it.
BEGIN, END = 1, 2
END_WITH_BLOCKS = END | 1 << 13
# What the kernel looks at of umask's argument: the usual one.
_UMASK = 0o022


def mark_argument(mark: int) -> int:
    """What os.umask must be given for `mark`; see counting_plugin.c."""
    return 0x7A << 24 | mark << 9 | _UMASK


@dataclass(frozen=True, slots=True)
class Segment:
    """`counts` holds `all` and each class; `blocks` pairs a block's address with its instructions, if asked for."""

    mark: int
    counts: Mapping[str, int]
    blocks: tuple[tuple[int, int], ...] | None


def read_segments(path: Path) -> tuple[Segment, ...]:
    """All segments in the order they ended; an error where the file is not whole or the counts contradict."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise _damaged(f"no counts ('{error.strerror}')") from error
    try:
        segments = tuple(_segment(json.loads(line)) for line in lines)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(f"'{error}'") from error
    if not segments or segments[-1].mark != -1:
        raise _damaged("counts that were cut short")
    return segments


def _segment(line: dict) -> Segment:
    if line["threads"] != 1:
        raise ValueError(f"{line['threads']} threads, whose counts can be lost")
    counts = {name: int(line[name]) for name in (ALL, *CLASSES)}
    total = sum(counts[name] for name in CLASSES)
    if total != counts[ALL]:
        raise ValueError(f"{counts[ALL]} instructions but {total} in all classes")
    blocks = line.get("blocks")
    return Segment(line["mark"], counts, None if blocks is None else tuple((at, count) for at, count in blocks))


def _damaged(got: str) -> MeasurementError:
    return MeasurementError(
        f"emulated core: expected the counting plugin's lines, got {got}. "
        "Do: run the command again; if it stays, install again with `edgebert emulator install --again`."
    )
