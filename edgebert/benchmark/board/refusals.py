"""What OpenSSH and the board say when they refuse, as errors that tell what to do.

The words are those of OpenSSH 9 (ssh.c, sshconnect.c, sshconnect2.c, packet.c), which are as old as most boards.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgebert.benchmark.board.target import Target
from edgebert.benchmark.process import describe_end
from edgebert.errors import MeasurementError

# What LiteRT 2.3 has wheels for; Ubuntu 22.04, which many boards run, has no newer one.
LEAST_PYTHON = (3, 10)
_LEAST_PYTHON_WRITTEN = ".".join(map(str, LEAST_PYTHON))
_NOT_FOUND_STATUS = 127
_LONGEST_WORDS = 200
# Remarks of ssh that refuse nothing.
_REMARKS = ("Warning: Permanently added", "**")


class ConnectionLostError(MeasurementError):
    """The board was there, and then it was not."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`words` are searched in each line that ssh wrote; the first refusal of _REFUSALS that has some is it."""

    words: re.Pattern[str]
    expected: str
    remedy: Callable[[Target], str]


def _refusal(words: str, expected: str, remedy: Callable[[Target], str]) -> _Refusal:
    return _Refusal(re.compile(words), expected, remedy)


_REFUSALS = (
    _refusal(
        "HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY",
        "the host key that this machine knows",
        lambda target: (
            "find out why it is another one (a new system, or somebody in between); if that is right, "
            f"ssh-keygen -R '{target.host}', then {target.command} and compare the fingerprint."
        ),
    ),
    _refusal(
        "Host key verification failed|host key is known for",
        "a host key that this machine knows",
        lambda target: f"connect once by hand ({target.command}) and accept the key if its fingerprint is the board's.",
    ),
    _refusal(
        "Permission denied|Too many authentication failures",
        "a login that needs no password",
        lambda target: (
            f"{target.command.replace('ssh', 'ssh-copy-id', 1)}; a key with a passphrase goes into ssh-agent (ssh-add)."
        ),
    ),
    _refusal(
        "Could not resolve hostname",
        "the name of a board",
        lambda _: "check the name, or give it an entry in ~/.ssh/config.",
    ),
    _refusal(
        "connect to host|timed out|No route to host|Network is unreachable|Connection refused",
        "a board that answers on ssh's port",
        lambda _: "check that it is on and in this network, that sshd runs there, and the port.",
    ),
    _refusal(
        "Connection (closed|reset)|kex_exchange_identification|Unable to negotiate",
        "sshd to let us in",
        lambda _: "look at its log on the board (journalctl -u ssh).",
    ),
    _refusal(
        "python3['’:]? ?.*not found|(?i:unknown command).*python3|python3: No such file",
        f"python3 ({_LEAST_PYTHON_WRITTEN} or newer) on the board",
        lambda _: "install it there, so that a login without a terminal finds it.",
    ),
)


def refused(target: Target, log: str, status: int) -> MeasurementError:
    """For a login that never got as far as our program; `log` is what ssh and the board's shell wrote."""
    lines = _lines(log)
    for refusal in _REFUSALS:
        said = next((line for line in lines if refusal.words.search(line)), None)
        if said is None and refusal is _REFUSALS[-1] and status == _NOT_FOUND_STATUS:
            said = f"exit status {status}"
        if said is not None:
            return error_about(target, refusal.expected, f"'{said}'", refusal.remedy(target))
    return error_about(
        target, "a login that starts python3", _last_words(lines, status), f"try {target.command} python3 -V."
    )


def too_slow(target: Target, seconds: float) -> MeasurementError:
    return error_about(
        target,
        f"a login that starts python3 within {seconds:.0f} s",
        "none",
        f"look what {target.command} python3 -V waits for.",
    )


def noisy(target: Target) -> MeasurementError:
    return error_about(
        target, "a login that starts python3", "endless output instead", f"look at what {target.command} true prints."
    )


def old_python(target: Target, version: str) -> MeasurementError:
    expected = f"Python {_LEAST_PYTHON_WRITTEN} or newer as its python3"
    return error_about(target, expected, f"Python {version}", "install a newer one there, or a newer system.")


def lost(target: Target, log: str, status: int | None) -> ConnectionLostError:
    """For a connection that ended while it was needed."""
    got = _last_words(_lines(log), status)
    return ConnectionLostError(
        f"{target}: expected the connection to last, got {got}. "
        "Do: check the board's power and network, then run the command again."
    )


def not_done(target: Target, question: str, answer: Mapping[str, str]) -> MeasurementError:
    """For what our program on the board could not do."""
    got = f"'{answer['error']}'"
    if question == "start":
        return error_about(target, "the board to start a process", got, "end other programs there.")
    if answer["kind"] == "full":
        return error_about(target, "room in ~/.cache/edgebert-board", got, "make room on the board.")
    if answer["kind"] == "damaged":
        return error_about(
            target, "a file to arrive as it was", got, "leave it alone meanwhile, and run the command again."
        )
    return error_about(
        target,
        "to write into ~/.cache/edgebert-board",
        got,
        "let the login's user write there, or set XDG_CACHE_HOME for logins.",
    )


def too_little_room(target: Target, folder: str, needed_bytes: int, free_bytes: int) -> MeasurementError:
    expected = f"{needed_bytes / 1e6:,.1f} MB free for {folder}"
    return error_about(target, expected, f"{free_bytes / 1e6:,.1f} MB", "make room on the board.")


def error_about(target: Target, expected: str, got: str, remedy: str) -> MeasurementError:
    return MeasurementError(f"{target}: expected {expected}, got {got}. Do: {remedy}")


def _lines(log: str) -> list[str]:
    stripped = (" ".join(line.strip("@ \r").split()) for line in log.splitlines())
    return [line[:_LONGEST_WORDS].rstrip(".") for line in stripped if line and not line.startswith(_REMARKS)]


def _last_words(lines: list[str], status: int | None) -> str:
    return f"'{lines[-1]}'" if lines else f"silence ({'no end' if status is None else describe_end(status)})"
