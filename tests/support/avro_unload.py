"""Avro unloads of Google's detailed billing export, as BigQuery writes them: nullable columns, lists of records."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import fastavro

from support.exports import gcp_line

INSTANT: Final = {"type": "long", "logicalType": "timestamp-micros"}
NUMERIC: Final = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}


def nullable(kind: object) -> list[object]:
    """Return a nullable type."""
    return ["null", kind]


def record(name: str, /, **fields: object) -> dict[str, Any]:
    """Return a nested record of nullable fields."""
    own = [{"name": key, "type": nullable(kind)} for key, kind in fields.items()]
    return {"type": "record", "namespace": "root", "name": name, "fields": own}


def _pairs(name: str) -> dict[str, Any]:
    return {"type": "array", "items": record(name, key="string", value="string")}


_NESTED: Final[Mapping[str, Any]] = {
    "service": record("Service", id="string", description="string"),
    "sku": record("Sku", id="string", description="string"),
    "project": record("Project", id="string", number="string", name="string"),
    "location": record("Location", location="string", country="string", region="string", zone="string"),
    "resource": record("Resource", name="string", global_name="string"),
    "usage": record("Usage", amount="double", unit="string", amount_in_pricing_units="double", pricing_unit="string"),
    "invoice": record("Invoice", month="string"),
}
_LISTS: Final[Mapping[str, Any]] = {
    "labels": _pairs("Labels"),
    "system_labels": _pairs("System_labels"),
    "credits": {
        "type": "array",
        "items": record("Credits", name="string", amount="double", id="string", type="string"),
    },
}
_PLAIN: Final = {
    "billing_account_id": "string",
    "usage_start_time": INSTANT,
    "usage_end_time": INSTANT,
    "export_time": INSTANT,
    "cost": "double",
    "cost_at_list": NUMERIC,
    "currency": "string",
    "cost_type": "string",
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Root",
    "fields": [
        *({"name": name, "type": nullable(kind)} for name, kind in {**_PLAIN, **_NESTED}.items()),
        *({"name": name, "type": kind} for name, kind in _LISTS.items()),
    ],
}


def packed(
    schema: Mapping[str, Any], records: Sequence[Mapping[str, Any]], codec: str, block_bytes: int = 16_000
) -> bytes:
    """Return an Avro file with a mark of zeros."""
    stream = io.BytesIO()
    fastavro.writer(stream, dict(schema), records, codec=codec, sync_interval=block_bytes, sync_marker=bytes(range(16)))
    return stream.getvalue()


def avro_line(month: str, cost: str, day: int) -> dict[str, Any]:
    """Return a line of the export as it is put into Avro."""
    line = gcp_line(month, cost, day)
    for name in ("usage_start_time", "usage_end_time"):
        line[name] = datetime.strptime(line[name], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    return {"export_time": None, "cost_at_list": Decimal(cost), **line}


def gcp_avro(month: str, costs: Sequence[str], codec: str = "snappy") -> bytes:
    """Return an Avro unload with one line per cost."""
    return packed(SCHEMA, [avro_line(month, cost, day) for day, cost in enumerate(costs, start=1)], codec)
