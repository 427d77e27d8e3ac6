"""One phone behind adb: commands in its shell, files to it and from it, and what it means when that fails."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.phone.client import Adb, one_line
from edgebert.errors import MeasurementError

# The shell's last line. Without it the command did not end: old phones send no exit status, and a broken connection
# looks to some clients like an end.
_END = "edgebert-command-ended"
_ENDED = re.compile(rf"^{_END} (\d+)\r?\n?\Z", re.MULTILINE)
_COMMAND_SECONDS = 60.0
_PUSH_SECONDS = 600.0
_FULL = "No space left on device"
_REPLUG = "check the cable or the network, unlock the phone, then run the command again"


class ConnectionLostError(MeasurementError):
    """The phone is gone in the middle of a run."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command's output, stderr in it, and its exit status."""

    status: int
    text: str


class Phone:
    """A phone by its serial, which is for adb and for messages and never for a record."""

    def __init__(self, adb: Adb, serial: str) -> None:
        self.adb, self.serial = adb, serial

    def shell(self, command: str, seconds: float = _COMMAND_SECONDS) -> Said:
        """Run `command` in the phone's shell to its end; a ConnectionLostError where its end was not seen."""
        wrapped = f"{{ {command}\n}} 2>&1 </dev/null; s=$?; echo; echo {_END} $s"
        answer = self.adb.ask("-s", self.serial, "shell", wrapped, seconds=seconds)
        text = answer.output.decode("utf-8", errors="replace").replace("\r\n", "\n")
        ended = _ENDED.search(text)
        if ended is None:
            raise self.lost(answer.complaint)
        # `echo` made the line break before the end's line, so that output without one stays as it is.
        return Said(int(ended.group(1)), text[: ended.start()].removesuffix("\n"))

    def require(self, command: str, purpose: str, seconds: float = _COMMAND_SECONDS) -> str:
        """The output of a command that must succeed; `purpose` completes "expected the phone to ..."."""
        said = self.shell(command, seconds)
        if said.status != 0:
            raise self._refused(purpose, said.text)
        return said.text

    def push(self, source: Path, target: str) -> None:
        """Copy a file to the phone and see that it is whole there."""
        size_bytes = source.stat().st_size
        self._push(source, target, size_bytes)
        self._check_size(source.name, size_bytes, f"wc -c < {shlex.quote(target)}")

    def push_folder(self, source: Path, parent: str) -> None:
        """Copy a flat folder into `parent` on the phone, and see that all of it is there."""
        size_bytes = sum(path.stat().st_size for path in source.iterdir())
        self._push(source, f"{parent}/", size_bytes)
        self._check_size(source.name, size_bytes, f"cat {shlex.quote(f'{parent}/{source.name}')}/* | wc -c")

    def lost(self, complaint: str) -> ConnectionLostError:
        """Why the connection broke, as far as adb's list of devices tells."""
        state = self.adb.states().get(self.serial)
        said = f" ({complaint})" if complaint else ""
        if state is None:
            how, remedy = f"a phone that was unplugged{said}", _REPLUG
        elif state == "unauthorized":
            how, remedy = "a phone that withdrew the authorisation", "allow USB debugging again on its screen"
        elif state == "device":
            how, remedy = f"a broken connection{said}", "run the command again; use another cable if this goes on"
        else:
            how, remedy = f"a phone that went {state}{said}", _REPLUG
        return ConnectionLostError(f"{self.serial}: expected the phone to stay connected, got {how}. Do: {remedy}.")

    def full(self, needed_bytes: int, got: str) -> MeasurementError:
        return MeasurementError(
            f"{self.serial}: expected {needed_bytes / 1e6:,.1f} MB free below /data/local/tmp, got {got}. "
            "Do: make room on the phone."
        )

    def _push(self, source: Path, target: str, size_bytes: int) -> None:
        answer = self.adb.ask("-s", self.serial, "push", str(source), target, seconds=_PUSH_SECONDS)
        if answer.status != 0:
            complaint = f"{answer.complaint} {one_line(answer.output.decode(errors='replace'))}".strip()
            raise self._push_failed(source.name, size_bytes, complaint)

    def _check_size(self, name: str, size_bytes: int, command: str) -> None:
        there = self.require(command, f"tell the size of {name}").strip()
        if there != str(size_bytes):
            raise self._push_failed(name, size_bytes, f"{there} of its {size_bytes} bytes there")

    def _push_failed(self, name: str, size_bytes: int, complaint: str) -> MeasurementError:
        if _FULL in complaint:
            return self.full(size_bytes, f"'{_FULL}' for {name}")
        # A push that breaks off says so in many words; the list of devices knows whether the phone is still there.
        if self.adb.states().get(self.serial) != "device":
            return self.lost(complaint)
        return MeasurementError(
            f"{self.serial}: expected the phone to take {name}, got '{complaint}'. "
            "Do: check that `adb push` works for any file to /data/local/tmp."
        )

    def _refused(self, purpose: str, text: str) -> MeasurementError:
        if _FULL in text:
            return self.full(0, f"'{_FULL}'")
        return MeasurementError(
            f"{self.serial}: expected the phone to {purpose}, got '{one_line(text)}'. Do: restart the phone, and look "
            "whether `adb shell` works there."
        )
