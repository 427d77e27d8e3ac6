"""A phone that is none: an adb device on loopback with a folder for its files and a few programs for its shell.

Its programs are this machine's, with a handful of Android's own in front, which say what the folder `state` holds.
Paths that begin as a phone's are turned into the folder's in a command, and back in what it prints.
"""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

from tests.benchmark.machines import RK3588, lay_out
from tests.benchmark.phone.adb_protocol import Connection

PACKAGE = "dev.edgebert.demo"
APP = Path(__file__).with_name("stand_in_app.py")
REPOSITORY = Path(__file__).parents[3]
# What stands at a path's beginning on a phone, and would be this machine's own otherwise.
_PHONE_PATHS = re.compile(r"(?<![\w/])(/data/local/tmp|/sdcard|/proc|/sys)(?=/|\b)")
_CPU = "sys/devices/system/cpu"
FILES = {
    **RK3588,
    "proc/meminfo": "MemTotal:        7906532 kB\nMemFree:          342228 kB\nMemAvailable:    3412232 kB\n",
    "proc/loadavg": "4.52 4.58 4.59 1/3389 12345\n",
    "proc/stat": "cpu  1000 20 300 99999 50 6 7 8 900 900\ncpu0 1 2 3\n",
    "proc/sys/kernel/osrelease": "5.10.110-android12-9\n",
    **{f"{_CPU}/cpu{core}/cpufreq/cpuinfo_min_freq": "408000\n" for core in range(8)},
    **{f"{_CPU}/cpu{core}/cpufreq/scaling_cur_freq": "1008000\n" for core in range(8)},
    **{f"{_CPU}/cpu{core}/cpufreq/scaling_governor": "schedutil\n" for core in range(8)},
}
PROPERTIES = {
    "ro.product.manufacturer": "Stand",
    "ro.product.model": "In 3588",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.soc.manufacturer": "Rockchip",
    "ro.soc.model": "RK3588",
    "ro.serialno": "OWNERS-SERIAL",
}
THERMAL_SERVICE = """IsStatusOverride: false
Thermal Status: {status}
Cached temperatures:
\tTemperature{{mValue=84.2, mType=0, mName=CPU, mStatus=0}}
\tTemperature{{mValue=39.9, mType=0, mName=GONE, mStatus=0}}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{{mValue=57.9, mType=0, mName=CPU, mStatus=0}}
\tTemperature{{mValue=34.4, mType=3, mName=SKIN, mStatus=0}}
\tTemperature{{mValue=31.0, mType=2, mName=BATTERY, mStatus=0}}
Current cooling devices from HAL:
"""
DF = """Filesystem      1K-blocks    Used Available Use% Mounted on
/dev/block/dm-10 {size}  20480000 {free}  18% /data
"""
PROGRAMS = {
    "getprop": 'cat "$STATE/properties/$1" 2>/dev/null || echo',
    "pm": 'test -f "$STATE/packages/$2" && echo "package:/data/app/$2/base.apk"',
    "dumpsys": 'cat "$STATE/dumpsys/$1" 2>/dev/null || { echo "Can\'t find service: $1"; exit 1; }',
    "df": 'cat "$STATE/df"',
    "uname": "echo aarch64",
    "settings": 'cat "$STATE/settings/$3" 2>/dev/null || echo null',
    # A process that nobody has waited for yet is none to Android.
    "pidof": 'pid=$(cat "$STATE/app.pid" 2>/dev/null) && grep -qs "^State:.[^ZX]" "/proc/$pid/status" && echo "$pid"',
    "am": f'exec "{sys.executable}" -m tests.benchmark.phone.stand_in_am "$@"',
    "taskset": 'echo "$1" > "$STATE/taskset"; shift; exec "$@"',
}


# A file for a phone's processor begins so; after it stands which tool it stands for.
ELF, TOOL = b"\x7fELF", b" stand-in benchmark_model "
TOOL_BYTES = 4096


def tool_file(path: Path, version: str) -> Path:
    """A benchmark_model that the stand-in phone can run, in the words and with the options of `version`."""
    path.write_bytes((ELF + TOOL + version.encode()).ljust(TOOL_BYTES, b"\0"))
    return path


def _as_program(content: bytes) -> bytes:
    """What such a file is on the stand-in phone: a script as long as the file."""
    if not content.startswith(ELF + TOOL):
        return content
    version = content.removeprefix(ELF + TOOL).rstrip(b"\0").decode()
    script = f'#!/bin/sh\nexec "{sys.executable}" -m tests.benchmark.phone.stand_in_tool "{version}" "$@"\n'
    return script.encode().ljust(len(content), b"\n")


class StandIn:
    """The phone. Its attributes are what can go wrong with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_authorised = True
        self.fails_to_store: str | None = None
        self.commands: list[str] = []
        self.before_command = lambda command: None
        self.banner = "device::ro.product.name=stand_in;ro.product.model=In_3588;features=shell_v2,cmd"
        self._connections: list[tuple[Connection, threading.Thread]] = []
        self._listening: socket.socket | None = None
        self.port = 0
        lay_out(FILES, root)
        for folder in (
            "data/local/tmp",
            "sdcard",
            "bin",
            "state/properties",
            "state/packages",
            "state/dumpsys",
            "state/settings",
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, script in PROGRAMS.items():
            program = root / "bin" / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        for name, value in PROPERTIES.items():
            (root / "state/properties" / name).write_text(f"{value}\n")
        self.install_app()
        self.set_thermal_status(0)
        self.set_free_kib(94_000_000)

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    def install_app(self) -> None:
        (self.root / "state/packages" / PACKAGE).touch()

    def remove_app(self) -> None:
        (self.root / "state/packages" / PACKAGE).unlink()

    def set_thermal_status(self, status: int) -> None:
        (self.root / "state/dumpsys/thermalservice").write_text(THERMAL_SERVICE.format(status=status))

    def hold_back(self, *, asleep: bool, saver: bool) -> None:
        (self.root / "state/dumpsys/power").write_text(f"  mWakefulness={'Asleep' if asleep else 'Awake'}\n")
        (self.root / "state/settings/low_power").write_text(f"{int(saver)}\n")

    def set_free_kib(self, free_kib: int) -> None:
        (self.root / "state/df").write_text(DF.format(size=115_000_000, free=free_kib))

    def app_does(self, what: str) -> None:
        """How the app misbehaves: a word that stand_in_app knows."""
        (self.root / "state/app_does").write_text(what)

    def files_left(self) -> list[str]:
        """What stands where a measurement could have left something."""
        found = [path for place in ("data/local/tmp", "sdcard") for path in (self.root / place).rglob("*")]
        return [str(path.relative_to(self.root)) for path in found if path.is_file()]

    def plug_in(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def unplug(self) -> None:
        if self._listening is not None:
            # A thread that waits in accept() keeps the port open until it is woken.
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None
        for connection, thread in self._connections:
            connection.cut()
            # The command that pulls the cable runs in such a thread's child, never in the thread.
            thread.join(10)
        self._connections.clear()

    def end(self) -> None:
        self.unplug()
        for pid in (self.root / "state/app.pid", *(self.root / "data/local/tmp").rglob("pid")):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.kill(int(pid.read_text()), signal.SIGKILL)

    def run(self, command: str) -> tuple[int, bytes]:
        self.commands.append(command)
        self.before_command(command)
        mapped = _PHONE_PATHS.sub(lambda found: str(self.root / found.group(1).lstrip("/")), command)
        environment = {
            **os.environ,
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "STATE": str(self.root / "state"),
            "ROOT": str(self.root),
            "PYTHONPATH": str(REPOSITORY),
        }
        done = subprocess.run(
            ["/bin/sh", "-c", mapped],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout.replace(f"{self.root}/".encode(), b"/")

    def stat(self, path: str) -> tuple[int, int, int]:
        try:
            found = self._host(path).stat()
        except OSError:
            return 0, 0, 0
        return found.st_mode, found.st_size, int(found.st_mtime)

    def store(self, path: str, mode: int, content: bytes) -> str | None:
        if self.fails_to_store is not None:
            return self.fails_to_store
        target = self._host(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_as_program(content))
        target.chmod(stat.S_IMODE(mode))
        return None

    def load(self, path: str) -> bytes | None:
        target = self._host(path)
        return target.read_bytes() if target.is_file() else None

    def _host(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            connection = Connection(wire, self)
            thread = threading.Thread(target=connection.serve, daemon=True)
            self._connections.append((connection, thread))
            thread.start()
