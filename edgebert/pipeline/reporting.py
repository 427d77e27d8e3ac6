"""The report on the run, in its own folder: made anew at every end, since it only retells what the stages hold."""

from pathlib import Path

from edgebert.progress import Report
from edgebert.report.writing import HTML_FILE, write_report
from edgebert.run_directory import RunDirectory


def report_on_run(run: RunDirectory, report: Report) -> Path:
    """The page for people; Markdown, JSON and the model card stand beside it."""
    write_report([run.path], tell=report)
    return run.path / HTML_FILE
