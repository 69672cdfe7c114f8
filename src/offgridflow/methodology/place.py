"""From the region text of a bill to a region of the factor set: ids, aliases, zones, Local Zones, multi-regions.

A text that is not understood gives None, and the SKU is ``unknown_region``: no default region, ever. A missing region
is the mean of the provider's regions only for services that have none by design (``GLOBAL_SERVICES``), and marked.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from offgridflow.domain.reasons import Assumption
from offgridflow.factors.model import FactorSet, Region

GLOBAL: Final = "global"
GLOBAL_WORDS: Final = frozenset({"global", "any", "all", "worldwide", "aws-global"})
NOWHERE: Final = frozenset({"", "null", "none", "unassigned", "unknown", "no location", "n/a"})
"""What bills write where they name no region."""

GLOBAL_SERVICES: Final = (
    "cloudfront",
    "route 53",
    "route53",
    "global accelerator",
    "front door",
    "content delivery network",
    "traffic manager",
    "azure dns",
    "cloud cdn",
    "cloud dns",
)
"""Words of the services whose work has no region by design; where their rows name none, the global mean stands."""

FACTOR_PROVIDERS: Final = {
    "oci": "oracle",
    "oracle-cloud": "oracle",
    "oracle-cloud-infrastructure": "oracle",
    "alibaba-cloud": "alibaba",
}
"""Provider slugs under which the factor set files regions, where they differ from ours."""

FILED_PROVIDERS: Final = frozenset({"aws", "azure", "gcp", "oracle", "alibaba"})
"""Providers whose regions the factor set has; a country code in their bills is no region."""
COUNTRY: Final = "country"
"""Provider slug under which the factor set has countries; user PUE and contracts of own activities go under it too."""

_LONGEST: Final = 80
_AWS_ZONE: Final = re.compile(r"((?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-[a-z]+)+-\d(?:-[a-z]{3}-\d)?)[a-z]")
_AWS_ZONE_ID: Final = re.compile(r"([a-z]{2,5}\d)-az\d")
_AWS_WAVELENGTH: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)-wl\d-([a-z]{3})-wlz-\d")
_GCP_ZONE: Final = re.compile(r"([a-z]+(?:-[a-z]+)+\d{1,2})-[a-z]")
_AZURE_ZONE: Final = re.compile(r"([a-z0-9]+)-(?:az)?[1-3]")
_ZONES: Final = {"aws": (_AWS_ZONE, _AWS_ZONE_ID), "gcp": (_GCP_ZONE,), "azure": (_AZURE_ZONE,)}

_KIND_MARKS: Final = {
    "multi_region": Assumption.MULTI_REGION_MEAN,
    "edge": Assumption.MULTI_REGION_MEAN,
    "local_zone": Assumption.LOCAL_ZONE_METRO_GRID,
    "global": Assumption.GLOBAL_SERVICE_MEAN,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a SKU runs, and how the text led there."""

    region: Region
    marks: tuple[Assumption, ...]


def factor_provider(provider: str) -> str:
    """Return the slug under which the factor set files a provider."""
    return FACTOR_PROVIDERS.get(provider, provider)


def place_of(provider: str, region_text: str | None, factors: FactorSet, *, everywhere: bool = False) -> Place | None:
    """Return the region that a bill's text means, or None where it is not known.

    ``everywhere`` says that the service has no region by design (``is_global_service``).
    """
    slug = factor_provider(provider)
    text = " ".join((region_text or "").split()).lower()
    if text in NOWHERE:
        return _global(slug, factors) if everywhere else None
    if len(text) > _LONGEST:
        return None
    if text in GLOBAL_WORDS:
        return _global(slug, factors)
    named = _named(slug, text, factors) or _of_zone(slug, text, factors)
    return named or _of_wavelength(slug, text, factors) or _of_country(slug, text, factors)


@lru_cache(maxsize=4096)
def is_global_service(service: str | None) -> bool:
    """Return whether a service has no region by design."""
    lowered = (service or "").lower()
    return any(word in lowered for word in GLOBAL_SERVICES)


def _global(slug: str, factors: FactorSet) -> Place | None:
    found = factors.region(slug, GLOBAL) or region_by_alias(slug, GLOBAL, factors)
    return None if found is None else Place(found, (Assumption.GLOBAL_SERVICE_MEAN,))


def _named(slug: str, text: str, factors: FactorSet) -> Place | None:
    found = factors.region(slug, text)
    if found is not None:
        return _marked(found)
    found = region_by_alias(slug, text, factors)
    return None if found is None else _marked(found, Assumption.REGION_FROM_ALIAS)


def region_by_alias(slug: str, text: str, factors: FactorSet) -> Region | None:
    """Return the region that bills also call ``text``, None where no region is called so."""
    region_id = factors.region_of_alias(slug, text)
    return None if region_id is None else factors.region(slug, region_id)


def _of_zone(slug: str, text: str, factors: FactorSet) -> Place | None:
    for pattern in _ZONES.get(slug, ()):
        match = pattern.fullmatch(text)
        found = _named(slug, match[1], factors) if match is not None else None
        if found is not None:
            return _marked(found.region, Assumption.REGION_FROM_ZONE)
    return None


def _of_wavelength(slug: str, text: str, factors: FactorSet) -> Place | None:
    """Return the Local Zone of the metropolitan area of an AWS Wavelength Zone."""
    match = _AWS_WAVELENGTH.fullmatch(text) if slug == "aws" else None
    found = None if match is None else factors.region(slug, f"{match[1]}-{match[2]}-1")
    return None if found is None else _marked(found, Assumption.REGION_FROM_ZONE)


def _of_country(slug: str, text: str, factors: FactorSet) -> Place | None:
    """Return a country (ISO-3166 alpha-3) as the place of a provider whose regions nobody files: own activities."""
    if slug in FILED_PROVIDERS:
        return None
    found = factors.region(COUNTRY, text)
    return None if found is None else Place(found, (Assumption.GRID_COUNTRY,))


def _marked(region: Region, *marks: Assumption) -> Place:
    own = _KIND_MARKS.get(region.kind)
    return Place(region, marks if own is None else (*marks, own))
