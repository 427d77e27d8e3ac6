"""Writing examples in each format and reading them back is the identity."""

import csv
import gzip
import io
import json
import random

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from edgebert.data.examples import Example
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20).filter(str.strip)
ONE_LINE_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\r\n"), min_size=1, max_size=20
).filter(str.strip)
# Names that are not numbers and have no blanks at their ends: those are stripped.
NAMES = st.text(CHARACTERS, max_size=6).map(lambda text: f"n{text}l")
ONE_LINE_NAMES = st.text(st.characters(categories=["L", "S", "P"]), max_size=6).map(lambda text: f"n{text}l")
INTEGER_NAMES = st.integers(-5, 120).map(str)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

in_one_folder = settings(max_examples=60)


def lists_of_examples(texts, names):
    """Single texts or pairs; class names, integers, numbers (one with a fraction at least) or no labels."""
    label_kinds = st.sampled_from([names, INTEGER_NAMES, NUMBERS, st.none()])
    kinds = st.tuples(st.sampled_from([texts, st.none()]), label_kinds)

    def of_kind(kind):
        second_texts, labels = kind
        return st.lists(st.builds(Example, texts, second_texts, labels), min_size=1, max_size=8)

    def decided(examples):
        values = [example.label for example in examples if isinstance(example.label, float)]
        return not values or not all(value.is_integer() for value in values)

    return kinds.flatmap(of_kind).filter(decided)


def as_rows(examples: list[Example]) -> tuple[list[str], list[list[object]]]:
    """A header in a shuffled order with a column that is of no interest, and the cells below it."""
    columns = {"index": [str(number) for number, _ in enumerate(examples)]}
    if examples[0].second_text is None:
        columns["sentence"] = [example.text for example in examples]
    else:
        columns["premise"] = [example.text for example in examples]
        columns["hypothesis"] = [example.second_text for example in examples]
    if examples[0].label is not None:
        columns["label"] = [example.label for example in examples]
    header = list(columns)
    random.Random(len(examples)).shuffle(header)
    return header, [list(row) for row in zip(*(columns[name] for name in header), strict=True)]


def order_of(examples: list[Example]) -> tuple[str, ...] | None:
    names = {example.label for example in examples if isinstance(example.label, str)}
    if not names:
        return None
    is_integer = all(name.removeprefix("-").isascii() and name.removeprefix("-").isdigit() for name in names)
    return tuple(sorted(names, key=int if is_integer else None))


def assert_reads_back(path, examples, **options):
    dataset = read_examples(path, **options)
    assert list(dataset.examples) == examples
    assert dataset.labels == order_of(examples)
    assert dataset.skipped == ()
    if dataset.labels is not None:
        assert [dataset.labels[index] for index in dataset.label_ids()] == [example.label for example in examples]


@in_one_folder
@given(examples=lists_of_examples(TEXTS, NAMES), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]), packed=st.booleans())
def test_csv(tmp_path, examples, mark, packed):
    written = io.StringIO()
    header, rows = as_rows(examples)
    csv.writer(written, lineterminator="\r\n").writerows([header, *rows])
    content = mark + written.getvalue().encode()
    path = tmp_path / ("data.csv.gz" if packed else "data.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_reads_back(path, examples)


@in_one_folder
@given(examples=lists_of_examples(TEXTS, NAMES), random_source=st.randoms(use_true_random=False))
def test_csv_with_mixed_line_ends(tmp_path, examples, random_source):
    header, rows = as_rows(examples)
    written = io.StringIO()
    for row in [header, *rows]:
        ending = random_source.choice(["\n", "\r\n", "\r"])
        csv.writer(written, lineterminator=ending, quoting=csv.QUOTE_ALL).writerow(row)
    (tmp_path / "data.csv").write_text(written.getvalue(), encoding="utf-8", newline="")
    assert_reads_back(tmp_path / "data.csv", examples)


@in_one_folder
@given(examples=lists_of_examples(ONE_LINE_TEXTS, ONE_LINE_NAMES), ending=st.sampled_from(["\n", "\r\n", "\r"]))
def test_tsv(tmp_path, examples, ending):
    header, rows = as_rows(examples)
    lines = ["\t".join(map(str, row)) + ending for row in [header, *rows]]
    (tmp_path / "data.tsv").write_text("".join(lines), encoding="utf-8", newline="")
    assert_reads_back(tmp_path / "data.tsv", examples)


@in_one_folder
@given(examples=lists_of_examples(TEXTS, NAMES))
def test_quoted_tsv(tmp_path, examples):
    written = io.StringIO()
    header, rows = as_rows(examples)
    csv.writer(written, dialect="excel-tab").writerows([header, *rows])
    (tmp_path / "data.txt").write_text(written.getvalue(), encoding="utf-8", newline="")
    assert_reads_back(tmp_path / "data.txt", examples, layout="quoted-tsv")


@in_one_folder
@given(examples=lists_of_examples(TEXTS, NAMES), escaped=st.booleans())
def test_jsonl(tmp_path, examples, escaped):
    header, rows = as_rows(examples)
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    lines = [json.dumps(value, ensure_ascii=escaped) + "\n" for value in objects]
    (tmp_path / "data.jsonl").write_text("".join(lines), encoding="utf-8", newline="")
    assert_reads_back(tmp_path / "data.jsonl", examples)


@in_one_folder
@given(examples=lists_of_examples(TEXTS, NAMES))
def test_parquet(tmp_path, examples):
    header, rows = as_rows(examples)
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "data.parquet")
    assert_reads_back(tmp_path / "data.parquet", examples)


class Feature:
    """Stands for datasets.ClassLabel."""

    def __init__(self, names):
        self.names = names


class FakeDataset:
    """Behaves like datasets.Dataset as far as the reader looks."""

    def __init__(self, columns, features):
        self.columns = columns
        self.features = features

    @property
    def column_names(self):
        return list(self.columns)

    def __iter__(self):
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))


@given(examples=lists_of_examples(TEXTS, NAMES))
def test_datasets_object(examples):
    header, rows = as_rows(examples)
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    assert_reads_back(FakeDataset(columns, features={}), examples)


def test_class_labels_of_a_datasets_object_keep_their_order():
    columns = {"text": ["a", "b"], "label": [1, 0]}
    dataset = read_examples(FakeDataset(columns, {"text": object(), "label": Feature(["zebra", "ant"])}))
    assert [example.label for example in dataset] == ["ant", "zebra"]
    assert dataset.labels == ("zebra", "ant")
    assert dataset.label_ids().tolist() == [1, 0]


def test_minus_one_as_a_class_label_means_unlabelled():
    columns = {"text": ["a", "b"], "label": [-1, -1]}
    dataset = read_examples(FakeDataset(columns, {"label": Feature(["x", "y"])}))
    assert [example.label for example in dataset] == [None, None]
    assert not dataset.is_labelled


def test_given_labels_win_over_class_labels_by_name():
    columns = {"text": ["a", "b"], "label": [1, 0]}
    dataset = read_examples(FakeDataset(columns, {"label": Feature(["zebra", "ant"])}), labels=["ant", "cat", "zebra"])
    assert dataset.labels == ("ant", "cat", "zebra")
    assert dataset.label_ids().tolist() == [0, 2]


def test_a_dictionary_of_datasets_needs_a_split():
    train = FakeDataset({"text": ["a"], "label": ["x"]}, {})
    dev = FakeDataset({"text": ["b"], "label": ["y"]}, {})
    assert read_examples({"train": train, "validation": dev}, split="dev").examples == (Example("b", None, "y"),)
    with pytest.raises(DataError, match="train, validation") as caught:
        read_examples({"train": train, "validation": dev})
    assert_house_form(str(caught.value))


def test_an_object_that_is_no_dataset():
    with pytest.raises(DataError, match="column_names") as caught:
        read_examples(3)
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("metadata", "order"),
    [
        ({"info": {"features": {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}}}, ("zebra", "ant")),
        ({"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}, ("0", "1")),
        (["somebody else's"], ("0", "1")),
    ],
)
def test_parquet_schema_metadata(tmp_path, metadata, order):
    table = pyarrow.table({"text": ["a", "b"], "label": [0, 1]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    parquet.write_table(table, tmp_path / "data.parquet")
    dataset = read_examples(tmp_path / "data.parquet")
    assert dataset.labels == order
    assert dataset.label_ids().tolist() == [0, 1]


def test_a_parquet_row_that_is_not_utf8(tmp_path):
    texts = pyarrow.Array.from_buffers(
        pyarrow.string(), 2, pyarrow.array([b"good", b"ol\xe9"], pyarrow.binary()).buffers()
    )
    parquet.write_table(pyarrow.table({"text": texts, "label": ["x", "y"]}), tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"data\.parquet, row 2") as caught:
        read_examples(tmp_path / "data.parquet")
    assert_house_form(str(caught.value))
    assert len(read_examples(tmp_path / "data.parquet", skip_bad_rows=True)) == 1


def test_a_parquet_file_cut_short(tmp_path):
    parquet.write_table(pyarrow.table({"text": ["a"] * 100}), tmp_path / "data.parquet")
    content = (tmp_path / "data.parquet").read_bytes()
    (tmp_path / "data.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="Parquet") as caught:
        read_examples(tmp_path / "data.parquet")
    assert_house_form(str(caught.value))


def test_a_quoted_tsv_that_is_read_verbatim_is_remarked_on(tmp_path):
    (tmp_path / "data.tsv").write_text('text\tlabel\n"He said ""no"""\tx\n', encoding="utf-8")
    dataset = read_examples(tmp_path / "data.tsv")
    assert dataset.examples[0].text == '"He said ""no"""'
    assert "quoted-tsv" in dataset.notes[0]
    assert read_examples(tmp_path / "data.tsv", layout="quoted-tsv").examples[0].text == 'He said "no"'
