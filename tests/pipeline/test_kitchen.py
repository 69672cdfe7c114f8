"""What users set counts where they mean it, however they spell it, or is refused: never nowhere."""

import pytest

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.recipe import Kitchen
from offgridflow.settings import Settings

JUNE = Month(2025, 6)


def _kitchen(**methodology: object) -> Kitchen:
    return kitchen_of(Settings.model_validate({"methodology": methodology}))


def _value(provider: str, region_id: str, value: float) -> dict[str, object]:
    return {"provider": provider, "region_id": region_id, "value": value, "source": "meter"}


def _cores(provider: str, region: str) -> Sku:
    return Sku(provider, "Compute", None, None, "node-1", None, "vCPU-Hours", region, None, SkuAttributes())


@pytest.mark.parametrize(
    ("provider", "region"),
    [("aws", "eu-west-1"), ("AWS", "EU-WEST-1"), ("Amazon Web Services", "EU (Ireland)"), ("aws", " eu-west-1 ")],
)
@pytest.mark.parametrize(
    ("key", "value", "mark"), [("pue", 1.5, Assumption.PUE_USER), ("contracts", 0.02, Assumption.MARKET_CONTRACT)]
)
def test_a_value_of_a_region_counts_however_it_is_spelled(
    provider: str, region: str, key: str, value: float, mark: Assumption
) -> None:
    """Provider names, capitals and aliases of a region mean the region of the bill; the row shows the value."""
    kitchen = _kitchen(**{key: [_value(provider, region, value)]})
    sku = Sku("aws", "AmazonEC2", None, None, "BoxUsage:m5.large", None, "Hrs", "eu-west-1")
    assert mark in kitchen.rate_of(sku, JUNE).assumptions
    assert kitchen.recipe == _kitchen(**{key: [_value("aws", "eu-west-1", value)]}).recipe


def test_a_country_counts_however_it_is_spelled() -> None:
    """The PUE of a country is that of its rows whatever its capitals."""
    for region in ("DEU", "deu"):
        made = _kitchen(pue=[_value("country", region, 1.4)]).rate_of(_cores("on-premise", "DEU"), JUNE)
        assert Assumption.PUE_USER in made.assumptions


@pytest.mark.parametrize("key", ["pue", "contracts"])
@pytest.mark.parametrize(
    ("provider", "region"), [("aws", "eu-west-11"), ("azure", "eu-west-1"), ("country", "Germany"), ("moon", "sea-1")]
)
def test_a_value_of_no_region_is_refused(key: str, provider: str, region: str) -> None:
    """A region that nobody has is an error that names the setting and the region, before anything is rated."""
    with pytest.raises(UsageError, match=rf"methodology\.{key} .*{region}.*count nowhere"):
        _kitchen(**{key: [_value(provider, region, 1.2)]})


@pytest.mark.parametrize("provider", ["on-premise", "on_premise", "On Premise"])
def test_an_own_rate_counts_however_its_provider_is_spelled(provider: str) -> None:
    """A rate's provider is read like that of a row: as a slug."""
    own = {
        "provider": provider,
        "consumed_unit": "vCPU-Hours",
        "meter": "node-*",
        "operational_kgco2e": {"central": 0.5},
        "source": "meter",
    }
    made = _kitchen(rates=[own]).rate_of(_cores("on-premise", "DEU"), JUNE)
    assert made.operational_location_kgco2e == 0.5
