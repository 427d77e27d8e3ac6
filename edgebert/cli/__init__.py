"""The command line: `edgebert COMMAND ...`. Results go to stdout, everything else to stderr.

Each command is one module of this package (`distill-text` is `distill_text`) with `HELP` (one line), `EXAMPLES`,
`add_arguments(parser)` and `run(arguments)`. A module imports what is heavy inside `run`, so that `edgebert benchmark`
never loads TensorFlow and `--help` is instant.
"""

import argparse
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from edgebert.errors import EdgebertError
from edgebert.version import VERSION

COMMANDS = (
    "inspect",
    "finetune",
    "average",
    "augment",
    "distill-text",
    "distill",
    "prune",
    "shrink",
    "quantize",
    "compress",
    "trim",
    "factorise",
    "convert",
    "predict",
    "benchmark",
    "compare",
    "profile",
    "sensitivity",
    "emulator",
    "verify",
    "report",
    "clients",
    "completion",
)
# Those that go on where they stood when the same command is given again.
RESUMABLE = ("finetune", "augment", "distill-text", "distill", "prune", "shrink", "quantize", "factorise", "compress")


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the flags in one line, like every other error; the usage is in --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: expected flags as in --help, got: {message}. Do: see {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edgebert",
        description="Turn a BERT-family checkpoint and a labelled file into a small, fast, verified .tflite.",
    )
    parser.add_argument("--version", action="version", version=f"edgebert {VERSION}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"edgebert.cli.{name.replace('-', '_')}")
        subparser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=f"{module.HELP}\n\nexamples:\n{module.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    try:
        return _run(build_parser().parse_args(argv))
    except BrokenPipeError:
        # The reader has seen enough, as in `edgebert inspect FILE | head`; nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except EdgebertError as error:
        print(f"edgebert {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        advice = "; the same command goes on from here" if arguments.command in RESUMABLE else ""
        print(f"edgebert {arguments.command}: interrupted{advice}", file=sys.stderr)
        return 128 + signal.SIGINT
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(
            f"edgebert {arguments.command}: stdout: expected room for the result, got '{error.strerror}'. "
            "Do: write it elsewhere.",
            file=sys.stderr,
        )
        return 2
