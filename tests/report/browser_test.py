"""The page in a real Chromium, on desk and phone, dark and light: nothing covers, overflows, fades or is asked for.

Needs Debian's chromium-headless-shell, which apt fetches into the cache (170 MB), or what EDGEBERT_CHROMIUM names.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebert.errors import MeasurementError
from edgebert.report.html.page import to_html
from edgebert.report.model import Report
from tests.caching import kept_cache
from tests.lacking import skip_for_lack
from tests.report.browser import VARIABLE, Browser, Page, chromium

pytestmark = pytest.mark.long

CHECKS = (Path(__file__).parent / "page_checks.js").read_text()
DESK, PHONE = 1280, 390
# Readable without a glass: CSS pixels of a line of the smallest chart text.
SMALLEST_LETTERS = 11


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    with kept_cache(pytestconfig):
        try:
            opened = chromium()
            browser = opened.__enter__()
        except MeasurementError as error:
            skip_for_lack(f"no Chromium ({error}); name a binary with {VARIABLE}")
        yield browser
        opened.__exit__(None, None, None)


@pytest.fixture(scope="module", params=["plain", "hostile"])
def page_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report: Report = request.getfixturevalue("report" if request.param == "plain" else "hostile_report")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report), encoding="utf-8")
    return path


def opened(page: Page) -> Page:
    """With everything that can be unfolded unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_overlaps_overflows_or_fades(browser: Browser, page_path: Path, width: int, scheme: str) -> None:
    page = browser.open(page_path, width, scheme)
    assert page.requests() == [page_path.resolve().as_uri()]
    assert page.complaints() == []
    for state in (page, opened(page)):
        found = state.evaluate(CHECKS)
        assert found["texts"] > 200
        assert found["overlaps"] == []
        assert found["contrasts"] == []
        assert found["wide"] == []
        assert found["letters"] >= SMALLEST_LETTERS
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 20, 26)"}[scheme]
    assert page.dialogs() == 0
    page.close()


def test_it_prints_black_on_white_even_from_a_dark_screen(browser: Browser, page_path: Path) -> None:
    page = browser.open(page_path, 800, "dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    found = page.evaluate(CHECKS)
    assert (found["overlaps"], found["contrasts"], found["wide"]) == ([], [], [])
    page.close()


def test_the_keyboard_reaches_everything_in_its_order(browser: Browser, page_path: Path) -> None:
    page = browser.open(page_path, DESK, "light")
    wanted = page.evaluate(
        "[...document.querySelectorAll('a, summary, [tabindex]')].filter((one) => one.checkVisibility()).length"
    )
    page.evaluate(
        "window.visited = []; document.addEventListener('focusin', (event) => window.visited.push(event.target))"
    )
    for _ in range(wanted):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    in_order = """
      window.visited.every((one, number) => number === 0 ||
        (window.visited[number - 1].compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING))
    """
    assert page.evaluate("new Set(window.visited).size") == wanted
    assert page.evaluate(in_order)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.close()


BAD = """<!doctype html><style>body {{ background: #fff; color: #000 }} .scroll {{ overflow-x: auto }}</style>
<body><p>fine</p>{0}<script>document.title = 'run'</script>"""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('<p style="margin-top:-24px">covered by that</p>', "overlaps"),
        ("<svg width=90 height=40><text x=5 y=20>one</text><text x=12 y=21>two</text></svg>", "overlaps"),
        ('<p style="color:#888">faint</p>', "contrasts"),
        ('<p style="background:color-mix(in srgb, #fff 30%, #000)">dark ground</p>', "contrasts"),
        ('<div style="width:2000px">wide</div>', "wide"),
    ],
)
def test_the_checks_see_what_is_wrong(browser: Browser, tmp_path: Path, content: str, complaint: str) -> None:
    """Each kind of fault, planted."""
    path = tmp_path / "bad.html"
    path.write_text(BAD.format(content))
    page = browser.open(path, DESK, "light")
    found = page.evaluate(CHECKS)
    assert found[complaint] != []
    assert [kind for kind in ("overlaps", "contrasts", "wide") if found[kind]] == [complaint]
    page.close()


def test_a_request_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "asking.html"
    path.write_text('<!doctype html><img src="neighbour.png">')
    page = browser.open(path, DESK, "light")
    assert len(page.requests()) == 2
    page.close()
