"""The stored activities of a ledger under another recipe: no provider is asked, each period is replaced atomically."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb

from offgridflow.domain.errors import LedgerError, OffGridFlowError, UsageError
from offgridflow.domain.model import ACTIVITY_COLUMNS, SKU_HASH_SQL
from offgridflow.formats import known_format
from offgridflow.ledger import CommitRecord, Ledger, LiveCommit, Snapshot
from offgridflow.methodology.recipe import METHODOLOGY_VERSION
from offgridflow.pipeline.model import IngestOptions, IngestResult, PeriodResult, Ports
from offgridflow.pipeline.period import PeriodWork, commit_period, read_back
from offgridflow.pipeline.plan import failure_of
from offgridflow.pipeline.rate_card import build_card
from offgridflow.pipeline.recipe import Kitchen

_ACTIVITIES = f"source, billing_period, {', '.join(ACTIVITY_COLUMNS)}, {SKU_HASH_SQL} AS sku_hash"


@dataclass(frozen=True, slots=True)
class Rerating:
    """A ledger, the kitchen to rate with, and the world."""

    ledger: Ledger
    kitchen: Kitchen
    options: IngestOptions
    ports: Ports


def rerate(ledger: Ledger, kitchen: Kitchen, options: IngestOptions, ports: Ports) -> IngestResult:
    """Rate every live period again whose recipe is another one.

    ``options.source`` and the range of periods narrow it. A period that was stored at another grain, or by a mapping
    that has changed since, fails with MUST_FETCH: its activities are not those that the recipe asks for.

    Raises UsageError where the ledger holds nothing of the source.
    """
    task = Rerating(ledger, kitchen, options, ports)
    results: list[PeriodResult] = []
    held = {live.source for live in ledger.live().values()}
    if options.source is not None and options.source not in held:
        sentence = f"The ledger holds nothing of the source {options.source!r}."
        raise UsageError(sentence, action=f"It holds: {', '.join(sorted(held)) or 'no source at all'}.")
    chosen = [
        live
        for live in ledger.live().values()
        if options.covers(live.billing_period) and options.source in {None, live.source}
    ]
    for done, live in enumerate(chosen, start=1):
        try:
            results.extend(_rerate_period(task, live))
        except OffGridFlowError as error:
            results.append(_failed(live, error))
        ports.progress("rerate", " ".join(live.key), done, len(chosen))
    return IngestResult(tuple(results))


def _failed(live: LiveCommit, error: OffGridFlowError) -> PeriodResult:
    result = PeriodResult(live.source, live.billing_period, live.provider, live.format, None, "failed")
    return replace(result, error=failure_of(error))


def _rerate_period(task: Rerating, live: LiveCommit) -> Iterator[PeriodResult]:
    record = _new_record(task, live)
    if record.recipe == live.recipe:
        yield from read_back(task.ledger, [live], "unchanged")
        return
    con = duckdb.connect(config={"memory_limit": f"{task.options.limits.memory_mib}MiB"})
    try:
        con.execute("SET TimeZone = 'UTC'")
        _load(con, task.ledger.snapshot().of_periods([live.key]), live)
        rates = build_card(con, task.kitchen.rate_of, task.kitchen.varies)
        work = PeriodWork(con, live.source, live.billing_period, record, rates, task.kitchen.by_hour)
        commit_period(task.ledger, work, replace=True, allow_overlap=True)
    finally:
        con.close()
    yield from read_back(task.ledger, [task.ledger.live()[live.key]], "committed")


def _load(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, live: LiveCommit) -> None:
    """Create what an aggregation would have left: ``activities``, ``skus`` and ``quarantine`` of one period."""
    snapshot.attach(con, "stored_")
    stored = {"activities": ("stored_emissions", _ACTIVITIES), "quarantine": ("stored_quarantine", "*")}
    for table, (view, columns) in stored.items():
        con.execute(
            f"CREATE TABLE {table} AS SELECT {columns} FROM {view} WHERE source = ? AND billing_period = ?",
            list(live.key),
        )
    con.execute("CREATE VIEW skus AS FROM activities")


def _new_record(task: Rerating, live: LiveCommit) -> CommitRecord:
    mapping = known_format(live.format)
    described = {} if mapping is None else task.kitchen.describe(mapping)
    stored = json.loads(live.recipe_json)
    for key, what in (("grain", "grain"), ("mapping_version", "mapping version")):
        if mapping is None or described.get(key) != stored.get(key):
            sentence = f"{live.source} {live.billing_period} was stored under another {what}."
            raise LedgerError(sentence, action="Ingest it again with --full.", code="MUST_FETCH")
    recipe = live.recipe if mapping is None else task.kitchen.digest_for(mapping)
    return CommitRecord(
        provider=live.provider,
        format=live.format,
        fingerprint=live.fingerprint,
        recipe=recipe,
        line_items=live.line_items,
        recipe_json=json.dumps({**stored, **described}, sort_keys=True),
        factor_set=task.kitchen.factors.name,
        methodology_version=METHODOLOGY_VERSION,
        mapping_version=live.mapping_version,
        grain_json=live.grain_json,
        run_id=task.ports.run_id,
        parts=live.parts,
        raw_totals=live.raw_totals,
    )
