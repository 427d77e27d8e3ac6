"""The cache folder's lock: one at a time, and a folder that cannot be written is one line."""

import threading
from pathlib import Path

import pytest

from edgebert.cache import locked
from edgebert.errors import OutputError
from tests.data.house_form import assert_house_form


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with locked(tmp_path / "lock"):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, locked(tmp_path / "absent" / "lock"):
        pass
    assert_house_form(str(caught.value))
