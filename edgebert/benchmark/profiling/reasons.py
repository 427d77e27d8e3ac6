"""Why XNNPACK does not run what LiteRT runs itself, in the delegation linter's words: beside each node, and by kind."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.benchmark.profiling.report import LITERT, CaseReport, NodeRow, Row

# By kind, reasons are given for what costs something.
_WORTH_A_REASON = 0.001
_NUMBERED = 3


def node_reasons(report: CaseReport, limit: int) -> list[str]:
    """For each row of `node_rows` its own reason; empty where XNNPACK runs it, or nothing is known."""
    return [_words([entry]) if _has_reason(entry) else "" for entry in report.nodes[:limit]]


def kind_reasons(report: CaseReport, kind: Row) -> list[str]:
    """The reasons of one kind's nodes."""
    groups = _groups(report) if kind.kernel == LITERT else []
    return [_words(group.entries) for group in groups if group.name == kind.name and group.share >= _WORTH_A_REASON]


def reason_lines(report: CaseReport) -> list[str]:
    """All reasons, the most expensive first; those of cheap nodes are left to `edgebert inspect`."""
    lines, cheap = [], []
    for group in _groups(report):
        if group.share < _WORTH_A_REASON:
            cheap += group.entries
            continue
        count = len(group.entries)
        numbers = ", ".join(f"#{entry.position}" for entry in group.entries[:_NUMBERED])
        numbers += ", ..." * (count > _NUMBERED)
        lines.append(f"{group.name} × {count}, {numbers} ({group.share:.1%}): {_words(group.entries)}")
    if cheap:
        names = ", ".join(sorted({entry.row.name for entry in cheap}))
        lines.append(f"{len(cheap)} cheap ones ({sum(entry.row.share for entry in cheap):.1%}): {names}")
    return lines


@dataclass(frozen=True, slots=True)
class _Group:
    """Nodes of one kind that one change would help, the slowest first."""

    entries: Sequence[NodeRow]

    @property
    def name(self) -> str:
        return self.entries[0].row.name

    @property
    def share(self) -> float:
        return sum(entry.row.share for entry in self.entries)


def _groups(report: CaseReport) -> list[_Group]:
    grouped: dict[tuple[str, str | None], list[NodeRow]] = defaultdict(list)
    for entry in report.nodes:
        if _has_reason(entry):
            grouped[entry.row.name, entry.operator.change].append(entry)
    return sorted(map(_Group, grouped.values()), key=lambda group: -group.share)


def _has_reason(entry: NodeRow) -> bool:
    """The linter foretells; where XNNPACK took the node all the same, it was wrong."""
    return entry.operator.reason is not None and entry.row.kernel == LITERT


def _words(entries: Sequence[NodeRow]) -> str:
    """The linter's, of nodes that one change would help; the slowest one's stand for those that are like it."""
    first, count = entries[0].operator, len({entry.operator.reason for entry in entries})
    like_it = f" (and {count - 1} like it)" if count > 1 else ""
    return f"{first.reason}{like_it}" + (f"; change: {first.change}" if first.change else "")
