"""Raw totals of the billing periods of a table, their fingerprints, and how long they are remembered."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from offgridflow.domain.identity import fingerprint_of
from offgridflow.domain.periods import Month

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """Lines and money of one currency of a period. ``export_micros`` is the sum of the lines' export times."""

    currency: str | None
    line_items: int
    unreadable: int
    cost: Decimal
    credits: Decimal
    export_micros: Decimal

    @property
    def money(self) -> Decimal:
        """What is conserved: cost and (negative) credits."""
        return self.cost + self.credits


@dataclass(frozen=True, slots=True)
class PeriodTotal:
    """A billing period as it was at one instant.

    ``partitions`` are the first and last partition that hold lines of it, where pruning by them loses none.
    """

    period: Month
    currencies: tuple[CurrencyTotal, ...]
    last_export: datetime | None
    partitions: tuple[datetime, datetime] | None
    taken_at: datetime

    @property
    def fingerprint(self) -> str:
        """Changes when lines come, go, or are exported anew, and when any amount changes a period's sum."""
        return fingerprint_of(
            [
                f"{each.currency}:{each.line_items}:{each.cost.normalize():f}:{each.credits.normalize():f}:"
                f"{each.export_micros.normalize():f}:{self.last_export}"
                for each in self.currencies
            ]
        )

    @property
    def line_items(self) -> int:
        """Lines of all currencies."""
        return sum(each.line_items for each in self.currencies)

    @property
    def unreadable(self) -> int:
        """Lines without a currency or with a cost that is no number."""
        return sum(each.unreadable for each in self.currencies)


def totals_of(rows: Iterable[Mapping[str, Any]]) -> tuple[PeriodTotal, ...]:
    """Return the periods of a result of the totals query, oldest first. Raises ValueError for a month that is none."""
    by_month: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_month.setdefault(row["invoice_month"], []).append(row)
    return tuple(_period_total(month, found) for month, found in sorted(by_month.items()))


def _period_total(month: str, rows: Sequence[Mapping[str, Any]]) -> PeriodTotal:
    currencies = tuple(
        sorted(
            (
                CurrencyTotal(
                    row["currency"],
                    row["line_items"],
                    row["unreadable"],
                    row["cost"] or _NOTHING,
                    row["credits"] or _NOTHING,
                    row["export_micros"] or _NOTHING,
                )
                for row in rows
            ),
            key=lambda each: each.currency or "",
        )
    )
    firsts, lasts = ([row[name] for row in rows] for name in ("partition_first", "partition_last"))
    exports = [row["last_export"] for row in rows if row["last_export"] is not None]
    return PeriodTotal(
        period=Month.parse(f"{month[:4]}-{month[4:]}"),
        currencies=currencies,
        last_export=max(exports) if exports else None,
        partitions=None if None in firsts + lasts else (min(firsts), max(lasts)),
        taken_at=rows[0]["taken_at"],
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """The totals of a table under its version, in a file of the cache. Losing it costs one totals query, no more."""

    path: Path

    def recall(self, version: str | None) -> tuple[PeriodTotal, ...] | None:
        """Return the totals of this very version of the table, if they are known."""
        if version is None:
            return None
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["version"] != version:
                return None
            return totals_of([_read(row) for row in kept["rows"]])
        except (FileNotFoundError, ValueError, KeyError, TypeError, ArithmeticError):
            return None  # not there, or of another release

    def keep(self, version: str | None, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the rows of a totals query."""
        if version is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(f".{uuid4().hex}")
        fresh.write_text(json.dumps({"version": version, "rows": [_written(row) for row in rows]}), encoding="utf-8")
        fresh.replace(self.path)


_INSTANTS: Final = ("last_export", "partition_first", "partition_last", "taken_at")
_AMOUNTS: Final = ("cost", "credits", "export_micros")


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: str(row[name]) for name in _AMOUNTS if row[name] is not None}
    instants = {name: row[name].astimezone(UTC).isoformat() for name in _INSTANTS if row[name] is not None}
    return {**row, **texts, **instants}


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {name: Decimal(row[name]) for name in _AMOUNTS if row[name] is not None}
    instants = {name: datetime.fromisoformat(row[name]) for name in _INSTANTS if row[name] is not None}
    return {**row, **amounts, **instants}
