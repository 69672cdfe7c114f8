"""What the factor set that ships must hold (methodology.md sections 6 and 7)."""

import json
import math
import re
import shutil
from importlib import resources
from pathlib import Path

import pytest

from offgridflow.domain.periods import Month, months_between
from offgridflow.domain.reasons import Assumption
from offgridflow.factors import DEFAULT_SET, Catalogue, FactorSetError, load
from offgridflow.factors.model import FactorSet, MachineType

JUNE = Month(2025, 6)
BOUNDARIES = {
    "direct_generation",
    "lifecycle_generation",
    "lifecycle_delivered",
    "wall_power",
    "it",
    "cradle_to_gate",
    "withdrawal",
    "consumption",
    "none",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The set that ships, loaded once: it is read-only."""
    return load()


def test_catalogue_is_a_factor_set(catalogue: Catalogue) -> None:
    """The catalogue answers the whole protocol, under the name and digest of its manifest."""
    asked: FactorSet = catalogue
    manifest = json.loads((resources.files("offgridflow.factors") / "data" / "set.json").read_text())
    assert (asked.name, asked.digest) == (DEFAULT_SET, manifest["digest"])


def test_every_factor_has_its_provenance(catalogue: Catalogue) -> None:
    """Every factor has source, reference, licence, vintage, a known boundary and evidence grade, and its own id."""
    seen = set()
    for factor in catalogue.factors():
        assert all((factor.source, factor.source_ref, factor.licence, factor.vintage, factor.unit)), factor
        assert factor.boundary in BOUNDARIES, factor
        assert factor.evidence in {"read", "derived", "recalled"}, factor
        assert factor.factor_id == f"{factor.kind}:{factor.key}"
        assert factor.factor_id not in seen
        seen.add(factor.factor_id)
    assert len(seen) > 8000


def test_low_central_high_everywhere(catalogue: Catalogue) -> None:
    """Low <= central <= high, finite and not negative; only the lifetime runs the other way (short life, high case)."""
    for factor in catalogue.factors():
        values = (factor.low, factor.central, factor.high)
        assert all(math.isfinite(value) and value >= 0 for value in values), factor
        if factor.factor_id == "coefficient:embodied_lifetime_hours":
            assert values == (52560, 52560, 35040)
        else:
            assert factor.low <= factor.central <= factor.high, factor


def test_recalled_never_is_assured(catalogue: Catalogue) -> None:
    """The assured view holds everything that was read or derived, and nothing that is only recalled."""
    assured = {factor.factor_id for factor in catalogue.assured()}
    recalled = {factor.factor_id for factor in catalogue.factors() if factor.evidence == "recalled"}
    assert "coefficient:grid_loss_default" in recalled
    assert "machine:aws:trn3.48xlarge" in recalled
    assert not assured & recalled
    assert "coefficient:memory_w_per_gb" in assured


def test_ids_lead_back_to_factors(catalogue: Catalogue) -> None:
    """Whatever a look-up names as its factors can be shown to an auditor."""
    named: set[str] = set()
    for region in catalogue.regions():
        grid, facility = (ask(region.provider, region.region_id, JUNE) for ask in (catalogue.grid, catalogue.facility))
        named.update(grid.factor_ids if grid else ())
        named.update(facility.factor_ids if facility else ())
    for machine in catalogue.machines():
        named.update(machine.factor_ids)
    for model in ("NVIDIA T4", "AWS Trainium2"):
        card = catalogue.accelerator(model)
        assert card is not None
        named.update(card.factor_ids)
    for factor_id in named:
        assert catalogue.factor(factor_id).factor_id == factor_id
    with pytest.raises(KeyError):
        catalogue.factor("machine:aws:m99.huge")


def test_published_keys_are_there(catalogue: Catalogue) -> None:
    """Every coefficient and replication key that KEYS.md publishes is in the set."""
    text = (resources.files("offgridflow.factors") / "KEYS.md").read_text(encoding="utf-8")
    section = text.split("## Replication")[1].split("## Sizes")[0]
    for key in re.findall(r"`([a-z]+\.[a-z0-9_]+)`", section):
        assert catalogue.replication(key) is not None, key
    table = text.split("## Coefficients")[1].split("## Replication")[0]
    keys = re.findall(r"`([a-z0-9_.]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "| `" in line))
    for key in keys:
        assert catalogue.coefficient(f"network_kwh_per_gb{key}" if key.startswith(".") else key).unit, key
    assert len(keys) > 40


def test_published_processors_and_cards_are_there(catalogue: Catalogue) -> None:
    """Every processor name that a machine uses, and every card, is in the set; the unknown ones too."""
    for name in ("unknown", "x86", "arm", "ICE LAKE"):
        assert catalogue.processor(name) is not None
    for machine in catalogue.machines():
        assert catalogue.processor(machine.processor) is not None, machine
        assert machine.gpu_model is None or catalogue.accelerator(machine.gpu_model) is not None, machine
    assert catalogue.accelerator("t4") == catalogue.accelerator("NVIDIA T4")
    assert catalogue.accelerator("NVIDIA Z9") is None


def _watts_per_vcpu(catalogue: Catalogue, machine: MachineType) -> float:
    processor = catalogue.processor(machine.processor)
    assert processor is not None
    watts = (processor.idle_w_per_thread + processor.max_w_per_thread) / 2 * machine.threads
    return watts / machine.vcpu


def test_watts_per_vcpu_are_physical(catalogue: Catalogue) -> None:
    """At half load a vCPU takes 0.5 to 5.5 W, memory and accelerators apart, on every machine of every cloud."""
    for machine in catalogue.machines():
        assert 0.5 <= _watts_per_vcpu(catalogue, machine) <= 5.5, machine


def test_machines_fit_their_host(catalogue: Catalogue) -> None:
    """A machine is no larger than its host, whole hosts have share 1, memory and sockets are positive."""
    for machine in catalogue.machines():
        assert 0 < machine.vcpu <= machine.platform_vcpu, machine
        assert machine.memory_gib > 0, machine
        assert 1 <= machine.sockets <= 32, machine
        assert machine.threads >= machine.vcpu, machine
        if machine.whole_host:
            assert machine.vcpu == machine.platform_vcpu, machine
        if ".metal" in machine.instance_type or machine.instance_type.endswith("-metal"):
            assert machine.whole_host, machine


@pytest.mark.parametrize(
    ("provider", "instance_type"),
    [
        ("aws", "mac2.metal"),
        ("aws", "hpc6a.48xlarge"),
        ("aws", "hpc6id.32xlarge"),
        ("aws", "hpc7a.12xlarge"),
        ("azure", "Standard_HB120rs_v3"),
        ("azure", "Standard_HC44rs"),
        ("gcp", "h3-standard-88"),
    ],
)
def test_whole_host_shapes(catalogue: Catalogue, provider: str, instance_type: str) -> None:
    """The shapes that fill their host carry all of its embodied emissions."""
    machine = catalogue.machine(provider, instance_type)
    assert machine is not None
    assert machine.whole_host


def test_accelerator_named_types_have_watts(catalogue: Catalogue) -> None:
    """A type whose name says that it has an accelerator has one, with watts above zero."""
    named = {
        "aws": r"(?:p\d|g\d|gr\d|inf\d|trn\d|dl\d|f\d|vt\d).*",
        "azure": r"Standard_N.*",
        "gcp": r"(?:a[234]x?|g[24]|ct\d).*-.*",
    }
    found = 0
    for machine in catalogue.machines():
        if not re.fullmatch(named[machine.provider], machine.instance_type) or machine.instance_type == "f1-micro":
            continue
        card = catalogue.accelerator(machine.gpu_model or "")
        assert card is not None, machine
        assert card.tdp_w * machine.gpu_count > 0, machine
        found += 1
    assert found > 180


def test_same_machine_on_same_host_costs_the_same(catalogue: Catalogue) -> None:
    """Equal vCPU, memory, processor and host have equal embodied in every cloud; hosts differ in few."""
    dram = catalogue.coefficient("dram_kgco2e_per_gb").central
    found: dict[tuple[float, float, str, float], dict[str, list[float]]] = {}
    hosts: dict[tuple[float, float, str, float, int], set[float]] = {}
    for each in catalogue.machines():
        if each.gpu_model or each.ssd_tb or each.hdd_drives or each.whole_host:
            continue
        base = 1000 + 100 * (each.sockets - 1) - 16 * dram
        kg = each.vcpu / each.platform_vcpu * base + each.memory_gib * dram
        size = (each.vcpu, each.memory_gib, each.processor, each.threads)
        found.setdefault(size, {}).setdefault(each.provider, []).append(kg)
        hosts.setdefault((each.vcpu, each.memory_gib, each.processor, each.platform_vcpu, each.sockets), set()).add(kg)
    assert all(max(kgs) - min(kgs) < 1e-9 for kgs in hosts.values())
    shared = [[kg for kgs in clouds.values() for kg in kgs] for clouds in found.values() if len(clouds) > 1]
    within = [max(kgs) / min(kgs) <= 1.1 for kgs in shared]
    assert len(within) > 150
    assert sum(within) / len(within) > 0.8


def test_boards_of_two_are_counted_by_gpu(catalogue: Catalogue) -> None:
    """A K80 or M60 is 150 W a GPU; Azure NC uses PCIe A100 at 300 W and H100 NVL at 400 W."""
    watts = {name: catalogue.accelerator(name) for name in ("NVIDIA K80", "NVIDIA M60")}
    assert {name: card.tdp_w for name, card in watts.items() if card} == {"NVIDIA K80": 150, "NVIDIA M60": 150}
    for name, expected in (("NC24ads A100 v4", 300.0), ("NC40ads H100 v5", 400.0), ("ND96isr H100 v5", 700.0)):
        machine = catalogue.machine("azure", name)
        assert machine is not None
        card = catalogue.accelerator(machine.gpu_model or "")
        assert card is not None
        assert card.tdp_w == expected


def test_hard_disks_are_hard_disks(catalogue: Catalogue) -> None:
    """d3en.12xlarge is about 1,552 kg by the additive formula, because its 24 disks are HDD; d2 and h1 have disks."""
    machine = catalogue.machine("aws", "d3en.12xlarge")
    assert machine is not None
    dram = catalogue.coefficient("dram_kgco2e_per_gb").central
    base = 1000 + 100 * (machine.sockets - 1) - 16 * dram
    kg = machine.vcpu / machine.platform_vcpu * base + machine.memory_gib * dram
    kg += machine.hdd_drives * catalogue.coefficient("hdd_kgco2e_per_drive").central + machine.ssd_tb * 50
    assert kg == pytest.approx(1552, abs=1)
    for name in ("d2.8xlarge", "h1.16xlarge"):
        other = catalogue.machine("aws", name)
        assert other is not None
        assert other.hdd_drives > 0


def test_processor_generations_are_corrected(catalogue: Catalogue) -> None:
    """The generations that the research file guessed wrongly are those of methodology.md section 6."""
    expected = {
        ("azure", "Standard_NC4as_T4_v3"): "EPYC 2nd Gen (Rome)",
        ("azure", "Standard_NC24ads_A100_v4"): "EPYC 3rd Gen (Milan)",
        ("azure", "Standard_NCC40ads_H100_v5"): "EPYC 4th Gen (Genoa/Bergamo)",
        ("azure", "Standard_NC80adis_H100_v5"): "EPYC 4th Gen (Genoa/Bergamo)",
        ("azure", "Standard_L8as_v3"): "EPYC 3rd Gen (Milan)",
        ("azure", "Standard_L8as_v4"): "EPYC 4th Gen (Genoa/Bergamo)",
        ("azure", "Standard_L8aos_v4"): "EPYC 4th Gen (Genoa/Bergamo)",
        ("azure", "Standard_D2_v2_Promo"): "Broadwell",
        ("aws", "mac2-m2pro.metal"): "Apple silicon",
        ("aws", "mac-m4.metal"): "Apple silicon",
        ("aws", "mac1.metal"): "Coffee Lake",
    }
    for (provider, name), processor in expected.items():
        machine = catalogue.machine(provider, name)
        assert machine is not None, name
        assert machine.processor == processor


@pytest.mark.parametrize(
    ("provider", "name", "baseline"),
    [
        ("aws", "t3.micro", 0.10),
        ("aws", "t4g.2xlarge", 0.40),
        ("aws", "t2.xlarge", 0.225),
        ("azure", "Standard_B2s", 0.20),
        ("azure", "Standard_B2ts_v2", 0.20),
        ("azure", "Standard_B8als_v2", 0.30),
        ("azure", "Standard_B4ps_v2", 0.40),
        ("gcp", "e2-micro", 0.125),
        ("gcp", "g1-small", 0.5),
        ("aws", "m5.large", None),
    ],
)
def test_burstable_baselines(catalogue: Catalogue, provider: str, name: str, baseline: float | None) -> None:
    """Burstable types carry the published baseline of one vCPU, others none; all B and T types have one."""
    machine = catalogue.machine(provider, name)
    assert machine is not None
    assert machine.baseline == baseline
    for each in catalogue.machines():
        if re.fullmatch(r"t[234]g?a?\..*|Standard_B\d.*", each.instance_type):
            assert each.baseline is not None, each


def test_added_families(catalogue: Catalogue) -> None:
    """Families of old and new bills that the research files lack are there, marked as recalled."""
    for provider, family in (
        ("aws", "p2"), ("aws", "g2"), ("aws", "g3"), ("aws", "g3s"), ("aws", "trn3"), ("aws", "p6e-gb300"),
        ("azure", "h"), ("azure", "hbrs"), ("azure", "ndisrndrgb200v6"), ("azure", "ndisrgb300v6"),
        ("gcp", "a4"), ("gcp", "a4x"), ("gcp", "h4d"), ("gcp", "ct5p"),
    ):  # fmt: skip
        types = catalogue.family(provider, family)
        assert types, family
        specification = catalogue.factor(types[0].factor_ids[0])
        assert specification.evidence == ("read" if types[0].teads_w_50pct else "recalled"), family


def test_warehouse_nodes(catalogue: Catalogue) -> None:
    """Redshift's node types are machines too, with Teads' watts where Teads has them."""
    for name in ("ra3.xlplus", "ra3.4xlarge", "dc2.large", "ds2.8xlarge"):
        assert catalogue.machine("aws", name) is not None
    dense = catalogue.machine("aws", "ds2.8xlarge")
    assert dense is not None
    assert dense.teads_w_50pct == 261.1


def test_spellings_of_azure_sizes(catalogue: Catalogue) -> None:
    """Azure's three spellings are one machine; AWS and GCP ignore case; B1ls has half a GiB."""
    one = catalogue.machine("azure", "Standard_D4s_v5")
    for spelling in ("D4s v5", "Standard_D4s v5", "standard_d4s_V5", "D4s_v5"):
        assert catalogue.machine("azure", spelling) is one
    assert catalogue.machine("aws", "M5.LARGE") is catalogue.machine("aws", "m5.large")
    smallest = catalogue.machine("azure", "B1ls")
    assert smallest is not None
    assert smallest.memory_gib == 0.5


def test_families_are_sorted_and_named(catalogue: Catalogue) -> None:
    """A family comes sorted by size, by any of its names, and each member names that family."""
    types = catalogue.family("azure", "Dsv5")
    assert [each.vcpu for each in types] == sorted(each.vcpu for each in types)
    assert types == catalogue.family("azure", "standardDSv5Family")
    for machine in catalogue.machines():
        assert Catalogue.family_of(machine.provider, machine.instance_type) == machine.family, machine
    assert catalogue.family("aws", "z99") == ()


def test_worked_case_inputs(catalogue: Catalogue) -> None:
    """The inputs of the worked cases of methodology.md section 8, to the last published digit."""
    virginia = catalogue.grid("aws", "us-east-1", JUNE)
    assert virginia is not None
    assert virginia.direct is not None
    assert virginia.lifecycle_delivered is not None
    assert virginia.direct.central == 0.270489
    assert virginia.lifecycle_delivered.central == pytest.approx(0.270489 * 392.89 / 349.667 / 0.958, rel=1e-9)
    assert Assumption.GRID_DIRECT_SCALED in virginia.marks
    assert catalogue.factor("grid_generation:country:IRL:2025").central == pytest.approx(0.25654, rel=1e-12)
    assert catalogue.factor("grid_generation:country:NLD:2025").central == pytest.approx(0.25356, rel=1e-12)
    iowa = catalogue.grid("gcp", "us-central1", JUNE)
    assert iowa is not None
    assert iowa.direct is not None
    assert iowa.direct.central == 0.420277
    pues = {
        ("aws", "us-east-1"): 1.15,
        ("aws", "eu-west-1"): 1.11,
        ("gcp", "us-central1"): 1.11,
        ("azure", "westeurope"): 1.14,
    }
    for (provider, region), expected in pues.items():
        facility = catalogue.facility(provider, region, JUNE)
        assert facility is not None
        assert facility.pue.central == expected


def test_memory_of_the_unknown_agrees_with_serverless(catalogue: Catalogue) -> None:
    """1.65 W/vCPU less the memory of the unknown processor is the 1.258 W that serverless adds memory to; Arm alike."""
    memory = catalogue.coefficient("memory_w_per_gb").central
    for name, key in (("x86", "serverless_w_per_vcpu_x86"), ("arm", "serverless_w_per_vcpu_arm")):
        processor = catalogue.processor(name)
        assert processor is not None
        with_memory = catalogue.coefficient(key).central
        at_half = (processor.idle_w_per_thread + processor.max_w_per_thread) / 2
        assert at_half == pytest.approx(with_memory, abs=0.005)
        without = catalogue.coefficient(f"{key}_no_memory").central
        assert with_memory - memory * processor.memory_gb_per_thread == pytest.approx(without, abs=1e-9)


def test_grid_year_is_not_far_ahead(catalogue: Catalogue) -> None:
    """No period since 2018 takes a factor from more than a year later, and older ones are marked newest."""
    for region in catalogue.regions():
        for month in months_between(Month(2018, 1), Month(2026, 12))[::6]:
            grid = catalogue.grid(region.provider, region.region_id, month)
            assert grid is not None, region
            assert grid.lifecycle_delivered is not None, region
            assert grid.year <= month.year + 1, (region, month)
            assert grid.newest == (grid.year < month.year) or region.members


def test_regional_factors_are_those_decided(catalogue: Catalogue) -> None:
    """India is one grid, Bahrain is not 902, Australia adds scope 3, hydro zones get an interim upstream."""
    for provider, region in (("aws", "ap-south-1"), ("azure", "southindia"), ("gcp", "asia-south2")):
        grid = catalogue.grid(provider, region, JUNE)
        assert grid is not None
        assert grid.direct is not None
        assert grid.direct.central == 0.7117
        assert "grid_generation:country:IND:2025" in grid.factor_ids
    bahrain = catalogue.factor("grid_lifecycle:country:BHR:2024")
    assert bahrain.central == pytest.approx(0.5815 / 0.95)
    assert bahrain.low == pytest.approx(0.488 / 0.98)
    assert bahrain.high == pytest.approx(0.902 / 0.92)
    sydney = catalogue.grid("aws", "ap-southeast-2", JUNE)
    assert sydney is not None
    assert sydney.direct is not None
    assert sydney.lifecycle_delivered is not None
    assert sydney.direct.central == 0.64
    assert sydney.lifecycle_delivered.central > sydney.direct.central
    montreal = catalogue.grid("aws", "ca-central-1", Month(2024, 3))
    assert montreal is not None
    assert montreal.lifecycle_delivered is not None
    assert montreal.lifecycle_delivered.central == pytest.approx((0.00548 + 0.024) / 0.95)
    assert Assumption.GRID_UPSTREAM_INTERIM in montreal.marks


def test_countries_outside_of_the_usa_have_no_invented_direct(catalogue: Catalogue) -> None:
    """Where only Ember's lifecycle factor exists, direct is unknown, and the default losses are marked."""
    grid = catalogue.grid("azure", "westeurope", JUNE)
    assert grid is not None
    assert grid.direct is None
    assert {Assumption.GRID_COUNTRY, Assumption.GRID_LOSS_DEFAULT} <= set(grid.marks)
    assert catalogue.grid("country", "NLD", JUNE) == grid


def test_pue_spans(catalogue: Catalogue) -> None:
    """PUE is never below 1; regional values have 2 % either way, geographies the least and greatest of theirs."""
    for region in catalogue.regions():
        facility = catalogue.facility(region.provider, region.region_id, JUNE)
        if region.provider == "country":
            assert facility is None
            continue
        assert facility is not None, region
        assert 1 <= facility.pue.low <= facility.pue.central <= facility.pue.high < 2, region
    london = catalogue.facility("aws", "eu-west-2", JUNE)
    assert london is not None
    assert (london.pue.low, london.pue.central, london.pue.high) == (1.09, 1.11, 1.35)
    assert Assumption.PUE_GEOGRAPHY in london.marks


@pytest.mark.parametrize(
    ("region", "pue", "wue"),
    [
        ("saudiarabiaeast", 1.16, 0.03),
        ("jioindiawest", 1.28, 0.25),
        ("singaporecentral", 1.28, 0.25),
        ("usgoviowa", 1.16, 0.34),
        ("southcentralus2", 1.16, 0.34),
        ("germanynortheast", 1.16, 0.03),
        ("uksouth2", 1.16, 0.03),
        ("eastus2euap", 1.14, 0.34),
        ("centraluseuap", 1.16, 0.34),
    ],
)
def test_azure_geographies_are_corrected(catalogue: Catalogue, region: str, pue: float, wue: float) -> None:
    """Azure regions that the research file put into the wrong geography have the values of the right one."""
    facility = catalogue.facility("azure", region, JUNE)
    assert facility is not None
    assert (facility.pue.central, facility.wue_l_per_it_kwh) == (pue, wue)


def test_water_that_is_not_known_is_none(catalogue: Catalogue) -> None:
    """Hong Kong has no water factor rather than China's; Google publishes no WUE."""
    for provider, region in (("aws", "ap-east-1"), ("azure", "eastasia"), ("gcp", "asia-east2")):
        facility = catalogue.facility(provider, region, JUNE)
        assert facility is not None
        assert facility.electricity_water_l_per_kwh is None
    google = catalogue.facility("gcp", "us-central1", JUNE)
    assert google is not None
    assert google.wue_l_per_it_kwh is None
    assert google.electricity_water_l_per_kwh is not None


def test_small_tables(catalogue: Catalogue) -> None:
    """Disks, medians and models answer by the bill's names; clouds serve the models of every vendor."""
    assert catalogue.disk_gib("azure", "P10") == (128.0, "ssd")
    assert catalogue.disk_gib("azure", "s4") == (32.0, "hdd")
    assert catalogue.disk_gib("azure", "P99") is None
    median = catalogue.service_median_vcpu("gcp", "Cloud Spanner")
    assert median is not None
    assert median.central > 0
    assert catalogue.service_median_vcpu("aws", "Amazon Nothing") is None
    model = catalogue.ai_model("aws", "claude-opus-5")
    assert model is not None
    assert model.provider == "aws"
    assert not model.architecture_disclosed
    assert catalogue.ai_model("azure", "gpt-0") is None


def test_corrections_are_shown_with_reasons(catalogue: Catalogue) -> None:
    """Every change of a research value is a row with what, new value and reason; each family of section 6 is there."""
    rows = list(catalogue.corrections())
    assert all(row["what"] and row["reason"] for row in rows)
    text = "\n".join(row["what"] for row in rows)
    for word in ("accelerators:", "machines:", "grid:", "facility:", "aliases:", "service mapping:", "data_quality"):
        assert word in text


def test_nothing_that_may_not_ship(catalogue: Catalogue) -> None:
    """No AGPL or share-alike table and no all-rights-reserved source; MPL only for the one file that says so."""
    for factor in catalogue.factors():
        assert "AGPL" not in factor.licence
        assert "SA" not in factor.licence
        assert "ODbL" not in factor.licence or "not a substantial part" in factor.licence
        assert "MPL" not in factor.licence or factor.kind in {"ai_model", "ai_embodied"}
    for word in (
        "Mozilla Public License 2.0",
        "Ember",
        "eGRID",
        "Teads",
        "World Resources Institute",
        "SPEC",
        "Google",
    ):
        assert word in catalogue.notice()


def _copied(folder: Path) -> Path:
    source = resources.files("offgridflow.factors") / "data"
    with resources.as_file(source) as place:
        return shutil.copytree(place, folder / "data")


@pytest.mark.parametrize("name", ["grid.csv", "NOTICE", "factors.csv"])
def test_changed_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """One changed byte in any file refuses the set and names the file."""
    folder = _copied(tmp_path)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-2] + b"9\n")
    with pytest.raises(FactorSetError, match=re.escape(name)):
        load(folder=folder)


def test_changed_manifest_and_missing_file_are_refused(tmp_path: Path) -> None:
    """A manifest whose digests were rewritten is refused by its own digest, and a missing file by its name."""
    folder = _copied(tmp_path)
    manifest = json.loads((folder / "set.json").read_text())
    manifest["version"] = "2099"
    (folder / "set.json").write_text(json.dumps(manifest))
    with pytest.raises(FactorSetError, match=re.escape("set.json")):
        load(folder=folder)
    (folder / "grid.csv").unlink()
    with pytest.raises(FactorSetError, match=re.escape("grid.csv")):
        load(folder=folder)


def test_unknown_set_is_refused() -> None:
    """Asking for another set than the installed one says which is installed."""
    with pytest.raises(FactorSetError, match=re.escape(DEFAULT_SET)):
        load("offgridflow-1999.01")
