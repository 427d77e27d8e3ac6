"""What is lacking skips a test at somebody's desk and fails it in CI."""

import re
from pathlib import Path

import pytest

from tests.benchmark.phone import conftest as phone
from tests.lacking import MUST_RUN, skip_for_lack

# Other Pythons than this one are tried where they are.
_MAY_SKIP = {"board/pythons_test.py"}


@pytest.mark.parametrize("value", [None, "", "0"])
def test_what_is_lacking_skips(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(MUST_RUN, raising=False) if value is None else monkeypatch.setenv(MUST_RUN, value)
    with pytest.raises(pytest.skip.Exception, match="no network here"):
        skip_for_lack("no network here")


def test_what_is_lacking_fails_where_all_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MUST_RUN, "1")
    with pytest.raises(pytest.fail.Exception, match="no network here"):
        skip_for_lack("no network here")


@pytest.mark.parametrize(("value", "ends"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_machine_without_adb_and_apt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, ends: type[BaseException]
) -> None:
    """One of those tests in earnest: its fixture finds no program at all."""
    monkeypatch.setenv(MUST_RUN, value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ends, match="no adb here, and no apt to fetch Debian's with"):
        phone.fetched_adb()


def test_devices_tests_skip_in_no_other_way() -> None:
    folder = Path(phone.__file__).parents[1]
    skipping = re.compile(r"pytest\.(skip|importorskip)\(|mark\.skip\b")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.py") if skipping.search(path.read_text())}
    assert found == _MAY_SKIP
