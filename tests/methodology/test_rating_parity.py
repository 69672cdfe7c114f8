"""Parts sum to wholes, and the same hardware costs the same in every cloud (methodology.md section 7)."""

from collections import Counter, defaultdict
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import combinations

import pytest

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.factors.model import MachineType
from offgridflow.methodology import embodied
from offgridflow.methodology.demand import Component, Demand, Machine, NotRated
from offgridflow.methodology.gcp import classify
from offgridflow.methodology.pieces import Piece
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Recipe

FACTORS = load()
WORKSHOP = Rater(FACTORS, Recipe()).reader.workshop
JUNE = Month(2025, 6)
GCP = tuple(each for each in FACTORS.machines() if each.provider == "gcp")

SERIES_WORDS = {"c2": "Compute optimized", "n1": "N1 Predefined", "custom": "Custom", "m1": "Memory-optimized"}
"""How SKU names call a series that they do not name by its letters."""

ONE_SKU = {"f1": "F1 Micro", "g1": "G1 Small"}
"""Machines that have one SKU for the whole."""

WITHOUT_CORE_SKU = {
    "ct5lp": "a TPU machine is billed by its chips; its host has no SKU",
    "ct5p": "a TPU machine is billed by its chips; its host has no SKU",
    "ct6e": "a TPU machine is billed by its chips; its host has no SKU",
}
STATED_ONLY = {
    "e2-micro": "shared core: the core SKU bills 0.25 vCPU and does not say that the core is shared",
    "e2-small": "shared core: the core SKU bills 0.5 vCPU and does not say that the core is shared",
    "e2-medium": "shared core: the core SKU bills 1 vCPU and does not say that the core is shared",
    "c4-*-288": "the largest C4 sizes fill a larger host than the others share",
    "x4-*": "three sizes, three hosts",
}
"""Machines that sum only where the bill states the machine type (label ``machine_spec``), and why."""


def _pieces(component: Component, provider: str) -> tuple[Piece, ...]:
    made = WORKSHOP.pieces(component, provider)
    assert not isinstance(made, NotRated), (component, made)
    return made


def _line(meter: str, instance_type: str | None) -> tuple[Component, ...]:
    known = SkuAttributes(instance_type=instance_type)
    unit = "gibibyte hour" if "Ram" in meter else "hour"
    sku = Sku("gcp", "Compute Engine", None, None, meter, None, unit, "us-central1", None, known)
    outcome = classify(sku, JUNE, FACTORS)
    assert isinstance(outcome, Demand), (meter, outcome)
    return outcome.components


def _billed_vcpu(machine: MachineType) -> float:
    return machine.vcpu * (machine.baseline or 1.0)


def _sum_of_lines(machine: MachineType, stated: str | None) -> tuple[float, float]:
    """Return IT kWh and embodied kg of an hour of the core, the memory and the accelerator lines of a machine."""
    words = SERIES_WORDS.get(machine.family, machine.family.upper())
    lines = [
        (_line(f"{words} Instance Core running in Americas", stated), _billed_vcpu(machine)),
        (_line(f"{words} Instance Ram running in Americas", stated), machine.memory_gib),
    ]
    if machine.gpu_model:
        lines.append((_line(f"{_sold(machine.gpu_model)} GPU running in Americas", stated), machine.gpu_count))
    made = [(piece, count) for parts, count in lines for part in parts for piece in _pieces(part, "gcp")]
    energy = sum(piece.energy_kwh.central * count for piece, count in made)
    return energy, sum(piece.embodied_kg.central * count for piece, count in made)


def _sold(model: str) -> str:
    return model.replace("NVIDIA", "Nvidia").replace(" SXM", "").replace("PRO 6000", "Pro 6000")


def _whole(machine: MachineType) -> tuple[float, float]:
    """Return an hour of the machine without its local disks, which are a SKU of their own."""
    hardware = WORKSHOP.hardware_of_machine(replace(machine, ssd_tb=0.0), idle=False)
    assert not isinstance(hardware, NotRated)
    (piece,) = _pieces(Machine(machine.instance_type, 1.0), "gcp")
    return piece.energy_kwh.central, hardware.life_kg * WORKSHOP.settings.per_hour.central


def _divided(machine: MachineType) -> bool:
    return machine.family not in WITHOUT_CORE_SKU and machine.family not in ONE_SKU


def test_lines_of_every_google_machine_sum_to_the_machine() -> None:
    """Core, RAM and GPU lines that state their machine type have its energy and its embodied kilograms."""
    checked = [each for each in GCP if _divided(each)]
    for machine in checked:
        assert _sum_of_lines(machine, machine.instance_type) == pytest.approx(_whole(machine), rel=1e-9), machine
    assert len(checked) > 500


def test_lines_that_name_only_the_series_sum_too_but_for_those_listed() -> None:
    """Without a machine type the SKU's series is enough; the exceptions are exactly the list, each with a reason."""
    off = {
        machine.instance_type
        for machine in GCP
        if _divided(machine) and _sum_of_lines(machine, None) != pytest.approx(_whole(machine), rel=1e-9)
    }
    patterns = {pattern: {name for name in off if fnmatchcase(name, f"{pattern}*")} for pattern in STATED_ONLY}
    assert off == set().union(*patterns.values())
    assert all(patterns.values()), "a listed exception sums after all"


def test_every_google_series_is_summed_or_has_a_reason() -> None:
    """TPU hosts have no core SKU; F1 and G1 are one SKU, which is the machine."""
    families = {each.family for each in GCP}
    assert set(WITHOUT_CORE_SKU) | set(ONE_SKU) <= families
    for family, words in ONE_SKU.items():
        (part,) = _line(f"{words.split()[1]} Instance with burstable CPU running in Americas", None)
        assert isinstance(part, Machine)
        assert part.instance_type.startswith(family)


# clouds -------------------------------------------------------------------------------------------------------------

FAST_CLOCKS = {
    ("aws", "m5zn"): "4.5 GHz parts, measured by Teads above the generation",
    ("aws", "z1d"): "4.0 GHz parts, measured by Teads above the generation",
}
"""Families that may draw more than 10 % more than the same shape elsewhere, and why."""


def _twins() -> list[tuple[MachineType, MachineType]]:
    """Return pairs of equal vCPUs, memory, processor, threads and accelerators in two clouds.

    Burstable machines are apart (baselines differ), and whole hosts (their share is 1 by rule).
    """
    shapes: dict[object, list[MachineType]] = defaultdict(list)
    for each in FACTORS.machines():
        if each.baseline is None and not each.whole_host:
            shape = (each.vcpu, each.memory_gib, each.processor, each.threads, each.gpu_model, each.gpu_count)
            shapes[shape].append(each)
    pairs = [pair for members in shapes.values() for pair in combinations(members, 2)]
    return [(one, other) for one, other in pairs if one.provider != other.provider]


def test_twins_weigh_the_same_in_two_clouds() -> None:
    """Equal shapes have embodied kilograms within 10 %, local disks apart."""
    pairs = _twins()
    assert len(pairs) > 1_900
    for pair in pairs:
        bare = [replace(each, ssd_tb=0.0, hdd_drives=0.0) for each in pair]
        light, heavy = sorted(embodied.machine_kg(each, None, WORKSHOP.settings) for each in bare)
        assert heavy / light <= 1.1, pair


def test_twins_draw_the_same_in_two_clouds() -> None:
    """Equal shapes draw watts within 10 %, but for the families of faster clocks that are listed."""
    off: Counter[tuple[str, str]] = Counter()
    for pair in _twins():
        watts = [_pieces(Machine(each.instance_type, 1.0), each.provider)[0].energy_kwh.central for each in pair]
        if max(watts) / min(watts) > 1.1:
            hot = pair[watts.index(max(watts))]
            off[hot.provider, hot.family] += 1
    assert set(off) == set(FAST_CLOCKS)


@pytest.mark.parametrize(
    "kind",
    [
        ("aws.s3", "azure.lrs", "gcp.gcs"),
        ("aws.s3", "azure.zrs", "gcp.gcs"),
        ("aws.ebs", "azure.disk", "gcp.pd"),
        ("aws.rds", "azure.sql", "gcp.sql"),
        ("aws.rds_multi_az", "gcp.sql_ha"),
        ("aws.ebs_snapshot", "gcp.snapshot"),
        ("aws.dynamodb", "azure.cosmos", "gcp.spanner"),
    ],
    ids=lambda kind: kind[0],
)
def test_no_ranking_reverses_when_only_replication_changes(kind: tuple[str, ...]) -> None:
    """Who stores with fewer copies does so at the low, the central and the high end; ties may open, not turn."""
    found = [FACTORS.replication(key) for key in kind]
    for one, other in combinations([each for each in found if each is not None], 2):
        gaps = [one.low - other.low, one.central - other.central, one.high - other.high]
        assert min(gaps) >= 0 or max(gaps) <= 0, (one, other)
    assert None not in found
