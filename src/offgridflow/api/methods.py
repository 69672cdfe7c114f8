"""HEAD and OPTIONS, for every address alike (RFC 9110, 9.3.2 and 9.3.7): neither is declared by any route."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from starlette.routing import BaseRoute, Match, Mount

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

HEADERS_ONLY: Final = "headers_only"
"""Name in the state of a request whose body nobody will see: a route may leave out making it."""
_DECLARED: Final = ("GET", "POST")


def as_get(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a HEAD request as the GET that it is answered like."""
    return {**scope, "method": "GET", "state": {**scope.get("state", {}), HEADERS_ONLY: True}}


def without_body(send: Send) -> Send:
    """Return what sends status and headers of an answer, and nothing of its body."""

    async def bodiless(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bodiless


def allowed(routes: Sequence[BaseRoute], scope: MutableMapping[str, Any]) -> str:
    """Return the methods of an address as the header Allow names them."""
    asked = {
        "type": "http",
        "path": scope["path"],
        "root_path": scope.get("app_root_path", scope.get("root_path", "")),
        "headers": [],
    }
    known = [method for method in _DECLARED if any(_takes(route, {**asked, "method": method}) for route in routes)]
    return ", ".join([*known, *(["HEAD"] if "GET" in known else []), "OPTIONS"])


def _takes(route: BaseRoute, scope: MutableMapping[str, Any]) -> bool:
    is_file = isinstance(route, Mount)  # it matches whatever the method is, and serves files
    return route.matches(scope)[0] is Match.FULL and (scope["method"] == "GET" or not is_file)
