"""What the AWS modules share: the reading of one SKU, rules as a table, and the handlers most rules use.

A rule is a pattern on the usage type (without its region prefix) and a handler. A handler that needs a quantity asks
the unit first: a unit that contradicts the meter gives ``unknown_unit``, never a guess.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.units import GIB_TO_GB, Conversion
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.demand import Component, Demand, Machine, NotRated, Storage, Transfer
from offgridflow.methodology.generic_parts import (
    GB_PER_TB,
    REQUESTS,
    copies_of,
    gb_of,
    hours_of,
    memory_gib_hours_of,
    tb_hours_of,
    unknown_unit,
    vcpu_hours_of,
)

PROVIDER: Final = "aws"

Reason = NotEstimatedReason
Outcome = Demand | NotRated


class Reading(NamedTuple):
    """One SKU while it is read: ``meter`` is the usage type without region prefix, ``service`` the AWS service code."""

    sku: Sku
    service: str
    meter: str
    unit: Conversion | None
    period: Month
    factors: FactorSet


Handler = Callable[[Reading, re.Match[str]], Outcome]
Rule = tuple[re.Pattern[str], Handler]


def rules(*table: tuple[str, Handler]) -> tuple[Rule, ...]:
    """Compile a table of (pattern, handler); the pattern is searched without regard to case, first hit wins."""
    return tuple((re.compile(pattern, re.IGNORECASE | re.ASCII), handler) for pattern, handler in table)


def first(table: Iterable[Rule], meter: str) -> tuple[Handler, re.Match[str]] | None:
    """Return the handler of the first rule that matches a meter, with the match, or None."""
    for pattern, handler in table:
        if (match := pattern.search(meter)) is not None:
            return handler, match
    return None


def says(reason: NotEstimatedReason, detail: str) -> Handler:
    """Return a handler that always refuses with one reason."""
    refusal = NotRated(reason, detail)
    return lambda _reading, _match: refusal


def not_metered(detail: str) -> Handler:
    """Refuse: hardware works here, but the line does not say how much of it."""
    return says(Reason.CAPACITY_NOT_METERED, detail)


def elsewhere(detail: str) -> Handler:
    """Refuse: another line carries the same hardware."""
    return says(Reason.COUNTED_ELSEWHERE, detail)


def surcharge(detail: str) -> Handler:
    """Refuse: a price on top of hardware that has its own line."""
    return says(Reason.SURCHARGE, detail)


def not_physical(detail: str) -> Handler:
    """Refuse: nothing runs and nothing is stored."""
    return says(Reason.NOT_PHYSICAL, detail)


def requests(_reading: Reading, _match: re.Match[str]) -> Outcome:
    """Refuse: priced by request or operation."""
    return REQUESTS


def bad_unit(reading: Reading, wanted: str) -> NotRated:
    """Say that the unit contradicts the meter."""
    return unknown_unit(reading.sku.consumed_unit, wanted)


def stored(medium: str, key: str, *marks: Assumption, times: float = 1.0) -> Handler:
    """Return a handler for data held over time on ``medium``, replicated as the factor set says for ``key``.

    ``times`` multiplies the copies where the deployment runs whole sets of them (a cluster of three databases).
    """

    def handle(reading: Reading, _match: re.Match[str]) -> Outcome:
        return storage(reading, medium, key, marks, times)

    return handle


def storage(reading: Reading, medium: str, key: str, marks: tuple[Assumption, ...] = (), times: float = 1.0) -> Outcome:
    """Return the demand of stored data; GB-months become terabyte-hours by the hours of the real month."""
    tb_hours = tb_hours_of(reading.unit, reading.period)
    if tb_hours is None:
        return bad_unit(reading, "stored data over time")
    found = copies_of(reading.factors, key)
    if found is None:
        return NotRated(Reason.NO_FACTOR, f"the factor set has no replication {key}")
    copies, more = found
    marks = (*marks, *(mark for mark in more if mark not in marks))
    if medium == "archive":
        marks = (*marks, Assumption.ARCHIVE_AS_HDD)
    return Demand(Method.STORAGE, (Storage(tb_hours, medium, copies.scaled(times)),), marks)


def moved(kind: str, share: float = 1.0) -> Handler:
    """Return a handler for data moved; ``share`` is 0.5 where both ends of one transfer are billed."""

    def handle(reading: Reading, _match: re.Match[str]) -> Outcome:
        gb = gb_of(reading.unit)
        if gb is None:
            return bad_unit(reading, "data moved")
        return Demand(Method.NETWORK, (Transfer(gb * share, kind),))

    return handle


def machine_hours(reading: Reading) -> float | None:
    """Return machine-hours per consumed unit."""
    return hours_of(reading.unit, reading.period)


_SHORT_SIZE: Final = re.compile(r"\.(\d{0,3})xl$")


def spelled(instance_type: str) -> str:
    """Return a machine name as the catalogue spells it; databases write ``db.r5.2xl`` in usage types.

    >>> spelled("r5.2xl"), spelled("R5.XL"), spelled("r5.large")
    ('r5.2xlarge', 'r5.xlarge', 'r5.large')
    """
    return _SHORT_SIZE.sub(r".\1xlarge", instance_type.lower())


def machine(
    reading: Reading, instance_type: str, method: Method = Method.INSTANCE, copies: float = 1.0, *, idle: bool = False
) -> Outcome:
    """Return the demand of a catalogue machine; vCPU and memory of the bill go along for the fall-back."""
    hours = machine_hours(reading)
    if hours is None:
        return bad_unit(reading, "machine hours")
    known = reading.sku.attributes
    component = Machine(
        spelled(instance_type), hours, copies, known.vcpu, known.memory_gib, reading.service or None, idle=idle
    )
    return Demand(method, (component,))


def sized(method: Method, components: tuple[Component, ...], *marks: Assumption) -> Demand:
    """Return a demand known by its vCPUs and memory rather than by a machine (bucket B)."""
    return Demand(method, components, marks, CoverageBucket.FAMILY_OR_VCPU)


def vcpu_hours(reading: Reading) -> float | None:
    """Return vCPU-hours per consumed unit of a vCPU meter."""
    return vcpu_hours_of(reading.unit, reading.period)


def gib_hours(reading: Reading) -> float | None:
    """Return GiB-hours per consumed unit of a memory meter; plain hours or seconds are those of one GiB."""
    return memory_gib_hours_of(reading.unit, reading.period)


def local_tb_hours(reading: Reading) -> float | None:
    """Return terabyte-hours per consumed unit of a local disk; plain hours or seconds are those of one GiB."""
    hours = gib_hours(reading)
    return None if hours is None else hours * GIB_TO_GB / GB_PER_TB
