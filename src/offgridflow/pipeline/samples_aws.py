"""Sample AWS bill: CUR 2.0 as Data Exports delivers it, Parquet with a manifest per month."""

import csv
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples_aws_offers import NAMES, OFFERS
from offgridflow.pipeline.samples_fleet import Resource, Use, fleet_of, uses_of

EXPORT: Final = "demo-cur2"
_ACCOUNTS: Final = (
    ("111122223333", "management"),
    ("222233334444", "shop-production"),
    ("333344445555", "shop-staging"),
    ("444455556666", "data-platform"),
    ("555566667777", "machine-learning"),
    ("666677778888", "sandbox"),
)
_REGIONS: Final = (
    ("us-east-1", "", "US East (N. Virginia)"),
    ("eu-west-1", "EU-", "EU (Ireland)"),
    ("eu-central-1", "EUC1-", "EU (Frankfurt)"),
    ("eu-north-1", "EUN1-", "EU (Stockholm)"),
    ("ap-south-1", "APS3-", "Asia Pacific (Mumbai)"),
)
_PLAN: Final = "arn:aws:savingsplans::111122223333:savingsplan/4f3b0c52-6f0f-4a3e-9d5b-0f6f6a1c2d3e"
_RESERVATION: Final = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/9a1f6a0e-52f1-4b7f-8c3d-7a6f2f1f0b11"
_PLAN_SHARE: Final = 0.72
_RESERVED_SHARE: Final = 0.62
_TAX_SHARE: Final = 0.19

_TEXTS: Final = (
    "bill_bill_type bill_billing_entity bill_invoice_id bill_invoicing_entity bill_payer_account_id "
    "bill_payer_account_name identity_line_item_id identity_time_interval line_item_availability_zone "
    "line_item_blended_rate line_item_currency_code line_item_legal_entity line_item_line_item_description "
    "line_item_line_item_type line_item_net_unblended_rate line_item_operation line_item_product_code "
    "line_item_resource_id line_item_tax_type line_item_unblended_rate line_item_usage_account_id "
    "line_item_usage_account_name line_item_usage_type pricing_currency pricing_public_on_demand_rate "
    "pricing_rate_code pricing_rate_id pricing_term pricing_unit product_from_location product_from_region_code "
    "product_instance_family product_instance_type product_location product_location_type product_operation "
    "product_product_family product_region_code product_servicecode product_sku product_to_location "
    "product_to_region_code product_usagetype reservation_reservation_a_r_n savings_plan_offering_type "
    "savings_plan_savings_plan_a_r_n"
)
_DOUBLES: Final = (
    "discount_total_discount line_item_blended_cost line_item_net_unblended_cost line_item_unblended_cost "
    "line_item_usage_amount pricing_public_on_demand_cost reservation_effective_cost "
    "reservation_unused_amortized_upfront_fee_for_billing_period reservation_unused_recurring_fee "
    "savings_plan_savings_plan_effective_cost savings_plan_total_commitment_to_date savings_plan_used_commitment"
)
_TIMES: Final = (
    "bill_billing_period_end_date bill_billing_period_start_date line_item_usage_end_date line_item_usage_start_date"
)
_MAPS: Final = {"cost_category": "VARCHAR", "discount": "DOUBLE", "product": "VARCHAR", "resource_tags": "VARCHAR"}
COLUMNS: Final[dict[str, str]] = dict(
    sorted(
        {
            **dict.fromkeys(_TEXTS.split(), "VARCHAR"),
            **dict.fromkeys(_DOUBLES.split(), "DOUBLE"),
            **dict.fromkeys(_TIMES.split(), "TIMESTAMP"),
            **{name: f"MAP(VARCHAR, {value})" for name, value in _MAPS.items()},
        }.items(),
    ),
)
"""Columns of CUR 2.0 that the sample has, with their DuckDB types."""

_Row = dict[str, object]


def write_aws(folder: Path, seed: int, months: Sequence[Month]) -> list[Path]:
    """Write one Data Export with a partition per month; return the data files."""
    fleet = fleet_of(OFFERS, accounts=len(_ACCOUNTS), places=len(_REGIONS), seed=f"aws {seed}")
    by_month: dict[Month, list[Use]] = {month: [] for month in months}
    for use in uses_of(fleet, months, seed=f"aws use {seed}"):
        by_month[Month.of(use.day)].append(use)
    return [_write_month(folder, month, [*_numbered(_rows(month, uses), seed)]) for month, uses in by_month.items()]


def _rows(month: Month, uses: Sequence[Use]) -> Iterator[_Row]:
    """Yield the month's usage lines, then what a month brings beside usage."""
    for use in uses:
        yield from _usage_rows(use)
    yield from _correction(uses)
    yield from _commitment_fees(month, uses)
    yield from _month_end(month, uses)


def _usage_rows(use: Use) -> Iterator[_Row]:
    row = _priced_row(use.resource, use.day, use.quantity, use.cost)
    commitment = use.resource.offer.commitment
    if commitment == "savings_plan":
        share = round(use.cost * _PLAN_SHARE, 10)
        plan = {"savings_plan_savings_plan_a_r_n": _PLAN, "savings_plan_offering_type": "ComputeSavingsPlans"}
        yield (
            row
            | plan
            | {
                "line_item_line_item_type": "SavingsPlanCoveredUsage",
                "savings_plan_savings_plan_effective_cost": share,
            }
        )
        negation = f"SavingsPlanNegation used by AccountId : {row['line_item_usage_account_id']}"
        yield (
            row
            | plan
            | {
                "line_item_line_item_type": "SavingsPlanNegation",
                "line_item_line_item_description": negation,
                "line_item_unblended_cost": -use.cost,
            }
        )
    elif commitment == "reserved":
        yield row | {
            "line_item_line_item_type": "DiscountedUsage",
            "line_item_unblended_cost": 0.0,
            "reservation_effective_cost": round(use.cost * _RESERVED_SHARE, 10),
            "reservation_reservation_a_r_n": _RESERVATION,
        }
    else:
        yield row


def _priced_row(resource: Resource, day: date, quantity: float, cost: float) -> _Row:
    offer, more = resource.offer, resource.offer.more
    region, prefix, location = _REGIONS[resource.place]
    usage_type = prefix + offer.meter
    sku = hashlib.sha256(f"{usage_type} {more['operation']}".encode()).hexdigest()[:16].upper()
    product = {
        "product_name": offer.service,
        "region": region,
        "location": location,
        "servicecode": more["code"],
        "sku": sku,
    }
    shape = {name: more[name] for name in ("instance_type", "vcpu", "memory", "operating_system") if name in more}
    tags = {"user_team": resource.team, "user_environment": resource.environment}
    return _day_row(day, resource.account) | {
        "line_item_availability_zone": region + "abc"[resource.account % 3] if "instance_type" in more else None,
        "line_item_line_item_description": f"${offer.usd} per {offer.unit} of {usage_type} in {location}",
        "line_item_line_item_type": "Usage",
        "line_item_operation": more["operation"],
        "line_item_product_code": more["code"],
        "line_item_resource_id": _resource_id(resource, region),
        "line_item_unblended_cost": cost,
        "line_item_unblended_rate": str(offer.usd),
        "line_item_usage_amount": quantity,
        "line_item_usage_type": usage_type,
        "pricing_public_on_demand_cost": cost,
        "pricing_term": "OnDemand",
        "pricing_unit": offer.unit,
        "product": product | shape,
        "product_instance_family": more.get("family"),
        "product_instance_type": more.get("instance_type"),
        "product_location": location,
        "product_product_family": more.get("product_family"),
        "product_region_code": region,
        "product_servicecode": more["code"],
        "product_sku": sku,
        "product_to_region_code": more.get("to_region"),
        "product_usagetype": usage_type,
        "resource_tags": tags,
    }


def _resource_id(resource: Resource, region: str) -> str:
    digits, more = resource.hexadecimal, resource.offer.more
    if "arn" in more:
        return f"arn:aws:{more['arn']}".format(region=region, account=_ACCOUNTS[resource.account][0], id=digits[:12])
    return f"{more['id']}-{digits[:17]}"


def _day_row(day: date, account: int) -> _Row:
    """Return what every line of a day and an account has."""
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - CUR times are UTC without saying so
    end = start + timedelta(days=1)
    month = Month.of(day)
    number, name = _ACCOUNTS[account]
    return {
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": "AWS",
        "bill_billing_period_end_date": f"{month.next()}-01 00:00:00",
        "bill_billing_period_start_date": f"{month}-01 00:00:00",
        "bill_invoicing_entity": "Amazon Web Services EMEA SARL",
        "bill_payer_account_id": _ACCOUNTS[0][0],
        "bill_payer_account_name": _ACCOUNTS[0][1],
        "identity_time_interval": f"{start.isoformat()}Z/{end.isoformat()}Z",
        "line_item_currency_code": "USD",
        "line_item_legal_entity": "Amazon Web Services EMEA SARL",
        "line_item_usage_account_id": number,
        "line_item_usage_account_name": name,
        "line_item_usage_end_date": end.isoformat(sep=" "),
        "line_item_usage_start_date": start.isoformat(sep=" "),
        "pricing_currency": "USD",
        "cost_category": {"business_unit": "retail" if account < 3 else "research"},  # noqa: PLR2004 - half of them
    }


def _correction(uses: Sequence[Use]) -> Iterator[_Row]:
    """Yield the taking back of a tenth of one resource's usage: it nets inside that day's activity."""
    chosen = next((use for use in uses if use.resource.offer.by_month and use.quantity > 0), None)
    if chosen is not None:
        quantity = round(chosen.quantity / -10, 8)
        yield _priced_row(chosen.resource, chosen.day, quantity, round(quantity * chosen.resource.offer.usd, 10))


def _commitment_fees(month: Month, uses: Sequence[Use]) -> Iterator[_Row]:
    """Yield a day's savings plan fee per day and a month's reservation fee."""
    covered = _cost_by_day(use for use in uses if use.resource.offer.commitment == "savings_plan")
    highest = round(max(covered.values(), default=0.0) * _PLAN_SHARE * 1.02, 10)
    for day, cost in covered.items():
        yield _day_row(day, 0) | {
            "line_item_line_item_type": "SavingsPlanRecurringFee",
            "line_item_line_item_description": "3 year No Upfront Compute Savings Plan",
            "line_item_product_code": "ComputeSavingsPlans",
            "line_item_unblended_cost": highest,
            "line_item_usage_type": "ComputeSP:3yrNoUpfront",
            "savings_plan_savings_plan_a_r_n": _PLAN,
            "savings_plan_total_commitment_to_date": highest,
            "savings_plan_used_commitment": round(cost * _PLAN_SHARE, 10),
        }
    reserved = sum(use.cost for use in uses if use.resource.offer.commitment == "reserved")
    yield _day_row(month.start.date(), 0) | {
        "line_item_line_item_type": "RIFee",
        "line_item_line_item_description": "USD hourly fee per Linux/UNIX (Amazon VPC), r5.xlarge instance",
        "line_item_product_code": "AmazonEC2",
        "line_item_unblended_cost": round(reserved * _RESERVED_SHARE * 1.1, 10),
        "line_item_usage_type": "HeavyUsage:r5.xlarge",
        "reservation_reservation_a_r_n": _RESERVATION,
        "reservation_unused_recurring_fee": round(reserved * _RESERVED_SHARE * 0.1, 10),
        "reservation_unused_amortized_upfront_fee_for_billing_period": 0.0,
    }


def _cost_by_day(uses: Iterable[Use]) -> dict[date, float]:
    found: dict[date, float] = {}
    for use in uses:
        found[use.day] = found.get(use.day, 0.0) + use.cost
    return found


def _month_end(month: Month, uses: Sequence[Use]) -> Iterator[_Row]:
    """Yield support, tax per account, a credit and a refund."""
    first = month.start.date()
    total = sum(use.cost for use in uses)
    for account in range(len(_ACCOUNTS)):
        cost = sum(use.cost for use in uses if use.resource.account == account)
        yield _charge(first, account, "Tax", "AmazonEC2", round(cost * _TAX_SHARE, 2)) | {"line_item_tax_type": "VAT"}
    yield _charge(first, 0, "Fee", "AWSSupportBusiness", round(total * 0.1, 2))
    yield _charge(first, 4, "Credit", "AmazonEC2", -250.0)
    yield _charge(first, 1, "Refund", "AmazonS3", -12.34)
    yield _charge(first, 0, "EdpDiscount", "AmazonEC2", round(total * -0.03, 10))


def _charge(day: date, account: int, kind: str, code: str, cost: float) -> _Row:
    return _day_row(day, account) | {
        "line_item_line_item_type": kind,
        "line_item_line_item_description": f"{kind} for {NAMES.get(code, code)}",
        "line_item_product_code": code,
        "line_item_unblended_cost": cost,
    }


def _numbered(rows: Iterable[_Row], seed: int) -> Iterator[_Row]:
    for number, row in enumerate(rows):
        month = row["bill_billing_period_start_date"]
        yield row | {"identity_line_item_id": hashlib.sha256(f"{seed} {month} {number}".encode()).hexdigest()[:52]}


def _write_month(folder: Path, month: Month, rows: Sequence[_Row]) -> Path:
    place = f"{EXPORT}/data/BILLING_PERIOD={month}/{EXPORT}-00001.snappy.parquet"
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "rows.csv"
        with text.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(COLUMNS), restval=None)
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        _csv_to_parquet(text, path)
    manifest = folder / f"{EXPORT}/metadata/BILLING_PERIOD={month}/{EXPORT}-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    content = {"executionId": f"demo-{month}", "dataFiles": [f"s3://demo-bucket/{place}"], "columns": list(COLUMNS)}
    manifest.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def _cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


def _csv_to_parquet(text: Path, path: Path) -> None:
    """Turn typed text into Parquet; JSON objects become maps."""
    columns = {name: "VARCHAR" if name in _MAPS else kind for name, kind in COLUMNS.items()}
    maps = ", ".join(f"CAST(CAST({name} AS JSON) AS {COLUMNS[name]}) AS {name}" for name in _MAPS)
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = connection.read_csv(
            str(text), header=True, columns=columns, auto_detect=False, delimiter=",", quotechar='"', escapechar='"'
        )
        rows.project(f"* REPLACE ({maps})").write_parquet(str(path), compression="snappy")
