"""Rows of a query as dictionaries, and a SKU out of a row: what several reports need."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.model import SKU_COLUMNS, Sku, SkuAttributes
from offgridflow.reports.figures import EXACT

if TYPE_CHECKING:
    import duckdb


def records(con: "duckdb.DuckDBPyConnection", sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Run a query and return its rows by column name. Raises LedgerError where a file cannot be read."""
    with reading_ledger():
        cursor = con.execute(sql, list(values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def reading_ledger() -> Iterator[None]:
    """Turn what the engine says of a file that is cut, overwritten or unreadable into LedgerError."""
    import duckdb  # noqa: PLC0415  who lends a connection has loaded it

    try:
        yield
    except duckdb.Error as error:
        files = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
        if not isinstance(error, files) and type(error) is not duckdb.Error:  # a broken footer has no class of its own
            raise
        first = str(error).strip().partition("\n")[0].rstrip(".")
        action = "Run offgridflow verify, which names what is damaged; restore it, or ingest its period with --full."
        sentence = f"The ledger cannot be read: {first}."
        raise LedgerError(sentence, action=action) from error


def sku_of(row: Mapping[str, Any]) -> Sku:
    """Return the SKU that the columns SKU_COLUMNS of a row describe."""
    known = row["attributes"]
    attributes = SkuAttributes(**known) if isinstance(known, Mapping) else SkuAttributes()
    return Sku(**{name: row[name] for name in SKU_COLUMNS if name != "attributes"}, attributes=attributes)


def has_table(con: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Return whether a table or view of this name is there."""
    found = con.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = ?", [name]).fetchone()
    return found is not None and found[0] > 0


def exact(value: float | Decimal) -> Decimal:
    """Return a double as the shortest decimal that reads back as it; a Decimal as it is."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def product(quantity: Decimal | None, rate: float | None) -> Decimal | None:
    """Return quantity x rate, exactly; None where either is unknown."""
    if quantity is None or rate is None:
        return None
    return EXACT.multiply(quantity, exact(rate))
