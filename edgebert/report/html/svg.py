"""The ground of a chart: an SVG with a title for those who hear it, axes, and positions on a scale.

Charts are drawn 440 units wide and scaled by the page, so that their text is readable on a phone and not huge on a
desk. Colours are classes of the style sheet: the same drawing is right in dark and light.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebert.report.html.elements import Child, Markup, element

WIDTH = 440
# Series beyond these share colours; their numbers and dashes still tell them apart.
COLOURS = 8


@dataclass(frozen=True)
class Scale:
    """From values to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.is_logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        return (
            _logarithmic_ticks(self.low, self.high, most) if self.is_logarithmic else _ticks(self.low, self.high, most)
        )


def spanning(values: Sequence[float], start: float, end: float, is_logarithmic: bool = False) -> Scale:
    """A scale with a little room around the values."""
    low, high = min(values), max(values)
    if is_logarithmic:
        room = (high / low) ** 0.08 if high > low else 1.5
        return Scale(low / room, high * room, start, end, is_logarithmic=True)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return Scale(low - room, high + room, start, end)


@dataclass(frozen=True)
class Frame:
    """The drawing area of a chart inside its margins."""

    height: float
    left: float = 54
    right: float = 12
    top: float = 12
    bottom: float = 44

    @property
    def x(self) -> tuple[float, float]:
        return self.left, WIDTH - self.right

    @property
    def y(self) -> tuple[float, float]:
        """Upwards, as values go."""
        return self.height - self.bottom, self.top


def drawing(title: str, description: str, height: float, *children: Child | Sequence[Child]) -> Markup:
    """`title` names the chart, `description` says in words what it shows."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        viewBox=f"0 0 {WIDTH} {number(height)}",
        role="img",
        class_="chart",
    )


def axes(
    frame: Frame,
    x: Scale,
    y: Scale,
    x_name: str,
    y_name: str,
    say_x: Callable[[float], str],
    say_y: Callable[[float], str],
) -> list[Markup]:
    parts = []
    for tick in y.ticks():
        parts.append(line(frame.x[0], y(tick), frame.x[1], y(tick), "grid"))
        parts.append(text(frame.x[0] - 6, y(tick) + 4, say_y(tick), "tick", "end"))
    parts += x_axis(frame, x, x_name, say_x)
    # Above the axis and not turned: turned text is hard to read on a phone.
    parts.append(text(2, frame.top - 6, y_name, "axis-name"))
    return parts


def x_axis(frame: Frame, x: Scale, name: str, say: Callable[[float], str]) -> list[Markup]:
    floor = frame.y[0]
    parts = [line(frame.x[0], floor, frame.x[1], floor, "axis")]
    for tick in x.ticks():
        parts.append(line(x(tick), floor, x(tick), floor + 4, "axis"))
        parts.append(text(x(tick), floor + 17, say(tick), "tick", "middle"))
    parts.append(text(sum(frame.x) / 2, floor + 36, name, "axis-name", "middle"))
    return parts


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=number(x1), y1=number(y1), x2=number(x2), y2=number(y2), class_=class_)


def text(x: float, y: float, content: str, class_: str, anchor: str | None = None) -> Markup:
    return element("text", content, x=number(x), y=number(y), class_=class_, text_anchor=anchor)


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    joined = " L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{joined}", class_=class_)


def colour(position: int) -> str:
    """The class of the series at `position`."""
    return f"s{position % COLOURS}"


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def plain(value: float) -> str:
    """A tick without needless digits: 0.001, 0.5, 20, 1,500."""
    return f"{value:,.6g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"


def _ticks(low: float, high: float, most: int) -> list[float]:
    step = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    step = next((factor * power for factor in (1, 2, 5, 10) if factor * power >= step), power)
    first = math.ceil(low / step)
    return [round(multiple * step, 12) for multiple in range(first, math.floor(high / step) + 1)]


def _logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers, as many of 1, 2 and 5 of each decade as there is room for."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in found if low <= value <= high]
        if len(inside) <= most:
            return inside if len(inside) >= 2 else _ticks(low, high, 4)
    every = math.ceil(len(inside) / most)
    return inside[::every]
