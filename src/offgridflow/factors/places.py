"""Regions, spellings of regions, and the PUE and water of regions."""

from collections.abc import Iterable, Sequence
from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Assumption
from offgridflow.factors.model import Facility, Region
from offgridflow.factors.records import Row, number, region_of
from offgridflow.factors.spelling import fold

ALIAS_KINDS: Final = (
    "region_id",
    "location_name",
    "display_name",
    "usage_type_prefix",
    "meter_region",
    "resource_location",
    "short_code",
    "multi_region",
    "local_zone",
    "global",
    "edge",
)
"""Kinds of spellings, in the order in which they are asked where no kind is given."""


class PlaceBook:
    """Regions and their spellings.

    Args:
        regions: rows of ``regions.csv``.
        aliases: rows of ``aliases.csv``.
        areas: grid areas that have a factor.

    """

    def __init__(self, regions: Iterable[Row], aliases: Iterable[Row], areas: frozenset[str]) -> None:
        self._regions: dict[tuple[str, str], Region] = {}
        self._areas: dict[tuple[str, str], str] = {}
        self._parents: dict[tuple[str, str], str] = {}
        for row in regions:
            key = (row["provider"], row["region_id"].lower())
            self._regions[key] = region_of(row)
            self._areas[key] = row["grid_area"]
            self._parents[key] = row["parent"]
        for area in sorted(areas):
            scheme, _, country = area.partition(":")
            if scheme == "country":
                key = (scheme, country.lower())
                self._regions[key] = Region(scheme, country, country, "region", country)
                self._areas[key] = area
        self._grid_areas = {area.lower() for area in areas}
        self._aliases = {(row["provider"], row["kind"], row["alias"]): row["region_id"] for row in aliases}

    def all(self) -> tuple[Region, ...]:
        """Return every region."""
        return tuple(self._regions.values())

    def region(self, provider: str, region_id: str) -> Region | None:
        """Return a region by its id."""
        return self._regions.get((provider, region_id.lower()))

    def area(self, provider: str, region_id: str) -> str | None:
        """Return the grid area of a region."""
        return self._areas.get((provider, region_id.lower())) or None

    def parent(self, provider: str, region_id: str) -> str | None:
        """Return the region whose facility a Local Zone shares."""
        return self._parents.get((provider, region_id.lower())) or None

    def is_area(self, place: str) -> bool:
        """Return whether a text is a country or a grid area."""
        return ("country", place.lower()) in self._regions or place.lower() in self._grid_areas

    def of_alias(self, provider: str, alias: str, kind: str | None) -> str | None:
        """Return the region id of a spelling; an empty one means something only as a prefix of AWS usage types."""
        text = fold(alias)
        if not text and kind != "usage_type_prefix":
            return None
        for each in ALIAS_KINDS if kind is None else (kind,):
            found = self._aliases.get((provider, each, text))
            if found is not None:
                return found
        return None


class FacilityBook:
    """PUE and water by region.

    Args:
        rows: rows of ``facility.csv``.

    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {(row["provider"], row["region_id"].lower()): row for row in rows}

    def at(self, provider: str, region_id: str, year: int) -> Facility | None:
        """Return the facility of a region; a year that is not the published one is marked."""
        row = self._rows.get((provider, region_id))
        if row is None:
            return None
        marks = list(row["marks"].split())
        if int(row["year"]) != year:
            marks.append(Assumption.PUE_NEWEST_YEAR.value)
        key = f"{provider}:{row['region_id']}:{row['year']}"
        ids = [f"pue:{key}"]
        ids += [f"wue:{key}"] if row["wue_l_per_it_kwh"] else []
        ids += [f"ewif:{key}"] if row["electricity_water_l_per_kwh"] else []
        return Facility(
            Span(float(row["pue_low"]), float(row["pue"]), float(row["pue_high"])),
            number(row["wue_l_per_it_kwh"]),
            number(row["electricity_water_l_per_kwh"]),
            row["water_basis"] or None,
            tuple(marks),
            tuple(ids),
        )

    @staticmethod
    def mean(found: Sequence[Facility]) -> Facility | None:
        """Return the plain mean of several regions; water that one of them lacks is lacking in the mean."""
        if not found:
            return None
        count = len(found)
        return Facility(
            Span(
                sum(each.pue.low for each in found) / count,
                sum(each.pue.central for each in found) / count,
                sum(each.pue.high for each in found) / count,
            ),
            _mean([each.wue_l_per_it_kwh for each in found]),
            _mean([each.electricity_water_l_per_kwh for each in found]),
            next((each.water_basis for each in found if each.water_basis), None),
            tuple(dict.fromkeys(mark for each in found for mark in each.marks)),
            tuple(dict.fromkeys(one for each in found for one in each.factor_ids)),
        )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
