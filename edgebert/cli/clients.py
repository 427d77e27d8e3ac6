"""`edgebert clients`: the environments that `edgebert verify` runs phones' clients in."""

import argparse
from pathlib import Path

from edgebert.cli.output import note, table
from edgebert.errors import ClientError

HELP = "install the clients that edgebert verify runs, or list them"
EXAMPLES = """\
  edgebert clients list
  edgebert clients install all
  edgebert clients install task-library

Each client gets a virtual environment with pinned versions in EDGEBERT_CACHE, or in the user's cache folder.
Nothing else in edgebert downloads a client."""

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what is there, in which version, and where")
    install = actions.add_parser(
        "install", help="make the clients' environments (80 MB to download for one, 250 for all)"
    )
    install.add_argument("names", nargs="+", metavar="CLIENT", help=f"task-library, mediapipe, or {ALL}")


def run(arguments: argparse.Namespace) -> int:
    return _list() if arguments.action == "list" else _install(arguments.names)


def _list() -> int:
    from edgebert.export.clients.environments import environment
    from edgebert.export.clients.registry import CLIENTS

    found = [environment(client) for client in CLIENTS]
    rows = [(each.client.name, each.client.title, each.state, each.version or "-", each.place) for each in found]
    print(table(("client", "what it is", "state", "version", "where"), rows))
    return 0


def _install(names: list[str]) -> int:
    from edgebert.export.clients.environments import install
    from edgebert.export.clients.registry import INSTALLABLE

    known = {client.name: client for client in INSTALLABLE}
    for name in names:
        if name not in (*known, ALL):
            raise ClientError(f"clients: expected {', '.join(known)} or {ALL}, got {name!r}. Do: choose out of these.")
    for client in known.values():
        if ALL in names or client.name in names:
            done = install(client, lambda python, client=client: _check(client, python), note)
            print(f"{client.name} {done.version} {done.place}")
    return 0


def _check(client, python: Path) -> str:
    """Start a fresh installation once: what does not start here does not count as installed."""
    from edgebert.export.clients.process import ask_version
    from edgebert.export.clients.refusals import explain

    reply = ask_version(client, python)
    if reply.version is None:
        raise ClientError(
            f"{client.name}: expected it to start after installation, got {explain(client, reply.failure, reply.log)}. "
            "Do: install what is missing and run the command again."
        )
    return reply.version
