"""The CSV scanner against the standard library's, and its line numbers and recovery."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.delimited import FieldRow, split_rows

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
CSV_LIKE_TEXT = st.text(st.sampled_from('ab",\t\n\r é\u2028'), max_size=40)


def scan(text: str, *, delimiter: str = ",", quoted: bool = True) -> list[FieldRow]:
    return list(split_rows(list(io.StringIO(text, newline="")), delimiter, quoted=quoted))


@given(
    rows=st.lists(st.lists(ANY_TEXT, min_size=2, max_size=4), min_size=1, max_size=5),
    delimiter=st.sampled_from(",\t;"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_reads_what_the_standard_writer_writes(rows, delimiter, quoting):
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerows(rows)
    assert [list(row.fields) for row in scan(written.getvalue(), delimiter=delimiter)] == rows


@given(CSV_LIKE_TEXT)
def test_agrees_with_the_standard_reader_wherever_that_one_is_content(text):
    try:
        expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return
    # The standard reader gives no fields for a line without any; here that is one empty field.
    assert [list(row.fields) for row in scan(text)] == [row or [""] for row in expected]


@given(CSV_LIKE_TEXT)
def test_refuses_a_row_wherever_the_standard_reader_refuses_one(text):
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert any(row.problem for row in scan(text))
    else:
        assert not any(row.problem for row in scan(text))


@given(CSV_LIKE_TEXT, st.booleans())
def test_rows_cover_the_text_in_order_and_lines_are_counted_as_an_editor_does(text, quoted):
    lines = list(io.StringIO(text, newline=""))
    next_line = 1
    for row in scan(text, quoted=quoted):
        assert row.line == next_line
        line_count = len(list(io.StringIO(row.raw, newline=""))) or 1
        # `raw` has lost its own line end; what is left must be the text of exactly the lines that it covers.
        assert "".join(lines[row.line - 1 : row.line - 1 + line_count]).rstrip("\r\n") == row.raw
        next_line += line_count
    assert next_line == len(lines) + 1


def test_line_numbers_after_quoted_newlines():
    rows = scan('text,label\r\n"one\ntwo\r\nthree",a\r\nfour,b\r\n')
    assert [(row.line, row.fields) for row in rows] == [
        (1, ("text", "label")),
        (2, ("one\ntwo\r\nthree", "a")),
        (5, ("four", "b")),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    rows = scan('good,a\n"bad,a\ngood,b\n"good, too",b\n')
    assert [(row.line, bool(row.problem)) for row in rows] == [(1, False), (2, True), (3, False), (4, False)]
    assert rows[1].raw == '"bad,a'
    assert rows[3].fields == ("good, too", "b")


def test_a_quote_inside_an_unquoted_field_is_a_character():
    assert scan('a 5" pipe,x')[0].fields == ('a 5" pipe', "x")


def test_text_after_a_closing_quote_is_a_problem_that_shows_it():
    assert "'z'" in scan('"a"z,b')[0].problem


def test_unquoted_files_keep_their_quotes():
    assert scan('"a"\t"b\n', delimiter="\t", quoted=False)[0].fields == ('"a"', '"b')


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends(line_end):
    rows = scan(f"a,b{line_end}c,d{line_end}")
    assert [row.fields for row in rows] == [("a", "b"), ("c", "d")]


def test_ten_megabytes_in_one_field():
    text = "word " * 2_000_000
    assert scan(f'"{text}",label\n')[0].fields == (text, "label")
