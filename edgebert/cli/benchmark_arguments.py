"""What `edgebert benchmark` and `edgebert profile` share: the flags that say what is run, and the plan made of them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.errors import MeasurementError, OutputError

if TYPE_CHECKING:
    from edgebert.benchmark.plan import Plan
    from edgebert.benchmark.texts import Texts

# What --sweep may vary, and the flag that says the same.
_SWEPT = {"threads": "--threads", "length": "--length"}


def add_run_arguments(what: argparse._ArgumentGroup, texts: str) -> None:
    """Which threads, lengths, texts and cores; `texts` says how many texts are taken by default."""
    what.add_argument("--threads", metavar="N,...", help="numbers of threads (default: 1)")
    what.add_argument(
        "--length", metavar="N,...", help="pad and cut texts to these lengths (default: each text's own, or the file's)"
    )
    what.add_argument(
        "--data", metavar="FILE", help="a .txt with a text a line, or .csv, .tsv, .jsonl (default: built-in ones)"
    )
    what.add_argument("--split", metavar="NAME", help="split of --data, where it has several")
    what.add_argument("--layout", metavar="NAME", help="layout of --data, where its name does not tell")
    what.add_argument("--text-column", metavar="NAME", help="column of the text in --data (default: guessed)")
    what.add_argument("--texts", type=int, metavar="N", help=f"take at most N texts, evenly (default: {texts})")
    what.add_argument("--vocab", type=Path, metavar="FILE", help="a vocab.txt, where the file has none packed")
    what.add_argument("--synthetic-ids", action="store_true", help="random ids instead of texts; the record says so")
    what.add_argument("--cores", metavar="N,...", help="stay on these cores (default: all)")


def add_sweep_argument(what: argparse._ArgumentGroup) -> None:
    what.add_argument(
        "--sweep",
        nargs="+",
        metavar="WHAT=N,...",
        help="threads=1,2,4 length=16,32,64: the same as --threads and --length; every combination is measured",
    )


def read_plan(arguments: argparse.Namespace, texts: int, runs: int, minimum_seconds: float) -> "Plan":
    """The plan of these arguments; the numbers are what is taken where the user does not say."""
    from edgebert.benchmark.plan import Plan

    swept = _swept(getattr(arguments, "sweep", None) or ())
    threads, length = (_once(arguments, swept, name) for name in _SWEPT)
    minimum = getattr(arguments, "min_seconds", None)
    return Plan(
        models=tuple(Path(model) for model in arguments.models),
        texts=_texts(arguments, texts),
        threads=_integers("--threads", threads or "1"),
        lengths=() if length is None else _integers("--length", length),
        vocabulary=arguments.vocab,
        synthetic_ids=arguments.synthetic_ids,
        cores=None if arguments.cores is None else _integers("--cores", arguments.cores),
        runs=runs if arguments.runs is None else arguments.runs,
        minimum_seconds=minimum_seconds if minimum is None else minimum,
        seed=arguments.seed,
        command_line=tuple(sys.argv),
    )


def check_target(target: Path, option: str) -> None:
    """Refuse a place that cannot be written now, not after minutes of measuring."""
    folder = target.parent
    if not folder.is_dir() or target.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(
            f"{target}: expected a file in an existing folder that can be written, got none. "
            f"Do: choose another place for {option}."
        )


def _texts(arguments: argparse.Namespace, usual: int) -> "Texts":
    from edgebert.benchmark.texts import builtin_texts, read_texts

    limit = usual if arguments.texts is None else arguments.texts
    if limit < 1:
        raise MeasurementError(f"--texts: expected 1 or more, got {limit}. Do: give a number of at least 1.")
    reading = {"split": arguments.split, "layout": arguments.layout, "text_column": arguments.text_column}
    return builtin_texts(limit) if arguments.data is None else read_texts(arguments.data, limit, **reading)


def _swept(parts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        name, equals, values = part.partition("=")
        if not equals or name not in _SWEPT:
            raise MeasurementError(
                f"--sweep: expected {' or '.join(f'{known}=N,...' for known in _SWEPT)}, got '{part}'. "
                "Do: write --sweep threads=1,2 length=16,32, after the models."
            )
        if name in found:
            raise MeasurementError(f"--sweep: expected {name} once, got it twice. Do: list all its values in one.")
        found[name] = values
    return found


def _once(arguments: argparse.Namespace, swept: dict[str, str], name: str) -> str | None:
    """The values of `name`, from its own flag or from --sweep."""
    given = getattr(arguments, name)
    if given is not None and name in swept:
        raise MeasurementError(
            f"--sweep: expected no {name} beside {_SWEPT[name]}, got both. Do: say it in one of the two."
        )
    return swept.get(name, given)


def _integers(option: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise MeasurementError(f"{option}: expected numbers with commas between, got '{text}'. Do: write {option} 1,2.")
    return tuple(int(part) for part in parts)
