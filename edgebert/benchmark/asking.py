"""What holds a model elsewhere and is asked: what it must offer, and the words for every way in which it can fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edgebert.errors import MeasurementError

_DOING = {
    "start": "start",
    "conditions": "tell the machine's state",
    "cpu_time": "tell its CPU time",
    "open": "load the file",
    "prepare": "allocate and run the model once",
    "warm_up": "run the model",
    "run": "run the model",
    "memory": "tell its memory",
}
_CHECK_MODEL = "look at the file with `edgebert inspect`, or measure with fewer threads and files."
_CHECK_FILE = "check that the file is whole (compare its size with its source's), and export it again."
_ABOUT_THE_INSTALLATION = ("start", "conditions", "cpu_time")
_LAST_WORDS_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Installation:
    """What to do about a worker's own installation: where LiteRT is `missing`, and where it is `broken`."""

    missing: str
    broken: str


HOST_INSTALLATION = Installation(
    missing="pip install '.[benchmark]' in edgebert's checkout.",
    broken="check the installation with `python -m edgebert.benchmark.worker < /dev/null`.",
)


class AskedWorker(Protocol):
    """The parent's end of a process that runs `edgebert.benchmark.worker`, on this machine or another."""

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; a MeasurementError if it says that it failed, or is gone."""

    def delegate_name(self) -> str | None:
        """The delegate that the runtime said it had created, if it said so."""

    def close(self) -> None:
        """Let it end in order."""

    def kill(self) -> None:
        """End it now; it may be in the middle of an answer."""


def failed(label: str, question: str, answer: Mapping[str, Any], installation: Installation) -> MeasurementError:
    """For an answer that says what went wrong."""
    got = " ".join(answer["error"].split())
    if answer["kind"] == "import":
        return MeasurementError(f"{label}: expected LiteRT to be installed, got '{got}'. Do: {installation.missing}")
    if answer["kind"] == "cores":
        return MeasurementError(f"--cores: {got}. Do: choose from these.")
    remedy = _remedy(question, installation)
    return MeasurementError(f"{label}: expected the runtime to {_DOING[question]}, got '{got}'. Do: {remedy}")


def gone(label: str, question: str, how: str, log: str, installation: Installation) -> MeasurementError:
    """For a worker that ended without an answer: how, and its last words."""
    said = [line.strip() for line in log.splitlines()]
    last = next((line for line in reversed(said) if line and not line.startswith("INFO:")), "")
    words = f"; its last words: {last[:_LAST_WORDS_LENGTH]}" if last else ""
    return MeasurementError(
        f"{label}: expected the runtime to {_DOING[question]}, got a dead process ({how}){words}. "
        f"Do: {_remedy(question, installation)}"
    )


def _remedy(question: str, installation: Installation) -> str:
    if question in _ABOUT_THE_INSTALLATION:
        return installation.broken
    return _CHECK_FILE if question == "open" else _CHECK_MODEL
