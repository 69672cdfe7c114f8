"""Regions with their grid areas, and every spelling that leads to them."""

import csv
from pathlib import Path

from tools.factor_build.tables import Corrections, Row, own, read

REGION_COLUMNS = (
    "provider",
    "region_id",
    "display_name",
    "kind",
    "country_iso3",
    "members",
    "grid_area",
    "parent",
    "paired",
    "source",
)
ALIAS_COLUMNS = ("provider", "kind", "alias", "region_id", "source")

PROVIDERS = {"oci": "oracle"}
"""Slug of the research files to slug of a bill's provider name."""

GLOBAL_ALIASES = ("global", "any", "unassigned", "intercontinental", "worldwide", "all regions", "aws-global")

_ZONE_GRIDS = {"CA-QC", "CA-ON", "BR-CS", "JP-TK", "JP-KN", "CA-AB"}
_KINDS = {
    "region_id": "region_id",
    "cur_location_name": "location_name",
    "cur_location_name_legacy": "location_name",
    "cur_location_name_variant": "location_name",
    "location_name": "location_name",
    "usage_type_prefix": "usage_type_prefix",
    "display_name": "display_name",
    "meter_region": "meter_region",
    "billing_resource_location": "resource_location",
    "short_code": "short_code",
}
_SOURCES = {"aws": "botocore", "azure": "finops", "gcp": "gcp_docs", "oracle": "oci", "alibaba": "methodology"}
_UNVERIFIED = "announced/limited/unverified"


def slug(provider: str) -> str:
    """Return our provider slug of a research slug."""
    return PROVIDERS.get(provider, provider)


def grid_area(raw: dict[str, str]) -> str:
    """Return the grid area of a region: eGRID subregion and state, Australian state, zone, else country."""
    country, zone, state = raw["country_iso3"], raw["electricity_maps_zone"], raw["subdivision_iso3166_2"]
    if country == "USA":
        return f"egrid:{raw['egrid_subregion']}@{state}"
    if country == "AUS":
        return f"nga:{state}"
    return f"zone:{zone}" if zone in _ZONE_GRIDS else f"country:{country}"


def regions(shared: Path, log: Corrections) -> list[Row]:
    """Return regions, Local Zones, multi-regions, edges and one global region for each provider."""
    raws = read(shared, "regions")
    rows: list[Row] = [
        {
            "provider": slug(raw["provider"]),
            "region_id": raw["region_id"],
            "display_name": raw["display_name"],
            "kind": "region",
            "country_iso3": raw["country_iso3"],
            "grid_area": grid_area(raw),
            "source": _SOURCES[slug(raw["provider"])],
        }
        for raw in raws
    ]
    pairs = _azure_pairs()
    for row in rows:
        if row["provider"] == "azure":
            row["paired"] = pairs.get(str(row["region_id"]))
    for zone in own("local_zones"):
        rows.append(
            {
                "provider": "aws",
                "region_id": zone["zone"],
                "display_name": zone["name"],
                "kind": "local_zone",
                "country_iso3": zone["country"],
                "grid_area": zone["grid_area"],
                "parent": zone["parent"],
                "source": "aws_docs",
            },
        )
        log.add(
            f"regions: aws {zone['zone']}",
            None,
            zone["grid_area"],
            "Local Zones take the grid of their metro, not of the parent",
        )
    return [*rows, *_groups(rows, raws)]


def _azure_pairs() -> dict[str, str]:
    """Return the region that holds the second copies of geo-redundant storage, recalled from Microsoft's list."""
    found = {}
    for raw in own("azure_pairs"):
        found[raw["region"]] = raw["paired"]
        if raw["mutual"]:
            found[raw["paired"]] = raw["region"]
    return found


def _groups(rows: list[Row], raws: list[dict[str, str]]) -> list[Row]:
    found: list[Row] = [
        {
            "provider": group["provider"],
            "region_id": group["region_id"],
            "display_name": group["name"],
            "kind": group["kind"],
            "members": group["members"],
            "source": f"{group['provider']}_docs",
        }
        for group in own("groups")
    ]
    open_regions = {(slug(raw["provider"]), raw["region_id"]) for raw in raws if raw["status"] == "available"}
    for provider in sorted({str(row["provider"]) for row in rows}):
        members = sorted(
            str(row["region_id"])
            for row in rows
            if row["provider"] == provider and row["kind"] == "region" and (provider, row["region_id"]) in open_regions
        )
        members = [
            each
            for each in members
            if not each.startswith(("cn-", "china", "us-gov", "usgov", "usdod")) or provider == "alibaba"
        ]
        found.append(
            {
                "provider": provider,
                "region_id": "global",
                "display_name": "Global",
                "kind": "global",
                "members": " ".join(members),
                "source": "methodology",
            },
        )
    return found


def aliases(shared: Path, rows: list[Row], log: Corrections) -> list[Row]:
    """Return spellings keyed by (provider, kind): the same letters mean different regions in different places."""
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for raw in read(shared, "region_aliases"):
        kind = _KINDS.get(raw["alias_kind"])
        if kind is not None:
            provider = slug(raw["provider"])
            found[provider, kind, _fold(raw["alias"])] = (raw["region_id"], _SOURCES[provider])
    _from_finops(shared.parent / "inputs/azure/open-data/Regions.csv", {str(row["region_id"]) for row in rows}, found)
    for row in rows:
        provider, region_id = str(row["provider"]), str(row["region_id"])
        found.setdefault((provider, "region_id", _fold(region_id)), (region_id, str(row["source"])))
        found.setdefault((provider, "display_name", _fold(str(row["display_name"]))), (region_id, str(row["source"])))
    _own(found, log)
    return [
        {"provider": provider, "kind": kind, "alias": alias, "region_id": region_id, "source": source}
        for (provider, kind, alias), (region_id, source) in found.items()
    ]


def _own(found: dict[tuple[str, str, str], tuple[str, str]], log: Corrections) -> None:
    for raw in own("aliases"):
        provider, kind, alias, region_id = raw["provider"], raw["kind"], raw["alias"], raw["region_id"]
        key = (provider, kind, _fold(alias))
        if found.get(key, ("",))[0] != region_id:
            log.add(
                f"aliases: {provider} {kind} {alias!r}",
                found.get(key, (None,))[0],
                region_id,
                "alias missing in the research file",
            )
            found[key] = (region_id, f"{provider}_docs")
    for zone in own("local_zones"):
        found["aws", "local_zone", _fold(zone["name"])] = (zone["zone"], "aws_docs")
        found["aws", "local_zone", _fold(zone["prefix"])] = (zone["zone"], "aws_docs")
        found["aws", "usage_type_prefix", _fold(zone["prefix"])] = (zone["zone"], "aws_docs")
    for group in own("groups"):
        kind = "edge" if group["kind"] == "edge" else "multi_region"
        for alias in filter(None, group["aliases"].split("|")):
            found[group["provider"], kind, _fold(alias)] = (group["region_id"], f"{group['provider']}_docs")
    for provider in _SOURCES:
        for alias in GLOBAL_ALIASES:
            found[provider, "global", _fold(alias)] = ("global", "methodology")


def _from_finops(path: Path, known: set[str], found: dict[tuple[str, str, str], tuple[str, str]]) -> None:
    """Take Microsoft's own list of spellings; regions of closed clouds and test rings are left out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for raw in csv.DictReader(file):
            if raw["RegionId"] in known:
                found.setdefault(
                    ("azure", "resource_location", _fold(raw["OriginalValue"])), (raw["RegionId"], "finops")
                )


def _fold(alias: str) -> str:
    return " ".join(alias.lower().split())
