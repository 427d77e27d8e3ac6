"""`edgebert predict`: what a .tflite answers to texts, with the tokenizer that is packed in it."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebert.cli.output import counted, note, table
from edgebert.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from edgebert.bundle import Description
    from edgebert.export.answering import AnsweringModel

HELP = "ask a .tflite: labels and scores of texts, by LiteRT with the vocabulary and labels in the file"
EXAMPLES = """\
  edgebert predict model.tflite "Book a table for two." "Play something quiet."
  edgebert predict model.tflite "A man sleeps." --second "Somebody is asleep."      a pair
  edgebert predict model.tflite --data dev.tsv --jsonl > answers.jsonl
  edgebert predict model.tflite --data snips --split dev --top 3
  cat texts.txt | edgebert predict model.tflite - --json

A classifier answers labels with probabilities, a regression a score, an embedder a vector."""

STDIN = "-"
SHOWN_CHARACTERS, SHOWN_NUMBERS = 60, 4

Pair = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A text or pair, and the label that it came with, if any."""

    text: str
    second_text: str | None = None
    expected: str | float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .tflite that edgebert exported")
    texts = parser.add_argument_group("texts")
    texts.add_argument("texts", nargs="*", metavar="TEXT", help="texts; - for a text on each line of stdin")
    texts.add_argument(
        "--second", action="append", metavar="TEXT", help="the second text of a pair, once for each TEXT in turn"
    )
    texts.add_argument("--data", metavar="FILE", help="a .csv, .tsv, .jsonl, a dataset's folder or a bundled name")
    texts.add_argument("--split", metavar="NAME", help="split of --data, where it has several")
    texts.add_argument("--layout", metavar="NAME", help="layout of --data, where its name does not tell")
    texts.add_argument("--text-column", metavar="NAME", help="column of the text in --data (default: guessed)")
    texts.add_argument("--second-text-column", metavar="NAME", help="column of the second text of pairs")
    texts.add_argument("--label-column", metavar="NAME", help="column of the label, which answers are compared with")
    texts.add_argument("--limit", type=int, metavar="N", help="take the first N texts of --data (default: all)")
    answers = parser.add_argument_group("answers")
    answers.add_argument("--top", type=int, default=1, metavar="N", help="the N best labels of each text (default: 1)")
    answers.add_argument("--threads", type=int, default=1, metavar="N", help="(default: 1)")
    form = answers.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    form.add_argument("--jsonl", action="store_true", help="a JSON object a line, each as soon as it is known")
    answers.add_argument("--quiet", action="store_true", help="answers alone")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.export.answering import AnsweringModel

    for option in ("top", "threads", "limit"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            raise DataError(f"--{option}: expected 1 or more, got {value}. Do: give a number of at least 1.")
    model = AnsweringModel(arguments.model, arguments.threads)
    asked = _asked(arguments)
    answers = (_answered(model, one, arguments.top) for one in asked)
    if arguments.jsonl:
        kept = []
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
            kept.append(answer)
    else:
        kept = list(answers)
        document = {"model": str(arguments.model), "task": model.description.task, "answers": kept}
        print(json.dumps(document, ensure_ascii=False, indent=1) if arguments.json else _table(kept, arguments.top))
    if not arguments.quiet:
        for remark in _remarks(model, kept):
            note(remark)
    return 0


def _asked(arguments: argparse.Namespace) -> list[Asked]:
    given = list(_lines() if arguments.texts == [STDIN] else arguments.texts)
    if bool(given) == bool(arguments.data):
        raise DataError(
            f"texts: expected some TEXT, - or --data FILE, got {'both' if given else 'none'}. Do: give one of them."
        )
    if arguments.data is not None:
        if arguments.second:
            raise DataError("--second: expected with TEXT alone, got --data. Do: name --second-text-column instead.")
        return _read(arguments)
    seconds: Sequence[str | None] = arguments.second or [None] * len(given)
    if len(seconds) != len(given):
        raise DataError(
            f"--second: expected one for each of {counted(len(given), 'text')}, got {len(seconds)}. "
            "Do: give as many as there are texts."
        )
    return [Asked(*pair) for pair in zip(given, seconds, strict=True)]


def _lines() -> Iterator[str]:
    try:
        yield from (line.rstrip("\r\n") for line in sys.stdin)
    except UnicodeDecodeError as error:
        raise DataError(f"stdin: expected UTF-8 text, got '{error.reason}'. Do: convert it to UTF-8.") from error


def _read(arguments: argparse.Namespace) -> list[Asked]:
    from edgebert.data.reading import read_examples

    dataset = read_examples(
        arguments.data,
        split=arguments.split,
        layout=arguments.layout,
        text_column=arguments.text_column,
        second_text_column=arguments.second_text_column,
        label_column=arguments.label_column,
    )
    for remark in dataset.notes:
        note(remark)
    found = [Asked(example.text, example.second_text, example.label) for example in dataset.examples]
    return found[: arguments.limit]


def _answered(model: "AnsweringModel", asked: Asked, top: int) -> dict[str, Any]:
    encoded = model.encode(asked.text, asked.second_text)
    answer = {"text": asked.text}
    if asked.second_text is not None:
        answer["second_text"] = asked.second_text
    answer |= _meaning(model.description, model.answer(encoded), top)
    answer["tokens"] = len(encoded.input_ids)
    if asked.expected is not None:
        answer["expected"] = asked.expected
    return answer


def _meaning(description: "Description", values: "np.ndarray", top: int) -> dict[str, Any]:
    if description.task == "embedding":
        return {"embedding": [float(value) for value in values]}
    if description.task == "regression":
        return {"score": float(values[0])}
    names = description.labels or [str(number) for number in range(len(values))]
    # Of equal ones the first label, as argmax has it.
    best = sorted(range(len(values)), key=lambda number: -values[number])[:top]
    return {
        "label": names[best[0]],
        "score": float(values[best[0]]),
        "labels": [{"label": names[number], "score": float(values[number])} for number in best],
    }


def _table(answers: Sequence[dict[str, Any]], top: int) -> str:
    has_pairs = any("second_text" in answer for answer in answers)
    is_compared = any("expected" in answer for answer in answers)
    rows = [
        (
            _short(answer["text"]),
            *((_short(answer.get("second_text", "")),) if has_pairs else ()),
            *((answer.get("expected", ""),) if is_compared else ()),
            *cells,
        )
        for answer in answers
        for cells in _cells(answer)
    ]
    names = ("label", "score") if answers and "label" in answers[0] else ("answer",)
    header = ("text", *(("second text",) if has_pairs else ()), *(("expected",) if is_compared else ()), *names)
    return table(header, rows)


def _cells(answer: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row for each label."""
    if "labels" in answer:
        return [(one["label"], f"{one['score']:.4f}") for one in answer["labels"]]
    if "score" in answer:
        return [(f"{answer['score']:.4f}",)]
    shown = " ".join(f"{value:.4f}" for value in answer["embedding"][:SHOWN_NUMBERS])
    return [(f"{shown} ... ({len(answer['embedding'])} numbers)",)]


def _remarks(model: "AnsweringModel", answers: Sequence[dict[str, Any]]) -> Iterator[str]:
    full = sum(answer["tokens"] == model.longest for answer in answers)
    if full:
        yield f"{counted(full, 'text')} filled all {model.longest} tokens: what came after was cut"
    judged = [answer for answer in answers if "label" in answer and "expected" in answer]
    if judged:
        right = sum(answer["label"] == answer["expected"] for answer in judged)
        yield f"as expected: {right:,} of {counted(len(judged), 'answer')} ({right / len(judged):.2%})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 3]}..."
