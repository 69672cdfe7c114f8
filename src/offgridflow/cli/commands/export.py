"""``offgridflow export`` and ``offgridflow import``: a ledger copied whole to another place, proven equal."""

from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import ledger_uri

ORDER = 46
Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="A folder, or an s3://, az:// or gs:// address.")]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("export")(export_ledger)
    app.command("import")(import_ledger)


def export_ledger(folder: Folder, *, ledger: LedgerOption = None, form: FormatOption = Format.TABLE) -> None:
    """Copy the ledger with its history to a new folder. The copy is checked to have the same digest.

    The copy is a ledger: every command reads it. Run history and access tokens stay behind.
    """
    _copy(ledger_uri(ledger), ledger_uri(folder), form, "Exported")


def import_ledger(folder: Folder, *, ledger: LedgerOption = None, form: FormatOption = Format.TABLE) -> None:
    """Make an exported ledger the ledger here. Only where there is none yet; its digest is checked."""
    _copy(ledger_uri(folder), ledger_uri(ledger), form, "Imported")


def _copy(origin: str, target: str, form: Format, title: str) -> None:
    from offgridflow.pipeline.transfer import copy_ledger  # noqa: PLC0415  delta-rs is late

    done = copy_ledger(origin, target)
    row = {
        "ledger": done.uri,
        "ledger_version": done.ledger_version,
        "digest": done.digest,
        "files": done.files,
        "bytes": done.bytes_copied,
    }
    columns = (
        Column("ledger", "ledger"),
        Column("version", "ledger_version", people.count),
        Column("files", "files", people.count),
        Column("bytes", "bytes", people.count),
    )
    emit(
        Answer(row, [row], [Table(title, columns, [row])], notes=[f"Digest {done.digest}, equal on both sides."]), form
    )
