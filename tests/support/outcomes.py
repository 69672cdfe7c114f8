"""What a classifier said, asserted to be an estimate or a refusal."""

from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.methodology.demand import Demand, NotRated


def demand_of(outcome: Demand | NotRated) -> Demand:
    """Return what is asked of the hardware; the test fails where the SKU is refused."""
    assert isinstance(outcome, Demand), outcome
    return outcome


def reason_of(outcome: Demand | NotRated) -> NotEstimatedReason:
    """Return why a SKU is refused; the test fails where it is rated."""
    assert isinstance(outcome, NotRated), outcome
    return outcome.reason
