"""A moto server as a program of its own: prints its address, then serves S3 with one bucket until it is killed.

Its own process, because delta-rs holds the interpreter of ours in some of its calls. One request at a time, because
moto looks whether an object exists and writes it in two steps: with threads between them two writers of
``If-None-Match: *`` were both let in (seen with 8 at once: one of them died of the other's write). S3 alone, because
moto's dispatcher to all services lists its own folders for each request: a third of what a request costs.

Usage: ``python moto_s3.py BUCKET``.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server


class OneAtATime:
    """Lets one request into an application at a time."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        with self._lock:
            return list(self._app(environ, start_response))


def main(bucket: str) -> None:
    """Serve on a free port of this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, "us-east-1")
    app = OneAtATime(create_backend_app("s3"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - this is how the parent learns it
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
