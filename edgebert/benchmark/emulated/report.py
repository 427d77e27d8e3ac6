"""A record of emulated cores as a table: every figure is computed from its samples."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.benchmark.emulated.agreement import agrees
from edgebert.benchmark.emulated.counting import SUFFIX
from edgebert.benchmark.emulated.counts import ALL, CLASSES
from edgebert.benchmark.judging import Verdict
from edgebert.benchmark.report import Rows, label_of, tokens_of
from edgebert.errors import MeasurementError
from edgebert.measurement import Agreement, Case, Record

EXPLANATION = (
    "Million ARM64 instructions of one inference, one thread, mean over the texts.",
    "A cost proxy for comparing models on one core and one runtime, not a time: instructions differ in how long they",
    "take, waiting for memory is not in it, and counts on different cores do not compare.",
)
# The table's columns, each the sum of some classes.
GROUPS = {
    "int8 multiply": ("int8_dot_product", "int8_matrix_multiply", "widening_multiply"),
    "float multiply-add": ("float_multiply_add",),
    "other float": ("other_float",),
    "other vector": ("other_vector", "scalable_vector"),
    "loads": ("vector_load", "scalar_load"),
    "stores": ("vector_store", "scalar_store"),
    "branches": ("branch",),
    "scalar": ("scalar",),
}
# Now and then a count differs by some tens of instructions, in how malloc finds memory. More than both of these is no
# such thing.
_REPEATS_WITHIN_SHARE = 1e-4
_REPEATS_WITHIN_INSTRUCTIONS = 200
_NAMED_FUNCTIONS = 4


@dataclass(frozen=True, slots=True)
class CountReport:
    """What one case's samples say; `ratio` is to the first model on the same core at the same length."""

    label: str
    case: Case
    instructions: dict[str, float]
    ratio: float | None
    verdicts: tuple[Verdict, ...]


def report_on_counts(record: Record) -> tuple[CountReport, ...]:
    for case in record.cases:
        _check_classes(case)
    means = [mean_by_class(case) for case in record.cases]
    reports = []
    for position, case in enumerate(record.cases):
        base = base_of(record, position)
        ratio = None if base is None else means[position][ALL] / means[base][ALL]
        reports.append(CountReport(label_of(record, case.model), case, means[position], ratio, judge_counts(case)))
    return tuple(reports)


def _check_classes(case: Case) -> None:
    missing = [name for name in CLASSES if f"{name}{SUFFIX}" not in case.samples.values]
    if missing:
        raise MeasurementError(
            f"record: expected the instructions of every class, got none of {', '.join(missing)}. "
            "Do: give the file as `edgebert benchmark --json` wrote it."
        )


def mean_by_class(case: Case) -> dict[str, float]:
    """Instructions of one inference: the mean over all counted runs, in which every input is as often."""
    runs = len(case.samples)
    return {name.removesuffix(SUFFIX): sum(column) / runs for name, column in case.samples.values.items()}


def bounds_of_mean(case: Case) -> tuple[float, float]:
    """What the mean of all instructions would be of each input's smallest counts, and of its largest."""
    repetitions = _repetitions(case)
    return (sum(map(min, repetitions)) / len(repetitions), sum(map(max, repetitions)) / len(repetitions))


def repetition_words(case: Case) -> str:
    """How well the counts of one input repeat."""
    rounds = len(set(case.samples.rounds))
    if rounds < 2:
        return "counted once"
    within = repeats_within(case)
    exactly = f" to within {within:,} instruction{'s' * (within > 1)}" if within else ""
    return f"repeats{exactly} in {rounds} rounds"


def repeats_within(case: Case) -> int:
    """By how many instructions counts of one input differ at most."""
    return max(max(counts) - min(counts) for counts in _repetitions(case))


def base_of(record: Record, position: int) -> int | None:
    """The first model on the same core at the same length, or with one model its first length on this core.

    Never another core: counts on two cores do not compare.
    """
    case = record.cases[position]
    for other, candidate in enumerate(record.cases):
        same_length = len(record.models) == 1 or candidate.length == case.length
        if candidate.model == 0 and same_length and candidate.emulation.core == case.emulation.core:
            return None if other == position else other
    return None


def judge_counts(case: Case) -> tuple[Verdict, ...]:
    """Every reason to distrust this case's counts; none: they repeat, and the answers agree with this machine's."""
    verdicts = []
    spread = _spread_of_repetitions(case)
    if spread:
        words = f"one input was counted again with up to {spread:.2%} more instructions; these counts are no exact ones"
        verdicts.append(Verdict("not repeated", words))
    agreement = case.emulation.agreement
    if not agrees(agreement):
        verdicts.append(Verdict("answers differ", _disagreement(agreement)))
    return tuple(verdicts)


def count_rows(reports: Sequence[CountReport]) -> Rows:
    """Models × cores; the classes add up to the total."""
    header = ("model", "core", "tokens", "M instructions", "of the first", *GROUPS)
    rows = []
    for entry in reports:
        groups = (sum(entry.instructions[name] for name in classes) for classes in GROUPS.values())
        ratio = "-" if entry.ratio is None else f"{entry.ratio:.3f}x"
        settings = (entry.label, entry.case.emulation.core, tokens_of(entry.case))
        rows.append((*settings, millions(entry.instructions[ALL]), ratio, *map(millions, groups)))
    return header, rows


def function_lines(reports: Sequence[CountReport]) -> list[str]:
    """Where most instructions are, by the runtime's own names."""
    lines = []
    for entry in reports:
        functions = entry.case.emulation.instructions_by_function
        total = max(sum(functions.values()), 1)
        most = sorted(functions.items(), key=lambda item: -item[1])[:_NAMED_FUNCTIONS]
        named = ", ".join(f"{count / total:.0%} {name}" for name, count in most)
        lines.append(f"{_setting(entry)}: {named}")
    return lines


def count_verdict_lines(record: Record, reports: Sequence[CountReport]) -> list[str]:
    lines = [] if record.complete else [f"this run: the run did not finish: {record.incomplete_reason}"]
    for entry in reports:
        words = "; ".join(verdict.words for verdict in entry.verdicts)
        lines.append(f"{_setting(entry)}: {words or _reassurance(entry.case)}")
    return lines


def derived_counts(reports: Sequence[CountReport]) -> dict[str, object]:
    """The same for the JSON file, for people who read it by eye."""
    return {
        "explanation": " ".join(EXPLANATION),
        "cases": [
            {
                "model": entry.label,
                "core": entry.case.emulation.core,
                "mean_instructions": entry.instructions,
                "repeats_within_instructions": repeats_within(entry.case),
                "ratio_to_first_model": entry.ratio,
                "verdicts": [dataclasses.asdict(verdict) for verdict in entry.verdicts],
            }
            for entry in reports
        ],
    }


def millions(instructions: float) -> str:
    """Two decimals, or three below a million."""
    return f"{instructions / 1e6:.{3 if instructions < 1e6 else 2}f}"


def _setting(entry: CountReport) -> str:
    return f"{entry.label} on {entry.case.emulation.core}, {tokens_of(entry.case)} tokens"


def _reassurance(case: Case) -> str:
    agreement = case.emulation.agreement
    return (
        f"{repetition_words(case)}; {agreement.values_compared:,} output values within "
        f"{agreement.largest_difference:.1e} of this machine's (tolerance "
        f"{agreement.tolerance:.1e}, {agreement.precision})"
    )


def _disagreement(agreement: Agreement) -> str:
    if agreement.largest_difference is None:
        return "some answers are not numbers"
    return (
        f"answers differ from this machine's by {agreement.largest_difference:.1e}, more than "
        f"{agreement.tolerance:.1e} of {max(1.0, agreement.largest_value):.3g} ({agreement.precision})"
    )


def _repetitions(case: Case) -> list[list[int]]:
    """The counts of all instructions, input by input."""
    by_input: dict[int, list[int]] = defaultdict(list)
    for number, count in zip(case.samples.inputs, case.samples.values[f"{ALL}{SUFFIX}"], strict=True):
        by_input[number].append(count)
    return list(by_input.values())


def _spread_of_repetitions(case: Case) -> float:
    """By how much counts of one input differ at most, as a share; 0 where that is next to nothing."""
    spreads = [
        max(counts) / min(counts) - 1
        for counts in _repetitions(case)
        if max(counts) - min(counts) > _REPEATS_WITHIN_INSTRUCTIONS
    ]
    return max((spread for spread in spreads if spread > _REPEATS_WITHIN_SHARE), default=0.0)
