"""A rate that can be checked by hand."""

from offgridflow.domain.model import Rate, Sku, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import CoverageBucket, Method, Status


def kilogram(sku: Sku, month: Month) -> Rate:
    """Rate everything at 1 kg per unit."""
    return Rate(
        rate_id="r",
        sku=sku,
        period=str(month),
        status=Status.ESTIMATED,
        reason=None,
        method=Method.INSTANCE,
        coverage_bucket=CoverageBucket.SKU,
        energy_kwh=Span.exactly(1.0),
        total_kgco2e=Span.exactly(1.0),
    )
