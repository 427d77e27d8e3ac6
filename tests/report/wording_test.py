"""Figures as they are read; texts cut without letting their writing direction out."""

import pytest

from edgebert.report import wording


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (wording.milliseconds(123_456), "0.123"),
        (wording.milliseconds(1_234_567), "1.23"),
        (wording.milliseconds(123_456_789), "123"),
        (wording.milliseconds(None), "not measured"),
        (wording.megabytes(1_530), "1.53 kB"),
        (wording.megabytes(90_564_408), "90.6 MB"),
        (wording.megabytes(None), "not measured"),
        (wording.percent(0.96714), "96.71 %"),
        (wording.percent(None), "not measured"),
        (wording.times(5.997), "6.00×"),
        (wording.times(24.46), "24.5×"),
        (wording.score(0.8123, "spearman"), "0.8123"),
        (wording.score(0.8123, "accuracy"), "81.23 %"),
        (wording.signed(-0.004, 2), "0.00"),
        (wording.signed(-0.25, 2), "−0.25"),
        (wording.signed(0.25, 2), "+0.25"),
        (wording.listing(["a"]), "a"),
        (wording.listing(["a", "b", "c"]), "a, b and c"),
        (wording.doubtful("1.00×", False), "1.00× †"),
        (wording.doubtful("not measured", False), "not measured"),
    ],
)
def test_figures_are_read_so(told: str, expected: str) -> None:
    assert told == expected


def test_a_long_text_is_cut_and_says_so() -> None:
    assert wording.shown_text("x" * 10_000, 5) == "xxxxx… (10,000 characters)"
    assert wording.shown_text("xxxxx", 5) == "xxxxx"
    assert wording.shown_text("") == "(empty)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202eabcdef", "\u202eab\u202c… (7 characters)"),
        ("\u2066\u202babcd", "\u2066\u202ba\u202c\u2069… (6 characters)"),
        ("\u202e\u202cabcd", "\u202e\u202ca… (6 characters)"),
    ],
)
def test_what_turns_the_writing_is_ended_where_a_text_is_cut(text: str, shown: str) -> None:
    assert wording.shown_text(text, 3) == shown


def test_what_no_document_may_hold_is_replaced() -> None:
    assert wording.shown_text("a\x00b\ud800c\x9fd\te\u2028f") == "a\ufffdb\ufffdc\ufffdd e f"
