"""A profile: the measurement record of the plain runs, and beside it what each operator took in the profiled ones.

Raw values only, like a measurement; `edgebert.benchmark.profiling.report` computes every figure from them.
"""

import json
import os
from dataclasses import dataclass

from edgebert.benchmark.emulated.report import EXPLANATION
from edgebert.documents import Kind, to_plain
from edgebert.errors import MeasurementError
from edgebert.measurement import Record

SCHEMA = "edgebert-profile"
SCHEMA_VERSION = 1
NANOSECONDS, INSTRUCTIONS = UNITS = ("ns", "instructions")
# For people who read the file by eye; a reader drops it.
DERIVED_KEY = "derived"
# What instructions are not. The first line is of the measurement's tables: it names their unit.
NO_TIMES = EXPLANATION[1:]


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


@dataclass(frozen=True)
class OperatorCosts:
    """One operator of the run order, with what it cost in each pass.

    `piece` null: LiteRT's own kernel ran it. `node` is the graph's, null where XNNPACK made the operator itself or
    which one it stands for cannot be told; `output` names what that node computes. `reason` says why XNNPACK did not
    take the node, `change` what would make it.
    """

    name: str
    piece: int | None
    node: int | None
    output: str | None
    reason: str | None
    change: str | None
    costs: tuple[int, ...]


@dataclass(frozen=True)
class CaseProfile:
    """The profiled passes of one case of the record: pass `i` was of input `inputs[i]`, in round `rounds[i]`.

    Costs are in `unit`: nanoseconds, the operators' rounded down to microseconds, or instructions of an emulated core.
    """

    unit: str
    rounds: tuple[int, ...]
    inputs: tuple[int, ...]
    # The inference as its caller sees it, and the graph's run in it: operators, and what lies between them.
    whole: tuple[int, ...]
    graph: tuple[int, ...]
    operators: tuple[OperatorCosts, ...]

    def __post_init__(self) -> None:
        columns = (self.inputs, self.whole, self.graph, *(each.costs for each in self.operators))
        _require(self.unit in UNITS, f"unit: expected {' or '.join(UNITS)}")
        _require(len(self.rounds) > 0, "rounds: expected at least one pass")
        _require(
            all(len(each) == len(self.rounds) for each in columns), f"rounds: expected {len(self.rounds)} values each"
        )


@dataclass(frozen=True)
class Profile:
    schema: str
    schema_version: int
    measurement: Record
    cases: tuple[CaseProfile, ...]

    def __post_init__(self) -> None:
        _require(len(self.cases) == len(self.measurement.cases), "cases: expected one for each of the measurement's")


_KIND = Kind(
    Profile,
    SCHEMA,
    SCHEMA_VERSION,
    noun="a profile",
    remedy="give a file as `edgebert profile --json` wrote it.",
    error=MeasurementError,
    ignored=(DERIVED_KEY,),
)


def to_json(profile: Profile) -> bytes:
    """The profile as JSON, each operator on a line of its own: its column is hundreds of numbers."""
    document = to_plain(profile)
    if any(case.unit == INSTRUCTIONS for case in profile.cases):
        document[DERIVED_KEY] = {"explanation": " ".join(NO_TIMES)}
    cases = [_render_case(case) for case in document.pop("cases")]
    return (json.dumps(document, allow_nan=False)[:-1] + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}\n").encode()


def read_profile(path: str | os.PathLike) -> Profile:
    return _KIND.read(path)


def _render_case(case: dict) -> str:
    operators = [json.dumps(operator) for operator in case.pop("operators")]
    return json.dumps(case)[:-1] + ',\n"operators": [\n' + ",\n".join(operators) + "\n]}"
