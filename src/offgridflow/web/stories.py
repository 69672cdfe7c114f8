"""What the explain and what-if pages show, from reports. No HTML here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.api.service import Question
from offgridflow.reports.figures import plain, ratio
from offgridflow.reports.prices import PRICE_MEANINGS
from offgridflow.reports.swap import Swap
from offgridflow.web import charts, words
from offgridflow.web.links import View

if TYPE_CHECKING:
    from offgridflow.api.context import Context
    from offgridflow.api.editions import Edition
    from offgridflow.reports.explain import ExplainedSku

MOST_SKUS: Final = 5
MOST_MOVES: Final = 25
KEYS: Final = ("provider", "service_name", "region_id", "sub_account_id")
"""What the comparison can be shown by."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to change: (old, new) or None each."""

    region: tuple[str, str] | None = None
    family: tuple[str, str] | None = None
    storage: tuple[str, str] | None = None

    @property
    def is_none(self) -> bool:
        """Whether nothing is to be changed."""
        return self == Change()

    def parameters(self) -> dict[str, str]:
        """Return the change as the API is asked for it."""
        pairs = {"region": self.region, "family": self.family, "storage": self.storage}
        return {name: ":".join(pair) for name, pair in pairs.items() if pair is not None}

    def fields(self) -> dict[str, str]:
        """Return the change as the form of the page names it."""
        pairs = {"region": self.region, "family": self.family, "storage": self.storage}
        return {
            field: value
            for name, pair in pairs.items()
            if pair is not None
            for field, value in ((name, pair[0]), (f"new_{name}", pair[1]))
        }

    def text(self) -> str:
        """Return the change for people: ``m5 to m7g``."""
        pairs = (self.region, self.family, self.storage)
        return ", ".join(f"{'all regions' if old == '*' else old} to {new}" for old, new in filter(None, pairs))

    def swap(self) -> Swap:
        """Return the change of SKUs."""
        return Swap(self.region, self.family, self.storage)


def explained(context: "Context", edition: "Edition", view: View, name: str | None) -> dict[str, Any]:
    """Return everything that the explain page reads: the largest SKUs behind a view or a name."""
    question = Question((), view.first, view.last, view.where)
    found = context.service.explain(edition, context.caller.restriction, question, name, MOST_SKUS)
    named = {"name": name} if name else {}
    return {
        "view": view,
        "name": name,
        "skus": [_sku(item) for item in found.skus],
        "others": found.others,
        "picture": _picture(view, name, found.skus, edition),
        "link": view.link("/explain", **named),
        "csv": "/api/v1/explain?" + view.cells_query(**named, format="csv"),
    }


def _picture(view: View, name: str | None, skus: Sequence["ExplainedSku"], edition: "Edition") -> dict[str, Any] | None:
    """Return the explained SKUs as bars with their ranges; without a range where the ledger used another rate."""
    caption = charts.captions("explain", "Carbon of the largest SKUs", view, _made_by(edition), name or "")
    return charts.bars(caption, ["Total"], [_bar(item) for item in skus])


def _bar(item: "ExplainedSku") -> charts.Bar:
    usage, span, sku = item.usage, item.explanation.rate.total_kgco2e, item.sku
    name = " in ".join(filter(None, (sku.sku_meter or sku.sku_id or sku.service_name or "Unnamed SKU", sku.region_id)))
    name = f"{name}, {words.period_name(str(item.period))}"
    total = usage.total_kgco2e if usage else None
    if span is None or usage is None or usage.consumed_quantity is None or item.same_rate is not True:
        return charts.Bar(name, (total,))
    quantity = usage.consumed_quantity
    return charts.Bar(name, (total,), quantity * Decimal(repr(span.low)), quantity * Decimal(repr(span.high)))


def _made_by(edition: "Edition") -> str:
    return f"ledger version {edition.version}"


def _sku(item: "ExplainedSku") -> dict[str, Any]:
    rate, usage, sku = item.explanation.rate, item.usage, item.sku
    numbers = {factor.factor_id: index for index, factor in enumerate(item.explanation.factors, start=1)}
    return {
        "title": sku.sku_meter or sku.sku_id or sku.service_name or "Unnamed SKU",
        "place": [
            text
            for text in (words.value_name("provider", sku.provider), sku.service_name, sku.region_id)
            if text is not None
        ],
        "month": words.period_name(str(item.period)),
        "unit": sku.consumed_unit or "unit",
        "sum": _sum(item),
        "why_not": None if rate.total_kgco2e else words.sentence(rate.reason or "no rate"),
        "detail": item.explanation.detail,
        "status": words.sentence(rate.status),
        "method": words.sentence(rate.method) if rate.method else None,
        "bucket": f"{rate.coverage_bucket}: {words.BUCKETS[rate.coverage_bucket]}",
        "assumptions": [words.sentence(each) for each in rate.assumptions],
        "is_other_rate": item.same_rate is False,
        "lines": words.count(usage.line_items) if usage else words.DASH,
        "cost": words.money(usage.billed_cost) if usage else words.DASH,
        "currency": (usage.billing_currency if usage else None) or "",
        "steps": [
            {
                "name": step.name,
                "expression": words.shortened(step.expression) if step.expression != repr(step.value) else None,
                "whole": step.expression,
                "value": words.digits(step.value, 4),
                "exact": plain(step.value),
                "unit": step.unit,
                "cited": sorted(numbers[each] for each in step.factor_ids if each in numbers),
            }
            for step in item.explanation.steps
        ],
        "factors": [
            {
                "number": numbers[factor.factor_id],
                "kind": words.sentence(factor.kind),
                "key": factor.key,
                "central": words.digits(factor.central),
                "low": words.digits(factor.low),
                "high": words.digits(factor.high),
                "unit": factor.unit,
                "boundary": factor.boundary,
                "vintage": factor.vintage,
                "evidence": factor.evidence,
                "source": factor.source,
                "source_ref": factor.source_ref,
                "licence": factor.licence,
                "note": factor.note,
            }
            for factor in item.explanation.factors
        ],
    }


def _sum(item: "ExplainedSku") -> dict[str, str] | None:
    """Return quantity, rate and product as they are multiplied; None where there is no figure."""
    usage, total = item.usage, item.explanation.rate.total_kgco2e
    if usage is None or total is None or usage.total_kgco2e is None or usage.consumed_quantity is None:
        return None
    mass = words.scale_for([usage.total_kgco2e])
    return {
        "quantity": words.digits(usage.consumed_quantity, 4),
        "exact_quantity": plain(usage.consumed_quantity),
        "rate": words.digits(total.central, 4),
        "exact_rate": plain(total.central),
        "low": words.digits(total.low),
        "high": words.digits(total.high),
        "product": mass.write(usage.total_kgco2e),
        "exact_product": plain(usage.total_kgco2e),
        "mass": mass.unit,
    }


def whatif_story(context: "Context", edition: "Edition", view: View, change: Change) -> dict[str, Any]:
    """Return everything that the what-if page reads; without a change only the form."""
    restriction = context.caller.restriction
    regions = context.service.report(edition, restriction, Question(("region_id",))).rows
    names = sorted({str(row["region_id"]) for row in regions if row["region_id"]})
    keys = list(dict.fromkeys((*KEYS, view.by)))
    api_query = view.api_query(**change.parameters())
    link = view.link("/whatif", **change.fields())
    story: dict[str, Any] = {
        "view": view,
        "link": link,
        "regions": names,
        "keys": keys,
        "api_query": api_query,
        "has_price_list": context.service.listed is not None,
        "result": None,
    }
    if change.is_none:
        return story
    key = view.by
    question = Question((key,), view.first, view.last, view.where)
    found = context.service.what_if(edition, restriction, question, change.swap())
    rows = found.rows()
    mass = words.scale_for([row["total_kgco2e_before"] for row in rows])
    largest = max(
        (words.decimal_of(row[name]) or Decimal(0) for row in rows for name in _BARS.values()), default=Decimal(0)
    )
    overall = found.to_json()["impact_total"]
    moves = [_move(move.to_json()) for move in found.moves[:MOST_MOVES]]
    return {
        **story,
        "result": {
            "changed": words.count(found.changed_skus),
            "key": words.key_name(key),
            "mass": mass,
            "overall": _overall(overall if isinstance(overall, Mapping) else {}),
            "costs": [_cost(row) for row in found.cost_total if row["cost_moved"]],
            "without_rate": [_without_rate(row, mass) for row in found.without_rate],
            "moves": moves,
            "more_moves": max(len(found.moves) - MOST_MOVES, 0),
            "rows": [_compared(key, row, mass, largest) for row in rows if _changes(row)],
            "unchanged": sum(not _changes(row) for row in rows),
            "meanings": _meanings(moves),
            "picture": _comparison(view, change, rows, edition),
        },
    }


def _comparison(
    view: View, change: Change, rows: Sequence[Mapping[str, Any]], edition: "Edition"
) -> Mapping[str, Any] | None:
    """Return carbon now and then as bars, of the groups that change."""
    title = f"Carbon by {words.key_name(view.by).lower()}, now and then"
    caption = charts.captions("whatif", title, view, _made_by(edition), change.text())
    changed = [row for row in rows if _changes(row)]
    names = charts.names_of(view.by, changed)
    found = [
        charts.Bar(name, tuple(row[column] for column in _BARS.values()))
        for name, row in zip(names, changed, strict=True)
    ]
    return charts.bars(caption, ["now", "then"], found)


_BARS: Final = {"before": "total_kgco2e_before", "after": "total_kgco2e_after"}


def _overall(row: Mapping[str, object]) -> dict[str, Any]:
    mass = words.scale_for([row["total_kgco2e_before"]])
    energy = words.scale_for([row["energy_kwh_before"]], words.ENERGY)
    return {
        "mass": mass.unit,
        "before": mass.write(row["total_kgco2e_before"]),
        "after": mass.write(row["total_kgco2e_after"]),
        "difference": _signed(mass, row["total_kgco2e_difference"]),
        "percent": _percent(row),
        "direction": _direction(row["total_kgco2e_difference"]),
        "is_known": row["total_kgco2e_difference"] is not None,
        "energy_unit": energy.unit,
        "energy_before": energy.write(row["energy_kwh_before"]),
        "energy_after": energy.write(row["energy_kwh_after"]),
    }


def _without_rate(row: Mapping[str, object], mass: words.Scale) -> dict[str, str]:
    """Return how much use has no rate after the change, in SKUs and carbon now, and why."""
    reason = words.sentence(str(row["reason"])).lower()
    return {
        "reason": reason,
        "skus": words.count(row["skus"]),
        "mass": f"{mass.write(row['total_kgco2e_before'])} {mass.unit}",
    }


def _cost(row: Mapping[str, object]) -> dict[str, Any]:
    """Return the money of a currency: the whole where it is known, and of what changes the part that has a price."""
    return {
        "currency": row["billing_currency"] or "",
        "before": words.money(row["cost_before"]),
        "after": words.money(row["cost_after"]) if row["cost_after"] is not None else None,
        "moved": words.money(row["cost_moved"]) if row["cost_moved"] else None,
        "priced_before": words.money(row["cost_priced_before"]),
        "priced_after": words.money(row["cost_priced_after"]) if row["cost_priced_after"] is not None else None,
        "unpriced": words.money(row["cost_without_price"]) if row["cost_without_price"] else None,
    }


def _move(move: Mapping[str, object]) -> dict[str, Any]:
    sides = {side: move[f"instance_type_{side}"] or move[f"sku_meter_{side}"] or "" for side in ("before", "after")}
    low, high = (words.digits(move[f"unit_price_{end}"]) for end in ("low", "high"))
    reason = move["price_basis"] or move["reason"]
    return {
        "service": move["service_name"] or words.value_name("provider", move["provider"]),
        **sides,
        **{f"region_{side}": move[f"region_id_{side}"] or "no region" for side in sides},
        "cost_before": words.money(move["cost_before"]),
        "cost_after": words.money(move["cost_after"]),
        "direction": _money_direction(move["cost_before"], move["cost_after"]),
        "price": words.digits(move["unit_price"]),
        "range": None if low == high else f"{low} {words.DASH} {high}",
        "unit": move["consumed_unit"] or "unit",
        "currency": move["billing_currency"] or "",
        "how": str(reason),
        "source": move["price_source"],
    }


def _meanings(moves: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return what the ways in which prices were found, or not, mean."""
    used = {move["how"] for move in moves}
    return [(words.sentence(name), meaning) for name, meaning in PRICE_MEANINGS.items() if name in used]


def _changes(row: Mapping[str, object]) -> bool:
    """Return whether a row has anything that the change touches."""
    return bool(row["cost_moved"] or row["total_kgco2e_without_rate"]) or row["total_kgco2e_difference"] not in {
        None,
        0,
    }


def _money_direction(before: object, after: object) -> str:
    """Return where money goes, to the cent."""
    old, new = words.decimal_of(before), words.decimal_of(after)
    return "same" if old is None or new is None else _direction(round(new - old, 2))


def _compared(key: str, row: Mapping[str, object], mass: words.Scale, largest: Decimal) -> dict[str, Any]:
    return {
        "name": words.short_name(key, row[key]),
        "currency": row["billing_currency"] or "",
        "before": mass.write(row["total_kgco2e_before"]),
        "after": mass.write(row["total_kgco2e_after"]),
        "difference": _signed(mass, row["total_kgco2e_difference"]),
        "percent": _percent(row),
        "direction": _direction(row["total_kgco2e_difference"]),
        "bars": {name: _width(row[column], largest) for name, column in _BARS.items()},
        "cost_before": words.money(row["cost_before"]),
        "cost_after": words.money(row["cost_after"]),
        "cost_direction": _money_direction(row["cost_before"], row["cost_after"]),
    }


def _width(value: object, largest: Decimal) -> float:
    number = words.decimal_of(value)
    return 0.0 if number is None or largest <= 0 else round(float(number / largest * 100), 2)


def _signed(scale: words.Scale, value: object) -> str:
    number = words.decimal_of(value)
    if number is None:
        return words.DASH
    return ("+" if number > 0 else "") + scale.write(number)


def _percent(row: Mapping[str, object]) -> str:
    change = ratio(words.decimal_of(row["total_kgco2e_difference"]), words.decimal_of(row["total_kgco2e_before"]))
    if change is None:
        return words.DASH
    return ("+" if change > 0 else "") + words.percent(change)


def _direction(value: object) -> str:
    number = words.decimal_of(value)
    if number is None or number == 0:
        return "same"
    return "up" if number > 0 else "down"
