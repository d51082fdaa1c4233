"""A model hub on loopback: addresses, headers, redirections and ranges as the real one's, and faults on order.

`/owner/name/resolve/revision/path` answers HEAD and GET as the hub: small files itself, with git's name of the content
as their tag; large ones by a redirection to a second port, the "store", with the content's SHA-256 in X-Linked-Etag.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class TestHub:
    """What the server holds, does wrong, and has seen."""

    __test__ = False

    files: dict[str, bytes] = field(default_factory=dict)
    """By "owner/name/path"; those above 1000 bytes lie in the store."""
    token: str = ""
    """Without this one: 401."""
    busy: int = 0
    """So many next requests for content are answered 503."""
    cuts: list[int] = field(default_factory=list)
    """After so many bytes the next answers of the store are cut."""
    corrupt: bool = False
    """Whether the store sends other bytes than were promised."""
    ranges: bool = True
    """Whether the store knows ranges."""
    linked_tag: str | None = None
    """Told in place of the true SHA-256."""
    endpoint: str = ""
    store: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, range) of every request for content."""
    tokens: Counter[str] = field(default_factory=Counter)
    """Authorization headers by "hub" and "store"."""
    proxied: int = 0
    """Requests that came as a proxy's do, with the whole address."""

    def ranges_asked(self) -> list[str]:
        """The ranges that the store was asked for."""
        return [asked for method, path, asked in self.requests if method == "GET" and path.startswith("/store/")]


@contextmanager
def serve_hub(hub: TestHub) -> Iterator[TestHub]:
    """Run the hub and its store on ports of their own."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.endpoint, hub.store = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: TestHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def _answer(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        hub.proxied += bool(url.scheme)
        in_store = url.path.startswith("/store/")
        if self.headers.get("Authorization"):
            hub.tokens["store" if in_store else "hub"] += 1
        hub.requests.append((self.command, url.path, self.headers.get("Range", "")))
        if hub.busy and self.command == "GET":
            hub.busy -= 1
            self._send(503, b"busy")
        elif in_store:
            self._store(hub.files[url.path.removeprefix("/store/")])
        else:
            self._hub(url.path)

    def _hub(self, path: str) -> None:
        hub = self.hub
        owner, name, _, _, rest = path.lstrip("/").split("/", 4)
        key = f"{owner}/{name}/{rest}"
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._send(401, b"", {"X-Error-Code": "GatedRepo"})
        elif key not in hub.files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif len(content := hub.files[key]) > 1000:
            tag = hub.linked_tag or hashlib.sha256(content).hexdigest()
            linked = {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content)), "X-Repo-Commit": COMMIT}
            self._send(302, b"", {**linked, "Location": f"{hub.store}/store/{key}?signature=secret", "ETag": '"x"'})
        else:
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            self._send(200, content, {"ETag": f'"{blob}"', "X-Repo-Commit": COMMIT})

    def _store(self, content: bytes) -> None:
        asked = self.headers.get("Range", "")
        if self.hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if not asked or not self.hub.ranges:
            return self._send(200, content)
        start = int(asked.removeprefix("bytes=").split("-")[0])
        if start >= len(content):
            return self._send(416, b"")
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206, content[start:], {"Content-Range": where})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.path.find("/store/") >= 0 and status in (200, 206) and self.hub.cuts:
            self.wfile.write(body[: self.hub.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)
