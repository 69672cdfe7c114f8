"""A period's grouped rows as a part: a gzip of CSV in the columns that the format ``gcp_billing_activities`` maps.

Rows are written as pages come in, so memory holds a page. A credit is a row of its own, of class ``credit`` and of no
line items, because in the export it is a field of the line that it reduces.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, cast

from offgridflow.domain.periods import Month

COLUMNS: Final = (
    "billing_period_start",
    "charge_period_start",
    "billing_account_id",
    "project_id",
    "project_name",
    "region",
    "service_category",
    "service_id",
    "service_name",
    "sku_id",
    "sku_meter",
    "resource_id",
    "consumed_unit",
    "currency",
    "charge_class",
    "machine_spec",
    "cores",
    "memory_mib",
    "pricing_model",
    "labels",
    "consumed_quantity",
    "billed_cost",
    "effective_cost",
    "line_items",
)

_CREDIT: Final = "credit"
_NONE: Final = Decimal(0)


@dataclass(slots=True)
class Sum:
    """Lines and money."""

    line_items: int = 0
    money: Decimal = _NONE

    def add(self, line_items: int, money: Decimal) -> None:
        """Add to it, exactly."""
        self.line_items += line_items
        self.money += money


def write_part(path: Path, period: Month, pages: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str | None, Sum]:
    """Write the pages to ``path`` and return what was written, by currency.

    Equal rows in equal order give equal bytes.
    """
    sums: dict[str | None, Sum] = {}
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        io.TextIOWrapper(cast("IO[bytes]", packed), encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for page in pages:
            for record in page:
                for row in _rows_of(period, record):
                    writer.writerow([_cell(row[column]) for column in COLUMNS])
                    sums.setdefault(row["currency"], Sum()).add(row["line_items"], row["billed_cost"])
    return sums


def _rows_of(period: Month, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    cost, credit = record["cost"] or _NONE, record["credits"] or _NONE
    shared = {
        **record,
        "billing_period_start": period.start,
        "labels": _labels(record["labels"]),
    }
    yield {**shared, "billed_cost": cost}
    if credit:
        alone = {"charge_class": _CREDIT, "consumed_quantity": None, "line_items": 0}
        yield {**shared, **alone, "billed_cost": credit, "effective_cost": _NONE}


def _labels(text: str | None) -> str | None:
    """Turn ``["key","value"],["key","value"]`` into a JSON object; of a key that comes twice, the last value counts."""
    if not text:
        return None
    pairs: list[tuple[str, str]] = json.loads(f"[{text}]")
    return json.dumps(dict(sorted((key, value) for key, value in pairs if value)), ensure_ascii=False)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{value:f}" if isinstance(value, Decimal) else value
