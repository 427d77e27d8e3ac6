"""`edgebert verify`: does a file answer in the clients that phones use as it answers here?"""

import argparse
import json
from pathlib import Path

from edgebert.cli.output import counted, note
from edgebert.cli.parsing import comma_separated
from edgebert.errors import ClientError, DataError
from edgebert.progress import Progress

HELP = "run a .tflite in the clients that phones use and compare their answers with ours"
EXAMPLES = """\
  edgebert verify model.tflite --data dev.tsv
  edgebert verify model.tflite --text "Book a table for two." --text "Café crème, s'il vous plaît."
  edgebert verify model.tflite --data dev.tsv --require mediapipe,litert
  edgebert verify model.tflite --data dev.tsv --vocab teacher/vocab.txt --json result.json

exit code: 0 every client that ran agrees; 1 one disagrees, fails or refuses; 2 bad input.
A client that is not installed is reported as NOT RUN: see edgebert clients list.
Of pairs, clients that take one text say nothing: they are listed as "takes no pairs".
With --require the named clients must run and agree; any other may be missing or refuse, but not answer otherwise."""

_TO_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edgebert.export.clients.agreement import (
        FLOAT_TOLERANCE,
        INTEGER_TOLERANCE,
        QUANTIZED_EMBEDDING_TOLERANCE,
        QUANTIZED_TOLERANCE,
        ROUNDED_TOLERANCE,
    )

    parser.add_argument("model", type=Path, metavar="MODEL", help="a .tflite that edgebert exported")
    texts = parser.add_argument_group("texts")
    texts.add_argument("--text", action="append", default=[], metavar="TEXT", help="a text; may be given several times")
    texts.add_argument("--data", metavar="FILE", help="a .csv, .tsv, .jsonl, a dataset's folder or a bundled name")
    texts.add_argument("--split", metavar="NAME", help="split of --data, where it has several")
    texts.add_argument("--layout", metavar="NAME", help="layout of --data, where its name does not tell")
    texts.add_argument("--text-column", metavar="NAME", help="column of the text in --data (default: guessed)")
    texts.add_argument("--limit", type=int, metavar="N", help="take the first N texts of --data (default: all)")
    truth = parser.add_argument_group("what is right")
    truth.add_argument("--vocab", type=Path, metavar="FILE", help="the vocab.txt that the model was trained with")
    truth.add_argument("--labels", type=Path, metavar="FILE", help="the labels in the order of the outputs, one a line")
    truth.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="how far scores may be apart, as a share of our highest one (default: "
        f"{FLOAT_TOLERANCE:g} for float, {QUANTIZED_TOLERANCE:g} for int8 weights, {ROUNDED_TOLERANCE:g} where outputs "
        f"are rounded too, as in static, {INTEGER_TOLERANCE:g} in full-int8; of int8 embeddings "
        f"{QUANTIZED_EMBEDDING_TOLERANCE:g}, which is one minus the cosine)",
    )
    truth.add_argument(
        "--allow-token-differences",
        action="store_true",
        help="pass a text that a client answers otherwise because its own tokenizer cuts it otherwise",
    )
    clients = parser.add_argument_group("clients")
    clients.add_argument("--clients", type=comma_separated, metavar="A,B", help="run these only (default: all)")
    clients.add_argument(
        "--require", type=comma_separated, default=(), metavar="A,B", help="these must run, load the file and agree"
    )
    out = parser.add_argument_group("result")
    out.add_argument("--show", type=int, default=5, metavar="N", help="show at most N texts a client (default: 5)")
    out.add_argument("--json", metavar="FILE", help="write the whole result; - prints it instead of the table")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.verification_report import as_json, as_text
    from edgebert.export.clients.judging import judge
    from edgebert.export.clients.registry import CLIENTS
    from edgebert.export.clients.verification import verify
    from edgebert.files import write_atomically

    _check(arguments)
    names = _known(arguments.clients or [client.name for client in CLIENTS], "--clients")
    required = _known(arguments.require, "--require")
    chosen = [client for client in CLIENTS if client.name in {*names, *required}]
    texts = [*((text, None) for text in arguments.text), *_data_texts(arguments)]
    kind = "pair" if any(second is not None for _, second in texts) else "text"
    note(f"{counted(len(texts), kind)} to {', '.join(client.name for client in chosen)} ...")
    verification = verify(
        arguments.model,
        texts,
        vocabulary=_vocabulary(arguments.vocab),
        labels=_lines(arguments.labels),
        tolerance=arguments.tolerance,
        clients=chosen,
        report=_note_start,
    )
    verdict = judge(verification, required, arguments.allow_token_differences)
    record = json.dumps(as_json(verification, verdict), indent=1, ensure_ascii=True)
    if arguments.json == _TO_STDOUT:
        print(record)
    else:
        print(as_text(verification, verdict, arguments.show))
        if arguments.json is not None:
            write_atomically(arguments.json, record.encode())
    return 0 if verdict.passed else 1


def _check(arguments: argparse.Namespace) -> None:
    """What needs no text to be said: first of all whether there is a file."""
    from edgebert.export.flatbuffer import read_model

    read_model(arguments.model)
    if not arguments.text and arguments.data is None:
        raise DataError("texts: expected --text or --data, got neither. Do: add --text TEXT or --data FILE.")
    if arguments.limit is not None and arguments.limit < 1:
        raise DataError(f"--limit: expected 1 or more, got {arguments.limit}. Do: give a number of at least 1.")
    if arguments.show < 0:
        raise DataError(f"--show: expected 0 or more, got {arguments.show}. Do: give 0 to show none.")


def _note_start(progress: Progress) -> None:
    """A client may take minutes to start or to be given up, so each is named before it is waited for."""
    if progress.done < progress.total:
        note(f"{progress.task}: {progress.done + 1}/{progress.total}, {progress.remark} ...")


def _known(names: tuple[str, ...] | list[str], option: str) -> tuple[str, ...]:
    from edgebert.export.clients.registry import CLIENTS

    known = [client.name for client in CLIENTS]
    for name in names:
        if name not in known:
            raise ClientError(f"{option}: expected {', '.join(known)}, got {name!r}. Do: choose out of these.")
    return tuple(names)


def _data_texts(arguments: argparse.Namespace) -> list[tuple[str, str | None]]:
    if arguments.data is None:
        return []
    from edgebert.data.reading import read_examples

    dataset = read_examples(
        arguments.data, split=arguments.split, layout=arguments.layout, text_column=arguments.text_column
    )
    for remark in dataset.notes:
        note(remark)
    return [(example.text, example.second_text) for example in dataset][: arguments.limit]


def _vocabulary(path: Path | None) -> tuple[str, ...] | None:
    if path is None:
        return None
    from edgebert.data.vocabulary import read_vocabulary

    return read_vocabulary(path)


def _lines(path: Path | None) -> tuple[str, ...] | None:
    if path is None:
        return None
    try:
        return tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected labels in UTF-8, one a line, got '{error}'. Do: check the path.") from error
