"""What the charts of the pages show, and say when they are saved as images: title, what was asked, provenance. No HTML.

A chart is a plain mapping that ``static/chart.js`` draws: on its page, and alone as an image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from offgridflow import __version__
from offgridflow.web import words
from offgridflow.web.links import View

TOP_SERIES: Final = 6
MOST_BARS: Final = 15
METRICS: Final[dict[str, tuple[str, str, tuple[words.Scale, ...]]]] = {
    "carbon": ("Carbon", "total_kgco2e", words.MASS),
    "energy": ("Energy", "energy_kwh", words.ENERGY),
    "water": ("Water", "water_l", words.WATER),
}

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its name, kilograms (None where unknown) one per series, and low and high in kilograms."""

    name: str
    values: tuple[object, ...]
    low: object = None
    high: object = None


def captions(name: str, title: str, view: View, made_by: str, more: str = "") -> dict[str, str]:
    """Return what an image says beside the chart, and the name of its file without ``.png``."""
    filters = [f"{words.key_name(key)} {words.value_name(key, value)}" for key, value in view.where]
    period = words.span_name(view.from_, view.to) if view.from_ or view.to else "All months"
    return {
        "file": f"offgridflow-{name}",
        "title": title,
        "about": "; ".join(filter(None, (period, *filters, more))),
        "source": f"OffGridFlow {__version__}; {made_by}",
    }


def trend(
    view: View, months: Sequence[str], rows: Sequence[Row], totals: Sequence[Row], made_by: str
) -> dict[str, Any]:
    """Return the stacked columns per month: the largest values of the key, all others as one, and the range.

    Args:
        view: what is shown.
        months: the columns, YYYY-MM.
        rows: totals by month and the view's key.
        totals: totals by month.
        made_by: ledger version and factor set, for the image.

    """
    name, column, scales = METRICS[view.metric]
    series = _series(view, column, months, rows)
    scale = words.scale_for([_sum(totals, month, column) for month in months], scales)
    is_carbon = column == "total_kgco2e"
    ranges = [
        [_scaled(_sum(totals, month, each), scale) for each in ("total_low_kgco2e", "total_high_kgco2e")]
        for month in months
    ]
    by = words.key_name(view.by)
    unit = f"{scale.unit} CO\u2082e" if is_carbon else scale.unit
    shown = View(months[0], months[-1], view.by, view.metric, view.where) if months else view
    return {
        **captions("months", f"{name} per month by {by.lower()}, {unit}", shown, made_by),
        "metric": name,
        "unit": unit,
        "labels": [words.month_name(month) for month in months],
        "months": months,
        "selected": [(view.from_ or "") <= month <= (view.to or "9999") for month in months],
        "ranges": ranges if is_carbon else [],
        "series": [{**each, "values": [_scaled(value, scale) for value in each["values"]]} for each in series],
        "by": by,
    }


def bars(caption: Mapping[str, str], series: Sequence[str], rows: Sequence[Bar]) -> dict[str, Any] | None:
    """Return bars of carbon from left to right, the first MOST_BARS of them; None where no figure is known.

    Args:
        caption: what the image says (``captions``); the unit is added to its title, and how many bars are left out.
        series: names of the values of a bar.
        rows: the bars from the top.

    """
    shown = [row for row in rows if any(words.decimal_of(value) is not None for value in row.values)]
    left, shown = max(len(shown) - MOST_BARS, 0), shown[:MOST_BARS]
    if not shown:
        return None
    scale = words.scale_for([value for row in shown for value in row.values])
    unit = f"{scale.unit} CO\u2082e"
    ranges = [[_scaled(words.decimal_of(end), scale) for end in (row.low, row.high)] for row in shown]
    cut = [f"the largest {MOST_BARS} of {MOST_BARS + left}"] if left else []
    return {
        **caption,
        "title": f"{caption['title']}, {unit}",
        "about": "; ".join((caption["about"], *cut)),
        "unit": unit,
        "is_across": True,
        "labels": [row.name for row in shown],
        "selected": [True for _ in shown],
        "ranges": ranges if any(end is not None for ends in ranges for end in ends) else [],
        "series": [
            {"name": name, "values": [_scaled(words.decimal_of(row.values[place]), scale) for row in shown]}
            for place, name in enumerate(series)
        ],
    }


def names_of(key: str, rows: Sequence[Row]) -> list[str]:
    """Return the names of rows by a key and currency; the currency stands behind where there are several."""
    several = len({row["billing_currency"] for row in rows}) > 1
    return [
        words.short_name(key, row[key]) + (f" ({row['billing_currency'] or 'no currency'})" if several else "")
        for row in rows
    ]


def _series(view: View, column: str, months: Sequence[str], rows: Sequence[Row]) -> list[dict[str, Any]]:
    cells: dict[tuple[object, str], Decimal] = {}
    for row in rows:
        value = words.decimal_of(row[column])
        if value is not None:
            key = (row[view.by], str(row["month"]))
            cells[key] = cells.get(key, Decimal(0)) + value
    sums: dict[object, Decimal] = {}
    for (name, _), value in cells.items():
        sums[name] = sums.get(name, Decimal(0)) + value
    ordered = sorted(sums, key=lambda name: (-sums[name], str(name)))
    top, rest = ordered[:TOP_SERIES], ordered[TOP_SERIES:]
    series: list[dict[str, Any]] = [
        {"name": words.short_name(view.by, name), "values": [cells.get((name, month)) for month in months]}
        for name in top
    ]
    if rest:
        others = [sum((cells.get((name, month), Decimal(0)) for name in rest), Decimal(0)) for month in months]
        series.append({"name": f"{len(rest)} others", "values": list(others), "is_rest": True})
    return series


def _sum(rows: Sequence[Row], month: str, column: str) -> Decimal | None:
    known = [words.decimal_of(row[column]) for row in rows if row["month"] == month]
    values = [value for value in known if value is not None]
    return sum(values, Decimal(0)) if values else None


def _scaled(value: Decimal | None, scale: words.Scale) -> float | None:
    return None if value is None else round(float(value) / float(scale.divisor), 6)
