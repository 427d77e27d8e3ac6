"""A profile as one SVG file: a panel for each case, a bar for each kind of operator. It needs nothing beside itself.

Colours follow the reader's light or dark theme where the viewer tells it; without, they are readable on both.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from edgebert.benchmark.profiling.profile import INSTRUCTIONS, NANOSECONDS, NO_TIMES
from edgebert.benchmark.profiling.reasons import kind_reasons
from edgebert.benchmark.profiling.report import LITERT, NO_OPERATOR, XNNPACK, CaseReport, Cost, Row

_WIDTH, _MARGIN = 920, 16
_LABELS, _VALUES = 360, 150
_LINE, _BAR = 22, 14
# Of the reasons below a bar: their lines' height, and the characters that fit between the labels and the margin.
_REASON, _REASON_CHARACTERS = 16, 74
_TITLE, _LEGEND = 48, 30
# Kinds below this share are drawn together.
_SMALLEST_SHARE = 0.004
# Characters of a name that fit with its count: about 7 pixels each at this size.
_LONGEST_LABEL = 43
_CLASS = {XNNPACK: "delegated", LITERT: "own", NO_OPERATOR: "rest"}
_LEGENDS = ((XNNPACK, "in XNNPACK"), (LITERT, "LiteRT's own kernels"), (NO_OPERATOR, "no operator"))
_TITLES = {NANOSECONDS: "Where the time goes", INSTRUCTIONS: "Where the instructions go"}
_UNITS = {NANOSECONDS: "ms", INSTRUCTIONS: "M instructions"}
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #6e7781; }
.title { font-weight: 600; font-size: 14px; } .reason { font-size: 11px; }
.delegated { fill: #2f81f7; } .own { fill: #d9822b; } .rest { fill: #8b949e; } .line { stroke: #8b949e; }
@media (prefers-color-scheme: dark) { text { fill: #c9d1d9; } .own { fill: #e3a04f; } }
@media (prefers-color-scheme: light) { text { fill: #24292f; } }
"""


def draw(reports: Sequence[CaseReport]) -> bytes:
    panels, top = [], _MARGIN
    for report in reports:
        bars = _bars(report)
        panels.append(_panel(report, bars, top))
        top += _TITLE + sum(bar.height for bar in bars) + _MARGIN
    remarks = NO_TIMES if any(report.unit == INSTRUCTIONS for report in reports) else ()
    height = top + _LEGEND + _REASON * len(remarks)
    title = escape("; ".join(f"{_TITLES[report.unit]}: {report.setting}" for report in reports))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'role="img">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        *panels,
        _legend(top + _MARGIN),
        *(
            f'<text class="remark" x="{_MARGIN}" y="{top + _MARGIN + _REASON * number}">{escape(words)}</text>'
            for number, words in enumerate(remarks, start=1)
        ),
        "</svg>",
    ]
    return ("\n".join(parts) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar, and below it in lines why XNNPACK does not run what it stands for."""

    row: Row
    reasons: Sequence[str] = ()

    @property
    def height(self) -> int:
        return _LINE + _REASON * len(self.reasons)


def _bars(report: CaseReport) -> list[_Bar]:
    """The largest kinds, the others of each kernel together, and what is no operator."""
    bars = [_Bar(row, _wrapped(kind_reasons(report, row))) for row in report.kinds if row.share >= _SMALLEST_SHARE]
    others = [row for row in report.kinds if row.share < _SMALLEST_SHARE]
    for kernel in (XNNPACK, LITERT):
        together = [row for row in others if row.kernel == kernel]
        if together:
            reasons = [f"{row.name}: {words}" for row in together for words in kind_reasons(report, row)]
            bars.append(_Bar(_together(together), _wrapped(reasons)))
    return [*bars, *(_Bar(row) for row in (report.between, report.around) if row.cost.typical)]


def _wrapped(reasons: Sequence[str]) -> list[str]:
    return [line for words in reasons for line in textwrap.wrap(words, _REASON_CHARACTERS)]


def _together(rows: Sequence[Row]) -> Row:
    typical, spread = (sum(getattr(row.cost, field) for row in rows) for field in ("typical", "spread"))
    count, share = sum(row.count for row in rows), sum(row.share for row in rows)
    return Row(f"{len(rows)} smaller kind{'s' * (len(rows) > 1)}", rows[0].kernel, count, Cost(typical, spread), share)


def _panel(report: CaseReport, bars: Sequence[_Bar], top: int) -> str:
    longest = max(bar.row.share for bar in bars)
    heading = (
        f"{report.setting}: {report.parts / 1e6:.3f} {_UNITS[report.unit]}, {report.covered:.0%} of it in operators"
    )
    lines = [f'<text class="title" x="{_MARGIN}" y="{top + 18}">{escape(heading)}</text>']
    y = top + _TITLE - 14
    for bar in bars:
        lines += _draw_bar(bar, report.symbol, bar.row.share / longest if longest else 0.0, y)
        y += bar.height
    left = _MARGIN + _LABELS
    lines.append(f'<line class="line" x1="{left}" y1="{top + _TITLE - 20}" x2="{left}" y2="{y}"/>')
    return "\n".join(lines)


def _draw_bar(bar: _Bar, symbol: str, length: float, y: int) -> list[str]:
    """`length` is of the longest bar's."""
    row, left, baseline = bar.row, _MARGIN + _LABELS, y + _BAR - 3
    width = max((_WIDTH - 2 * _MARGIN - _LABELS - _VALUES) * length, 0.5)
    label = f"{_cut(row.name)}{f' × {row.count}' if row.count > 1 else ''}"
    value = f"{row.cost.typical / 1e6:.3f} {symbol}  {row.share:.1%}"
    return [
        f'<text x="{left - 8}" y="{baseline}" text-anchor="end">{escape(label)}</text>',
        f'<rect class="{_CLASS[row.kernel]}" x="{left}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>',
        f'<text x="{left + width + 8:.1f}" y="{baseline}">{value}</text>',
        *(
            f'<text class="reason" x="{left + 8}" y="{baseline + _REASON * number}">{escape(words)}</text>'
            for number, words in enumerate(bar.reasons, start=1)
        ),
    ]


def _legend(top: int) -> str:
    parts, left = [], _MARGIN + _LABELS
    for kernel, words in _LEGENDS:
        parts.append(f'<rect class="{_CLASS[kernel]}" x="{left}" y="{top - 11}" width="12" height="12" rx="2"/>')
        parts.append(f'<text x="{left + 18}" y="{top - 1}">{escape(words)}</text>')
        left += 170
    return "\n".join(parts)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
