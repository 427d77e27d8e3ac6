"""What TFLite's benchmark_model prints, from 2018's to LiteRT's, and which of it is a run's own time.

The tool keeps its runs' times to itself and prints statistics of them (tensorflow/lite/tools/benchmark/
benchmark_model.cc; also the newer --result_file_path has statistics only):

    count=50 first=1249964 curr=1240143 min=1238588 max=1252566 avg=1.24027e+06 std=2565 p5=... median=... p95=...
    count=1 curr=1357602 p5=1357602 median=1357602 p95=1357602
    count=4 curr=812(all same)

`first` and `curr` are the first and the last run in whole microseconds; the percentiles came late. So of one or two
runs, and of runs that are all the same, every time is told; of others it is not, and none is made up.
"""

import re
from dataclasses import dataclass

from edgebert.benchmark.process import delegate_named_in
from edgebert.measurement import Delegation

NS_PER_US = 1000
# At a line's beginning: the profiler prints lines of this form with a title before them.
_STATISTICS = re.compile(r"^(?:INFO: )?(count=\d+ .*)$", re.MULTILINE)
_FIELD = re.compile(r"(\w+)=([-+.\w]+)")
_INITIALIZED_US = re.compile(r"\bInit: ([\d.e+]+)")
_INITIALIZED_MS = re.compile(r"Initialized session in ([\d.e+]+) ?ms")
# Printed for an option that the tool knows and was given; what it does not know it leaves without a word.
_READS_FILES = re.compile(r"^(?:INFO: )?Input (?:layer )?values? files: \[.+\]", re.MULTILINE)
# "MB" are 1024 KiB there.
_GROWTH = re.compile(
    r"^(?:INFO: )?Memory footprint delta from the start of the tool \(MB\): init=(\S+) overall=(\S+)", re.MULTILINE
)
_GROWTH_UNIT_BYTES = 1 << 20
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:e[+-]?\d+)?")
_REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(\w+\) node, yielding (\d+) partitions")
_ERROR, _LAST_LINES = "ERROR: ", 3
_NOISE = ("INFO:", "VERBOSE:", "WARNING:", "WARN:")
_EXACT_RUNS = 2
_UNNAMED = "not named by the tool"


@dataclass(frozen=True, slots=True)
class Block:
    """The statistics of some runs, in nanoseconds; `exact_ns` holds every run's time where all are told."""

    runs: int
    first_ns: int
    mean_ns: int
    standard_deviation_ns: int
    minimum_ns: int
    maximum_ns: int
    median_ns: int | None
    exact_ns: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """One process of the tool."""

    initialization_ns: int | None
    warmup: Block | None
    measured: Block
    delegate: str | None
    delegation: Delegation | None
    reads_value_files: bool
    # When the model was loaded, and at the end, more than at the tool's start.
    loaded_growth_bytes: int | None
    overall_growth_bytes: int | None


def parse(text: str) -> ToolOutput | None:
    """None where the tool did not come to an end."""
    blocks = [_block(fields) for fields in _STATISTICS.findall(text)]
    if not blocks or None in blocks:
        return None
    loaded_growth, overall_growth = _growth_bytes(text)
    return ToolOutput(
        initialization_ns=_initialization_ns(text),
        warmup=blocks[-2] if len(blocks) > 1 else None,
        measured=blocks[-1],
        delegate=delegate_named_in(text),
        delegation=_delegation(text),
        reads_value_files=_READS_FILES.search(text) is not None,
        loaded_growth_bytes=loaded_growth,
        overall_growth_bytes=overall_growth,
    )


def last_words(text: str) -> str:
    """Why the tool failed, in its own words: its errors, or of an old one that marks none its last lines."""
    lines = [line.strip() for line in text.splitlines()]
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    told = errors or [line for line in lines if line and not line.startswith(_NOISE)]
    return "; ".join(told[-_LAST_LINES:])[:300] or "no word"


def _block(written: str) -> Block | None:
    fields = {name: _nanoseconds(value) for name, value in _FIELD.findall(written) if name != "count"}
    runs = int(written.removeprefix("count=").split()[0])
    last_ns = fields.get("curr")
    if not runs or last_ns is None:
        return None
    first_ns = fields.get("first", last_ns)
    all_same = "first" not in fields
    exact = (last_ns,) * runs if all_same else (first_ns, last_ns) if runs == _EXACT_RUNS else None
    return Block(
        runs=runs,
        first_ns=first_ns,
        mean_ns=fields.get("avg", last_ns),
        standard_deviation_ns=fields.get("std", 0),
        minimum_ns=fields.get("min", last_ns),
        maximum_ns=fields.get("max", last_ns),
        median_ns=fields.get("median"),
        exact_ns=exact,
    )


def _nanoseconds(microseconds: str) -> int:
    number = re.match(r"[-+]?[\d.]+(?:e[-+]?\d+)?", microseconds)
    return 0 if number is None else round(float(number.group()) * NS_PER_US)


def _initialization_ns(text: str) -> int | None:
    found = _INITIALIZED_US.search(text)
    if found is not None:
        return round(float(found.group(1)) * NS_PER_US)
    found = _INITIALIZED_MS.search(text)
    return None if found is None else round(float(found.group(1)) * NS_PER_US * 1000)


def _growth_bytes(text: str) -> tuple[int | None, int | None]:
    found = _GROWTH.search(text)
    if found is None:
        return None, None
    loaded, overall = (
        round(float(told) * _GROWTH_UNIT_BYTES) if _NUMBER.fullmatch(told) else None for told in found.groups()
    )
    return loaded, overall


def _delegation(text: str) -> Delegation | None:
    """What the delegate's own line tells. The tool does not name the operators that stayed outside."""
    found = _REPLACED.search(text)
    if found is None:
        return None
    taken, nodes, partitions = (int(number) for number in found.groups())
    outside = {_UNNAMED: nodes - taken} if nodes > taken else {}
    return Delegation(nodes=nodes, delegated_nodes=taken, partitions=partitions, operators_outside=outside)
