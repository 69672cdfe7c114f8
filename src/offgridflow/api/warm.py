"""Questions that are asked again and again, answered for a new version before it is served: none is slow by a commit.

They are asked of the application itself, behind the guard, so that what is kept is what a route answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from offgridflow.api.editions import Edition
    from offgridflow.api.kept import Repeated

MOST_SECONDS: Final = 5.0

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


async def ask_again(app: App, edition: "Edition", repeated: Sequence["Repeated"]) -> None:
    """Ask an application for answers of ``edition``, one after the other, which keeps them; the last asked one first.

    A question that fails now stops no other and no version: who asks it next is told why. Past ``MOST_SECONDS`` no
    further one is asked: the version must not come late where the server is busy.
    """
    until = asyncio.get_running_loop().time() + MOST_SECONDS
    for each in reversed(repeated):
        if asyncio.get_running_loop().time() > until:
            return
        await asyncio.gather(app(_scope_of(each, edition), _nothing, _forget), return_exceptions=True)


def _scope_of(repeated: "Repeated", edition: "Edition") -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": repeated.path,
        "raw_path": repeated.path.encode(),
        "query_string": repeated.query,
        "root_path": "",
        "headers": [(b"accept", repeated.accept.encode("latin-1")), (b"accept-encoding", b"gzip")],
        "client": None,
        "server": None,
        "state": {"caller": repeated.caller, "edition": edition},
    }


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _forget(_: Message) -> None:
    return
