"""Sensitivities as one SVG file: a bar for each part that was quantised alone, and every tensor's error block by block.

It needs nothing beside itself. Colours follow the reader's light or dark theme where the viewer tells it.
"""

from collections.abc import Iterator, Sequence

from edgebert.export.sensitivity.result import (
    BY_BLOCK,
    BY_CLASS,
    BY_PART,
    GroupHarm,
    Sensitivity,
    TensorError,
    points_lost,
    value_of,
)
from edgebert.report.html.elements import Markup, element
from edgebert.report.html.svg import line, number, text

_WIDTH, _MARGIN = 920, 16
_LABELS, _VALUES = 250, 250
_LINE, _BAR, _TITLE, _GAP = 22, 14, 34, 22
_CELL_WIDTH, _CELL_HEIGHT = 58, 20
# More parts than this are a wall; those below it are the least harmful.
_MOST_BARS = 24
# An error of 18 % is as red as it gets, one of 1 % as calm.
_LOUDEST_DB, _CALMEST_DB = 15.0, 40.0
_SHADES = 6
_HEADINGS = {
    BY_CLASS: "One class of parts quantised, all else float32",
    BY_BLOCK: "One block quantised",
    BY_PART: "One part quantised",
}
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #6e7781; }
.title { font-weight: 600; font-size: 14px; }
.bar { fill: #2f81f7; } .back { fill: #d9822b; } .line { stroke: #8b949e; }
.h0 { fill: #4393c3; } .h1 { fill: #7fb8d8; } .h2 { fill: #b8d8e8; } .h3 { fill: #f3d3b8; } .h4 { fill: #ea9b6c; }
.h5 { fill: #d6604d; } .cell { fill: #1f2328; font-size: 11px; }
@media (prefers-color-scheme: dark) { text { fill: #c9d1d9; } .cell { fill: #1f2328; } }
@media (prefers-color-scheme: light) { text { fill: #24292f; } }
"""


def draw(found: Sensitivity) -> bytes:
    panels, top = [], _MARGIN
    for panel, height in _panels(found):
        panels.append(element("g", *panel, transform=f"translate(0 {number(top)})"))
        top += height + _GAP
    title = f"{found.checkpoint}, {found.scheme}: where it loses accuracy"
    drawing = element(
        "svg",
        element("title", title),
        element("desc", _description(found)),
        # Selectors hold no characters that XML would have to escape.
        Markup(f"<style>{_STYLE}</style>"),
        *panels,
        xmlns="http://www.w3.org/2000/svg",
        width=str(_WIDTH),
        height=number(top),
        viewBox=Markup(f"0 0 {_WIDTH} {number(top)}"),
        role="img",
    )
    # Attributes of SVG keep their capitals.
    return (str(drawing) + "\n").encode()


def _panels(found: Sensitivity) -> Iterator[tuple[list[Markup], float]]:
    yield (
        [
            text(_MARGIN, 14, f"{found.checkpoint}, {found.scheme}", "title"),
            text(_MARGIN, 34, _description(found), "note"),
        ],
        36,
    )
    for by, heading in _HEADINGS.items():
        harms = [harm for harm in found.groups if harm.by == by]
        if harms:
            yield _bars(found, heading, sorted(harms, key=lambda harm: -harm.verdict.distance))
    for is_own, heading in ((False, "What arrives, dB"), (True, "What each tensor's own rounding costs, dB")):
        grid = _grid(found.tensors, is_own)
        if grid:
            yield _heat(heading, grid)


def _description(found: Sensitivity) -> str:
    whole, exact = found.whole, found.float32
    return (
        f"{found.metric} {value_of(whole):.4f} of {value_of(exact):.4f} in float32 ({points_lost(whole, exact):.2f} "
        f"points lost), on {whole.texts:,} texts of {found.texts_source}"
    )


def _bars(found: Sensitivity, heading: str, harms: Sequence[GroupHarm]) -> tuple[list[Markup], float]:
    exact = found.float32 if found.choice is None else found.choice.selection_float32
    shown = harms[:_MOST_BARS]
    longest = max(harm.verdict.distance for harm in shown) or 1.0
    room, left = _WIDTH - 2 * _MARGIN - _LABELS - _VALUES, _MARGIN + _LABELS
    more = f", the {len(shown)} worst of {len(harms)}" if len(shown) < len(harms) else ""
    parts = [text(_MARGIN, 14, f"{heading}: distance from float32's answers{more}", "title")]
    for position, harm in enumerate(shown):
        top = _TITLE + position * _LINE
        width = max(room * harm.verdict.distance / longest, 0.5)
        value = f"{harm.verdict.distance:.5f}  {points_lost(harm.verdict, exact):.2f} points  {harm.treatment}"
        parts += [
            text(left - 8, top + _BAR - 3, harm.group, "label", "end"),
            element(
                "rect",
                x=number(left),
                y=number(top),
                width=number(width),
                height=str(_BAR),
                rx="2",
                class_="back" if _is_moved(found, harm) else "bar",
            ),
            text(left + width + 8, top + _BAR - 3, value, "value"),
        ]
    bottom = _TITLE + len(shown) * _LINE
    parts.append(line(left, _TITLE - 6, left, bottom, "line"))
    if found.choice is not None:
        parts.append(text(left, bottom + 14, "orange: moved back towards float32", "note"))
        bottom += 18
    return parts, bottom


def _is_moved(found: Sensitivity, harm: GroupHarm) -> bool:
    chosen = found.choice.treatments if found.choice else {}
    return any(not chosen.get(part, "int8").startswith("int") for part in harm.parts)


def _grid(tensors: Sequence[TensorError], is_own: bool) -> dict[str, dict[int, float | None]]:
    """Decibels by what is the same in every block, and by block."""
    grid: dict[str, dict[int, float | None]] = {}
    for each in tensors:
        owner, _, rest = each.name.partition(".")
        block, _, kind = rest.partition(".")
        if owner != "blocks" or not block.isdigit() or each.dtype == "int32" or (is_own and not each.is_rounded):
            continue
        grid.setdefault(kind, {}).setdefault(int(block), each.own_sqnr_db if is_own else each.sqnr_db)
    return grid


def _heat(heading: str, grid: dict[str, dict[int, float | None]]) -> tuple[list[Markup], float]:
    columns = sorted({block for row in grid.values() for block in row})
    left = _MARGIN + _LABELS
    width = min(_CELL_WIDTH, (_WIDTH - _MARGIN - left) / len(columns))
    parts = [text(_MARGIN, 14, f"{heading}: 20 dB are an error of 10 %, 40 dB of 1 %", "title")]
    for position, block in enumerate(columns):
        parts.append(text(left + (position + 0.5) * width, _TITLE - 4, f"{block}", "label", "middle"))
    parts.append(text(left - 8, _TITLE - 4, "block", "label", "end"))
    for row, (kind, values) in enumerate(grid.items()):
        top = _TITLE + row * _CELL_HEIGHT
        parts.append(text(left - 8, top + 14, kind, "label", "end"))
        for position, block in enumerate(columns):
            if block in values:
                parts += _cell(left + position * width, top, width, values[block])
    return parts, _TITLE + len(grid) * _CELL_HEIGHT


def _cell(x: float, y: float, width: float, decibels: float | None) -> list[Markup]:
    shown = "exact" if decibels is None else f"{decibels:.0f}"
    box = element(
        "rect",
        x=number(x + 1),
        y=number(y + 1),
        width=number(width - 2),
        height=str(_CELL_HEIGHT - 2),
        rx="2",
        class_=f"h{_shade(decibels)}",
    )
    return [box, text(x + width / 2, y + 14, shown, "cell", "middle")]


def _shade(decibels: float | None) -> int:
    """0 is calm."""
    if decibels is None:
        return 0
    share = (_CALMEST_DB - decibels) / (_CALMEST_DB - _LOUDEST_DB)
    return min(_SHADES - 1, max(0, int(share * _SHADES)))
