"""The measurement record as JSON."""

import json
import os
from collections.abc import Mapping

from edgebert.documents import Kind, to_plain
from edgebert.errors import MeasurementError
from edgebert.measurement import SCHEMA, SCHEMA_VERSION, Record

# What a writer computed from the samples for people who read the file by eye; a reader computes it again.
DERIVED_KEY = "derived"

_SCALARS = (str, int, float, bool, type(None))
_KIND = Kind(
    Record,
    SCHEMA,
    SCHEMA_VERSION,
    noun="a measurement",
    remedy="give a file as `edgebert benchmark --json` wrote it.",
    error=MeasurementError,
    ignored=(DERIVED_KEY,),
)


def to_json(record: Record, derived: Mapping[str, object] | None = None) -> bytes:
    """The record as JSON with each column on a line of its own; `derived` is for eyes, readers drop it."""
    document = to_plain(record)
    if derived is not None:
        document[DERIVED_KEY] = dict(derived)
    return (_render(document, "") + "\n").encode()


def from_json(content: bytes, source: str) -> Record:
    """The record in `content`; `source` names it in errors."""
    return _KIND.parse(content, source)


def read_record(path: str | os.PathLike) -> Record:
    return _KIND.read(path)


def _render(value: object, indent: str) -> str:
    """JSON, indented, except that a list of plain values stays on one line: a column is thousands of numbers."""
    if isinstance(value, Mapping) and value:
        inner = indent + " "
        items = (f"{inner}{json.dumps(key)}: {_render(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and not all(isinstance(item, _SCALARS) for item in value):
        inner = indent + " "
        return "[\n" + ",\n".join(inner + _render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
