"""Measure on a board: as on this machine, with workers at the other end of a connection."""

import re
from collections.abc import Mapping
from typing import Any

from edgebert.benchmark.board import refusals
from edgebert.benchmark.board.connection import Connection
from edgebert.benchmark.board.delivery import deliver
from edgebert.benchmark.board.payloads import Payload, fetch_wheels, model_payload, wheel_payload, worker_payload
from edgebert.benchmark.board.target import PLACE, Target
from edgebert.benchmark.board.workers import BoardWorker
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.nameless import Names
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.rounds import Bench, Keep, Tell, measure_on
from edgebert.benchmark.wheels import PACKAGES, WheelTarget, installed_releases
from edgebert.measurement import ModelFile, Record
from edgebert.progress import Report, silent

_LITERT = "ai-edge-litert"
# LiteRT has wheels for these and for 64 bits only.
_MACHINES = ("aarch64", "x86_64")

Facts = Mapping[str, Any]


def measure(target: Target, plan: Plan, keep: Keep, tell: Tell, report: Report = silent) -> Record:
    """Run `plan` on the board and return the complete record; the callbacks are those of `measure_on`.

    A connection that is lost before the first sample is made once more: what was sent stays on the board. Later, the
    samples are worth more than a second attempt: they are kept, and the error says that they are not all.
    """
    models = tuple(read_model_file(path) for path in plan.models)
    has_samples = False

    def keep_and_note(record: Record) -> None:
        nonlocal has_samples
        has_samples = True
        keep(record)

    try:
        return _measure_once(target, plan, models, keep_and_note, tell, report)
    except refusals.ConnectionLostError as error:
        if has_samples:
            raise
        tell(f"warning: {error} No sample was lost, so it is tried once more now.")
    return _measure_once(target, plan, models, keep, tell, report)


def _measure_once(
    target: Target, plan: Plan, models: tuple[ModelFile, ...], keep: Keep, tell: Tell, report: Report
) -> Record:
    with Connection(target) as connection:
        facts = connection.ask("describe")
        check_board(target, facts)
        trees = (worker_payload(), *_runtime(target, facts, tell))
        files = tuple(model_payload(path, model) for path, model in zip(plan.models, models, strict=True))
        folder = facts["folder"]
        deliver(connection, (*trees, *files), folder, tell, report)
        bench = Bench(
            place=PLACE,
            models=models,
            model_paths=tuple(f"{folder}/{payload.name}" for payload in files),
            start_worker=lambda label: BoardWorker(connection, label, [tree.name for tree in trees]),
            own_cpu_ns=lambda: connection.ask("cpu_time")["own_cpu_ns"],
            names=names_of(target),
        )
        return measure_on(bench, plan, keep, tell, report)


def names_of(target: Target) -> Names:
    """A record goes to others; where a board is and who logs in there does not. An alias may be part of any word."""
    host = target.destination.rpartition("@")[2]
    patterns = (re.escape(str(target)), re.escape(target.destination), rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)")
    return Names(tuple(dict.fromkeys(patterns)), in_commands="BOARD", in_words="the board")


def check_board(target: Target, facts: Facts) -> None:
    """Refuse a board that LiteRT cannot run on."""
    if facts["system"] != "Linux":
        raise refusals.error_about(target, "Linux", facts["system"], "choose another board.")
    if facts["bits"] != 64 or (facts["machine"] not in _MACHINES and not has_runtime(facts)):
        raise refusals.error_about(
            target,
            f"a 64-bit Python on {' or '.join(_MACHINES)} (LiteRT has no other wheels)",
            f"{facts['bits']} bits on {facts['machine']}",
            "install a 64-bit system on the board.",
        )
    if facts["libc"][0] != "glibc" and not has_runtime(facts):
        raise refusals.error_about(
            target,
            "a system with glibc (LiteRT's wheels need it)",
            facts["libc"][0] or "another C library",
            "choose one (Debian, Raspberry Pi OS, Ubuntu, Fedora).",
        )


def has_runtime(facts: Facts) -> bool:
    """Whether the board has numpy and a LiteRT of this environment's minor release, which the worker is made for."""
    there = facts["packages"]
    return all(there[name] is not None for name in PACKAGES) and _minor(there[_LITERT]) == _release_here()


def _runtime(target: Target, facts: Facts, tell: Tell) -> tuple[Payload, ...]:
    """LiteRT and numpy for a board that has not got them. Fetched here: a board needs no way to the internet."""
    if has_runtime(facts):
        return ()
    tell(f"{target}: has no LiteRT {_release_here()} with numpy of its own, so that it gets both")
    python_version = _minor(facts["python_version"])
    wheels = WheelTarget(python_version, facts["machine"], glibc_minor=int(facts["libc"][1].split(".")[1]))
    return tuple(wheel_payload(path) for path in fetch_wheels(wheels, str(target)))


def _release_here() -> str:
    """LiteRT's, `2.3`."""
    return _minor(dict(requirement.split("==") for requirement in installed_releases("board"))[_LITERT])


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
