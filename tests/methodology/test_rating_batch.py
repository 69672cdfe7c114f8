"""Many rates at once: what is made holds no cycles, and the search for them is as it was before."""

import gc

import pytest

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.methodology.batch import collector_at_rest
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe
from support.few_factors import shipped

MAY, JUNE = Month(2025, 5), Month(2025, 6)
OURS = ("offgridflow.methodology", "offgridflow.domain.model")


def _skus() -> list[Sku]:
    meters = (
        ("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs"),
        ("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo"),
        ("aws", "AmazonEC2", "BoxUsage:zz9.large", "Parsecs"),
        ("azure", "Storage", "Tiered Block Blob - Hot GRS Data Stored", "1 GB/Month"),
        ("gcp", "Compute Engine", "N2 Instance Core running in Americas", "hour"),
    )
    regions = {"aws": "eu-west-1", "azure": "westeurope", "gcp": "us-central1"}
    return [
        Sku(provider, service, service, str(number), meter, None, unit, regions[provider], None, SkuAttributes())
        for number in range(50)
        for provider, service, meter, unit in meters
    ]


def _held() -> int:
    """Return how many objects of rating are held anywhere."""
    return sum(str(type(each).__module__).startswith(OURS) for each in gc.get_objects())


@pytest.mark.parametrize("profile", Profile)
def test_rates_hold_no_cycles(profile: Profile) -> None:
    """Rates that are dropped are gone at once, with all that they were made of, while nobody searches for cycles."""
    rater = Rater(shipped(), Recipe(profile=profile))
    for sku in _skus():
        rater(sku, JUNE)
    gc.collect()
    before = _held()
    with collector_at_rest():
        rates = [rater(sku, MAY) for sku in _skus()]
        assert len({rate.rate_id for rate in rates}) == len(rates)
        assert _held() > before
        del rates, rater
        assert _held() <= before


def test_the_search_for_cycles_is_off_inside_only() -> None:
    """It is off inside, on again after an error too, and stays off for whoever had it off."""
    assert gc.isenabled()

    def fail() -> None:
        with collector_at_rest():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
