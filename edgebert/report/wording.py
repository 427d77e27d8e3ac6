"""Figures and texts as a reader sees them, alike in every renderer; null is not measured, and never drawn as 0."""

import re
from collections.abc import Mapping, Sequence

NOT_MEASURED = "not measured"
DOUBT = "†"
DOUBT_EXPLAINED = f"{DOUBT} There are reasons to distrust this time; they are listed under Latency."
# Shown of a text or a label; the rest is told by its length.
LONGEST_TEXT, LONGEST_LABEL = 300, 60

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile(r"[\t\n\u2028\u2029]")
# Embeddings and overrides, then isolates, with what ends them.
_ENDS_OF = {**dict.fromkeys("\u202a\u202b\u202d\u202e", "\u202c"), **dict.fromkeys("\u2066\u2067\u2068", "\u2069")}
_REPLACEMENT = "\ufffd"


def shown_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """One line without what no document may hold (controls, halves of characters), cut where it is too long."""
    clean = _SPACES.sub(" ", _CONTROLS.sub(_REPLACEMENT, text))
    if len(clean) <= longest:
        return clean or "(empty)"
    return f"{_closed(clean[:longest])}… ({len(clean):,} characters)"


def shown_label(label: str) -> str:
    return shown_text(label, LONGEST_LABEL)


def shown_pair(text: str, second_text: str | None) -> str:
    return shown_text(text) if second_text is None else f"{shown_text(text)} ⏐ {shown_text(second_text)}"


def percent(share: float | None, digits: int = 2) -> str:
    return NOT_MEASURED if share is None else f"{100 * share:.{digits}f} %"


def count(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number:,}"


def megabytes(size_bytes: int | None) -> str:
    """Powers of 1000, three digits that count."""
    if size_bytes is None:
        return NOT_MEASURED
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.{_digits(size_bytes / 1e3)}f} kB"
    return f"{size_bytes / 1e6:.{_digits(size_bytes / 1e6)}f} MB"


def milliseconds(nanoseconds: float | None) -> str:
    """Three digits that count: 0.123, 1.23, 12.3, 123."""
    if nanoseconds is None:
        return NOT_MEASURED
    value = nanoseconds / 1e6
    return f"{value:.{3 if value < 1 else _digits(value)}f}"


def times(ratio: float | None) -> str:
    return NOT_MEASURED if ratio is None else f"{ratio:.{1 if ratio >= 9.95 else 2}f}×"


def doubtful(figure: str, is_steady: bool) -> str:
    """A time that its own samples speak against is marked."""
    return figure if is_steady or figure == NOT_MEASURED else f"{figure} {DOUBT}"


def signed(change: float, digits: int) -> str:
    """`+0.12`, `−0.12`, and `0.00` for what is nothing at this many digits."""
    told = f"{abs(change):.{digits}f}"
    return told if float(told) == 0 else f"{'+' if change > 0 else '−'}{told}"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{times(low)} to {times(high)}"


def threads(number: int) -> str:
    return f"{number} thread" if number == 1 else f"{number} threads"


def tokens(length: int | None, shortest: int, longest: int) -> str:
    if length is not None:
        return str(length)
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"


def score(value: float | None, metric: str | None) -> str:
    """Accuracies as percent; a correlation is none."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.4f}" if metric == "spearman" else percent(value)


def listing(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def client_words(clients: Mapping[str, str], name: str) -> str:
    return clients.get(name, "not tried")


def _closed(text: str) -> str:
    """With an end to each change of direction that it leaves open: what follows is ours to write."""
    ends: list[str] = []
    for character in text:
        if character in _ENDS_OF:
            ends.append(_ENDS_OF[character])
        elif ends and character == ends[-1]:
            ends.pop()
    return text + "".join(reversed(ends))


def _digits(value: float) -> int:
    return 2 if value < 10 else 1 if value < 100 else 0
