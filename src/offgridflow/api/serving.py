"""Start the server: which address it may bind to, and uvicorn."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Final

from offgridflow.api.guard import LOOPBACK
from offgridflow.domain.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from offgridflow.api.app import Server
    from offgridflow.settings import Settings

_SWITCH_SECONDS: Final = 0.001
"""How long a thread that makes an answer may hold up the one that sends them; Python's own 5 ms, for each of several
threads, is more than an answer from memory takes."""
_GRACE_SECONDS: Final = 10
"""How long answers that are under way may go on after the signal to stop."""
_EXTRA: Final = frozenset({"arro3.io", "fastapi", "jinja2", "starlette", "uvicorn", "anyio"})


def serve(settings: "Settings", ledger_uri: str | None = None) -> None:
    """Serve API and dashboard until interrupted.

    Raises UsageError for an address beyond this machine without a token, MissingExtraError without the extra
    ``server``, LedgerError where there is no ledger.
    """
    server = server_of(settings, ledger_uri)
    sys.setswitchinterval(_SWITCH_SECONDS)
    import uvicorn  # noqa: PLC0415  in the extra

    logging.getLogger("uvicorn.error").addFilter(is_news)
    uvicorn.run(
        server,
        host=settings.api.host,
        port=settings.api.port,
        log_level="warning",
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )


def is_news(record: logging.LogRecord) -> bool:
    """Return whether a line of the log tells anything: not the traceback of an answer that the stop of the server cut.

    That so many were cut stands in a line of its own already.
    """
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, asyncio.CancelledError)


def server_of(settings: "Settings", ledger_uri: str | None = None) -> "Server":
    """Return the server, its ledger opened, after checking that it may be bound to its address."""
    try:
        from offgridflow.api.app import create_app  # noqa: PLC0415  in the extra
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sentence = f"The server needs {error.name}, which is not installed."
        raise MissingExtraError(sentence, action="Run pip install 'offgridflow[server]'.") from error
    server = create_app(settings, ledger_uri)
    if settings.api.host not in LOOPBACK and not server.parts.tokens.any_active():
        server.parts.service.store.close()
        server.parts.tokens.close()
        sentence = f"Without a token the server binds to this machine only, not to {settings.api.host}."
        raise UsageError(sentence, action="Make one first: offgridflow token create --name NAME.")
    server.parts.service.store.refresh()
    return server
