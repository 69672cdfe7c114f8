"""A price list that the user brings in a CSV, checked cell by cell; docs/dashboard.md tells its columns.

It answers for what the ledger never paid for: a row names a thing (a meter, a SKU id or an instance type) in a region,
and the price of one unit of it in one currency. Nothing is converted and nothing is guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from offgridflow.domain.errors import InputError
from offgridflow.domain.identity import digest_of
from offgridflow.domain.model import Sku
from offgridflow.domain.user_csv import Header, Record, records

REQUIRED: Final = ("provider", "region_id", "unit", "price", "currency")
THINGS: Final = ("sku", "instance_type")
TERMS: Final = ("service_name", "operation", "pricing_model")
COLUMNS: Final = (*REQUIRED, *THINGS, *TERMS)
ANY: Final = "*"
"""In ``pricing_model``: whatever the terms are."""
_MOST: Final = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A row of a price list: what it fits, and money per ONE unit. Empty cells fit everything, but for the terms.

    An empty ``pricing_model`` fits what is bought without commitment and is no spot capacity.
    """

    line: int
    provider: str
    region_id: str
    unit: str
    currency: str
    price: Decimal
    sku: str
    instance_type: str
    service_name: str
    operation: str
    pricing_model: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Where a row is found: provider, region, unit and currency, in one spelling."""
        return _key(self.provider, self.region_id, self.unit, self.currency)

    @property
    def terms(self) -> tuple[object, ...]:
        """What a row fits; two rows with equal terms contradict each other."""
        return (*self.key, self.sku, self.instance_type, self.service_name, self.operation, self.pricing_model.lower())

    @property
    def narrowness(self) -> int:
        """How many of the cells that narrow a row are filled."""
        return sum(map(bool, (self.sku, self.instance_type, self.service_name, self.operation, self.pricing_model)))

    def fits(self, sku: Sku, meter: str | None) -> bool:
        """Return whether a SKU is what the row prices; ``meter`` is its meter without region and price."""
        return (
            (not self.sku or self.sku in {sku.sku_meter, sku.sku_id, meter})
            and (not self.instance_type or _runs_on(sku, meter, self.instance_type))
            and (not self.service_name or self.service_name == sku.service_name)
            and (not self.operation or self.operation == sku.operation)
            and self._has_terms(sku.attributes.pricing_model)
        )

    def _has_terms(self, pricing_model: str | None) -> bool:
        if self.pricing_model in {ANY, ""}:
            return self.pricing_model == ANY or _COMMITTED.search(pricing_model or "") is None
        return self.pricing_model.lower() == (pricing_model or "").lower()


_COMMITTED: Final = re.compile(r"spot|preempt|reserv|saving|commit", re.IGNORECASE)
_MACHINE_HOURS: Final = re.compile(r"(?:Box|Instance|Node|Spot|Dedicated|Multi-AZ)Usage\b.*?:(?P<machine>[^:]+)$")


def _runs_on(sku: Sku, meter: str | None, machine: str) -> bool:
    """Return whether a SKU is the hours of a machine. AWS has further meters per machine, which are other things."""
    if sku.provider == "aws" and ":" in (meter or ""):
        hours = _MACHINE_HOURS.match(meter or "")
        return hours is not None and hours["machine"] == machine
    return sku.attributes.instance_type == machine


def _key(provider: str, region_id: str | None, unit: str | None, currency: str | None) -> tuple[str, str, str, str]:
    return provider.lower(), (region_id or "").lower(), (unit or "").lower(), (currency or "").upper()


@dataclass(frozen=True, slots=True)
class PriceList:
    """A checked price list: the name of its file, the digest of its content, and its rows by ``ListedPrice.key``."""

    name: str
    digest: str
    rows: Mapping[tuple[str, str, str, str], tuple[ListedPrice, ...]]

    def of(self, sku: Sku, meter: str | None, currency: str | None) -> ListedPrice | None:
        """Return the row that prices a SKU in a currency: the narrowest that fits, of equally narrow ones the first."""
        listed = self.rows.get(_key(sku.provider, sku.region_id, sku.consumed_unit, currency), ())
        found = [row for row in listed if row.fits(sku, meter)]
        return min(found, key=lambda row: (-row.narrowness, row.line), default=None)


def read_price_list(path: Path) -> PriceList:
    """Read a price list.

    Raises:
        InputError: naming file, line and column of the first cell that is wrong.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        sentence = f"The price list {path.name} cannot be read: {error}."
        raise InputError(sentence, action="Name a CSV in UTF-8; docs/dashboard.md tells its columns.") from error
    return price_list_of(text, path.name)


def price_list_of(text: str, name: str) -> PriceList:
    """Return the price list that a CSV holds. Raises InputError as ``read_price_list`` does."""
    rows: dict[tuple[str, str, str, str], list[ListedPrice]] = {}
    seen: dict[tuple[object, ...], int] = {}
    columns = f"Columns are {', '.join(REQUIRED)}, {' or '.join(THINGS)}, and may be {', '.join(TERMS)}."
    for record in records(text, name, _fault_of, columns, InputError):
        row = _row(record)
        _refuse_twice(row, seen, name)
        rows.setdefault(row.key, []).append(row)
    return PriceList(name, digest_of([name, text]), {key: tuple(found) for key, found in rows.items()})


def _fault_of(header: Header) -> str:
    """Return what is wrong with the columns."""
    missing = [column for column in REQUIRED if column not in header]
    if missing or not set(THINGS) & set(header):
        return f"column {missing[0] if missing else ' or '.join(THINGS)} is missing"
    strange = next((column for column in header if column not in COLUMNS or header.count(column) > 1), None)
    return "" if strange is None else f"column {strange!r} is not known, or stands twice"


def _row(record: Record) -> ListedPrice:
    record.refuse_empty(*REQUIRED)
    if not any(record[column] for column in THINGS):
        record.refuse(THINGS[0], "give a sku (meter or SKU id) or an instance_type")
    return ListedPrice(
        line=record.line,
        price=_money(record),
        currency=_currency(record),
        **{column: record[column] for column in COLUMNS if column not in {"price", "currency"}},
    )


def _money(record: Record) -> Decimal:
    try:
        price = Decimal(record["price"])
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or not 0 <= price <= _MOST:
        record.refuse("price", "write money per ONE unit, 0 or more, like 0.0864")
    return price


def _currency(record: Record) -> str:
    if re.fullmatch(r"[A-Za-z]{3}", record["currency"]) is None:
        record.refuse("currency", "write a code of three letters, like USD")
    return record["currency"].upper()


def _refuse_twice(row: ListedPrice, seen: dict[tuple[object, ...], int], name: str) -> None:
    first = seen.setdefault(row.terms, row.line)
    if first != row.line:
        sentence = f"{name}, line {row.line}: line {first} has a price for the same already."
        raise InputError(sentence, action="Keep one of them, or narrow one by a further column.")
