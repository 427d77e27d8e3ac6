"""The report as JSON, written and read."""

import json
import os

from edgebert.documents import Kind, to_plain
from edgebert.errors import DataError
from edgebert.report.model import SCHEMA, SCHEMA_VERSION, Report

_KIND = Kind(Report, SCHEMA, SCHEMA_VERSION, "a report", "make the report anew.", DataError)


def to_json(report: Report) -> bytes:
    return (json.dumps(to_plain(report), allow_nan=False, indent=1) + "\n").encode()


def read_report(path: str | os.PathLike) -> Report:
    return _KIND.read(path)
