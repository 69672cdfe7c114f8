"""``offgridflow serve``: the REST API and the dashboard on one ledger."""

from typing import Annotated

import typer

from offgridflow.cli.options import LedgerOption
from offgridflow.cli.session import ledger_uri, open_existing, settings

ORDER = 80


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to bind to, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port, else 8390.")] = None,
    ledger: LedgerOption = None,
) -> None:
    """Serve the REST API and the dashboard until Ctrl+C.

    Without a token it answers to this machine only. To serve others make a token first: offgridflow token create.
    """
    from offgridflow.api.serving import serve as run  # noqa: PLC0415  the server is late

    chosen = settings()
    changes: dict[str, object] = {"host": host, "port": port}
    given = {name: value for name, value in changes.items() if value is not None}
    api = chosen.api.model_copy(update=given)
    uri = ledger_uri(ledger)
    open_existing(ledger)  # no address is shown where there is nothing to serve
    typer.echo(
        f"Dashboard http://{api.host}:{api.port}/  API http://{api.host}:{api.port}/api/v1/  stop: Ctrl+C", err=True
    )
    run(chosen.model_copy(update={"api": api}), uri)
