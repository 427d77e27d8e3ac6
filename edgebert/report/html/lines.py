"""Curves over epochs or steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.report.html.elements import Markup, element
from edgebert.report.html.svg import Frame, axes, colour, drawing, number, path, plain, spanning

_HEIGHT = 230
# Where the largest value is this many times the smallest, a straight axis would hide the small ones.
_WIDE_RANGE = 30.0
# With few points each is shown: a line alone would pretend to know what lies between.
_FEW_POINTS = 30


@dataclass(frozen=True)
class Line:
    name: str
    series: int
    points: tuple[tuple[float, float], ...]


def line_chart(title: str, lines: Sequence[Line], x_name: str, y_name: str) -> Markup:
    values = [value for one in lines for _, value in one.points]
    places = [place for one in lines for place, _ in one.points]
    frame = Frame(_HEIGHT, top=26)
    is_wide = min(values) > 0 and max(values) / min(values) > _WIDE_RANGE
    x = spanning(places, *frame.x)
    y = spanning(values, *frame.y, is_logarithmic=is_wide)
    shown = f"{y_name}, logarithmic" if is_wide else y_name
    return drawing(
        title,
        _description(lines, x_name),
        _HEIGHT,
        axes(frame, x, y, x_name, shown, _whole, plain),
        [_curve(one, [(x(place), y(value)) for place, value in one.points]) for one in lines],
    )


def _curve(one: Line, points: Sequence[tuple[float, float]]) -> Markup:
    dots = [
        element("circle", cx=number(x), cy=number(y), r=3, class_=f"mark {colour(one.series)}")
        for x, y in (points if len(points) <= _FEW_POINTS else ())
    ]
    return element("g", element("title", one.name), path(points, f"curve {colour(one.series)} d{one.series % 4}"), dots)


def _whole(value: float) -> str:
    """Epochs and steps have no halves."""
    return plain(value) if value == int(value) else ""


def _description(lines: Sequence[Line], x_name: str) -> str:
    return "; ".join(
        f"{one.name} from {plain(one.points[0][1])} at {x_name} {plain(one.points[0][0])} "
        f"to {plain(one.points[-1][1])} at {plain(one.points[-1][0])}"
        for one in lines
    )
