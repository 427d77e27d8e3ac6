"""Scales and charts: ticks are round and inside, marks never cover each other, whatever the values are."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.report.html.distributions import Band, distributions
from edgebert.report.html.lines import Line, line_chart
from edgebert.report.html.scatter import Point, scatter
from edgebert.report.html.svg import WIDTH, spanning

POSITIVE = st.floats(1e-6, 1e9)


@given(st.lists(POSITIVE, min_size=1, max_size=20), st.booleans())
def test_a_scale_holds_its_values_and_its_ticks(values: list[float], is_logarithmic: bool) -> None:
    scale = spanning(values, 50, 400, is_logarithmic)
    ticks = scale.ticks()
    assert len(ticks) <= 8
    for value in [*values, *ticks]:
        assert 50 - 1e-6 <= scale(value) <= 400 + 1e-6
    assert ticks == sorted(set(ticks))


@given(st.lists(st.tuples(POSITIVE, st.floats(0, 100)), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_marks_do_not_cover_each_other_and_stay_inside(values: list[tuple[float, float]]) -> None:
    points = [Point(str(number), f"file {number}", number, *pair) for number, pair in enumerate(values, 1)]
    drawn = ElementTree.fromstring(scatter("title", points, "size, MB", "accuracy, %"))
    height = float(drawn.attrib["viewBox"].split()[3])
    circles = [
        (float(circle.attrib["cx"]), float(circle.attrib["cy"]), float(circle.attrib["r"]))
        for circle in drawn.iter("circle")
        if "mark" in circle.attrib["class"]
    ]
    assert len(circles) == len(points)
    for number, (x, y, radius) in enumerate(circles):
        assert radius <= x <= WIDTH - radius and radius <= y <= height - radius
        for other_x, other_y, _ in circles[:number]:
            assert (x - other_x) ** 2 + (y - other_y) ** 2 >= (2 * radius) ** 2


def test_the_frontier_names_the_files_that_no_other_beats() -> None:
    values = {"large": (90, 96.0), "small": (10, 95.0), "worse": (20, 94.0), "equal": (15, 95.0)}
    points = [Point(name, name, 0, *pair) for name, pair in values.items()]
    drawn = ElementTree.fromstring(scatter("title", points, "size", "score"))
    assert drawn.find("desc").text.endswith("Not beaten in both: small, large.")


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0, 5.0], [0.01, 50.0], [-3.0, -1.0]])
def test_a_line_chart_tells_its_ends_and_draws_every_point(values: list[float]) -> None:
    line = Line("a <loss>", 0, tuple((float(epoch), value) for epoch, value in enumerate(values, 1)))
    drawn = ElementTree.fromstring(line_chart("title", [line], "epoch", "loss"))
    assert len(list(drawn.iter("circle"))) == len(values)
    (path,) = [one for one in drawn.iter("path") if "curve" in one.attrib["class"]]
    assert len(re.findall(r"[ML]", path.attrib["d"])) == len(values)
    assert drawn.find("desc").text.startswith("a <loss> from ")
    ticks = [
        one.text
        for one in drawn.iter("text")
        if one.attrib["class"] == "tick" and one.attrib["text-anchor"] == "middle"
    ]
    assert all(tick is None or "." not in tick for tick in ticks)


def test_a_band_holds_every_run_under_its_curve() -> None:
    values = (1.0, 1.1, 1.2, 4.0)
    drawn = ElementTree.fromstring(distributions("title", [Band("1", "file", 0, values, 1.15, 4.0)], "ms"))
    (area,) = [one for one in drawn.iter("path") if "area" in one.attrib["class"]]
    assert drawn.find("desc").text == "1 file: median 1.15, p90 4"
    heights = {float(place.split()[1]) for place in area.attrib["d"][1:].split(" L")}
    assert len(heights) == 2  # the floor, and bins of one run each
