"""The page as a parser sees it: well-formed, closed against requests and scripts, and everything told in words too."""

import dataclasses
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from edgebert.report.html.elements import Markup, element, isolated
from edgebert.report.html.page import to_html
from edgebert.report.model import Report
from tests.report.runs import PRUNED, STUDENT, TEACHER

VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """Elements with their attributes; an element that is not closed in its order is an error."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), (tag, names)
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(to_html(report))


@pytest.fixture(scope="module")
def hostile_page(hostile_report: Report) -> Page:
    return Page(to_html(hostile_report))


def test_nothing_is_asked_of_anybody_and_nothing_runs(page: Page, hostile_page: Page) -> None:
    for one in (page, hostile_page):
        tags = {tag for tag, _ in one.found}
        assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
        for tag, attributes in one.found:
            for name, value in attributes.items():
                assert not name.startswith("on"), (tag, name)
                assert name not in ("src", "srcset", "action", "xlink:href")
                if name == "href":
                    assert value.startswith("#")
                if name == "style":
                    assert re.fullmatch(r"--v:\d\.\d{3}", value)
        policies = [each["content"] for each in one.of("meta") if each.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1 and policies[0].startswith("default-src 'none'")
        assert "script-src" not in policies[0]


def test_the_style_sheet_asks_for_nothing(report: Report) -> None:
    style = to_html(report).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style and "<" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_every_file_and_section_is_there(page: Page, report: Report) -> None:
    text = "".join(page.texts)
    for name in (TEACHER, STUDENT, PRUNED):
        assert name in text
    targets = {each.get("id") for _, each in page.found}
    links = [each["href"].removeprefix("#") for each in page.of("a")]
    assert links and set(links) <= targets
    ids = Counter(each["id"] for _, each in page.found if "id" in each)
    assert set(ids.values()) == {1}


def test_charts_and_tables_are_told_to_those_who_do_not_see(page: Page) -> None:
    charts = [each for each in page.of("svg") if each.get("aria-hidden") != "true"]
    assert len(charts) >= 6
    assert all(each["role"] == "img" for each in charts)
    positions = [number for number, (tag, each) in enumerate(page.found) if tag == "svg" and "role" in each]
    for position in positions:
        assert [tag for tag, _ in page.found[position + 1 : position + 3]] == ["title", "desc"]
    assert all(each.get("scope") in ("row", "col") for each in page.of("th"))
    for each in page.of("div"):
        if each.get("class") == "scroll":
            assert each["tabindex"] == "0" and each["role"] == "region" and each["aria-label"]


def test_texts_of_the_data_stay_texts(hostile_page: Page) -> None:
    text = "".join(hostile_page.texts)
    assert "<script>alert(1)</script>" in text
    assert "</style><script>alert(1)</script> good" in text
    assert "👩‍👩‍👧‍👦" in text
    assert "\x07" not in text and "\ufffd" in text
    assert re.search(r"x\u202c… \(10,0\d\d characters\)", text)
    assert "x" * 1000 not in text
    # Turned writing is closed in by an element of its own.
    directions = [place for place, (tag, _) in enumerate(hostile_page.found) if tag == "bdi"]
    assert directions


@pytest.mark.parametrize("gone", ["measurements", "scores", "answers", "curves", "clients"])
def test_what_was_not_measured_is_said_to_be(report: Report, gone: str) -> None:
    none_measured = tuple(dataclasses.replace(row, latencies=()) for row in report.rows)
    none_scored = tuple(dataclasses.replace(row, score=None, retention=None, agreement=None) for row in report.rows)
    none_verified = tuple(dataclasses.replace(row, clients={}, client_reasons={}) for row in report.rows)
    changed = {
        "measurements": {"rows": none_measured, "measurements": ()},
        "scores": {"rows": none_scored, "confusions": (), "differences": (), "attributions": ()},
        "answers": {"confusions": (), "differences": (), "attributions": ()},
        "curves": {"curves": ()},
        "clients": {"rows": none_verified},
    }[gone]
    text = "".join(Page(to_html(dataclasses.replace(report, **changed))).texts).lower()
    assert "not measured" in text


def test_escaping_is_the_builders_and_not_the_callers() -> None:
    assert element("p", "<b>", Markup("<i>x</i>"), title='"&') == '<p title="&quot;&amp;">&lt;b&gt;<i>x</i></p>'
    assert isolated("a_b/c & d_") == "<bdi>a_<wbr>b/<wbr>c &amp; d_</bdi>"
    assert element("p", "\x00\ud800ok") == "<p>\ufffd\ufffdok</p>"
    assert element("input", hidden=True, value=None, data_label="x").startswith('<input hidden data-label="x">')
