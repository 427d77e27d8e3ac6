"""A real sshd on loopback that plays a board: run by the present user, with keys, accounts and a home of its own.

It is Debian's, fetched by apt and installed nowhere. `nss_wrapper` gives it an account file, so that the login has a
home of the test's and the machine's own accounts stay as they are. What the login finds by the name python3 is an arm64
Python on an emulated core.
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edgebert.benchmark.emulated.cores import EmulatedCore
from edgebert.benchmark.emulated.environment import GUEST_PYTHON, Environment
from edgebert.benchmark.emulated.packages import download_packages, unpack_packages
from edgebert.cache import cache_folder, locked
from edgebert.files import make_folder

USER = "board"
# The release whose sshd is one program: later ones start others from fixed places.
_PACKAGES = ("openssh-server=1:9.2*", "libnss-wrapper")
_LIBRARIES = "x86_64-linux-gnu"
# Compiled into sshd; it is only looked at where root starts it.
_PRIVILEGE_SEPARATION = Path("/run/sshd")


def fetch_sshd() -> Path:
    """The tree with sshd and its libraries, fetched once."""
    folder = make_folder(cache_folder()) / "sshd-for-tests"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix="sshd.partial-", dir=folder.parent) as partial:
                packages = download_packages("amd64", _PACKAGES, Path(partial, "downloads"), None)
                unpack_packages(packages, Path(partial, "tree"))
                Path(partial, "tree").rename(folder)
    return folder


class Server:
    def __init__(self, folder: Path, tree: Path) -> None:
        self.folder, self._tree = folder, tree
        self.home, self.programs, self.log = folder / "home", folder / "bin", folder / "log"
        self.port = _free_port()
        self._process: subprocess.Popen | None = None
        for made in (self.home, self.programs):
            made.mkdir()
        for name in ("host_key", "user_key", "other_key"):
            _make_key(folder / name)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self.know(folder / "host_key.pub")
        self._configure()

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def know(self, public_key: Path) -> None:
        kind, key, *_ = public_key.read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def install(self, emulator: Environment, core: EmulatedCore) -> None:
        """What the login finds on its path, and nothing else."""
        view = emulator.view(core)
        options = ["-cpu", core.emulator_cpu, "-L", view, "-0", f"/{GUEST_PYTHON}", view / GUEST_PYTHON]
        command = shlex.join(map(str, [*emulator.emulator_command(), *options]))
        for name, script in (("python3", f'exec {command} "$@"'), ("uname", "echo aarch64")):
            (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (self.programs / name).chmod(0o755)

    def client(self, programs: Path) -> None:
        """An `ssh` in `programs`: this machine's, with a configuration of the test's in place of the user's."""
        settings = {"HostName": "127.0.0.1", "Port": self.port, "User": USER, "IdentitiesOnly": "yes"}
        settings |= {"IdentityFile": self.folder / "user_key", "UserKnownHostsFile": self.known_hosts}
        lines = ["Host board", *(f"  {name} {value}" for name, value in settings.items())]
        (self.folder / "ssh_config").write_text("\n".join(lines) + "\n")
        script = f'exec {shutil.which("ssh")} -F {shlex.quote(str(self.folder / "ssh_config"))} "$@"'
        (programs / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "ssh").chmod(0o755)

    def start(self) -> None:
        libraries = [self._tree / "lib" / _LIBRARIES, self._tree / "usr/lib" / _LIBRARIES]
        loader = [libraries[0] / "ld-linux-x86-64.so.2", "--library-path", ":".join(map(str, libraries))]
        wrapper = ["--preload", libraries[1] / "libnss_wrapper.so"]
        accounts = {"NSS_WRAPPER_PASSWD": self.folder / "passwd", "NSS_WRAPPER_GROUP": self.folder / "group"}
        with self.log.open("a") as log:
            # -r: it would start itself anew, without the loader.
            self._process = subprocess.Popen(
                [*loader, *wrapper, self._tree / "usr/sbin/sshd", "-D", "-e", "-r", "-f", self.folder / "config"],
                env={**os.environ, **{name: str(path) for name, path in accounts.items()}},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def sessions(self) -> list[int]:
        """The processes of the connections that are open now."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(number) for number in children.split()]

    def signal_sessions(self, number: signal.Signals) -> None:
        for process in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _configure(self) -> None:
        user, group = os.getuid(), os.getgid()
        accounts = [f"{USER}:*:{user}:{group}::{self.home}:/bin/sh", "sshd:*:74:74::/:/usr/sbin/nologin"]
        (self.folder / "passwd").write_text("\n".join(accounts) + "\n")
        (self.folder / "group").write_text(f"{USER}:x:{group}:\nsshd:x:74:\n")
        settings = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.folder / "host_key",
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "PidFile": "none",
            "UsePAM": "no",
            # The temporary folder's parents may be writable by all.
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            # All workers share one channel; the default, ten, would not be enough for a sweep with a channel each.
            "MaxSessions": 1,
            "SetEnv": f"PATH={self.programs}",
        }
        (self.folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))


@contextlib.contextmanager
def privilege_separation() -> Iterator[None]:
    """The empty folder that sshd wants when root starts it, for as long as it runs."""
    if os.getuid() != 0 or _PRIVILEGE_SEPARATION.exists():
        yield
        return
    _PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    try:
        yield
    finally:
        _PRIVILEGE_SEPARATION.rmdir()


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
