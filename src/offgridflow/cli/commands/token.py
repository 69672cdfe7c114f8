"""``offgridflow token``: make, list and revoke access tokens of a ledger's server."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import ledger_uri, settings
from offgridflow.domain.errors import UsageError

if TYPE_CHECKING:
    from offgridflow.api.access import Restriction
    from offgridflow.api.tokens import Tokens

ORDER = 82


def register(app: typer.Typer) -> None:
    """Add the command and its three subcommands."""
    group = typer.Typer(no_args_is_help=True, help="Make, list and revoke access tokens of the API and dashboard.")
    group.command("create")(create)
    group.command("list")(list_tokens)
    group.command("revoke")(revoke)
    app.add_typer(group, name="token")


def create(
    *,
    name: Annotated[str, typer.Option("--name", help="Who or what uses it.")],
    scope: Annotated[str, typer.Option("--scope", metavar="read|run|admin", help="What it may do.")] = "read",
    account: Annotated[
        list[str] | None, typer.Option("--account", help="See these accounts only; repeat for several.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="See these tag values only; repeat.")
    ] = None,
    days: Annotated[float | None, typer.Option("--days", min=0, help="Days until it ends; else never.")] = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Make a token and show it once: only its hash is kept.

    With a token the server asks everybody for one. A token that sees some accounts or tags only can read, not run.
    """
    from offgridflow.api.access import Scope  # noqa: PLC0415  the server is late

    if scope not in set(Scope):
        sentence = f"{scope!r} is not a scope."
        raise UsageError(sentence, action=f"Use one of: {', '.join(Scope)}.")
    record, token = _tokens(ledger).create(name, Scope(scope), _restriction(account, tag), days)
    warnings = _unkept(ledger, record.restriction)
    shape = {**record.to_json(), "token": token, "warnings": warnings}
    emit(Answer(shape, [shape], text=f"{token}\n", notes=["Keep it: it cannot be shown again.", *warnings]), form)


def _unkept(ledger: str | None, restriction: "Restriction") -> list[str]:
    """Return a warning where a token is restricted to a tag that neither settings nor ledger keep: it sees nothing."""
    from offgridflow.ledger import Ledger  # noqa: PLC0415  delta-rs is late

    if not restriction.tag_keys:
        return []
    opened = Ledger.open(ledger_uri(ledger))
    live = opened.side.commits(sorted(opened.snapshot().commit_ids)).values()
    kept = {*settings().grain.tag_keys, *(key for commit in live for key in commit.tag_keys)}
    unknown = ", ".join(sorted(restriction.tag_keys - kept))
    warning = f"No row has the tag {unknown}, so that the token sees nothing until one does: see grain.tag_keys."
    return [warning] if unknown else []


def list_tokens(*, ledger: LedgerOption = None, form: FormatOption = Format.TABLE) -> None:
    """List all tokens, without their secrets."""
    rows = [record.to_json() for record in _tokens(ledger).list()]
    emit(Answer({"tokens": rows}, rows, [Table("Tokens", _COLUMNS, rows)]), form)


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, from token list.")],
    *,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Revoke a token at once, and end the browser sessions that it opened."""
    if not _tokens(ledger).revoke(token_id):
        sentence = f"There is no token {token_id!r} that is not revoked."
        raise UsageError(sentence, action="Run offgridflow token list.")
    shape = {"token_id": token_id, "revoked": True}
    emit(Answer(shape, [shape], text=f"Revoked {token_id}.\n"), form)


def _tokens(ledger: str | None) -> "Tokens":
    from offgridflow.api.state import state_of  # noqa: PLC0415  the server is late
    from offgridflow.api.tokens import Tokens  # noqa: PLC0415  the server is late
    from offgridflow.ledger import Ledger  # noqa: PLC0415  delta-rs is late

    uri = ledger_uri(ledger)
    Ledger.open(uri)
    return Tokens(state_of(uri, settings().api.state))


def _restriction(accounts: list[str] | None, tags: list[str] | None) -> "Restriction":
    from offgridflow.api.access import Restriction  # noqa: PLC0415  the server is late

    values: dict[str, list[str]] = {}
    for item in tags or ():
        key, equals, value = item.partition("=")
        if not equals or not key:
            sentence = f"--tag {item!r} is not KEY=VALUE."
            raise UsageError(sentence, action="Write for example --tag team=search.")
        values.setdefault(key, []).append(value)
    return Restriction(tuple(accounts or ()), tuple(sorted((key, tuple(each)) for key, each in values.items())))


def _sees(row: Mapping[str, object]) -> str:
    accounts, tags = row["accounts"], row["tags"]
    parts = [str(account) for account in accounts] if isinstance(accounts, list) else []
    if isinstance(tags, dict):
        parts += [f"{key}={'|'.join(values)}" for key, values in tags.items()]
    return ", ".join(parts) or "everything"


_COLUMNS = (
    Column("id", "token_id"),
    Column("name", "name"),
    Column("scope", "scope"),
    Column("sees", _sees),
    Column("made", "created_at"),
    Column("until", "expires_at"),
    Column("revoked", "revoked_at"),
)
