"""The picture is XML that a viewer can draw alone, and its bars are as long as the shares."""

import dataclasses
import re
from xml.etree import ElementTree

import pytest

from edgebert.benchmark.profiling.picture import draw
from edgebert.benchmark.profiling.profile import Profile
from edgebert.benchmark.profiling.report import report_on_profile
from edgebert.measurement import ModelFile
from tests.benchmark.profiling.profiles import (
    make_case_profile,
    make_counted_profile,
    make_operator,
    make_operators,
    make_profile,
)

SVG = "{http://www.w3.org/2000/svg}"
PASSES = 40


def picture_of(*operators: object, name: str = "a.tflite") -> ElementTree.Element:
    profile = make_profile(make_case_profile(operators or make_operators()))
    record = dataclasses.replace(profile.measurement, models=(ModelFile(name, 1, "4" * 64),))
    return ElementTree.fromstring(draw(report_on_profile(dataclasses.replace(profile, measurement=record))))


def bars(picture: ElementTree.Element) -> list[tuple[str, float]]:
    """Each bar's class and length; the legend's squares are not bars."""
    found = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("height") == "14"]
    return [(rect.get("class"), float(rect.get("width"))) for rect in found]


def test_bars_are_as_long_as_the_shares() -> None:
    drawn = bars(picture_of())
    assert [kind for kind, _ in drawn] == ["delegated", "own", "rest", "rest"]
    longest = drawn[0][1]
    assert 370 < longest < 500
    assert [length / longest for _, length in drawn] == pytest.approx([1, 50 / 900, 30 / 900, 20 / 900], abs=2e-3)


def test_all_is_inside_the_picture() -> None:
    picture = picture_of(*(make_operator(f"{'Kernel' * 20} {number}", [100 + number] * PASSES) for number in range(30)))
    width, height = float(picture.get("width")), float(picture.get("height"))
    for rect in picture.iter(f"{SVG}rect"):
        assert float(rect.get("x")) >= 0 and float(rect.get("x")) + float(rect.get("width")) <= width
        assert float(rect.get("y")) + float(rect.get("height")) <= height
    for text in picture.iter(f"{SVG}text"):
        assert float(text.get("y")) < height
        # At most seven pixels a character, in whichever direction it runs.
        end = float(text.get("x")) + (-7 if text.get("text-anchor") == "end" else 7) * len(text.text)
        assert 0 < end < width + 60


def test_small_kinds_are_drawn_together_by_kernel() -> None:
    small = [make_operator(f"Kernel {number}", [1] * PASSES) for number in range(4)]
    own = [make_operator("CAST", [1] * PASSES, piece=None)]
    texts = [text.text for text in picture_of(*make_operators(), *small, *own).iter(f"{SVG}text")]
    assert "4 smaller kinds × 4" in texts and "1 smaller kind" in texts


def lines_of(picture: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [text for text in picture.iter(f"{SVG}text") if text.get("class") == kind]


def test_a_reason_stands_below_its_bar() -> None:
    """Whole, in lines that begin where the bars do, before the next bar."""
    reason = "its input 'types' is int64, and " + "this goes on for long, " * 9 + "to the end"
    first = make_operator("ONE_HOT", [2000] * PASSES, piece=None, node=1, reason=reason, change="use a look-up")
    picture = picture_of(first, *make_operators()[:2])
    drawn = lines_of(picture, "reason")
    assert " ".join(line.text for line in drawn) == f"{reason}; change: use a look-up"
    own, inside = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("height") == "14"][:2]
    assert (own.get("class"), inside.get("class")) == ("own", "delegated")
    heights = [float(line.get("y")) for line in drawn]
    assert len(drawn) > 3 and heights == sorted(heights)
    assert float(own.get("y")) + 14 < heights[0] and heights[-1] < float(inside.get("y"))
    assert {float(line.get("x")) for line in drawn} == {float(own.get("x")) + 8}
    assert all(float(line.get("x")) + 7 * len(line.text) < float(picture.get("width")) for line in drawn)


def test_reasons_of_kinds_that_are_drawn_together_name_theirs() -> None:
    small = make_operator("CAST", [2] * PASSES, piece=None, node=7, reason="it is int64")
    drawn = lines_of(picture_of(*make_operators(), small), "reason")
    assert [line.text for line in drawn] == ["it has none; change: use a look-up", "CAST: it is int64"]


def words_of(profile: Profile) -> str:
    """All that can be read in the picture, and its title."""
    return " ".join(ElementTree.fromstring(draw(report_on_profile(profile))).itertext())


def test_instructions_are_called_no_time() -> None:
    counted, timed = words_of(make_counted_profile()), words_of(make_profile())
    assert "Where the instructions go: a.tflite on cortex-a76" in counted and "0.980 M instructions" in counted
    assert "A cost proxy for comparing models on one core and one runtime, not a time" in counted
    assert "Where the time goes" not in counted and " ms" not in counted
    assert "Where the time goes: a.tflite" in timed
    assert "instructions" not in timed and "cost proxy" not in timed


def test_the_words_about_instructions_are_inside_the_picture() -> None:
    picture = ElementTree.fromstring(draw(report_on_profile(make_counted_profile())))
    remarks = lines_of(picture, "remark")
    legend = max(float(rect.get("y")) for rect in picture.iter(f"{SVG}rect"))
    heights = [float(line.get("y")) for line in remarks]
    assert legend + 12 < heights[0] and heights == sorted(set(heights)) and heights[-1] < float(picture.get("height"))
    assert all(float(line.get("x")) + 7 * len(line.text) < float(picture.get("width")) for line in remarks)


def test_names_cannot_leave_their_place() -> None:
    hostile = '<script>alert("1")</script>&'
    picture = picture_of(make_operator(hostile, [9] * PASSES), name=f"{hostile}.tflite")
    assert list(picture.iter(f"{SVG}script")) == []
    assert any(text.text.startswith(hostile) for text in picture.iter(f"{SVG}text"))


def test_it_needs_nothing_beside_itself_and_follows_the_theme() -> None:
    drawn = draw(report_on_profile(make_profile())).decode()
    assert re.findall(r"(?:href|src|url|@import)", drawn) == []
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme: dark" in drawn and "prefers-color-scheme: light" in drawn
