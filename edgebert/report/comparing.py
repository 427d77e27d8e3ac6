"""May these runs stand in one table? Refused by name where device, runtime, settings, inputs or dev data differ."""

from collections.abc import Sequence

from edgebert.errors import MeasurementError
from edgebert.report.model import Measurement, Run

_SHOWN_DIFFERENCES = 4
_SHOWN_CHARACTERS = 60
# Settings that only one record has are not compared; one both have must mean the same.
_PER_SETTING = ("cores at ", "token ids with vocabulary ")


def check_measurements(measurements: Sequence[Measurement], runs: Sequence[Run]) -> None:
    """Times compare only with the same device, runtime, cores and inputs."""
    for position, ours in enumerate(measurements):
        for theirs in measurements[:position]:
            differences = _differences(theirs, ours)
            if differences:
                raise MeasurementError(
                    f"{_name(theirs, runs)} and {_name(ours, runs)}: expected measurements under the same conditions, "
                    f"got {_some(differences)}. Do: measure the files in one `edgebert benchmark`, or compare the "
                    "rest with --without-measurements."
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


def _differences(first: Measurement, second: Measurement) -> list[str]:
    theirs, ours = ({fact.name: fact.value for fact in one.provenance} for one in (first, second))
    found = [
        f"{name} {_short(theirs.get(name, 'unknown'))} and {_short(ours.get(name, 'unknown'))}"
        for name in dict.fromkeys((*theirs, *ours))
        if theirs.get(name) != ours.get(name)
        and not (name.startswith(_PER_SETTING) and (name not in theirs or name not in ours))
    ]
    settings = [{name for name in one if name.startswith(_PER_SETTING[0])} for one in (theirs, ours)]
    if not settings[0] & settings[1]:
        found.append("no number of threads and length in common")
    return found


def _name(measurement: Measurement, runs: Sequence[Run]) -> str:
    return f"{runs[measurement.run].name} ({measurement.started_at_utc})"


def _data(run: Run) -> str:
    sha256 = "unknown" if run.dev_sha256 is None else run.dev_sha256[:12]
    return f"{run.metric} on {run.dev_source or 'data'} {sha256}"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}..."


def _some(texts: Sequence[str]) -> str:
    more = f"; {len(texts) - _SHOWN_DIFFERENCES} more" if len(texts) > _SHOWN_DIFFERENCES else ""
    return "; ".join(texts[:_SHOWN_DIFFERENCES]) + more
