"""How a file is told apart everywhere on the page: its number, and the colour of its weights."""

from dataclasses import dataclass

from edgebert.report.html.elements import Markup, element, isolated, joined
from edgebert.report.html.svg import colour
from edgebert.report.model import Report


@dataclass(frozen=True)
class Marks:
    report: Report

    def mark(self, row: int) -> str:
        return str(row + 1)

    def series(self, row: int) -> int:
        """Files of the same weights share a colour."""
        families = list(dict.fromkeys((one.run, one.model) for one in self.report.rows))
        chosen = self.report.rows[row]
        return families.index((chosen.run, chosen.model))

    def badge(self, row: int) -> Markup:
        return element("span", self.mark(row), class_=f"badge {colour(self.series(row))}")

    @property
    def badges(self) -> tuple[Markup, ...]:
        return tuple(self.badge(row) for row in range(len(self.report.rows)))

    def named(self, row: int) -> Markup:
        return joined(self.badge(row), " ", isolated(self.report.rows[row].name))

    @property
    def legend(self) -> Markup:
        """For charts, whose marks are numbers."""
        return element("ul", [element("li", self.named(row)) for row in range(len(self.report.rows))], class_="legend")
