"""Spellings of regions, by (provider, kind)."""

import pytest

from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption
from offgridflow.factors import Catalogue, load

JUNE = Month(2025, 6)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The set that ships, loaded once: it is read-only."""
    return load()


@pytest.mark.parametrize(
    ("provider", "alias", "kind", "region"),
    [
        ("aws", "EU (Ireland)", None, "eu-west-1"),
        ("aws", "Europe (Ireland)", None, "eu-west-1"),
        ("aws", "US West (Oregon)", None, "us-west-2"),
        ("aws", "EU (Germany)", None, "eu-central-1"),
        ("aws", "US East (Northern Virginia)", None, "us-east-1"),
        ("aws", "US West 2 (Oregon)", None, "us-west-2"),
        ("aws", "AWS GovCloud (US)", None, "us-gov-west-1"),
        ("aws", "Asia Pacific (Osaka-Local)", None, "ap-northeast-3"),
        ("aws", "", "usage_type_prefix", "us-east-1"),
        ("aws", "EU", "usage_type_prefix", "eu-west-1"),
        ("aws", "EU", "edge", "edge-eu"),
        ("aws", "EUS2", "usage_type_prefix", "eu-south-2"),
        ("azure", "eus2", "resource_location", "eastus2"),
        ("aws", "CPT", "usage_type_prefix", "af-south-1"),
        ("aws", "JP", "edge", "edge-jp"),
        ("aws", "US West (Los Angeles)", None, "us-west-2-lax-1"),
        ("aws", "LAX1", "usage_type_prefix", "us-west-2-lax-1"),
        ("aws", "Any", None, "global"),
        ("azure", "West Europe", None, "westeurope"),
        ("azure", "EU West", None, "westeurope"),
        ("azure", "Unassigned", None, "global"),
        ("azure", "Intercontinental", None, "global"),
        ("gcp", "europe", None, "eu"),
        ("gcp", "Iowa", None, "us-central1"),
        ("oci", "bom", None, "ap-mumbai-1"),
        ("oracle-cloud", "us-phoenix-1", None, "us-phoenix-1"),
    ],
)
def test_alias_leads_to_region(catalogue: Catalogue, provider: str, alias: str, kind: str | None, region: str) -> None:
    """A spelling of a bill leads to its region, and the same letters mean what their kind says."""
    found = catalogue.region_of_alias(provider, alias, kind)
    assert found == region
    assert catalogue.region(provider, region) is not None


def test_no_default_region(catalogue: Catalogue) -> None:
    """An empty or unknown spelling leads nowhere, except the empty prefix of AWS usage types."""
    assert catalogue.region_of_alias("aws", "") is None
    assert catalogue.region_of_alias("aws", "Mars (Olympus)") is None
    assert catalogue.region("gcp", "mars-north1") is None
    assert catalogue.grid("gcp", "mars-north1", JUNE) is None
    assert catalogue.facility("gcp", "mars-north1", JUNE) is None


def test_every_alias_and_member_is_a_region(catalogue: Catalogue) -> None:
    """No spelling and no multi-region names a region that the set does not have."""
    for row in catalogue.aliases():
        assert catalogue.region(row["provider"], row["region_id"]) is not None, row
    for region in catalogue.regions():
        for member in region.members:
            assert catalogue.region(region.provider, member) is not None, region


@pytest.mark.parametrize("region", ["us", "eu", "asia", "nam4", "nam-eur-asia1", "eur3", "asia1"])
def test_multi_region_is_the_mean_of_its_members(catalogue: Catalogue, region: str) -> None:
    """A multi-region has the mean of its members, not their sum."""
    whole = catalogue.region("gcp", region)
    assert whole is not None
    parts = [catalogue.grid("gcp", member, JUNE) for member in whole.members]
    centrals = [part.lifecycle_delivered.central for part in parts if part and part.lifecycle_delivered]
    mean = catalogue.grid("gcp", region, JUNE)
    assert mean is not None
    assert mean.lifecycle_delivered is not None
    assert mean.lifecycle_delivered.central == pytest.approx(sum(centrals) / len(whole.members))
    assert min(centrals) <= mean.lifecycle_delivered.central <= max(centrals)


def test_global_is_the_mean_of_open_regions(catalogue: Catalogue) -> None:
    """Every provider has a global region: the mean of its open regions, closed government and China ones apart."""
    for provider in ("aws", "azure", "gcp", "oracle", "alibaba"):
        whole = catalogue.region(provider, "global")
        assert whole is not None
        assert whole.kind == "global"
        assert len(whole.members) > 20
        assert not any("gov" in member for member in whole.members) or provider == "oracle"
        assert catalogue.grid(provider, "global", JUNE) is not None


def test_local_zone_has_the_grid_of_its_metro(catalogue: Catalogue) -> None:
    """Los Angeles is on California's grid, not on Oregon's; its building is rated as the parent's."""
    zone, parent = (catalogue.grid("aws", region, JUNE) for region in ("us-west-2-lax-1", "us-west-2"))
    california = catalogue.grid("aws", "us-west-1", JUNE)
    assert zone == california
    assert zone != parent
    assert catalogue.facility("aws", "us-west-2-lax-1", JUNE) == catalogue.facility("aws", "us-west-2", JUNE)


def test_marks_are_known_words(catalogue: Catalogue) -> None:
    """Grid and facility mark only with words of the closed vocabulary."""
    for region in catalogue.regions():
        grid = catalogue.grid(region.provider, region.region_id, JUNE)
        facility = catalogue.facility(region.provider, region.region_id, JUNE)
        for mark in (*(grid.marks if grid else ()), *(facility.marks if facility else ())):
            assert Assumption(mark)
