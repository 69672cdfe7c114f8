"""A factor set that answers what classifiers ask, with the round numbers that a test gives it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import pytest

from offgridflow.domain.model import Span
from offgridflow.factors import load
from offgridflow.factors.catalogue import Catalogue
from offgridflow.factors.model import AcceleratorType, AiModel, Factor, FactorSet, MachineType, Size

Named = tuple[str, str]
"""A provider's slug and a name of its own, as the classifier asks for it."""


@lru_cache(maxsize=1)
def shipped() -> Catalogue:
    """Return the shipped factor set, which has the sizes of units for every test."""
    return load()


def machine_type(named: Named, vcpu: float, processor: str, *, whole: bool = False) -> MachineType:
    """Return a machine of 4 GiB per vCPU on a host of 96 vCPUs; its family is the name before the first dot or dash."""
    provider, name = named
    return MachineType(
        provider=provider,
        instance_type=name,
        family=name.replace("-", ".").partition(".")[0],
        vcpu=vcpu,
        memory_gib=4 * vcpu,
        threads=vcpu,
        processor=processor,
        gpu_model=None,
        gpu_count=0,
        ssd_tb=0,
        hdd_drives=0,
        platform_vcpu=96,
        sockets=2,
        whole_host=whole,
        baseline=None,
        teads_w_50pct=None,
        teads_w_idle=None,
        factor_ids=(),
    )


@dataclass(frozen=True, slots=True)
class _FewFactors:
    copies: Mapping[str, Span]
    coefficients: Mapping[str, float]
    machines: Callable[[str, str], MachineType | None]
    families: Mapping[Named, tuple[MachineType, ...]]
    cards: Collection[str]
    disks: Mapping[Named, tuple[float, str]]
    models: Callable[[str, str], bool]
    medians: Mapping[Named, float] = field(default_factory=dict)
    sizes: bool = True

    def size(self, key: str) -> Size | None:
        return shipped().size(key) if self.sizes else None

    def machine(self, provider: str, instance_type: str) -> MachineType | None:
        return self.machines(provider, instance_type)

    def family(self, provider: str, family: str) -> tuple[MachineType, ...]:
        return self.families.get((provider, family), ())

    def accelerator(self, model: str) -> AcceleratorType | None:
        if model not in self.cards:
            return None
        return AcceleratorType(model, 8.0, 70.0, 160.0, is_proxy=False, factor_ids=())

    def disk_gib(self, provider: str, code: str) -> tuple[float, str] | None:
        return self.disks.get((provider, code))

    def replication(self, key: str) -> Factor | None:
        copies = self.copies.get(key)
        return None if copies is None else _factor(key, copies)

    def coefficient(self, key: str) -> Factor:
        return _factor(key, Span.exactly(self.coefficients[key]))

    def ai_model(self, provider: str, model: str) -> AiModel | None:
        if not self.models(provider, model):
            return None
        return AiModel(provider, model, Span.exactly(1e-4), 1e-6, architecture_disclosed=True, factor_ids=())

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:
        median = self.medians.get((provider, service))
        return None if median is None else _factor(service, Span.exactly(median))


def few_factors(  # noqa: PLR0913  one keyword for each thing that a classifier looks up
    *,
    copies: Mapping[str, Span],
    coefficients: Mapping[str, float] | None = None,
    machines: Callable[[str, str], MachineType | None] = lambda _provider, _name: None,
    families: Mapping[Named, tuple[MachineType, ...]] | None = None,
    cards: Collection[str] = (),
    disks: Mapping[Named, tuple[float, str]] | None = None,
    models: Callable[[str, str], bool] = lambda _provider, _name: False,
    medians: Mapping[Named, float] | None = None,
    sizes: bool = True,
) -> FactorSet:
    """Return a factor set for classification alone: what is not given is not known; ``sizes`` of units are the shipped.

    Without them no unit has a size.
    """
    asked = _FewFactors(
        copies, coefficients or {}, machines, families or {}, cards, disks or {}, models, medians or {}, sizes
    )
    return cast("FactorSet", asked)


def near(value: float) -> float:
    """Return a float that is equal to any within a millionth: components are compared whole."""
    return cast("float", pytest.approx(value))


def _factor(key: str, span: Span) -> Factor:
    values = (span.low, span.central, span.high)
    return Factor(key, "test", key, *values, "", "none", "read", "t", "t", "t", "t", None, None)
