"""What raw bills say, read with csv and Decimal alone: none of the product's mappings, SQL or sums."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb

Row = Mapping[str, Any]
KEPT = Decimal("1e-15")
"""The places to which a line's quantity is kept."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a bill. ``sku`` finds its rate: provider, month, service, id, meter, operation, unit, region."""

    provider: str
    account: str
    month: str
    currency: str
    is_usage: bool
    billed: Decimal
    quantity: Decimal | None
    sku: tuple[str | None, ...]
    counts: int = 1


def aws_lines(path: Path) -> Iterator[RawLine]:
    """Yield the lines of a CUR 2.0 in Parquet, which DuckDB reads as it is, row by row."""
    with duckdb.connect() as con:
        cursor = con.execute("FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    for row in rows:
        month = f"{row['bill_billing_period_start_date']:%Y-%m}"
        yield RawLine(
            "aws",
            row["line_item_usage_account_id"],
            month,
            row["line_item_currency_code"],
            row["line_item_line_item_type"] in {"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"},
            _exact(row["line_item_unblended_cost"]),
            None if row["line_item_usage_amount"] is None else _exact(row["line_item_usage_amount"]),
            _sku(
                "aws",
                month,
                (row["product"] or {}).get("product_name", row["line_item_product_code"]),
                row["product_sku"],
                row["line_item_usage_type"],
                row["line_item_operation"],
                row["pricing_unit"],
                row["product_region_code"],
            ),
        )


def azure_lines(path: Path) -> Iterator[RawLine]:
    """Yield the lines of a FOCUS export of Azure."""
    for row in csv_rows(path):
        month = row["BillingPeriodStart"][:7]
        meter = " - ".join(filter(None, (row["x_SkuMeterSubcategory"], row["x_SkuMeterName"])))
        yield RawLine(
            "azure",
            row["SubAccountId"],
            month,
            row["BillingCurrency"],
            row["ChargeCategory"] == "Usage" and row["CommitmentDiscountStatus"] != "Unused",
            Decimal(row["BilledCost"]),
            Decimal(row["ConsumedQuantity"]) if row["ConsumedQuantity"] else None,
            _sku("azure", month, row["ServiceName"], row["SkuId"], meter, None, row["ConsumedUnit"], row["RegionId"]),
        )


def gcp_lines(rows: Iterable[Row]) -> Iterator[RawLine]:
    """Yield the lines of a detailed export; a credit is money of its line, and no line of its own."""
    for row in rows:
        month = f"{row['invoice']['month'][:4]}-{row['invoice']['month'][4:]}"
        usage = row["usage"] or {}
        region = row["location"].get("region") or row["location"].get("location")
        names = (row["service"]["description"], row["sku"]["id"], row["sku"]["description"])
        sku = _sku("gcp", month, *names, None, usage.get("unit"), region)
        quantity = _exact(usage["amount"]) if usage else None
        where = ("gcp", row["project"]["id"], month, row["currency"])
        yield RawLine(*where, row["cost_type"] == "regular", _exact(row["cost"]), quantity, sku)
        for credit in row["credits"]:
            yield RawLine(*where, is_usage=False, billed=_exact(credit["amount"]), quantity=None, sku=sku, counts=0)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a gzip CSV."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def added(lines: Iterable[RawLine], figure: str, keys: Sequence[str]) -> dict[tuple[str, ...], Decimal]:
    """Return sums of a figure of the lines by keys."""
    sums: dict[tuple[str, ...], Decimal] = {}
    for line in lines:
        key = tuple(getattr(line, name) for name in keys)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(getattr(line, figure))
    return sums


def multiplied(
    lines: Iterable[RawLine], rates: Mapping[tuple[str | None, ...], Decimal | None]
) -> dict[tuple[str, ...], Decimal]:
    """Return quantity x rate by (provider, month), summed line by line; a rate of None adds nothing.

    Eighty digits are enough that nothing is rounded: bytes held for seconds are large numbers.

    Raises KeyError for a line of usage whose SKU has no rate.
    """
    sums: dict[tuple[str, ...], Decimal] = {}
    with localcontext(prec=80):
        for line in lines:
            if line.is_usage and line.quantity is not None:
                rate = rates[line.sku]
                if rate is not None:
                    key = (line.provider, line.month)
                    sums[key] = sums.get(key, Decimal(0)) + line.quantity.quantize(KEPT) * rate
    return sums


def _sku(*parts: str | None) -> tuple[str | None, ...]:
    return tuple(part or None for part in parts)


def _exact(value: float) -> Decimal:
    """Return the shortest decimal that is this double, as a bill in text would write it."""
    return Decimal(repr(value))
