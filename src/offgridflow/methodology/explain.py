"""Why a rate is what it is: every step as arithmetic that a person can check, every factor with its source.

Each step's expression holds numbers, ``+ - * / ( )``, ``sqrt``, ``min`` and ``max`` only, and evaluates to the step's
value (to rounding in the last digits); the last steps are the figures of the rate itself, exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from offgridflow.domain.model import Rate, Sku, Span, Step
from offgridflow.domain.periods import Month
from offgridflow.factors.model import Factor, FactorSet
from offgridflow.methodology import ccf_constants
from offgridflow.methodology.coefficients import NETWORK, Settings
from offgridflow.methodology.compute import Watts
from offgridflow.methodology.demand import NotRated, Storage, Tokens, Transfer
from offgridflow.methodology.pieces import Origin, Piece
from offgridflow.methodology.rating import rater_of
from offgridflow.methodology.reading import Part, Reading
from offgridflow.methodology.recipe import Recipe

KWH: Final = "kWh"
KG: Final = "kgCO2e"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rate with its steps, the factors that it used, and the detail of a refusal (empty where it was rated)."""

    rate: Rate
    detail: str
    steps: tuple[Step, ...]
    factors: tuple[Factor, ...]


def explain(sku: Sku, period: Month, factors: FactorSet, recipe: Recipe) -> Explanation:
    """Return the rate of a SKU in a month with the arithmetic that leads to it."""
    rater = rater_of(factors, recipe)
    made = rater(sku, period)
    reading = rater.reader.read(sku, period)
    if isinstance(reading, NotRated):
        return Explanation(made, reading.detail, (), ())
    used = tuple(factor_of(each, factors) for each in made.factor_ids)
    if made.total_kgco2e is None:
        return Explanation(made, "a figure leaves its physical bounds or is not finite", (), used)
    settings = rater.reader.settings
    steps = [*_piece_steps(reading, settings), *_part_steps(reading, settings), *_figure_steps(made)]
    return Explanation(made, "", tuple(steps), used)


def factor_of(factor_id: str, factors: FactorSet) -> Factor:
    """Return a factor by id, of the set or of the ccf profile; KeyError where neither has it."""
    found = ccf_constants.FACTORS.get(factor_id)
    return factors.factor(factor_id) if found is None else found


def _sum_of(values: Iterable[float]) -> str:
    return " + ".join(repr(value) for value in values) or "0.0"


# hardware -----------------------------------------------------------------------------------------------------------


def _piece_steps(reading: Reading, settings: Settings) -> list[Step]:
    steps: list[Step] = []
    for piece in reading.pieces:
        if piece.origin is None:
            continue
        if piece.origin.hardware is not None:
            steps += _running_steps(piece, piece.origin, settings)
        else:
            steps += _stored_or_moved_steps(piece, piece.origin, settings)
    return steps


def _running_steps(piece: Piece, origin: Origin, settings: Settings) -> list[Step]:
    hardware = origin.hardware
    if hardware is None:
        return []
    watts = hardware.watts
    load = 0.0 if watts.idle else settings.utilisation.central
    memory = settings.memory_w_per_gb.central
    drawn = watts.at(watts.ratios[1], load, memory)
    share = settings.per_hour.central
    return [
        *_watts_steps(origin.name, watts, load, memory, hardware.factor_ids),
        Step(f"IT energy of {origin.name}", f"{drawn!r} / 1000 * {origin.hours!r}", piece.energy_kwh.central, KWH),
        Step(f"embodied of {origin.name}, whole life", hardware.life_text, hardware.life_kg, KG, hardware.factor_ids),
        Step(
            f"embodied of {origin.name}",
            f"{hardware.life_kg!r} * {share!r} * {origin.hours!r}",
            piece.embodied_kg.central,
            KG,
            (settings.ids["embodied_scale"], settings.ids["lifetime"]),
        ),
    ]


def _watts_steps(name: str, watts: Watts, load: float, memory: float, ids: tuple[str, ...]) -> list[Step]:
    """SPECpower watts (the low case), then the ratio to the central case, then accelerators."""
    cpu = watts.threads * (watts.idle_w + load * (watts.max_w - watts.idle_w))
    beyond = memory * watts.extra_gb
    cpu_ratio, memory_ratio, card_ratio = watts.ratios[1]
    central = watts.at(watts.ratios[1], load, memory)
    text = f"{watts.threads!r} * ({watts.idle_w!r} + {load!r} * ({watts.max_w!r} - {watts.idle_w!r}))"
    steps = [
        Step(f"SPECpower watts of {name}", f"{text} + {memory!r} * {watts.extra_gb!r}", cpu + beyond, "W", ids),
    ]
    combined = f"max({cpu_ratio!r} * {cpu!r} + {memory_ratio!r} * {beyond!r}, 0)"
    if watts.gpu_count:
        linear = f"{watts.gpu_idle_w!r} + {load!r} * ({watts.gpu_tdp_w!r} - {watts.gpu_idle_w!r})"
        combined += f" + {watts.gpu_count!r} * min({watts.gpu_tdp_w!r}, {card_ratio!r} * ({linear}))"
    return [*steps, Step(f"central watts of {name}", combined, central, "W", ids)]


def _stored_or_moved_steps(piece: Piece, origin: Origin, settings: Settings) -> list[Step]:
    component = origin.component
    energy, kg = piece.energy_kwh.central, piece.embodied_kg.central
    if isinstance(component, Storage):
        copies = component.copies_paired if piece.paired and component.copies_paired else component.copies
        each, life = settings.wh_per_tbh[component.medium], settings.storage_kg_per_tb[component.medium]
        kept = f"{component.tb_hours!r} * {copies.central!r}"
        return [
            Step("IT energy of storage", f"{kept} * {each.central!r} / 1000", energy, KWH, piece.factor_ids),
            Step("embodied of storage", f"{kept} * {life!r} * {settings.per_hour.central!r}", kg, KG, piece.factor_ids),
        ]
    if isinstance(component, Transfer):
        factor = settings.kwh_per_gb[component.kind].central
        ids = (settings.ids[NETWORK + component.kind],)
        return [Step(f"IT energy of {component.kind}", f"{component.gb!r} * {factor!r}", energy, KWH, ids)]
    if isinstance(component, Tokens):
        return _token_steps(component, piece, settings)
    return []


def _token_steps(component: Tokens, piece: Piece, settings: Settings) -> list[Step]:
    share = settings.input_token_share.central
    weighed = component.output_tokens + share * component.input_tokens
    thousands = weighed / 1000
    text = f"({component.output_tokens!r} + {share!r} * {component.input_tokens!r}) / 1000"
    energy, kg = piece.energy_kwh.central, piece.embodied_kg.central
    steps = [Step("thousands of output tokens", text, thousands, "1000 tokens", (settings.ids["input_share"],))]
    for name, value, unit in (("IT energy of tokens", energy, KWH), ("embodied of tokens", kg, KG)):
        each = value / thousands if thousands else 0.0
        steps.append(Step(name, f"{thousands!r} * {each!r}", value, unit, piece.factor_ids))
    return steps


# places -------------------------------------------------------------------------------------------------------------


def _part_steps(reading: Reading, settings: Settings) -> list[Step]:
    steps: list[Step] = []
    for part in reading.parts:
        steps += _one_part(part, reading, settings)
    return steps


def _one_part(part: Part, reading: Reading, settings: Settings) -> list[Step]:
    site, it_kwh, overhead = part.site, part.energy_kwh.central, settings.overhead.central
    paired = part is not reading.parts[0]
    own = [piece.energy_kwh.central for piece in reading.pieces if piece.paired == paired]
    metered = it_kwh * overhead * site.pue.central
    name, ids = site.region_id, site.factor_ids
    steps = [
        Step(f"IT energy in {name}", _sum_of(own), it_kwh, KWH),
        Step(f"energy at the meter in {name}", f"{it_kwh!r} * {overhead!r} * {site.pue.central!r}", metered, KWH, ids),
    ]
    kinds = (
        ("operational, lifecycle delivered", site.lifecycle.central, KG),
        ("operational, direct", site.direct, KG),
        ("operational, contract", site.contract, KG),
        ("water of electricity", site.electricity_water, "l"),
    )
    steps += [
        Step(f"{kind} in {name}", f"{metered!r} * {factor!r}", metered * factor, unit, ids)
        for kind, factor, unit in kinds
        if factor is not None
    ]
    if site.wue is not None:
        text = f"{it_kwh!r} * {overhead!r} * {site.wue!r}"
        steps.append(Step(f"water on site in {name}", text, it_kwh * overhead * site.wue, "l", ids))
    return steps


# figures ------------------------------------------------------------------------------------------------------------


def _figure_steps(rate: Rate) -> list[Step]:
    """The figures of the rate, exactly; each is named like its column."""
    steps: list[Step] = []
    _add(steps, "it_energy_kwh", rate.it_energy_kwh, KWH)
    _add(steps, "energy_kwh", rate.energy_kwh.central if rate.energy_kwh else None, KWH)
    _add(steps, "operational_direct_kgco2e", rate.operational_direct_kgco2e, KG)
    location, direct = rate.operational_location_kgco2e, rate.operational_direct_kgco2e
    if location is not None and direct is not None:
        _add(steps, "operational_upstream_kgco2e", rate.operational_upstream_kgco2e, KG, f"{location!r} - {direct!r}")
    _add(steps, "operational_location_kgco2e", location, KG)
    _add(steps, "operational_market_kgco2e", rate.operational_market_kgco2e, KG)
    _add(steps, "embodied_kgco2e", rate.embodied_kgco2e, KG)
    _add(steps, "water_l", rate.water_l, "l")
    market = rate.operational_market_kgco2e
    if market is not None:
        _add(steps, "total_market_kgco2e", rate.total_market_kgco2e, KG, f"{market!r} + {rate.embodied_kgco2e!r}")
    if rate.total_kgco2e is not None:
        steps += _range_steps(rate, rate.total_kgco2e)
    return steps


def _range_steps(rate: Rate, total: Span) -> list[Step]:
    central = total.central
    falls = [max(0.0, central - min(each.low_kgco2e, each.high_kgco2e)) for each in rate.swings]
    rises = [max(0.0, max(each.low_kgco2e, each.high_kgco2e) - central) for each in rate.swings]
    floor = rate.envelope_kgco2e[0] if rate.envelope_kgco2e else total.low
    steps: list[Step] = []
    text = f"{rate.operational_location_kgco2e!r} + {rate.embodied_kgco2e!r}"
    _add(steps, "total_kgco2e", central, KG, text)
    low = f"max({central!r} - {_root(falls)}, {floor!r})" if rate.swings else repr(total.low)
    high = f"{central!r} + {_root(rises)}" if rate.swings else repr(total.high)
    _add(steps, "total_low_kgco2e", total.low, KG, low)
    _add(steps, "total_high_kgco2e", total.high, KG, high)
    return steps


def _root(values: list[float]) -> str:
    return "sqrt(" + " + ".join(f"{value!r} * {value!r}" for value in values) + ")"


def _add(steps: list[Step], name: str, value: float | None, unit: str, expression: str | None = None) -> None:
    if value is not None:
        steps.append(Step(name, repr(value) if expression is None else expression, value, unit))
