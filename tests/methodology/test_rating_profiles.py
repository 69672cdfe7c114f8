"""Laws of the ccf profile and of demands that need more than the small set."""

from pathlib import Path

import pytest

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, Method, NotEstimatedReason
from offgridflow.domain.units import GIB_TO_GB
from offgridflow.factors import load, read_user_grid
from offgridflow.methodology import ccf
from offgridflow.methodology.demand import Accelerator, Machine, NotRated, Storage, Tokens, Transfer, Vcpu
from offgridflow.methodology.explain import explain
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe, RegionValue

JUNE = Month(2023, 6)
FACTORS = load()
DEFAULT, CCF = Rater(FACTORS, Recipe()), Rater(FACTORS, Recipe(profile=Profile.CCF))


def aws(meter: str, unit: str, region: str, service: str) -> Sku:
    """Build an AWS SKU."""
    return Sku("aws", service, service, None, meter, None, unit, region, None, SkuAttributes())


def test_ccf_machine_hours() -> None:
    """An hour of m5.large is what the original gives: vCPUs, extra memory by share, fixed PUE and grid."""
    made = CCF(aws("BoxUsage:m5.large", "Hrs", "us-east-1", "AmazonEC2"), JUNE)
    watts = 2 * (0.65 + 0.5 * (4.26 - 0.65)) + 0.392 * (384 - 81.32) * 8 / 384
    assert made.energy_kwh is not None
    assert made.energy_kwh.high == pytest.approx(watts / 1000 * 1.135)
    assert made.operational_location_kgco2e == pytest.approx(watts / 1000 * 1.135 * 0.379069)
    assert made.total_kgco2e is not None
    assert made.total_kgco2e.low == made.total_kgco2e.high
    assert made.swings == ()


def test_ccf_gigabyte_months_are_months() -> None:
    """A GB-month of S3 is 720 hours of six copies of a binary GB, not bytes and not a day."""
    made = CCF(aws("EU-TimedStorage-ByteHrs", "GB-Mo", "eu-west-1", "AmazonS3"), JUNE)
    assert made.energy_kwh is not None
    assert made.energy_kwh.central == pytest.approx(720 / 1000 * 0.65 * 6 * 1.135 / 1000)
    assert made.operational_location_kgco2e == pytest.approx(made.energy_kwh.central * 0.2786)


@pytest.mark.parametrize(
    ("meter", "service", "copies"),
    [
        ("TimedStorage-ByteHrs", "AmazonS3", 6),
        ("TimedStorage-ZIA-ByteHrs", "AmazonS3", 2),
        ("EBS:VolumeUsage.gp3", "AmazonEC2", 2),
        ("EBS:SnapshotUsage", "AmazonEC2", 3),
        ("RDS:Multi-AZ-StorageUsage", "AmazonRDS", 2),
        ("Aurora:StorageUsage", "AmazonRDS", 6),
        ("DataTransfer-Out-Bytes", "AWSDataTransfer", 1),
    ],
)
def test_ccf_replication(meter: str, service: str, copies: float) -> None:
    """Replication follows the original's list, 1 where it has none."""
    assert ccf.copies_of(aws(meter, "GB-Mo", "us-east-1", service)) == copies


def test_ccf_knows_its_gaps() -> None:
    """Accelerators without watts take the catalogue's; models and content delivery networks are reasons, not zeros."""
    workshop = CCF.reader.workshop
    for model in ("NVIDIA T4", "NVIDIA H100"):
        made = workshop.pieces(Accelerator(model, 1.0), "gcp")
        assert not isinstance(made, NotRated)
        assert made[0].energy_kwh.central > 0
    card = workshop.pieces(Accelerator("NVIDIA T4", 1000.0), "gcp")
    assert not isinstance(card, NotRated)
    assert card[0].energy_kwh.central == pytest.approx(8 + 0.5 * (71 - 8))
    cdn = CCF(aws("US-DataTransfer-Out-Bytes", "GB", "us-east-1", "AmazonCloudFront"), JUNE)
    assert cdn.reason is NotEstimatedReason.NO_FACTOR
    missing = workshop.pieces(Accelerator("Abacus", 1.0), "gcp")
    assert isinstance(missing, NotRated)
    vcpu = workshop.pieces(Vcpu(1000.0, "Ice Lake"), "aws")
    assert not isinstance(vcpu, NotRated)
    assert vcpu[0].energy_kwh.central == pytest.approx(0.74 + 0.5 * (3.5 - 0.74))


def test_ccf_takes_the_users_places() -> None:
    """The user's PUE, grid and utilisation win under ccf too."""
    recipe = Recipe(
        profile=Profile.CCF,
        utilisation=0.0,
        pue=(RegionValue("aws", "us-east-1", 1.0),),
        grid=(RegionValue("aws", "us-east-1", 1.0),),
    )
    made = Rater(FACTORS, recipe)(aws("BoxUsage:m5.large", "Hrs", "us-east-1", "AmazonEC2"), JUNE)
    watts = 2 * 0.65 + 0.392 * (384 - 81.32) * 8 / 384
    assert made.operational_location_kgco2e == pytest.approx(watts / 1000)
    assert {Assumption.PUE_USER, Assumption.GRID_USER} <= set(made.assumptions)


def test_google_regions_have_their_own_pue_under_ccf() -> None:
    """us-central1 has 1.11; a region without one has the average."""
    for region, pue in (("us-central1", 1.11), ("asia-northeast1", 1.1)):
        sku = Sku("gcp", "Compute Engine", None, None, "N2 Instance Ram running", None, "gibibyte hour", region)
        made = CCF(sku, JUNE)
        assert made.energy_kwh is not None
        assert made.energy_kwh.central == pytest.approx(0.392 / 1000 * pue)


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (Storage(1.0, "papyrus", Span.exactly(1.0)), NotEstimatedReason.UNKNOWN_METER),
        (Transfer(1.0, "pigeon"), NotEstimatedReason.UNKNOWN_METER),
        (Tokens(None, 1.0, 1.0), NotEstimatedReason.UNKNOWN_AI_MODEL),
        (Accelerator("Abacus", 1.0), NotEstimatedReason.UNKNOWN_ACCELERATOR),
        (Machine("huge", 1.0), NotEstimatedReason.UNKNOWN_INSTANCE_TYPE),
    ],
)
def test_what_no_factor_describes_is_a_reason(component: Storage, reason: NotEstimatedReason) -> None:
    """A medium, transfer, model, card or machine that the set does not know is refused by its own reason."""
    made = DEFAULT.reader.workshop.pieces(component, "aws")
    assert isinstance(made, NotRated)
    assert made.reason is reason


def test_tokens_and_cards_are_explained() -> None:
    """A bill's token line and accelerator line are explained to their figures."""
    tokens = Sku("azure", "Azure OpenAI", None, None, "Azure OpenAI - gpt-4o Outp glbl", None, "1K", "westeurope")
    card = Sku(
        "gcp", "Compute Engine", None, None, "Nvidia Tesla T4 GPU running in Americas", None, "hour", "us-central1"
    )
    for sku, method in ((tokens, Method.AI_TOKENS), (card, Method.ACCELERATOR)):
        explained = explain(sku, JUNE, FACTORS, Recipe())
        assert explained.rate.reason is None, explained.detail
        energy = sum(step.value for step in explained.steps if step.name.startswith("IT energy of"))
        assert energy == pytest.approx(explained.rate.it_energy_kwh, rel=1e-12)
        assert explained.rate.method is method


def test_storage_gb_is_binary_outside_of_ccf() -> None:
    """A GB-month of the default profile is 2^30 bytes for all hours of the month, three copies."""
    made = DEFAULT(aws("EU-TimedStorage-ByteHrs", "GB-Mo", "eu-west-1", "AmazonS3"), JUNE)
    assert made.it_energy_kwh == pytest.approx(GIB_TO_GB / 1000 * 0.65 * 720 * 3 / 1000)


def test_ccf_has_no_pue_for_other_providers() -> None:
    """A hall or another cloud never takes the PUE of AWS: the user's, that of the factor set, or a reason."""

    def cores(provider: str, region: str) -> Sku:
        return Sku(provider, "Compute", None, None, "cores", None, "vCPU-Hours", region, None, SkuAttributes())

    own = Recipe(profile=Profile.CCF, pue=(RegionValue("country", "DEU", 1.58),))
    assert CCF(cores("on-premise", "DEU"), JUNE).reason is NotEstimatedReason.NO_FACTOR
    made = Rater(FACTORS, own)(cores("on-premise", "DEU"), JUNE)
    assert made.energy_kwh is not None
    assert made.it_energy_kwh is not None
    assert made.energy_kwh.central == pytest.approx(made.it_energy_kwh * 1.58)
    assert Assumption.PUE_USER in made.assumptions
    assert not any(each.startswith("ccf.coefficient.pue") for each in made.factor_ids)
    for region in ("eu-frankfurt-1", "us-ashburn-1"):
        facility = FACTORS.facility("oracle", region, JUNE)
        oracle = CCF(cores("oracle", region), JUNE)
        if facility is None:
            assert oracle.reason is NotEstimatedReason.NO_FACTOR
        else:
            assert oracle.energy_kwh is not None
            assert oracle.energy_kwh.central == pytest.approx((oracle.it_energy_kwh or 0) * facility.pue.central)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([("lifecycle_delivered", 301.0)], 0.301),
        ([("direct", 201.0)], 0.201),
        ([("lifecycle_delivered", 301.0), ("direct", 201.0)], 0.201),
    ],
)
def test_ccf_takes_the_users_grid_file(tmp_path: Path, rows: list[tuple[str, float]], wanted: float) -> None:
    """The user's own grid factor wins over the fixed one of the original, is marked, and is the one that is named."""
    path = tmp_path / "grid.csv"
    lines = [f"aws,us-east-1,2023,{grams},{boundary},meter\n" for boundary, grams in rows]
    path.write_text("provider,place,period,g_per_kwh,boundary,source\n" + "".join(lines), encoding="utf-8")
    factors = FACTORS.with_user_grid(read_user_grid(path), "mine", "user")
    made = Rater(factors, Recipe(profile=Profile.CCF))(aws("BoxUsage:m5.large", "Hrs", "us-east-1", "AmazonEC2"), JUNE)
    assert made.energy_kwh is not None
    assert made.operational_location_kgco2e == pytest.approx(made.energy_kwh.central * wanted)
    assert Assumption.GRID_USER in made.assumptions
    assert any(each.startswith("user:mine:") for each in made.factor_ids)
    assert not any(each.startswith("ccf.grid.") for each in made.factor_ids)
