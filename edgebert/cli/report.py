"""`edgebert report`: what a run reached, as a page to look at, Markdown, JSON and a model card."""

import argparse
from pathlib import Path

from edgebert.cli.output import note, table
from edgebert.errors import DataError, OutputError

HELP = "what runs reached: one HTML page that opens offline, the same as Markdown and JSON, and a model card"
EXAMPLES = """\
  edgebert report runs/snips                               report.html, .md, .json and README.md in that folder
  edgebert report runs/snips --explain "play some jazz"    and which tokens that answer hangs on
  edgebert report runs/small runs/smaller --output both    several runs in one table
  edgebert report runs/snips --json | jq .rows             the JSON alone, nothing written

Times of several runs are only put beside each other where device, runtime, threads, cores and inputs agree.
Needs numpy and LiteRT only; trains, scores and measures nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN_FOLDER", help="a folder that `edgebert compress --run` made"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where the files go (default: into the run's own folder)"
    )
    parser.add_argument(
        "--explain",
        action="append",
        default=[],
        metavar="TEXT",
        help="a text whose tokens are weighed; may be repeated",
    )
    parser.add_argument(
        "--second", action="append", metavar="TEXT", help="the second text of a pair, once for each --explain in turn"
    )
    parser.add_argument("--without-measurements", action="store_true", help="leave latency and memory out")
    parser.add_argument("--without-texts", action="store_true", help="show no text of the data, to pass the report on")
    parser.add_argument(
        "--replace-card", action="store_true", help="write a README.md that somebody edited anew; filled-in fields stay"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON report and write nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.report.collecting import ReportRequest, collect
    from edgebert.report.model_file import to_json
    from edgebert.report.writing import write_report

    left_out = {"without_measurements": arguments.without_measurements, "without_texts": arguments.without_texts}
    if arguments.json:
        _nothing_is_written(arguments)
        with ProgressLine(arguments.quiet) as progress:
            report = collect(ReportRequest(tuple(arguments.runs), _pairs(arguments), **left_out), progress)
        print(to_json(report).decode(), end="")
        return 0
    if len(arguments.runs) > 1 and arguments.output is None:
        raise OutputError(
            "--output: expected a folder for a report on several runs, got none. Do: name one, as in --output both."
        )
    with ProgressLine(arguments.quiet) as progress:
        written = write_report(
            arguments.runs,
            arguments.output,
            explain=_pairs(arguments),
            replace_card=arguments.replace_card,
            tell=progress,
            **left_out,
        )
    _show(written)
    return 0


def _nothing_is_written(arguments: argparse.Namespace) -> None:
    for flag, given in (("--output", arguments.output is not None), ("--replace-card", arguments.replace_card)):
        if given:
            raise OutputError(
                f"{flag}: expected it without --json, which writes no files, got both. Do: leave one of them out."
            )


def _pairs(arguments: argparse.Namespace) -> tuple[tuple[str, str | None], ...]:
    texts, seconds = arguments.explain, arguments.second
    if seconds is not None and len(seconds) != len(texts):
        raise DataError(
            f"--second: expected one for each --explain ({len(texts)}), got {len(seconds)}. Do: give both of each pair."
        )
    return tuple(zip(texts, seconds or [None] * len(texts), strict=True))


def _show(written) -> None:
    from edgebert.report.tables import has_doubts, results_table
    from edgebert.report.wording import DOUBT_EXPLAINED

    results = results_table(written.report)
    print(table([column.name for column in results.columns], results.rows))
    if has_doubts(results):
        note(DOUBT_EXPLAINED)
    for path in written.paths:
        note(f"wrote {path}")
    for remark in written.remarks:
        note(remark)
