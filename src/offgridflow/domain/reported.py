"""Figures that providers publish themselves: kept beside ours, in kilograms, with the number and unit as given.

Several rows may tell of the same emissions: breakdowns of one month side by side (Azure), and model versions. Who adds
rows up takes the breakdowns that count, and one model version; location- and market-based figures are never added.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation, localcontext
from enum import StrEnum
from typing import Final

from offgridflow.domain.errors import InputError
from offgridflow.domain.model import DECIMAL

REPORTED: Final = "reported_emissions"

REPORTED_FIGURES: Final = (
    "scope_1_kgco2e",
    "scope_2_location_kgco2e",
    "scope_2_market_kgco2e",
    "scope_2_unspecified_kgco2e",
    "scope_3_location_kgco2e",
    "scope_3_market_kgco2e",
    "total_location_kgco2e",
    "total_market_kgco2e",
    "total_unspecified_kgco2e",
)
"""Figures in kg. None where the provider publishes none; ``unspecified`` where it does not say by which method. A
provider that publishes one scope 3 has it under both methods, for its own totals hold it under both."""

WATER: Final = "water_withdrawal_l"
"""Reported water in litres, by calendar year: such a row has the year as its ``month``, and no emissions."""

REPORTED_COLUMNS: Final[dict[str, str]] = {
    "source": "VARCHAR",
    "month": "VARCHAR",
    "provider": "VARCHAR",
    "breakdown": "VARCHAR",
    "billing_account_id": "VARCHAR",
    "sub_account_id": "VARCHAR",
    "region_id": "VARCHAR",
    "service_name": "VARCHAR",
    "resource_id": "VARCHAR",
    "resource_group": "VARCHAR",
    "model_version": "VARCHAR",
    **dict.fromkeys(REPORTED_FIGURES, DECIMAL),
    WATER: DECIMAL,
    "unit_given": "VARCHAR",
    "given": "VARCHAR",
}
"""Columns of the view ``reported_emissions``. ``service_name`` is the provider's service name or code, or the type of a
resource; ``given`` holds the numbers as they came, as JSON, in ``unit_given``."""


class Breakdown(StrEnum):
    """By what the rows of one report are kept apart. Each breakdown tells of the same emissions once."""

    CELL = "cell"
    RESOURCE = "resource"
    SUBSCRIPTION = "subscription"
    RESOURCE_GROUP = "resource_group"
    RESOURCE_TYPE = "resource_type"
    LOCATION = "location"
    WATER_YEAR = "water_year"


COUNTED: Final = (Breakdown.CELL, Breakdown.RESOURCE)
"""The breakdowns that enter sums: account x region x service, or the provider's resources; the others repeat them."""

_EXACT: Final = Context(prec=60)
_PLACES: Final = Decimal("1e-15")
_KG: Final[Mapping[str, int]] = {"mtco2e": 1000, "kgco2e": 1}
_LITRES: Final[Mapping[str, int]] = {"m3": 1000, "l": 1}


@dataclass(frozen=True, slots=True)
class ReportedEmission:
    """One row of a provider's report. ``month`` is ``YYYY-MM``, for water ``YYYY``.

    ``figures`` holds names of REPORTED_FIGURES (and WATER); what is absent or None is null, never zero.
    """

    provider: str
    month: str
    breakdown: Breakdown
    figures: Mapping[str, Decimal | None]
    sub_account_id: str | None = None
    region_id: str | None = None
    service_name: str | None = None
    billing_account_id: str | None = None
    resource_id: str | None = None
    resource_group: str | None = None
    model_version: str | None = None
    unit_given: str | None = None
    given: Mapping[str, Decimal] = field(default_factory=dict)

    def values(self) -> tuple[str | Decimal | None, ...]:
        """Return the values of REPORTED_COLUMNS but ``source`` and ``month``."""
        own: dict[str, str | Decimal | None] = {
            "provider": self.provider,
            "breakdown": self.breakdown.value,
            "billing_account_id": self.billing_account_id,
            "sub_account_id": self.sub_account_id,
            "region_id": self.region_id,
            "service_name": self.service_name,
            "resource_id": self.resource_id,
            "resource_group": self.resource_group,
            "model_version": self.model_version,
            "unit_given": self.unit_given,
            "given": given_text(self.given),
        }
        return tuple(self.figures.get(name) if name in _FIGURES else own[name] for name in VALUE_COLUMNS)


VALUE_COLUMNS: Final = tuple(name for name in REPORTED_COLUMNS if name not in {"source", "month"})
_FIGURES: Final = frozenset((*REPORTED_FIGURES, WATER))


def given_text(given: Mapping[str, Decimal]) -> str | None:
    """Return numbers as canonical JSON; None for none.

    >>> given_text({"b": Decimal("0.10"), "a": Decimal("1E-7")})
    '{"a": 0.0000001, "b": 0.10}'
    """
    if not given:
        return None
    return "{" + ", ".join(f"{json.dumps(name)}: {given[name]:f}" for name in sorted(given)) + "}"


def decimal_of(text: str | None, where: str) -> Decimal | None:
    """Return a figure of a report that came as text; None stays None. Raises InputError UNREADABLE.

    >>> decimal_of("1.50", "here"), decimal_of(None, "here")
    (Decimal('1.50'), None)
    """
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        sentence = f"{where}: {text[:40]!r} is no number."
        raise InputError(sentence, action="Ask the provider for a corrected report.", code="UNREADABLE") from error


def kilograms(value: Decimal | None, unit: str | None, where: str) -> Decimal | None:
    """Return a figure in kg; None stays None. Raises InputError UNKNOWN_UNIT.

    >>> kilograms(Decimal("0.456"), "MTCO2e", "here")
    Decimal('456.000')
    """
    return _converted(value, unit, _KG, where)


def litres(value: Decimal | None, unit: str | None, where: str) -> Decimal | None:
    """Return a figure in litres; None stays None. Raises InputError UNKNOWN_UNIT."""
    return _converted(value, unit, _LITRES, where)


def _converted(value: Decimal | None, unit: str | None, factors: Mapping[str, int], where: str) -> Decimal | None:
    if value is None:
        return None
    factor = factors.get((unit or "").strip().lower())
    if factor is None:
        sentence = f"{where}: the unit {unit!r} is not known."
        action = f"Export the column with the unit; known are {', '.join(sorted(factors))}."
        raise InputError(sentence, action=action, code="UNKNOWN_UNIT")
    if not value.is_finite():
        sentence = f"{where}: {value} is not a finite number."
        raise InputError(sentence, action="Ask the provider for a corrected report.", code="UNREADABLE")
    with localcontext(_EXACT):
        scaled = value * factor
        exponent = scaled.as_tuple().exponent
        return scaled.quantize(_PLACES) if isinstance(exponent, int) and exponent < _FINEST else scaled


_FINEST: Final = -15


def added(*parts: Decimal | None) -> Decimal | None:
    """Return the exact sum; None unless all parts are known.

    >>> added(Decimal("0.1"), Decimal("0.2")), added(Decimal(1), None)
    (Decimal('0.3'), None)
    """
    with localcontext(_EXACT):
        total = Decimal(0)
        for part in parts:
            if part is None:
                return None
            total += part
        return total
