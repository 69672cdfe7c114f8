"""Every AWS sentence of the real FOCUS 1.0 sample, decided one by one."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, NotEstimatedReason
from offgridflow.methodology.aws import classify
from offgridflow.methodology.demand import Demand, Machine, NotRated, Storage, Transfer
from support.few_factors import shipped

SAMPLE: Final = Path(__file__).parents[2] / "../shared/inputs/focus/focus-1.0-sample.csv"
R = NotEstimatedReason


DECISIONS: Final = tuple(
    (re.compile(service), re.compile(unit), re.compile(text), said)
    for service, unit, text, said in (
        (r".", r"^GB$", r"for  in Middle East", R.UNKNOWN_METER),
        (r".", r"^GB$", r"data transfer from|AWS-In-Bytes|data transfer in ", R.COUNTED_ELSEWHERE),
        (r".", r"^GB$", r"regional data transfer", "inter_zone"),
        (r".", r"^GB$", r"data transfer to|AWS-Out-Bytes|to CloudFront$", "inter_region"),
        (r"CloudFront", r"^GB$", r"data transfer out", "cdn"),
        (r".", r"^GB$", r"data transfer out|DataTransfer-Out-Bytes", "internet_egress"),
        (r"Compute Cloud", r"^GB$", r"NAT Gateways", R.CAPACITY_NOT_METERED),
        (r"File System|CloudWatch", r"^GB$", r"Throughput reads|ingested", R.CAPACITY_NOT_METERED),
        (r"Compute Cloud", r"^GB-Months$", r"snapshot|Snapshot|Magnetic", "hdd"),
        (r"Compute Cloud", r"^GB-Months$", r"\(gp[23]\)", "ssd"),
        (r"Storage Service|CloudWatch|Registry|File System", r"^GB-Months$", r".", "hdd"),
        (r"DynamoDB|Relational", r"^GB-Months$", r".", "ssd"),
        (r".", r"^(GiB/Second|IOPS)-Months$", r".", R.CAPACITY_NOT_METERED),
        (r".", r"^Hours$", r"Mbps per", R.SURCHARGE),
        (r"Compute Cloud", r"^Hours$", r"On Demand Linux \S+ Instance Hour", "machine"),
        (r"Compute Cloud|Balancing|Kubernetes", r"^Hours$", r"NAT Gateway|LoadBalancer|EKS", R.CAPACITY_NOT_METERED),
        (r"Container Service$", r"^Hours$", r"Fargate", "serverless"),
        (r"Relational", r"^Hours$", r"db\.t3\.micro", "machine"),
        (r"Private Cloud", r"^Hours$", r"public IPv4", R.NOT_PHYSICAL),
        (r"Red Hat", r"^Hours$", r"Marketplace", R.LICENCE),
        (r"Lambda|CloudFront", r"^(Lambda-GB-)?Seconds$", r".", "serverless"),
        (r"Relational", r"^ACU-Hours$", r".", "serverless"),
        (r"Relational", r"^vCPU-Hours$", r"Extended Support", R.SURCHARGE),
        (r".", r"^(LCU|WriteCapacityUnit)-Hours$", r".", R.CAPACITY_NOT_METERED),
        (r"CloudWatch", r"^Metrics$", r"requested", R.REQUEST_PRICED),
        (r"CloudWatch|WAF", r"^(Alarms|Metrics|Months)$", r".", R.CAPACITY_NOT_METERED),
        (r"Key Management", r"^Keys$", r".", R.NOT_PHYSICAL),
        (r".", r"Requests|Events|Queries|IOs|StateTransitions|Checks|RequestUnits", r".", R.REQUEST_PRICED),
    )
)
"""Service, unit, sentence: what each must be read as; the first line that fits decides."""


def _rows() -> list[dict[str, str]]:
    if not SAMPLE.exists():
        pytest.skip("../shared/inputs is absent")
    with SAMPLE.open(newline="", encoding="utf-8") as lines:
        return [
            row for row in csv.DictReader(lines) if row["ProviderName"] == "AWS" and row["ChargeCategory"] == "Usage"
        ]


def _classified(row: dict[str, str]) -> Demand | NotRated:
    text = row["ChargeDescription"]
    unit = row["ConsumedUnit"]
    sku = Sku("aws", row["ServiceName"], None, row["SkuId"], text, None, unit, row["RegionId"], text)
    return classify(sku, Month(2024, 9), shipped())


def _said(outcome: Demand | NotRated) -> str:
    if isinstance(outcome, NotRated):
        return outcome.reason
    part = outcome.components[0]
    if isinstance(part, Machine):
        assert Assumption.INSTANCE_TYPE_FROM_DESCRIPTION in outcome.assumptions
        return "machine"
    if isinstance(part, Transfer):
        assert Assumption.TRANSFER_KIND_FROM_DESCRIPTION in outcome.assumptions
        return part.kind
    return part.medium if isinstance(part, Storage) else str(outcome.method)


@pytest.mark.inputs
def test_every_sentence_of_the_sample_is_read_as_decided() -> None:
    """Law: each distinct (service, unit, sentence) of the real sample has the reading decided for it."""
    wrong = []
    for row in _rows():
        key = (row["ServiceName"], row["ConsumedUnit"], row["ChargeDescription"])
        wanted = next((said for *patterns, said in DECISIONS if _fits(patterns, key)), None)
        found = _said(_classified(row))
        if wanted is None or found != str(wanted):
            wrong.append((*key, wanted, found))
    assert wrong == []


def _fits(patterns: list[re.Pattern[str]], key: tuple[str, str, str]) -> bool:
    return all(pattern.search(text) for pattern, text in zip(patterns, key, strict=True))


@pytest.mark.inputs
def test_shares_of_the_sample(record_property: Callable[[str, object], None]) -> None:
    """Law: on the sample's own cost, over 90 % of what is physical gets an estimate and under 0.5 % is unknown."""
    cost: defaultdict[str, float] = defaultdict(float)
    lines: Counter[str] = Counter()
    for row in _rows():
        outcome = _classified(row)
        said = "rated" if isinstance(outcome, Demand) else str(outcome.reason)
        lines[said] += 1
        cost[said] += max(float(row["BilledCost"]), float(row["EffectiveCost"]), 0.0)
    total, count = sum(cost.values()), sum(lines.values())
    for said in lines:
        record_property(said, f"{lines[said] / count:.1%} of lines, {cost[said] / total:.2%} of cost")
    outside = sum(cost[str(each)] for each in (R.LICENCE, R.SURCHARGE, R.NOT_PHYSICAL, R.COUNTED_ELSEWHERE, R.SUPPORT))
    assert cost["rated"] / (total - outside) > 0.9
    assert (cost[str(R.UNKNOWN_METER)] + cost[str(R.UNKNOWN_SERVICE)]) / total < 0.005
    assert lines["rated"] > 480
