"""Cloud Storage's XML API, as much of it as a ledger asks for, as a program: prints its address, then serves.

No emulator is to be had that takes writes by this API (fake-gcs-server 1.54 answers 400, "invalid uploadType"), and
``object_store`` writes by no other. Written after Google's reference: PUT with ``x-goog-if-generation-match``, GET,
HEAD, DELETE and ListObjectsV2; pages are short, so that clients have to turn them. Signatures are not checked.
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 5


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: content, generation, and when it was written (seconds since 1970)."""

    content: bytes
    generation: int
    modified_s: float


class Bucket(BaseHTTPRequestHandler):
    """Answers for one bucket, which is the first part of every path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go in two sends: without this the second waits 40 ms for an ACK
    things: dict[str, Thing] = {}  # noqa: RUF012 - one bucket per process
    lock = threading.Lock()

    def do_PUT(self) -> None:
        """Write an object whole; with generation 0 asked for, only where there is none."""
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.lock:
            there = self.things.get(self._key)
            if self.headers.get("x-goog-if-generation-match") == "0" and there is not None:
                self._answer(412)
                return
            thing = Thing(content, 1 if there is None else there.generation + 1, time.time())
            self.things[self._key] = thing
        self._answer(200, b"", self._headers_of(thing))

    def do_GET(self) -> None:
        """Read an object, or list."""
        if not self._key:
            self._list()
            return
        with self.lock:
            thing = self.things.get(self._key)
        if thing is None:
            self._answer(404)
        else:
            self._answer(200, thing.content, self._headers_of(thing))

    do_HEAD = do_GET  # noqa: N815 - as http.server has it

    def do_DELETE(self) -> None:
        """Delete an object."""
        with self.lock:
            self._answer(404 if self.things.pop(self._key, None) is None else 204)

    def _list(self) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        after = max(asked.get("start-after", ""), asked.get("continuation-token", ""))
        with self.lock:
            found = {
                self._shown(key, prefix, delimiter): thing
                for key, thing in sorted(self.things.items())
                if key.startswith(prefix)
            }
        rest = [name for name in sorted(found) if name > after]
        page, more = rest[:_PAGE], len(rest) > _PAGE
        listed = "".join(self._entry(name, found[name], delimiter) for name in page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        body = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{listed}</ListBucketResult>"
        self._answer(200, body.encode())

    @staticmethod
    def _shown(key: str, prefix: str, delimiter: str) -> str:
        """Return what stands for a key in a listing: itself, or what it has in common with others up to a delimiter."""
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        return prefix + head + delimiter if found else key

    @staticmethod
    def _entry(name: str, thing: Thing, delimiter: str) -> str:
        if delimiter and name.endswith(delimiter):
            return f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(thing.modified_s))
        size, etag = len(thing.content), Bucket._etag(thing)
        return (
            f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size><LastModified>{at}</LastModified>"
            f"<ETag>{escape(etag)}</ETag></Contents>"
        )

    @staticmethod
    def _etag(thing: Thing) -> str:
        return f'"{hashlib.md5(thing.content, usedforsecurity=False).hexdigest()}"'

    @staticmethod
    def _headers_of(thing: Thing) -> dict[str, str]:
        return {
            "ETag": Bucket._etag(thing),
            "x-goog-generation": str(thing.generation),
            "Last-Modified": formatdate(thing.modified_s, usegmt=True),
        }

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""


def main() -> None:
    """Serve on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - this is how the parent learns it
    server.serve_forever()


if __name__ == "__main__":
    main()
