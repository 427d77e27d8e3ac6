"""An automatic mixed scheme: the fastest one, with as little as will do moved back towards float32.

Parts are ranked by what quantising each alone does to the answers. The worst are moved one treatment back (a dense
layer to dynamic, a product of attention to float32) until what is lost is little enough; if that is too much even with
all of them moved, the worst go on to float32 before the better ones are moved at all. In the end each move that was not
needed after all is taken back. Every plan is made as a file and asked; nothing is assumed to add up.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgebert.errors import DataError
from edgebert.export.sensitivity.exam import Exam
from edgebert.export.sensitivity.measuring import Trial
from edgebert.export.sensitivity.preparation import Part, Prepared
from edgebert.export.sensitivity.result import BY_PART, Choice, GroupHarm, Verdict, points_lost
from edgebert.progress import Progress, Report, silent

# Fewer cannot tell a loss of a point from chance, and not even half a point from one answer.
FEWEST_TEXTS = 8
_TASK = "choose a mixture"


@dataclass(frozen=True)
class Halves:
    """Positions of the texts that a plan is chosen on, and of those that it is then judged on."""

    selection: tuple[int, ...]
    held_out: tuple[int, ...]


def halve(texts: Sequence[tuple[str, str | None]]) -> Halves:
    """By the texts' hashes: equal texts fall into the same half, and neither order nor labels decide."""
    sides: tuple[list[int], list[int]] = ([], [])
    for position, (text, second) in enumerate(texts):
        digest = hashlib.sha256(f"{text}\0{second or ''}".encode()).digest()
        sides[digest[0] % 2].append(position)
    if min(len(side) for side in sides) < FEWEST_TEXTS:
        raise DataError(
            f"auto: expected at least {FEWEST_TEXTS} texts to choose on and as many others to judge on, got "
            f"{len(sides[0])} and {len(sides[1])}. Do: give more texts (--data, --dev, --limit)."
        )
    return Halves(tuple(sides[0]), tuple(sides[1]))


@dataclass(frozen=True)
class Chosen:
    """`levels` by part, for `Prepared.build`: the best plan that was found, where none is met.

    `harms`: what each part does alone, as far as it had to be known; on the selection.
    """

    levels: Mapping[str, int]
    choice: Choice
    harms: tuple[GroupHarm, ...]


@dataclass(frozen=True)
class _Move:
    """A part from one of its treatments to the next."""

    part: str
    harm: float


def choose(
    prepared: Prepared, graph: bytes, exam: Exam, halves: Halves, most_points: float, report: Report = silent
) -> Chosen:
    """The plan that loses at most `most_points` of 100 on the selection, with as little in float as was found."""
    trial = Trial.begin(prepared, graph, exam)
    search = _Search(trial.only(halves.selection), most_points, report)
    levels, is_met = search.run()
    held_out = trial.only(halves.held_out)
    names = {part.name: part.treatments[levels[part.name]].name for part in prepared.parts}
    choice = Choice(
        most_points=most_points,
        is_met=is_met,
        treatments=names,
        tried=search.tried,
        selection=search.verdict(levels),
        selection_float32=search.trial.float32(),
        selection_static=search.verdict(prepared.whole()),
        held_out=held_out.verdict(levels),
        held_out_float32=held_out.float32(),
        held_out_static=held_out.verdict(prepared.whole()),
    )
    return Chosen(levels, choice, tuple(search.harms))


def _merged(gentle: Sequence[_Move], further: Sequence[_Move]) -> list[_Move]:
    """By harm, a part's gentle move before its further one: what is worst in either form is moved first."""
    harms = {move.part: move.harm for move in gentle}
    bounded = [_Move(move.part, min(move.harm, harms.get(move.part, move.harm))) for move in further]
    # Sorting keeps the order of equals, so that a gentle move stays before the further one.
    return sorted([*gentle, *bounded], key=lambda move: -move.harm)


class _Search:
    def __init__(self, trial: Trial, most_points: float, report: Report):
        self.trial, self.most_points, self.report = trial, most_points, report
        self.parts = {part.name: part for part in trial.prepared.parts}
        self.float32 = trial.float32()
        self.harms: list[GroupHarm] = []
        self._known: dict[tuple[tuple[str, int], ...], Verdict] = {}
        self._plans: list[dict[str, int]] = []

    @property
    def tried(self) -> int:
        return len(self._known)

    def verdict(self, levels: Mapping[str, int]) -> Verdict:
        # A part left out is float32, and so is one at its last treatment: one file, asked once.
        present = {name: level for name, level in levels.items() if self.parts[name].treatments[level].rules}
        key = tuple(sorted(present.items()))
        if key not in self._known:
            self._known[key] = self.trial.verdict(present)
        return self._known[key]

    def run(self) -> tuple[dict[str, int], bool]:
        levels = self.trial.prepared.whole()
        if self._is_met(levels):
            return levels, True
        # Gentler treatments first: tables, whose speed does not change, and dense weights stay narrow if they may.
        gentle = self._ranked(levels, lambda part: not part.is_table)
        count = self._fewest(levels, gentle)
        moves = gentle
        if count is None:
            further = self._ranked(self._moved(levels, gentle), lambda part: True)
            # A file that has nothing narrow is no scheme.
            moves = _merged(gentle, further)[:-1]
            count = self._fewest(levels, moves)
        if count is None:
            return self._best(), False
        taken = moves[:count]
        return self._with_unneeded_taken_back(self._moved(levels, taken), taken), True

    def _is_met(self, levels: Mapping[str, int]) -> bool:
        self._plans.append(dict(levels))
        # Points are counted from a few hundred answers: the last digit of a division must not decide.
        return points_lost(self.verdict(levels), self.float32) <= self.most_points + 1e-9

    def _ranked(self, levels: Mapping[str, int], may_move: Callable[[Part], bool]) -> list[_Move]:
        """The next move of each part that has one, the most harmful part first."""
        movable = [
            part for part in self.parts.values() if levels[part.name] < len(part.treatments) - 1 and may_move(part)
        ]
        # Of two passes each has a name of its own: what is left is told from the rate of one.
        task = "quantise one at a time, more gently" if self.harms else "quantise one at a time"
        found = []
        for done, part in enumerate(movable, 1):
            level = levels[part.name]
            verdict = self.verdict({part.name: level})
            self.harms.append(GroupHarm(part.name, BY_PART, part.treatments[level].name, (part.name,), verdict))
            found.append(_Move(part.name, verdict.distance))
            self.report(Progress(task, done, len(movable), part.name))
        return sorted(found, key=lambda move: -move.harm)

    def _fewest(self, levels: Mapping[str, int], moves: Sequence[_Move]) -> int | None:
        """How many of the moves, from the first, are enough: found by halving, and seen to be."""
        if not moves or not self._is_met(self._moved(levels, moves)):
            return None
        low, high = 0, len(moves)
        steps, done = high.bit_length(), 0
        while high - low > 1:
            middle = (low + high) // 2
            if self._is_met(self._moved(levels, moves[:middle])):
                high = middle
            else:
                low = middle
            done += 1
            self.report(Progress(_TASK, min(done, steps - 1), steps, f"{high} moved"))
        return high

    def _with_unneeded_taken_back(self, levels: Mapping[str, int], moves: Sequence[_Move]) -> dict[str, int]:
        """Least harmful first, each move is taken back if the rest is enough without it."""
        current, task = dict(levels), "take back what is not needed"
        for done, move in enumerate(reversed(moves), 1):
            without = {**current, move.part: current[move.part] - 1}
            if self._is_met(without):
                current = without
            self.report(Progress(task, done, len(moves), move.part))
        return current

    @staticmethod
    def _moved(levels: Mapping[str, int], moves: Sequence[_Move]) -> dict[str, int]:
        moved = dict(levels)
        for move in moves:
            moved[move.part] += 1
        return moved

    def _best(self) -> dict[str, int]:
        """Of the plans that were tried, that with the least lost; the less moved one of two."""
        return min(
            self._plans, key=lambda levels: (points_lost(self.verdict(levels), self.float32), sum(levels.values()))
        )
