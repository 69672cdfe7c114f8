"""The inventory as a page for people: Markdown, and HTML made from the same parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from html import escape
from typing import Final

from offgridflow.reports.figures import plain
from offgridflow.reports.inventory import BASE_YEAR, EXCLUSIONS, OFFSETS, Inventory

_READABLE: Final = Context(prec=9)
"""Pages show nine significant digits; JSON and CSV hold all."""
UNKNOWN: Final = "unknown"
"""What stands in the place of a figure that is not known."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs and tables."""

    title: str
    blocks: tuple[str | Grid, ...]


def sections(found: Inventory) -> list[Section]:
    """Return the sections of the page in their order."""
    return [
        Section("Scope 3, category 1: purchased cloud services", (_totals(found), _market_note(found), OFFSETS)),
        Section("By provider and provider scope", (_providers(found),)),
        Section("What the providers report themselves", _reported(found)),
        Section("Uncertainty", _uncertainty(found)),
        Section("Coverage and data quality", _coverage(found)),
        Section("Exclusions", (Grid(("excluded", "why"), EXCLUSIONS), _charges(found))),
        Section("ESRS E1-6", (_datapoints(found),)),
        *([Section("Software Carbon Intensity", (_sci(found.intensity),))] if found.intensity else []),
        Section("Base year, restatement, versions", (BASE_YEAR, _versions(found))),
    ]


def title_of(found: Inventory) -> str:
    """Return the title of the page."""
    return f"GHG inventory of cloud use, {found.year}"


def to_markdown(found: Inventory) -> str:
    """Return the inventory as Markdown."""
    parts = [f"# {title_of(found)}"]
    for section in sections(found):
        parts.append(f"## {section.title}")
        parts += [_markdown(block) for block in section.blocks if block]
    return "\n\n".join(parts) + "\n"


def to_html(found: Inventory) -> str:
    """Return the inventory as one HTML page without scripts and without anything from elsewhere."""
    title = title_of(found)
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in sections(found):
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [_html(block) for block in section.blocks if block]
    style = "body{font-family:sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em .8em;text-align:left}"
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _markdown(block: str | Grid) -> str:
    if isinstance(block, str):
        return _quiet(block)
    lines = [block.head, ("---",) * len(block.head), *block.rows]
    return "\n".join("| " + " | ".join(_quiet(cell) for cell in line) + " |" for line in lines)


def _quiet(text: str) -> str:
    """Return a text that Markdown shows as it is, in a table too."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _html(block: str | Grid) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _text(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, Decimal):
        return plain(_READABLE.plus(value))
    return plain(value) if isinstance(value, int | float) else str(value)


def _share(value: object) -> str:
    return UNKNOWN if not isinstance(value, Decimal) else f"{plain(round(value * 100, 2))} %"


def _grid(titles: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> Grid:
    return Grid(tuple(titles.values()), tuple(tuple(_text(row[name]) for name in titles) for row in rows))


def _totals(found: Inventory) -> Grid:
    head = found.scope_3_category_1
    names = {
        "location_based_kgco2e": "location-based total",
        "location_based_low_kgco2e": "its low",
        "location_based_high_kgco2e": "its high",
        "market_based_kgco2e": "market-based total (never added to the above)",
        "operational_location_kgco2e": "of the location-based total: operational, upstream included",
        "embodied_kgco2e": "of either total: embodied in hardware",
    }
    return Grid(("figure", "kgCO2e"), tuple((title, _text(head[name])) for name, title in names.items()))


def _market_note(found: Inventory) -> str:
    head = found.scope_3_category_1
    return (
        f"Of the market-based total {_share(head['market_coverage'])} rests on contracts or provider data; the rest, "
        f"{_text(head['market_filled_with_location_kgco2e'])} kgCO2e, is filled with location-based figures."
    )


def _providers(found: Inventory) -> Grid:
    titles = {
        "provider": "provider",
        "operational_direct_kgco2e": "its scope 2 (direct), kgCO2e",
        "operational_upstream_kgco2e": "its scope 3 upstream, kgCO2e",
        "operational_unsplit_kgco2e": "scope 2 and 3 upstream in one factor, kgCO2e",
        "embodied_kgco2e": "its scope 3 embodied, kgCO2e",
        "total_kgco2e": "total location-based, kgCO2e",
        "total_market_kgco2e": "total market-based, kgCO2e",
        "energy_kwh": "kWh",
    }
    return _grid(titles, found.by_provider)


def _reported(found: Inventory) -> tuple[str | Grid, ...]:
    if not found.reported:
        return ("No provider report was ingested for this year.",)
    titles = {
        "provider": "provider",
        "scope_1_kgco2e": "scope 1",
        "scope_2_location_kgco2e": "scope 2 location",
        "scope_2_market_kgco2e": "scope 2 market",
        "scope_2_unspecified_kgco2e": "scope 2, method not said",
        "scope_3_location_kgco2e": "scope 3 location",
        "scope_3_market_kgco2e": "scope 3 market",
    }
    return (_grid(titles, found.reported), "In kgCO2e. These figures stand beside ours and enter no total here.")


def _uncertainty(found: Inventory) -> tuple[str | Grid, ...]:
    made = found.uncertainty
    if made.total_kgco2e is None or made.envelope is None:
        return ("Nothing was estimated.",)
    low, high = made.envelope
    titles = {"group": "group", "low_kgco2e": "total at its low", "high_kgco2e": "total at its high"}
    text = (
        f"Varying one group of factors at a time: {_text(made.low)} to {_text(made.high)} kgCO2e. All at once: "
        f"{_text(low)} to {_text(high)} kgCO2e, which is not a confidence interval."
    )
    return (text, _grid(titles, made.groups))


def _coverage(found: Inventory) -> tuple[str | Grid, ...]:
    lines = [
        f"{_share(row['headline'])} of the cost of physical use in {row['billing_currency']} is rated for the SKU, its "
        "family or its vCPUs."
        for row in found.coverage.headlines
    ]
    lines += [
        f"Physical use without an estimate ({_text(row['cost'])} {row['billing_currency']}) could hold another "
        f"{_text(row['possible_kgco2e'])} kgCO2e; it is in no total."
        for row in found.coverage.omissions
    ]
    titles = {
        "coverage_bucket": "bucket",
        "billing_currency": "currency",
        "cost": "cost",
        "line_items": "lines",
        "total_kgco2e": "kgCO2e",
    }
    missing = ", ".join(found.missing_months)
    note = f"Months of {found.year} without any use in the ledger: {missing}." if missing else ""
    return (*lines, _grid(titles, found.coverage.buckets), note)


def _charges(found: Inventory) -> Grid:
    rows = [
        (reason, _text(part["line_items"]), _text(part["billed_cost"]), _text(part["billing_currency"]))
        for reason, tally in found.excluded_charges.items()
        for part in _by_currency(tally)
    ]
    return Grid(("charge that is not use", "lines", "cost", "currency"), tuple(rows))


def _by_currency(tally: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """Return the parts of a charge, one per currency: they are never added."""
    parts = tally.get("by_currency")
    return parts if isinstance(parts, list) else [tally]


def _datapoints(found: Inventory) -> Grid:
    titles = {"paragraph": "paragraph", "datapoint": "datapoint", "value": "value", "unit": "unit", "note": "note"}
    return _grid(titles, found.datapoints)


def _sci(row: Mapping[str, object]) -> str:
    return (
        f"SCI = ({_text(row['operational_kgco2e'])} + {_text(row['embodied_kgco2e'])}) kgCO2e / "
        f"{_text(row['functional_units'])} = {_text(row['sci_kgco2e_per_unit'])} kgCO2e per {row['functional_unit']} "
        "(location-based, ISO/IEC 21031)."
    )


def _versions(found: Inventory) -> str:
    made = found.provenance
    return f"Factor set {_text(made.factor_set)}, ledger version {_text(made.ledger_version)}."


def records_of(found: Inventory) -> Sequence[Mapping[str, object]]:
    """Return the inventory as one list of figures, for CSV."""
    head = found.scope_3_category_1
    rows: list[Mapping[str, object]] = [
        {"part": "scope_3_category_1", "name": name, "value": value} for name, value in head.items()
    ]
    for part, lists in (("by_provider", found.by_provider), ("reported_by_provider", found.reported)):
        rows += [
            {"part": part, "provider": row["provider"], "name": name, "value": value}
            for row in lists
            for name, value in row.items()
            if name != "provider"
        ]
    rows += [
        {
            "part": "esrs_e1",
            "name": f"{row['paragraph']} {row['datapoint']}",
            "value": row["value"],
            "unit": row["unit"],
        }
        for row in found.datapoints
    ]
    return [{"part": None, "provider": None, "name": None, "value": None, "unit": None, **row} for row in rows]
