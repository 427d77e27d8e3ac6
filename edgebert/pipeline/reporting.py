"""The report on the run, in its own folder: made anew at every end, since it only retells what the stages hold."""

from pathlib import Path

from edgebert.pipeline.stages import REPORT
from edgebert.progress import Progress, Report
from edgebert.report.writing import HTML_FILE, write_report
from edgebert.run_directory import RunDirectory


def report_on_run(run: RunDirectory, report: Report) -> Path:
    """The page for people; Markdown, JSON and the model card stand beside it."""
    written = write_report([run.path], tell=report)
    for remark in written.remarks:
        report(Progress(REPORT, 1, 1, remark))
    return run.path / HTML_FILE
