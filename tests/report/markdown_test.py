"""Markdown shows every text as itself and every table whole."""

import pytest

from edgebert.report.markdown import escaped, markdown_table, to_markdown
from edgebert.report.model import Report
from edgebert.report.tables import Column, Table, results_table


def test_every_file_has_a_line_in_the_first_table(report: Report) -> None:
    text = to_markdown(report)
    table = markdown_table(results_table(report))
    assert table in text
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == [
        row.name for row in report.rows
    ]
    assert "accuracy" in table and "median ms, 1 thread" in table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a|b", r"a\|b"),
        ("*bold* _it_ a_b `c` [l](u)", r"\*bold\* \_it\_ a_b \`c\` \[l\](u)"),
        ("a\nb\tc", "a b c"),
        ("\u202eturned", "\ufffdturned"),
        ("back\\slash", r"back\\slash"),
        ("", "(empty)"),
    ],
)
def test_a_text_shows_as_itself(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_hostile_texts_break_no_table(hostile_report: Report) -> None:
    text = to_markdown(hostile_report)
    assert "<" not in text.replace("<!--", "") and "\u202e" not in text
    for block in text.split("\n\n"):
        if block.startswith("| "):
            bars = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(bars) == 1
    cells = Table("t", (Column("a|b"), Column("c")), (("x\n|", "y"),))
    assert markdown_table(cells).count("\n") == 2
