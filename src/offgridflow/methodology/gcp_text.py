"""One Google Cloud SKU as the classifiers read it: its names in lower case and its unit, read once."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.domain.units import Conversion
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.demand import Demand, NotRated

Outcome = Demand | NotRated


@dataclass(frozen=True, slots=True)
class Meter:
    """What a rule looks at: service and SKU description in lower case, ``name`` in the bill's own case."""

    sku: Sku
    period: Month
    factors: FactorSet
    service: str
    text: str
    name: str
    unit: Conversion | None

    def has(self, *words: str) -> bool:
        """Return whether any of the words is in the text."""
        return any(word in self.text for word in words)


Handler = Callable[[Meter], Outcome]
Rule = Callable[[Meter], Outcome | None]

OPERATIONS: Final = re.compile(
    r"\b(?:operations?|ops|requests?|invocations|queries|api calls?|calls|messages? delivery|log volume"
    r"|log storage cost|metric volume|analysis|inserts?|data retrieval|retrieval|reads?|writes?|deletes|events?"
    r"|executions?|scanned|ingest(?:ion|ed)?|rule evaluations?|transactions?|mau|samples ingested|spans ingested"
    r"|data processed|tokens issued)\b",
)
"""Names of SKUs that count what was done and say nothing of the capacity behind it."""


def first_of(meter: Meter, rules: tuple[Rule, ...]) -> Outcome | None:
    """Return the outcome of the first rule that knows the SKU."""
    for rule in rules:
        outcome = rule(meter)
        if outcome is not None:
            return outcome
    return None


def otherwise(meter: Meter) -> NotRated:
    """Return ``unknown_meter`` with the SKU's name."""
    return NotRated(NotEstimatedReason.UNKNOWN_METER, meter.name)
