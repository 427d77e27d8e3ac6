"""CoNLL files and the slot-filling layout → sentences whose words carry a tag each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.data.assembling import refuse_bad_rows
from edgebert.data.decoding import byte_problem, read_lines, without_line_end
from edgebert.data.examples import Dataset, SkippedRow, TaggedExample
from edgebert.data.labels import LabelOrder, RawLabel, check_label_order
from edgebert.data.layouts import read_aligned, require_equal_length, slots_folder
from edgebert.data.splits import choose_split, refuse_split, split_of_file_name
from edgebert.data.tables import RowError
from edgebert.errors import DataError

OUTSIDE_TAG = "O"

_DOCUMENT_SEPARATOR = "-DOCSTART-"
_CONLL_SUFFIXES = (".conll", ".conll.txt", ".annotated", ".bio", ".iob", ".iob2")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Words and tags of one sentence with the line of each, or the problem with it at `line`."""

    file: str
    line: int
    raw: str
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    label: str | None = None
    problem: str | None = None
    word_lines: Sequence[int] = ()


def fits_conll(path: Path) -> bool:
    return _is_conll(path) if path.is_file() else path.is_dir() and any(map(_is_conll, path.iterdir()))


def fits_slots(path: Path) -> bool:
    return (path / "seq.in").is_file() or any(path.glob("*/seq.in"))


def read_conll(
    path: Path, split: str | None, labels: Sequence[str] | None, skip_bad_rows: bool
) -> Dataset[TaggedExample]:
    """One word per line, its tag in the last column, columns divided by tabs or blanks; a blank line ends a sentence.

    So does a line of nothing but a tab, which stands for most of the blank lines of WNUT-17's training file, and a
    `-DOCSTART-` line, which is counted in `notes`.
    """
    if path.is_dir():
        files = {split_of_file_name(file.name) or file.name: file for file in sorted(path.iterdir()) if _is_conll(file)}
        path = choose_split(files, split, str(path))
    else:
        refuse_split(split, str(path))
    lines = [without_line_end(line) for line in read_lines(path).lines]
    separator_count = sum(line.startswith(_DOCUMENT_SEPARATOR) for line in lines)
    notes = (f"{path}: {separator_count} document separators were left out",) if separator_count else ()
    return _assemble(str(path), list(_conll_sentences(str(path), lines)), labels, skip_bad_rows, notes)


def read_slots(
    path: Path, split: str | None, labels: Sequence[str] | None, skip_bad_rows: bool
) -> Dataset[TaggedExample]:
    """`seq.in` (words), `seq.out` (tags) and `label` (intent), one sentence per line, divided by blanks."""
    folder = slots_folder(path, split)
    columns = [read_aligned(folder, name) for name in ("seq.in", "seq.out", "label")]
    require_equal_length(folder, *columns)
    file = str(folder / "seq.in")
    rows = enumerate(zip(*columns, strict=True), start=1)
    sentences = [_slots_sentence(file, line, words, tags, label) for line, (words, tags, label) in rows]
    return _assemble(str(folder), sentences, labels, skip_bad_rows, ())


def tag_order(tags: set[str]) -> tuple[str, ...]:
    """`O` first, then by entity type, and B before I within one."""

    def key(tag: str) -> tuple[bool, str, str]:
        prefix, _, entity = tag.partition("-")
        return tag != OUTSIDE_TAG, entity, prefix

    return tuple(sorted(tags, key=key))


def _is_conll(file: Path) -> bool:
    return file.is_file() and file.name.lower().endswith(_CONLL_SUFFIXES)


def _conll_sentences(file: str, lines: Sequence[str]) -> Iterator[_Sentence]:
    start = 0
    for end in range(len(lines) + 1):
        if end < len(lines) and lines[end].strip(" \t") and not lines[end].startswith(_DOCUMENT_SEPARATOR):
            continue
        if end > start:
            yield _conll_sentence(file, start + 1, lines[start:end])
        start = end + 1


def _conll_sentence(file: str, first_line: int, lines: Sequence[str]) -> _Sentence:
    raw = "\n".join(lines)
    words, tags = [], []
    for line, text in enumerate(lines, start=first_line):
        # Only tabs and blanks divide columns: words may hold other white space (WNUT-17 has a zero-width one).
        fields = text.split("\t") if "\t" in text else text.split(" ")
        problem = byte_problem(text)
        if not problem and (len(fields) < 2 or not fields[0].strip() or not fields[-1].strip()):
            problem = f"expected a word and its tag, got {text[:80]!r}"
        if problem:
            return _Sentence(file, line, raw, problem=problem)
        words.append(fields[0])
        tags.append(fields[-1].strip())
    lines_of_words = range(first_line, first_line + len(words))
    return _Sentence(file, first_line, raw, tuple(words), tuple(tags), word_lines=lines_of_words)


def _slots_sentence(file: str, line: int, words_text: str, tags_text: str, label: str) -> _Sentence:
    raw = f"{words_text}\n{tags_text}\n{label}"
    words, tags = tuple(words_text.split()), tuple(tags_text.split())
    problem = byte_problem(raw)
    if not problem and not words:
        problem = "expected words, got an empty line"
    if not problem and len(words) != len(tags):
        problem = f"expected a tag for each of {len(words)} words, got {len(tags)} tags"
    if not problem and not label.strip():
        problem = "expected a label, got an empty line"
    return _Sentence(file, line, raw, words, tags, label.strip(), problem, (line,) * len(words))


def _assemble(
    source: str,
    sentences: Sequence[_Sentence],
    labels: Sequence[str] | None,
    skip_bad_rows: bool,
    notes: tuple[str, ...],
) -> Dataset[TaggedExample]:
    if labels is None:
        names = tag_order({tag for sentence in sentences if not sentence.problem for tag in sentence.tags})
    else:
        names = check_label_order(labels)
    order = LabelOrder(names)
    examples: list[TaggedExample] = []
    skipped: list[SkippedRow] = []
    for sentence in sentences:
        result = _tagged_example(sentence, order)
        (examples if isinstance(result, TaggedExample) else skipped).append(result)
    refuse_bad_rows(skipped, len(examples), source, skip_bad_rows)
    return Dataset(tuple(examples), names, source, tuple(skipped), notes)


def _tagged_example(sentence: _Sentence, order: LabelOrder) -> TaggedExample | SkippedRow:
    if sentence.problem:
        return SkippedRow(sentence.file, sentence.line, sentence.problem, sentence.raw)
    tags: list[str] = []
    for tag, line in zip(sentence.tags, sentence.word_lines, strict=True):
        try:
            tags.append(order.find(RawLabel(tag)))
        except RowError as problem:
            return SkippedRow(sentence.file, line, str(problem), sentence.raw)
    return TaggedExample(sentence.words, tuple(tags), sentence.label)


def require_tagged_layout(path: Path) -> DataError:
    """The error for a path that holds no tagged words."""
    return DataError(
        f"{path}: expected tagged words (a file ending in {', '.join(_CONLL_SUFFIXES)}, or seq.in, seq.out and label), "
        "got none. Do: name such a file or its folder."
    )
