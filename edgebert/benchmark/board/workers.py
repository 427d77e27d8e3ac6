"""The parent's end of a worker on a board: its questions go through the board's one connection."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from edgebert.benchmark.asking import Installation, failed, gone
from edgebert.benchmark.board.connection import Connection
from edgebert.benchmark.board.payloads import WORKER
from edgebert.benchmark.board.refusals import ConnectionLostError
from edgebert.benchmark.process import delegate_named_in, describe_end

_INSTALLATION = Installation(
    missing="install on the board what it names, or remove ~/.cache/edgebert-board there and run the command again.",
    broken="remove ~/.cache/edgebert-board on the board and run the command again.",
)


class BoardWorker:
    """One worker, with the `trees` of the board's cache on its path."""

    def __init__(self, connection: Connection, label: str, trees: Sequence[str]) -> None:
        self._connection = connection
        self._label = f"{label} on {connection.target}"
        self._number = connection.ask("start", module=WORKER, trees=list(trees))["worker"]

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; a MeasurementError if it says that it failed, or is gone, or the connection is."""
        line = json.dumps({"ask": question, **arguments})
        answered = self._connection.ask("ask", worker=self._number, line=line)
        if "ended" in answered:
            how = describe_end(answered["ended"])
            raise gone(self._label, question, how, self._log(), _INSTALLATION)
        answer = json.loads(answered["line"])
        if "error" in answer:
            raise failed(self._label, question, answer, _INSTALLATION)
        return answer

    def delegate_name(self) -> str | None:
        return delegate_named_in(self._log())

    def close(self) -> None:
        """End it in order. A connection that breaks now takes the worker with it."""
        if self._connection.usable:
            with contextlib.suppress(ConnectionLostError):
                self._connection.ask("stop", worker=self._number)

    def kill(self) -> None:
        """With the connection, and so all workers: this one may be in the middle of an answer."""
        self._connection.close()

    def _log(self) -> str:
        return self._connection.ask("log", worker=self._number)["log"]
