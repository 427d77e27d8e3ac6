"""The command line: `edgebert COMMAND ...`. Results go to stdout, everything else to stderr.

Each command is one module of this package with `HELP` (one line), `EXAMPLES`, `add_arguments(parser)` and
`run(arguments)`. A module imports what is heavy inside `run`, so that `edgebert benchmark` never loads TensorFlow and
`--help` is instant.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from edgebert.errors import EdgebertError
from edgebert.version import VERSION

COMMANDS = ("inspect", "augment", "compress", "convert", "benchmark", "emulator", "verify", "clients")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgebert",
        description="Turn a BERT-family checkpoint and a labelled file into a small, fast, verified .tflite.",
    )
    parser.add_argument("--version", action="version", version=f"edgebert {VERSION}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"edgebert.cli.{name}")
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
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except EdgebertError as error:
        print(f"edgebert {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"edgebert {arguments.command}: interrupted", file=sys.stderr)
        return 130
