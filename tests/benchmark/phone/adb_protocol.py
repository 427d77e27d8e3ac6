"""The device's side of adb, as the protocol's public description has it (AOSP, packages/modules/adb/protocol.txt and
SYNC.TXT): enough of CNXN, AUTH, OPEN, shell (v1 and v2) and sync for the real client to work against.

What the device is, a `Services` decides; this module only moves its bytes.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol

CONNECT, OPEN, OKAY, WRITE, CLOSE, AUTHENTICATE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"WRTE", b"CLSE", b"AUTH")
)
VERSION, MOST_BYTES = 0x01000001, 256 * 1024
TOKEN, SIGNATURE, TOKEN_BYTES = 1, 2, 20
STDOUT, STDERR, EXIT = 1, 2, 3


class Services(Protocol):
    """The device behind the wire."""

    banner: str
    is_authorised: bool

    def run(self, command: str) -> tuple[int, bytes]:
        """The exit status and the output of a command in its shell."""

    def stat(self, path: str) -> tuple[int, int, int]:
        """Mode, size and time of a file; zeros where there is none."""

    def store(self, path: str, mode: int, content: bytes) -> str | None:
        """Keep a file; what went wrong, or None."""

    def load(self, path: str) -> bytes | None:
        """A file's content; None where there is none."""


class Stream:
    """One service that the client has opened."""

    def __init__(self, connection: "Connection", local: int, remote: int) -> None:
        self._connection, self.local, self.remote = connection, local, remote
        self._received, self._ready = bytearray(), threading.Condition()
        self._acknowledged = threading.Semaphore(0)
        self.is_closed = False

    def receive(self, content: bytes) -> None:
        with self._ready:
            self._received += content
            self._ready.notify_all()

    def acknowledge(self) -> None:
        self._acknowledged.release()

    def end(self) -> None:
        with self._ready:
            self.is_closed = True
            self._ready.notify_all()
        self._acknowledged.release()

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes; an EOFError where the client went away before."""
        with self._ready:
            self._ready.wait_for(lambda: len(self._received) >= count or self.is_closed)
            if len(self._received) < count:
                raise EOFError
            content = bytes(self._received[:count])
            del self._received[:count]
        return content

    def write(self, content: bytes) -> None:
        for start in range(0, len(content), self._connection.most_bytes):
            if self.is_closed:
                raise EOFError
            part = content[start : start + self._connection.most_bytes]
            self._connection.send(WRITE, self.local, self.remote, part)
            self._acknowledged.acquire()

    def close(self) -> None:
        self._connection.send(CLOSE, self.local, self.remote)


class Connection:
    """One adb server that has connected."""

    def __init__(self, wire: socket.socket, services: Services) -> None:
        self._wire, self._services = wire, services
        self._sending = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._opened = 0
        self.most_bytes = 4096

    def send(self, command: int, first: int, second: int, content: bytes = b"") -> None:
        header = struct.pack(
            "<6I", command, first, second, len(content), sum(content) & 0xFFFFFFFF, command ^ 0xFFFFFFFF
        )
        with self._sending:
            self._wire.sendall(header + content)

    def serve(self) -> None:
        try:
            while True:
                command, first, second, length, _, _ = struct.unpack("<6I", self._receive(24))
                self._answer(command, first, second, self._receive(length))
        except (EOFError, OSError):
            for stream in list(self._streams.values()):
                stream.end()
        finally:
            self._wire.close()

    def cut(self) -> None:
        """As when the cable is pulled."""
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)

    def _receive(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            part = self._wire.recv(count - len(content))
            if not part:
                raise EOFError
            content += part
        return content

    def _answer(self, command: int, first: int, second: int, content: bytes) -> None:
        if command == CONNECT and self._services.is_authorised:
            self.most_bytes = min(second, MOST_BYTES)
            self.send(CONNECT, VERSION, MOST_BYTES, self._services.banner.encode())
        elif command == CONNECT or (command == AUTHENTICATE and first == SIGNATURE):
            # None of the keys is known: ask for the next. The last one comes as it is, for the owner to allow it in a
            # dialog, who never does.
            self.send(AUTHENTICATE, TOKEN, 0, bytes(TOKEN_BYTES))
        elif command == OPEN:
            self._open(first, content.rstrip(b"\0").decode())
        elif command == WRITE and second in self._streams:
            self._streams[second].receive(content)
            self.send(OKAY, second, first)
        elif command == OKAY and second in self._streams:
            self._streams[second].acknowledge()
        elif command == CLOSE and second in self._streams:
            self._streams.pop(second).end()

    def _open(self, remote: int, service: str) -> None:
        self._opened += 1
        stream = Stream(self, self._opened, remote)
        self._streams[stream.local] = stream
        self.send(OKAY, stream.local, remote)
        kind, _, argument = service.partition(":")
        name, *options = kind.split(",")
        serve: Callable[[Stream], None]
        if name in ("shell", "exec"):
            serve = lambda stream: self._shell(stream, argument, "v2" in options)  # noqa: E731
        else:
            serve = self._sync
        threading.Thread(target=self._serve, args=(serve, stream), daemon=True).start()

    def _serve(self, serve: Callable[[Stream], None], stream: Stream) -> None:
        try:
            serve(stream)
            stream.close()
        except (EOFError, OSError):
            stream.end()

    def _shell(self, stream: Stream, command: str, framed: bool) -> None:
        status, output = self._services.run(command)
        if not framed:
            stream.write(output)
            return
        if output:
            stream.write(struct.pack("<BI", STDOUT, len(output)) + output)
        stream.write(struct.pack("<BIB", EXIT, 1, status & 0xFF))

    def _sync(self, stream: Stream) -> None:
        while True:
            request, length = struct.unpack("<4sI", stream.read(8))
            if request == b"QUIT":
                return
            path = stream.read(length).decode()
            if request == b"STAT":
                stream.write(b"STAT" + struct.pack("<3I", *self._services.stat(path)))
            elif request == b"SEND":
                self._take(stream, path)
            elif request == b"RECV":
                self._give(stream, path)

    def _take(self, stream: Stream, written: str) -> None:
        path, _, mode = written.rpartition(",")
        content = b""
        while True:
            part, length = struct.unpack("<4sI", stream.read(8))
            if part == b"DONE":
                break
            content += stream.read(length)
        complaint = self._services.store(path, int(mode), content)
        stream.write(b"OKAY" + bytes(4) if complaint is None else _failure(complaint))

    def _give(self, stream: Stream, path: str) -> None:
        content = self._services.load(path)
        if content is None:
            stream.write(_failure("No such file or directory"))
            return
        for start in range(0, len(content), 65536):
            part = content[start : start + 65536]
            stream.write(b"DATA" + struct.pack("<I", len(part)) + part)
        stream.write(b"DONE" + bytes(4))


def _failure(complaint: str) -> bytes:
    return b"FAIL" + struct.pack("<I", len(complaint)) + complaint.encode()
