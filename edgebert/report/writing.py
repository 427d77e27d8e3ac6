"""The report's files: one page, the same as Markdown and JSON, and in a run's own folder its model card."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.files import make_folder, write_atomically
from edgebert.progress import Report as Tell
from edgebert.progress import silent
from edgebert.report.card import CARD_FILE, model_card, was_edited
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.html.page import to_html
from edgebert.report.markdown import to_markdown
from edgebert.report.model import Report
from edgebert.report.model_file import to_json

HTML_FILE, MARKDOWN_FILE, JSON_FILE = "report.html", "report.md", "report.json"


@dataclass(frozen=True)
class WrittenReport:
    """`card_kept`: a card that a person edited was there and stays."""

    report: Report
    paths: tuple[Path, ...]
    card_kept: bool


def write_report(
    run_folders: Sequence[str | os.PathLike],
    output: str | os.PathLike | None = None,
    *,
    explain: Sequence[tuple[str, str | None]] = (),
    without_measurements: bool = False,
    without_texts: bool = False,
    replace_card: bool = False,
    tell: Tell = silent,
) -> WrittenReport:
    """Collect and write, by default into the one run's folder; nothing that a stage made is touched.

    `explain`: texts, or pairs, whose tokens are weighed.
    """
    folders = tuple(Path(folder) for folder in run_folders)
    if output is None and len(folders) != 1:
        raise ValueError("output: expected a folder for a report on several runs")
    request = ReportRequest(folders, tuple(explain), without_measurements, without_texts)
    report = collect(request, tell)
    target = make_folder(folders[0] if output is None else output)
    paths = [
        write_atomically(target / name, content)
        for name, content in (
            (HTML_FILE, to_html(report).encode()),
            (MARKDOWN_FILE, to_markdown(report).encode()),
            (JSON_FILE, to_json(report)),
        )
    ]
    card, card_kept = target / CARD_FILE, False
    # Its code names files as they lie in the run's folder.
    if len(folders) == 1 and target.resolve() == folders[0].resolve():
        card_kept = was_edited(card) and not replace_card
        if not card_kept:
            paths.append(write_atomically(card, model_card(report).encode()))
    return WrittenReport(report, tuple(paths), card_kept)
