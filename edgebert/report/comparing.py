"""May these runs stand in one table? Refused by name where device, runtime, settings, inputs or dev data differ."""

from collections.abc import Sequence

from edgebert.benchmark.provenance import Difference, differences
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Inputs, Record
from edgebert.report.measurements import Taken
from edgebert.report.model import Run

_SHOWN_DIFFERENCES = 4
_INPUTS = "inputs"


def check_measurements(measurements: Sequence[Taken], runs: Sequence[Run]) -> None:
    """Times compare only with the same device, runtime, cores and inputs."""
    for position, ours in enumerate(measurements):
        for theirs in measurements[:position]:
            found = _differences(theirs.record, ours.record)
            if found:
                raise MeasurementError(
                    f"{_name(theirs, runs)} and {_name(ours, runs)}: expected measurements under the same conditions, "
                    f"got {_some(found)}. Do: measure the files in one `edgebert benchmark`, or compare the rest "
                    "with --without-measurements."
                )


def check_scores(runs: Sequence[Run]) -> None:
    """Scores compare only on the same dev examples with the same metric."""
    scored = [run for run in runs if run.metric is not None]
    for run in scored[1:]:
        first = scored[0]
        ours, theirs = (run.metric, run.dev_sha256), (first.metric, first.dev_sha256)
        if ours != theirs:
            raise MeasurementError(
                f"{first.name} and {run.name}: expected scores on the same dev data, got {_data(first)} and "
                f"{_data(run)}. Do: report on each run alone, or score both on the same file."
            )


def _differences(first: Record, second: Record) -> list[str]:
    settings = [{(case.threads, case.length) for case in record.cases} for record in (first, second)]
    shared = sorted(settings[0] & settings[1], key=lambda setting: (setting[0], setting[1] or 0))
    pairs = [_pair(first, second, setting) for setting in shared]
    found = [each for each in differences(first, second, pairs) if each.fact != _INPUTS]
    found += [each for pair in pairs for each in _unlike_inputs(*(case.inputs for case in pair))]
    words = [each.words for each in dict.fromkeys(found)]
    return words if shared else [*words, "no number of threads and length in common"]


def _pair(first: Record, second: Record, setting: tuple[int, int | None]) -> tuple[Case, Case]:
    """Of one setting; of one vocabulary where both have such cases."""
    ours, theirs = (
        [case for case in record.cases if (case.threads, case.length) == setting] for record in (first, second)
    )
    alike = [
        (one, other)
        for one in ours
        for other in theirs
        if one.inputs.vocabulary_sha256 == other.inputs.vocabulary_sha256
    ]
    return alike[0] if alike else (ours[0], theirs[0])


def _unlike_inputs(first: Inputs, second: Inputs) -> list[Difference]:
    """Another vocabulary makes other tokens of the same texts; then the texts themselves are compared."""
    if first.vocabulary_sha256 == second.vocabulary_sha256:
        told = [f"{one.kind} {one.sha256[:12]}" for one in (first, second)]
    else:
        told = [f"{len(one.lengths)} {one.kind} of {(one.source_sha256 or 'unknown')[:12]}" for one in (first, second)]
    return [] if told[0] == told[1] else [Difference(_INPUTS, _INPUTS, *told)]


def _name(measurement: Taken, runs: Sequence[Run]) -> str:
    return f"{runs[measurement.run].name} ({measurement.record.provenance.started_at_utc})"


def _data(run: Run) -> str:
    sha256 = "unknown" if run.dev_sha256 is None else run.dev_sha256[:12]
    return f"{run.metric} on {run.dev_source or 'data'} {sha256}"


def _some(texts: Sequence[str]) -> str:
    more = f"; {len(texts) - _SHOWN_DIFFERENCES} more" if len(texts) > _SHOWN_DIFFERENCES else ""
    return "; ".join(texts[:_SHOWN_DIFFERENCES]) + more
