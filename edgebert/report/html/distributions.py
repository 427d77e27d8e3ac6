"""How single runs were spread: each file a band of its histogram on one logarithmic axis of time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.report.html.elements import Markup, element
from edgebert.report.html.svg import Frame, Scale, colour, drawing, line, number, path, plain, spanning, text, x_axis

_BAND, _PEAK, _BINS = 40.0, 32.0, 72


@dataclass(frozen=True)
class Band:
    mark: str
    name: str
    series: int
    values: tuple[float, ...]
    median: float
    p90: float


def distributions(title: str, bands: Sequence[Band], x_name: str) -> Markup:
    frame = Frame(_BAND * len(bands) + 60, left=34, top=10, bottom=46)
    values = [value for band in bands for value in band.values]
    x = spanning(values, *frame.x, is_logarithmic=True)
    floors = [frame.top + _BAND * (position + 1) for position in range(len(bands))]
    return drawing(
        title,
        "; ".join(
            f"{one.mark} {one.name}: median {plain(_short(one.median))}, p90 {plain(_short(one.p90))}" for one in bands
        ),
        frame.height,
        x_axis(frame, x, x_name, plain),
        [_band(band, floor, x, frame) for band, floor in zip(bands, floors, strict=True)],
    )


def _band(band: Band, floor: float, x: Scale, frame: Frame) -> Markup:
    counts = _histogram(band.values, x)
    width = (x.end - x.start) / _BINS
    most = max(counts)
    points = [(x.start, floor)]
    for position, count in enumerate(counts):
        height = _PEAK * count / most
        points += [(x.start + position * width, floor - height), (x.start + (position + 1) * width, floor - height)]
    points.append((x.end, floor))
    return element(
        "g",
        element("title", f"{band.mark} {band.name}"),
        line(frame.x[0], floor, frame.x[1], floor, "grid"),
        path(points, f"area {colour(band.series)}"),
        line(x(band.median), floor, x(band.median), floor - _PEAK - 3, f"median {colour(band.series)}"),
        line(x(band.p90), floor, x(band.p90), floor - _PEAK / 2, f"p90 {colour(band.series)}"),
        element("circle", cx=14, cy=number(floor - 14), r=10, class_=f"mark {colour(band.series)}"),
        text(14, floor - 10, band.mark, "mark-number", "middle"),
    )


def _histogram(values: Sequence[float], x: Scale) -> list[int]:
    """In bins that are alike on the axis."""
    counts = [0] * _BINS
    span = math.log(x.high) - math.log(x.low)
    for value in values:
        place = (math.log(value) - math.log(x.low)) / span
        counts[min(max(int(place * _BINS), 0), _BINS - 1)] += 1
    return counts


def _short(value: float) -> float:
    return float(f"{value:.3g}")
