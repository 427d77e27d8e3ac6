"""SQuAD JSON → questions about contexts, with every answer's offset checked against the context."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebert.data.assembling import refuse_bad_rows
from edgebert.data.decoding import character_problem
from edgebert.data.examples import Answer, Dataset, SkippedRow, SpanExample
from edgebert.data.layouts import load_document
from edgebert.data.splits import choose_split, refuse_split
from edgebert.data.tables import RowError, describe_type
from edgebert.errors import DataError

# train-v1.1.json, dev-v2.0.json, new_wiki_v1.0.json, ...
_FILE_NAME = re.compile(r"(?P<split>.+)[-_]v[0-9.]+\.json")


@dataclass(frozen=True, slots=True)
class _Question:
    """A question with its context as they stand in the document; `number` counts the file's questions from 1."""

    number: int
    context: object
    values: object


def fits_squad(path: Path) -> bool:
    return bool(_files(path)) if path.is_dir() else path.suffix == ".json"


def read_squad(path: Path, split: str | None, skip_bad_rows: bool) -> Dataset[SpanExample]:
    """Read SQuAD 1.1 or 2.0; in a folder the part of the name before the version is the split."""
    if path.is_dir():
        path = choose_split(_files(path), split, str(path))
    else:
        refuse_split(split, str(path))
    document, notes = load_document(path)
    examples: list[SpanExample] = []
    skipped: list[SkippedRow] = []
    for question in _questions(document, path):
        try:
            examples.append(_span_example(question))
        except RowError as problem:
            raw = json.dumps({"context": question.context, **_as_mapping(question.values)}, ensure_ascii=False)
            skipped.append(SkippedRow(str(path), question.number, str(problem), raw, unit="question"))
    refuse_bad_rows(skipped, len(examples), str(path), skip_bad_rows)
    return Dataset(tuple(examples), None, str(path), tuple(skipped), notes)


def _files(folder: Path) -> dict[str, Path]:
    matches = {file: _FILE_NAME.fullmatch(file.name) for file in sorted(folder.iterdir())}
    return {match["split"]: file for file, match in matches.items() if match}


def _questions(document: object, path: Path) -> Iterator[_Question]:
    number = 0
    for article in _list_under(document, "data", path):
        for paragraph in _list_under(article, "paragraphs", path):
            for question in _list_under(paragraph, "qas", path):
                number += 1
                yield _Question(number, paragraph.get("context"), question)


def _list_under(value: object, key: str, path: Path) -> list:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{path}: expected SQuAD's data → paragraphs → qas, got {describe_type(found)} under {key!r}. "
            "Do: check that the file is SQuAD JSON."
        )
    return found


def _span_example(question: _Question) -> SpanExample:
    values = _as_mapping(question.values)
    context = _text(question.context, "context")
    text = _text(values.get("question"), "question")
    answers = values.get("answers")
    if not isinstance(answers, list):
        raise RowError(f"expected a list of answers, got {describe_type(answers)}")
    if not answers and values.get("is_impossible") is not True:
        raise RowError("expected an answer, or is_impossible, got none")
    identifier = values.get("id")
    return SpanExample(
        text,
        context,
        tuple(_answer(_as_mapping(answer), context) for answer in answers),
        None if identifier is None else str(identifier),
    )


def _answer(answer: Mapping[str, object], context: str) -> Answer:
    text, start = _text(answer.get("text"), "answer"), answer.get("answer_start")
    if not isinstance(start, int) or isinstance(start, bool):
        raise RowError(f"expected answer_start to be a whole number, got {describe_type(start)}")
    found = context[start : start + len(text)] if start >= 0 else ""
    if found != text:
        raise RowError(f"expected the answer {text[:80]!r} at character {start}, got {found[:80]!r}")
    return Answer(text, start)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        got = "an empty one" if isinstance(value, str) else describe_type(value)
        raise RowError(f"expected a text as {name}, got {got}")
    problem = character_problem(value)
    if problem:
        raise RowError(f"{name}: {problem}")
    return value


def _as_mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
