"""A small factor set in memory, so that rating can be tested with figures that fit on a page."""

from dataclasses import dataclass, field

import pytest

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Month, Period
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

US_LIFECYCLE = 0.270489 * (392.89 / 349.667) / 0.958

COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "utilisation": (0.2, 0.5, 0.65),
    "power_central_ratio": (1.0, 1.35, 1.81),
    "arm_w_per_thread_50pct": (1.10, 1.7145, 2.565),
    "memory_w_per_gb": (0.284, 0.392, 0.625),
    "accelerator_central_fraction": (0.75, 0.75, 0.75),
    "hdd_wh_per_tbh": (0.3, 0.65, 0.89),
    "ssd_wh_per_tbh": (0.5, 1.2, 1.52),
    "archive_wh_per_tbh": (0.0, 0.65, 0.89),
    "network_kwh_per_gb.intra_zone": (0.0, 0.0, 0.0),
    "network_kwh_per_gb.ingress": (0.0, 0.0, 0.0),
    "network_kwh_per_gb.inter_zone": (0.000125, 0.001, 0.004),
    "network_kwh_per_gb.inter_region": (0.000125, 0.001, 0.004),
    "network_kwh_per_gb.internet_egress": (0.000125, 0.001, 0.004),
    "network_kwh_per_gb.cdn": (0.000125, 0.001, 0.004),
    "overhead": (1.0, 1.12, 1.3),
    "embodied_scale": (0.6, 1.0, 1.5),
    "embodied_lifetime_hours": (52560.0, 52560.0, 35040.0),
    "embodied_lifetime_hours_4y": (35040.0, 35040.0, 35040.0),
    "server_base_kgco2e": (1000.0, 1000.0, 1000.0),
    "extra_socket_kgco2e": (100.0, 100.0, 100.0),
    "dram_kgco2e_per_gb": (533 / 384,) * 3,
    "dram_in_base_gb": (16.0, 16.0, 16.0),
    "default_host_vcpu": (128.0, 128.0, 128.0),
    "default_host_sockets": (2.0, 2.0, 2.0),
    "ssd_kgco2e_per_tb": (23.5, 50.0, 160.0),
    "hdd_kgco2e_per_drive": (31.11, 31.11, 50.0),
    "hdd_kgco2e_per_tb": (1.5555, 2.074, 5.0),
    "ai_input_token_share": (0.0, 0.1, 0.25),
    "lambda_mb_per_vcpu": (1769.0, 1769.0, 1769.0),
    "gcp_functions_ghz_per_vcpu": (2.4, 2.4, 2.4),
    "aurora_acu_vcpu": (0.25, 0.25, 0.25),
    "aurora_acu_memory_gb": (2.0, 2.0, 2.0),
    "azure_sql_dtu_per_vcore_standard": (100.0, 100.0, 100.0),
    "bigquery_slot_vcpu": (0.5, 1.0, 1.0),
    "cloud_composer_environment_vcpu_default": (14.0, 14.0, 14.0),
}

REPLICATION = {
    "aws.s3": (1.5, 3.0, 6.0),
    "aws.ebs": (2.0, 2.0, 2.0),
    "aws.default": (2.0, 2.0, 2.0),
    "azure.grs": (3.0, 3.0, 3.0),
    "azure.grs_paired": (3.0, 3.0, 3.0),
    "azure.lrs": (3.0, 3.0, 3.0),
}

PROCESSORS = (
    Processor("unknown", 0.6, 2.7, 1.0, is_arm=False, is_proxy=True, factor_ids=("cpu.unknown",)),
    Processor("x86", 0.6, 2.7, 1.0, is_arm=False, is_proxy=True, factor_ids=("cpu.x86",)),
    Processor("arm", 0.6172, 1.9219, 1.0, is_arm=True, is_proxy=True, factor_ids=("cpu.arm",)),
    Processor("Graviton2", 0.6172, 1.9219, 1.0, is_arm=True, is_proxy=True, factor_ids=("cpu.Graviton2",)),
    Processor("Skylake", 0.5304, 4.1183, 1.7143, is_arm=False, is_proxy=False, factor_ids=("cpu.Skylake",)),
    Processor("Ice Lake", 0.9236, 4.0994, 1.6, is_arm=False, is_proxy=False, factor_ids=("cpu.Ice Lake",)),
)


def machine(name: str, vcpu: float, gib: float, processor: str, **more: object) -> MachineType:
    """Build a machine; a Teads figure, accelerators and the rest by name."""
    values: dict[str, object] = {
        "provider": "aws",
        "family": name.partition(".")[0],
        "threads": vcpu,
        "gpu_model": None,
        "gpu_count": 0.0,
        "ssd_tb": 0.0,
        "hdd_drives": 0.0,
        "platform_vcpu": 96.0,
        "sockets": 2,
        "whole_host": False,
        "baseline": None,
        "teads_w_50pct": None,
        "teads_w_idle": None,
        "factor_ids": (f"machine.{name}",),
        **more,
    }
    return MachineType(instance_type=name, vcpu=vcpu, memory_gib=gib, processor=processor, **values)  # type: ignore[arg-type]


MACHINES = (
    machine("m5.large", 2, 8, "Skylake", teads_w_50pct=14.1, teads_w_idle=4.4),
    machine("m5.xlarge", 4, 16, "Skylake", teads_w_50pct=28.2, teads_w_idle=8.8),
    machine("m5.metal", 96, 384, "Skylake", whole_host=True),
    machine("m6g.large", 2, 8, "Graviton2", platform_vcpu=64.0, sockets=1, teads_w_50pct=7.6),
    machine("t3.micro", 2, 1, "Skylake", baseline=0.1),
    machine("g4dn.xlarge", 4, 16, "Skylake", gpu_model="NVIDIA T4", gpu_count=1.0, ssd_tb=0.125),
    machine("q9.large", 2, 8, "Skylake", gpu_model="NVIDIA Nowhere", gpu_count=1.0),
    machine("Standard_D4s_v5", 4, 16, "Ice Lake", provider="azure", family="dsv5", platform_vcpu=128.0),
    machine("n2-standard-4", 4, 16, "Ice Lake", provider="gcp", family="n2", platform_vcpu=128.0),
)

REGIONS = (
    Region("aws", "us-east-1", "US East (N. Virginia)", "region", "USA", (), ("region.aws.us-east-1",)),
    Region("aws", "eu-west-1", "EU (Ireland)", "region", "IRL", (), ("region.aws.eu-west-1",)),
    Region("aws", "eu-dark-1", "No grid here", "region", None),
    Region("aws", "us-west-2-lax-1", "Los Angeles", "local_zone", "USA"),
    Region("aws", "global", "Global", "global", None, ("us-east-1", "eu-west-1")),
    Region("azure", "westeurope", "West Europe", "region", "NLD"),
    Region("azure", "northeurope", "North Europe", "region", "IRL"),
    Region("gcp", "us-central1", "Iowa", "region", "USA"),
    Region("gcp", "us", "United States", "multi_region", "USA", ("us-central1",)),
)

GRIDS: dict[tuple[str, str], tuple[float | None, float, float, float]] = {
    ("aws", "us-east-1"): (0.270489, US_LIFECYCLE * 0.9, US_LIFECYCLE, US_LIFECYCLE * 1.4),
    ("aws", "eu-west-1"): (None, 0.2309, 0.25654, 0.28),
    ("aws", "global"): (None, 0.25, 0.29, 0.4),
    ("aws", "us-west-2-lax-1"): (0.2, 0.2, 0.25, 0.3),
    ("azure", "westeurope"): (None, 0.25356, 0.25356, 0.3),
    ("azure", "northeurope"): (None, 0.25, 0.27, 0.29),
    ("gcp", "us-central1"): (0.420277, 0.45, 0.49, 0.55),
    ("gcp", "us"): (None, 0.3, 0.39, 0.5),
}

FACILITIES: dict[tuple[str, str], tuple[float, float | None, float | None]] = {
    ("aws", "us-east-1"): (1.15, 0.12, 2.0),
    ("aws", "eu-west-1"): (1.11, 0.02, 1.0),
    ("aws", "eu-dark-1"): (1.2, None, None),
    ("aws", "global"): (1.14, 0.12, None),
    ("aws", "us-west-2-lax-1"): (1.15, None, None),
    ("azure", "westeurope"): (1.14, 0.05, None),
    ("azure", "northeurope"): (1.16, 0.03, 1.0),
    ("gcp", "us-central1"): (1.11, None, 2.0),
    ("gcp", "us"): (1.11, None, None),
}

ALIASES = {
    ("aws", "eu (ireland)"): "eu-west-1",
    ("aws", "use1"): "us-east-1",
    ("azure", "west europe"): "westeurope",
}


@dataclass
class SmallSet:
    """A FactorSet of a page. ``recalled`` names the factor ids whose evidence is recalled."""

    name: str = "small"
    digest: str = "d1"
    recalled: frozenset[str] = field(default_factory=frozenset)

    def factor(self, factor_id: str) -> Factor:
        """Return a factor with provenance that says test."""
        if factor_id in COEFFICIENTS:
            return self.coefficient(factor_id)
        return self._factor(factor_id, (1.0, 1.0, 1.0))

    def _factor(self, key: str, values: tuple[float, float, float]) -> Factor:
        evidence = "recalled" if key in self.recalled else "read"
        return Factor(
            key, "test", key, *values, "", "none", evidence, "test", "conftest", "CC0-1.0", "2026", None, None
        )

    def coefficient(self, key: str) -> Factor:
        """Return a coefficient; KeyError where absent."""
        return self._factor(key, COEFFICIENTS[key])

    def machine(self, provider: str, instance_type: str) -> MachineType | None:
        """Return a machine by lower-case name."""
        wanted = instance_type.lower()
        for each in MACHINES:
            name = each.instance_type.lower()
            if each.provider == provider and wanted in {name, name.removeprefix("standard_").replace("_", "")}:
                return each
        return None

    def family(self, provider: str, family: str) -> tuple[MachineType, ...]:
        """Return the members of a family by vCPU."""
        found = [each for each in MACHINES if (each.provider, each.family) == (provider, family)]
        return tuple(sorted(found, key=lambda each: (each.vcpu, each.instance_type)))

    def processor(self, name: str) -> Processor | None:
        """Return a processor."""
        return next((each for each in PROCESSORS if each.name == name), None)

    def accelerator(self, model: str) -> AcceleratorType | None:
        """Return the T4 alone."""
        if model.removeprefix("NVIDIA ") != "T4":
            return None
        return AcceleratorType("NVIDIA T4", 8.1, 70.0, 160.0, is_proxy=False, factor_ids=("gpu.T4",))

    def region(self, provider: str, region_id: str) -> Region | None:
        """Return a region by id."""
        return next((each for each in REGIONS if (each.provider, each.region_id) == (provider, region_id)), None)

    def region_of_alias(self, provider: str, alias: str, kind: str | None = None) -> str | None:  # noqa: ARG002  protocol
        """Return a region id by alias."""
        return ALIASES.get((provider, alias.lower()))

    @property
    def hourly_months(self) -> frozenset[Month]:
        """No grid by the hour."""
        return frozenset()

    def grid(self, provider: str, region_id: str, period: Period) -> GridFactor | None:  # noqa: ARG002  protocol
        """Return the grid of a region."""
        found = GRIDS.get((provider, region_id))
        if found is None:
            return None
        direct, low, central, high = found
        ids = (f"grid.{provider}.{region_id}",)
        return GridFactor(
            None if direct is None else Span.exactly(direct),
            Span(low, central, high),
            2025,
            newest=False,
            marks=(),
            factor_ids=ids,
        )

    def facility(self, provider: str, region_id: str, period: Month) -> Facility | None:  # noqa: ARG002  protocol
        """Return PUE and water of a region."""
        found = FACILITIES.get((provider, region_id))
        if found is None:
            return None
        pue, wue, water = found
        return Facility(Span(pue * 0.98, pue, pue * 1.02), wue, water, "consumption", (), (f"pue.{region_id}",))

    def disk_gib(self, provider: str, code: str) -> tuple[float, str] | None:  # noqa: ARG002  protocol
        """Return the P10 disk alone."""
        return (128.0, "ssd") if code.upper() == "P10" else None

    def size(self, key: str) -> Size | None:
        """Return no sizes: the set has none."""

    def replication(self, key: str) -> Factor | None:
        """Return copies."""
        return self._factor(key, REPLICATION[key]) if key in REPLICATION else None

    def ai_model(self, provider: str, model: str) -> AiModel | None:
        """Return one model."""
        if model != "good-model":
            return None
        return AiModel(
            provider, model, Span(0.001, 0.002, 0.004), 0.0001, architecture_disclosed=False, factor_ids=("ai.good",)
        )

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:  # noqa: ARG002  protocol
        """Return a median for RDS alone."""
        return self._factor("median.rds", (2.0, 4.0, 8.0)) if service == "AmazonRDS" else None


@pytest.fixture
def small_set() -> SmallSet:
    """A factor set of a page."""
    return SmallSet()
