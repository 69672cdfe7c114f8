"""Grid areas by year: direct and delivered lifecycle kgCO2e/kWh (methodology.md section 1), with their spans."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tools.factor_build.places import grid_area
from tools.factor_build.tables import Corrections, Row, read

COLUMNS = (
    "area",
    "year",
    "direct_low",
    "direct",
    "direct_high",
    "lifecycle_low",
    "lifecycle",
    "lifecycle_high",
    "generation_g_per_kwh",
    "loss",
    "quality",
    "marks",
    "direct_evidence",
    "lifecycle_evidence",
    "source",
    "note",
)

FIRST_YEAR = 2018
_SPAN_FROM = 2023
_LOSS = (0.02, 0.05, 0.08)
_US_RATIO = 392.89 / 349.667
_UPSTREAM_G = {"CA-QC": 24.0, "CA-ON": 30.0, "BR-CS": 30.0, "JP-TK": 65.0, "JP-KN": 65.0}
_ZONE_COUNTRY = {"CA-QC": "CAN", "CA-ON": "CAN", "BR-CS": "BRA", "JP-TK": "JPN", "JP-KN": "JPN", "CA-AB": "CAN"}
_ZONE_REGION = {
    "CA-QC": "northamerica-northeast1",
    "CA-ON": "northamerica-northeast2",
    "BR-CS": "southamerica-east1",
    "JP-TK": "asia-northeast1",
    "JP-KN": "asia-northeast2",
}
_NGA_SCOPE3_KG = {
    "AU-NSW": 0.04,
    "AU-ACT": 0.04,
    "AU-VIC": 0.09,
    "AU-QLD": 0.10,
    "AU-SA": 0.05,
    "AU-WA": 0.06,
    "AU-TAS": 0.03,
    "AU-NT": 0.07,
}
_INDIA_DIRECT_G = 711.7
_BAHRAIN_G = (488.0, 581.5, 902.0)
_HIGH_QUALITY_SPREAD = 1.3
_COUNTRIES_WITH_ROUGH_DATA = {"CHN", "IDN", "MYS", "SWE", "NOR", "DNK", "ITA", "CHL", "BHR", "BEL"}

Span3 = tuple[float, float, float]
_LOSS_MARK = "grid_loss_default"


@dataclass(frozen=True)
class Entry:
    """One area in one year. Spans in kg/kWh at the meter; None where not known."""

    area: str
    year: int
    source: str
    direct: Span3 | None = None
    lifecycle: Span3 | None = None
    generation_g: float | None = None
    loss: float | None = None
    marks: tuple[str, ...] = ()
    direct_evidence: str = ""
    lifecycle_evidence: str = ""
    note: str = ""

    def row(self) -> Row:
        """Return the row of grid.csv."""
        low, central, high = self.direct or (None, None, None)
        life_low, life, life_high = self.lifecycle or (None, None, None)
        return {
            "area": self.area,
            "year": str(self.year),
            "direct_low": low,
            "direct": central,
            "direct_high": high,
            "lifecycle_low": life_low,
            "lifecycle": life,
            "lifecycle_high": life_high,
            "generation_g_per_kwh": self.generation_g,
            "loss": self.loss,
            "quality": self.quality,
            "marks": " ".join(self.marks),
            "direct_evidence": self.direct_evidence,
            "lifecycle_evidence": self.lifecycle_evidence,
            "source": self.source,
            "note": self.note,
        }

    @property
    def quality(self) -> str:
        """High: read evidence and opinions within 1.3; low: known rough data; else medium."""
        span = self.direct or self.lifecycle
        if self.area.removeprefix("country:") in _COUNTRIES_WITH_ROUGH_DATA or self.source == "emaps_fact":
            return "low"
        read_in = self.direct_evidence == "read"
        tight = span is not None and span[0] > 0 and span[2] / span[0] <= _HIGH_QUALITY_SPREAD
        return "high" if read_in and tight else "medium"


@dataclass
class Ember:
    """Ember's lifecycle g/kWh generated, by country and year."""

    years: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def of(cls, shared: Path) -> "Ember":
        """Read Ember's yearly table."""
        found = cls()
        for raw in read(shared, "grid_country_yearly"):
            if raw["gco2e_per_kwh"] and int(raw["year"]) >= FIRST_YEAR:
                found.years[raw["country_iso3"]][int(raw["year"])] = float(raw["gco2e_per_kwh"])
        return found

    def trend(self, country: str, year: int, base: int) -> float | None:
        """Return the country's intensity of ``year`` relative to ``base``."""
        known = self.years[country]
        return known[year] / known[base] if year in known and base in known else None


def grid(shared: Path, log: Corrections, areas: Iterable[str]) -> list[Row]:
    """Return the rows of every area, all countries of Ember included."""
    ember = Ember.of(shared)
    opinions = _opinions(shared)
    entries: list[Entry] = []
    for country in sorted(ember.years):
        entries += _country(country, ember, log)
    for area in sorted(set(areas)):
        scheme, _, key = area.partition(":")
        if scheme == "egrid":
            entries += _us(area, shared, ember, opinions)
        elif scheme == "nga":
            entries += _australia(area, key, shared, ember, opinions)
        elif scheme == "zone":
            entries += _alberta(area, ember) if key == "CA-AB" else _google_zone(area, key, shared, ember)
    _log_quality(shared, entries, log)
    return [entry.row() for entry in entries]


def _opinions(shared: Path) -> dict[tuple[str, str], list[float]]:
    """Return published g/kWh of 2023 and later by (area, boundary) where the geography is no coarser than the area."""
    area_of = {(raw["provider"], raw["region_id"]): grid_area(raw) for raw in read(shared, "regions")}
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for raw in read(shared, "grid_region_candidates"):
        if raw["method"] == "ember_country" or int(raw["year"]) < _SPAN_FROM:
            continue
        boundary = "direct" if raw["boundary"].startswith("direct") else "lifecycle"
        found[area_of[raw["provider"], raw["region_id"]], boundary].append(float(raw["gco2e_per_kwh"]))
    return found


def _around(central: float, opinions: Iterable[float]) -> Span3:
    known = [central, *opinions]
    return min(known), central, max(known)


def _delivered(span_g: Span3) -> Span3:
    """Return kg/kWh at the meter of g/kWh generated, with the default losses."""
    low, central, high = span_g
    return low / (1 - _LOSS[0]) / 1000, central / (1 - _LOSS[1]) / 1000, high / (1 - _LOSS[2]) / 1000


def _yearly_span(known: dict[int, float], year: int) -> Span3:
    """Return the span of a year: opinions since 2023; for older years the newest year's spread, relatively."""
    recent = [value for each, value in known.items() if each >= _SPAN_FROM]
    newest = known[max(known)]
    if year >= _SPAN_FROM or not recent or not newest:
        return _around(known[year], recent if year >= _SPAN_FROM else ())
    low, high = min(recent) / newest, max(recent) / newest
    return known[year] * low, known[year], known[year] * high


def _country(country: str, ember: Ember, log: Corrections) -> list[Entry]:
    known = ember.years[country]
    entries = []
    for year, value in sorted(known.items()):
        span, evidence, note, direct = _yearly_span(known, year), "derived", "", None
        if country == "BHR":
            span, note = _BAHRAIN_G, "all-gas grid: Qatar's value; Ember's 902 cannot be"
            log.add(
                f"grid: country:BHR {year}",
                value,
                _BAHRAIN_G[1],
                "all-gas grid; range 488 (Electricity Maps) to 902 (Ember)",
            )
        if country == "IND" and year >= _SPAN_FROM + 1:
            direct = (_INDIA_DIRECT_G / 1000,) * 3
            note = "direct: CEA version 21; one synchronous grid"
        entries.append(
            Entry(
                f"country:{country}",
                year,
                "ember",
                direct=direct,
                lifecycle=_delivered(span),
                generation_g=span[1],
                loss=_LOSS[1],
                marks=("grid_country", _LOSS_MARK),
                direct_evidence="read" if direct else "",
                lifecycle_evidence=evidence,
                note=note,
            ),
        )
    return entries


def _us(area: str, shared: Path, ember: Ember, opinions: dict[tuple[str, str], list[float]]) -> list[Entry]:
    subregion = area.partition(":")[2].partition("@")[0]
    raw = next(each for each in read(shared, "grid_us_egrid2023") if each["code"] == subregion)
    base, direct_g, loss = int(raw["data_year"]), float(raw["co2e_g_per_kwh"]), float(raw["grid_gross_loss_fraction"])
    direct = tuple(each / 1000 for each in _around(direct_g, opinions[area, "direct"]))
    states = [each / (1 - loss) / 1000 for each in opinions[area, "lifecycle"]]
    lifecycle = _around(direct_g * _US_RATIO / (1 - loss) / 1000, states)
    entry = Entry(
        area,
        base,
        "egrid",
        direct=(direct[0], direct[1], direct[2]),
        lifecycle=lifecycle,
        loss=loss,
        marks=("grid_direct_scaled",),
        direct_evidence="read",
        lifecycle_evidence="derived",
        note=f"lifecycle: eGRID x 392.89/349.667 / (1 - {loss})",
    )
    return [*_backcast(entry, "USA", ember), entry]


def _backcast(entry: Entry, country: str, ember: Ember) -> list[Entry]:
    """Return older years by the country's trend, so that no factor is more than a year newer than the period."""
    found = []
    for year in range(FIRST_YEAR, entry.year - 1):
        ratio = ember.trend(country, year, entry.year)
        if ratio is None:
            continue
        found.append(
            Entry(
                entry.area,
                year,
                entry.source,
                direct=_times(entry.direct, ratio),
                lifecycle=_times(entry.lifecycle, ratio),
                loss=entry.loss,
                marks=tuple(dict.fromkeys((*entry.marks, "grid_direct_scaled"))),
                direct_evidence="derived" if entry.direct else "",
                lifecycle_evidence=entry.lifecycle_evidence,
                note=f"{entry.year} x {ratio:.4f}, Ember {country} {year} over {entry.year}",
            ),
        )
    return found


def _times(span: Span3 | None, ratio: float) -> Span3 | None:
    return None if span is None else (span[0] * ratio, span[1] * ratio, span[2] * ratio)


def _australia(
    area: str, state: str, shared: Path, ember: Ember, opinions: dict[tuple[str, str], list[float]]
) -> list[Entry]:
    raw = next(each for each in read(shared, "grid_official_national") if each["area_code"] == state)
    scope3 = _NGA_SCOPE3_KG[state]
    scope2_g = float(raw["kgco2e_per_kwh_scope2"]) * 1000
    low, central, high = (each / 1000 for each in _around(scope2_g, opinions[area, "direct"]))
    entry = Entry(
        area,
        int(raw["reporting_year"]),
        "nga",
        direct=(low, central, high),
        lifecycle=(low + scope3, central + scope3, high + 2 * scope3),
        marks=("grid_upstream_interim",),
        direct_evidence="read",
        lifecycle_evidence="recalled",
        note=f"lifecycle: scope 2 + scope 3 of {scope3} (2024 edition, recalled); scope 3 holds the losses",
    )
    return [*_backcast(entry, "AUS", ember), entry]


def _google_zone(area: str, zone: str, shared: Path, ember: Ember) -> list[Entry]:
    known: dict[int, float] = {}
    entries = []
    for raw in read(shared, "grid_gcp_region_yearly"):
        if raw["region_id"] != _ZONE_REGION[zone] or not raw["grid_gco2e_per_kwh_location_based"]:
            continue
        year, value = int(raw["year"]), float(raw["grid_gco2e_per_kwh_location_based"])
        if raw["boundary"].startswith("direct"):
            known[year] = value
        else:
            entries.append(
                Entry(
                    area,
                    year,
                    "gcpci",
                    lifecycle=_delivered((value, value, value)),
                    generation_g=value,
                    loss=_LOSS[1],
                    marks=(_LOSS_MARK,),
                    lifecycle_evidence="derived",
                    note="Google's lifecycle value of that year",
                ),
            )
    upstream = _UPSTREAM_G[zone]
    for year in sorted(known):
        low, central, high = _yearly_span(known, year)
        entries.append(
            Entry(
                area,
                year,
                "gcpci",
                direct=(low / 1000, central / 1000, high / 1000),
                lifecycle=_delivered((low + upstream, central + upstream, high + upstream)),
                loss=_LOSS[1],
                marks=("grid_upstream_interim", _LOSS_MARK),
                direct_evidence="read",
                lifecycle_evidence="recalled",
                note=f"lifecycle: (direct + {upstream:g} g) / (1 - {_LOSS[1]})",
            ),
        )
    oldest = min(entries, key=lambda each: each.year)
    return [*_backcast(oldest, _ZONE_COUNTRY[zone], ember), *entries]


def _alberta(area: str, ember: Ember) -> list[Entry]:
    entry = Entry(
        area,
        2025,
        "emaps_fact",
        lifecycle=_delivered((385.0, 385.0, 402.0)),
        generation_g=385.0,
        loss=_LOSS[1],
        marks=(_LOSS_MARK,),
        lifecycle_evidence="derived",
        note="one published figure; 402 in 2024; a hole in open data",
    )
    return [*_backcast(entry, "CAN", ember), entry]


def _log_quality(shared: Path, entries: list[Entry], log: Corrections) -> None:
    """Note the regions whose research quality is high and ours is not, and India's single grid."""
    newest: dict[str, Entry] = {}
    for entry in entries:
        if entry.area not in newest or entry.year > newest[entry.area].year:
            newest[entry.area] = entry
    area_of = {(raw["provider"], raw["region_id"]): grid_area(raw) for raw in read(shared, "regions")}
    for raw in read(shared, "grid_region_default"):
        key = (raw["provider"], raw["region_id"])
        ours = newest[area_of[key]]
        if raw["data_quality"] == "high" and ours.quality != "high":
            reason = "high needs read evidence and opinions within a factor of 1.3"
            log.add(f"grid: {' '.join(key)} data_quality", "high", ours.quality, reason)
        if area_of[key] == "country:IND":
            old = float(raw["default_gco2e_per_kwh"])
            log.add(
                f"grid: {' '.join(key)}",
                old,
                ours.generation_g,
                "India is one synchronous grid: national value, direct 711.7",
            )
