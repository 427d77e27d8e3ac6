"""`edgebert compress`: checkpoint and labelled data to small .tflite files that clients were seen to run."""

import argparse
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.compress_arguments import add_config_arguments, given
from edgebert.cli.output import counted, note
from edgebert.errors import OutputError
from edgebert.pipeline.stages import STAGES
from edgebert.run_directory import CONFIG_FILE, RUN_FILE, RunDirectory

if TYPE_CHECKING:
    from edgebert.pipeline.config import CompressConfig

HELP = "the whole road: fine-tune a teacher, distil a student, compress it, convert, score, verify in clients, measure"
EXAMPLES = """\
  edgebert compress --teacher minilm --data clinc150 --run runs/clinc150 --budget-minutes 15
  edgebert compress --teacher minilm --train train.csv --dev dev.csv --run runs/mine --dry-run
  edgebert compress --teacher minilm --data snips --student none --run runs/snips      the teacher in small, no student
  edgebert compress --teacher minilm --data snips --student bert_mini --write-config snips.toml
  edgebert compress --teacher minilm --data snips --run runs/snips --shrink 0.5 --quantize static --trim 1
                                  half of the student's blocks, trained for int8, only the pieces that its texts use
  edgebert compress snips.toml --run runs/snips --epochs 1       flags come before what the file says
  edgebert compress snips.toml --run runs/snips --from distill   that stage and all after it anew

Behind the student come the stages that are asked for, always in this order: --shrink, --prune, --quantize, --trim.
Each heals with the run's teacher, and every model's float32 file is a row of the report.

A stage that finished with the same inputs is not run again: repeat the command after an interruption. Paths in FILE are
as seen from where the command is run; a run's own config.toml is for the folder that it stands in.

exit code: 0 done; 1 a client of --require did not agree; 2 bad input; 130 interrupted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", type=Path, metavar="FILE", help="a configuration in TOML")
    add_config_arguments(parser)
    doing = parser.add_argument_group("what to do")
    doing.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    doing.add_argument("--write-config", type=Path, metavar="FILE", help="write what flags say as a file, and stop")
    doing.add_argument(
        "--from",
        dest="redo_from",
        choices=STAGES,
        metavar="STAGE",
        help=f"make anew, with all after it: {', '.join(STAGES)}",
    )
    doing.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    doing.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.pipeline.config_file import build_config, read_toml, to_toml

    layers = [] if arguments.config is None else [read_toml(arguments.config), *_own_folder(arguments.config)]
    config = build_config(*layers, given(arguments), source=str(arguments.config or "flags"))
    if arguments.write_config is not None:
        from edgebert.files import write_atomically

        note(f"written: {write_atomically(arguments.write_config, to_toml(config).encode())}")
        return 0
    if config.run is None:
        raise OutputError("run: expected a folder for the run, got none. Do: give --run FOLDER.")
    try:
        return _dry_run(config, arguments) if arguments.dry_run else _run(config, arguments)
    except KeyboardInterrupt:
        advice = "the same command goes on from here"
        if arguments.redo_from is not None:
            advice = f"the same command without --from {arguments.redo_from} goes on from here"
        note(f"edgebert compress: interrupted; {advice}")
        return 128 + signal.SIGINT


def _own_folder(config: Path) -> list[dict[str, str]]:
    """A run's own configuration names the folder as it was called first; it may have moved with it since."""
    is_a_runs = config.name == CONFIG_FILE and (config.parent / RUN_FILE).exists()
    return [{"run": str(config.parent)}] if is_a_runs else []


def _run(config: "CompressConfig", arguments: argparse.Namespace) -> int:
    from edgebert.cli.compress_report import result_as_text
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.files import make_folder

    # A folder that cannot be written, or that something else is in, is found before anything is read.
    RunDirectory.check(config.run)
    folder = make_folder(config.run)
    # TensorFlow is loaded here.
    from edgebert.pipeline.request import prepare
    from edgebert.pipeline.running import compress

    with ProgressLine(arguments.quiet) as report:
        request = prepare(config, folder, report)
        for remark in request.remarks:
            note(remark)
        labels = () if request.train.is_regression else request.train.labels
        answers = counted(len(labels), "label") if labels else "scores to predict"
        if not arguments.quiet:
            note(f"training on {counted(len(request.train), 'example')}, scoring on {len(request.dev):,}, {answers}")
        outcome = compress(request, folder, report, arguments.redo_from)
    print(json.dumps(outcome.to_json(), indent=1) if arguments.json else result_as_text(outcome))
    for problem in outcome.problems:
        note(f"not as required: {problem}")
    return 0 if outcome.passed else 1


def _dry_run(config: "CompressConfig", arguments: argparse.Namespace) -> int:
    from edgebert.cli.compress_report import plan_as_text
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.pipeline.planning import plan_of
    from edgebert.pipeline.request import prepare

    with ProgressLine(arguments.quiet) as report:
        request = prepare(config, report=report)
    for remark in request.remarks:
        note(remark)
    plan = plan_of(request, config.run, arguments.redo_from)
    print(json.dumps(plan.to_json(), indent=1) if arguments.json else plan_as_text(plan))
    return 0
