"""What a record keeps of texts that may name its owner: no folder, address or serial number goes to others."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Places of --on that are followed by an address.
_PLACES = "ssh|adb"
_ADDRESSED_ARGUMENT = re.compile(rf"(^|=)({_PLACES}):.*")
_ADDRESSED = re.compile(rf"\b({_PLACES}):[^\s,;'\"]+")
_LOGIN = re.compile(r"[^\s'\"(]+@[^\s'\",;:)]+")
_MAYBE_IP = re.compile(
    r"(?<![\w.:])(?:(?:\d+\.){3}\d+|[0-9a-f]*:[0-9a-f:]*:[0-9a-f.]*)(?:%\w+)?(?![\w:])", re.IGNORECASE
)
# Where OpenSSH names a host that its configuration has put in an alias' place (clientloop.c, packet.c, sshconnect.c).
_HOST_IN_WORDS_OF_SSH = re.compile(
    r"\b((?:Connection|Disconnected|Received disconnect) (?:to|from)|(?:closed|reset) by|connect to host|hostname|"
    r"Timeout, server) (?!remote\b|the (?:board|machine)\b)(?:(?:authenticating )?user \S+ )?[^\s,:']+"
)
# Each to the last separator: what follows is a file's own name. With spaces within where its end is sure: as the
# subject of an error, and between quotation marks.
_START = r"(?:~[\w.-]*|\.{1,2}|[A-Za-z]:)?[/\\]"
_FOLDERS = (
    re.compile(rf"^{_START}[^:'\"]*[/\\](?=[^:'\"/\\]+:)"),
    re.compile(rf"(?<=['\"]){_START}[^'\"]*[/\\](?=[^'\"/\\]+['\"])"),
    re.compile(rf"(?<![\w.~<-]){_START}(?:[^\s'\",;:()/\\]+[/\\])*(?=[^\s'\",;:()/\\])"),
)
_SEPARATOR = re.compile(r"[/\\]")
_MACHINE = "the machine"


@dataclass(frozen=True, slots=True)
class Names:
    """Regular expressions of what only this run knows to be a name, as a serial number, and what stands for them."""

    patterns: tuple[str, ...] = ()
    in_commands: str = "NAME"
    in_words: str = _MACHINE


NO_NAMES = Names()


def without_names(command_line: Sequence[str], names: Names = NO_NAMES) -> tuple[str, ...]:
    """The command without addresses, and of each path its last part: folders are often called as their owner."""
    return tuple(_of_argument(argument, names) for argument in command_line)


def words_without_names(words: str, names: Names = NO_NAMES) -> str:
    """The same for a sentence, an error mostly."""
    for pattern in names.patterns:
        words = re.sub(rf"(?:\bthe )?{pattern}", names.in_words, words)
    words = _LOGIN.sub(_MACHINE, _ADDRESSED.sub(r"\1", words))
    words = _MAYBE_IP.sub(lambda found: _MACHINE if _is_ip(found[0]) else found[0], words)
    words = _HOST_IN_WORDS_OF_SSH.sub(rf"\1 {_MACHINE}", words)
    for folders in _FOLDERS:
        words = folders.sub("", words)
    return words


def _of_argument(argument: str, names: Names) -> str:
    argument = _ADDRESSED_ARGUMENT.sub(r"\1\2", argument)
    for pattern in names.patterns:
        argument = re.sub(pattern, names.in_commands, argument)
    option, equals, value = argument.rpartition("=")
    return f"{option}{equals}{_SEPARATOR.split(value.rstrip('/'))[-1]}"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
