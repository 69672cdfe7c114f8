"""Five worked cases with the shipped set: the arithmetic shown, and each figure recomputed from its factors alone."""

import math
import re

import pytest

from offgridflow.domain.model import Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.methodology.explain import explain
from offgridflow.methodology.recipe import Recipe

FACTORS = load()
JUNE = Month(2023, 6)
GIB = 1.073741824


def _sku(provider: str, service: str, meter: str, unit: str, region: str) -> Sku:
    return Sku(provider, service, None, None, meter, None, unit, region, None, SkuAttributes())


CASES: dict[str, tuple[Sku, float]] = {
    "machine": (_sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs", "us-east-1"), 1.0),
    "storage": (_sku("aws", "AmazonS3", "EU-TimedStorage-ByteHrs", "GB-Mo", "eu-west-1"), 1000.0),
    "egress": (
        _sku("gcp", "Compute Engine", "Network Internet Data Transfer Out from Iowa", "gibibyte", "us-central1"),
        1024.0,
    ),
    "function": (_sku("aws", "AWSLambda", "Lambda-GB-Second", "Lambda-GB-Second", "us-east-1"), 1e6),
    "virtual machine": (_sku("azure", "Virtual Machines", "Dsv5 Series - D4s v5", "1 Hour", "westeurope"), 1.0),
}


class Book:
    """The factors of one rate by kind; the arithmetic below may use no other number."""

    def __init__(self, rate: Rate) -> None:
        self.kinds = {FACTORS.factor(each).kind: FACTORS.factor(each) for each in rate.factor_ids}
        self.keys = {FACTORS.factor(each).key: FACTORS.factor(each).central for each in rate.factor_ids}

    def of(self, kind: str) -> float:
        """Return the central value of the one factor of a kind."""
        return self.kinds[kind].central

    def __getitem__(self, key: str) -> float:
        return self.keys[key]

    def spec_watts(self, threads: float, memory_gib: float, memory_per_thread: float) -> float:
        """Return the low case: SPECpower watts at the load, and memory beyond what the measured machine had."""
        cpu = self.kinds["processor"]
        at_load = cpu.low + self["utilisation"] * (cpu.high - cpu.low)
        return threads * at_load + self["memory_w_per_gb"] * (memory_gib - memory_per_thread * threads)

    def server_kg(self, share: float, sockets: float, memory_gib: float) -> float:
        """Return embodied kilograms: the share of the server without its memory, and the machine's memory."""
        server = self["server_base_kgco2e"] + self["extra_socket_kgco2e"] * (sockets - 1)
        server -= self["dram_in_base_gb"] * self["dram_kgco2e_per_gb"]
        return share * server + memory_gib * self["dram_kgco2e_per_gb"]

    def operational(self, it_kwh: float) -> float:
        """Return kgCO2e of IT energy: overhead, PUE, delivered lifecycle intensity."""
        return it_kwh * self["overhead"] * self.of("pue") * self.of("grid_lifecycle")

    def per_hour(self, kg: float) -> float:
        """Return the embodied kilograms that an hour carries."""
        return kg * self["embodied_scale"] / self["embodied_lifetime_hours"]


def _central(name: str) -> tuple[Rate, Book, float]:
    sku, quantity = CASES[name]
    made = explain(sku, JUNE, FACTORS, Recipe()).rate
    assert made.reason is None, made
    return made, Book(made), quantity


def check_figures(made: Rate, quantity: float, operational: float, embodied: float) -> None:
    assert made.operational_location_kgco2e is not None
    assert made.embodied_kgco2e is not None
    assert made.operational_location_kgco2e * quantity == pytest.approx(operational, rel=1e-9)
    assert made.embodied_kgco2e * quantity == pytest.approx(embodied, rel=1e-9)
    assert made.total_kgco2e is not None
    assert made.total_kgco2e.central * quantity == pytest.approx(operational + embodied, rel=1e-9)


def test_an_hour_of_m5_large() -> None:
    """sqrt(S x T) watts of 2 Skylake threads and 8 GiB; 2/96 of a two-socket server and 8 GiB of memory."""
    made, book, quantity = _central("machine")
    spec = book.spec_watts(2, 8, 3.4286 / 2)
    assert spec == pytest.approx(6.4407, abs=2e-4)
    watts = math.sqrt(book.spec_watts(2, 8, FACTORS_MEMORY["Skylake"]) * book.of("teads"))
    check_figures(made, quantity, book.operational(watts / 1000), book.per_hour(book.server_kg(2 / 96, 2, 8)))


FACTORS_MEMORY = {
    name: found.memory_gb_per_thread
    for name in ("Skylake", "Ice Lake", "x86")
    if (found := FACTORS.processor(name)) is not None
}
"""GB per thread that the measured machines had; a property of the processor, beside its watts."""


def test_a_thousand_gb_months_of_s3() -> None:
    """1,000 x 2^30 bytes, three copies on disk, every hour of a June of 720 hours."""
    made, book, quantity = _central("storage")
    tb_hours = 1000 * GIB / 1000 * 720
    it_kwh = tb_hours * book["hdd_wh_per_tbh"] * book["aws.s3"] / 1000
    assert it_kwh == pytest.approx(1.507534, abs=5e-7)
    check_figures(
        made, quantity, book.operational(it_kwh), book.per_hour(tb_hours * book["aws.s3"] * book["hdd_kgco2e_per_tb"])
    )


def test_a_tebibyte_of_egress() -> None:
    """1,024 GiB are 1,099.5 GB; the network's own hardware is not in the boundary."""
    made, book, quantity = _central("egress")
    gb = 1024 * GIB
    assert gb * book["network_kwh_per_gb.internet_egress"] * 1.11 == pytest.approx(1.220458, abs=5e-7)
    check_figures(made, quantity, book.operational(gb * book["network_kwh_per_gb.internet_egress"]), 0.0)


def test_a_million_gb_seconds_of_functions() -> None:
    """1,024 MB carry 1,024/1,769 vCPU of an unknown x86 and their own memory, which counts once."""
    made, book, quantity = _central("function")
    hours = 1e6 / 3600
    vcpu_hours = hours * 1024 / book["lambda_mb_per_vcpu"]
    ratio, memory = book["power_central_ratio"], book["memory_w_per_gb"]
    it_kwh = ratio * (vcpu_hours * book.spec_watts(1, 0, FACTORS_MEMORY["x86"]) + hours * memory) / 1000
    host, sockets = book["default_host_vcpu"], book["default_host_sockets"]
    kg = vcpu_hours * book.server_kg(1 / host, sockets, 0) + hours * book["dram_kgco2e_per_gb"]
    check_figures(made, quantity, book.operational(it_kwh), book.per_hour(kg))


def test_an_hour_of_d4s_v5() -> None:
    """1.35 x S watts of 4 Ice Lake threads and 16 GiB; 4/128 of a two-socket server and 16 GiB of memory."""
    made, book, quantity = _central("virtual machine")
    spec = book.spec_watts(4, 16, FACTORS_MEMORY["Ice Lake"])
    assert spec == pytest.approx(13.8092, abs=5e-5)
    it_kwh = spec * book["power_central_ratio"] / 1000
    check_figures(made, quantity, book.operational(it_kwh), book.per_hour(book.server_kg(4 / 128, 2, 16)))


@pytest.mark.parametrize("name", CASES)
def test_the_steps_are_plain_arithmetic_that_ends_in_the_figures(name: str) -> None:
    """Every step is numbers and + - * / ( ) sqrt min max, names its unit, and the last total is the rate's."""
    sku, _ = CASES[name]
    shown = explain(sku, JUNE, FACTORS, Recipe())
    assert shown.steps
    for step in shown.steps:
        assert re.fullmatch(r"[-+*/(),.\s\deE]*(?:(?:sqrt|min|max)[-+*/(),.\s\deE]*)*", step.expression), step
        assert step.unit
    total = next(step for step in shown.steps if step.name == "total_kgco2e")
    assert shown.rate.total_kgco2e is not None
    assert total.value == shown.rate.total_kgco2e.central
    assert {each.factor_id for each in shown.factors} == set(shown.rate.factor_ids)
