"""Bringing to the board what it lacks, and nothing else."""

import math
from collections.abc import Callable, Iterator, Sequence

from edgebert.benchmark.board import refusals
from edgebert.benchmark.board.connection import Connection
from edgebert.benchmark.board.payloads import Payload
from edgebert.progress import Progress, Report

# What the board keeps, models too: measuring a file again, after a pause or a change of governor, costs no transfer,
# and a teacher is 400 MB over a slow radio. What was not used for longest goes first.
KEPT_BYTES = 1_000_000_000
_MEGABYTE = 1_000_000

Tell = Callable[[str], None]


def deliver(connection: Connection, payloads: Sequence[Payload], folder: str, tell: Tell, report: Report) -> None:
    """See that all of `payloads` are in the board's cache, which is `folder`."""
    unique = {payload.name: payload for payload in payloads}
    entries = [{"name": payload.name, "sha256": payload.sha256} for payload in unique.values()]
    missing = [unique[name] for name in connection.ask("missing", entries=entries)["names"]]
    if not missing:
        tell(f"{connection.target}: everything is there already, nothing is sent")
        return
    room_bytes = sum(payload.room_bytes for payload in missing)
    pruned = connection.ask("prune", limit_bytes=max(KEPT_BYTES - room_bytes, 0), keep=list(unique))
    if pruned["free_bytes"] < room_bytes:
        raise refusals.too_little_room(connection.target, folder, room_bytes, pruned["free_bytes"])
    total_bytes = sum(payload.size_bytes for payload in missing)
    titles = ", ".join(payload.title for payload in missing)
    tell(f"{connection.target}: sending {titles} ({total_bytes / _MEGABYTE:.1f} MB)")
    sent_bytes = 0
    for payload in missing:
        parts = _watched(payload, sent_bytes, total_bytes, report)
        facts = {"name": payload.name, "sha256": payload.sha256, "is_zip": payload.is_zip}
        connection.ask("store", parts, size_bytes=payload.size_bytes, **facts)
        sent_bytes += payload.size_bytes


def _watched(payload: Payload, sent_bytes: int, total_bytes: int, report: Report) -> Iterator[bytes]:
    for part in payload.parts():
        yield part
        sent_bytes += len(part)
        total = math.ceil(total_bytes / _MEGABYTE)
        done = total if sent_bytes == total_bytes else sent_bytes // _MEGABYTE
        report(Progress("send, in MB", done, total, payload.title))
