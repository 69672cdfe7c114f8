"""The SQL that runs inside BigQuery: one template per question and table kind, filled from the table's own schema.

What is filled in comes from the table's validated name and from fixed expressions here; values are bound parameters.
A column that this table does not have becomes a typed NULL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from string import Template
from typing import Final, Literal

from offgridflow.domain.errors import InputError, UsageError

GrainPeriod = Literal["hour", "day", "month"]

_TABLE: Final = re.compile(
    r"(?P<project>(?:[a-z0-9.-]{1,62}:)?[a-z][a-z0-9-]{4,61}[a-z0-9])\.(?P<dataset>\w{1,1024})\.(?P<table>[\w-]{1,1024})",
    re.ASCII,
)
_PSEUDO: Final = "_PARTITIONTIME"
_LABEL: Final = "(SELECT MAX(s.value) FROM UNNEST({column}) AS s WHERE s.key = 'compute.googleapis.com/{key}')"
_CHOSEN: Final = (
    "(SELECT STRING_AGG(TO_JSON_STRING([l.key, l.value]), ',' ORDER BY l.key, l.value) "
    "FROM UNNEST({column}) AS l WHERE l.key IN UNNEST(@label_keys))"
)
_BILLING_LABELS: Final = ("tags", "project.labels", "labels")
_FOCUS_LABELS: Final = ("x_Tags", "x_ProjectLabels", "x_Labels", "Tags")
"""Where labels stand; of a key that stands in several of them, the last one counts."""
_CREDITS: Final = "(SELECT SUM(ROUND(SAFE_CAST(CAST(c.amount AS STRING) AS BIGNUMERIC), 15)) FROM UNNEST(credits) AS c)"
_NO_TEXT: Final = "CAST(NULL AS STRING)"
_NO_NUMBER: Final = "CAST(NULL AS BIGNUMERIC)"
_NO_TIME: Final = "CAST(NULL AS TIMESTAMP)"
_NO_CREDITS: Final = "CAST(0 AS BIGNUMERIC)"
_MONTHS: Final = {"TIMESTAMP": "FORMAT_TIMESTAMP", "DATETIME": "FORMAT_DATETIME", "DATE": "FORMAT_DATE"}


class TableKind(StrEnum):
    """What the table holds: the billing export (standard and detailed differ in one column), or FOCUS."""

    BILLING = "billing"
    FOCUS = "focus"


_REQUIRED: Final[Mapping[TableKind, tuple[str, ...]]] = {
    TableKind.BILLING: (
        "billing_account_id", "service", "sku", "usage_start_time", "project", "location", "cost", "currency", "usage",
        "export_time", "cost_type",
    ),
    TableKind.FOCUS: (
        "BillingAccountId", "BillingCurrency", "BillingPeriodStart", "BilledCost", "ChargeCategory",
        "ChargePeriodStart",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableName:
    """A full table name whose parts hold nothing that could end a quoted identifier."""

    project: str
    dataset: str
    table: str

    @classmethod
    def parse(cls, text: str) -> "TableName":
        """Read ``project.dataset.table``; raise UsageError for anything else."""
        found = _TABLE.fullmatch(text)
        if found is None:
            sentence = f"The table name {text[:80]!r} is not of the form project.dataset.table."
            raise UsageError(sentence, action="Copy the table's full id from the BigQuery console.")
        return cls(found["project"], found["dataset"], found["table"])

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What ``tables.get`` says of a table.

    ``columns`` is name -> type, in lower case, fields as ``record.field``; ``partition`` the column that a query can
    be pruned by; ``is_table`` whether it can be read as of an instant (a view cannot); ``version`` changes with the
    content and is None where nothing tells (views, rows in the streaming buffer).
    """

    name: TableName
    columns: Mapping[str, str]
    partition: str | None = None
    is_table: bool = True
    version: str | None = None

    @property
    def kind(self) -> TableKind:
        """Which export it is, by its columns. Raises InputError UNKNOWN_FORMAT or MISSING_COLUMN."""
        kind = TableKind.FOCUS if self.has("BilledCost") else TableKind.BILLING
        missing = [column for column in _REQUIRED[kind] if not self.has(column)]
        if len(missing) > len(_REQUIRED[kind]) // 2:
            sentence = f"{self.name} is neither a Google Cloud billing export nor a FOCUS table."
            action = "Name the table gcp_billing_export_..., or the FOCUS table or view."
            raise InputError(sentence, action=action, code="UNKNOWN_FORMAT")
        if missing:
            sentence = f"{self.name} lacks the column {missing[0]}."
            raise InputError(sentence, action="Name the export's own table.", code="MISSING_COLUMN")
        return kind

    def has(self, column: str) -> bool:
        """Whether the table has a column; names of columns have no case in BigQuery."""
        return column.lower() in self.columns

    def type_of(self, column: str) -> str:
        """Return the type of a column."""
        return self.columns[column.lower()]

    def first_of(self, *columns: str, default: str = _NO_TEXT) -> str:
        """Return the SQL of the first column that is not NULL among those that there are."""
        present = [column for column in columns if self.has(column)]
        if len(present) > 1:
            return f"COALESCE({', '.join(present)})"
        return present[0] if present else default


@dataclass(frozen=True, slots=True)
class Shape:
    """How finely rows are kept apart; at least as finely as the pipeline's grain, which is applied to them again."""

    period: GrainPeriod = "day"
    resources: bool = True


def totals_sql(facts: TableFacts) -> str:
    """Return the query of the raw totals; parameter ``invoice_month`` (STRING, NULL for all)."""
    return _filled(f"bigquery_{facts.kind}_totals.sql", _totals_words(facts))


def rows_sql(facts: TableFacts, shape: Shape, snapshot: datetime, *, pruned: bool) -> str:
    """Return the query of the grouped rows of a period, of a table as of ``snapshot``.

    Parameters: ``invoice_month``, ``label_keys`` (ARRAY of STRING), and ``partition_first`` and ``partition_last``
    (TIMESTAMP; if ``pruned``).
    """
    words = _billing_words(facts) if facts.kind is TableKind.BILLING else _focus_words(facts)
    clause = f"AND {facts.partition} BETWEEN @partition_first AND @partition_last" if pruned else ""
    then = f"FOR SYSTEM_TIME AS OF TIMESTAMP '{snapshot.astimezone(UTC).isoformat(sep=' ')}'" if facts.is_table else ""
    shaped = {"grain": shape.period.upper(), "pruned": clause, "then": then}
    if not shape.resources:
        shaped["resource_id"] = _NO_TEXT
    return _filled(f"bigquery_{facts.kind}.sql", {**_totals_words(facts), **words, **shaped})


def template_texts() -> tuple[str, ...]:
    """Return the texts of all templates, so that whatever is kept by them changes when they do."""
    names = (f"bigquery_{kind}{suffix}.sql" for kind in TableKind for suffix in ("", "_totals"))
    return tuple(_template(name) for name in names)


def _template(name: str) -> str:
    return (files("offgridflow.connectors.gcp") / name).read_text(encoding="utf-8")


def _filled(name: str, words: Mapping[str, str]) -> str:
    return Template(_template(name)).substitute(words)


def _totals_words(facts: TableFacts) -> dict[str, str]:
    first, last = (f"{end}({facts.partition})" if facts.partition else _NO_TIME for end in ("MIN", "MAX"))
    return {
        "table": str(facts.name),
        "period": _period(facts),
        "now": "FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()" if facts.is_table else "",
        "credits": f"COALESCE({_CREDITS}, {_NO_CREDITS})" if facts.has("credits") else _NO_CREDITS,
        "export_time": facts.first_of("x_ExportTime", default=_NO_TIME),
        # rows that are in no partition yet would be missed by pruning, so one of them switches it off
        "partition_first": f"IF(COUNTIF({facts.partition} IS NULL) > 0, NULL, {first})" if facts.partition else first,
        "partition_last": last,
    }


def _period(facts: TableFacts) -> str:
    """Return the SQL of the billing period as ``YYYYMM``."""
    if facts.kind is TableKind.FOCUS:
        start = facts.type_of("BillingPeriodStart")
        function = _MONTHS.get(start)
        return (
            f"{function}('%Y%m', BillingPeriodStart)"
            if function
            else "REPLACE(SUBSTR(BillingPeriodStart, 1, 7), '-', '')"
        )
    # Google bills by Pacific time; rows from before the column existed have no month of their own
    fallback = "FORMAT_TIMESTAMP('%Y%m', usage_start_time, 'America/Los_Angeles')"
    return f"COALESCE(NULLIF(invoice.month, ''), {fallback})" if facts.has("invoice") else fallback


def _label_words(facts: TableFacts, system: str, labels: tuple[str, ...]) -> dict[str, str]:
    chosen = [_CHOSEN.format(column=column) for column in labels if facts.has(column)]
    shape = {
        key: _LABEL.format(column=system, key=key) if facts.has(system) else _NO_TEXT
        for key in ("machine_spec", "cores", "memory")
    }
    return {**shape, "labels": f"NULLIF(ARRAY_TO_STRING([{', '.join(chosen)}], ','), '')" if chosen else _NO_TEXT}


def _billing_words(facts: TableFacts) -> dict[str, str]:
    resource = "NULLIF(COALESCE(NULLIF(resource.global_name, ''), resource.name), '')"
    return {
        "resource_id": resource if facts.has("resource") else _NO_TEXT,
        "pricing_model": f"LOWER({facts.first_of('consumption_model.description')})",
        **_label_words(facts, "system_labels", _BILLING_LABELS),
    }


def _focus_words(facts: TableFacts) -> dict[str, str]:
    one = facts.first_of
    start, status = "ChargePeriodStart", one("CommitmentDiscountStatus")
    return {
        "charge_start": start if facts.type_of(start) == "TIMESTAMP" else f"TIMESTAMP({start})",
        "sub_account_id": one("SubAccountId"),
        "sub_account_name": one("SubAccountName"),
        "region": one("RegionId", "x_Location.location"),
        "service_category": one("ServiceCategory"),
        "service_id": one("x_ServiceId"),
        "service_name": one("ServiceName"),
        "sku_id": one("SkuId"),
        "sku_meter": one("SkuMeter", "x_SkuDescription", "ChargeDescription"),
        "resource_id": one("ResourceId"),
        "consumed_unit": one("ConsumedUnit"),
        "consumed_quantity": one("ConsumedQuantity", default=_NO_NUMBER),
        "pricing_unit": one("PricingUnit"),
        "pricing_quantity": one("PricingQuantity", default=_NO_NUMBER),
        "commitment_status": status,
        "effective_cost": one("EffectiveCost", default=_NO_NUMBER),
        "pricing_model": f"CASE WHEN {status} IS NOT NULL THEN 'committed' ELSE LOWER({one('PricingCategory')}) END",
        **_label_words(facts, "x_SystemLabels", _FOCUS_LABELS),
    }
