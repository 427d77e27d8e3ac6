"""The report as JSON, written and read; reading is as strict as that of a measurement."""

import json
import os
from pathlib import Path

from edgebert.errors import DataError
from edgebert.measurement_file import from_plain, to_plain
from edgebert.report.model import SCHEMA, SCHEMA_VERSION, Report


def to_json(report: Report) -> bytes:
    return (json.dumps(to_plain(report), allow_nan=False, indent=1) + "\n").encode()


def read_report(path: str | os.PathLike) -> Report:
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"{path}: expected a JSON report, got '{error.strerror}'. Do: check the path.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected the JSON of a report, got '{error}'. Do: make the report anew.") from error
    found = (document.get("schema"), document.get("schema_version")) if isinstance(document, dict) else None
    if found != (SCHEMA, SCHEMA_VERSION):
        raise DataError(
            f"{path}: expected a report ({SCHEMA} {SCHEMA_VERSION}), got another document. "
            "Do: make the report anew with this edgebert."
        )
    try:
        return from_plain(Report, document)
    except ValueError as error:
        raise DataError(f"{path}: {error}. Do: make the report anew.") from error
