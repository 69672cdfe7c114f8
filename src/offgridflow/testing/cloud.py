"""A fake cloud: an HTTP server on the loopback that holds objects, answers routes, and misbehaves as told.

Real sockets and threads, the standard library only. It checks no signatures and no credentials; what it cannot prove
about the real providers is said in docs/cloud.md.
"""

import hashlib
import re
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from offgridflow.testing.faults import Answer, Blackhole, Corrupt, Cut, Delay, Drip, Fault, Reset, Restate
from offgridflow.testing.messages import Dialect, Handler, Reply, Seen, error_reply

_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
_RST: Final = struct.pack("ii", 1, 0)
_NO_CONTENT: Final = frozenset({204, 304})
_FIRST_FINAL_STATUS: Final = 200


@dataclass(slots=True)
class _Rule:
    fault: Fault
    path: str | None
    skip: int
    times: int | None

    def takes(self, path: str) -> bool:
        """Return whether the rule applies to this request; counts it."""
        if self.times == 0 or (self.path is not None and self.path != path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class FakeCloud:
    """Objects, routes and faults behind ``url``. Use it as a context manager.

    ::

        with FakeCloud(Dialect.S3) as cloud:
            cloud.put("/bucket/part-0.csv.gz", content)
            cloud.inject(throttled(Dialect.S3, "1"), times=2)
            cloud.inject(Cut(after_bytes=1000), path="/bucket/part-0.csv.gz")
            ...  # point the SDK's endpoint at cloud.url
            assert cloud.count("/bucket/part-0.csv.gz") == 4

    Args:
        dialect: in whose form errors are sent.

    """

    def __init__(self, dialect: Dialect = Dialect.PLAIN) -> None:
        self.dialect = dialect
        self._objects: dict[str, bytes] = {}
        self._routes: dict[tuple[str, str], Handler] = {}
        self._rules: list[_Rule] = []
        self._seen: list[Seen] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[Seen]:
        """All requests so far, in the order of arrival."""
        with self._lock:
            return list(self._seen)

    def count(self, path: str | None = None) -> int:
        """Return how many requests arrived, for ``path`` or at all."""
        return sum(1 for seen in self.requests if path is None or seen.path == path)

    def put(self, path: str, content: bytes) -> str:
        """Store an object (again: restate it) and return its ETag, quotes included."""
        with self._lock:
            self._objects[path] = content
        return etag_of(content)

    def remove(self, path: str) -> None:
        """Remove an object."""
        with self._lock:
            self._objects.pop(path, None)

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Answer ``method path`` with ``handler`` from now on."""
        with self._lock:
            self._routes[method, path] = handler

    def inject(self, fault: Fault, *, times: int | None = 1, path: str | None = None, skip: int = 0) -> None:
        """Let the next ``times`` requests (None: all) for ``path`` (None: any) go wrong, after ``skip`` good ones.

        Rules apply in the order in which they were injected, one per request.
        """
        with self._lock:
            self._rules.append(_Rule(fault, path, skip, times))

    def forget_faults(self) -> None:
        """Let everything go right from now on."""
        with self._lock:
            self._rules.clear()

    def arrive(self, seen: Seen) -> Fault | None:
        """Note a request; return the fault that it meets."""
        with self._lock:
            self._seen.append(seen)
            fault = next((rule.fault for rule in self._rules if rule.takes(seen.path)), None)
            if isinstance(fault, Restate):
                self._objects[seen.path] = fault.content
            return fault

    def reply(self, seen: Seen) -> Reply:
        """Return the right answer to a request."""
        with self._lock:
            handler = self._routes.get((seen.method, seen.path))
            content = self._objects.get(seen.path, self._objects.get(unquote(seen.path)))
        if handler is not None:
            return handler(seen)
        if content is None or seen.method not in {"GET", "HEAD"}:
            return error_reply(self.dialect, Answer(404, _NOT_FOUND.get(self.dialect, "NotFound")))
        return self._object(seen, content)

    def _object(self, seen: Seen, content: bytes) -> Reply:
        etag = etag_of(content)
        wanted = seen.headers.get("if-match")
        if wanted is not None and wanted.strip('"') != etag.strip('"'):
            code = "ConditionNotMet" if self.dialect is Dialect.AZURE_BLOB else "PreconditionFailed"
            return error_reply(self.dialect, Answer(412, code))
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        match = _RANGE.fullmatch(seen.headers.get("x-ms-range") or seen.headers.get("range") or "")
        if match is None:
            return Reply(200, content, headers)
        first = int(match[1])
        last = min(int(match[2] or len(content)), len(content) - 1)
        if first >= len(content):
            return error_reply(self.dialect, Answer(416, "InvalidRange"))
        content_range = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return Reply(206, content[first : last + 1], headers | content_range)


_NOT_FOUND: Final = {
    Dialect.S3: "NoSuchKey",
    Dialect.AWS_JSON: "ResourceNotFoundException",
    Dialect.AZURE: "ResourceNotFound",
    Dialect.AZURE_BLOB: "BlobNotFound",
    Dialect.GOOGLE: "notFound",
}


def etag_of(content: bytes) -> str:
    """Return the ETag that the fake cloud gives to ``content``, quotes included."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about clients that went away; faults are made so that they do."""


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the cloud what to answer, and acts the fault out."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def serve(self) -> None:
        """Serve one request of any method."""
        length = int(self.headers.get("Content-Length") or 0)
        seen = Seen.of(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        cloud = self.server.cloud
        fault = cloud.arrive(seen)
        match fault:
            case Reset():
                self._reset()
            case Blackhole():
                cloud.stopping.wait()
                self.close_connection = True
            case Answer():
                self._send(error_reply(cloud.dialect, fault), None)
            case Delay(seconds=seconds):
                cloud.stopping.wait(seconds)
                self._send(cloud.reply(seen), None)
            case _:
                self._send(cloud.reply(seen), fault)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        self.connection.close()

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        body = _flip(reply.body, fault.at_byte) if isinstance(fault, Corrupt) and reply.body else reply.body
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        bare = reply.status in _NO_CONTENT or reply.status < _FIRST_FINAL_STATUS
        if not bare:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bare and self.command != "HEAD":
            self._send_body(body, fault)

    def _send_body(self, body: bytes, fault: Fault | None) -> None:
        if isinstance(fault, Cut):
            self.wfile.write(body[: fault.after_bytes])
            self.close_connection = True
        elif isinstance(fault, Drip):
            self._drip(body, fault)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, fault: Drip) -> None:
        for start in range(0, len(body), fault.chunk_bytes):
            if self.server.cloud.stopping.wait(fault.pause_seconds):
                self.close_connection = True
                return
            self.wfile.write(body[start : start + fault.chunk_bytes])
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Stay silent; ``FakeCloud.requests`` tells what came."""


for _verb in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
    setattr(_Handler, f"do_{_verb}", _Handler.serve)


def _flip(body: bytes, at_byte: int) -> bytes:
    at = at_byte % len(body)
    return body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
