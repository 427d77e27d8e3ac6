"""`edgebert emulator`: the emulated ARM64 cores that `edgebert benchmark --on emulated:...` counts instructions on."""

import argparse
from pathlib import Path

from edgebert.cli.output import note, table

HELP = "install the emulated ARM64 cores that edgebert benchmark counts instructions on, or list them"
EXAMPLES = """\
  edgebert emulator list
  edgebert emulator install
  edgebert emulator install --sources debian12.sources

Linux on x86-64 only; needs apt, dpkg-deb, pip and a C compiler, no root and no container. It downloads about 90 MB
into EDGEBERT_CACHE, or the user's cache folder, and installs nothing on this machine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the cores, what is installed, in which versions, and where")
    install = actions.add_parser("install", help="make the emulator, unless it is there")
    install.add_argument(
        "--sources", type=Path, metavar="FILE", help="a .sources or .list of Debian 12 (default: this machine's own)"
    )
    install.add_argument("--again", action="store_true", help="make it anew")


def run(arguments: argparse.Namespace) -> int:
    return _list() if arguments.action == "list" else _install(arguments)


def _install(arguments: argparse.Namespace) -> int:
    from edgebert.benchmark.emulated.installing import install

    done = install(note, arguments.sources, arguments.again)
    print(f"emulator {done.emulator} {done.folder}")
    return 0


def _list() -> int:
    from edgebert.benchmark.emulated.cores import CORES, PLACE
    from edgebert.benchmark.emulated.environment import find_environment

    found = find_environment()
    rows = [(f"{PLACE}:{core.name}", core.title, core.multiplies_int8_by, found.state) for core in CORES]
    print(table(("place", "core", "multiplies int8 by", "state"), rows))
    print(f"\nin {found.folder}")
    for name, version in found.versions.items():
        print(f"{name} {version}")
    return 0
