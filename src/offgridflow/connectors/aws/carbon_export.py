"""The Data Export CARBON_EMISSIONS in S3: one partition per model version and month, several versions side by side.

Both spellings of the partition are read (``model_version=`` as documented, ``carbon_model_version=`` as delivered), and
any set of the table's columns: the customer's SELECT fixes it, older ones have neither scopes nor the location-based
total. A month is taken whole, with all its model versions; the reports choose the newest.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import Field

from offgridflow.connectors.aws.access import PERMISSIONS, S3Settings, check_identity, s3_store
from offgridflow.connectors.aws.carbon_file import read_records
from offgridflow.connectors.buckets import BucketConnector, Seen, Span, Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import (
    CheckReport,
    Declaration,
    Found,
    RefusedDelivery,
    RemotePart,
    StoredObject,
    fingerprint_of_parts,
)
from offgridflow.connectors.manifests import MAX_MANIFEST_BYTES, parse_manifest, part_of_object, parts_of
from offgridflow.connectors.registry import ReportKind
from offgridflow.connectors.reports import FoundReport, ReportDelivery, ReportRows, each_once
from offgridflow.domain.errors import InputError, OffGridFlowError
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import Breakdown, ReportedEmission, decimal_of, kilograms

if TYPE_CHECKING:
    from decimal import Decimal

FIGURES: Final[Mapping[str, str]] = {
    "total_lbm_emissions": "total_location_kgco2e",
    "total_mbm_emissions": "total_market_kgco2e",
    "total_scope_1_emissions": "scope_1_kgco2e",
    "total_scope_2_lbm_emissions": "scope_2_location_kgco2e",
    "total_scope_2_mbm_emissions": "scope_2_market_kgco2e",
    "total_scope_3_lbm_emissions": "scope_3_location_kgco2e",
    "total_scope_3_mbm_emissions": "scope_3_market_kgco2e",
}
"""Stems of the export's columns ``*_value`` and ``*_unit``, and the column that each of them is."""

REQUIRED: Final = ("model_version", "usage_account_id", "usage_period_start")
_PROVIDER: Final = "aws"
_PARTITION: Final = re.compile(
    r"(?:.*/)?(?P<side>data|metadata)/(?:carbon_)?model_version=(?P<version>[^/]+)/usage_period=(?P<month>\d{4}-\d{2})"
    r"/(?:(?P<run>[^/]+)/)?(?P<name>[^/]+)",
    re.DOTALL | re.IGNORECASE,
)
_MANIFEST: Final = "-manifest.json"
_DATA: Final = (".csv", ".csv.gz", ".parquet")
_MONTH_CHARS: Final = 7


class AwsCarbonExportSettings(S3Settings):
    """Settings of a carbon export in S3. ``export`` is its name, where several lie under the prefix."""

    export: str | None = None
    settle_minutes: int = Field(default=60, ge=0)


@dataclass(frozen=True, slots=True)
class _Lying:
    """An object of a partition."""

    stored: StoredObject
    version: str
    month: Month
    run: str
    is_manifest: bool


@dataclass(frozen=True, slots=True)
class CarbonLayout:
    """Where the export lies. Only ``listings`` is a Layout's: its deliveries are months of reports."""

    prefix: str
    export: str | None

    def listings(self, _since: Month | None) -> Sequence[tuple[str, str | None]]:
        """See Layout. Partitions sort by model version first, so that nothing can be left out by month."""
        if self.export is None:
            return [(self.prefix, None)]
        root = f"{self.prefix}/" if self.prefix and not self.prefix.endswith("/") else self.prefix
        return [(f"{root}{self.export}/", None)]

    def deliveries(self, _seen: Seen) -> Iterator[Found]:
        """Yield nothing: months of a report are found by AwsCarbonExport."""
        yield from ()

    def lying(self, stored: StoredObject) -> _Lying | None:
        """Return what an object is, or None where it is no part of a carbon export."""
        found = _PARTITION.fullmatch(stored.key)
        if found is None:
            return None
        name = found["name"].lower()
        is_manifest = name.endswith(_MANIFEST)
        if not is_manifest and (found["side"].lower() != "data" or not name.endswith(_DATA)):
            return None
        try:
            month = Month.parse(found["month"])
        except ValueError:
            return None
        return _Lying(stored, found["version"], month, found["run"] or "", is_manifest)


@dataclass(frozen=True, slots=True)
class AwsCarbonExport:
    """One export. See ReportConnector. ``bucket`` lists, reads and checks as for bills."""

    declaration: Declaration
    source: str
    layout: CarbonLayout
    bucket: BucketConnector
    cache: Cache
    settling: timedelta
    now: Callable[[], datetime]

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[FoundReport]:
        """See ReportConnector: one delivery per month, over all its model versions; ETags tell of a change."""
        span = Span(since, until)
        objects = self._objects()
        months: dict[Month, list[_Lying]] = defaultdict(list)
        for stored in objects.values():
            found = self.layout.lying(stored)
            if found is not None and span.holds(found.month):
                months[found.month].append(found)
        for month in sorted(months):
            try:
                parts = self._parts(months[month], objects)
            except OffGridFlowError as error:
                yield RefusedDelivery(self.source, month, months[month][0].stored.key, error)
                continue
            if parts:
                upstream = fingerprint_of_parts(parts, named=True)
                yield ReportDelivery(
                    self.source, _PROVIDER, f"{self.bucket.store.location}/{month}", (month,), upstream
                )

    def fetch_rows(self, delivery: ReportDelivery) -> ReportRows:
        """See ReportConnector. What lies there is looked up again, so that the rows are of one listing."""
        month = delivery.months[0]
        objects = self._objects()
        lying = [found for each in objects.values() if (found := self.layout.lying(each)) and found.month == month]
        parts = self._parts(lying, objects)
        if fingerprint_of_parts(parts, named=True) != delivery.upstream:
            sentence = f"{delivery.key} was written anew while it was read."
            raise InputError(sentence, action="It is tried again on the next run.", code="DELIVERY_UNDER_WAY")
        rows: list[ReportedEmission] = []
        for path, part in zip(self.cache.fetch(self.bucket.store, self.source, parts), parts, strict=True):
            for local in self.cache.readable(path, f"{self.bucket.store.location}/{part.key}"):
                rows += [row_of(record, month, local.name) for record in read_records(local, REQUIRED)]
        return ReportRows(tuple(each_once(rows, delivery.key)))

    def check(self) -> CheckReport:
        """See ReportConnector."""
        return self.bucket.check()

    def _objects(self) -> dict[str, StoredObject]:
        store = self.bucket.store
        pages = (page for prefix, after in self.layout.listings(None) for page in store.list(prefix, after))
        return {stored.key: stored for page in pages for stored in page}

    def _parts(self, lying: Sequence[_Lying], objects: Mapping[str, StoredObject]) -> tuple[RemotePart, ...]:
        """Return the parts of a month: of every model version those of its current delivery, by its manifest."""
        versions: dict[str, list[_Lying]] = defaultdict(list)
        for each in lying:
            versions[each.version].append(each)
        return tuple(part for version in sorted(versions) for part in self._version(versions[version], objects))

    def _version(self, lying: Sequence[_Lying], objects: Mapping[str, StoredObject]) -> tuple[RemotePart, ...]:
        manifests = [each for each in lying if each.is_manifest]
        if manifests:
            newest = max(manifests, key=lambda each: (not each.run, each.stored.modified)).stored
            part = part_of_object(newest)
            content = self.cache.small(self.bucket.store, self.source, part, MAX_MANIFEST_BYTES)
            return parts_of(parse_manifest(newest, content), objects, self.bucket.container)
        data = [each for each in lying if not each.is_manifest]
        run = max(data, key=lambda each: (each.run, each.stored.modified)).run
        current = [each.stored for each in data if each.run == run]
        young = max(each.modified for each in current)
        if self.now() - young < self.settling:
            sentence = f"{current[0].key} was written a moment ago, and no manifest says that it is whole."
            raise InputError(sentence, action="It is tried again on the next run.", code="DELIVERY_UNDER_WAY")
        return tuple(part_of_object(each) for each in sorted(current, key=lambda each: each.key))


def row_of(record: Mapping[str, str | None], month: Month, where: str) -> ReportedEmission:
    """Return a record of the export as a row; raise InputError for a number, unit or month that cannot be meant."""
    start = (record.get("usage_period_start") or "")[:_MONTH_CHARS]
    if start != str(month):
        sentence = f"{where} holds a row of {start or 'no month'} in the partition of {month}."
        raise InputError(sentence, action="Ask AWS for a corrected export.", code="NO_PERIOD")
    given: dict[str, Decimal] = {}
    figures: dict[str, Decimal | None] = {}
    units: set[str] = set()
    for stem, column in FIGURES.items():
        value, unit = decimal_of(record.get(f"{stem}_value"), where), record.get(f"{stem}_unit")
        figures[column] = kilograms(value, unit, f"{where} {stem}_value")
        if value is not None:
            given[stem] = value
            units.add(unit or "")
    return ReportedEmission(
        provider=_PROVIDER,
        month=str(month),
        breakdown=Breakdown.CELL,
        figures=figures,
        sub_account_id=record.get("usage_account_id"),
        region_id=record.get("region_code") or record.get("location"),
        service_name=record.get("product_code"),
        billing_account_id=record.get("payer_account_id"),
        model_version=record.get("model_version"),
        unit_given=",".join(sorted(units)) or None,
        given=given,
    )


def _connector(settings: AwsCarbonExportSettings, around: Surroundings) -> AwsCarbonExport:
    layout = CarbonLayout(settings.prefix, settings.export)
    bucket = BucketConnector(
        declaration=_DECLARATION,
        source=around.source,
        container=settings.bucket,
        store=s3_store(settings, around.door),
        layout=layout,
        manifests=around.cache,
        before=partial(check_identity, settings, around.door),
    )
    settling = timedelta(minutes=settings.settle_minutes)
    return AwsCarbonExport(_DECLARATION, around.source, layout, bucket, around.cache, settling, around.now)


_DECLARATION: Final = Declaration(
    "aws_carbon_export",
    "AWS Data Export CARBON_EMISSIONS in S3",
    _PROVIDER,
    AwsCarbonExportSettings,
    ("s3", "sts"),
    PERMISSIONS,
)

CARBON_EXPORT: Final = ReportKind(_DECLARATION, _connector)
