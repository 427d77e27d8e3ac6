"""A comparison as a table and lines."""

import dataclasses
from collections.abc import Sequence

from edgebert.benchmark.comparing import INSTRUCTIONS, TIMES, Compared, Comparison, judge
from edgebert.benchmark.emulated.report import EXPLANATION, millions, repeats_within, repetition_words
from edgebert.benchmark.judging import judge_record
from edgebert.benchmark.report import Rows, milliseconds, tokens_of
from edgebert.benchmark.statistics import Ratio
from edgebert.measurement import Case, Record

_WALL, _CPU = TIMES
_SIDES = ("first", "second")
_LISTED = 4
# Starts that differ by less are alike to a fan and a governor.
_ALIKE_CELSIUS = 10.0


def comparison_rows(compared: Compared) -> Rows:
    """What the second takes of the first; below 1 it takes less."""
    if _are_counts(compared):
        return _count_rows(compared.comparisons)
    header = ("model", "threads", "tokens", "first ms", "second ms", "wall time", "95 % interval")
    rows = []
    for entry in compared.comparisons:
        if _WALL in entry.values:
            case = entry.cases[0]
            figures = (*map(milliseconds, entry.values[_WALL]), *_cells(entry.ratios.get(_WALL)))
            settings = (_label(entry), str(case.threads), tokens_of(case))
            rows.append((*settings, *figures, *_cells(entry.ratios.get(_CPU)), conclusion(entry)))
    return (*header, "CPU time", "95 % interval", "second"), rows


def conclusion(entry: Comparison) -> str:
    """What is shown about the second, in words."""
    if INSTRUCTIONS in entry.ratios:
        return _count_conclusion(entry)
    ratio = entry.ratios.get(_WALL)
    if ratio is None:
        return "no raw values to compare"
    if ratio.low is None or ratio.high is None:
        return "too few rounds to tell"
    if ratio.low <= 1 <= ratio.high:
        return f"no difference shown: noise of {ratio.low - 1:+.1%} to {ratio.high - 1:+.1%} is larger"
    return _with_doubts(entry, f"{abs(ratio.ratio - 1):.1%}", "faster" if ratio.ratio < 1 else "slower", "not steady")


def comparison_lines(first: Record, second: Record, compared: Compared) -> list[str]:
    """What differs, what was left out, and what each record's own verdicts are."""
    lines = [*EXPLANATION, ""] if _are_counts(compared) else []
    lines += [f"differs, as allowed: {each.words}" for each in compared.differences]
    if first.provenance.edgebert_version != second.provenance.edgebert_version:
        versions = (record.provenance.edgebert_version for record in (first, second))
        lines.append(f"measured by edgebert {' and '.join(versions)}")
    lines += _heat_lines(first, second)
    for side, names in zip(_SIDES, compared.left_out, strict=True):
        if names:
            more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            lines.append(f"only in the {side}: {', '.join(names[:_LISTED])}{more}")
    lines += list(dict.fromkeys(_model_line(first, second, entry) for entry in compared.comparisons))
    repeated = all(entry.repeated for entry in compared.comparisons)
    if repeated and first != second:
        lines.append("the same files under like conditions: a difference is what two measurements differ by")
    lines += _delegation_lines(compared.comparisons)
    for side, record, position in zip(_SIDES, (first, second), (0, 1), strict=True):
        lines += [f"{side} run: {verdict.words}" for verdict in judge_record(record)]
        for entry in compared.comparisons:
            words = "; ".join(verdict.words for verdict in judge(entry.cases[position]))
            lines.append(f"{side}, {_setting(entry, position)}: {words or _trusted(entry.cases[position])}")
    if first == second:
        lines.append("both are one measurement, compared with itself")
    elif any(_WALL in entry.values for entry in compared.comparisons):
        lines.append(
            "taken one after the other: what changed on the machine between is in no interval; "
            "`edgebert benchmark FIRST.tflite SECOND.tflite` takes two models in turns"
        )
    return lines


def comparison_document(first: Record, second: Record, compared: Compared) -> dict[str, object]:
    """The same for a program."""
    return {
        "explanation": " ".join(EXPLANATION) if _are_counts(compared) else None,
        "differences": [dataclasses.asdict(each) for each in compared.differences],
        "only_in_first": list(compared.left_out[0]),
        "only_in_second": list(compared.left_out[1]),
        "verdicts": [[dataclasses.asdict(each) for each in judge_record(record)] for record in (first, second)],
        "cases": [
            {
                "models": entry.labels,
                "sha256": [_model(record, case) for record, case in zip((first, second), entry.cases, strict=True)],
                "threads": entry.cases[0].threads,
                "length": entry.cases[0].length,
                "core": None if entry.cases[0].emulation is None else entry.cases[0].emulation.core,
                "values": dict(entry.values),
                "ratios": {metric: dataclasses.asdict(ratio) for metric, ratio in entry.ratios.items()},
                "repetition": entry.repeated,
                "doubts": list(entry.doubts),
                "conclusion": conclusion(entry),
                "verdicts": [[dataclasses.asdict(each) for each in judge(case)] for case in entry.cases],
            }
            for entry in compared.comparisons
        ],
    }


def _are_counts(compared: Compared) -> bool:
    return any(INSTRUCTIONS in entry.values for entry in compared.comparisons)


def _count_conclusion(entry: Comparison) -> str:
    ratio = entry.ratios[INSTRUCTIONS]
    if ratio.ratio == 1:
        return "equal"
    if not ratio.differs_from_one:
        within = max(map(repeats_within, entry.cases))
        return f"no difference shown: counts of one input differ by up to {within:,} instructions"
    return _with_doubts(entry, f"{abs(ratio.ratio - 1):.2%}", "fewer" if ratio.ratio < 1 else "more", "doubtful")


def _trusted(case: Case) -> str:
    return "steady" if case.emulation is None else repetition_words(case)


def _with_doubts(entry: Comparison, change: str, direction: str, doubtful: str) -> str:
    """A difference as far as it is one: two measurements of one file differ by whatever changed between them."""
    doubts = ", ".join(entry.doubts)
    if entry.repeated:
        return f"repetition differs by {change}" + (f" ({doubts})" if doubts else "")
    return f"{change} {direction}" + (f", but {doubtful} ({doubts})" if doubts else "")


def _count_rows(comparisons: Sequence[Comparison]) -> Rows:
    header = ("model", "core", "tokens", "first M", "second M", "instructions", "second")
    rows = []
    for entry in comparisons:
        case = entry.cases[0]
        figures = (*map(millions, entry.values[INSTRUCTIONS]), f"{entry.ratios[INSTRUCTIONS].ratio:.4f}x")
        rows.append((_label(entry), case.emulation.core, tokens_of(case), *figures, conclusion(entry)))
    return header, rows


def _cells(ratio: Ratio | None) -> tuple[str, str]:
    if ratio is None:
        return "-", "-"
    return f"{ratio.ratio:.3f}x", "-" if ratio.low is None else f"{ratio.low:.3f} to {ratio.high:.3f}"


def _label(entry: Comparison) -> str:
    first, second = entry.labels
    return first if first == second else f"{first}, {second}"


def _setting(entry: Comparison, position: int) -> str:
    case = entry.cases[position]
    core = f" on {case.emulation.core}" if case.emulation is not None else ""
    return f"{entry.labels[position]}{core}, {case.threads} thread{'s' * (case.threads > 1)}, {tokens_of(case)} tokens"


def _model(record: Record, case: Case) -> str:
    return record.models[case.model].sha256


def _model_line(first: Record, second: Record, entry: Comparison) -> str:
    files = [record.models[case.model] for record, case in zip((first, second), entry.cases, strict=True)]
    if files[0].sha256 == files[1].sha256:
        return f"{_label(entry)}: the same file in both"
    return f"{_label(entry)}: two files, of {files[0].size_bytes:,} and {files[1].size_bytes:,} bytes"


def _heat_lines(first: Record, second: Record) -> list[str]:
    sensors = [record.conditions_before.temperatures_celsius for record in (first, second)]
    hottest = [max(readings.values()) for readings in sensors if readings]
    if len(hottest) < len(sensors) or abs(hottest[0] - hottest[1]) <= _ALIKE_CELSIUS:
        return []
    return [f"the first began at {hottest[0]:.0f} °C, the second at {hottest[1]:.0f} °C"]


def _delegation_lines(comparisons: Sequence[Comparison]) -> list[str]:
    lines = []
    for entry in comparisons:
        taken = [case.delegation for case in entry.cases]
        if None not in taken and taken[0] != taken[1]:
            words = " and ".join(f"{each.delegated_nodes}/{each.nodes} nodes in {each.partitions}" for each in taken)
            lines.append(f"{_label(entry)}: the delegate took {words} parts")
    return list(dict.fromkeys(lines))
