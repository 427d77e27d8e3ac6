"""Counts and numbers as people read and write them."""

import argparse

import pytest

from edgebert.cli.output import counted
from edgebert.cli.parsing import byte_count, numbers


def test_one_is_singular_and_all_else_plural() -> None:
    assert [counted(count, "text") for count in (0, 1, 2, 1200)] == ["0 texts", "1 text", "2 texts", "1,200 texts"]


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("17", 17), ("2k", 2048), ("1.5M", 3 * 2**19), ("4G", 2**32), ("1GiB", 2**30)]
)
def test_byte_counts(text: str, expected: int) -> None:
    assert byte_count(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "4X", "many", "1e9"])
def test_what_is_no_byte_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number of bytes such as 4G"):
        byte_count(text)


def test_numbers_with_commas() -> None:
    assert numbers(int)("10,3") == (10, 3) and numbers(float)("5e-5") == (5e-5,)
    for wrong in ("", "1,", "a", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected numbers"):
            numbers(int)(wrong)
