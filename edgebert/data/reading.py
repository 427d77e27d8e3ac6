"""The one entry point: a path, a folder, a bundled name or a `datasets` object → a Dataset."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgebert.data.assembling import assemble
from edgebert.data.columns import choose_columns
from edgebert.data.examples import Dataset, Example, SpanExample, TaggedExample
from edgebert.data.layouts import FORMATS, LAYOUTS, bundled_names, read_bundled
from edgebert.data.spans import fits_squad, read_squad
from edgebert.data.splits import choose_split, refuse_split
from edgebert.data.tables import Table, table_from_dataset
from edgebert.data.tagging import fits_conll, fits_slots, read_conll, read_slots, require_tagged_layout
from edgebert.errors import DataError


def read_examples(
    source: object,
    *,
    split: str | None = None,
    layout: str | None = None,
    text_column: str | None = None,
    second_text_column: str | None = None,
    label_column: str | None = None,
    labels: Sequence[str] | None = None,
    regression: bool | None = None,
    include_out_of_scope: bool = False,
    skip_bad_rows: bool = False,
) -> Dataset[Example]:
    """Read single texts or pairs, with class labels, numbers or none.

    Args:
        source: A CSV, TSV, JSONL or Parquet file (the texts of the first three in UTF-8, `.gz` too); a folder with
            one such file per split, or in the layout of CLINC150, BANKING77 or SNIPS; `"snips"` or `"clinc150"`, the
            datasets that edgebert brings along (a folder of that name is written `./snips`); or an object like
            `datasets.Dataset` or `DatasetDict`.
        split: `train`, `dev`, `test`, ...; dev, val, valid, validate and validation are one name.
        layout: csv, tsv (no quotes, as in GLUE), quoted-tsv, jsonl or parquet whatever the file is called; or
            clinc150, banking77, snips, snips_slots, glue for a folder. Recognised by the names of the files if None.
        text_column: Column of the text. Guessed by its name if None; alone it means single texts.
        second_text_column: Column of the second text of pairs.
        label_column: Column of the label. Without one, and none to guess, the examples are unlabelled.
        labels: Class names in the order of a checkpoint's ids. It wins over the order of the source, which is its
            ClassLabel names, its categories file, or else the sorted names (sorted by value if all are integers).
            An integer label indexes this order, unless the names are integers themselves.
        regression: Whether labels are numbers to predict. If None they are when some are not integers and most are
            numbers.
        include_out_of_scope: Whether CLINC150's out-of-scope texts are examples too, labelled `oos`, the last label.
        skip_bad_rows: Whether rows that cannot be used go to `Dataset.skipped`; the first one is an error otherwise.

    Raises:
        DataError: Names the file, the line and the reason.
    """
    table = _open_table(source, split, layout, include_out_of_scope)
    columns = choose_columns(table.columns, table.source, text_column, second_text_column, label_column)
    if regression and labels is not None:
        raise DataError(f"{table.source}: expected either labels or regression, got both. Do: leave one of them out.")
    return assemble(table, columns, labels, regression, skip_bad_rows)


def read_tagged_examples(
    source: str | os.PathLike,
    *,
    split: str | None = None,
    labels: Sequence[str] | None = None,
    skip_bad_rows: bool = False,
) -> Dataset[TaggedExample]:
    """Read words with tags: a CoNLL file, a folder of them, or one of `seq.in`, `seq.out` and `label`.

    `Dataset.labels` are the tags: `labels` if given, else `O` first and the others by entity type.
    """
    path = _existing(source)
    if fits_slots(path):
        return read_slots(path, split, labels, skip_bad_rows)
    if fits_conll(path):
        return read_conll(path, split, labels, skip_bad_rows)
    raise require_tagged_layout(path)


def read_span_examples(
    source: str | os.PathLike, *, split: str | None = None, skip_bad_rows: bool = False
) -> Dataset[SpanExample]:
    """Read questions with answers in a context: a SQuAD 1.1 or 2.0 JSON file, or a folder of them."""
    path = _existing(source)
    if not fits_squad(path):
        raise DataError(f"{path}: expected SQuAD JSON, got something else. Do: name the .json file or its folder.")
    return read_squad(path, split, skip_bad_rows)


def _open_table(source: object, split: str | None, layout: str | None, include_out_of_scope: bool) -> Table:
    if not isinstance(source, str | os.PathLike):
        if isinstance(source, Mapping):
            source = choose_split(source, split, type(source).__name__)
        else:
            refuse_split(split, type(source).__name__)
        return table_from_dataset(source)
    if source in bundled_names() and layout is None:
        return read_bundled(source, split, include_out_of_scope)
    path = _existing(source)
    if layout in FORMATS and path.is_file():
        refuse_split(split, str(path))
        return FORMATS[layout](path)
    found = [known for known in LAYOUTS if layout in (None, known.name) and known.fits(path)]
    if not found:
        raise _no_layout(path, layout)
    return found[0].read(path, split, include_out_of_scope)


def _existing(source: str | os.PathLike) -> Path:
    path = Path(source)
    if not path.exists():
        raise DataError(
            f"{path}: expected a file or folder, got nothing there. "
            f"Do: check the path, or use a bundled dataset ({', '.join(bundled_names())})."
        )
    return path


def _no_layout(path: Path, layout: str | None) -> DataError:
    known = (*FORMATS, *(known.name for known in LAYOUTS))
    if layout is not None:
        return DataError(
            f"{path}: expected the layout {layout}, got another. Do: choose --layout among {', '.join(known)}."
        )
    if fits_conll(path) or fits_squad(path):
        return DataError(
            f"{path}: expected texts with labels, got {'tagged words' if fits_conll(path) else 'a JSON document'}. "
            "Do: convert it to JSONL with a text and a label per line; if it is that already, use --layout jsonl."
        )
    return DataError(
        f"{path}: expected a known format, got none. Do: name it with --layout, one of {', '.join(known)}."
    )
