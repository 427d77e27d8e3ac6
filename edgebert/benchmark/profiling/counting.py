"""Profile on emulated cores: instructions of each operator, exactly.

The counting of `edgebert.benchmark.emulated` says what an inference costs and whether its answers are right; a second
run on the same core says where, under a clock that cuts the counts at each operator.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import edgebert.benchmark.profiling
from edgebert.benchmark.binding import Binding, bind_inputs
from edgebert.benchmark.emulated.cores import EmulatedCore
from edgebert.benchmark.emulated.counting import SUFFIX, Run, plan_runs
from edgebert.benchmark.emulated.counts import ALL, BEGIN, END, Segment, mark_argument, read_segments
from edgebert.benchmark.emulated.environment import Environment, require_environment
from edgebert.benchmark.emulated.measuring import count
from edgebert.benchmark.emulated.running import ANSWER, COUNTS, MODEL, REQUEST, start_on_core
from edgebert.benchmark.feeding import feed_model
from edgebert.benchmark.inputs import Feed, choose_length
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.process import WorkerProcess
from edgebert.benchmark.profiling.attribution import operator_costs
from edgebert.benchmark.profiling.clock import OWN_INSTRUCTIONS
from edgebert.benchmark.profiling.events import Step
from edgebert.benchmark.profiling.profile import INSTRUCTIONS, SCHEMA, SCHEMA_VERSION, CaseProfile, Profile
from edgebert.benchmark.profiling.worker import COMMAND
from edgebert.benchmark.running import BEFORE_ROUNDS
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Record
from edgebert.progress import Progress, Report, silent

# A mark beside those that begin and end an inference: the profiler looked at the clock.
CUT = 3
_GUEST = "guest.py"
_COPIED = ("clock.py", "compiled.py", "events.py", "library.py")


def profile_on_cores(plan: Plan, cores: Sequence[EmulatedCore], report: Report = silent) -> Profile:
    """Count the plan on these cores, then profile each case of it on its core."""
    record = count(plan, tuple(cores), _forget, report)
    environment, by_name = require_environment(), {core.name: core for core in cores}
    profiled = []
    for done, case in enumerate(record.cases):
        name = record.models[case.model].name
        report(Progress("profile", done, len(record.cases), f"{name} on {case.emulation.core}"))
        profiled.append(_profile(environment, by_name[case.emulation.core], plan, case, name))
    report(Progress("profile", len(record.cases), len(record.cases)))
    return Profile(SCHEMA, SCHEMA_VERSION, record, tuple(profiled))


def operator_instructions(segments: Sequence[Segment], numbers: Sequence[int]) -> tuple[int, ...]:
    """The instructions of each operator of one inference, whose `segments` end at the looks at the clock.

    `numbers` are the profiler's times: the segment of an operator, from 1. They grow along the run order; where they do
    not, the profiler looked at the clock inside an operator, and its segment cannot be told.
    """
    if any(later <= earlier for earlier, later in zip((0, *numbers), numbers, strict=False)):
        raise _unexpected("operators that are not one after another")
    if numbers[-1] > len(segments):
        raise _unexpected(f"{len(segments)} cuts and an operator in the part after cut {numbers[-1]}")
    counts = tuple(segments[number - 1].counts[ALL] - OWN_INSTRUCTIONS for number in numbers)
    if min(counts) < 0:
        raise _unexpected("an operator shorter than the clock itself")
    return counts


def inferences(segments: Sequence[Segment], runs: int) -> list[list[Segment]]:
    """For each inference the segments from its BEGIN on, each ended by a look at the clock."""
    found: list[list[Segment]] = []
    inside = False
    for segment in segments:
        if segment.mark == BEGIN:
            found.append([])
            inside = True
        elif inside and segment.mark == CUT:
            found[-1].append(segment)
        elif segment.mark == END:
            inside = False
    if len(found) != runs or inside or not all(found):
        raise _unexpected(f"{len(found)} of {runs} inferences")
    return found


def _forget(unfinished: Record) -> None:
    """What `count` hands over between the cases."""


@dataclass(frozen=True)
class _Prepared:
    binding: Binding
    names: dict[int, str]
    feed: Feed
    pieces: Sequence[Sequence[int]]


def _prepare(plan: Plan, case: Case, name: str) -> _Prepared:
    """What this machine's runtime tells of the model: its inputs' names, and the nodes that the delegate takes."""
    worker = WorkerProcess(name, COMMAND)
    try:
        worker.ask("start", cores=None)
        opened = worker.ask("open", path=str(plan.models[case.model]), threads=1)
        binding = bind_inputs(name, opened["inputs"])
        feed = feed_model(plan, case.model, name, binding, choose_length(name, binding, case.length))
        arrays = _rows(binding, feed)
        worker.ask("prepare", tensors=binding.tensors, dtypes=binding.dtypes, arrays=arrays)
        pieces = worker.ask("run", inputs=[0], profiled=True)["pieces"]
    finally:
        worker.close()
    return _Prepared(binding, {detail["tensor"]: detail["name"] for detail in opened["inputs"]}, feed, pieces)


def _rows(binding: Binding, feed: Feed) -> list[list[Sequence[int]]]:
    return [[each.rows[role] for role in binding.roles] for each in feed.inputs]


def _profile(environment: Environment, core: EmulatedCore, plan: Plan, case: Case, name: str) -> CaseProfile:
    prepared = _prepare(plan, case, name)
    runs = plan_runs([each.length for each in prepared.feed.inputs], plan.runs)
    path = plan.models[case.model]
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), path, prepared, runs)
        start_on_core(environment, core, Path(folder), _GUEST, name)
        answer = json.loads((Path(folder) / ANSWER).read_text())
        cuts = inferences(read_segments(Path(folder) / COUNTS), len(runs))
    counted = [
        (run, operator_instructions(segments, numbers))
        for run, segments, numbers in zip(runs, cuts, answer["segments"], strict=True)
        if run.round != BEFORE_ROUNDS
    ]
    plain = _plain_instructions(case)
    whole = tuple(plain[run.number] for run, _ in counted)
    columns = zip(*(counts for _, counts in counted), strict=True)
    return CaseProfile(
        unit=INSTRUCTIONS,
        rounds=tuple(run.round for run, _ in counted),
        inputs=tuple(run.number for run, _ in counted),
        whole=whole,
        graph=whole,
        operators=operator_costs(path, [Step(*step) for step in answer["steps"]], prepared.pieces, columns),
    )


def _plain_instructions(case: Case) -> dict[int, int]:
    """The fewest that each input took without a profiler: what malloc adds now and then is no operator's."""
    found: dict[int, int] = {}
    for number, instructions in zip(case.samples.inputs, case.samples.values[f"{ALL}{SUFFIX}"], strict=True):
        found[number] = min(instructions, found.get(number, instructions))
    return found


def _lay_out(folder: Path, model: Path, prepared: _Prepared, runs: Iterable[Run]) -> None:
    """Fixed names in the working folder, and the modules that the guest imports under the names they have here."""
    source = Path(edgebert.benchmark.profiling.__file__).parent
    package = folder / "edgebert" / "benchmark" / "profiling"
    package.mkdir(parents=True)
    for inside in (package, package.parent, package.parent.parent):
        (inside / "__init__.py").touch()
    for file in _COPIED:
        shutil.copy(source / file, package / file)
    shutil.copy(source / _GUEST, folder / _GUEST)
    (folder / MODEL).symlink_to(model.absolute())
    binding = prepared.binding
    request = {
        "model": MODEL,
        "names": [prepared.names[tensor] for tensor in binding.tensors],
        "dtypes": binding.dtypes,
        "arrays": _rows(binding, prepared.feed),
        "cut": mark_argument(CUT),
        "runs": [(run.number, mark_argument(BEGIN), mark_argument(END)) for run in runs],
    }
    (folder / REQUEST).write_text(json.dumps(request))


def _unexpected(got: str) -> MeasurementError:
    return MeasurementError(
        f"emulated core: expected an inference cut at each of its operators, got {got}. "
        "Do: count it as a whole with `edgebert benchmark --on emulated:...`, and report this."
    )
