"""A small Google Cloud bill as BigQuery holds it, and what connects to the server that serves it."""

from collections.abc import Mapping
from typing import Any

PROJECT = "acme-billing"
TABLE = f"{PROJECT}.billing.gcp_billing_export_resource_v1_01A2B3_C4D5E6_F70819"
ACCOUNT = "01A2B3-C4D5E6-F70819"

_PAIR = [{"name": "key", "type": "STRING"}, {"name": "value", "type": "STRING"}]


def column(name: str, kind: str = "STRING") -> dict[str, Any]:
    return {"name": name, "type": kind}


def record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": "RECORD", "fields": list(fields)}


def repeated(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {**record(name, *fields), "mode": "REPEATED"}


SCHEMA: list[Mapping[str, Any]] = [
    column("billing_account_id"),
    record("service", column("id"), column("description")),
    record("sku", column("id"), column("description")),
    column("usage_start_time", "TIMESTAMP"),
    column("usage_end_time", "TIMESTAMP"),
    record("project", column("id"), column("number"), column("name")),
    repeated("labels", *_PAIR),
    repeated("system_labels", *_PAIR),
    record("location", column("location"), column("country"), column("region"), column("zone")),
    record("resource", column("name"), column("global_name")),
    column("export_time", "TIMESTAMP"),
    column("cost", "FLOAT"),
    column("currency"),
    record(
        "usage",
        column("amount", "FLOAT"),
        column("unit"),
        column("amount_in_pricing_units", "FLOAT"),
        column("pricing_unit"),
    ),
    repeated("credits", column("name"), column("amount", "FLOAT"), column("id"), column("type")),
    record("invoice", column("month")),
    column("cost_type"),
]
"""Columns of the detailed export that are read, as in the REST API."""


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def line(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of each column's own type
    """Return one line: an hour of an N2 core in Belgium, changed as told."""
    base: dict[str, Any] = {
        "billing_account_id": ACCOUNT,
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "2E27-4F75-95CD", "description": "N2 Instance Core running in Belgium"},
        "usage_start_time": "2025-01-05T10:00:00Z",
        "project": {"id": "shop-prod", "number": "1", "name": "Shop"},
        "labels": [],
        "system_labels": [],
        "location": {"location": "europe-west1", "country": "BE", "region": "europe-west1", "zone": "europe-west1-b"},
        "resource": {"name": "web-1", "global_name": "//compute.googleapis.com/projects/shop-prod/instances/web-1"},
        "export_time": "2025-01-05T14:00:00Z",
        "cost": 0.126444,
        "currency": "USD",
        "usage": {"amount": 14400.0, "unit": "seconds", "amount_in_pricing_units": 4.0, "pricing_unit": "hour"},
        "credits": [],
        "invoice": {"month": "202501"},
        "cost_type": "regular",
    }
    return {**base, **changes}


def credit(amount: float, kind: str = "SUSTAINED_USAGE_DISCOUNT") -> dict[str, Any]:
    return {"name": kind.lower(), "amount": amount, "id": kind, "type": kind}
