"""Published layouts of text classification and text pair datasets → a Table, recognised by the files in a folder."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgebert.data import tables
from edgebert.data.decoding import byte_problem, decode_document, read_bytes, read_lines, without_line_end
from edgebert.data.splits import choose_split, refuse_split
from edgebert.data.tables import Row, Table
from edgebert.errors import DataError

OUT_OF_SCOPE_LABEL = "oos"

FORMATS: Mapping[str, Callable[[Path], Table]] = {
    "csv": tables.read_csv,
    "tsv": tables.read_tsv,
    "quoted-tsv": tables.read_quoted_tsv,
    "jsonl": tables.read_jsonl,
    "parquet": tables.read_parquet,
}
_FORMAT_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Layout:
    """`read(path, split, include_out_of_scope)`; `fits` looks at names only and opens nothing."""

    name: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, str | None, bool], Table]


def format_of(path: Path) -> str | None:
    """The format that a file's name speaks of, `.gz` aside."""
    return _FORMAT_BY_SUFFIX.get(Path(path.name.removesuffix(".gz")).suffix.lower())


def load_document(path: Path) -> tuple[object, tuple[str, ...]]:
    """A JSON document and the notes on its encoding."""
    text, note = decode_document(path, read_bytes(path))
    try:
        return json.loads(text), (note,) if note else ()
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: expected a JSON document, got '{error}'. Do: check that the file is whole."
        ) from error


def bundled_names() -> tuple[str, ...]:
    """Datasets that are installed with edgebert."""
    return tuple(sorted(entry.name for entry in bundled_folder().iterdir() if entry.is_dir()))


def read_bundled(name: str, split: str | None, include_out_of_scope: bool) -> Table:
    """A bundled dataset. SNIPS has train and validate, CLINC150 train, val and test."""
    folder = bundled_folder() / name
    has_out_of_scope = any(file.name.startswith("oos_") for file in folder.iterdir())
    _refuse_out_of_scope(include_out_of_scope and not has_out_of_scope, name)
    splits = {file.name.split(".")[0]: file for file in folder.glob("*.jsonl.gz")}
    in_scope = {split_name: file for split_name, file in splits.items() if not split_name.startswith("oos_")}
    files = [choose_split(in_scope, split, name)]
    if include_out_of_scope:
        files.append(splits["oos_" + files[0].name.split(".")[0]])
    parts = [tables.read_jsonl(file) for file in files]
    rows = [
        Row(f"{name} ({Path(row.file).name})", row.line, row.values, row.raw, row.problem)
        for part in parts
        for row in part.rows
    ]
    order = _intents_with_out_of_scope_last({row.values["intent"] for row in rows})
    return Table(name, ("text", "intent"), rows, class_names={"intent": order})


def bundled_folder() -> Path:
    return Path(str(resources.files("edgebert.data"))) / "bundled"


def _read_folder_of_files(path: Path, split: str | None, include_out_of_scope: bool) -> Table:
    """`train.tsv`, `dev.tsv`, ... in one of the formats (GLUE), or one such file."""
    _refuse_out_of_scope(include_out_of_scope, str(path))
    if path.is_file():
        refuse_split(split, str(path))
        return FORMATS[format_of(path)](path)
    file = choose_split(_split_files(path), split, str(path))
    return FORMATS[format_of(file)](file)


def _split_files(folder: Path) -> dict[str, Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and format_of(file))
    splits = {file.name.split(".")[0]: file for file in files}
    if len(splits) != len(files):
        raise DataError(
            f"{folder}: expected one file per split, got {', '.join(file.name for file in files)}. "
            "Do: name the file instead of the folder."
        )
    return splits


def _read_banking77(path: Path, split: str | None, include_out_of_scope: bool) -> Table:
    """CSV, and `categories.json` with the label order."""
    table = _read_folder_of_files(path, split, include_out_of_scope)
    categories, notes = load_document(path / "categories.json")
    if not isinstance(categories, list):
        raise DataError(f"{path / 'categories.json'}: expected a list of names, got another document. Do: check it.")
    return Table(
        table.source,
        table.columns,
        table.rows,
        is_typed=False,
        class_names={"category": tuple(categories)},
        notes=(*table.notes, *notes),
    )


def _clinc150_file(path: Path) -> Path:
    return path / "data_full.json" if path.is_dir() else path


def _read_clinc150(path: Path, split: str | None, include_out_of_scope: bool) -> Table:
    """`{"train": [[text, intent], ...], "val": ..., "test": ..., "oos_train": ..., ...}`.

    The order is that of the sorted intents, `oos` after them: the ids of the 150 are the same with it and without.
    """
    file = _clinc150_file(path)
    document, notes = load_document(file)
    lists = document if isinstance(document, dict) else {}
    in_scope = {name: name for name, items in lists.items() if isinstance(items, list) and not name.startswith("oos_")}
    chosen = choose_split(in_scope, split, str(file))
    names = [chosen, f"oos_{chosen}"] if include_out_of_scope else [chosen]
    _refuse_out_of_scope(include_out_of_scope and names[-1] not in lists, f"{file}, split {chosen}")
    rows = [row for name in names for row in _text_label_rows(str(file), name, lists[name])]
    intents = {
        row.values["label"] for name in in_scope for row in _text_label_rows("", name, lists[name]) if row.values
    }
    if include_out_of_scope:
        intents.add(OUT_OF_SCOPE_LABEL)
    order = _intents_with_out_of_scope_last(intents)
    return Table(str(file), ("text", "label"), rows, class_names={"label": order}, notes=notes)


def _text_label_rows(file: str, split: str, items: Sequence[object]) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        good = isinstance(item, list) and len(item) == 2 and isinstance(item[1], str)
        values = {"text": item[0], "label": item[1]} if good else {}
        problem = None if good else "expected [text, label]"
        problem = problem and f"{problem}, got {json.dumps(item)[:80]}"
        yield Row(file, number, values, json.dumps(item, ensure_ascii=False), problem, unit=f"item of {split}")


def _intents_with_out_of_scope_last(intents: set[str]) -> tuple[str, ...]:
    return tuple(sorted(intents, key=lambda name: (name == OUT_OF_SCOPE_LABEL, name)))


def _read_snips(path: Path, split: str | None, include_out_of_scope: bool) -> Table:
    """One file per intent: `{intent: [{"data": [{"text": ..., "entity": ...}, ...]}, ...]}`; the chunks are joined."""
    _refuse_out_of_scope(include_out_of_scope, str(path))
    splits = {"train": sorted(path.glob("train_*_full.json")), "validate": sorted(path.glob("validate_*.json"))}
    files = choose_split({name: found for name, found in splits.items() if found}, split, str(path))
    rows: list[Row] = []
    notes: list[str] = []
    for file in files:
        document, encoding_notes = load_document(file)
        notes.extend(encoding_notes)
        intent = file.stem.removeprefix("train_").removeprefix("validate_").removesuffix("_full")
        items = document.get(intent) if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise DataError(f"{file}: expected a list under {intent!r}, got none. Do: check that the file is whole.")
        rows.extend(_snips_row(str(file), number, item, intent) for number, item in enumerate(items, start=1))
    return Table(str(path), ("text", "intent"), rows, notes=tuple(notes))


def _snips_row(file: str, number: int, item: object, intent: str) -> Row:
    raw = json.dumps(item, ensure_ascii=False)
    try:
        values = {"text": "".join(chunk["text"] for chunk in item["data"]), "intent": intent}
    except (TypeError, KeyError):
        return Row(file, number, {}, raw, "expected a list of chunks with texts, got something else", unit="item")
    return Row(file, number, values, raw, unit="item")


def _read_snips_slots(path: Path, split: str | None, include_out_of_scope: bool) -> Table:
    """The intents of the slot-filling layout; its slots are read by `edgebert.data.tagging`."""
    _refuse_out_of_scope(include_out_of_scope, str(path))
    folder = slots_folder(path, split)
    texts, labels = (read_aligned(folder, name) for name in ("seq.in", "label"))
    require_equal_length(folder, texts, labels)
    rows = [
        Row(
            str(folder / "seq.in"),
            number,
            {"text": text, "intent": label},
            text,
            byte_problem(text) or byte_problem(label),
        )
        for number, (text, label) in enumerate(zip(texts, labels, strict=True), start=1)
    ]
    return Table(str(folder), ("text", "intent"), rows, is_typed=False)


def slots_folder(path: Path, split: str | None) -> Path:
    """The folder of a split, which holds `seq.in`, `seq.out` and `label`."""
    if (path / "seq.in").is_file():
        refuse_split(split, str(path))
        return path
    return choose_split({file.parent.name: file.parent for file in path.glob("*/seq.in")}, split, str(path))


def read_aligned(folder: Path, name: str) -> list[str]:
    """One of the files whose line n belongs to line n of the others."""
    return [without_line_end(line) for line in read_lines(folder / name).lines]


def require_equal_length(folder: Path, *columns: Sequence[str]) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise DataError(
            f"{folder}: expected files with one line per sentence each, got {lengths} lines. "
            "Do: check that all are whole."
        )


def _refuse_out_of_scope(include_out_of_scope: bool, source: str) -> None:
    if include_out_of_scope:
        raise DataError(
            f"{source}: expected a dataset with out-of-scope examples (clinc150), got another. "
            "Do: leave include_out_of_scope out."
        )


LAYOUTS = (
    Layout(
        "clinc150",
        lambda path: _clinc150_file(path).is_file() and _clinc150_file(path).match("data_*.json"),
        _read_clinc150,
    ),
    Layout("banking77", lambda path: (path / "categories.json").is_file(), _read_banking77),
    Layout("snips", lambda path: any(path.glob("train_*_full.json")) or any(path.glob("validate_*.json")), _read_snips),
    Layout(
        "snips_slots",
        lambda path: (path / "seq.in").is_file() or any(path.glob("*/seq.in")),
        _read_snips_slots,
    ),
    Layout(
        "glue",
        lambda path: format_of(path) is not None if path.is_file() else path.is_dir() and bool(_split_files(path)),
        _read_folder_of_files,
    ),
)
