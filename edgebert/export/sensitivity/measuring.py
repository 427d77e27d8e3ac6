"""What quantising one part of the model costs, everything else in float32: made as a file, and asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.export.sensitivity.exam import Exam
from edgebert.export.sensitivity.preparation import DYNAMIC, Part, Prepared
from edgebert.export.sensitivity.result import BY_BLOCK, BY_CLASS, BY_PART, GroupHarm, Verdict
from edgebert.progress import Progress, Report, silent

WEIGHTS_ALONE = "dense weights alone"


@dataclass(frozen=True)
class Group:
    """Parts that are quantised together; `levels` are positions among their treatments."""

    name: str
    by: str
    levels: dict[str, int]


def groups(prepared: Prepared, by: Sequence[str]) -> tuple[Group, ...]:
    """Of each class, each block or each part, as asked; in the order of the graph."""
    found: list[Group] = []
    if BY_CLASS in by:
        found += _together(prepared.parts, BY_CLASS)
        dynamic = {part.name: 1 for part in prepared.parts if part.treatments[1].name == DYNAMIC}
        if dynamic:
            found.append(Group(WEIGHTS_ALONE, BY_CLASS, dynamic))
    if BY_BLOCK in by:
        found += _together(prepared.parts, BY_BLOCK)
    if BY_PART in by:
        found += [Group(part.name, BY_PART, {part.name: 0}) for part in prepared.parts]
    return tuple(found)


def _together(parts: Sequence[Part], by: str) -> Iterator[Group]:
    members: dict[str, dict[str, int]] = {}
    for part in parts:
        name = part.kind if by == BY_CLASS else None if part.block is None else f"block {part.block}"
        if name is not None:
            members.setdefault(name, {})[part.name] = 0
    for name, levels in members.items():
        yield Group(name, by, levels)


@dataclass(frozen=True, eq=False)
class Trial:
    """An exam with the float32 graph's answers to it, which every file is held to."""

    prepared: Prepared
    exam: Exam
    reference: np.ndarray

    @classmethod
    def begin(cls, prepared: Prepared, graph: bytes, exam: Exam) -> "Trial":
        """`graph`: the float32 graph as it was converted."""
        return cls(prepared, exam, exam.answers(graph))

    def float32(self) -> Verdict:
        return self.exam.judge(self.reference, self.reference)

    def verdict(self, levels: dict[str, int]) -> Verdict:
        return self.exam.judge(self.exam.answers(self.prepared.build(levels)), self.reference)

    def only(self, positions: Sequence[int]) -> "Trial":
        """The same with these texts alone."""
        return Trial(self.prepared, self.exam.part(positions), self.reference[list(positions)])


def measure_groups(trial: Trial, chosen: Sequence[Group], report: Report = silent) -> tuple[GroupHarm, ...]:
    task, found = "quantise one at a time", []
    report(Progress(task, 0, len(chosen)))
    treatments = {part.name: part.treatments for part in trial.prepared.parts}
    for done, group in enumerate(chosen, 1):
        verdict = trial.verdict(group.levels)
        names = dict.fromkeys(treatments[part][level].name for part, level in group.levels.items())
        found.append(GroupHarm(group.name, group.by, ", ".join(names), tuple(group.levels), verdict))
        report(Progress(task, done, len(chosen), group.name))
    return tuple(found)
