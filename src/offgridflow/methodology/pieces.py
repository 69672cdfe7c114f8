"""From the components of a demand to IT energy (kWh) and embodied emissions (kgCO2e) per consumed unit.

Each component becomes one ``Piece``; storage that is copied to a paired region becomes two, because the second draws
on another grid. Nothing here knows a place.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Assumption, CoverageBucket, Group, Method, NotEstimatedReason
from offgridflow.domain.trace import Constant
from offgridflow.factors.model import AcceleratorType, FactorSet, MachineType, Processor
from offgridflow.methodology import compute, embodied
from offgridflow.methodology.coefficients import NETWORK, Settings
from offgridflow.methodology.compute import KW_PER_W, Watts, spread_of
from offgridflow.methodology.demand import (
    Accelerator,
    Component,
    Machine,
    Memory,
    NotRated,
    Storage,
    Tokens,
    Transfer,
    Vcpu,
)
from offgridflow.methodology.machines import Fallback, fallback_of
from offgridflow.methodology.place import factor_provider
from offgridflow.methodology.ranges import NOTHING, Spread

WH_PER_KWH: Final = Constant(1000.0, "Wh in a kWh")
PER_THOUSAND: Final = Constant(1 / 1000, "thousands in a one")
MOST_W_PER_THREAD: Final = 25.0
"""No server thread draws more at the wall, all ranges included; above it a figure is a fault, not an estimate."""


@dataclass(frozen=True, slots=True)
class Piece:
    """IT energy and embodied emissions of one component, per consumed unit; ``paired`` where in the paired region."""

    energy_kwh: Spread
    embodied_kg: Spread
    marks: tuple[Assumption, ...] = ()
    factor_ids: tuple[str, ...] = ()
    paired: bool = False
    method: Method | None = None
    bucket: CoverageBucket | None = None
    origin: "Origin | None" = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine, a vCPU, a GiB or a card: its watts, its embodied kg, and where they come from."""

    watts: Watts
    life_kg: float
    marks: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """What a vCPU shares: a processor, its threads per vCPU, and a server of so many vCPUs and sockets."""

    provider: str
    processor: str
    threads: float
    platform_vcpu: float
    sockets: float
    factor_ids: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether a machine of the catalogue told it."""
        return bool(self.factor_ids)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a piece was made of, for ``explain``: hardware that runs for ``hours``, or the component itself."""

    name: str
    hours: float = 0.0
    hardware: Hardware | None = None
    component: Component | None = None


Pieces = tuple[Piece, ...] | NotRated


class Workshop:
    """Turns components into pieces, and remembers what it made: most SKUs of a bill share a few hundred machines.

    The memory only saves work; every answer is a pure function of the factor set and the settings.
    """

    def __init__(self, factors: FactorSet, settings: Settings) -> None:
        self.factors = factors
        self.settings = settings
        self._hardware: dict[object, Hardware | NotRated] = {}
        self._per_hour: dict[object, tuple[Spread, Spread]] = {}

    def pieces(self, component: Component, provider: str) -> Pieces:
        """Return the pieces of one component, or why it has none."""
        made: Pieces
        match component:
            case Machine():
                made = self._machine(component, provider)
            case Vcpu():
                made = self._vcpu(component, provider)
            case Memory():
                made = self._memory(component)
            case Accelerator():
                made = self._accelerator(component)
            case Storage():
                made = self._storage(component)
            case Transfer():
                made = self._transfer(component)
            case Tokens():
                made = self._tokens(component, provider)
        return made

    # machines ---------------------------------------------------------------------------------------------------

    def _machine(self, wanted: Machine, provider: str) -> Pieces:
        slug = factor_provider(provider)
        machine = self.factors.machine(slug, wanted.instance_type)
        if machine is not None:
            return self._of_machine(machine, wanted, (slug, machine.instance_type, wanted.idle))
        fallback = fallback_of(wanted, slug, self.factors)
        if isinstance(fallback, NotRated):
            return fallback
        return self._of_fallback(fallback, wanted, provider)

    def _of_machine(self, machine: MachineType, wanted: Machine, key: object) -> Pieces:
        hardware = self._remember(key, lambda: self.hardware_of_machine(machine, idle=wanted.idle))
        if isinstance(hardware, NotRated):
            return hardware
        return (self._running(machine.instance_type, key, hardware, wanted.hours * wanted.copies),)

    def _of_fallback(self, fallback: Fallback, wanted: Machine, provider: str) -> Pieces:
        if fallback.machine is not None:
            made: Pieces = self._of_machine(fallback.machine, wanted, (fallback.machine, wanted.idle))
        else:
            made = ()
            for part in fallback.components:
                more = self.pieces(part, provider)
                if isinstance(more, NotRated):
                    return more
                made = (*made, *more)
        if isinstance(made, NotRated):
            return made
        return tuple(_lowered(piece, fallback) for piece in made)

    def hardware_of_machine(self, machine: MachineType, *, idle: bool) -> Hardware | NotRated:
        """Return watts, embodied kg, marks and factor ids of a catalogue machine."""
        processor = self.factors.processor(machine.processor) or self.factors.processor("unknown")
        card = self.factors.accelerator(machine.gpu_model) if machine.gpu_model else None
        if processor is None or (machine.gpu_count > 0 and card is None):
            return NotRated(NotEstimatedReason.UNKNOWN_ACCELERATOR, f"{machine.gpu_model} of {machine.instance_type}")
        watts = compute.watts_of_machine(machine, processor, card, self.settings, idle=idle)
        marks = self._machine_marks(machine, processor, card, watts)
        ids = (*machine.factor_ids, *processor.factor_ids, *(card.factor_ids if card else ()), *self._server_ids())
        ids += (*self.disk_ids(machine), *(self.settings.arm_ids if processor.is_arm else ()))
        ids += self._ids("gpu_share") if card and machine.gpu_count > 0 else ()
        return Hardware(watts, embodied.machine_kg(machine, card, self.settings), marks, ids)

    def disk_ids(self, machine: MachineType) -> tuple[str, ...]:
        """Return the factors of a machine's local disks, none where it has none."""
        held = (("ssd_embodied", machine.ssd_tb), ("hdd_drive", machine.hdd_drives))
        return self._ids(*(name for name, count in held if count))

    def _machine_marks(
        self, machine: MachineType, processor: Processor, card: AcceleratorType | None, watts: Watts
    ) -> tuple[Assumption, ...]:
        return _chosen(
            (Assumption.POWER_SPEC_AND_TEADS, compute.uses_teads(machine, processor)),
            (Assumption.POWER_SPEC_SCALED, not compute.uses_teads(machine, processor)),
            (Assumption.ARM_PROXY, processor.is_arm),
            (Assumption.POWER_PROXY_PROCESSOR, processor.is_proxy and not processor.is_arm),
            (Assumption.PROCESSOR_UNKNOWN, processor.name == "unknown"),
            (Assumption.BURSTABLE_BASELINE, machine.baseline is not None),
            (Assumption.ACCELERATOR_PROXY, card is not None and card.is_proxy),
            (Assumption.MEMORY_WITHIN_PROCESSOR_ALLOWANCE, watts.extra_gb < 0),
            (self.settings.utilisation_mark, not watts.idle),
            (Assumption.EMBODIED_ADDITIVE, True),
        )

    # parts of machines ------------------------------------------------------------------------------------------

    def _vcpu(self, wanted: Vcpu, provider: str) -> Pieces:
        host = self._host(wanted, factor_provider(provider))
        key = ("vcpu", host, wanted.memory_apart)
        hardware = self._remember(key, lambda: self.hardware_of_vcpu(wanted, host))
        if isinstance(hardware, NotRated):
            return hardware
        return (self._running("vCPU", key, hardware, wanted.vcpu_hours * wanted.copies),)

    def _host(self, wanted: Vcpu, slug: str) -> Host:
        """Return the host that a vCPU shares: that of its family, else the default one."""
        machine = self._machine_of(wanted.family, slug) if wanted.family else None
        if machine is None or machine.vcpu <= 0:
            settings = self.settings
            return Host(slug, wanted.processor or "unknown", 1.0, settings.host_vcpu, settings.host_sockets)
        threads = machine.threads / machine.vcpu
        return Host(slug, machine.processor, threads, machine.platform_vcpu, machine.sockets, machine.factor_ids[:1])

    def _machine_of(self, name: str, slug: str) -> MachineType | None:
        """Return a machine type by its name, or the largest of a family that shares its host with others."""
        found = self.factors.machine(slug, name)
        if found is not None:
            return found
        members = self.factors.family(slug, name)
        shared = [each for each in members if not each.whole_host and each.baseline is None]
        return next(reversed(shared or members), None)

    def hardware_of_vcpu(self, wanted: Vcpu, host: Host) -> Hardware | NotRated:
        """Return watts and embodied kg of one vCPU; its share of memory goes along where no other line has it."""
        processor = self.factors.processor(host.processor) or self.factors.processor("unknown")
        if processor is None:
            return NotRated(NotEstimatedReason.NO_FACTOR, f"processor {host.processor}")
        settings = self.settings
        watts = compute.watts_of_vcpu(processor, settings, host.threads, memory_apart=wanted.memory_apart)
        shared = embodied.vcpu_kg(1.0, host.platform_vcpu, host.sockets, settings)
        gib = 0.0 if wanted.memory_apart else processor.memory_gb_per_thread * host.threads
        marks = _chosen(
            (Assumption.POWER_SPEC_SCALED, True),
            (Assumption.ARM_PROXY, processor.is_arm),
            (Assumption.POWER_PROXY_PROCESSOR, processor.is_proxy and not processor.is_arm),
            (Assumption.PROCESSOR_UNKNOWN, processor.name in {"unknown", "x86", "arm"}),
            (Assumption.MEMORY_WITHIN_PROCESSOR_ALLOWANCE, not wanted.memory_apart),
            (settings.utilisation_mark, True),
            (Assumption.EMBODIED_ADDITIVE, host.known),
            (Assumption.EMBODIED_PLATFORM_UNKNOWN, not host.known),
        )
        ids = (*processor.factor_ids, *self._server_ids(), *(host.factor_ids or self._ids("host_vcpu", "host_sockets")))
        ids += settings.arm_ids if processor.is_arm else ()
        return Hardware(watts, shared + embodied.memory_kg(gib, settings), marks, ids)

    def _memory(self, wanted: Memory) -> Pieces:
        hardware = self._remember("memory", self.hardware_of_memory)
        if isinstance(hardware, NotRated):
            return hardware
        return (self._running("GiB of memory", "memory", hardware, wanted.gib_hours * wanted.copies),)

    def hardware_of_memory(self) -> Hardware:
        """Return watts and embodied kg of one GiB."""
        ids = self._ids("memory", "power_ratio", "dram", "embodied_scale", "lifetime")
        marks = (Assumption.POWER_SPEC_SCALED, Assumption.EMBODIED_ADDITIVE)
        return Hardware(compute.watts_of_memory(self.settings), self.settings.dram_kg_per_gib, marks, ids)

    def _accelerator(self, wanted: Accelerator) -> Pieces:
        key = ("card", wanted.model)
        hardware = self._remember(key, lambda: self.hardware_of_card(wanted.model))
        if isinstance(hardware, NotRated):
            return hardware
        return (self._running(wanted.model, key, hardware, wanted.accelerator_hours),)

    def hardware_of_card(self, model: str) -> Hardware | NotRated:
        """Return watts and embodied kg of one accelerator card."""
        card = self.factors.accelerator(model)
        if card is None:
            return NotRated(NotEstimatedReason.UNKNOWN_ACCELERATOR, model)
        marks = _chosen((Assumption.ACCELERATOR_PROXY, card.is_proxy), (self.settings.utilisation_mark, True))
        ids = (*card.factor_ids, *self._ids("gpu_share", "utilisation", "embodied_scale", "lifetime"))
        return Hardware(compute.watts_of_card(card, self.settings), card.embodied_kgco2e, marks, ids)

    # storage, network, models -----------------------------------------------------------------------------------

    def _storage(self, wanted: Storage) -> Pieces:
        if wanted.medium not in self.settings.wh_per_tbh:
            return NotRated(NotEstimatedReason.UNKNOWN_METER, f"storage medium {wanted.medium}")
        made = (self._stored(wanted, wanted.copies, paired=False),)
        if wanted.copies_paired is None:
            return made
        return (*made, self._stored(wanted, wanted.copies_paired, paired=True))

    def _stored(self, wanted: Storage, copies: Span, *, paired: bool) -> Piece:
        """Energy ``TBh x Wh/TBh x copies``; the copies are part of the storage group, in energy and in embodied."""
        settings, hours = self.settings, wanted.tb_hours
        watt_hours = settings.wh_per_tbh[wanted.medium]
        energy = Spread.of(Group.STORAGE, _product(watt_hours, copies).scaled(hours / WH_PER_KWH))
        kg_hours = settings.storage_kg_per_tb[wanted.medium] * hours
        kept = "ssd_embodied" if wanted.medium == "ssd" else "hdd_embodied"
        ids = self._ids(wanted.medium, kept, "embodied_scale", "lifetime")
        origin = Origin("storage", component=wanted)
        return Piece(energy, self._lived(kg_hours, copies), (), ids, paired=paired, origin=origin)

    def _lived(self, kg_hours: float, copies: Span) -> Spread:
        """Return embodied kg over the groups storage (copies) and embodied (multiplier and lifetime)."""
        share = self.settings.per_hour
        central = kg_hours * copies.central * share.central
        by_copies = Span(copies.low, copies.central, copies.high).scaled(kg_hours * share.central)
        by_life = share.scaled(kg_hours * copies.central)
        return Spread(
            central,
            kg_hours * copies.low * share.low,
            kg_hours * copies.high * share.high,
            {
                Group.STORAGE: (by_copies.low - central, by_copies.high - central),
                Group.EMBODIED: (by_life.low - central, by_life.high - central),
            },
        )

    def _transfer(self, wanted: Transfer) -> Pieces:
        each = self.settings.kwh_per_gb.get(wanted.kind)
        if each is None:
            return NotRated(NotEstimatedReason.UNKNOWN_METER, f"transfer kind {wanted.kind}")
        ids = self._ids(NETWORK + wanted.kind)
        origin = Origin("transfer", component=wanted)
        return (Piece(Spread.of(Group.NETWORK, each.scaled(wanted.gb)), NOTHING, (), ids, origin=origin),)

    def _tokens(self, wanted: Tokens, provider: str) -> Pieces:
        model = self.factors.ai_model(factor_provider(provider), wanted.model) if wanted.model else None
        if model is None:
            return NotRated(NotEstimatedReason.UNKNOWN_AI_MODEL, wanted.model or "model not named")
        share = self.settings.input_token_share
        weighed = [wanted.output_tokens + each * wanted.input_tokens for each in (share.low, share.central, share.high)]
        thousands = Span(*weighed).scaled(PER_THOUSAND)
        energy = Spread.of(Group.AI, _product(model.it_kwh_per_1k_output_tokens, thousands))
        kg = model.embodied_kgco2e_per_1k_output_tokens
        embodied_kg = Spread.of(Group.AI, thousands.scaled(kg))
        marks = _chosen((Assumption.AI_ARCHITECTURE_GUESSED, not model.architecture_disclosed))
        ids = (*model.factor_ids, *self._ids("input_share"))
        return (Piece(energy, embodied_kg, marks, ids, origin=Origin(model.model, component=wanted)),)

    # shared -----------------------------------------------------------------------------------------------------

    def _running(self, name: str, key: object, hardware: Hardware, hours: float) -> Piece:
        """Return the piece of hardware that runs for ``hours``."""
        per_hour = self._per_hour.get(key)
        if per_hour is None:
            energy = spread_of(hardware.watts, self.settings).scaled(KW_PER_W)
            per_hour = (energy, Spread.of(Group.EMBODIED, self.settings.per_hour.scaled(hardware.life_kg)))
            self._per_hour[key] = per_hour
        energy, kg = per_hour
        origin = Origin(name, hours, hardware)
        return Piece(energy.scaled(hours), kg.scaled(hours), hardware.marks, hardware.factor_ids, origin=origin)

    def _remember(self, key: object, make: Callable[[], Hardware | NotRated]) -> Hardware | NotRated:
        found = self._hardware.get(key)
        if found is None:
            found = make()
            if not isinstance(found, NotRated) and _too_hot(found.watts):
                found = NotRated(NotEstimatedReason.OUT_OF_BOUNDS, f"{key}: over {MOST_W_PER_THREAD} W per thread")
            self._hardware[key] = found
        return found

    def _server_ids(self) -> tuple[str, ...]:
        names = ("utilisation", "power_ratio", "memory", "server", "socket", "dram", "dram_included")
        return self._ids(*names, "embodied_scale", "lifetime")

    def _ids(self, *names: str) -> tuple[str, ...]:
        both = ("lifetime_4y",) if self.settings.short_life and "lifetime" in names else ()
        return tuple(self.settings.ids[name] for name in (*names, *both))


def _too_hot(watts: Watts) -> bool:
    return watts.threads > 0 and not watts.max_w * watts.cpu_ratio.high <= MOST_W_PER_THREAD


def _chosen(*marks: tuple[Assumption, bool]) -> tuple[Assumption, ...]:
    return tuple(mark for mark, holds in marks if holds)


def _product(one: Span, other: Span) -> Span:
    """Return the span of a product whose two factors move together (one group)."""
    return Span(one.low * other.low, one.central * other.central, one.high * other.high)


def _lowered(piece: Piece, fallback: Fallback) -> Piece:
    marks, ids = (*fallback.marks, *piece.marks), (*fallback.factor_ids, *piece.factor_ids)
    return replace(piece, marks=marks, factor_ids=ids, method=fallback.method, bucket=fallback.bucket)
