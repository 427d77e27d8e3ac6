"""Whose the bundled datasets are, and under which licence: as the file says that stands beside them."""

import re
from dataclasses import dataclass

from edgebert.data.layouts import bundled_folder

ATTRIBUTION_FILE = "ATTRIBUTION.txt"
# A name at the line's begin, its value, and the lines that continue it.
_FIELD = re.compile(r"^(\w+): +(.+(?:\n +.+)*)$", re.MULTILINE)
_LICENCE_BESIDE = " (LICENSE in this folder)"


@dataclass(frozen=True)
class Attribution:
    """`authors` null where the licence asks for none to be named."""

    licence: str
    source: str
    paper: str
    authors: str | None


def read_attribution(name: str) -> Attribution:
    """Of a bundled dataset."""
    text = (bundled_folder() / name / ATTRIBUTION_FILE).read_text(encoding="utf-8")
    fields = {field: re.sub(r"\n +", " ", value) for field, value in _FIELD.findall(text)}
    licence = fields["Licence"].replace(_LICENCE_BESIDE, "")
    return Attribution(licence, fields["Source"], fields["Paper"], fields.get("Authors"))
