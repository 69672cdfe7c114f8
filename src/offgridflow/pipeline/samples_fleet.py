"""A made-up organisation whose cloud use grows day by day: what the sample bills of all three clouds are drawn from."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from offgridflow.domain.periods import Month

Commitment = Literal["none", "savings_plan", "reserved"]

TEAMS = ("payments", "search", "platform", "data", "web")
ENVIRONMENTS = ("prod", "prod", "prod", "staging", "dev")
_HOURS_PER_DAY = 24.0
_WORKING_HOURS = 11.0
_SATURDAY = 5
_DAYS_PER_MONTH = 30.0


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of a price list.

    Args:
        service: the service as the cloud names it.
        meter: what is metered, without region prefix or place.
        unit: as in the bill.
        usd: price of one unit.
        amount: units a day; of a unit that is a month, units of the whole month; of a machine, machines.
        count: how many resources use it.
        places: which of the cloud's regions it is used in, by position; empty means any.
        more: what else the cloud's bill says of it.

    """

    service: str
    meter: str
    unit: str
    usd: float
    amount: float = 1.0
    count: int = 1
    places: tuple[int, ...] = ()
    commitment: Commitment = "none"
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_hour(self) -> bool:
        """Whether it runs whole hours of a day."""
        return self.amount == 1.0 and self.unit.lower() in {"hrs", "hours", "hour"}

    @property
    def by_month(self) -> bool:
        """Whether the unit is a month's holding, billed in daily shares."""
        return any(word in self.unit.lower() for word in ("-mo", "/month", "month"))


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that somebody runs. ``hexadecimal`` are 32 digits to make ids of, ``growth`` is a month's factor."""

    offer: Offer
    account: int
    place: int
    team: str
    environment: str
    hexadecimal: str
    first_day: int
    growth: float


@dataclass(frozen=True, slots=True)
class Use:
    """What one resource used on one day, in units of its offer, and what that costs in USD by the price list."""

    day: date
    resource: Resource
    quantity: float
    cost: float


def fleet_of(offers: Sequence[Offer], *, accounts: int, places: int, seed: str) -> tuple[Resource, ...]:
    """Return the resources behind the offers; equal arguments give equal resources."""
    draw = random.Random(seed)  # noqa: S311 - sample data, and it must be repeatable
    resources = []
    for offer in offers:
        for _ in range(offer.count):
            place = draw.choice(offer.places) if offer.places else draw.randrange(places)
            late = offer.by_hour and draw.random() < 0.35  # noqa: PLR2004 - a third of the machines came later
            resources.append(
                Resource(
                    offer,
                    account=draw.randrange(accounts),
                    place=place,
                    team=draw.choice(TEAMS),
                    environment="prod" if offer.commitment != "none" else draw.choice(ENVIRONMENTS),
                    hexadecimal=f"{draw.getrandbits(128):032x}",
                    first_day=draw.randrange(1, 80) if late else 0,
                    growth=draw.uniform(0.99, 1.12),
                ),
            )
    return tuple(resources)


def uses_of(fleet: Sequence[Resource], months: Sequence[Month], *, seed: str) -> Iterator[Use]:
    """Yield what the fleet used, day by day and in the fleet's order."""
    draw = random.Random(seed)  # noqa: S311 - sample data, and it must be repeatable
    days = [(month, month.start.date() + timedelta(days=offset)) for month in months for offset in range(month.days)]
    for number, (month, day) in enumerate(days):
        for resource in fleet:
            quantity = _quantity(resource, day, number, draw.uniform(0.9, 1.1))
            share = round(quantity / month.days if resource.offer.by_month else quantity, 8)
            if share > 0:
                yield Use(day, resource, share, round(share * resource.offer.usd, 10))


def _quantity(resource: Resource, day: date, number: int, noise: float) -> float:
    if number < resource.first_day:
        return 0.0
    weekend = day.weekday() >= _SATURDAY
    if resource.offer.by_hour:
        if resource.environment == "dev":
            return 0.0 if weekend else _WORKING_HOURS
        return _HOURS_PER_DAY
    grown: float = resource.offer.amount * resource.growth ** (number / _DAYS_PER_MONTH)
    if resource.offer.by_month:
        return grown
    return grown * noise * (0.6 if weekend else 1.0)
