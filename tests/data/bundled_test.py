"""The datasets that come with the package: whole, licensed, small, and what their publishers wrote."""

import functools
import gzip
import importlib.util
import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from edgebert.data.layouts import bundled_names
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form
from tests.data.published import published

BUNDLED = Path(str(resources.files("edgebert.data"))) / "bundled"
# Several tests look at one split; reading each once keeps the suite short.
read_once = functools.lru_cache(read_examples)
SPLITS = [
    ("snips", "train", 13_784, 7),
    ("snips", "validate", 700, 7),
    ("clinc150", "train", 15_000, 150),
    ("clinc150", "val", 3_000, 150),
    ("clinc150", "test", 4_500, 150),
]


@pytest.fixture(scope="module")
def script():
    """The script that wrote the files."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "data" / "bundle_datasets.py"
    specification = importlib.util.spec_from_file_location("bundle_datasets", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_names():
    assert bundled_names() == ("clinc150", "snips")


@pytest.mark.parametrize(("name", "split", "examples", "labels"), SPLITS)
def test_counts(name, split, examples, labels):
    dataset = read_once(name, split=split)
    assert len(dataset) == examples
    assert len(dataset.labels) == labels
    assert dataset.source == name
    assert dataset.skipped == dataset.notes == ()
    assert set(dataset.label_ids().tolist()) == set(range(labels))


@pytest.mark.parametrize(("split", "count"), [("train", 100), ("val", 100), ("test", 1_000)])
def test_out_of_scope_is_the_last_label(split, count):
    without, with_it = (read_once("clinc150", split=split, include_out_of_scope=flag) for flag in (False, True))
    assert with_it.labels == (*without.labels, "oos")
    assert with_it.examples[: len(without)] == without.examples
    assert Counter(example.label for example in with_it)["oos"] == count


def test_every_split_has_the_same_order():
    for name in bundled_names():
        assert len({read_once(name, split=split).labels for known, split, *_ in SPLITS if known == name}) == 1


def test_other_names_of_a_split():
    for name in ("dev", "validation", "valid"):
        assert read_once("snips", split=name).sha256 == read_once("snips", split="validate").sha256


@pytest.mark.parametrize(("name", "split"), [("snips", None), ("snips", "test"), ("clinc150", "oos_test")])
def test_a_split_that_is_not_there(name, split):
    with pytest.raises(DataError, match="name of a split") as caught:
        read_once(name, split=split)
    assert_house_form(str(caught.value))


def test_snips_has_no_out_of_scope():
    with pytest.raises(DataError, match="clinc150") as caught:
        read_once("snips", split="train", include_out_of_scope=True)
    assert_house_form(str(caught.value))


def test_a_folder_of_the_same_name_is_written_with_a_dot(tmp_path, monkeypatch):
    (tmp_path / "snips").mkdir()
    (tmp_path / "snips" / "train.csv").write_text("text,label\na,b\n")
    monkeypatch.chdir(tmp_path)
    assert len(read_examples("snips", split="train")) == 13_784
    assert len(read_examples("./snips", split="train")) == 1
    assert len(read_examples(Path("snips"), split="train")) == 1


@pytest.mark.parametrize(("name", "licence"), [("snips", "CC0 1.0"), ("clinc150", "Attribution 3.0 Unported")])
def test_licence_and_attribution_lie_beside_the_data(name, licence):
    assert licence in (BUNDLED / name / "LICENSE").read_text(encoding="utf-8")
    attribution = (BUNDLED / name / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    for part in ("Source:", "Licence:", "Changes:", licence):
        assert part in attribution


def test_the_files_are_small_and_hold_no_date():
    files = sorted(BUNDLED.rglob("*.gz"))
    assert len(files) == 8
    assert sum(file.stat().st_size for file in files) < 600_000
    for file in files:
        assert file.read_bytes()[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(("name", "split"), [(name, split) for name, split, *_ in SPLITS])
def test_the_script_writes_these_files_from_the_published_ones(script, name, split):
    for file_name, examples in script.read_split(name, published(name), split).items():
        written = gzip.decompress(script.as_gzipped_jsonl(examples))
        # Compared unpacked: another zlib may pack the same rows into other bytes.
        assert written == gzip.decompress((BUNDLED / name / f"{file_name}.jsonl.gz").read_bytes())
        assert len(written.splitlines()) == len(examples)
        assert all(set(json.loads(line)) == {"text", "intent"} for line in written.splitlines())
