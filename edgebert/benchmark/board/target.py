"""Which board: what follows `ssh:` in --on."""

import re
from dataclasses import dataclass

from edgebert.errors import MeasurementError

PLACE = "ssh"
ADDRESS = ":[USER@]BOARD[:PORT]"
_LARGEST_PORT = 65535
# Nothing that ssh would take for an option; the host may be an alias of the user's ssh configuration.
_WRITTEN = re.compile(
    r"(?:(?P<user>[^-@\s:/][^@\s:/]*)@)?(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[^-\s:@/\[\]][^\s:@/\[\]]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """`destination` as ssh takes it; a `port` of None is left to the user's configuration."""

    destination: str
    port: int | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """What comes after `ssh` and its options."""
        port = () if self.port is None else ("-p", str(self.port))
        return (*port, "--", self.destination)

    @property
    def command(self) -> str:
        """What a user types to get there."""
        return f"ssh {self.destination}" if self.port is None else f"ssh -p {self.port} {self.destination}"

    @property
    def host(self) -> str:
        """As known_hosts has it."""
        host = self.destination.rpartition("@")[2]
        return host if self.port is None else f"[{host}]:{self.port}"

    def __str__(self) -> str:
        """As errors and remarks name it."""
        return self.destination if self.port is None else f"{self.destination} port {self.port}"


def choose_target(on: str) -> Target:
    """The board of `ssh:pi@board`, `ssh:alias`, `ssh:pi@board:2222` or `ssh:pi@[fe80::1%eth0]:22`."""
    written = _WRITTEN.fullmatch(on.partition(":")[2])
    port = int(written["port"]) if written and written["port"] else None
    if written is None or (port is not None and not 1 <= port <= _LARGEST_PORT):
        raise MeasurementError(
            f"--on: expected {PLACE}{ADDRESS}, got '{on}'. "
            "Do: name the board as for `ssh`, an address of IPv6 in brackets."
        )
    user = f"{written['user']}@" if written["user"] else ""
    return Target(user + (written["ipv6"] or written["host"]), port)
