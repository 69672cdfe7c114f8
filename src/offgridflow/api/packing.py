"""Compression of answers on their way out, for whoever takes it and nobody else."""

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.middleware.gzip import GZipMiddleware

from offgridflow.api.kept import takes_gzip

_HEADER: Final = b"accept-encoding"


class Packing(GZipMiddleware):
    """Starlette's compression, which looks for the word gzip alone, for requests that do not refuse it (``q=0``)."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI
        """Answer a request, compressed where its Accept-Encoding takes gzip."""
        if scope["type"] == "http":
            said = [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER]
            if not takes_gzip(",".join(said)):
                plain = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != _HEADER]}
                try:
                    await super().__call__(plain, receive, send)
                finally:
                    scope["route"] = plain.get("route")  # which the metrics name
                return
        await super().__call__(scope, receive, send)
