"""Bills in, a committed ledger out: plan -> aggregate -> rate -> conserve -> commit, one period at a time."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from offgridflow.connectors.model import FilePart
from offgridflow.domain.errors import InputError, OffGridFlowError
from offgridflow.domain.identity import fingerprint_of
from offgridflow.domain.model import Rate
from offgridflow.engines.duckdb import Aggregation, DuckDbEngine
from offgridflow.engines.model import Part
from offgridflow.ledger import CommitRecord, Ledger, LiveCommit, PartRecord, RawTotal
from offgridflow.methodology.recipe import METHODOLOGY_VERSION
from offgridflow.pipeline.conservation import Account, PeriodKey, Totals, accounts_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, PeriodResult, Ports
from offgridflow.pipeline.period import PeriodWork, commit_period, read_back
from offgridflow.pipeline.plan import Batch, Plan, ScannedPart, add_parts, failure_of, make_plan
from offgridflow.pipeline.rate_card import build_card
from offgridflow.pipeline.recipe import Kitchen


@dataclass(frozen=True, slots=True)
class Expected:
    """What the upstream says of a delivery: its billing period, its fingerprint there, its provider.

    Every line of the delivery must be of that period, or nothing of it is committed.
    """

    billing_period: str
    fingerprint: str
    provider: str


@dataclass(frozen=True, slots=True)
class Shop:
    """What every step of one ingest shares. ``expected`` is None for ad-hoc files, whose periods their lines tell."""

    ledger: Ledger
    kitchen: Kitchen
    options: IngestOptions
    ports: Ports
    expected: Expected | None = None


def ingest_paths(
    paths: Sequence[Path],
    ledger: Ledger,
    kitchen: Kitchen,
    options: IngestOptions,
    ports: Ports,
) -> IngestResult:
    """Ingest files and folders into a ledger.

    Every (source, billing period) is committed whole or not at all; one that fails does not stop the others.
    """
    shop = Shop(ledger, kitchen, options, ports)
    with work_folder(ports.work_folder) as folder:
        plan = make_plan(paths, folder, options.limits, ports.progress)
        return _carry_out(shop, plan, folder)


def ingest_parts(
    parts: Sequence[FilePart],
    ledger: Ledger,
    kitchen: Kitchen,
    options: IngestOptions,
    ports: Ports,
    expected: Expected,
) -> IngestResult:
    """Ingest the fetched parts of one delivery of a configured source (``options.source``)."""
    shop = Shop(ledger, kitchen, options, ports, expected)
    with work_folder(ports.work_folder) as folder:
        plan = Plan()
        add_parts(plan, parts, folder, options.limits, ports.progress)
        if plan.failures or len(plan.batches) > 1:
            return IngestResult(tuple(_refused_delivery(shop, plan)), tuple(plan.notes))
        return _carry_out(shop, plan, folder)


def _refused_delivery(shop: Shop, plan: Plan) -> Iterator[PeriodResult]:
    for failure in plan.failures:
        yield replace(failure, source=shop.options.source, billing_period=_expected_period(shop))
    if len(plan.batches) > 1:
        formats = " and ".join(batch.format.title for batch in plan.batches)
        sentence = f"The delivery holds files of several formats: {formats}."
        error = InputError(sentence, action="Give each export a source of its own.", code="SEVERAL_EXPORTS")
        yield _failed_batch(shop, plan.batches[0], error)


def _carry_out(shop: Shop, plan: Plan, folder: Path) -> IngestResult:
    results = list(plan.failures)
    for batch in plan.batches:
        results.extend(_ingest_batch(shop, batch, folder))
    ordered = sorted(results, key=lambda result: tuple(map(str, _order_of(result))))
    return IngestResult(tuple(ordered), tuple(plan.notes))


def _expected_period(shop: Shop) -> str | None:
    return shop.expected.billing_period if shop.expected else None


def _failed_batch(shop: Shop, batch: Batch, error: OffGridFlowError) -> PeriodResult:
    provider = shop.expected.provider if shop.expected else None
    period = _expected_period(shop)
    return PeriodResult(
        shop.options.source, period, provider, batch.format.name, None, "failed", error=failure_of(error)
    )


def _order_of(result: PeriodResult) -> tuple[str, str, str]:
    return (result.source or "", result.billing_period or "", result.billing_currency or "")


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Give a new empty folder that is removed in the end, whatever happens."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="offgridflow-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ingest_batch(shop: Shop, batch: Batch, folder: Path) -> list[PeriodResult]:
    known = _unchanged(shop, batch) if shop.expected is None and not shop.options.full else None
    if known is not None:
        return known
    limits = shop.options.limits
    engine = DuckDbEngine(
        threads=limits.threads,
        memory_limit=f"{limits.memory_mib}MiB",
        temp_directory=folder,
        folders=(shop.ledger.storage.local_folder,),
    )
    parts = [_part_of(item) for item in batch.parts]
    shop.ports.progress("aggregate", batch.format.title, 0, 1)
    try:
        with engine.aggregate(parts, batch.format, shop.kitchen.grain, shop.options.source) as aggregation:
            shop.ports.progress("aggregate", batch.format.title, 1, 1)
            return list(_commit_all(shop, batch, aggregation))
    except OffGridFlowError as error:
        return [_failed_batch(shop, batch, error)]


def _part_of(item: ScannedPart) -> Part:
    return Part(
        path=item.part.path,
        name=item.part.name,
        digest=item.scan.digest,
        kind=item.part.kind.value,
        records=item.scan.records,
        columns=item.scan.header.columns,
        delimiter=item.scan.header.delimiter,
    )


def _unchanged(shop: Shop, batch: Batch) -> list[PeriodResult] | None:
    """Return the results of a batch whose every part is already live under the same recipe, else None.

    Sources and periods are in the content, so without this look-up a repeated ingest would read everything again.
    """
    recipe = shop.kitchen.digest_for(batch.format)
    digests = {item.scan.digest for item in batch.parts if item.scan.records}
    same = [
        live
        for live in shop.ledger.live().values()
        if live.recipe == recipe and _same_naming(live, shop.options) and digests.issuperset(live.part_digests)
    ]
    if not same or set().union(*(live.part_digests for live in same)) != digests:
        return None
    wanted = [live for live in same if shop.options.covers(live.billing_period)]
    return list(read_back(shop.ledger, wanted, "unchanged"))


def _same_naming(live: LiveCommit, options: IngestOptions) -> bool:
    named = bool(json.loads(live.recipe_json).get("source_named"))
    return live.source == options.source if options.source else not named


def _commit_all(shop: Shop, batch: Batch, aggregation: Aggregation) -> Iterator[PeriodResult]:
    accounts = accounts_of(aggregation.con, aggregation.money_column)
    if shop.expected is not None:
        accounts = _only_expected(shop, accounts)
    wanted = {key: value for key, value in accounts.items() if shop.options.covers(key[1])}
    shop.ports.progress("rate", batch.format.title, 0, 1)
    rates = build_card(aggregation.con, shop.kitchen.rate_of, shop.kitchen.varies)
    shop.ports.progress("rate", batch.format.title, 1, 1)
    for done, (key, period_accounts) in enumerate(wanted.items(), start=1):
        yield from _commit_period(shop, batch, aggregation, rates, period_accounts)
        shop.ports.progress("commit", " ".join(key), done, len(wanted))


def _only_expected(shop: Shop, accounts: dict[PeriodKey, list[Account]]) -> dict[PeriodKey, list[Account]]:
    """Return the accounts of a delivery's one period, empty where it has no line; refuse lines of another."""
    key = (shop.options.source or "", _expected_period(shop) or "")
    strange = sorted({period for _, period in accounts} - {key[1]})
    if strange:
        sentence = f"{key[0]}: the delivery of {key[1]} holds lines of {', '.join(strange)}."
        action = "Export by billing period, so that a restated month replaces itself and nothing else."
        raise InputError(sentence, action=action, code="PERIOD_MISMATCH")
    nothing = Totals(0, Decimal(0))
    return accounts or {key: [Account(*key, None, nothing, 0, nothing, {}, {})]}


def _commit_period(
    shop: Shop,
    batch: Batch,
    aggregation: Aggregation,
    rates: Sequence[Rate],
    accounts: Sequence[Account],
) -> Iterator[PeriodResult]:
    first = accounts[0]
    names = aggregation.part_names(first.source, first.billing_period)
    parts = [item for item in batch.parts if item.part.name in names]
    record = _record(shop, batch, accounts, parts, aggregation)
    base = [_result_of(account, aggregation, batch, record.fingerprint) for account in accounts]
    try:
        for account in accounts:
            account.check()
        work = PeriodWork(aggregation.con, first.source, first.billing_period, record, rates, shop.kitchen.by_hour)
        committed = commit_period(
            shop.ledger,
            work,
            replace=shop.options.replace,
            allow_overlap=shop.options.allow_overlap,
            again=shop.options.full,
        )
    except OffGridFlowError as error:
        yield from (replace(result, status="failed", error=failure_of(error)) for result in base)
        return
    for result in base:
        yield replace(result, status=committed.status, total_kgco2e=committed.total_kgco2e.get(result.billing_currency))


def _result_of(account: Account, aggregation: Aggregation, batch: Batch, fingerprint: str) -> PeriodResult:
    return PeriodResult(
        source=account.source,
        billing_period=account.billing_period,
        provider=aggregation.provider_of(account.source, account.billing_period),
        format=batch.format.name,
        billing_currency=account.billing_currency,
        status="failed",
        line_items=account.raw.line_items,
        activities=account.activities,
        excluded=dict(account.excluded),
        quarantined=dict(account.quarantined),
        billed_cost=account.raw.money,
        fingerprint=fingerprint,
    )


def _record(
    shop: Shop,
    batch: Batch,
    accounts: Sequence[Account],
    parts: Sequence[ScannedPart],
    aggregation: Aggregation,
) -> CommitRecord:
    first = accounts[0]
    described = shop.kitchen.describe(batch.format)
    return CommitRecord(
        provider=shop.expected.provider
        if shop.expected
        else aggregation.provider_of(first.source, first.billing_period),
        format=batch.format.name,
        fingerprint=shop.expected.fingerprint
        if shop.expected
        else fingerprint_of([item.scan.digest for item in parts]),
        recipe=shop.kitchen.digest_for(batch.format),
        recipe_json=json.dumps({**described, "source_named": shop.options.source is not None}, sort_keys=True),
        factor_set=shop.kitchen.factors.name,
        methodology_version=METHODOLOGY_VERSION,
        mapping_version=f"{batch.format.name}/{batch.format.version}",
        grain_json=json.dumps(described["grain"], sort_keys=True),
        run_id=shop.ports.run_id,
        line_items=sum(account.raw.line_items for account in accounts),
        parts=tuple(
            PartRecord(item.part.name, item.scan.digest, item.scan.size_bytes, item.scan.records) for item in parts
        ),
        raw_totals=tuple(
            RawTotal(account.billing_currency, account.raw.line_items, account.raw.money, aggregation.money_column)
            for account in accounts
        ),
    )
