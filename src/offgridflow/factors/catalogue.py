"""The catalogue: one factor set in memory, asked by name. Tables are parsed when first asked for, answers are kept."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import Literal

from offgridflow.domain.periods import Month, Period, month_of
from offgridflow.factors import spelling
from offgridflow.factors.gridbook import GridBook, UserGrid, mean_of
from offgridflow.factors.model import (
    AcceleratorType,
    AiModel,
    Facility,
    Factor,
    GridFactor,
    MachineType,
    Processor,
    Region,
    Size,
)
from offgridflow.factors.overlay import UserGridRow, content_of, digest_with, values_of
from offgridflow.factors.places import FacilityBook, PlaceBook
from offgridflow.factors.provenance import FactorIndex
from offgridflow.factors.records import accelerator_of, ai_model_of, machine_of, processor_of, size_of
from offgridflow.factors.tables import DEFAULT_SET, FactorSetError, Tables, read_set

Precedence = Literal["user", "factor_set"]
COUNTRY = "country"
"""Provider slug under which places are countries by ISO-3166 alpha-3 code."""


@dataclass(frozen=True)
class Laid:
    """What is laid over a set: the user's grid by place, whether it wins, its factors, and pinned vintages.

    ``hourly`` are the months of which some place has values by hour.
    """

    name: str
    digest: str
    grid: Mapping[tuple[str, str], UserGrid] = field(default_factory=dict)
    user_wins: bool = True
    factors: Mapping[str, Factor] = field(default_factory=dict)
    pins: Mapping[int, int] = field(default_factory=dict)
    hourly: frozenset[Month] = frozenset()


class Catalogue:
    """A factor set; implements ``FactorSet``.

    Args:
        tables: the checked tables of the set.
        laid: what is laid over it.

    """

    def __init__(self, tables: Tables, laid: Laid | None = None) -> None:
        self._tables = tables
        self._laid = laid or Laid(tables.name, tables.digest)
        self._machines: dict[tuple[str, str], MachineType | None] = {}
        self._grids: dict[tuple[str, str, Month], GridFactor | None] = {}
        self._facilities: dict[tuple[str, str, Month], Facility | None] = {}

    @property
    def name(self) -> str:
        """Name of the set, for example ``offgridflow-2026.11``; with an overlay ``+NAME``."""
        return self._laid.name

    @property
    def version(self) -> str:
        """Version of the set's content."""
        return self._tables.version

    @property
    def digest(self) -> str:
        """SHA-256 over the content of the set and what is laid over it."""
        return self._laid.digest

    # --- factors -------------------------------------------------------------------------------------------------

    @cached_property
    def _index(self) -> FactorIndex:
        return FactorIndex(self._tables, self._grid_book)

    def factor(self, factor_id: str) -> Factor:
        """Return a factor by id; KeyError where the set has none."""
        own = self._laid.factors.get(factor_id)
        return self._index.get(factor_id) if own is None else own

    def factors(self) -> Iterator[Factor]:
        """Yield every factor of the set, the user's first."""
        yield from self._laid.factors.values()
        yield from self._index.all()

    def assured(self) -> Iterator[Factor]:
        """Yield the factors that may enter the assured profile: none that is only recalled."""
        return (each for each in self.factors() if each.evidence != "recalled")

    def corrections(self) -> Iterator[dict[str, str]]:
        """Yield what the builder changed in the sources' values: what, old, new, reason."""
        return self._tables.rows("corrections")

    def sources(self) -> Iterator[dict[str, str]]:
        """Yield the sources with licence and attribution."""
        return self._tables.rows("sources")

    def notice(self) -> str:
        """Return the notice that must travel with the set."""
        return self._tables.content["NOTICE"].decode()

    def coefficient(self, key: str) -> Factor:
        """Return a methodology coefficient (see KEYS.md); KeyError if absent."""
        return self._index.get(f"coefficient:{key}")

    def replication(self, key: str) -> Factor | None:
        """Return copies kept by a storage service (see KEYS.md)."""
        return self._index.find(f"replication:{key}")

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:
        """Return the median vCPU of the catalogue's types that a service is sold on.

        Rule: the shared types (no whole hosts) of the families that the service offers, one vote each; the range is
        their quartiles. The factor's note names the families.
        """
        return self._index.find(f"service_median:{spelling.provider_key(provider)}.{service.strip().lower()}")

    # --- hardware ------------------------------------------------------------------------------------------------

    @cached_property
    def _machine_rows(self) -> dict[tuple[str, str], dict[str, str]]:
        rows = self._tables.rows("machines")
        return {(row["provider"], spelling.machine_key(row["provider"], row["instance_type"])): row for row in rows}

    @cached_property
    def _families(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for key, row in self._machine_rows.items():
            found.setdefault((row["provider"], row["family"]), []).append(key)
        return found

    def machine(self, provider: str, instance_type: str) -> MachineType | None:
        """Return a machine type; spelling without regard to case, Azure in any of its spellings (``spelling``)."""
        key = (provider, spelling.machine_key(provider, instance_type))
        if key not in self._machines:
            row = self._machine_rows.get(key)
            if row is None:
                return None
            self._machines[key] = machine_of(row)
        return self._machines[key]

    def machines(self) -> Iterator[MachineType]:
        """Yield every machine type."""
        return (machine_of(row) for row in self._machine_rows.values())

    def family(self, provider: str, family: str) -> tuple[MachineType, ...]:
        """Return the machine types of a family, sorted by vCPU then name; empty where unknown."""
        keys = self._families.get((provider, spelling.family_key(provider, family)), [])
        found = [machine for key in keys if (machine := self.machine(*key)) is not None]
        return tuple(sorted(found, key=lambda each: (each.vcpu, each.instance_type)))

    @staticmethod
    def family_of(provider: str, instance_type: str) -> str | None:
        """Return the family in a machine's name, None where none can be read."""
        return spelling.family_of(provider, instance_type)

    @cached_property
    def _processors(self) -> dict[str, Processor]:
        return {row["name"].lower(): processor_of(row) for row in self._tables.rows("processors")}

    def processor(self, name: str) -> Processor | None:
        """Return a processor generation without regard to case."""
        return self._processors.get(name.lower())

    @cached_property
    def _accelerators(self) -> dict[str, AcceleratorType]:
        found: dict[str, AcceleratorType] = {}
        for row in self._tables.rows("accelerators"):
            full = row["model"].lower()
            found[full] = accelerator_of(row)
            found.setdefault(full.partition(" ")[2], found[full])
        return found

    def accelerator(self, model: str) -> AcceleratorType | None:
        """Return an accelerator card without regard to case; the maker's name may be left out."""
        return self._accelerators.get(spelling.fold(model))

    @cached_property
    def _disks(self) -> dict[tuple[str, str], tuple[float, str]]:
        rows = self._tables.rows("disks")
        return {(row["provider"], row["code"].lower()): (float(row["gib"]), row["medium"]) for row in rows}

    def disk_gib(self, provider: str, code: str) -> tuple[float, str] | None:
        """Return provisioned GiB and medium of a managed disk code (``P10``)."""
        return self._disks.get((provider, code.lower()))

    @cached_property
    def _sizes(self) -> dict[str, Size]:
        return {row["key"]: size_of(row) for row in self._tables.rows("sizes")}

    def size(self, key: str) -> Size | None:
        """Return vCPUs and memory of a service's unit that is no catalogue machine (see KEYS.md)."""
        return self._sizes.get(key)

    @cached_property
    def _models(self) -> dict[tuple[str, str], AiModel]:
        found: dict[tuple[str, str], AiModel] = {}
        for row in self._tables.rows("ai_models"):
            model = ai_model_of(row)
            found[row["vendor"], row["model"].lower()] = model
            found.setdefault(("", row["model"].lower()), model)
        return found

    def ai_model(self, provider: str, model: str) -> AiModel | None:
        """Return a language model by vendor or cloud; a cloud serves the models of every vendor by their names."""
        own = self._models.get((provider, model.lower()))
        if own is not None:
            return own
        found = self._models.get(("", model.lower()))
        return None if found is None else replace(found, provider=provider)

    # --- places --------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> PlaceBook:
        return PlaceBook(self._tables.rows("regions"), self._tables.rows("aliases"), self._grid_book.areas())

    @cached_property
    def _grid_book(self) -> GridBook:
        return GridBook(self._tables.rows("grid"))

    @cached_property
    def _facility_book(self) -> FacilityBook:
        return FacilityBook(self._tables.rows("facility"))

    def region(self, provider: str, region_id: str) -> Region | None:
        """Return a region, multi-region or edge geography by its id; provider ``country`` takes ISO alpha-3 codes."""
        return self._places.region(spelling.provider_key(provider), region_id)

    def regions(self) -> tuple[Region, ...]:
        """Return every region."""
        return self._places.all()

    def aliases(self) -> Iterator[dict[str, str]]:
        """Yield every spelling: provider, kind, alias, region_id, source."""
        return self._tables.rows("aliases")

    def region_of_alias(self, provider: str, alias: str, kind: str | None = None) -> str | None:
        """Return the region id of an alias, of one kind or of any (KEYS.md lists the kinds)."""
        return self._places.of_alias(spelling.provider_key(provider), alias, kind)

    @property
    def hourly_months(self) -> frozenset[Month]:
        """Months of which the user brought values by hour, for at least one place."""
        return self._laid.hourly

    def grid(self, provider: str, region_id: str, period: Period) -> GridFactor | None:
        """Return the grid of a region for a month: its year's factor, else the newest older, else the oldest.

        For an hour it is the user's value of the hour, else the month's, marked where other hours of it have values.

        The mean of its members for a multi-region. The user's factors are laid over the set's (``with_user_grid``).
        """
        place = (spelling.provider_key(provider), region_id.lower())
        if not isinstance(period, Month):  # a year has too many hours to keep them all
            return self._grid_in(place, period)
        key = (*place, period)
        if key not in self._grids:
            self._grids[key] = self._grid_in(place, period)
        return self._grids[key]

    def _grid_in(self, place: tuple[str, str], period: Period) -> GridFactor | None:
        region = self._places.region(*place)
        return None if region is None else self._grid_of(region, period)

    def _grid_of(self, region: Region, period: Period) -> GridFactor | None:
        if region.members:
            found = [self.grid(region.provider, member, period) for member in region.members]
            known = [each for each in found if each is not None]
            return mean_of(known) if known and len(known) == len(found) else None
        area = self._places.area(region.provider, region.region_id)
        year = month_of(period).year
        base = self._grid_book.at(area, self._laid.pins.get(year, year)) if area else None
        for place in self._user_places(region, area):
            user = self._laid.grid.get(place)
            if user is not None:
                return user.over(base, period, wins=self._laid.user_wins)
        return base

    @staticmethod
    def _user_places(region: Region, area: str | None) -> Iterator[tuple[str, str]]:
        """Yield the names under which the user may have brought a factor for a region, the closest first."""
        yield region.provider, region.region_id.lower()
        yield "", (area or "").lower()
        yield "", (region.country_iso3 or "").lower()

    def facility(self, provider: str, region_id: str, period: Month) -> Facility | None:
        """Return PUE and water of a region for a month; a Local Zone has those of its parent."""
        key = (spelling.provider_key(provider), region_id.lower(), period)
        if key not in self._facilities:
            region = self._places.region(*key[:2])
            self._facilities[key] = None if region is None else self._facility_of(region, period)
        return self._facilities[key]

    def _facility_of(self, region: Region, period: Month) -> Facility | None:
        if region.members:
            found = [self.facility(region.provider, member, period) for member in region.members]
            return FacilityBook.mean([each for each in found if each is not None])
        parent = self._places.parent(region.provider, region.region_id)
        return self._facility_book.at(region.provider, (parent or region.region_id).lower(), period.year)

    # --- what the user lays over the set -------------------------------------------------------------------------

    def with_user_grid(
        self, rows: Iterable[UserGridRow], source_name: str, precedence: Precedence = "user"
    ) -> "Catalogue":
        """Return a catalogue with the user's grid factors, whose ids are ``user:SOURCE_NAME:...``.

        Args:
            rows: checked rows, see ``overlay.read_user_grid``.
            source_name: how factor ids name the file, for example ``residual-mix-2025``.
            precedence: ``user`` (default) replaces the set's factors, ``factor_set`` only fills its gaps.

        Raises:
            FactorSetError: for a region, country or area that the set does not know.

        """
        kept = tuple(rows)
        for row in kept:
            self._check_place(row)
        loss = self.coefficient("grid_loss_default").central
        grid = {place: UserGrid(each) for place, each in values_of(kept, source_name, loss).items()}
        content = ["user", source_name, precedence, [content_of(each) for each in kept]]
        laid = replace(
            self._laid,
            name=f"{self.name}+{source_name}",
            digest=digest_with(self.digest, content),
            grid={**self._laid.grid, **grid},
            user_wins=precedence == "user",
            factors={**self._laid.factors, **self._index.of_user(kept, source_name, loss)},
            hourly=self._laid.hourly.union(each.hour.month for each in kept if each.hour is not None),
        )
        return Catalogue(self._tables, laid)

    def with_pins(self, pins: Mapping[int, int]) -> "Catalogue":
        """Return a catalogue whose closed years keep a grid vintage: ``{2024: 2023}`` rates 2024 by 2023's factors."""
        content = ["pins", [list(each) for each in sorted(pins.items())]]
        laid = replace(self._laid, digest=digest_with(self.digest, content), pins=dict(pins))
        return Catalogue(self._tables, laid)

    def _check_place(self, row: UserGridRow) -> None:
        known = self.region(row.provider, row.place) if row.provider else self._places.is_area(row.place)
        if not known:
            sentence = f"Grid factor of {row.source}: {row.provider or 'no provider'} place {row.place!r} is not known."
            action = "Give a provider with a region id, or an ISO-3166 alpha-3 country, or a grid area of the set."
            raise FactorSetError(sentence, action=action)


def load(name: str | None = None, folder: Traversable | None = None) -> Catalogue:
    """Return a factor set: the one that ships with this version, or the one in ``folder``.

    Raises:
        FactorSetError: if ``name`` is not the set's name, or a file of the set is missing or was changed.

    """
    tables = read_set(folder)
    if name is not None and name != tables.name:
        sentence = f"The factor set {name!r} is not installed; this version has {tables.name!r}."
        raise FactorSetError(
            sentence, action=f"Ask for {tables.name if folder else DEFAULT_SET!r}, or install another version."
        )
    return Catalogue(tables)
