"""Score against a cost: each file a numbered mark, and the line of those that no other beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.report.html.elements import Markup, element
from edgebert.report.html.svg import Frame, Scale, axes, colour, drawing, line, number, path, plain, spanning, text

_HEIGHT, _RADIUS = 290, 10.0
# Marks are moved apart to this distance; a thin line leads to where they belong.
_APART = 2 * _RADIUS + 1
# Where to look for room, the nearest places first.
_SHIFTS = sorted(
    ((dx * 4.0, dy * 4.0) for dx in range(-40, 41) for dy in range(-40, 41)),
    key=lambda shift: (shift[0] ** 2 + shift[1] ** 2, shift),
)


@dataclass(frozen=True)
class Point:
    """`mark` is shown in the point, `series` chooses its colour."""

    mark: str
    name: str
    series: int
    cost: float
    score: float


def scatter(title: str, points: Sequence[Point], cost_name: str, score_name: str) -> Markup:
    """Costs on a logarithmic axis, cheaper to the left."""
    frame = Frame(_HEIGHT, top=26)
    x = spanning([point.cost for point in points], *frame.x, is_logarithmic=True)
    y = spanning([point.score for point in points], *frame.y)
    best = _frontier(points)
    places = _apart([(x(point.cost), y(point.score)) for point in points], frame)
    return drawing(
        title,
        _description(points, best, cost_name, score_name),
        _HEIGHT,
        axes(frame, x, y, cost_name, score_name, plain, plain),
        path(_steps(best, x, y), "frontier") if len(best) > 1 else None,
        [_lead(point, place, x, y) for point, place in zip(points, places, strict=True)],
        [_mark(point, place) for point, place in zip(points, places, strict=True)],
    )


def _frontier(points: Sequence[Point]) -> list[Point]:
    """Those that are the best of all that cost no more, by cost."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.score)):
        if not best or point.score > best[-1].score:
            best.append(point)
    return best


def _steps(best: Sequence[Point], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Between two costs nothing better is known than the cheaper one."""
    corners = [(x(best[0].cost), y(best[0].score))]
    for point in best[1:]:
        corners += [(x(point.cost), corners[-1][1]), (x(point.cost), y(point.score))]
    return corners


def _apart(places: Sequence[tuple[float, float]], frame: Frame) -> list[tuple[float, float]]:
    """Each mark at its place or, where an earlier one is, as near as there is room."""
    found: list[tuple[float, float]] = []
    left, right, top, bottom = frame.x[0] + _RADIUS, frame.x[1] - _RADIUS, frame.y[1] + _RADIUS, frame.y[0] - _RADIUS
    for x, y in places:
        x, y = min(max(x, left), right), min(max(y, top), bottom)
        free = (
            (x + dx, y + dy)
            for dx, dy in _SHIFTS
            if left <= x + dx <= right
            and top <= y + dy <= bottom
            and all((x + dx - ox) ** 2 + (y + dy - oy) ** 2 >= _APART**2 for ox, oy in found)
        )
        found.append(next(free, (x, y)))
    return found


def _lead(point: Point, place: tuple[float, float], x: Scale, y: Scale) -> Markup | None:
    true = (x(point.cost), y(point.score))
    if true == place:
        return None
    return element(
        "g", line(*true, *place, "lead"), element("circle", cx=number(true[0]), cy=number(true[1]), r=2, class_="dot")
    )


def _mark(point: Point, place: tuple[float, float]) -> Markup:
    return element(
        "g",
        element("title", f"{point.mark} {point.name}: {plain(point.score)}, {plain(point.cost)}"),
        element(
            "circle", cx=number(place[0]), cy=number(place[1]), r=number(_RADIUS), class_=f"mark {colour(point.series)}"
        ),
        text(place[0], place[1] + 4, point.mark, "mark-number", "middle"),
    )


def _description(points: Sequence[Point], best: Sequence[Point], cost_name: str, score_name: str) -> str:
    told = "; ".join(
        f"{one.mark} {one.name}: {cost_name} {plain(one.cost)}, {score_name} {plain(one.score)}" for one in points
    )
    return f"{told}. Not beaten in both: {', '.join(one.name for one in best)}."
