"""What BigQuery groups is what the local mapping groups: same lines, same money, same activities, to the last digit."""

import csv
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cloud.door import Door
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Delivery
from offgridflow.connectors.gcp.bigquery import BIGQUERY_EXPORT, BigQuerySettings
from offgridflow.connectors.gcp.bigquery_sql import Shape, TableFacts, TableName, rows_sql, totals_sql
from offgridflow.domain.errors import InputError, UsageError
from offgridflow.domain.periods import Month
from offgridflow.engines.model import Grain
from offgridflow.testing.bigquery import FakeBigQuery
from support.aggregating import Outcome, csv_part, outcome
from support.bigquery_bill import ACCOUNT, PROJECT, SCHEMA, TABLE, column, credit, line, pairs, record, repeated

FOCUS_TABLE = f"{PROJECT}.billing.focus"
MACHINE = {
    "compute.googleapis.com/machine_spec": "n2-standard-4",
    "compute.googleapis.com/cores": "4",
    "compute.googleapis.com/memory": "16384",
}


@pytest.fixture
def server() -> Iterator[FakeBigQuery]:
    """Return an empty server."""
    with FakeBigQuery(PROJECT) as running:
        yield running


def bring(server: FakeBigQuery, folder: Path, table: str, local: Grain, **settings: Any) -> Outcome:  # noqa: ANN401
    """Fetch every month of a table and aggregate the parts as the pipeline does."""
    wanted = {"type": "bigquery_export", "table": table, "endpoint_url": server.url, "anonymous": True}
    parsed = BigQuerySettings.model_validate({**wanted, "labels": local.tag_keys, **settings})
    cache = Cache(folder / "cache")
    source = BIGQUERY_EXPORT.make(parsed, Surroundings("acme", Door(), cache))
    found = [each for each in source.discover() if isinstance(each, Delivery)]
    parts = [part for delivery in found for part in source.fetch(delivery, cache)]
    return outcome([csv_part(part.path) for part in parts], folder, grain=local)


def bill(seed: int, count: int) -> list[dict[str, Any]]:
    """Return lines of two months, three regions, machines, labels, credits, taxes and amounts of many digits."""
    dice = random.Random(seed)  # noqa: S311 - sample data
    regions = ({"location": "us-central1", "region": "us-central1"}, {"location": "europe"}, {"country": "BE"}, None)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        month, day = dice.choice((1, 2)), dice.randint(1, 27)
        kind = dice.choices(("regular", "tax", "adjustment", "rounding_error", "odd"), (90, 3, 3, 2, 2))[0]
        rows.append(
            line(
                cost=dice.choice((5e-06, 0.1, 1 / 3, -0.25, 12345.678901, 0.0)),
                usage_start_time=f"2025-0{month}-{day:02d}T{dice.randint(0, 23):02d}:00:00Z",
                invoice={"month": f"20250{month}"},
                cost_type=kind,
                currency=dice.choice(("USD", "USD", "EUR")),
                location=dice.choice(regions),
                project=dice.choice(({"id": "shop-prod", "name": "Shop"}, {"id": "lab", "name": "Lab"}, None)),
                resource={"name": f"web-{number % 3}"} if number % 2 else {"global_name": f"//compute/{number % 4}"},
                usage=None if kind == "tax" else {"amount": dice.choice((3600.0, 6.1847529e13)), "unit": "seconds"},
                credits=[credit(-0.01), credit(-1 / 3, "PROMOTION")] if number % 5 == 0 else [],
                labels=pairs({"env": dice.choice(("prod", "test")), "team": dice.choice(("web", "data"))}),
                system_labels=pairs(MACHINE) if number % 3 == 0 else [],
            )
        )
    return rows


def locally(folder: Path, rows: Sequence[Mapping[str, Any]], grain: Grain) -> Outcome:
    """Aggregate the raw lines on this machine, as from an unload to JSON."""
    path = folder / "unload.csv"
    leaves = list(_leaves(SCHEMA))
    table = [leaves, *([_at(row, leaf) for leaf in leaves] for row in rows)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)
    return outcome([csv_part(path)], folder, grain=grain)


def _leaves(fields: Sequence[Mapping[str, Any]], prefix: str = "") -> Iterator[str]:
    for each in fields:
        if each["type"] == "RECORD" and each.get("mode") != "REPEATED":
            yield from _leaves(each["fields"], f"{prefix}{each['name']}.")
        else:
            yield f"{prefix}{each['name']}"


def _at(row: Mapping[str, Any], leaf: str) -> str:
    value: Any = row
    for step in leaf.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    "grain",
    [Grain(), Grain(period="month", resources=False), Grain(period="hour", tag_keys=("env", "team"))],
    ids=["day", "coarse", "fine"],
)
def test_grouping_there_is_grouping_here(server: FakeBigQuery, tmp_path: Path, grain: Grain) -> None:
    """The same lines give the same activities and totals, digit by digit, whether BigQuery or DuckDB groups them."""
    rows = bill(seed=7, count=400)
    server.create(TABLE, SCHEMA, rows)
    there = bring(server, tmp_path, TABLE, grain, grain=grain.period, resources=grain.resources)
    here = locally(tmp_path, rows, grain)
    assert (there.format, here.format) == ("gcp_billing_activities", "gcp_billing")
    assert [_named(each) for each in there.activities] == [_named(each) for each in here.activities]
    assert _totals(there) == _totals(here)
    assert there.lines == len(rows)


def _named(activity: Mapping[str, Any]) -> str:
    return repr({**activity, "source": "acme"})


def _totals(found: Outcome) -> list[tuple[Any, ...]]:
    return [row[1:] for row in found.raw_totals]


def test_a_finer_grain_there_gives_the_same_coarse_rows(server: FakeBigQuery, tmp_path: Path) -> None:
    """Rows that BigQuery kept finer than the pipeline wants are added up here, lines included."""
    rows = bill(seed=8, count=200)
    server.create(TABLE, SCHEMA, rows)
    coarse = Grain(period="month", resources=False)
    fine = bring(server, tmp_path / "fine", TABLE, coarse, grain="hour", resources=True)
    same = bring(server, tmp_path / "same", TABLE, coarse, grain="month", resources=False)
    assert fine.figures == same.figures
    assert fine.lines == len(rows)


def test_machine_shape_labels_and_missing_region_reach_the_activity(server: FakeBigQuery, tmp_path: Path) -> None:
    """Machine, cores and memory come out of the system labels; NULL regions fall back to the location or stay NULL."""
    labels = pairs({"team": 'we"b, [x]', "noise": "n"})
    rows = [
        line(system_labels=pairs(MACHINE), labels=labels, location={"location": "europe"}),
        line(location=None, resource=None),
    ]
    server.create(TABLE, SCHEMA, rows)
    first, second = bring(server, tmp_path, TABLE, Grain(tag_keys=("team", "absent"))).activities
    if first["region_id"] is None:
        first, second = second, first
    shape = first["attributes"]
    assert (shape["instance_type"], shape["vcpu"], shape["memory_gib"]) == ("n2-standard-4", 4.0, 16.0)
    assert first["tags"] == {"team": 'we"b, [x]'}
    assert (first["region_id"], second["region_id"], second["resource_id"]) == ("europe", None, None)
    assert (first["service_code"], first["sub_account_name"]) == ("6F81-5844-456A", "Shop")


def test_a_standard_export_without_optional_columns_is_read(server: FakeBigQuery, tmp_path: Path) -> None:
    """Older and standard tables lack resource, labels and credits; what is there is conserved."""
    gone = {"resource", "labels", "system_labels", "credits", "invoice"}
    server.create(TABLE, [each for each in SCHEMA if each["name"] not in gone], [line(), line()])
    found = bring(server, tmp_path, TABLE, Grain(tag_keys=("env",)))
    (activity,) = found.activities
    assert (activity["line_items"], activity["billed_cost"]) == (2, Decimal("0.252888"))
    assert (activity["resource_id"], activity["tags"]) == (None, {})


def test_a_line_without_invoice_month_is_billed_by_pacific_time(server: FakeBigQuery, tmp_path: Path) -> None:
    """Google invoices by Pacific time: five hours into February UTC is January."""
    server.create(TABLE, SCHEMA, [line(invoice=None, usage_start_time="2025-02-01T05:00:00Z")])
    assert bring(server, tmp_path, TABLE, Grain()).raw_totals[0][1] == "2025-01"


@pytest.mark.parametrize("partition", ["_PARTITIONTIME", "export_time"])
def test_rows_are_read_from_their_partitions_only(server: FakeBigQuery, tmp_path: Path, partition: str) -> None:
    """The query of a month names the first and last partition that hold lines of it, and loses none."""
    rows = [
        line(export_time=f"2025-01-{day:02d}T00:00:00Z", _PARTITIONTIME=f"2025-01-{day:02d}T00:00:00Z")
        for day in (5, 9, 20)
    ]
    server.create(TABLE, SCHEMA, rows, partition=partition)
    assert bring(server, tmp_path, TABLE, Grain()).lines == 3
    assert f"{partition} BETWEEN @partition_first AND @partition_last" in server.queries[-1]


def test_a_line_that_is_in_no_partition_yet_switches_pruning_off(server: FakeBigQuery, tmp_path: Path) -> None:
    """Rows of the streaming buffer have no partition time; they are read all the same."""
    server.create(TABLE, SCHEMA, [line(_PARTITIONTIME="2025-01-05T00:00:00Z"), line()], partition="_PARTITIONTIME")
    assert bring(server, tmp_path, TABLE, Grain()).lines == 2
    assert "BETWEEN" not in server.queries[-1]


FOCUS_SCHEMA: list[Mapping[str, Any]] = [
    *map(column, ("BillingAccountId", "BillingCurrency", "ChargeCategory", "ChargeDescription", "ConsumedUnit")),
    *map(column, ("RegionId", "ResourceId", "ServiceName", "SkuId", "SubAccountId", "SubAccountName", "PricingUnit")),
    *(column(name, "NUMERIC") for name in ("BilledCost", "EffectiveCost", "ConsumedQuantity", "PricingQuantity")),
    *(column(name, "TIMESTAMP") for name in ("BillingPeriodStart", "ChargePeriodStart", "x_ExportTime")),
    repeated("x_Labels", column("key"), column("value")),
    repeated("x_SystemLabels", column("key"), column("value")),
    record("x_Location", column("location"), column("region")),
]


def focus_line(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of each column's own type
    base = {
        "BillingAccountId": ACCOUNT,
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2025-01-01T08:00:00Z",
        "ChargePeriodStart": "2025-01-05T10:00:00Z",
        "ChargeCategory": "usage",
        "ChargeDescription": "N2 Instance Core running in Belgium",
        "BilledCost": "1.25",
        "EffectiveCost": "1.00",
        "ConsumedQuantity": "3600",
        "ConsumedUnit": "seconds",
        "ServiceName": "Compute Engine",
        "SkuId": "2E27-4F75-95CD",
        "SubAccountId": "shop-prod",
        "x_ExportTime": "2025-01-06T00:00:00Z",
        "x_Labels": pairs({"env": "prod"}),
        "x_SystemLabels": pairs(MACHINE),
        "x_Location": {"location": "europe"},
    }
    return {**base, **changes}


@pytest.mark.parametrize("is_view", [False, True])
def test_focus_tables_and_views_are_grouped(server: FakeBigQuery, tmp_path: Path, *, is_view: bool) -> None:
    """BilledCost is conserved, categories in any case are classes, and a view is read without time travel."""
    rows = [
        focus_line(),
        focus_line(ChargePeriodStart="2025-01-05T22:00:00Z"),
        focus_line(ChargeCategory="Tax", BilledCost="3", ConsumedQuantity=None, x_SystemLabels=[]),
        focus_line(ChargeCategory="Credit", BilledCost="-2", ConsumedQuantity=None),
        focus_line(ConsumedQuantity=None, PricingQuantity="2", PricingUnit="hour"),
    ]
    server.create(FOCUS_TABLE, FOCUS_SCHEMA, rows, is_view=is_view)
    found = bring(server, tmp_path, FOCUS_TABLE, Grain(tag_keys=("env",)))
    assert found.lines_by_class() == {"usage": 3, "tax": 1, "credit": 1}
    assert found.money() == Decimal("4.75")
    usages = [row for row in found.activities if row["charge_class"] == "usage"]
    units = {row["consumed_unit"]: row["consumed_quantity"] for row in usages}
    assert units == {"seconds": 7200, "hour": 2}
    usage = next(row for row in usages if row["consumed_unit"] == "seconds")
    assert (usage["region_id"], usage["effective_cost"], usage["tags"]) == ("europe", 2, {"env": "prod"})
    assert usage["attributes"]["instance_type"] == "n2-standard-4"
    assert any("SYSTEM_TIME" in query for query in server.queries) is not is_view


def test_a_view_that_changes_between_the_queries_is_left_to_the_next_run(server: FakeBigQuery, tmp_path: Path) -> None:
    """A view cannot be read as of an instant; rows that do not fit its totals are refused as changed under way."""
    server.create(FOCUS_TABLE, FOCUS_SCHEMA, [focus_line()], is_view=True)
    server.when_read[2] = lambda: server.restate(FOCUS_TABLE, [focus_line(BilledCost="9")])
    with pytest.raises(Exception, match="CHANGED_UNDER_WAY"):
        bring(server, tmp_path, FOCUS_TABLE, Grain())


HOSTILE = [
    "acme-billing.billing.x` WHERE 1=1; DROP TABLE y; --",
    "acme-billing.billing.`x`",
    "acme-billing.bill ing.x",
    "acme-billing.billing",
    "billing.x",
    "acme-billing.billing.x\n",
    "acme-billing.billing.é",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_only_plain_table_names_reach_the_sql(name: str) -> None:
    """What could end a quoted identifier is refused before any call."""
    with pytest.raises(UsageError):
        TableName.parse(name)


def test_values_are_bound_and_never_part_of_the_sql(server: FakeBigQuery, tmp_path: Path) -> None:
    """A label key that looks like SQL is a key that no line has: it changes nothing but the answer for itself."""
    server.create(TABLE, SCHEMA, [line(labels=pairs({"env": "prod"}))])
    hostile = "env') OR TRUE --"
    found = bring(server, tmp_path, TABLE, Grain(tag_keys=(hostile,)))
    assert found.activities[0]["tags"] == {}
    assert all(hostile not in query for query in server.queries)


def test_a_billing_table_that_lacks_a_column_is_named() -> None:
    """The first missing column is in the error, and nothing is asked of the table."""
    columns = {column["name"]: column["type"] for column in SCHEMA if column["name"] != "cost"}
    facts = TableFacts(TableName.parse(TABLE), columns)
    with pytest.raises(InputError, match="lacks the column cost"):
        totals_sql(facts)


def test_every_word_of_every_template_is_filled() -> None:
    """Neither kind leaves a placeholder, with all optional columns or with none."""
    billing = dict.fromkeys(
        ("billing_account_id", "service", "sku", "usage_start_time", "project", "location", "cost", "currency", "usage",
         "export_time", "cost_type"), "STRING",
    )  # fmt: skip
    focus = dict.fromkeys(
        ("billingaccountid", "billingcurrency", "billingperiodstart", "billedcost", "chargecategory",
         "chargeperiodstart"), "TIMESTAMP",
    )  # fmt: skip
    for columns in (billing, focus):
        for extra in ({}, dict.fromkeys(("resource", "labels", "system_labels", "credits", "x_labels"), "RECORD")):
            facts = TableFacts(TableName.parse(TABLE), {**columns, **extra}, "_PARTITIONTIME")
            text = totals_sql(facts) + rows_sql(facts, Shape(), Month(2025, 1).start, pruned=True)
            assert "$" not in text
