"""Tables of HTML that stay tables for those who hear them, and become cards where a table has no room."""

from collections.abc import Sequence

from edgebert.report.html.elements import Child, Markup, element, isolated, joined
from edgebert.report.tables import Table
from edgebert.report.wording import DOUBT, NOT_MEASURED

# A card's rows are written beside their columns' names; the roles keep what `display` takes from a table's meaning.
# On a phone a table becomes cards, or scrolls beside its first column.
CARDS, PLAIN = "cards", "plain"
_ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row"}


def html_table(table: Table, badges: Sequence[Markup] = (), kind: str = CARDS) -> Markup:
    """`badges[i]` stands before the name of the report's row i."""
    names = [column.name for column in table.columns]
    kinds = ["n" if column.is_number else None for column in table.columns]
    body = []
    for position, row in enumerate(table.rows):
        badge = badges[table.subjects[position]] if table.subjects and badges else None
        cells = [
            cell(_cell(text), name, class_) for text, name, class_ in zip(row[1:], names[1:], kinds[1:], strict=True)
        ]
        body.append([_row_name(row[0], badge), *cells])
    return table_of(table.title, list(zip(names, kinds, strict=True)), body, kind)


def table_of(
    title: str, columns: Sequence[tuple[str, str | None]], rows: Sequence[Sequence[Markup]], kind: str = CARDS
) -> Markup:
    """`columns` are names with their class, `rows` the cells as elements."""
    header = [element("th", name, scope="col", role="columnheader", class_=class_) for name, class_ in columns]
    return element(
        "div",
        _part(
            "table",
            _part("thead", _part("tr", header)),
            _part("tbody", [_part("tr", cells) for cells in rows]),
            class_=kind,
        ),
        class_="scroll",
        role="region",
        aria_label=title,
        tabindex=0,
    )


def cell(content: Child | Sequence[Child], label: str, class_: str | None = None) -> Markup:
    return element("td", element("span", content), role="cell", class_=class_, data_label=label)


def row_name(content: Child | Sequence[Child]) -> Markup:
    return element("th", content, scope="row", role="rowheader")


def _row_name(name: str, badge: Markup | None) -> Markup:
    return row_name([badge, " " if badge else None, isolated(name)])


def _cell(text: str) -> Markup:
    if text == NOT_MEASURED:
        return element("span", text, class_="missing")
    figure, doubt, _ = text.partition(f" {DOUBT}")
    return joined(figure, element("span", f" {DOUBT}", class_="doubt") if doubt else None)


def _part(name: str, *children: Child | Sequence[Child], **attributes: object) -> Markup:
    return element(name, *children, role=_ROLES[name], **attributes)
