"""A hub on loopback that the real client talks to: one repository, and a record of what was asked for."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    def __init__(self, name: str, files: Mapping[str, bytes], status: int = 200, error_code: str | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.files, self.status, self.error_code = name, files, status, error_code
        self.fetched: list[str] = []
        self.requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *arguments: object) -> None:
        """Nothing: the requests are expected."""

    def _answer(self, *, with_body: bool) -> None:
        hub = self.server
        hub.requests += 1
        path = self.path.split("?")[0]
        resolved = f"/{hub.name}/resolve/"
        if hub.status != 200:
            self._send(b"{}", with_body, status=hub.status)
        elif path.startswith(f"/api/models/{hub.name}/tree/"):
            tree = [{"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                    for name, content in hub.files.items()]  # fmt: skip
            self._send(json.dumps(tree).encode(), with_body)
        elif path.startswith(f"/api/models/{hub.name}"):
            siblings = [{"rfilename": name} for name in hub.files]
            self._send(json.dumps({"id": hub.name, "sha": COMMIT, "siblings": siblings}).encode(), with_body)
        elif path.startswith(resolved) and path.removeprefix(resolved).partition("/")[2] in hub.files:
            name = path.removeprefix(resolved).partition("/")[2]
            if with_body:
                hub.fetched.append(name)
            self._send(hub.files[name], with_body, etag=_etag(hub.files[name]))
        else:
            self._send(b"{}", with_body, status=404)

    def _send(self, body: bytes, with_body: bool, *, status: int = 200, etag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if self.server.error_code:
            self.send_header("X-Error-Code", self.server.error_code)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def served(hub: FakeHub) -> Iterator[FakeHub]:
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
