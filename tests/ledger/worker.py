"""Small deliveries with known figures for the ledger tests, and a process that commits a list of them."""

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from arro3.core import Table

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.model import EMISSION_COLUMNS, IMPACT_COLUMNS, Rate, Sku, Span
from offgridflow.domain.reasons import CoverageBucket, Method, NotEstimatedReason, Status
from offgridflow.ledger import CommitRecord, CommitResult, Ledger, PartRecord, RawTotal
from offgridflow.ledger.tables import connect

SKU = Sku("aws", "Amazon EC2", "AmazonEC2", "sku-1", "BoxUsage:m5.large", "RunInstances", "Hours", "us-east-1")


def make_rate(rate_id: str, kg: float) -> Rate:
    """Return a rate of ``kg`` kgCO2e per hour, a quarter of it embodied, with a range of half to double."""
    return Rate(
        rate_id=rate_id,
        sku=SKU,
        period="2025-06",
        status=Status.ESTIMATED,
        reason=None,
        method=Method.INSTANCE,
        coverage_bucket=CoverageBucket.SKU,
        factor_ids=("grid/us-east-1",),
        it_energy_kwh=kg * 1.5,
        energy_kwh=Span(kg, kg * 2, kg * 3),
        operational_direct_kgco2e=kg * 0.5,
        operational_upstream_kgco2e=kg * 0.25,
        operational_location_kgco2e=kg * 0.75,
        embodied_kgco2e=kg * 0.25,
        total_kgco2e=Span(kg * 0.5, kg, kg * 2),
        water_l=kg * 3,
    )


RATES = (
    make_rate("rate-a", 0.03125),
    make_rate("rate-b", 0.1),
    Rate(
        rate_id="rate-c",
        sku=SKU,
        period="2025-06",
        status=Status.NOT_ESTIMATED,
        reason=NotEstimatedReason.REQUEST_PRICED,
        method=None,
        coverage_bucket=CoverageBucket.PHYSICAL_NOT_ESTIMATED,
    ),
)

_RATE_ROWS = ", ".join(
    f"('{rate.rate_id}', '{rate.status}', {_text}, {_method}, '{rate.coverage_bucket}', {_figures})"
    for rate in RATES
    for _text in ["NULL" if rate.reason is None else f"'{rate.reason}'"]
    for _method in ["NULL" if rate.method is None else f"'{rate.method}'"]
    for _figures in [
        ", ".join(
            "NULL::DOUBLE" if value is None else f"{value!r}::DOUBLE"
            for value in (
                rate.it_energy_kwh,
                rate.energy_kwh and rate.energy_kwh.central,
                rate.operational_direct_kgco2e,
                rate.operational_upstream_kgco2e,
                rate.operational_location_kgco2e,
                rate.operational_market_kgco2e,
                rate.embodied_kgco2e,
                rate.total_kgco2e and rate.total_kgco2e.central,
                rate.total_kgco2e and rate.total_kgco2e.low,
                rate.total_kgco2e and rate.total_kgco2e.high,
                rate.total_market_kgco2e,
                rate.water_l,
            )
        )
    ]
)

_ROWS = f"""
    WITH rates(rate_id, status, reason, method, coverage_bucket, {", ".join(IMPACT_COLUMNS)}) AS (VALUES {_RATE_ROWS}),
    lines AS (
        SELECT i, i % 5 = 4 AS is_tax, ((i + 1) * 1.25 + $variant)::DECIMAL(38,15) AS quantity,
            ['rate-a', 'rate-b', 'rate-c'][1 + i % 3] AS own_rate
        FROM range($lines) AS numbers(i)
    )
    SELECT
        TIMESTAMPTZ '2025-06-01 00:00:00+00' + INTERVAL 1 DAY * (i % 28) AS charge_period_start,
        $account AS billing_account_id, $account AS sub_account_id, 'Account ' || $account AS sub_account_name,
        'i-' || i AS resource_id, 'USD' AS billing_currency, 'aws' AS provider, 'Amazon EC2' AS service_name,
        MAP {{'team': 'shop', 'app': 'web'}} AS tags,
        {{'instance_type': 'm5.large', 'vcpu': 2.0}} AS attributes,
        CASE WHEN is_tax THEN 'tax' ELSE 'usage' END AS charge_class,
        quantity AS consumed_quantity, (0.01 * (i + 1))::DECIMAL(38,15) AS billed_cost,
        NULL::DECIMAL(38,15) AS effective_cost, 2::BIGINT AS line_items,
        CASE WHEN NOT is_tax THEN own_rate END AS rate_id,
        CASE WHEN is_tax THEN 'excluded' ELSE r.status END AS status,
        CASE WHEN is_tax THEN 'tax' ELSE r.reason END AS reason,
        CASE WHEN NOT is_tax THEN r.method END AS method,
        CASE WHEN NOT is_tax THEN r.coverage_bucket END AS coverage_bucket,
        CASE WHEN NOT is_tax THEN ['utilisation_default', 'grid_country'] END AS assumptions,
        {", ".join(f"CASE WHEN NOT is_tax THEN quantity::DOUBLE * r.{name} END AS {name}" for name in IMPACT_COLUMNS)}
    FROM lines JOIN rates r ON r.rate_id = own_rate
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery of ``lines`` ledger rows of two raw lines each, and of ``quarantined`` unreadable lines."""

    source: str = "aws/111"
    period: str = "2025-06"
    lines: int = 20
    account: str = "111"
    variant: int = 0
    recipe: str = "recipe-1"
    quarantined: int = 1
    files: int = 1
    descending: bool = False
    replace: bool = False
    allow_overlap: bool = False

    @property
    def line_items(self) -> int:
        """Raw lines of the delivery."""
        return 2 * self.lines + self.quarantined

    @property
    def money(self) -> Decimal:
        """Money of the raw delivery."""
        return Decimal(self.lines * (self.lines + 1)) / 200 + Decimal("0.5") * self.quarantined

    def record(self) -> CommitRecord:
        """Return what the ledger is told of it."""
        fingerprint = f"{self.source} {self.period} {self.lines} {self.account} {self.variant}"
        return CommitRecord(
            provider="aws",
            format="aws_cur2",
            fingerprint=fingerprint,
            recipe=self.recipe,
            line_items=self.line_items,
            parts=(PartRecord("part-1.parquet", fingerprint, 1234, self.line_items),),
            raw_totals=(RawTotal("USD", self.line_items, self.money, "billed_cost"),),
            run_id="run-1",
        )

    def write(self, con: duckdb.DuckDBPyConnection, path_of: Callable[[int], Path]) -> None:
        """Write the ledger rows to ``files`` Parquet files."""
        definition = ", ".join(f'"{name}" {kind}' for name, kind in EMISSION_COLUMNS.items())
        con.execute(f"CREATE OR REPLACE TEMP TABLE delivery ({definition})")
        values = {"lines": self.lines, "variant": self.variant, "account": self.account}
        con.execute(f"INSERT INTO delivery BY NAME {_ROWS}", values)
        order = "DESC" if self.descending else "ASC"
        for number in range(self.files):
            own = (
                f"SELECT * FROM delivery WHERE hash(resource_id) % {self.files} = {number} ORDER BY resource_id {order}"
            )
            con.execute(f"COPY ({own}) TO '{path_of(number)}' (FORMAT parquet)")

    def commit(self, ledger: Ledger) -> CommitResult:
        """Stage and commit it."""
        con = connect()
        try:
            staging = ledger.stage(self.source, self.period)
            self.write(con, staging.emissions_file)
            bad = con.sql(
                f"SELECT 'malformed_line' AS reason, 'a.csv' AS file, i::BIGINT AS line_number, "
                f"'USD' AS billing_currency, 0.5::DECIMAL(38,15) AS billed_cost, 'told by the path' AS source "
                f"FROM range({self.quarantined}) AS numbers(i)",
            )
            return ledger.commit(
                staging,
                self.record(),
                rates=RATES,
                quarantine=Table.from_arrow(bad),
                replace=self.replace,
                allow_overlap=self.allow_overlap,
            )
        finally:
            con.close()


def killer(step: str | None) -> Callable[[str], None]:
    """Return a checkpoint that kills this process after ``step``."""

    def checkpoint(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return checkpoint


def commit_all(uri: str, jobs: Sequence[Mapping[str, Any]], answer: str) -> None:
    """Commit deliveries (as a process of its own), and write to ``answer`` the status and version of each, as JSON.

    Each job is the keyword arguments of a Delivery, with ``kill_at`` naming the step after which the process kills
    itself. A commit that is refused has the code of its error as its status.
    """
    results: list[dict[str, object]] = []
    for told in jobs:
        job = dict(told)
        ledger = Ledger.open(uri, create=True, checkpoint=killer(job.pop("kill_at", None)))
        try:
            done = Delivery(**job).commit(ledger)
            results.append({"status": done.status, "version": done.version, **job})
        except LedgerError as error:
            results.append({"status": error.code, "detail": error.sentence, **job})
    Path(answer).write_text(json.dumps(results), encoding="utf-8")
