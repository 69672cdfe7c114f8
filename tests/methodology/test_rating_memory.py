"""What a rater remembers saves work and changes nothing."""

from dataclasses import replace

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.methodology.memo import Memo
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe

FACTORS = load()
JUNE, FEBRUARY = Month(2025, 6), Month(2025, 2)


def _skus() -> list[Sku]:
    """SKUs that differ in one field each, some of which changes the figures and some of which does not."""
    machine = Sku(
        "aws", "Amazon EC2", "AmazonEC2", "A", "BoxUsage:m5.large", "RunInstances", "Hrs", "us-east-1", "linux"
    )
    grs = Sku("azure", "Storage", "Storage", None, "Blob - Hot GRS Data Stored", None, "1 GB/Month", "westeurope")
    paired = replace(grs, attributes=SkuAttributes(redundancy="GRS", to_region="northeurope"))
    spanner = Sku("gcp", "Cloud Spanner", None, "S", "Storage", None, "gibibyte month", "us-central1")
    return [
        spanner,
        replace(spanner, region_id="nam3"),
        machine,
        replace(machine, sku_id="B"),
        replace(machine, operation="RunInstances:0002", description="windows"),
        replace(machine, region_id="eu-west-1"),
        replace(machine, region_id="nowhere"),
        replace(machine, sku_meter="EUW1-BoxUsage:m5.xlarge"),
        replace(machine, sku_meter="BoxUsage:zz9.xlarge", attributes=SkuAttributes(vcpu=4.0)),
        replace(machine, sku_meter="BoxUsage:zz9.xlarge", attributes=SkuAttributes(vcpu=8.0)),
        replace(machine, sku_meter="TimedStorage-ByteHrs", service_code="AmazonS3", consumed_unit="GB-Mo"),
        replace(machine, sku_meter="TimedStorage-ByteHrs", service_code="AmazonEFS", consumed_unit="GB-Mo"),
        replace(machine, service_name="Amazon CloudFront", service_code="AmazonCloudFront", region_id=None),
        replace(machine, region_id=None),
        grs,
        paired,
        replace(paired, attributes=SkuAttributes(redundancy="GRS", to_region="eastus")),
    ]


def test_a_rate_is_the_same_whatever_was_rated_before() -> None:
    """Rating SKUs and months in any order with one rater gives what a new rater gives for each alone."""
    for profile in Profile:
        recipe = Recipe(profile=profile)
        alone = {(sku, month): Rater(FACTORS, recipe)(sku, month) for sku in _skus() for month in (JUNE, FEBRUARY)}
        one = Rater(FACTORS, recipe)
        for sku, month in [*alone, *reversed(alone)]:
            assert one(sku, month) == alone[sku, month]
        assert len({rate.rate_id for rate in alone.values()}) == len(alone)


def test_skus_that_want_the_same_have_the_same_figures_and_their_own_ids() -> None:
    """A SKU that differs in its id, operation and description alone has equal figures under another rate id."""
    rater = Rater(FACTORS, Recipe())
    first, *others = (rater(sku, JUNE) for sku in _skus()[2:5])
    for other in others:
        assert other.rate_id != first.rate_id
        assert replace(other, rate_id=first.rate_id, sku=first.sku) == first


def test_a_region_that_tells_the_copies_is_read_with_the_meter() -> None:
    """Spanner's storage takes the copies of its own region's kind, also where the other kind was rated just before."""
    rater = Rater(FACTORS, Recipe())
    single, spread = (rater(sku, JUNE) for sku in _skus()[:2])
    assert single.it_energy_kwh is not None
    assert spread.it_energy_kwh is not None
    assert spread.it_energy_kwh > single.it_energy_kwh


def test_a_full_memory_starts_again() -> None:
    """A memory never holds more than its bound and keeps answering what it was told last."""
    memo: Memo[int, int] = Memo(most=3)
    for number in range(10):
        assert memo.keep(number, number * number) == number * number
        assert memo.get(number) == number * number
        assert sum(memo.get(each) is not None for each in range(10)) <= 3
