"""What the overview shows, from reports: totals, trend, breakdown, coverage, freshness. No HTML here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.errors import LedgerError
from offgridflow.reports.figures import ratio
from offgridflow.reports.sources import sources_of
from offgridflow.web import charts, words
from offgridflow.web.links import View

if TYPE_CHECKING:
    from offgridflow.api.context import Context
    from offgridflow.api.editions import Edition
    from offgridflow.reports.totals import Report

TABLE_ROWS: Final = 50
TREND_MONTHS: Final = 12
MOST_FAILURES: Final = 5
STALE_AFTER: Final = timedelta(days=40)
STALE_REPORT_AFTER: Final = timedelta(days=61)
"""After its month ended: a provider's report of the next month comes by the 20th of the one after that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A view with the server's parts that answer it."""

    context: "Context"
    edition: "Edition"
    view: View

    def report(self, by: Sequence[str], first: str | None, last: str | None) -> "Report":
        """Return totals by keys between two days under the filters of the view."""
        from offgridflow.api.service import Question  # noqa: PLC0415  the server is late

        question = Question(tuple(by), first, last, self.view.where)
        return self.context.service.report(self.edition, self.context.caller.restriction, question)


def overview(context: "Context", edition: "Edition", view: View, now: datetime) -> dict[str, Any]:
    """Return everything that the overview's template reads."""
    asked = Asked(context, edition, view)
    months = [str(row["month"]) for row in asked.report(("month",), None, None).rows]
    months = list(dict.fromkeys(months))
    view = view.within(months, now.strftime("%Y-%m"))
    asked = Asked(context, edition, view)
    total = asked.report((), view.first, view.last)
    broken_down = asked.report((view.by,), view.first, view.last)
    made_by = f"factor set {total.provenance.factor_set or 'none'}; ledger version {edition.version}"
    return {
        "view": view,
        "months": [(month, words.month_name(month)) for month in months],
        "total": _total(total),
        "previous": _previous(asked, total),
        "chart": _chart(asked, months, made_by),
        "table": _table(view, broken_down),
        "picture": _picture(view, broken_down, made_by),
        "tabs": _tabs(asked),
        "coverage": _coverage(asked, total),
        "gap": _gap(total),
        "reported": _reported(asked),
        "banner": _banner(asked, now),
        "made_by": total.provenance,
    }


# totals -------------------------------------------------------------------------------------------------------------


def _total(found: "Report") -> dict[str, Any]:
    row = found.impact_total
    mass = words.scale_for([row["total_kgco2e"]])
    return {
        "mass": mass,
        "central": mass.write(row["total_kgco2e"]),
        "low": mass.write(row["total_low_kgco2e"]),
        "high": mass.write(row["total_high_kgco2e"]),
        "range": _range(row),
        "row": row,
        "tiles": _tiles(found),
    }


def _range(row: Mapping[str, object]) -> dict[str, float] | None:
    """Return where low, central and high lie on a bar that ends a little beyond high, in percent."""
    low, central, high = (
        words.decimal_of(row[name]) for name in ("total_low_kgco2e", "total_kgco2e", "total_high_kgco2e")
    )
    if low is None or central is None or high is None or high <= 0:
        return None
    end = high * Decimal("1.06")
    return {
        "low": round(float(low / end * 100), 2),
        "central": round(float(central / end * 100), 2),
        "width": round(float((high - low) / end * 100), 2),
    }


def _tiles(found: "Report") -> list[dict[str, Any]]:
    row = found.impact_total
    tiles = [
        _tile("Operational, location-based", row["operational_location_kgco2e"], words.MASS, "fuel supply included"),
        _tile(
            "Operational, market-based",
            row["operational_market_kgco2e"],
            words.MASS,
            f"known for {words.percent(row['market_coverage'], 0)} of it",
        ),
        _tile("Embodied", row["embodied_kgco2e"], words.MASS, "making the hardware"),
        _tile("Energy", row["energy_kwh"], words.ENERGY, "at the meter, overhead included"),
        _tile("Water", row["water_l"], words.WATER, f"known for {words.percent(row['water_coverage'], 0)} of energy"),
    ]
    return [*tiles, *_money_tiles(found)]


def _tile(name: str, value: object, scales: tuple[words.Scale, ...], note: str) -> dict[str, Any]:
    scale = words.scale_for([value], scales)
    unit = f"{scale.unit}\u00a0CO\u2082e" if scales is words.MASS else scale.unit
    known = words.decimal_of(value) is not None
    return {
        "name": name,
        "value": scale.write(value) if known else "unknown",
        "unit": unit if known else "",
        "note": note,
    }


def _cost(row: Mapping[str, object]) -> tuple[object, str]:
    """Return the cost of a row and what it is: billed where the bill says so, else effective."""
    if row["billed_cost"] is not None:
        return row["billed_cost"], "billed"
    return row["effective_cost"], "effective"


def _money_tiles(found: "Report") -> list[dict[str, Any]]:
    lines = [
        {"value": words.money(_cost(row)[0]), "unit": row["billing_currency"] or "", "kind": _cost(row)[1]}
        for row in found.total
    ]
    per = [
        {"value": _per_cost(row), "unit": f"g\u00a0CO\u2082e/{row['billing_currency'] or '?'}"} for row in found.total
    ]
    return [
        {"name": "Cost of this use", "lines": lines, "note": "currencies are never added"},
        {"name": "Carbon per cost", "lines": per, "note": "grams for one unit of money"},
    ]


def _per_cost(row: Mapping[str, object]) -> str:
    cost, kilograms = words.decimal_of(_cost(row)[0]), words.decimal_of(row["total_kgco2e"])
    if cost is None or kilograms is None or cost <= 0:
        return words.DASH
    return words.digits(kilograms * 1000 / cost)


def _previous(asked: Asked, total: "Report") -> dict[str, Any] | None:
    from offgridflow.api.service import Question  # noqa: PLC0415  the server is late

    view = asked.view
    before = Question((), view.first, view.last, view.where).before()
    if before is None or before.date_from is None or before.date_to is None:
        return None
    found = asked.report((), before.date_from, before.date_to)
    old, new = found.impact_total["total_kgco2e"], total.impact_total["total_kgco2e"]
    change = None if old is None or new is None else ratio(words.decimal_of(new), words.decimal_of(old))
    if change is None:
        return None
    moved = change - 1
    return {
        "percent": words.percent(abs(moved), 0 if abs(moved) >= Decimal("0.1") else 1),
        "direction": "up" if moved > 0 else "down" if moved < 0 else "same",
        "label": words.span_name(before.date_from[:7], before.date_to[:7]),
    }


# chart --------------------------------------------------------------------------------------------------------------


def _chart(asked: Asked, months: Sequence[str], made_by: str) -> dict[str, Any]:
    """Return the trend up to the last month of the view, with the API's answer to it as CSV."""
    view = asked.view
    shown = [month for month in months if not view.to or month <= view.to][-TREND_MONTHS:]
    first, last = (shown[0], shown[-1]) if shown else (None, None)
    rows = asked.report(("month", view.by), first, last).rows
    totals = asked.report(("month",), first, last).rows
    by = ("month",) if view.by == "month" else ("month", view.by)
    spanned = replace(view, from_=first, to=last, by=",".join(by))
    return {
        **charts.trend(view, shown, rows, totals, made_by),
        "csv": "/api/v1/emissions?" + spanned.api_query(format="csv"),
    }


def _picture(view: View, found: "Report", made_by: str) -> dict[str, Any] | None:
    """Return the breakdown as bars with their ranges."""
    caption = charts.captions("breakdown", f"Carbon by {words.key_name(view.by).lower()}", view, made_by)
    names = charts.names_of(view.by, found.rows)
    rows = [
        charts.Bar(name, (row["total_kgco2e"],), row["total_low_kgco2e"], row["total_high_kgco2e"])
        for name, row in zip(names, found.rows, strict=True)
    ]
    return charts.bars(caption, ["Total"], rows)


# breakdown ----------------------------------------------------------------------------------------------------------


def _table(view: View, found: "Report") -> dict[str, Any]:
    rows = found.rows[:TABLE_ROWS]
    mass = words.scale_for([row["total_kgco2e"] for row in rows])
    energy = words.scale_for([row["energy_kwh"] for row in rows], words.ENERGY)
    largest = max((words.decimal_of(row["total_high_kgco2e"]) or Decimal(0) for row in rows), default=Decimal(0))
    whole = words.decimal_of(found.impact_total["total_kgco2e"])
    return {
        "key": words.key_name(view.by),
        "mass": mass,
        "energy": energy,
        "rows": [_line(view, row, mass, energy, largest, whole) for row in rows],
        "others": max(0, len(found.rows) - TABLE_ROWS),
    }


def _line(
    view: View,
    row: Mapping[str, object],
    mass: words.Scale,
    energy: words.Scale,
    largest: Decimal,
    whole: Decimal | None,
) -> dict[str, Any]:
    value = row[view.by]
    central = words.decimal_of(row["total_kgco2e"])
    cost, _ = _cost(row)
    return {
        "name": words.short_name(view.by, value),
        "whole": words.value_name(view.by, value),
        "link": view.drilled(value),
        "explain": view.explained(value),
        "mass": mass.write(row["total_kgco2e"]),
        "low": mass.write(row["total_low_kgco2e"]),
        "high": mass.write(row["total_high_kgco2e"]),
        "bar": {name: _part(row[column], largest) for name, column in _BAR.items()},
        "share": words.percent(ratio(central, whole)) if central is not None else words.DASH,
        "energy": energy.write(row["energy_kwh"]),
        "intensity": _intensity(row),
        "cost": words.money(cost),
        "currency": row["billing_currency"] or "",
        "per_cost": _per_cost(row),
    }


_BAR: Final = {"low": "total_low_kgco2e", "central": "total_kgco2e", "high": "total_high_kgco2e"}


def _part(value: object, largest: Decimal) -> float:
    number = words.decimal_of(value)
    return 0.0 if number is None or largest <= 0 else round(float(number / largest * 100), 2)


def _intensity(row: Mapping[str, object]) -> str:
    """Return grams of operational carbon per kWh at the meter: for a region its grid, fuel supply included."""
    energy, operational = words.decimal_of(row["energy_kwh"]), words.decimal_of(row["operational_location_kgco2e"])
    if energy is None or operational is None or energy <= 0:
        return words.DASH
    return words.digits(operational * 1000 / energy)


def _tabs(asked: Asked) -> list[dict[str, Any]]:
    keys = ["provider", "service_name", "region_id", "sub_account_id", "resource_id"]
    keys += [f"tag:{key}" for key in tag_keys_of(asked.edition)]
    view = asked.view
    if view.by not in keys:
        keys.append(view.by)
    return [{"name": words.key_name(key), "link": view.with_by(key), "is_current": key == view.by} for key in keys]


def tag_keys_of(edition: "Edition") -> list[str]:
    """Return the tag keys that the ledger keeps apart."""
    return sorted({key for commit in edition.commits for key in commit.tag_keys})


# what stands beside the figures -------------------------------------------------------------------------------------


def _coverage(asked: Asked, total: "Report") -> dict[str, Any]:
    from offgridflow.api.service import Question  # noqa: PLC0415  the server is late

    view = asked.view
    question = Question((), view.first, view.last, view.where)
    seen = asked.context.service.glance(asked.edition, asked.context.caller.restriction, question)
    currencies = list(dict.fromkeys(row["billing_currency"] for row in seen.buckets))
    return {
        "currencies": [_buckets(currency, seen.buckets) for currency in currencies],
        "assumptions": [
            {
                "name": words.sentence(str(row["assumption"])),
                "share": words.percent(row["share"], 0),
                "width": round(float(words.decimal_of(row["share"]) or 0) * 100, 1),
            }
            for row in seen.assumptions
        ],
        "line_items": total.coverage["line_items"],
    }


def _buckets(currency: object, rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    own = {
        str(row["coverage_bucket"]): words.decimal_of(row["cost"])
        for row in rows
        if row["billing_currency"] == currency
    }
    whole = sum((value or Decimal(0) for value in own.values()), Decimal(0))
    left = Decimal(0)
    parts = []
    for bucket, meaning in words.BUCKETS.items():
        share = ratio(own.get(bucket) or Decimal(0), whole) or Decimal(0)
        width = share * 100
        parts.append(
            {
                "bucket": bucket,
                "meaning": meaning,
                "share": words.percent(share),
                "left": round(float(left), 3),
                "width": round(float(width), 3),
            }
        )
        left += width
    rated = sum((own.get(bucket) or Decimal(0) for bucket in "AB"), Decimal(0))
    physical = whole - (own.get("F") or Decimal(0))
    return {"currency": currency or "no currency", "parts": parts, "headline": words.percent(ratio(rated, physical), 0)}


def _gap(found: "Report") -> list[dict[str, Any]]:
    """Return what is on the invoice but is not usage, so that the page closes to the invoice."""
    tallies = [*found.excluded.items(), *(found.quarantined or {}).items()]
    return [
        {
            "reason": words.sentence(reason),
            "cost": words.money(part.get("billed_cost")),
            "currency": part.get("billing_currency") or "",
        }
        for reason, tally in tallies
        for part in _parts(tally)
    ]


def _parts(tally: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    parts = tally.get("by_currency")
    return parts if isinstance(parts, list) else [tally]


def _reported(asked: Asked) -> list[dict[str, Any]] | None:
    """Return estimate beside the provider's figure, per provider; None where it cannot be compared."""
    if not asked.context.caller.restriction.is_none or asked.view.where:
        return None
    from offgridflow.api.service import Question  # noqa: PLC0415  the server is late

    found = asked.context.service.reconciled(asked.edition, Question((), asked.view.first, asked.view.last))
    if found is None:
        return []
    return [_beside(row) for row in found.rows if _published(row)[0] is not None]


def _published(row: Mapping[str, object]) -> tuple[object, str | None]:
    """Return the provider's location-based total, or one without a method and that it has none: Azure says none."""
    if row["reported_total_location_kgco2e"] is not None:
        return row["reported_total_location_kgco2e"], None
    return row["reported_total_unspecified_kgco2e"], "method not stated"


def _beside(row: Mapping[str, object]) -> dict[str, Any]:
    theirs, method = _published(row)
    compared = ratio(words.decimal_of(row["estimate_total_kgco2e"]), words.decimal_of(theirs))
    return {
        "provider": words.value_name("provider", row["provider"]),
        "ours": _mass_text(row["estimate_total_kgco2e"]),
        "theirs": _mass_text(theirs),
        "market": _mass_text(row["reported_total_market_kgco2e"]),
        "method": method,
        "ratio": words.digits(compared),
    }


def _mass_text(value: object) -> str:
    if words.decimal_of(value) is None:
        return words.DASH
    scale = words.scale_for([value])
    return f"{scale.write(value)} {scale.unit}"


def _banner(asked: Asked, now: datetime) -> dict[str, Any]:
    """Return how fresh the data is, and what failed; nothing of it for a restricted token."""
    if not asked.context.caller.restriction.is_none:
        return {"sources": 0, "latest": None, "stale": [], "stale_reports": [], "failed": [], "more_failed": 0}
    states = sources_of({}, asked.edition.commits, asked.edition.reports)
    latest = max((each.last_committed_at for each in states if each.last_committed_at), default=None)
    failed = [*_failed_ingests(asked), *_failed_sources(asked)]
    return {
        "sources": len(states),
        "latest": latest.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if latest else None,
        "stale": [
            each.source
            for each in states
            if each.commits and _is_stale(each.commits[0].billing_period, now, STALE_AFTER)
        ],
        "stale_reports": [
            each.source for each in states if each.reports and _is_stale(each.reports[0].month, now, STALE_REPORT_AFTER)
        ],
        "failed": failed[:MOST_FAILURES],
        "more_failed": max(len(failed) - MOST_FAILURES, 0),
    }


def _failed_ingests(asked: Asked) -> list[dict[str, Any]]:
    """Return the newest run that the API started, if it did not succeed."""
    found: list[dict[str, Any]] = []
    for run in asked.context.parts.runs.list()[:1]:
        if run["state"] in {"failed", "partial", "interrupted"}:
            error = run["error"] if isinstance(run["error"], Mapping) else {}
            found.append(
                {
                    "what": "The ingest that the API started last",
                    "at": _minute(str(run["finished_at"])),
                    "sentence": error.get("message", "It did not succeed."),
                    "action": error.get("action", ""),
                }
            )
    return found


def _failed_sources(asked: Asked) -> list[dict[str, Any]]:
    """Return what failed or is held of each source in the newest run of the worker that tried it."""
    from offgridflow.pipeline.troubles import troubles_of  # noqa: PLC0415  the pipeline is late

    store = asked.context.parts.history
    if store is None:
        return []
    try:
        found = troubles_of(store)
    except LedgerError as error:
        return [{"what": "The history of runs", "at": "now", "sentence": error.sentence, "action": error.action}]
    return [
        {
            "what": " ".join(filter(None, (trouble.source or "offgridflow run", trouble.billing_period))),
            "at": _minute(trouble.at),
            "sentence": trouble.sentence,
            "action": trouble.action,
        }
        for trouble in found
    ]


def _minute(instant: str) -> str:
    return instant[:16].replace("T", " ") + " UTC"


def _is_stale(period: str, now: datetime, after: timedelta) -> bool:
    """Return whether a source's newest month ended so long ago that a newer one should be there."""
    year, month = int(period[:4]), int(period[5:7])
    ended = date(year + month // 12, month % 12 + 1, 1)
    return now.date() - ended > after
