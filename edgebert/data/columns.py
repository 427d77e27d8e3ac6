"""Which column holds the text, the second text and the label: named by the user, or guessed where only one fits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgebert.errors import DataError

# Names that published datasets use (GLUE, SuperGLUE, XNLI, PAWS, BANKING77, CLINC150, SNIPS, ATIS, IMDb, Yelp, ...).
PAIR_NAMES = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("text", "text_pair"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("#1 string", "#2 string"),
)
TEXT_NAMES = (
    *("sentence", "text", "utterance", "query", "question", "content", "review", "comment", "message", "tweet"),
    *("document", "phrase", "input", "prompt", "headline"),
)
LABEL_NAMES = (
    *(
        "label",
        "labels",
        "intent",
        "category",
        "class",
        "score",
        "target",
        "sentiment",
        "topic",
        "similarity",
        "rating",
    ),
    *("stars", "gold_label", "is_duplicate", "quality"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The chosen columns; no `second_text` for single texts, no `label` for unlabelled data."""

    text: str
    second_text: str | None
    label: str | None


def choose_columns(
    columns: Sequence[str],
    source: str,
    text_column: str | None = None,
    second_text_column: str | None = None,
    label_column: str | None = None,
) -> Columns:
    """A column that is named wins; the others are guessed by name, case ignored, among those left.

    With `text_column` alone the texts are single, not pairs. Where one column is left beside the label, or there is
    only one, it is the text. Two candidates or none are an error that names the flag; only a label may be absent.
    """
    for flag, name in (
        ("--text-column", text_column),
        ("--second-text-column", second_text_column),
        ("--label-column", label_column),
    ):
        _require_known(name, flag, columns, source)
    named = [name for name in (text_column, second_text_column, label_column) if name is not None]
    if len(set(named)) != len(named):
        raise DataError(
            f"{source}: expected a different column for each flag, got {' and '.join(map(repr, named))}. "
            f"Do: choose among {_listed(columns)}."
        )
    label = label_column or _guess_label([name for name in columns if name not in named], source)
    free = [name for name in columns if name not in named and name != label]
    if text_column is None and second_text_column is None:
        text, second_text = _guess_texts(free, columns, source)
    elif text_column is None:
        text, second_text = _guess_text(free, columns, source), second_text_column
    else:
        text, second_text = text_column, second_text_column
    return Columns(text, second_text, label)


def _guess_label(free: Sequence[str], source: str) -> str | None:
    candidates = _named_as(LABEL_NAMES, free)
    if len(candidates) > 1:
        raise _ambiguous(source, "one label column", candidates, "--label-column")
    return candidates[0] if candidates else None


def _guess_texts(free: Sequence[str], columns: Sequence[str], source: str) -> tuple[str, str | None]:
    pairs = [
        (first, second)
        for first_name, second_name in PAIR_NAMES
        for first in _named_as([first_name], free)
        for second in _named_as([second_name], free)
    ]
    if len(pairs) > 1:
        candidates = list(dict.fromkeys(name for pair in pairs for name in pair))
        raise _ambiguous(source, "one pair of text columns", candidates, "--text-column and --second-text-column")
    return pairs[0] if pairs else (_guess_text(free, columns, source), None)


def _guess_text(free: Sequence[str], columns: Sequence[str], source: str) -> str:
    candidates = _named_as(TEXT_NAMES, free) or (list(free) if len(free) == 1 else [])
    if len(candidates) > 1:
        raise _ambiguous(source, "one text column", candidates, "--text-column")
    if not candidates:
        raise DataError(
            f"{source}: expected a text column with a name like {', '.join(TEXT_NAMES[:4])}, got {_listed(columns)}. "
            "Do: name it with --text-column; a file without a header row needs one."
        )
    return candidates[0]


def _named_as(names: Iterable[str], free: Sequence[str]) -> list[str]:
    wanted = set(names)
    return [column for column in free if column.strip().casefold() in wanted]


def _require_known(name: str | None, flag: str, columns: Sequence[str], source: str) -> None:
    if name is not None and name not in columns:
        raise DataError(
            f"{source}: expected {flag} to name a column, got {name!r}. Do: choose among {_listed(columns)}."
        )


def _ambiguous(source: str, expected: str, candidates: Sequence[str], flag: str) -> DataError:
    return DataError(f"{source}: expected {expected}, got {_listed(candidates)}. Do: choose with {flag}.")


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns)
