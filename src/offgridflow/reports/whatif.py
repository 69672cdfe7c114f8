"""The same activities under another rate card: another profile, region, instance family or storage class.

Nothing is stored: the new figures are a temporary view beside the ledger's, never mixed with them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.model import IMPACT_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku
from offgridflow.domain.periods import Month
from offgridflow.reports.figures import Row, difference
from offgridflow.reports.records import records, sku_of
from offgridflow.reports.totals import UNKNOWN_PROVENANCE, Provenance, Report, report

if TYPE_CHECKING:
    import duckdb

RateFunction = Callable[[Sku, Month], Rate]
Change = Callable[[Sku], Sku]

RERATED: Final = "rerated"
"""The temporary view that ``rerate`` makes, with the columns of ``emissions``."""


@dataclass(frozen=True, slots=True)
class Swap:
    """What to change in every SKU that it fits; None leaves as it is. Each pair is (old, new).

    ``region`` compares region ids, and an old region of ``*`` fits every SKU. ``family`` is the part of an instance
    type before its size (``m5`` to ``m7g``, ``Standard_D`` to ``Standard_E``); ``storage`` is a storage class or the
    part of a meter that names it.
    """

    region: tuple[str, str] | None = None
    family: tuple[str, str] | None = None
    storage: tuple[str, str] | None = None

    def __call__(self, sku: Sku) -> Sku:
        """Return the SKU with the changes. Names that the change makes untrue (id, description) are taken off."""
        changed = sku
        if self.region is not None and self.region[0] in {"*", sku.region_id}:
            changed = replace(changed, region_id=self.region[1])
        if self.family is not None:
            changed = _renamed(changed, "instance_type", *self.family, ends=(".", "-", "_"))
        if self.storage is not None:
            changed = _renamed(changed, "storage_class", *self.storage, ends=("",))
        return changed if changed == sku else replace(changed, sku_id=None, description=None)


def _renamed(sku: Sku, attribute: str, old: str, new: str, ends: Sequence[str]) -> Sku:
    """Replace ``old`` before one of ``ends`` in the attribute, or where it is unknown in the meter."""
    known = getattr(sku.attributes, attribute)
    for end in ends:
        meter = (sku.sku_meter or "").replace(old + end, new + end) or None
        if known is not None and (known == old or known.startswith(old + end)):
            attributes = replace(sku.attributes, **{attribute: new + known[len(old) :]})
            return replace(sku, attributes=attributes, sku_meter=meter)
        if known is None and meter != sku.sku_meter:
            return replace(sku, sku_meter=meter)
    return sku


def unchanged(sku: Sku) -> Sku:
    """Return the SKU as it is: to rate the same SKUs with another card."""
    return sku


def rerate(con: "duckdb.DuckDBPyConnection", rate_of: RateFunction, change: Change = unchanged) -> int:
    """Make the temporary view ``rerated``: the rows of ``emissions`` under other rates. Returns the SKUs that changed.

    Money, lines and excluded rows stay as they are; a usage row without a known, non-negative quantity has no impact.
    """
    rows = records(con, f"SELECT DISTINCT {_COLUMNS}, {_KEY} AS key, {_MONTH} AS month FROM emissions WHERE {_USAGE}")
    if len({row["key"] for row in rows}) != len(rows):
        sentence = "Two SKUs of the ledger have the same 64-bit hash, so that they cannot be rated anew together."
        raise LedgerError(sentence, action="Narrow the question, and report this with the version of DuckDB.")
    skus = [(row["key"], Month.parse(row["month"]), sku_of(row)) for row in rows]
    changed = [(key, month, before, change(before)) for key, month, before in skus]
    _fill_card(con, ((key, rate_of(sku, month)) for key, month, _, sku in changed))
    con.execute(f"CREATE OR REPLACE TEMP VIEW {RERATED} AS {_VIEW}")
    return len({before for _, _, before, after in changed if before != after})


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Two reports over the same rows. ``changed_skus`` counts the SKUs that the change fitted."""

    before: Report
    after: Report
    changed_skus: int

    def rows(self) -> list[Row]:
        """Return per group the totals before and after, and the difference where both are known."""
        keys = (*self.before.keys, "billing_currency")
        after = {tuple(row[key] for key in keys): row for row in self.after.rows}
        return [_compared(keys, row, after[tuple(row[key] for key in keys)]) for row in self.before.rows]

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        total = _compared((), self.before.impact_total, self.after.impact_total)
        return {"rows": self.rows(), "impact_total": total, "changed_skus": self.changed_skus}


def _compared(keys: Iterable[str], before: Row, after: Row) -> Row:
    row: Row = {key: before[key] for key in keys}
    for name in ("energy_kwh", "total_kgco2e"):
        old, new = before[name], after[name]
        row |= {f"{name}_before": old, f"{name}_after": new}
        row[f"{name}_difference"] = difference(new, old)
    return row


def what_if(  # noqa: PLR0913  a report's question and the change
    con: "duckdb.DuckDBPyConnection",
    rate_of: RateFunction,
    change: Change,
    by: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    provenance: Provenance = UNKNOWN_PROVENANCE,
) -> WhatIf:
    """Return totals of the usage rows as they are rated now, and with ``change`` applied to every SKU.

    Both sides are rated by ``rate_of``, so that the difference comes from the change alone.
    """
    rerate(con, rate_of)
    before = report(con, by, date_from, date_to, where, provenance=provenance, view=RERATED)
    count = rerate(con, rate_of, change)
    after = report(con, by, date_from, date_to, where, provenance=provenance, view=RERATED)
    return WhatIf(before, after, count)


# SQL ----------------------------------------------------------------------------------------------------------------

_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_MONTH: Final = "strftime(charge_period_start AT TIME ZONE 'UTC', '%Y-%m')"
_KEY: Final = f"hash({_COLUMNS}, {_MONTH})"
_USAGE: Final = f"charge_class = '{USAGE}'"
_CARD: Final[dict[str, str]] = {
    "key": "UBIGINT",
    "rate_id": "VARCHAR",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "method": "VARCHAR",
    "coverage_bucket": "VARCHAR",
    "assumptions": "VARCHAR[]",
    **dict.fromkeys(IMPACT_COLUMNS, "DOUBLE"),
}
_RATED: Final = "c.total_kgco2e IS NOT NULL AND consumed_quantity >= 0"
_AS_CARD: Final = f"(c.total_kgco2e IS NULL OR ({_RATED}))"
_WHY: Final = "CASE WHEN consumed_quantity IS NULL THEN 'quantity_missing' ELSE 'negative_net_quantity' END"
_NEW: Final[dict[str, str]] = {
    "rate_id": "c.rate_id",
    "status": f"CASE WHEN NOT {_USAGE} THEN e.status WHEN {_AS_CARD} THEN c.status ELSE 'not_estimated' END",
    "reason": f"CASE WHEN NOT {_USAGE} THEN e.reason WHEN {_AS_CARD} THEN c.reason ELSE {_WHY} END",
    "method": f"CASE WHEN {_RATED} THEN c.method END",
    "coverage_bucket": f"CASE WHEN NOT {_USAGE} THEN NULL WHEN {_AS_CARD} THEN c.coverage_bucket ELSE 'E' END",
    "assumptions": "c.assumptions",
    **{name: f"CASE WHEN {_RATED} THEN consumed_quantity::DOUBLE * c.{name} END" for name in IMPACT_COLUMNS},
}
_REPLACED: Final = ", ".join(f"{sql} AS {name}" for name, sql in _NEW.items())
_VIEW: Final = (
    f"SELECT e.* REPLACE ({_REPLACED}) FROM emissions e LEFT JOIN rerated_card c "
    f"ON {_USAGE} AND c.key = hash({', '.join('e.' + name for name in SKU_COLUMNS)}, {_MONTH})"
)


def _fill_card(con: "duckdb.DuckDBPyConnection", rates: Iterable[tuple[int, Rate]]) -> None:
    con.execute(f"DROP VIEW IF EXISTS {RERATED}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE rerated_card ({', '.join(f'{n} {k}' for n, k in _CARD.items())})")
    columns = [list(column) for column in zip(*(_card_row(key, rate) for key, rate in rates), strict=True)]
    if columns:
        values = ", ".join(f"unnest(?::{kind}[])" for kind in _CARD.values())
        con.execute(f"INSERT INTO rerated_card SELECT {values}", columns)


def _card_row(key: int, rate: Rate) -> tuple[object, ...]:
    total, energy = rate.total_kgco2e, rate.energy_kwh
    spans = {
        "energy_kwh": energy.central if energy else None,
        "total_kgco2e": total.central if total else None,
        "total_low_kgco2e": total.low if total else None,
        "total_high_kgco2e": total.high if total else None,
    }
    impacts = (spans[name] if name in spans else getattr(rate, name) for name in IMPACT_COLUMNS)
    return (
        key,
        rate.rate_id,
        rate.status.value,
        rate.reason.value if rate.reason else None,
        rate.method.value if rate.method else None,
        rate.coverage_bucket.value,
        [assumption.value for assumption in rate.assumptions],
        *impacts,
    )
