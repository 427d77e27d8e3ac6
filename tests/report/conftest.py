"""One run folder for many tests; those that change it copy it first."""

from pathlib import Path

import pytest

from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.model import Report
from tests.export.client_models import TEXTS
from tests.report.runs import HOSTILE_LABELS, HOSTILE_TEXTS, make_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def report(run_folder: Path) -> Report:
    return collect(ReportRequest((run_folder,)))


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Labels, texts and the run's name are mark-up, turned writing, emoji and 10,000 characters without a break."""
    folder = tmp_path_factory.mktemp("runs") / "<img src=x onerror=alert(1)>&amp; \u202erun"
    run = make_run(folder, HOSTILE_LABELS, HOSTILE_TEXTS + TEXTS)
    return collect(ReportRequest((run,), explain=tuple((text, None) for text in HOSTILE_TEXTS[:3])))
