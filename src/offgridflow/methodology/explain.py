"""Why a rate is what it is: every step as arithmetic that a person can check, and for every number where it comes from.

The SKU is read once more with numbers that remember how they were made (``domain.trace``), so a step is the arithmetic
that ran, not a second telling of it. Each step's expression holds numbers, ``+ - * / ( )``, ``sqrt``, ``min`` and
``max`` only, and evaluates to the step's value (to rounding in the last digits); its terms say of each number, in
order, whether it is the result of an earlier step, a coefficient, a conversion, a rule of the method, a setting of the
user's or a number of the bill. The steps named like columns are the figures of the rate itself, exactly.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from offgridflow.domain.model import Rate, Sku, Step, Term
from offgridflow.domain.periods import Period
from offgridflow.domain.reasons import Group
from offgridflow.domain.trace import Leaf, Node, TermKind, node_of, recording
from offgridflow.factors.model import Factor, FactorSet
from offgridflow.methodology import ccf, ccf_constants
from offgridflow.methodology.coefficients import HALF, Settings
from offgridflow.methodology.compute import spread_of
from offgridflow.methodology.demand import NotRated, Storage, Tokens, Transfer
from offgridflow.methodology.figures import figures_of, spreads_of
from offgridflow.methodology.pieces import Hardware, Piece
from offgridflow.methodology.ranges import Spread
from offgridflow.methodology.rating import rater_of
from offgridflow.methodology.reading import Part, Reader, Reading
from offgridflow.methodology.recipe import Profile, Recipe
from offgridflow.methodology.traced import TracedFactors, traced_recipe, traced_sku

KWH: Final = "kWh"
KG: Final = "kgCO2e"
_STRENGTH: Final = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM: Final = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rate with its steps, the factors that it used, and the detail of a refusal (empty where it was rated)."""

    rate: Rate
    detail: str
    steps: tuple[Step, ...]
    factors: tuple[Factor, ...]


def explain(sku: Sku, period: Period, factors: FactorSet, recipe: Recipe) -> Explanation:
    """Return the rate of a SKU in a month or an hour with the arithmetic that leads to it."""
    rater = rater_of(factors, recipe)
    made = rater(sku, period)
    reading = rater.reader.read(sku, period)
    if isinstance(reading, NotRated):
        return Explanation(made, reading.detail, (), ())
    used = tuple(factor_of(each, factors) for each in made.factor_ids)
    if made.total_kgco2e is None:
        return Explanation(made, "a figure leaves its physical bounds or is not finite", (), used)
    return Explanation(made, "", tuple(_steps(sku, period, made, (factors, recipe))), used)


def factor_of(factor_id: str, factors: FactorSet) -> Factor:
    """Return a factor by id, of the set or of the ccf profile; KeyError where neither has it."""
    found = ccf_constants.FACTORS.get(factor_id)
    return factors.factor(factor_id) if found is None else found


def _steps(sku: Sku, period: Period, made: Rate, kitchen: tuple[FactorSet, Recipe]) -> list[Step]:
    with recording():
        factors, recipe = cast("FactorSet", TracedFactors(kitchen[0])), traced_recipe(kitchen[1])
        reader = ccf.CcfReader(factors, recipe) if recipe.profile is Profile.CCF else Reader(factors, recipe)
        reading = reader.read(traced_sku(sku), period)
        if isinstance(reading, NotRated):  # the rater has read the same SKU before
            raise TypeError(reading.detail)
        book = _Book(_numbers_in(sku), sku.consumed_unit or "unit")
        for piece in reading.pieces:
            _piece_steps(book, piece, reader.settings)
        for part in reading.parts:
            _part_steps(book, part, reader.settings)
        _figure_steps(book, made, reading, reader.settings)
    return book.steps


def _numbers_in(sku: Sku) -> frozenset[float]:
    """Return the numbers that stand in the texts of a SKU."""
    texts = (sku.sku_meter, sku.description, sku.sku_id, sku.operation, sku.service_name, sku.attributes.instance_type)
    found = (re.findall(r"\d+(?:\.\d+)?", text) for text in texts if text)
    return frozenset(float(number) for numbers in found for number in numbers)


class _Book:
    """The steps so far, and by which name each number of the recording that is a step is called."""

    def __init__(self, in_bill: frozenset[float], unit: str) -> None:
        self.steps: list[Step] = []
        self.unit = unit
        self._in_bill = in_bill
        self._names: dict[Node, tuple[str, str, float]] = {}

    def add(self, name: str, value: float | None, unit: str, exact: float | None = None) -> None:
        """Add a step, unless the number is none or has the same name already.

        ``exact`` is the figure of the rate itself, which recorded arithmetic may miss in the last digit.
        """
        if value is None:
            return
        node = node_of(value)
        terms: list[Term] = []
        text, _ = self._text(node, terms, top=node not in self._names)
        told = float(value) if exact is None else exact
        ids = tuple(dict.fromkeys(each for term in terms for each in term.factor_ids))
        self.steps.append(Step(name, text, told, unit, ids, tuple(terms)))
        self._names[node] = (name, unit, told)

    def add_made(self, name: str, value: float | None, unit: str) -> None:
        """Add a step where its number was computed and is no step yet; a bare coefficient needs none."""
        if value is not None and node_of(value).operation is not None and node_of(value) not in self._names:
            self.add(name, value, unit)

    def add_text(self, name: str, parts: Iterable[str | float], value: float, unit: str) -> None:
        """Add a step of the words of arithmetic and of numbers that are steps or leaves."""
        terms: list[Term] = []
        text = "".join(part if isinstance(part, str) else self._text(node_of(part), terms)[0] for part in parts)
        self.steps.append(Step(name, text, value, unit, (), tuple(terms)))

    def _text(self, node: Node, terms: list[Term], *, top: bool = False) -> tuple[str, int]:
        """Return the text of a number and how strongly its outermost operation binds."""
        if not top and node in self._names:
            name, unit, value = self._names[node]
            return self._number(value, Leaf(TermKind.RESULT, name, unit), terms)
        match node.operation:
            case None:
                return self._number(node.value, node.leaf or self._unnamed(node.value), terms)
            case "neg":
                return f"-{self._wrapped(node.parts[0], terms, _ATOM)}", 2
            case "sqrt" | "min" | "max" as name:
                return f"{name}({', '.join(self._text(part, terms)[0] for part in node.parts)})", _ATOM
            case sign:
                own = _STRENGTH[sign]
                left = self._wrapped(node.parts[0], terms, own)
                right = self._wrapped(node.parts[1], terms, own + (sign in "-/"))
                return f"{left} {sign} {right}", own

    def _wrapped(self, node: Node, terms: list[Term], least: int) -> str:
        text, strength = self._text(node, terms)
        return text if strength >= least else f"({text})"

    def _number(self, value: float, leaf: Leaf, terms: list[Term]) -> tuple[str, int]:
        text = repr(float(value))
        terms.append(Term(text, leaf.kind, leaf.name, leaf.unit, leaf.low, leaf.high, leaf.factor_ids))
        return text, 1 if value < 0 else _ATOM

    def _unnamed(self, value: float) -> Leaf:
        if value == 0:
            return Leaf(TermKind.METHOD, "nothing: outside of the boundary", "", value, value)
        kind = TermKind.BILL if value in self._in_bill else TermKind.METHOD
        name = "read in the bill" if kind is TermKind.BILL else "rule of the method for this meter"
        return Leaf(kind, name, "", value, value)


# hardware -----------------------------------------------------------------------------------------------------------


def _piece_steps(book: _Book, piece: Piece, settings: Settings) -> None:
    origin = piece.origin
    if origin is None:
        return
    if origin.hardware is not None:
        _running_steps(book, origin.name, (origin.hours, origin.hardware, piece), settings)
    elif isinstance(origin.component, Storage):
        _storage_steps(book, origin.component, piece)
    elif isinstance(origin.component, Transfer):
        book.add_made(f"GB moved by one {book.unit}", origin.component.gb, "GB")
        book.add(f"IT energy of {origin.component.kind}", piece.energy_kwh.central, KWH)
    elif isinstance(origin.component, Tokens):
        _token_steps(book, origin.component, piece, settings)


def _running_steps(book: _Book, name: str, ran: tuple[float, Hardware, Piece], settings: Settings) -> None:
    hours, hardware, piece = ran
    watts = hardware.watts
    load = 0.0 if watts.idle else settings.utilisation.central
    book.add_made(f"hours of {name} in one {book.unit}", hours, "h")
    book.add_made(f"hardware threads of {name}", watts.threads, "threads")
    book.add_made(f"memory of {name} beyond what the measured machines had", watts.extra_gb, "GB")
    at_half = watts.at((1.0, 1.0, 1.0), 0.0 if watts.idle else HALF, settings.memory_w_per_gb.central)
    book.add_made(f"SPECpower watts of {name} at the load of the comparison", at_half, "W")
    for ratio, what in (
        (watts.cpu_ratio, "processor"),
        (watts.memory_ratio, "memory"),
        (watts.gpu_ratio, "accelerator"),
    ):
        for value, end in ((ratio.low, "low"), (ratio.high, "high"), (ratio.central, "central")):
            book.add_made(f"ratio of {what} watts of {name} to SPECpower watts, {end}", value, "ratio")
    plain = watts.at((1.0, 1.0, 1.0), load, settings.memory_w_per_gb.central)
    book.add_made(f"SPECpower watts of {name}", plain, "W")
    book.add_made(f"central watts of {name}", spread_of(watts, settings).central, "W")
    book.add(f"IT energy of {name}", piece.energy_kwh.central, KWH)
    _life_steps(book, name, hardware, piece, settings)


def _life_steps(book: _Book, name: str, hardware: Hardware, piece: Piece, settings: Settings) -> None:
    book.add(f"embodied of {name}, whole life", hardware.life_kg, KG)
    book.add_made("share of a whole life that one hour carries", settings.per_hour.central, "1/h")
    book.add(f"embodied of {name}", piece.embodied_kg.central, KG)


def _storage_steps(book: _Book, stored: Storage, piece: Piece) -> None:
    where = " in the paired region" if piece.paired else ""
    book.add_made(f"terabyte-hours of one {book.unit}", stored.tb_hours, "TBh")
    book.add(f"IT energy of storage{where}", piece.energy_kwh.central, KWH)
    book.add(f"embodied of storage{where}", piece.embodied_kg.central, KG)


def _token_steps(book: _Book, tokens: Tokens, piece: Piece, settings: Settings) -> None:
    weighed = tokens.output_tokens + settings.input_token_share.central * tokens.input_tokens
    book.add(f"output tokens of one {book.unit}", weighed, "tokens")
    book.add("IT energy of tokens", piece.energy_kwh.central, KWH)
    book.add("embodied of tokens", piece.embodied_kg.central, KG)


# places -------------------------------------------------------------------------------------------------------------


def _part_steps(book: _Book, part: Part, settings: Settings) -> None:
    site, name = part.site, part.site.region_id
    it_kwh, overhead = part.energy_kwh.central, settings.overhead.central
    book.add(f"IT energy in {name}", it_kwh, KWH)
    for value, what, unit in (
        (site.pue.central, "PUE", "ratio"),
        (site.lifecycle.central, "lifecycle grid factor", "kgCO2e/kWh"),
    ):
        book.add_made(f"{what} of {name}", value, unit)
    metered = it_kwh * overhead * site.pue.central
    book.add(f"energy at the meter in {name}", metered, KWH)
    for kind, factor, unit in (
        ("operational, lifecycle delivered", site.lifecycle.central, KG),
        ("operational, direct", site.direct, KG),
        ("operational, contract", site.contract, KG),
        ("water of electricity", site.electricity_water, "l"),
    ):
        if factor is not None:
            book.add(f"{kind} in {name}", metered * factor, unit)
    if site.wue is not None:
        book.add(f"water on site in {name}", it_kwh * overhead * site.wue, "l")


# figures ------------------------------------------------------------------------------------------------------------


def _figure_steps(book: _Book, rate: Rate, reading: Reading, settings: Settings) -> None:
    """The figures of the rate, exactly; each is named like its column."""
    made = figures_of(reading, settings)
    if made is None:  # the rater had figures
        raise TypeError(rate.rate_id)
    energy = made.energy_kwh
    for name, value, unit, exact in (
        ("it_energy_kwh", made.it_energy_kwh, KWH, rate.it_energy_kwh),
        ("energy_kwh", energy.central if energy else None, KWH, rate.energy_kwh.central if rate.energy_kwh else None),
        ("operational_direct_kgco2e", made.direct, KG, rate.operational_direct_kgco2e),
        ("operational_location_kgco2e", made.location, KG, rate.operational_location_kgco2e),
        ("operational_upstream_kgco2e", made.upstream, KG, rate.operational_upstream_kgco2e),
        ("operational_market_kgco2e", made.market, KG, rate.operational_market_kgco2e),
        ("embodied_kgco2e", made.embodied, KG, rate.embodied_kgco2e),
        ("water_l", made.water_l, "l", rate.water_l),
        ("total_market_kgco2e", made.total_market, KG, rate.total_market_kgco2e),
        ("total_kgco2e", made.total.central, KG, rate.total_kgco2e.central if rate.total_kgco2e else None),
    ):
        book.add(name, value, unit, exact)
    if rate.total_kgco2e is None:
        return
    spread = spreads_of(reading).total
    if not rate.swings:
        book.add("total_low_kgco2e", made.total.low, KG, rate.total_kgco2e.low)
        book.add("total_high_kgco2e", made.total.high, KG, rate.total_kgco2e.high)
        return
    _range_steps(book, rate, made.total.central, spread)


def _range_steps(book: _Book, rate: Rate, central: float, spread: Spread) -> None:
    """What each group moves the total by, one at a time; then the root of their squares, inside the envelope."""
    falls, rises = list[float](), list[float]()
    for group in (group for group in Group if group in spread.moves):
        moves = sorted(zip(("low", "high"), spread.moves[group], strict=True), key=lambda move: move[1])
        for (setting, move), kept in zip(moves, (falls, rises), strict=True):
            if (move < 0) if kept is falls else (move > 0):
                book.add(f"change of the total with {group} at its {setting}", move, KG)
                kept.append(move)
    total = rate.total_kgco2e
    if total is None:
        return
    floor = min(spread.floor, central)
    book.add_made("total with all groups at their lows at once", floor, KG)
    low = ["max(", central, *_root(" - ", falls), ", ", floor, ")"]
    book.add_text("total_low_kgco2e", low, total.low, KG)
    book.add_text("total_high_kgco2e", [central, *_root(" + ", rises)], total.high, KG)


def _root(sign: str, moves: list[float]) -> list[str | float]:
    """Return the words of ``sign sqrt(the sum of squares)``; nothing where nothing moves."""
    if not moves:
        return []
    squares: list[str | float] = [sign, "sqrt("]
    for place, move in enumerate(moves):
        squares += [" + " if place else "", move, " * ", move]
    return [*squares, ")"]
