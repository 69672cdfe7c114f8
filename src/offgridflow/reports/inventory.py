"""The customer's GHG inventory of cloud use: Scope 3 category 1, by the GHG Protocol, for one calendar year.

Whatever scope an emission has for the provider, for the customer it is Scope 3 category 1 (purchased goods and
services). Location- and market-based totals stand side by side and are never added, embodied stands apart, offsets
never enter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import DECIMAL
from offgridflow.domain.reported import WATER
from offgridflow.reports.coverage import CoverageReport, coverage
from offgridflow.reports.figures import EXACT, Row, ratio, total_of
from offgridflow.reports.market import market_view
from offgridflow.reports.rates import Sensitivity, sensitivity
from offgridflow.reports.records import records
from offgridflow.reports.reported import REPORTED_FIGURES, reported_rows, reported_water
from offgridflow.reports.scope import MONTH_SQL
from offgridflow.reports.totals import UNKNOWN_PROVENANCE, Provenance, report

if TYPE_CHECKING:
    import duckdb

EXCLUSIONS: Final = (
    (
        "provider scope 1",
        "fuel and refrigerants burnt or lost on site are not estimated; provider reports include them",
    ),
    ("buildings", "construction of data centres is not estimated"),
    ("end of life", "disposal of hardware is not estimated"),
    ("network beyond the provider", "networks of carriers and devices of users are outside of the boundary"),
    ("customer premises", "hardware of the provider at the customer's site is the customer's own scope 2"),
)
"""Stated exclusions (methodology.md section 1)."""

OFFSETS: Final = "Carbon offsets, removals and avoided emissions are in no figure."
BASE_YEAR: Final = (
    "No base year is set by this program. Figures of a closed year keep the factor set and the ledger version named "
    "here; a later factor set changes them only by a rerate, which is a restatement to be disclosed."
)
_PERIOD: Final = "year"
_LOCATION_PARTS: Final = ("scope_1", "scope_2", "scope_3_upstream", "scope_3_embodied")
_T: Final = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Inventory:
    """The inventory of one year, in kgCO2e unless a name says otherwise.

    ``scope_3_category_1`` holds both totals with the share of the market-based one that is location-based for want of
    a contractual or residual-mix factor; ``by_provider`` the parts by the provider's own scopes; ``reported`` the
    providers' own figures beside it, which enter no total.
    """

    year: int
    months: tuple[str, ...]
    scope_3_category_1: Row
    by_provider: tuple[Row, ...]
    reported: tuple[Row, ...]
    uncertainty: Sensitivity
    coverage: CoverageReport
    excluded_charges: Mapping[str, Mapping[str, object]]
    datapoints: tuple[Row, ...]
    intensity: Row | None
    provenance: Provenance

    @property
    def missing_months(self) -> tuple[str, ...]:
        """Months of the year without any use in the ledger."""
        return tuple(
            f"{self.year}-{month:02d}" for month in range(1, 13) if f"{self.year}-{month:02d}" not in self.months
        )

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {
            _PERIOD: self.year,
            "months": list(self.months),
            "missing_months": list(self.missing_months),
            "scope_3_category_1": self.scope_3_category_1,
            "by_provider": list(self.by_provider),
            "reported_by_providers": list(self.reported),
            "uncertainty": self.uncertainty.to_json(),
            "coverage": self.coverage.to_json(),
            "excluded_charges": self.excluded_charges,
            "exclusions": [{"what": what, "why": why} for what, why in EXCLUSIONS],
            "offsets": OFFSETS,
            "base_year_and_restatement": BASE_YEAR,
            "esrs_e1": list(self.datapoints),
            "sci": self.intensity,
            **self.provenance.to_json(),
        }


def inventory(
    con: "duckdb.DuckDBPyConnection",
    year: int,
    functional_units: Decimal | None = None,
    unit_name: str | None = None,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
) -> Inventory:
    """Return the inventory of the charge days of ``year`` (UTC).

    ``functional_units`` is the R of a Software Carbon Intensity (ISO/IEC 21031): how many of ``unit_name`` were served.
    """
    if not 1 <= year <= _LAST_YEAR or (functional_units is not None and functional_units <= 0):
        sentence = "An inventory needs a calendar year, and functional units above 0."
        raise UsageError(sentence, action="Give a year such as 2025 and a number of units above 0.")
    first, last = f"{year:04d}-01", f"{year:04d}-12"
    rows = _by_provider(con, first, last)
    totals = report(con, ["month"], first, last)
    reported = _reported(con, first, last)
    headline = _headline(rows)
    return Inventory(
        year=year,
        months=tuple(dict.fromkeys(str(row["month"]) for row in totals.rows)),
        scope_3_category_1=headline,
        by_provider=tuple(rows),
        reported=tuple(reported),
        uncertainty=sensitivity(con, first, last),
        coverage=coverage(con, first, last),
        excluded_charges=totals.excluded,
        datapoints=tuple(_datapoints(headline, rows, reported)),
        intensity=None if functional_units is None else _intensity(headline, functional_units, unit_name),
        provenance=provenance,
    )


_LAST_YEAR: Final = 9999
_IMPACTS: Final = (
    "energy_kwh",
    "operational_direct_kgco2e",
    "operational_upstream_kgco2e",
    "operational_location_kgco2e",
    "embodied_kgco2e",
    "total_kgco2e",
    "total_low_kgco2e",
    "total_high_kgco2e",
)
_KNOWN: Final = "total_market_kgco2e IS NOT NULL"


def _by_provider(con: "duckdb.DuckDBPyConnection", first: str, last: str) -> list[Row]:
    """Return per provider the parts by the provider's scopes, and both totals.

    Direct, upstream and what the factors do not split into them add up to the operational figure.
    Market-based figures come from contracts, else by the provider's own ratio.
    """
    view = market_view(con)
    rated = "total_kgco2e IS NOT NULL"
    sums = [f"sum({name}::{DECIMAL}) AS {name}" for name in _IMPACTS]
    unsplit = (
        f"coalesce(sum(operational_location_kgco2e::{DECIMAL}) FILTER (operational_direct_kgco2e IS NULL), 0) "
        f"+ CASE WHEN count(*) FILTER ({rated}) = 0 THEN NULL ELSE 0 END AS operational_unsplit_kgco2e"
    )
    market = f"sum(total_market_kgco2e::{DECIMAL}) AS known_market"
    filled = f"sum(total_kgco2e::{DECIMAL}) FILTER (NOT ({_KNOWN})) AS filled_market"
    found = records(
        con,
        f"SELECT provider, {', '.join(sums)}, {unsplit}, {market}, {filled} FROM {view} "
        f"WHERE charge_class = 'usage' AND {MONTH_SQL} BETWEEN ? AND ? GROUP BY provider ORDER BY provider",
        (first, last),
    )
    return [_provider(row) for row in found]


def _provider(row: Mapping[str, Any]) -> Row:
    market = total_of([row["known_market"], row["filled_market"]])
    filled = Decimal(0) if market is not None and row["filled_market"] is None else row["filled_market"]
    return {
        "provider": row["provider"],
        **{name: row[name] for name in (*_IMPACTS, "operational_unsplit_kgco2e")},
        "total_market_kgco2e": market,
        "market_filled_kgco2e": filled,
        "market_coverage": ratio(row["known_market"] or 0, market),
    }


def _headline(rows: Sequence[Row]) -> Row:
    def added(name: str) -> Decimal | None:
        return total_of([_figure(row[name]) for row in rows])

    market, filled = added("total_market_kgco2e"), added("market_filled_kgco2e")
    known = EXACT.subtract(market, filled or Decimal(0)) if market is not None else None
    return {
        "sub_category": "Cloud computing and data centre services",
        "location_based_kgco2e": added("total_kgco2e"),
        "location_based_low_kgco2e": added("total_low_kgco2e"),
        "location_based_high_kgco2e": added("total_high_kgco2e"),
        "market_based_kgco2e": market,
        "market_coverage": ratio(known, market),
        "market_filled_with_location_kgco2e": filled,
        "operational_location_kgco2e": added("operational_location_kgco2e"),
        "embodied_kgco2e": added("embodied_kgco2e"),
        "energy_kwh": added("energy_kwh"),
    }


def _figure(value: object) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _reported(con: "duckdb.DuckDBPyConnection", first: str, last: str) -> list[Row]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in reported_rows(con, first, last):
        groups.setdefault(row["provider"], []).append(row)
    water = reported_water(con, first[:4])
    return [
        {
            "provider": provider,
            **{name: total_of([part[name] for part in parts]) for name in REPORTED_FIGURES},
            WATER: water.get(provider),
        }
        for provider, parts in sorted(groups.items())
    ]


def _datapoints(headline: Row, rows: Sequence[Row], reported: Sequence[Row]) -> list[Row]:
    """Return the ESRS E1-6 datapoints (Delegated Regulation (EU) 2023/2772, paragraph numbers of the 2023 text)."""
    location, market = _tonnes(headline["location_based_kgco2e"]), _tonnes(headline["market_based_kgco2e"])
    primary = {str(row["provider"]) for row in reported}
    covered = total_of([_figure(row["total_kgco2e"]) for row in rows if row["provider"] in primary])
    share = ratio(covered or 0, _figure(headline["location_based_kgco2e"]))
    scope_2 = "0 from cloud use unless servers are under operational control"
    cloud = 'category 1, optional sub-category "Cloud computing and data centre services"'
    return [
        _point("E1-6 44(a), 48(a)", "Gross Scope 1", Decimal(0), "tCO2e", "0 from cloud use"),
        _point("E1-6 44(b), 49(a)", "Gross location-based Scope 2", Decimal(0), "tCO2e", scope_2),
        _point("E1-6 44(b), 49(b)", "Gross market-based Scope 2", Decimal(0), "tCO2e", scope_2),
        _point("E1-6 44(c), 51", "Gross Scope 3, category 1", location, "tCO2e", cloud),
        _point("E1-6 44(d), 52", "Total, location-based", location, "tCO2e", "cloud use alone"),
        _point(
            "E1-6 44(d), 52", "Total, market-based", market, "tCO2e", "cloud use alone; not to be added to the above"
        ),
        _point("E1-6 53-55", "Intensity per net revenue", None, "tCO2e/currency", "needs net revenue"),
        _point(
            "E1-6 AR 46(g)", "Share of Scope 3 from primary data", share, "fraction", "providers that report to you"
        ),
    ]


def _point(paragraph: str, name: str, value: Decimal | None, unit: str, note: str) -> Row:
    return {"paragraph": paragraph, "datapoint": name, "value": value, "unit": unit, "note": note}


def _tonnes(value: object) -> Decimal | None:
    number = _figure(value)
    return None if number is None else EXACT.divide(number, _T)


def _intensity(headline: Row, units: Decimal, name: str | None) -> Row:
    """Return SCI = (E x I + M) per R: operational location-based and embodied, never market-based."""
    operational, embodied = _figure(headline["operational_location_kgco2e"]), _figure(headline["embodied_kgco2e"])
    whole = None if operational is None or embodied is None else EXACT.add(operational, embodied)
    return {
        "functional_unit": name or "unit",
        "functional_units": units,
        "operational_kgco2e": operational,
        "embodied_kgco2e": embodied,
        "sci_kgco2e_per_unit": None if whole is None else EXACT.quantize(EXACT.divide(whole, units), Decimal("1e-18")),
    }
