"""``offgridflow maintain``: pack small files, remove what no kept version needs, keep versions by name."""

from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_existing
from offgridflow.domain.errors import UsageError

ORDER = 43


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("maintain")(maintain)


def maintain(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed; pack nothing.")] = False,
    pin: Annotated[str | None, typer.Option("--pin", metavar="NAME", help="Keep today's version for ever.")] = None,
    unpin: Annotated[str | None, typer.Option("--unpin", metavar="NAME", help="Let a kept version go.")] = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Pack small files and remove those that no version needs.

    Versions within the retention and pinned ones keep theirs. Figures, digest and readable versions stay as they are.
    """
    from offgridflow import ledger as care  # noqa: PLC0415  delta-rs is late

    if dry_run and (pin is not None or unpin is not None):
        sentence = "--dry-run changes nothing, and --pin and --unpin do."
        raise UsageError(sentence, action="Give one or the other.")
    opened = open_existing(ledger)
    if unpin is not None and unpin not in care.pins(opened):
        sentence = f"There is no pin {unpin!r} in this ledger."
        raise UsageError(sentence, action=f"Its pins: {', '.join(sorted(care.pins(opened))) or 'none'}.")
    if pin is not None:
        care.pin(opened, opened.version(), pin)
    if unpin is not None:
        care.unpin(opened, unpin)
    saved = 0 if dry_run else care.compact(opened)
    swept = care.vacuum(opened, dry_run=dry_run)
    pins = [{"name": name, "ledger_version": version} for name, version in sorted(care.pins(opened).items())]
    data = {
        "dry_run": dry_run,
        "packed_files": saved,
        "removed_files": list(swept.paths),
        "removed_bytes": swept.size_bytes,
        "pins": pins,
    }
    verb = "would be removed" if dry_run else "removed"
    notes = [
        f"{people.count(saved)} files packed away.",
        f"{people.count(len(swept.paths))} files ({people.count(swept.size_bytes)} bytes) {verb}.",
    ]
    columns = (Column("pin", "name"), Column("version", "ledger_version", people.count))
    tables = [Table("Versions that are kept", columns, pins)] if pins else []
    emit(Answer(data, pins, tables, notes=notes), form)
