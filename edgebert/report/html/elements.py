"""Elements of HTML and SVG as text; whatever is not Markup is escaped on its way in, so nothing can be forgotten."""

import html
import re
from collections.abc import Iterable

from edgebert.report.wording import shown_text

# Elements that have no end tag in HTML.
_VOID = frozenset(("meta", "br", "wbr"))
_LONGEST = 12_000
# Between letters only: an entity or a sign of its own is not cut.
_JOINT = re.compile(r"(?<=\w)([_/-])(?=\w)")


class Markup(str):
    """Text that is mark-up already."""

    __slots__ = ()


Child = str | Markup | None


def element(name: str, /, *children: Child | Iterable[Child], **attributes: object) -> Markup:
    """`class_` is class, `data_x` data-x; an attribute that is None or False is left out, True stands alone."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Child | Iterable[Child]) -> Markup:
    return Markup("".join(_written(child) for child in children))


def isolated(text: str, **attributes: object) -> Markup:
    """A text of the data or a name: its writing direction stays its own, and long names break at their joints."""
    return element("bdi", Markup(_JOINT.sub(r"\1<wbr>", _written(text))), **attributes)


def _written(child: Child | Iterable[Child]) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return str(child)
    if isinstance(child, str):
        return html.escape(shown_text(child, _LONGEST)) if child else ""
    return str(joined(*child))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(shown_text(str(value), _LONGEST))}"'
