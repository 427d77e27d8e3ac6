"""Zeros and quantisation error of each weight matrix, block by block."""

import re
from collections.abc import Callable, Sequence

from edgebert.report import wording
from edgebert.report.html.elements import Markup, element
from edgebert.report.html.heat import Cell, heat_table
from edgebert.report.model import Layer, Report

_IN_BLOCK = re.compile(r"(?:.*/)?block_(\d+)/(.+)")
_BESIDES = "other"


def layers(report: Report) -> list[Markup]:
    """The files whose matrices are told apart by something: zeros of note, or an error."""
    tables = []
    for row in report.rows:
        if any(layer.relative_error is not None for layer in row.layers):
            tables.append(_table(f"{row.name}: error, %", row.layers, lambda layer: layer.relative_error))
        if any((layer.zero_share or 0) >= _NOTABLE_ZEROS for layer in row.layers):
            tables.append(_table(f"{row.name}: zeros, %", row.layers, lambda layer: layer.zero_share))
    if not tables:
        words = (
            f"Error: {wording.NOT_MEASURED} (it needs the float32 file of the same weights). "
            f"Zeros: no matrix has {wording.percent(_NOTABLE_ZEROS, 0)} or more."
        )
        return [element("p", words, class_="missing")]
    words = (
        "Error: distance of a file's matrix from the float32 file's, as a share of that one's norm. "
        "Zeros: share of the elements that stand for exactly 0, counted in the file; shown where a matrix has "
        f"{wording.percent(_NOTABLE_ZEROS, 0)} or more."
    )
    return [element("p", words), element("div", tables, class_="grid")]


# Rounding alone makes about one element in a hundred 0.
_NOTABLE_ZEROS = 0.05


def _table(title: str, found: Sequence[Layer], value: Callable[[Layer], float | None]) -> Markup:
    blocks: dict[str, dict[str, Layer]] = {}
    besides = []
    for layer in found:
        matched = _IN_BLOCK.fullmatch(layer.name)
        if matched is None:
            besides.append(layer)
        else:
            blocks.setdefault(f"block {matched[1]}", {})[matched[2]] = layer
    kinds = list(dict.fromkeys(kind for block in blocks.values() for kind in block))
    largest = max((value(layer) or 0.0 for layer in found), default=0.0)
    rows = [(name, [_cell(block.get(kind), value, largest) for kind in kinds]) for name, block in blocks.items()]
    # What is in no block has a row of its own, and belongs under no column.
    rows += [(layer.name, [_cell(layer, value, largest, max(len(kinds), 1))]) for layer in besides]
    return heat_table(title, "matrix", [kind.replace("_", " ").replace("/", " ") for kind in kinds] or [_BESIDES], rows)


def _cell(layer: Layer | None, value: Callable[[Layer], float | None], largest: float, span: int = 1) -> Cell:
    found = None if layer is None else value(layer)
    if found is None:
        return Cell("", span=span)
    return Cell(f"{100 * found:.{2 if largest < 0.1 else 1}f}", found / largest if largest else 0.0, span=span)
