"""The report's files: one page, the same as Markdown and JSON, and in a run's own folder its model card."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.files import make_folder, write_atomically
from edgebert.progress import Report as Tell
from edgebert.progress import silent
from edgebert.report.card import CARD_FILE, model_card
from edgebert.report.card_keeping import renewed_card
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.html.page import to_html
from edgebert.report.markdown import to_markdown
from edgebert.report.model import Report
from edgebert.report.model_file import to_json

HTML_FILE, MARKDOWN_FILE, JSON_FILE = "report.html", "report.md", "report.json"


@dataclass(frozen=True)
class WrittenReport:
    """`card_kept`: a card in which a person did more than fill in what was left open was there and stays."""

    report: Report
    paths: tuple[Path, ...]
    card_kept: bool

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever waits must hear beside the paths."""
        if not self.card_kept:
            return ()
        folder = shlex.quote(str(self.paths[0].parent))
        return (
            f"{CARD_FILE} was edited by somebody and is kept, whatever figures it has; "
            f"`edgebert report {folder} --replace-card` writes it anew and takes along what was filled in",
        )


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
    card_kept = False
    # Its code names files as they lie in the run's folder.
    if len(folders) == 1 and target.resolve() == folders[0].resolve():
        path = target / CARD_FILE
        card = _card(path, report, replace_card)
        card_kept = card is None
        if card is not None:
            paths.append(write_atomically(path, card.encode()))
    return WrittenReport(report, tuple(paths), card_kept)


def _card(path: Path, report: Report, replace: bool) -> str | None:
    """Null where the one that is there stays."""
    fresh = model_card(report)
    if not path.exists():
        return fresh
    # One in another encoding is a person's.
    return renewed_card(path.read_text(encoding="utf-8", errors="replace"), fresh, replace)
