"""Which split is taken: the one that is named, the only one, or the one that is preferred where there are several."""

import json
from pathlib import Path

import pytest

from edgebert.data.reading import read_examples
from edgebert.data.splits import Preferred, choose_split
from edgebert.errors import DataError


def test_a_preferred_split_is_taken_among_several_and_gives_way_to_an_only_one() -> None:
    preferred = Preferred("train")
    assert choose_split({"train": 1, "test": 2}, preferred, "source") == 1
    assert choose_split({"queries": 3}, preferred, "source") == 3
    with pytest.raises(DataError, match=r"got 'train'. Do: choose the split among dev, test\."):
        choose_split({"dev": 1, "test": 2}, preferred, "source")
    with pytest.raises(DataError, match=r"got 'train'. Do: choose the split among queries\."):
        choose_split({"queries": 3}, "train", "source")


def test_files_and_folders_of_any_layout_know_a_preferred_split(tmp_path: Path) -> None:
    single, folder = tmp_path / "single.csv", tmp_path / "folder"
    folder.mkdir()
    for path in (single, folder / "queries.csv"):
        path.write_text("text\nwhere is my order\n")
    whole = tmp_path / "data_full.json"
    lists = {name: [[f"{name} it", "do"], [f"{name} that", "see"]] for name in ("train", "val", "test")}
    whole.write_text(json.dumps({**lists, **{f"oos_{name}": [] for name in lists}}))
    for source, first in ((single, "where is my order"), (folder, "where is my order"), (whole, "train it")):
        assert read_examples(str(source), split=Preferred("train")).examples[0].text == first
    with pytest.raises(DataError, match="expected no split for a single file, got 'train'"):
        read_examples(str(single), split="train")
