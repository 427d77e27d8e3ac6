"""Tables whose cells are shaded by their value; the value stands in the cell, so that shade is never all there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.report.html.elements import Markup, element, isolated


@dataclass(frozen=True)
class Cell:
    """`shade` from 0 to 1, `kind` chooses the colour; an empty text is an empty cell."""

    text: str
    shade: float = 0.0
    kind: str = "heat"
    # Columns that it takes.
    span: int = 1


def heat_table(title: str, corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]) -> Markup:
    header = [element("th", corner, scope="col"), *(element("th", name, scope="col") for name in columns)]
    body = [
        element("tr", element("th", isolated(name), scope="row"), [_cell(each) for each in cells])
        for name, cells in rows
    ]
    return element(
        "figure",
        element("figcaption", title),
        element(
            "div",
            element("table", element("thead", element("tr", header)), element("tbody", body), class_="heat"),
            class_="scroll",
            role="region",
            aria_label=title,
            tabindex=0,
        ),
    )


def shaded(cell: Cell) -> dict[str, object]:
    """Attributes of an element in the cell's shade."""
    return {"class_": cell.kind, "style": f"--v:{cell.shade:.3f}"} if cell.shade > 0 else {}


def _cell(cell: Cell) -> Markup:
    return element("td", cell.text, colspan=cell.span if cell.span > 1 else None, **shaded(cell))
