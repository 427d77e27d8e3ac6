"""Starting a client's runner: a request in, answers out, and whatever goes wrong over there is a value here.

The request is JSON on stdin: `model` (a path, or null to only say the version), `task`, and `texts` or, for
interpreters, `tokens`. The answer is JSON: `version`, then `refusal` (why the model was not loaded) or `answers`, for
each text `values`, with `names` where the client has names, or `error`.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.export.clients.registry import Client

# MediaPipe and TensorFlow take 5 s to start on a slow machine; a text of 512 tokens takes some 0.1 s.
START_SECONDS = 120
TEXT_SECONDS = 2
# The last lines of native code's stderr, where TFLite says which operation failed.
KEPT_STDERR_LINES = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """To one text: the values, or why there are none."""

    values: tuple[float, ...] = ()
    # Empty names are what a client makes of missing labels.
    names: tuple[str, ...] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Of one process: answers to all texts, or `refusal` (would not load the model), or `failure` (crash, time)."""

    answers: tuple[Answer, ...] = ()
    version: str | None = None
    refusal: str | None = None
    failure: str | None = None
    # What native code wrote meanwhile.
    log: str = ""


def run_client(
    client: Client, python: Path, model: Path, task: str, inputs: Sequence[Any], timeout_seconds: float | None = None
) -> Reply:
    """Hand texts (or, to an interpreter, tokens) to a client in a process of its own."""
    request = {"model": str(model), "task": task, "tokens" if client.takes_tokens else "texts": list(inputs)}
    return _exchange(client, python, request, timeout_seconds or START_SECONDS + TEXT_SECONDS * len(inputs))


def ask_version(client: Client, python: Path) -> Reply:
    """Start the client without a model."""
    return _exchange(client, python, {"model": None}, START_SECONDS)


def _exchange(client: Client, python: Path, request: Mapping[str, Any], timeout_seconds: float) -> Reply:
    # Isolated (-I): neither this folder nor PYTHONPATH may put another package before the client's own.
    command = [str(python), "-I", str(client.runner_path), *client.options]
    try:
        # ASCII: a lone surrogate has no UTF-8, and must reach the client to be refused there.
        done = subprocess.run(
            command,
            input=json.dumps(request).encode("ascii"),
            capture_output=True,
            timeout=timeout_seconds,
            env=_environment_variables(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        log = _tail(error.stderr or b"")
        return Reply(failure=f"gave no answer within {timeout_seconds:.0f} s and was stopped", log=log)
    except OSError as error:
        return Reply(failure=f"could not be started: {error.strerror}")
    log = _tail(done.stderr)
    if done.returncode != 0:
        return Reply(failure=_describe_exit(done.returncode, log), log=log)
    try:
        content = json.loads(done.stdout)
    except ValueError:
        return Reply(failure=f"wrote {done.stdout[:60]!r} instead of an answer", log=log)
    return Reply(
        answers=tuple(_answer(each) for each in content.get("answers", ())),
        version=content["version"],
        refusal=content.get("refusal"),
        log=log,
    )


def _answer(content: Mapping[str, Any]) -> Answer:
    names = content.get("names")
    return Answer(
        values=tuple(content.get("values", ())),
        names=None if names is None else tuple(name or "" for name in names),
        error=content.get("error"),
    )


def _environment_variables() -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "2", "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **quiet}


def _tail(stderr: bytes) -> str:
    return "\n".join(stderr.decode("utf-8", "replace").splitlines()[-KEPT_STDERR_LINES:])


def _describe_exit(returncode: int, log: str) -> str:
    if returncode < 0:
        return f"crashed ({signal.Signals(-returncode).name})"
    return f"failed: {log.splitlines()[-1] if log else f'exit code {returncode}'}"
