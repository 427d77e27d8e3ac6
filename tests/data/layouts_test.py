"""Published layouts in small: recognition, splits, encodings, and what is wrong with a folder."""

import json

import pytest

from edgebert.data.examples import Example
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def clinc150(tmp_path):
    write_json(
        tmp_path / "data_full.json",
        {
            "train": [["pay my bill", "pay_bill"], ["what is up", "zebra"]],
            "val": [["pay it", "pay_bill"]],
            "oos_train": [["how tall is it", "oos"]],
        },
    )
    return tmp_path


@pytest.fixture
def snips(tmp_path):
    for intent, words in (("PlayMusic", ["play ", "jazz"]), ("GetWeather", ["rain?"])):
        item = {"data": [{"text": words[0]}, *({"text": word, "entity": "e"} for word in words[1:])]}
        write_json(tmp_path / f"train_{intent}_full.json", {intent: [item]})
        write_json(tmp_path / f"validate_{intent}.json", {intent: [item, item]})
    return tmp_path


def test_clinc150(clinc150):
    dataset = read_examples(clinc150, split="train")
    assert [(example.text, example.label) for example in dataset] == [
        ("pay my bill", "pay_bill"),
        ("what is up", "zebra"),
    ]
    assert dataset.labels == ("pay_bill", "zebra")
    # The order is that of all splits, not of the one that is read.
    assert read_examples(clinc150, split="dev").labels == ("pay_bill", "zebra")


def test_clinc150_out_of_scope(clinc150):
    dataset = read_examples(clinc150, split="train", include_out_of_scope=True)
    assert dataset.labels == ("pay_bill", "zebra", "oos")
    assert dataset.examples[-1] == Example("how tall is it", None, "oos")
    with pytest.raises(DataError, match="out-of-scope") as caught:
        read_examples(clinc150, split="val", include_out_of_scope=True)
    assert_house_form(str(caught.value))


def test_clinc150_out_of_scope_is_no_split(clinc150):
    with pytest.raises(DataError, match="among train, val") as caught:
        read_examples(clinc150, split="oos_train")
    assert_house_form(str(caught.value))


@pytest.mark.parametrize("item", [["text"], "text", ["text", 3], ["a", "b", "c"], [3, "a"], ["", "a"], None])
def test_a_bad_item_of_clinc150(tmp_path, item):
    write_json(tmp_path / "data_full.json", {"train": [["good", "a"], item]})
    with pytest.raises(DataError, match=r"data_full\.json, item of train 2: expected") as caught:
        read_examples(tmp_path)
    assert_house_form(str(caught.value))
    dataset = read_examples(tmp_path, skip_bad_rows=True)
    assert (len(dataset), len(dataset.skipped)) == (1, 1)


@pytest.mark.parametrize("document", [[], {}, 3])
def test_a_document_that_is_not_clinc150(tmp_path, document):
    write_json(tmp_path / "data_full.json", document)
    with pytest.raises(DataError, match="among none") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))


def test_a_document_cut_short(tmp_path):
    (tmp_path / "data_full.json").write_text('{"train": [["a", ')
    with pytest.raises(DataError, match="expected a JSON document") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))


def test_snips(snips):
    dataset = read_examples(snips, split="train")
    assert [(example.text, example.label) for example in dataset] == [
        ("rain?", "GetWeather"),
        ("play jazz", "PlayMusic"),
    ]
    assert dataset.labels == ("GetWeather", "PlayMusic")
    assert len(read_examples(snips, split="dev")) == 4


@pytest.mark.parametrize(
    "item", [{}, {"data": 3}, {"data": [{"entity": "e"}]}, {"data": [{"text": 3}]}, "text", {"data": []}]
)
def test_a_bad_item_of_snips(snips, item):
    good = {"data": [{"text": "good"}]}
    write_json(snips / "train_PlayMusic_full.json", {"PlayMusic": [good, item]})
    with pytest.raises(DataError, match=r"train_PlayMusic_full\.json, item 2: expected") as caught:
        read_examples(snips, split="train")
    assert_house_form(str(caught.value))
    assert len(read_examples(snips, split="train", skip_bad_rows=True)) == 2


def test_a_snips_file_with_another_intent(snips):
    write_json(snips / "train_PlayMusic_full.json", {"Other": []})
    with pytest.raises(DataError, match="a list under 'PlayMusic'") as caught:
        read_examples(snips, split="train")
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("encoded", "text", "note"),
    [
        ("ol\u00e9 🍕".encode(), "olé 🍕", None),
        # One emoji as two halves of three bytes each, among proper UTF-8: the published file is like this.
        ("ol\u00e9 ".encode() + b"\xed\xa0\xbc\xed\xbd\x95", "olé 🍕", "CESU-8"),
        ("ol\u00e9".encode("latin-1"), "olé", "read as latin-1"),
        # Half a pair is no CESU-8 either.
        (b"\xed\xa0\xbc", "\u00ed\u00a0\u00bc", "read as latin-1"),
    ],
)
def test_the_encodings_of_snips(snips, encoded, text, note):
    content = b'{"PlayMusic": [{"data": [{"text": "%s"}]}]}' % encoded
    (snips / "train_PlayMusic_full.json").write_bytes(content)
    dataset = read_examples(snips, split="train")
    assert dataset.examples[1].text == text
    assert len(dataset.notes) == (note is not None)
    assert all(note in found and "train_PlayMusic_full.json" in found for found in dataset.notes)


def test_banking77_order_is_that_of_its_categories(tmp_path):
    (tmp_path / "train.csv").write_text("text,category\nwhere is it,lost\n")
    write_json(tmp_path / "categories.json", ["lost", "found", "broken"])
    assert read_examples(tmp_path, split="train").labels == ("lost", "found", "broken")
    (tmp_path / "train.csv").write_text("text,category\nwhere is it,lots\n")
    with pytest.raises(DataError, match=r"train\.csv:2: .*got 'lots' .the nearest is 'lost'") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))
    write_json(tmp_path / "categories.json", {"lost": 1})
    with pytest.raises(DataError, match="expected a list of names") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))


@pytest.mark.parametrize("categories", [[], ["lost", "lost"], ["lost", 3]])
def test_categories_that_are_no_order(tmp_path, categories):
    (tmp_path / "train.csv").write_text("text,category\nwhere is it,lost\n")
    write_json(tmp_path / "categories.json", categories)
    with pytest.raises(DataError, match="expected class names in order") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))


@pytest.fixture
def folder(tmp_path):
    for split, suffix, divider in (("train", "tsv", "\t"), ("dev", "tsv", "\t"), ("test", "csv", ",")):
        (tmp_path / f"{split}.{suffix}").write_text(f"sentence{divider}label\n{split}{divider}a\n")
    (tmp_path / "README.md").write_text("not data")
    return tmp_path


@pytest.mark.parametrize(
    ("split", "text"),
    [("train", "train"), ("dev", "dev"), ("val", "dev"), ("validation", "dev"), ("validate", "dev"), ("test", "test")],
)
def test_splits_of_a_folder(folder, split, text):
    assert read_examples(folder, split=split).examples[0].text == text


@pytest.mark.parametrize("split", [None, "eval", "Train"])
def test_a_split_that_a_folder_has_not(folder, split):
    with pytest.raises(DataError, match="among dev, test, train") as caught:
        read_examples(folder, split=split)
    assert_house_form(str(caught.value))


def test_a_folder_with_one_file_needs_no_split(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\na,b\n")
    assert len(read_examples(tmp_path)) == 1


def test_two_files_for_one_split(folder):
    (folder / "train.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match="one file per split") as caught:
        read_examples(folder, split="train")
    assert_house_form(str(caught.value))


def test_a_file_has_no_splits(folder):
    for layout in (None, "tsv"):
        with pytest.raises(DataError, match="no split for a single file") as caught:
            read_examples(folder / "dev.tsv", split="dev", layout=layout)
        assert_house_form(str(caught.value))


def test_a_format_by_name(tmp_path):
    (tmp_path / "data.txt").write_text('{"text": "a", "label": "b"}\n')
    assert len(read_examples(tmp_path / "data.txt", layout="jsonl")) == 1


@pytest.mark.parametrize("layout", ["snips", "clinc150", "xml", "csv"])
def test_a_layout_that_does_not_fit(folder, layout):
    with pytest.raises(DataError, match=f"expected the layout {layout}") as caught:
        read_examples(folder, layout=layout, split="train")
    assert_house_form(str(caught.value))


def test_a_folder_without_data(tmp_path):
    with pytest.raises(DataError, match="expected a known format") as caught:
        read_examples(tmp_path, split="train")
    assert_house_form(str(caught.value))


def test_out_of_scope_where_there_is_none(folder):
    with pytest.raises(DataError, match="out-of-scope") as caught:
        read_examples(folder, split="train", include_out_of_scope=True)
    assert_house_form(str(caught.value))
