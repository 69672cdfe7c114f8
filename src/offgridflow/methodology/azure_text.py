"""One Azure SKU as the classifiers read it: its names in lower case and its unit, read once."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.domain.units import Conversion
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.demand import Demand, NotRated

Outcome = Demand | NotRated


@dataclass(frozen=True, slots=True)
class Meter:
    """What a rule looks at.

    ``category`` is MeterCategory, else the service name; ``text`` is the meter's name with the description beside it;
    both are lower case. ``name`` keeps the case of the meter, for the detail that people read.
    """

    sku: Sku
    period: Month
    factors: FactorSet
    category: str
    text: str
    name: str
    unit: Conversion | None

    def has(self, *words: str) -> bool:
        """Return whether any of the words is in the text."""
        return any(word in self.text for word in words)


Handler = Callable[[Meter], Outcome]

Rule = Callable[[Meter], Outcome | None]


def first_of(meter: Meter, rules: tuple[Rule, ...]) -> Outcome:
    """Return the outcome of the first rule that knows the meter, else ``unknown_meter``."""
    for rule in rules:
        outcome = rule(meter)
        if outcome is not None:
            return outcome
    return NotRated(NotEstimatedReason.UNKNOWN_METER, meter.name)


OPERATIONS = re.compile(
    r"\b(?:operations?|transactions?|requests?|executions?|queries|messages|events|class [12]|calls|actions"
    r"|activity runs?|(?:data )?scanned|data (?:retrieval|write|read)|pushes|authentications|api)\b",
)
"""Names of meters that count what was done and say nothing of the capacity behind it."""
