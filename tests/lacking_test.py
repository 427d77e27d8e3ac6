"""What is lacking skips a test at somebody's desk and fails it in CI."""

import re
from pathlib import Path

import pytest

from tests.benchmark.phone import conftest as phone
from tests.lacking import MUST_RUN, skip_for_lack

# Other Pythons than this one are tried where they are.
_MAY_SKIP = {"board/pythons_test.py"}


SKIPPED, FAILED = pytest.skip.Exception, pytest.fail.Exception
ENDS = [(None, SKIPPED), ("", SKIPPED), ("0", SKIPPED), ("1", FAILED)]


@pytest.fixture(params=ENDS, ids=lambda each: f"{MUST_RUN}={each[0]}")
def end(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    """How a test ends that lacks something, as the variable says."""
    value, end = request.param
    monkeypatch.delenv(MUST_RUN, raising=False) if value is None else monkeypatch.setenv(MUST_RUN, value)
    return end


def test_what_is_lacking(end: type[BaseException]) -> None:
    # Both are caught: one that is not expected would end this very test.
    with pytest.raises((SKIPPED, FAILED), match="no network here") as caught:
        skip_for_lack("no network here")
    assert caught.type is end


def test_a_machine_without_adb_and_apt(
    end: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One of those tests in earnest: its fixture finds no program at all."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((SKIPPED, FAILED), match="no adb here, and no apt to fetch Debian's with") as caught:
        phone.fetched_adb()
    assert caught.type is end


def test_devices_tests_skip_in_no_other_way() -> None:
    folder = Path(phone.__file__).parents[1]
    skipping = re.compile(r"pytest\.(skip|importorskip)\(|mark\.skip\b")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.py") if skipping.search(path.read_text())}
    assert found == _MAY_SKIP
