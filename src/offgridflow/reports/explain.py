"""From a kilogram back to its factors: quantity x rate, then each coefficient with unit, range, source and licence.

The arithmetic of a rate comes from an injected function (``methodology.explain`` bound to a factor set and a recipe),
so that this module needs neither; it finds the SKUs behind a name, a resource or a cell of a report, and says whether
the ledger's rate is the very rate that is explained.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL, SKU_COLUMNS, Rate, Sku, Span, Step, Term
from offgridflow.domain.periods import Month, Period, month_of, period_of
from offgridflow.domain.trace import TermKind
from offgridflow.reports.figures import plain
from offgridflow.reports.records import product, records, sku_of
from offgridflow.reports.scope import MONTH_SQL, Filters, scope_of

if TYPE_CHECKING:
    import duckdb

    from offgridflow.factors.model import Factor
    from offgridflow.methodology.explain import Explanation

Explainer = Callable[[Sku, Period], "Explanation"]

MOST: Final = 5
"""How many SKUs of a cell are explained unless asked for more; the largest first."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the ledger holds of one SKU in one month, or hour, within the question."""

    consumed_quantity: Decimal | None
    line_items: int
    billing_currency: str | None
    billed_cost: Decimal | None
    total_kgco2e: Decimal | None
    rate_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ExplainedSku:
    """One SKU in one month: what was used, the rate with its arithmetic, and whether the ledger used that rate.

    ``period`` is the month, or the hour where the ledger has a rate of that hour.
    ``same_rate`` is False where the ledger was made with other factors or settings, and None without a ledger row.
    """

    sku: Sku
    period: Period
    usage: Usage | None
    explanation: "Explanation"

    @property
    def month(self) -> Month:
        """The calendar month of use."""
        return month_of(self.period)

    @property
    def same_rate(self) -> bool | None:
        """Whether the rate that is explained is the one in the ledger."""
        if self.usage is None or self.usage.rate_id is None:
            return None
        return self.usage.rate_id == self.explanation.rate.rate_id

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the rate, and the product with the quantity where the ledger used that rate."""
        product_step = _product_step(self)
        return (*self.explanation.steps, *([] if product_step is None else [product_step]))

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        rate = self.explanation.rate
        return {
            "sku": _sku_json(self.sku),
            "month": str(self.month),
            "period": str(self.period),
            "usage": None if self.usage is None else _usage_json(self.usage),
            "rate": rate_json(rate),
            "same_rate_as_ledger": self.same_rate,
            "detail": self.explanation.detail or None,
            "steps": [step_json(step) for step in self.steps],
            "factors": [factor_json(factor) for factor in self.explanation.factors],
        }


@dataclass(frozen=True, slots=True)
class ExplainReport:
    """The SKUs behind a question, largest footprint first; ``others`` counts those that are not shown."""

    skus: tuple[ExplainedSku, ...]
    others: int

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {"skus": [sku.to_json() for sku in self.skus], "others": self.others}


def explain_cell(
    con: "duckdb.DuckDBPyConnection",
    explainer: Explainer,
    name: str | None = None,
    where: Filters | None = None,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    most: int = MOST,
) -> ExplainReport:
    """Explain the usage rows that a name, filters and days select.

    ``name`` is a SKU id, meter, instance type or resource id, compared exactly. Without a name and filters everything
    is the cell, and its largest SKUs are explained.
    """
    condition, values = scope_of(date_from, date_to, where or {}).where("usage")
    if name is not None:
        condition += " AND ? IN (sku_id, sku_meter, resource_id, attributes.instance_type)"
        values.append(name)
    found = records(con, _QUERY.format(condition=condition), values)
    shown = found[:most] if most else found
    periods = _periods_of(con, [row["rate_id"] for row in shown])
    return ExplainReport(tuple(_explained(row, periods, explainer) for row in shown), len(found) - len(shown))


_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_QUERY: Final = (
    f"SELECT {_COLUMNS}, {MONTH_SQL} AS month, billing_currency, rate_id, reason, "
    "sum(consumed_quantity) AS consumed_quantity, sum(line_items)::BIGINT AS line_items, "
    f"sum(billed_cost) AS billed_cost, sum(total_kgco2e::{DECIMAL}) AS total_kgco2e "
    f"FROM emissions WHERE {{condition}} GROUP BY {_COLUMNS}, month, billing_currency, rate_id, reason "
    f"ORDER BY total_kgco2e DESC NULLS LAST, billed_cost DESC NULLS LAST, month, {_COLUMNS}, rate_id, reason"
)


def _periods_of(con: "duckdb.DuckDBPyConnection", rate_ids: Sequence[str | None]) -> dict[str | None, str]:
    """Return the periods of rates of the ledger: months, and hours where it was rated by the hour."""
    known = sorted({each for each in rate_ids if each is not None})
    sql = "SELECT rate_id, period FROM rates WHERE list_contains(?, rate_id)"
    return {row["rate_id"]: row["period"] for row in records(con, sql, [known])} if known else {}


def _explained(row: Mapping[str, Any], periods: Mapping[str | None, str], explainer: Explainer) -> ExplainedSku:
    sku, period = sku_of(row), period_of(periods.get(row["rate_id"], row["month"]))
    usage = Usage(**{name: row[name] for name in Usage.__slots__})
    return ExplainedSku(sku, period, usage, explainer(sku, period))


def explain_sku(explainer: Explainer, sku: Sku, month: Month, quantity: Decimal) -> ExplainedSku:
    """Explain a SKU that need not be in any ledger, for a quantity of its units."""
    explanation = explainer(sku, month)
    total = explanation.rate.total_kgco2e
    kilograms = product(quantity, total.central) if total else None
    usage = Usage(quantity, 0, None, None, kilograms, None, None)
    return ExplainedSku(sku, month, usage, explanation)


def _product_step(item: ExplainedSku) -> Step | None:
    """Return ``quantity x rate`` as the last step; None without a figure, or where the ledger used another rate."""
    usage, total, unit = item.usage, item.explanation.rate.total_kgco2e, item.sku.consumed_unit or "units"
    if usage is None or usage.consumed_quantity is None or usage.total_kgco2e is None or total is None:
        return None
    if item.same_rate is False:
        return None
    quantity, rate = plain(usage.consumed_quantity), repr(float(total.central))
    terms = (
        Term(quantity, TermKind.QUANTITY, "quantity of the bill", unit, None, None),
        Term(rate, TermKind.RESULT, "total_kgco2e", "kgCO2e", None, None),
    )
    return Step("kgCO2e of the quantity", f"{quantity} * {rate}", float(usage.total_kgco2e), "kgCO2e", (), terms)


# JSON ---------------------------------------------------------------------------------------------------------------


def _sku_json(sku: Sku) -> dict[str, object]:
    known = {name: getattr(sku.attributes, name) for name in sku.attributes.__slots__}
    attributes = {name: value for name, value in known.items() if value is not None}
    return {**{name: getattr(sku, name) for name in SKU_COLUMNS if name != "attributes"}, "attributes": attributes}


def _usage_json(usage: Usage) -> dict[str, object]:
    return {name: getattr(usage, name) for name in Usage.__slots__}


def step_json(step: Step) -> dict[str, object]:
    """Return a step; ``numbers`` say of every number of the expression, in its order, what it is."""
    return {
        "name": step.name,
        "expression": step.expression,
        "value": step.value,
        "unit": step.unit,
        "factor_ids": step.factor_ids,
        "numbers": [dataclasses.asdict(term) for term in step.terms],
    }


def step_records(report: ExplainReport) -> list[dict[str, object]]:
    """Return one row per step and, below it, one per number of its expression with range, source and licence."""
    return [row for item in report.skus for step in item.steps for row in _rows_of(item, step)]


def _rows_of(item: ExplainedSku, step: Step) -> Iterator[dict[str, object]]:
    factors = {factor.factor_id: factor for factor in item.explanation.factors}
    sku: dict[str, object] = {
        "provider": item.sku.provider,
        "service_name": item.sku.service_name,
        "sku_meter": item.sku.sku_meter,
        "region_id": item.sku.region_id,
        "month": str(item.month),
        "period": str(item.period),
        "step": step.name,
    }
    yield {
        **sku,
        "expression": step.expression,
        "value": step.value,
        "unit": step.unit,
        "factor_ids": " ".join(step.factor_ids),
    }
    for term in step.terms:
        known = [factors[each] for each in term.factor_ids if each in factors]
        yield {
            **sku,
            "number": term.text,
            "kind": term.kind,
            "name": term.name,
            "unit": term.unit,
            "low": term.low,
            "high": term.high,
            "factor_ids": " ".join(term.factor_ids),
            "source": _joined(factor.source for factor in known),
            "source_ref": _joined(factor.source_ref for factor in known),
            "licence": _joined(factor.licence for factor in known),
        }


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def span_json(span: Span | None) -> dict[str, object] | None:
    """Return low, central and high."""
    return None if span is None else {"low": span.low, "central": span.central, "high": span.high}


def rate_json(rate: Rate) -> dict[str, object]:
    """Return a rate, per one consumed unit of its SKU."""
    plain_fields = (
        "it_energy_kwh",
        "operational_direct_kgco2e",
        "operational_upstream_kgco2e",
        "operational_location_kgco2e",
        "operational_market_kgco2e",
        "embodied_kgco2e",
        "total_market_kgco2e",
        "water_l",
    )
    return {
        "rate_id": rate.rate_id,
        "status": rate.status,
        "reason": rate.reason,
        "method": rate.method,
        "coverage_bucket": rate.coverage_bucket,
        "assumptions": rate.assumptions,
        "energy_kwh": span_json(rate.energy_kwh),
        "total_kgco2e": span_json(rate.total_kgco2e),
        **{name: getattr(rate, name) for name in plain_fields},
        "envelope_kgco2e": rate.envelope_kgco2e,
        "swings": [
            {"group": swing.group, "low_kgco2e": swing.low_kgco2e, "high_kgco2e": swing.high_kgco2e}
            for swing in rate.swings
        ],
    }


def factor_json(factor: "Factor") -> dict[str, object]:
    """Return a factor with its provenance; dates as ``YYYY-MM-DD``."""
    values = dataclasses.asdict(factor)
    return {name: str(value) if name.startswith("valid_") and value else value for name, value in values.items()}


# text ---------------------------------------------------------------------------------------------------------------


def as_text(report: ExplainReport) -> str:
    """Return the explanation as text that a person can follow with a pocket calculator."""
    parts = ["\n".join(_sku_text(sku)) for sku in report.skus]
    if not parts:
        return "Nothing in the ledger answers to that.\n"
    if report.others:
        parts.append(f"{report.others} smaller SKUs are not shown; --most 0 shows all.")
    return "\n\n".join(parts) + "\n"


def _sku_text(item: ExplainedSku) -> Iterable[str]:
    sku, rate = item.sku, item.explanation.rate
    named = [part for part in (sku.provider, sku.service_name, sku.sku_meter or sku.sku_id, sku.region_id) if part]
    yield f"{' | '.join(named)}  ({item.period})"
    yield from _usage_text(item)
    if rate.total_kgco2e is None:
        why = f"  not estimated: {rate.reason or 'no rate'}"
        yield why + (f" ({item.explanation.detail})" if item.explanation.detail else "")
        return
    yield f"  method {rate.method}, {rate.status}, coverage bucket {rate.coverage_bucket}"
    if rate.assumptions:
        yield f"  assumptions: {', '.join(rate.assumptions)}"
    yield ""
    yield f"  One {sku.consumed_unit or 'unit'}:"
    for step in item.steps:
        yield from _step_text(step, item.explanation.factors)
    yield from _factor_text(item.explanation.factors)


def _step_text(step: Step, factors: Sequence["Factor"]) -> Iterable[str]:
    """Write a step, and below it what each number is that is not the result of a step above."""
    yield f"    {step.name}"
    if step.expression != repr(step.value):
        yield f"      = {step.expression}"
    yield f"      = {plain(step.value)} {step.unit}"
    for term in dict.fromkeys(step.terms):
        bounds = "" if term.low == term.high else f" ({term.low!r} to {term.high!r})"
        of = "result above: " if term.kind is TermKind.RESULT else "" if term.factor_ids else f"{term.kind}: "
        yield f"        {term.text} {of}{term.name}{f', {term.unit}' if term.unit else ''}{bounds}" + _cited(
            term.factor_ids, factors
        )


def _usage_text(item: ExplainedSku) -> Iterable[str]:
    usage, total = item.usage, item.explanation.rate.total_kgco2e
    if usage is None:
        return
    quantity = "an unknown quantity" if usage.consumed_quantity is None else plain(usage.consumed_quantity)
    used = f"{quantity} {item.sku.consumed_unit or 'units'}"
    held = None if usage.total_kgco2e is None else f"{plain(usage.total_kgco2e)} kgCO2e"
    why = f" ({usage.reason})" if usage.reason else ""
    if item.same_rate is False:
        found = held or f"no figure{why}"
        yield f"  In the ledger: {used}, {found}, by another rate (of other factors, settings or profile)."
        yield "  `rerate` brings the ledger to the rate of the settings. By the rate below:"
        kilograms = None if total is None else _kilograms(usage, total)
        held = None if kilograms is None else f"{plain(kilograms)} kgCO2e"
        why = ""
    if held is not None and total is not None:
        yield f"  {used} x {plain(total.central)} kgCO2e = {held}"
    else:
        yield f"  {used}, no figure{why}"


def _kilograms(usage: Usage, total: Span) -> Decimal | None:
    """Return quantity x rate; None of a quantity that is not rated."""
    quantity = usage.consumed_quantity
    return None if quantity is None or quantity < 0 else product(quantity, total.central)


def _cited(factor_ids: Sequence[str], factors: Sequence["Factor"]) -> str:
    numbers = {factor.factor_id: index for index, factor in enumerate(factors, start=1)}
    cited = [f"[{number}]" for number in sorted({numbers[each] for each in factor_ids if each in numbers})]
    return " " + "".join(cited) if cited else ""


def _factor_text(factors: Sequence["Factor"]) -> Iterable[str]:
    if factors:
        yield ""
        yield "  Factors:"
    for index, factor in enumerate(factors, start=1):
        yield (
            f"    [{index}] {factor.factor_id}: {plain(factor.central)} {factor.unit} "
            f"({plain(factor.low)} to {plain(factor.high)}), {factor.boundary}, {factor.vintage}, {factor.evidence}"
        )
        yield f"        {factor.source}, {factor.source_ref}; licence {factor.licence}"
        if factor.note:
            yield f"        {factor.note}"
