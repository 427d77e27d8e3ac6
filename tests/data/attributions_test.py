"""Whose the bundled data are is read from the files beside them."""

import pytest

from edgebert.data.attributions import ATTRIBUTION_FILE, read_attribution
from edgebert.data.layouts import bundled_folder, bundled_names


@pytest.mark.parametrize("name", bundled_names())
def test_each_says_whose_it_is_in_the_words_of_its_file(name: str) -> None:
    told, text = read_attribution(name), (bundled_folder() / name / ATTRIBUTION_FILE).read_text(encoding="utf-8")
    words = " ".join(text.split())
    for field, value in (("Source", told.source), ("Paper", told.paper), ("Authors", told.authors)):
        assert (value is None and f"{field}:" not in words) or f"{field}: {value}" in words
    assert f"Licence: {told.licence.split(',')[0]}" in words and "in this folder" not in told.licence


def test_the_licences_are_those_that_ask_for_authors_and_those_that_do_not() -> None:
    clinc150, snips = read_attribution("clinc150"), read_attribution("snips")
    assert "Attribution 3.0" in clinc150.licence and "creativecommons.org/licenses/by/3.0" in clinc150.licence
    assert clinc150.authors.startswith("Stefan Larson, ") and clinc150.authors.endswith(", Jason Mars")
    assert (snips.licence, snips.authors) == ("CC0 1.0 Universal", None)
