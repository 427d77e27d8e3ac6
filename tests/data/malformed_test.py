"""Rows and files that cannot be used: named with file, line and reason, or skipped and written down; never dropped."""

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgebert.data.examples import write_skipped
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

GOOD_CSV = b"text,label\ngood one,a\ngood two,b\n"
GOOD_SCORES = b"text,score\none,1.5\ntwo,2.5\nthree,3\n"
GOOD_JSONL = b'{"text": "good one", "label": "a"}\n{"text": "good two", "label": "b"}\n'

# suffix, the good rows, the bad row (which becomes line 4 of CSV and TSV, 3 of JSONL), what the reason says
BAD_ROWS = {
    "too few columns": (".csv", GOOD_CSV, b"lonely", "expected 2 columns, got 1"),
    "too many columns": (".csv", GOOD_CSV, b"a,b,c", "expected 2 columns, got 3"),
    "too many columns in a TSV": (".tsv", GOOD_CSV.replace(b",", b"\t"), b"a\tb\tc", "expected 2 columns, got 3"),
    "an empty line in the middle": (".csv", GOOD_CSV, b"\nlast,a", "got an empty line"),
    "an empty text": (".csv", GOOD_CSV, b",a", "expected a text in column 'text', got an empty one"),
    "a blank text": (".csv", GOOD_CSV, b'" \t ",a', "expected a text in column 'text', got an empty one"),
    "a missing label": (".csv", GOOD_CSV, b"text,", "expected a label, got an empty cell"),
    "a word among scores": (
        ".csv",
        GOOD_SCORES + b"four,4\n",
        b"five,many",
        "expected a number as a label, got 'many'",
    ),
    "a number too large": (".csv", GOOD_SCORES + b"four,4\n", b"five,1e999", "expected a finite number"),
    "nan among scores": (".csv", GOOD_SCORES + b"four,4\n", b"five,nan", "expected a number as a label, got 'nan'"),
    "a byte that is not UTF-8": (".csv", GOOD_CSV, b"ol\xe9,a", "expected UTF-8, got the byte 0xe9 at character 3"),
    "a NUL byte": (".csv", GOOD_CSV, b"a\0b,a", "expected text, got a NUL character at character 2"),
    "a quote that is not closed": (".csv", GOOD_CSV, b'"never,a', "expected a closing quote, got the end of the file"),
    "text after a closing quote": (".csv", GOOD_CSV, b'"a" b,a', "after a closing quote, got ' '"),
    "no JSON": (".jsonl", GOOD_JSONL, b'{"text": ', "expected a JSON object, got 'Expecting value"),
    "a JSON list": (".jsonl", GOOD_JSONL, b'["a", "b"]', "expected a JSON object, got a list"),
    "a JSON number": (".jsonl", GOOD_JSONL, b"3", "expected a JSON object, got a number"),
    "a key twice": (".jsonl", GOOD_JSONL, b'{"text": "a", "text": "b", "label": "a"}', "the key 'text' twice"),
    "too deep": (".jsonl", GOOD_JSONL, b"[" * 200_000, "nested too deeply"),
    "5,000 digits": (".jsonl", GOOD_JSONL, b'{"text": "a", "label": ' + b"1" * 5000 + b"}", "4300 digits"),
    "a text that is a number": (".jsonl", GOOD_JSONL, b'{"text": 3, "label": "a"}', "in column 'text', got a number"),
    "no text": (".jsonl", GOOD_JSONL, b'{"label": "a"}', "expected a text in column 'text', got nothing"),
    "no label": (".jsonl", GOOD_JSONL, b'{"text": "a"}', "expected a label, got an empty cell"),
    "a NaN label": (".jsonl", GOOD_JSONL, b'{"text": "a", "label": NaN}', "expected a label, got an empty cell"),
    "an infinite label": (
        ".jsonl",
        GOOD_JSONL,
        b'{"text": "a", "label": -Infinity}',
        "finite number as a label, got -inf",
    ),
    "two labels": (".jsonl", GOOD_JSONL, b'{"text": "a", "label": ["a", "b"]}', "a name or a number, got a list"),
    "half a pair": (".jsonl", GOOD_JSONL, b'{"text": "\\ud83d", "label": "a"}', "one half of a surrogate pair"),
    "half a pair in a label": (".jsonl", GOOD_JSONL, b'{"text": "a", "label": "\\ud83d"}', "half of a surrogate pair"),
    "an escaped NUL": (
        ".jsonl",
        GOOD_JSONL,
        b'{"text": "a\\u0000", "label": "a"}',
        "got a NUL character at character 2",
    ),
    "an empty line of JSONL": (".jsonl", GOOD_JSONL, b'\n{"text": "last", "label": "a"}', "got an empty line"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named_or_skipped(tmp_path, case):
    suffix, good, bad, reason = BAD_ROWS[case]
    path = tmp_path / f"data{suffix}"
    path.write_bytes(good + bad + b"\n")
    line = good.count(b"\n") + 1

    with pytest.raises(DataError) as caught:
        read_examples(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert reason in str(caught.value)
    assert "--skip-bad-rows" in str(caught.value)
    assert_house_form(str(caught.value))

    dataset = read_examples(path, skip_bad_rows=True)
    [skipped] = dataset.skipped
    assert (skipped.file, skipped.line) == (str(path), line)
    assert reason in skipped.reason
    assert skipped.raw == bad.split(b"\n")[0].decode("utf-8", "surrogateescape")
    lines = len((good + bad).split(b"\n")) - (suffix != ".jsonl")
    assert len(dataset) == lines - 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.csv", b"", "got an empty file"),
        ("empty.jsonl", b"", "got an empty file"),
        ("blank.csv", b"\r\n\n\n", "got an empty file"),
        ("mark.csv", b"\xef\xbb\xbf", "got an empty file"),
        ("header.csv", b"text,label\n", "expected rows of data, got none"),
        ("header.tsv", b"text\tlabel", "expected rows of data, got none"),
        ("utf16.csv", "text,label\na,b\n".encode("utf-16"), "byte order mark of UTF-16"),
        ("utf32.csv", "text,label\na,b\n".encode("utf-32"), "byte order mark of UTF-16"),
        ("repeated.csv", b"text,text\na,b\n", "got 'text' repeated"),
        ("latin1.csv", b"text,ol\xe9\na,b\n", "0xe9 at character 8. Do: save the file as UTF-8 text."),
        ("nul.csv", b"text,\0label\na,b\n", "got a NUL character"),
        (
            "quote.csv",
            b'text,"label\na,b\n',
            "expected a closing quote, got the end of the file. Do: check the header row.",
        ),
        ("semicolons.csv", b"text;label\na;b\n", "separated by ','"),
        ("commas.tsv", b"text,label\na,b\n", "separated by '\\t'"),
        ("numbers.jsonl", b"1\n2\n", "line 1: expected a JSON object, got a number"),
        ("objects.jsonl", b"{}\n{}\n", "only empty objects"),
        ("array.jsonl", b'[{"text": "a"}]\n', "expected a JSON object, got a list"),
        ("packed.csv.gz", b"text,label\na,b\n", "got 'Not a gzipped file"),
        ("short.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03K", "ended before"),
        ("notes.txt", b"a\n", "expected a known format, got none"),
        ("none.parquet", b"PAR1 this is not Parquet", "expected a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    for skip_bad_rows in (False, True):
        with pytest.raises(DataError) as caught:
            read_examples(tmp_path / name, skip_bad_rows=skip_bad_rows)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert reason in str(caught.value)
        assert_house_form(str(caught.value))


def test_a_path_with_nothing_there(tmp_path):
    with pytest.raises(DataError, match="nothing there") as caught:
        read_examples(tmp_path / "none.csv")
    assert "clinc150, snips" in str(caught.value)
    assert_house_form(str(caught.value))


def test_the_first_of_several_bad_rows_is_named_and_the_others_counted(tmp_path):
    # The label of line 2 is found wrong after the columns of line 3 are: the order is still that of the file.
    (tmp_path / "data.csv").write_text("text,label\nx,z\ny\nz,a\n")
    with pytest.raises(DataError, match=r"data\.csv:2: .*'z'.*\(2 bad rows in all\)"):
        read_examples(tmp_path / "data.csv", labels=["a", "b"])
    dataset = read_examples(tmp_path / "data.csv", labels=["a", "b"], skip_bad_rows=True)
    assert [row.line for row in dataset.skipped] == [2, 3]


def test_skipping_every_row_is_an_error(tmp_path):
    (tmp_path / "data.csv").write_text("text,label\na\nb\n")
    with pytest.raises(DataError, match=r"got none \(2 skipped; the first: .*data\.csv:2") as caught:
        read_examples(tmp_path / "data.csv", skip_bad_rows=True)
    assert_house_form(str(caught.value))


def test_a_bad_row_after_quoted_newlines_has_the_line_of_an_editor(tmp_path):
    (tmp_path / "data.csv").write_bytes(b'text,label\r\n"one\ntwo\r\nthree",a\r\nlonely\r\n')
    with pytest.raises(DataError, match=r"data\.csv:5: expected 2 columns"):
        read_examples(tmp_path / "data.csv")


def test_a_stray_quote_does_not_take_the_rows_after_it_along(tmp_path):
    (tmp_path / "data.csv").write_text('text,label\n"oops,a\n' + "fine,b\n" * 50)
    dataset = read_examples(tmp_path / "data.csv", skip_bad_rows=True)
    assert (len(dataset), [row.raw for row in dataset.skipped]) == (50, ['"oops,a'])


def test_a_label_that_is_not_in_the_order_names_the_nearest(tmp_path):
    (tmp_path / "data.csv").write_text("text,label\nhello,Card_arival\n")
    with pytest.raises(DataError) as caught:
        read_examples(tmp_path / "data.csv", labels=["card_arrival", "card_linking"])
    message = str(caught.value)
    assert "data.csv:2: expected one of the 2 labels, got 'Card_arival' (the nearest is 'card_arrival')" in message
    assert_house_form(message)


def test_a_text_of_ten_megabytes_is_a_text(tmp_path):
    text = "long " * 2_000_000
    (tmp_path / "data.csv").write_text(f"text,label\n{text},a\nb,b\n")
    assert read_examples(tmp_path / "data.csv").examples[0].text == text


def test_a_label_of_ten_megabytes_is_named_in_brief(tmp_path):
    (tmp_path / "data.csv").write_text(f"text,label\nb,{'long ' * 2_000_000}\n")
    with pytest.raises(DataError) as caught:
        read_examples(tmp_path / "data.csv", labels=["a", "b"])
    assert len(str(caught.value)) < 1000


def test_skipped_rows_are_written_as_jsonl(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"text,label\ngood,a\nlonely\nol\xe9,b\n")
    dataset = read_examples(tmp_path / "data.csv", skip_bad_rows=True)
    written = write_skipped(dataset, tmp_path / "skipped.jsonl").read_text("ascii").splitlines()
    path = str(tmp_path / "data.csv")
    first, second = map(json.loads, written)
    assert first == {"file": path, "line": 3, "unit": "line", "reason": "expected 2 columns, got 1", "raw": "lonely"}
    assert (second["line"], second["raw"].encode("utf-8", "surrogateescape")) == (4, b"ol\xe9,b")
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []


@settings(max_examples=300)
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl"]),
    body=st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"good,a", b"good\ta", b'{"text": "good", "label": "a"}', b'"', b'"a\n', b"", b"\r", b"\0"]
            ),
        ),
        max_size=10,
    ),
)
@example(suffix=".csv", body=[b'"a', b'b",c'])
def test_whatever_the_bytes_every_line_is_read_skipped_or_refused(tmp_path, suffix, body):
    good = {".csv": GOOD_CSV, ".tsv": GOOD_CSV.replace(b",", b"\t"), ".jsonl": GOOD_JSONL}[suffix]
    path = tmp_path / f"data{suffix}"
    path.write_bytes(good + b"\n".join(body))
    dataset = read_examples(path, text_column="text", label_column="label", skip_bad_rows=True)
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    while not lines[-1].strip("\r\n"):
        lines.pop()
    if suffix == ".csv":
        # Here one row can be many lines; the scanner's own test holds that its rows cover all lines.
        assert len(dataset) + len(dataset.skipped) <= len(lines) - 1
        assert len(dataset) >= 2
    else:
        assert len(dataset) + len(dataset.skipped) == len(lines) - (suffix == ".tsv")
    for row in dataset.skipped:
        line_count = len(list(io.StringIO(row.raw, newline=""))) or 1
        assert "".join(lines[row.line - 1 : row.line - 1 + line_count]).rstrip("\r\n") == row.raw
