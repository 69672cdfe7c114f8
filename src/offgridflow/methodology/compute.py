"""Watts of machines, vCPUs, memory and accelerators (methodology.md sections 2 and 3). IT energy, before PUE.

``W = ratio x (threads x (idle + u (max - idle)) + W/GB x GB beyond what SPECpower machines have) + accelerators``

The SPECpower set S is the low end; the ratio leads to the central and high end: sqrt(S x T) and T where Teads measured
the type, else 1.35 and 1.81. It lies on S as a whole, memory included, because S/T compares whole machines; so the
parts of a machine that are metered apart (vCPU and memory of Google) sum to the whole machine.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Group
from offgridflow.domain.trace import Constant, TermKind, most, root
from offgridflow.factors.model import AcceleratorType, MachineType, Processor
from offgridflow.methodology.coefficients import HALF, Settings
from offgridflow.methodology.ranges import Move, Spread

KW_PER_W: Final = Constant(1 / 1000, "kW in a W")
_NOTHING: Final = Constant(0.0, "watts are never below nothing", TermKind.METHOD)

ONE: Final = Span(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Watts:
    """What the watts of one piece of hardware are made of.

    ``threads`` are effective hardware threads (baseline of burstable machines included); ``extra_gb`` memory beyond the
    processor's allowance, negative where the memory is metered apart or smaller; ``cpu_ratio`` and ``memory_ratio``
    lead from the SPECpower set to low, central and high. Accelerators: count, idle and TDP watts of one.
    ``idle`` means reserved and unused: no load, and no range of load.
    """

    threads: float
    idle_w: float
    max_w: float
    extra_gb: float
    cpu_ratio: Span
    memory_ratio: Span
    gpu_count: float = 0.0
    gpu_idle_w: float = 0.0
    gpu_tdp_w: float = 0.0
    gpu_ratio: Span = ONE
    idle: bool = False

    def at(self, ratios: tuple[float, float, float], load: float, memory_w_per_gb: float) -> float:
        """Return watts for (processor, memory, accelerator) ratios, a load (0..1) and watts per GB."""
        processor = memory = 0.0
        if self.threads:
            processor = ratios[0] * self.threads * (self.idle_w + load * (self.max_w - self.idle_w))
        if self.extra_gb:
            memory = ratios[1] * memory_w_per_gb * self.extra_gb
        watts = _at_least_nothing(processor + memory)
        if not self.gpu_count:
            return watts
        card = min(self.gpu_tdp_w, ratios[2] * (self.gpu_idle_w + load * (self.gpu_tdp_w - self.gpu_idle_w)))
        return watts + self.gpu_count * card

    @cached_property
    def ratios(self) -> tuple[tuple[float, float, float], ...]:
        """The ratios of the low, the central and the high case."""
        spans = (self.cpu_ratio, self.memory_ratio, self.gpu_ratio)
        low, central, high = zip(*((each.low, each.central, each.high) for each in spans), strict=True)
        return low, central, high


def _at_least_nothing(watts: float) -> float:
    """Return watts, or 0 where the memory that is taken off draws more than the processor."""
    return watts if watts >= 0 else most(watts, _NOTHING)


def spread_of(watts: Watts, settings: Settings) -> Spread:
    """Return the spread of watts over the groups power, utilisation and memory."""
    low, central, high = watts.ratios
    load = Span.exactly(0.0) if watts.idle else settings.utilisation
    memory = settings.memory_w_per_gb
    middle = watts.at(central, load.central, memory.central)
    ends: dict[Group, Move] = {
        Group.POWER: (watts.at(low, load.central, memory.central), watts.at(high, load.central, memory.central))
    }
    if load.low != load.high:
        ends[Group.UTILISATION] = (
            watts.at(central, load.low, memory.central),
            watts.at(central, load.high, memory.central),
        )
    if watts.extra_gb:
        ends[Group.MEMORY] = (
            watts.at(central, load.central, memory.low),
            watts.at(central, load.central, memory.high),
        )
    moves = {group: (end[0] - middle, end[1] - middle) for group, end in ends.items()}
    least, most = (memory.low, memory.high) if watts.extra_gb >= 0 else (memory.high, memory.low)
    floor = min(watts.at(low, load.low, least), middle)
    return Spread(middle, floor, max(watts.at(high, load.high, most), middle), moves)


def watts_of_machine(
    machine: MachineType, processor: Processor, card: AcceleratorType | None, settings: Settings, *, idle: bool = False
) -> Watts:
    """Return the watts of a catalogue machine; a burstable one counts its baseline over 50 % of its threads."""
    threads = machine.threads * (1.0 if machine.baseline is None else machine.baseline / HALF)
    extra = machine.memory_gib - processor.memory_gb_per_thread * threads
    plain = Watts(
        threads,
        processor.idle_w_per_thread,
        processor.max_w_per_thread,
        extra,
        settings.arm_ratio if processor.is_arm else settings.power_ratio,
        settings.power_ratio,
        idle=idle,
    )
    if card is not None and machine.gpu_count > 0:
        return _with_cards(plain, card, machine.gpu_count, settings)
    measured = machine.teads_w_idle if idle else machine.teads_w_50pct
    if measured is None or not uses_teads(machine, processor):
        return plain
    ratio = _ratio_to(measured, plain, settings)
    return plain if ratio is None else _with_ratio(plain, ratio)


def uses_teads(machine: MachineType, processor: Processor) -> bool:
    """Return whether the Teads watts of a type enter: not for Arm (one proxy), burstable or accelerated machines."""
    comparable = machine.baseline is None and machine.gpu_count == 0 and not processor.is_arm
    return comparable and machine.teads_w_50pct is not None


def _ratio_to(measured: float, plain: Watts, settings: Settings) -> Span | None:
    """Return the ratio from S to S, sqrt(S x T) and T (in ascending order, should T be the smaller one)."""
    ours = plain.at((1.0, 1.0, 1.0), 0.0 if plain.idle else HALF, settings.memory_w_per_gb.central)
    if ours <= 0 or measured <= 0:
        return None
    ratio = measured / ours
    return Span(min(1.0, ratio), root(ratio), max(1.0, ratio))


def _with_ratio(plain: Watts, ratio: Span) -> Watts:
    return Watts(plain.threads, plain.idle_w, plain.max_w, plain.extra_gb, ratio, ratio, idle=plain.idle)


def _with_cards(plain: Watts, card: AcceleratorType, count: float, settings: Settings) -> Watts:
    return Watts(
        plain.threads,
        plain.idle_w,
        plain.max_w,
        plain.extra_gb,
        plain.cpu_ratio,
        plain.memory_ratio,
        count,
        card.idle_w,
        card.tdp_w,
        card_ratio(card, settings),
        plain.idle,
    )


def card_ratio(card: AcceleratorType, settings: Settings) -> Span:
    """Return the ratio from linear watts at 50 % to themselves, to 0.75 TDP and to TDP."""
    linear = (card.idle_w + card.tdp_w) * HALF
    if linear <= 0:
        return Span.exactly(1.0)
    central = max(1.0, settings.gpu_tdp_share * card.tdp_w / linear)
    return Span(1.0, central, max(central, card.tdp_w / linear))


def watts_of_vcpu(processor: Processor, settings: Settings, threads: float, *, memory_apart: bool) -> Watts:
    """Return the watts of one vCPU of so many hardware threads.

    The memory that SPECpower machines have is taken off where it is metered apart.
    """
    return Watts(
        threads,
        processor.idle_w_per_thread,
        processor.max_w_per_thread,
        -processor.memory_gb_per_thread * threads if memory_apart else 0.0,
        settings.arm_ratio if processor.is_arm else settings.power_ratio,
        settings.power_ratio,
    )


def watts_of_memory(settings: Settings) -> Watts:
    """Return the watts of one GiB of memory that is metered apart from vCPUs."""
    return Watts(0.0, 0.0, 0.0, 1.0, settings.power_ratio, settings.power_ratio)


def watts_of_card(card: AcceleratorType, settings: Settings) -> Watts:
    """Return the watts of one accelerator card."""
    return Watts(0.0, 0.0, 0.0, 0.0, ONE, ONE, 1.0, card.idle_w, card.tdp_w, card_ratio(card, settings))
