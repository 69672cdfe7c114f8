"""What every connector promises, over real sockets and official SDKs: each law runs for each kind of source.

First the laws of all, those of bills and those of the providers' own reports (fixture ``anyone``); then those of object
stores (fixture ``source``): parts, ranges, caches.
"""

import gzip
import io
import json
import logging
import os
import random
import sys
import traceback
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cloud.door import Door
from offgridflow.cloud.errors import AuthError, ClassifiedError, FatalError, NextRunError, TransientError
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, Delivery, RefusedDelivery
from offgridflow.connectors.registry import connect, kind, names
from offgridflow.domain.errors import InputError, MissingExtraError, OffGridFlowError, UsageError
from offgridflow.domain.periods import Month
from offgridflow.testing import Answer, Corrupt, Cut, Delay, Dialect, Drip, Fault, Reset, throttled
from support.faulty import DENIED, MONTH

Anyone = Any  # tests/connectors/conftest.py: test folders are not packages
Source = Any  # see Anyone
BIG, SMALL = 6000, 50


def rows(count: int, seed: int) -> bytes:
    """Return a packed CSV whose bytes hardly pack, so that a cut lies inside."""
    numbers = random.Random(seed)  # noqa: S311 - sample data
    return gzip.compress(b"a,b\n" + "".join(f"{n},{numbers.random()}\n" for n in range(count)).encode(), mtime=0)


def found_by(connector: Connector, since: Month | None = None, until: Month | None = None) -> list[Delivery]:
    found = list(connector.discover(since, until))
    refused = [each for each in found if isinstance(each, RefusedDelivery)]
    assert not refused
    return [each for each in found if isinstance(each, Delivery)]


def contents(connector: Connector, delivery: Delivery, source: Source) -> list[bytes]:
    return [part.path.read_bytes() for part in connector.fetch(delivery, source.cache())]


def data_reads(source: Source, key: str) -> list[dict[str, str]]:
    """Return the headers of the GET requests for a part."""
    path = source.bucket.path_of(key)
    return [dict(seen.headers) for seen in source.bucket.requests if seen.path == path and seen.method == "GET"]


def cached(source: Source) -> list[Path]:
    """Return the finished files of the cache."""
    return [path for path in (source.folder / "cache").rglob("*") if path.is_file() and not path.suffix]


# every connector --------------------------------------------------------------------------------------------------


def test_reading_twice_gives_the_same_and_a_restatement_another(anyone: Anyone) -> None:
    """What lies there is what is read, as often as it is read; when the provider restates it, that is read."""
    before = anyone.read()
    assert before
    assert anyone.months() == [MONTH]
    assert anyone.read() == before
    anyone.site.restate(3)
    after = anyone.read()
    assert after != before
    assert {month for month, _ in after} == {MONTH}


def test_months_outside_of_what_is_wanted_are_not_read(anyone: Anyone) -> None:
    """``since`` and ``until`` are both included; before and after there is nothing."""
    month = Month.parse(MONTH)
    assert anyone.months(month, month) == [MONTH]
    assert anyone.months(since=month.next()) == []
    assert anyone.months(until=Month(month.year - 1, 12)) == []


@pytest.mark.parametrize("wish", [None, "7"])
def test_everyone_waits_when_told_to_slow_down(anyone: Anyone, wish: str | None) -> None:
    """Throttled twice, nothing is lost and nothing doubled; a wish to wait is kept to the second."""
    before = anyone.read()
    anyone.time.waits.clear()
    anyone.goes_wrong(lambda dialect: throttled(dialect, wish), times=2)
    assert anyone.read() == before
    if wish is not None:
        assert anyone.waits == [7.0, 7.0]


@pytest.mark.parametrize("fault", [Answer(502), Answer(503), Answer(504), Answer(429), Answer(408), Reset()], ids=str)
def test_what_passes_is_tried_three_times_in_all(anyone: Anyone, fault: Any) -> None:  # noqa: ANN401 - a Fault
    """Twice is not noticed; what lasts ends after three requests as transient."""
    before = anyone.read()
    anyone.goes_wrong(lambda _: fault, times=2)
    assert anyone.read() == before
    anyone.goes_wrong(lambda _: fault, times=None)
    with pytest.raises(TransientError):
        anyone.read()
    assert anyone.site.sent() in {3, None}


def test_a_bare_500_is_fatal_for_everyone(anyone: Anyone) -> None:
    """A status 500 without a documented code is not asked again."""
    anyone.goes_wrong(lambda _: Answer(500), times=None)
    with pytest.raises(FatalError):
        anyone.read()
    assert anyone.site.sent() in {1, None}


@pytest.mark.parametrize("where", ["part", "page"])
def test_a_refusal_ends_it_at_once_on_any_page(anyone: Anyone, where: str) -> None:
    """Credentials are not tried again, neither at first nor in mid-listing, and half an answer is never returned."""
    anyone.goes_wrong(DENIED.__getitem__, times=None, where=where)
    with pytest.raises(AuthError):
        anyone.read()
    assert anyone.site.sent() in {1, None}


def test_a_page_that_names_itself_ends_the_walk(anyone: Anyone) -> None:
    """A next page that was there before would never end: it is a broken promise, told as such."""
    anyone.site.restate(4)
    anyone.goes_wrong(lambda _: Fault(), where="token")
    with pytest.raises(FatalError, match="PAGE_LOOP"):
        anyone.read()


@pytest.mark.parametrize("fault", [Cut(20), Drip(60, 0.002)], ids=str)
def test_a_cut_or_slow_body_changes_nothing(anyone: Anyone, fault: Any) -> None:  # noqa: ANN401 - a Fault
    """A body that is cut is asked for again or resumed, one that drips is waited for: the content is the same."""
    before = anyone.read()
    anyone.goes_wrong(lambda _: fault)
    assert anyone.read() == before


def test_check_is_well_or_names_a_declared_permission(anyone: Anyone) -> None:
    """Check reads nothing into anything; where all is refused it names what the declaration and the docs name."""
    assert all(step.ok for step in anyone.connect().check().steps)
    connector = anyone.connect()
    dialect = anyone.site.cloud.dialect
    anyone.site.cloud.inject(DENIED[dialect], times=None, skip=1 if dialect is Dialect.S3 else 0)  # who we are, first
    failed = [step for step in connector.check().steps if not step.ok]
    names = [permission.name for permission in connector.declaration.permissions]
    assert any(step.missing and step.missing.startswith(name) for step in failed for name in names), failed
    assert all(step.detail for step in failed)


def test_no_secret_is_told_by_anyone(anyone: Anyone, caplog: pytest.LogCaptureFixture) -> None:
    """The canary is in every credential; neither rows, events, logs, errors nor checks hold it."""
    caplog.set_level(logging.INFO)
    rows = anyone.read()
    anyone.goes_wrong(DENIED.__getitem__, times=None)
    with pytest.raises(AuthError) as caught:
        anyone.read()
    trace = "".join(traceback.format_exception(caught.value))
    told = repr((rows, anyone.heard, caught.value, trace, anyone.connect().check()))
    assert "canary" not in told + caplog.text
    anyone.site.mend()
    if anyone.kind == "azure_carbon":
        assert "canary" in repr([seen.headers for seen in anyone.site.cloud.requests]), "the token is sent"


# object stores ----------------------------------------------------------------------------------------------------


def test_discover_lists_the_months_in_order_with_their_parts(source: Source) -> None:
    """Deliveries come oldest first, with every part of every page: key as it is, size, ETag."""
    content = {month: [rows(SMALL, month * 10 + part) for part in range(4)] for month in (3, 1, 2)}
    keys = {month: source.deliver(month, parts) for month, parts in content.items()}
    found = found_by(source.connect())
    assert [str(each.billing_period) for each in found] == ["2025-01", "2025-02", "2025-03"]
    for month, delivery in enumerate(found, start=1):
        assert [part.key for part in delivery.parts] == keys[month]
        assert [part.size_bytes for part in delivery.parts] == [len(each) for each in content[month]]
        assert delivery.source == "acme"
        assert ":" in delivery.parts[0].key
        assert "//" in delivery.parts[0].key
    assert len({delivery.fingerprint for delivery in found}) == 3


def test_only_wanted_months_are_found_and_only_their_manifests_read(source: Source) -> None:
    """``since`` and ``until`` are both included; months outside cost no request of their own."""
    for month in (1, 2, 3, 4):
        source.deliver(month, [rows(SMALL, month)])
    found = found_by(source.connect(), Month(2025, 2), Month(2025, 3))
    assert [each.billing_period.month for each in found] == [2, 3]
    assert len(source.bucket.reads()) == (2 if source.has_manifest else 0)


def test_an_unchanged_source_costs_one_listing(source: Source) -> None:
    """A second identical run finds equal deliveries and sends nothing but the pages of one listing."""
    source.deliver(1, [rows(SMALL, 1), rows(SMALL, 2)])
    first_connector = source.connect()
    first = found_by(first_connector)
    contents(first_connector, first[0], source)
    before = source.bucket.count()
    again = source.connect()
    second = found_by(again)
    assert second == first
    assert contents(again, second[0], source) == [rows(SMALL, 1), rows(SMALL, 2)]
    sent = source.bucket.requests[before:]
    assert sent
    assert all(source.bucket.is_list(seen) for seen in sent)


def test_a_restated_month_changes_its_fingerprint_and_no_other(source: Source) -> None:
    """The fingerprint is of what the parts are, so a month written anew is another delivery."""
    source.deliver(1, [rows(SMALL, 1)])
    source.deliver(2, [rows(SMALL, 2)])
    connector = source.connect()
    before = found_by(connector)
    source.deliver(1, [rows(SMALL, 77)])
    after = found_by(connector)
    assert after[0].fingerprint != before[0].fingerprint
    assert after[1] == before[1]
    assert contents(connector, after[0], source) == [rows(SMALL, 77)]


def test_parts_are_fetched_byte_for_byte(source: Source) -> None:
    """What is fetched is what lies there; the name of a part is its address; counts of the manifest come along."""
    content = [rows(BIG, 1), rows(SMALL, 2), rows(SMALL, 3)]
    keys = source.deliver(1, content, records=SMALL)
    connector = source.connect()
    [delivery] = found_by(connector)
    parts = connector.fetch(delivery, source.cache())
    assert [part.path.read_bytes() for part in parts] == content
    assert all(part.name.endswith(key) for part, key in zip(parts, keys, strict=True))
    expected = SMALL if source.kind == "azure_export" else None
    assert [part.expected_records for part in parts] == [expected] * 3


def test_leftovers_and_side_files_are_never_parts(source: Source) -> None:
    """Files that no manifest lists, markers and empty files lie among the parts and are not taken."""
    [key] = source.deliver(1, [rows(SMALL, 1)])
    folder = key.rpartition("/")[0]
    source.bucket.write(f"{folder}/_SUCCESS", b"x")
    source.bucket.write(f"{folder}/part-00009.csv.gz", rows(SMALL, 9) if source.has_manifest else b"")
    [delivery] = found_by(source.connect())
    assert [part.key for part in delivery.parts] == [key]


def test_a_cut_body_resumes_where_it_ended(source: Source) -> None:
    """After a break the rest is asked for by range, on the condition that it is still the same object."""
    [key] = source.deliver(1, [rows(BIG, 1)])
    source.bucket.inject(Cut(after_bytes=40_000), path=source.bucket.path_of(key), skip=_heads(source))
    connector = source.connect()
    [delivery] = found_by(connector)
    assert contents(connector, delivery, source) == [rows(BIG, 1)]
    first, second = data_reads(source, key)
    assert "range" not in first
    assert second["range"] == "bytes=40000-"
    if source.kind == "gcs_export":
        asked = [seen for seen in source.bucket.requests if seen.path == source.bucket.path_of(key)]
        assert [seen.query["ifGenerationMatch"] for seen in asked] == [delivery.parts[0].etag] * 2
        assert {seen.headers["accept-encoding"] for seen in asked} == {"gzip"}, "objects come as they are stored"
    else:
        assert second["if-match"].strip('"') == first["if-match"].strip('"') == delivery.parts[0].etag.strip('"')


def test_a_part_that_changes_in_mid_read_is_never_mixed(source: Source) -> None:
    """Cut, replaced, resumed: the condition fails, nothing is kept, and it is told as a change under way."""
    [key] = source.deliver(1, [rows(BIG, 1)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Cut(after_bytes=40_000), path=source.bucket.path_of(key), skip=_heads(source))
    restate = {key: lambda: source.bucket.write(key, rows(BIG, 2))}
    if _heads(source):
        source.bucket.after_read[key] = lambda: source.bucket.after_read.update(restate)
    else:
        source.bucket.after_read.update(restate)
    with pytest.raises(NextRunError) as caught:
        connector.fetch(delivery, source.cache())
    assert caught.value.code == "CHANGED_UNDER_WAY"
    assert len(data_reads(source, key)) == 2
    assert cached(source) == []


def test_a_part_that_was_replaced_after_the_listing_is_refused(source: Source) -> None:
    """Listed in one version and read in another would not be the delivery that was found."""
    keys = source.deliver(1, [rows(SMALL, 1), rows(SMALL, 2)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.write(keys[1], rows(SMALL, 3))
    with pytest.raises(NextRunError, match="CHANGED_UNDER_WAY"):
        connector.fetch(delivery, source.cache())


def test_a_missing_part_is_told_and_nothing_is_returned(source: Source) -> None:
    """Half a delivery is no delivery, whether the part went before or after the listing."""
    keys = source.deliver(1, [rows(SMALL, 1), rows(SMALL, 2)])
    connector = source.connect()
    [delivery] = found_by(connector)
    del source.bucket.things[keys[1]]
    with pytest.raises(OffGridFlowError) as caught:
        connector.fetch(delivery, source.cache())
    assert caught.value.code in {"MISSING_PART", "CHANGED_UNDER_WAY"}
    if source.has_manifest:
        [refused] = source.connect().discover()
        assert isinstance(refused, RefusedDelivery)
        assert (refused.error.code, refused.billing_period) == ("MISSING_PART", Month(2025, 1))
        assert keys[1] in refused.error.sentence


def test_corrupt_bytes_are_found_and_fetched_again(source: Source) -> None:
    """One damaged transfer costs a second one."""
    [key] = source.deliver(1, [rows(BIG, 1)])
    source.bucket.inject(Corrupt(1000), path=source.bucket.path_of(key), skip=_heads(source))
    connector = source.connect()
    [delivery] = found_by(connector)
    assert contents(connector, delivery, source) == [rows(BIG, 1)]
    assert len(data_reads(source, key)) == 2


def test_bytes_that_stay_corrupt_are_refused(source: Source) -> None:
    """After three attempts it is an error, and the cache holds nothing."""
    [key] = source.deliver(1, [rows(BIG, 1)])
    source.bucket.inject(Corrupt(1000), path=source.bucket.path_of(key), times=None, skip=_heads(source))
    connector = source.connect()
    [delivery] = found_by(connector)
    with pytest.raises(TransientError, match="CHECKSUM_MISMATCH"):
        connector.fetch(delivery, source.cache())
    assert len(data_reads(source, key)) == 3
    assert cached(source) == []


@pytest.mark.parametrize("wish", [None, "7"])
def test_throttling_is_waited_out(source: Source, wish: str | None) -> None:
    """Throttled twice, with or without a wish to wait, it lists in the third attempt and waited as long as asked."""
    source.deliver(1, [rows(SMALL, 1)])
    source.bucket.inject(throttled(source.bucket.dialect, wish), times=2)
    assert len(found_by(source.connect())) == 1
    lists = [seen for seen in source.bucket.requests if source.bucket.is_list(seen)]
    pages = len(source.bucket.things) // 3 + (len(source.bucket.things) % 3 > 0)
    assert len(lists) == 2 + pages
    if wish is not None:
        assert [wait for wait in source.time.waits if wait >= 1] == [7.0, 7.0]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_passing_outages_are_retried_and_lasting_ones_end(source: Source, status: int) -> None:
    """A transient status is tried three times in all, for listings and for parts."""
    [key] = source.deliver(1, [rows(SMALL, 1)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Answer(status), times=2, path=source.bucket.path_of(key))
    assert contents(connector, delivery, source) == [rows(SMALL, 1)]
    source.bucket.inject(Answer(status), times=None)
    before = source.bucket.count()
    with pytest.raises(TransientError):
        list(connector.discover())
    assert source.bucket.count() - before == 3


def test_a_bare_500_is_not_retried(source: Source) -> None:
    """A status 500 without a documented code is fatal after one call."""
    source.bucket.inject(Answer(500), times=None)
    with pytest.raises(FatalError):
        list(source.connect().discover())
    assert source.bucket.count() == 1


def test_a_reset_connection_and_a_slow_body_do_no_harm(source: Source) -> None:
    """A reset before the answer is retried; a body that drips arrives whole."""
    [key] = source.deliver(1, [rows(SMALL, 1)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Reset(), path=source.bucket.path_of(key))
    source.bucket.inject(Drip(200, 0.001), path=source.bucket.path_of(key))
    assert contents(connector, delivery, source) == [rows(SMALL, 1)]


def test_refused_access_is_an_auth_error_after_one_call(source: Source) -> None:
    """Credentials are not tried again: not for a listing, not in mid-listing, not for a part."""
    [key] = source.deliver(1, [rows(SMALL, part) for part in range(1)])
    for number in range(6):
        source.bucket.write(f"cost/extra/{number}", b"x")
    connector = source.connect()
    denied = Answer(403, _DENIED[source.bucket.dialect])
    for skip in (0, 1):
        source.bucket.inject(denied, skip=skip)
        before = source.bucket.count()
        with pytest.raises(AuthError):
            list(connector.discover())
        assert source.bucket.count() - before == skip + 1
    source.bucket.things = {name: thing for name, thing in source.bucket.things.items() if "extra" not in name}
    [delivery] = found_by(connector)
    source.bucket.inject(denied, path=source.bucket.path_of(key))
    with pytest.raises(AuthError):
        connector.fetch(delivery, source.cache())


def test_check_names_what_is_missing(source: Source) -> None:
    """Where listing or reading is refused, check says which permission to grant, and ingests nothing."""
    source.deliver(1, [rows(SMALL, 1)])
    connector = source.connect()
    assert _steps(connector, source) == [("list", True, None), ("read", True, None)]
    denied = Answer(403, _DENIED[source.bucket.dialect])
    permissions = [permission.name for permission in connector.declaration.permissions]
    source.bucket.inject(denied, times=None, path=source.bucket.list_path)
    assert _steps(connector, source) == [("list", False, permissions[0])]
    source.bucket.forget_faults()
    for name in source.bucket.things:
        source.bucket.inject(denied, times=None, path=source.bucket.path_of(name))
    assert _steps(connector, source) == [("list", True, None), ("read", False, permissions[1])]
    assert cached(source) == []


def test_a_repeated_page_token_ends_the_walk(source: Source) -> None:
    """A listing that names a page again would never end: two pages are read, then it is a broken promise."""
    source.deliver(1, [rows(SMALL, 1)])
    source.bucket.stuck_at = "1"
    with pytest.raises(FatalError, match="PAGE_LOOP"):
        list(source.connect().discover())
    assert source.bucket.count() == 2


def test_an_interrupted_fetch_goes_on_in_the_next_run(source: Source) -> None:
    """What an earlier process had read is not read again."""
    [key] = source.deliver(1, [rows(BIG, 1)])
    [delivery] = found_by(source.connect())
    path = source.bucket.path_of(key)
    source.bucket.inject(Cut(after_bytes=40_000), path=path, skip=_heads(source))
    source.bucket.inject(Answer(401), path=path, skip=_heads(source))
    with pytest.raises(ClassifiedError):
        source.connect().fetch(delivery, source.cache())
    assert contents(source.connect(), delivery, source) == [rows(BIG, 1)]
    assert data_reads(source, key)[-1]["range"] == "bytes=40000-"


def test_a_broken_month_does_not_stop_the_others(source: Source) -> None:
    """What is wrong with one month is told with its key; the other months are found."""
    source.deliver(1, [rows(SMALL, 1)])
    source.deliver(2, [rows(SMALL, 2)])
    broken = source.manifest_of(1) if source.has_manifest else "cost/nameless.csv"
    source.bucket.write(broken, b"{")
    refused = [each for each in source.connect().discover() if isinstance(each, RefusedDelivery)]
    good = [each for each in source.connect().discover() if isinstance(each, Delivery)]
    assert [(each.key, each.error.code) for each in refused] == [
        (broken, "BAD_MANIFEST" if source.has_manifest else "NO_MONTH_IN_NAME")
    ]
    assert Month(2025, 2) in [each.billing_period for each in good]


def test_secrets_stay_out_of_logs_events_and_errors(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """The canary is in every credential; it is sent, and told nowhere."""
    caplog.set_level(logging.INFO)
    [key] = source.deliver(1, [rows(SMALL, 1)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Answer(403, _DENIED[source.bucket.dialect]), path=source.bucket.path_of(key))
    with pytest.raises(AuthError) as caught:
        connector.fetch(delivery, source.cache())
    contents(connector, delivery, source)
    told = repr(
        (source.heard, caught.value, "".join(traceback.format_exception(caught.value)), connector.check(), delivery)
    )
    assert "canary" not in told
    assert "canary" not in caplog.text
    sent = repr([(seen.query, seen.headers) for seen in source.bucket.requests])
    assert ("canary" in sent) == (source.bucket.dialect is not Dialect.S3), "S3 signs and never sends its secret"


def test_every_source_type_declares_what_it_needs() -> None:
    """Each kind names itself as the settings do, refuses unknown settings and says what it must be allowed."""
    for name in names():
        declaration = kind(name).declaration
        assert declaration.name == name
        assert len(declaration.permissions) >= 2
        assert declaration.settings.model_config["extra"] == "forbid"
    with pytest.raises(UsageError, match="aws_cur, aws_data_export"):
        kind("aws_curr")


_DENIED = {
    Dialect.S3: "AccessDenied",
    Dialect.AZURE_BLOB: "AuthorizationPermissionMismatch",
    Dialect.GOOGLE: "forbidden",
}


def _heads(source: Source) -> int:
    """Return how many requests go to a part's path before its data: S3 is asked for its checksum."""
    return 1 if source.bucket.dialect is Dialect.S3 else 0


def _steps(connector: Connector, source: Source) -> list[tuple[str, bool, str | None]]:
    report = connector.check()
    return [(step.name, step.ok, step.missing) for step in report.steps if step.name != "identity"]


def test_shipped_policies_grant_what_is_declared_and_only_reading() -> None:
    """Every permission that a connector names is in a policy file or is a built-in role, and no file grants more."""
    folder = files("offgridflow") / "policies"
    granted = "".join(entry.read_text() for entry in folder.iterdir() if entry.name != "aws-role-trust.json")
    for name in ("aws_cur", "aws_data_export", "gcs_export"):
        for permission in kind(name).declaration.permissions:
            assert permission.name in granted
    reader = json.loads((folder / "azure-billing-export-reader.json").read_text())
    assert reader["DataActions"] == ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"]
    assert reader["Actions"] == []
    statements = json.loads((folder / "aws-billing-export-reader.json").read_text())["Statement"]
    assert [statement["Action"] for statement in statements] == ["s3:ListBucket", "s3:GetObject"]
    trust = json.loads((folder / "aws-role-trust.json").read_text())["Statement"]
    assert trust[0]["Condition"] == {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}


def test_wrong_settings_are_named_without_their_values(tmp_path: Path) -> None:
    """An unknown key, a missing one and a wrong one are named with their place; what was written is not repeated."""
    around = Surroundings("acme", Door(), Cache(tmp_path))
    for table in ({"type": "gcs_export"}, {"type": "gcs_export", "bucket": "b", "canary": "canary-secret"}):
        with pytest.raises(UsageError, match=r"sources\.acme\.") as caught:
            connect(table, around)
        assert "canary-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "module", "extra"),
    [
        ({"type": "aws_cur", "bucket": "b"}, "boto3", "aws"),
        ({"type": "azure_export", "account_url": "https://a", "container": "c"}, "azure.storage.blob", "azure"),
        ({"type": "gcs_export", "bucket": "b"}, "google.auth.transport.requests", "gcp"),
    ],
)
def test_a_missing_sdk_names_the_install_command(
    table: dict[str, object], module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting needs no SDK; the first call says which extra is missing."""
    monkeypatch.setitem(sys.modules, module, None)
    connector = connect(table, Surroundings("acme", Door(), Cache(tmp_path)))
    with pytest.raises(MissingExtraError, match=rf"pip install 'offgridflow\[{extra}\]'"):
        list(connector.discover())


def test_members_of_archives_are_parts(source: Source) -> None:
    """A ZIP part (legacy reports) comes as its members, under the name of the part."""
    if source.kind != "aws_cur":
        pytest.skip("only legacy reports come as ZIP")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/acme-1.csv", b"a,b\n1,2\n")
    source.deliver(1, [stream.getvalue()])
    connector = source.connect()
    [delivery] = found_by(connector)
    [part] = connector.fetch(delivery, source.cache())
    assert part.path.read_bytes() == b"a,b\n1,2\n"
    assert part.name.startswith(f"s3://exports/{delivery.parts[0].key}!")


def test_content_that_is_no_export_is_refused_by_its_address(source: Source) -> None:
    """The error names the object where it lies, not a file of the cache."""
    source.deliver(1, [b"\x89PNG and so on"])
    connector = source.connect()
    [delivery] = found_by(connector)
    with pytest.raises(InputError, match="UNKNOWN_CONTENT") as caught:
        connector.fetch(delivery, source.cache())
    assert delivery.parts[0].key in caught.value.sentence
    assert str(source.folder) not in str(caught.value)


def test_two_fetches_at_once_read_each_part_once(source: Source) -> None:
    """One writer per cached file: the other one waits and takes what is there."""
    keys = source.deliver(1, [rows(BIG, 1), rows(BIG, 2)])
    connectors = [source.connect(), source.connect()]
    [delivery] = found_by(connectors[0])
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda connector: contents(connector, delivery, source), connectors))
    assert both == [[rows(BIG, 1), rows(BIG, 2)]] * 2
    assert [len(data_reads(source, key)) for key in keys] == [1, 1]


def test_sweep_removes_what_was_not_used_for_longest(source: Source) -> None:
    """The cache is bounded by bytes, oldest use first."""
    source.deliver(1, [rows(BIG, 1)])
    source.deliver(2, [rows(SMALL, 2)])
    connector = source.connect()
    january, february = found_by(connector)
    cache = source.cache()
    contents(connector, january, source)
    contents(connector, february, source)
    for path in cached(source):
        os.utime(path, (1, 1))
    contents(connector, january, source)
    assert cache.sweep(january.size_bytes + february.size_bytes) == 0
    assert cache.sweep(january.size_bytes) == february.size_bytes
    assert [path.stat().st_size for path in cached(source)] == [january.size_bytes]


def test_a_composed_object_is_verified_by_its_crc32c(source: Source) -> None:
    """Cloud Storage keeps only a CRC-32C of objects that were composed of others; it is compared as well."""
    if source.kind != "gcs_export":
        pytest.skip("only Cloud Storage composes objects")
    [key] = source.deliver(1, [rows(BIG, 1)])
    source.bucket.composed = True
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Corrupt(1000), path=source.bucket.path_of(key))
    with pytest.raises(TransientError, match="CHECKSUM_MISMATCH"):
        connector.fetch(delivery, source.cache())
    assert cached(source) == []
    assert contents(connector, delivery, source) == [rows(BIG, 1)]


def test_after_a_failure_no_other_part_is_begun(source: Source) -> None:
    """A refused part ends the fetch with its own error; of the parts after it most are never asked for."""
    keys = source.deliver(1, [rows(SMALL, number) for number in range(30)])
    connector = source.connect()
    [delivery] = found_by(connector)
    source.bucket.inject(Answer(403, _DENIED[source.bucket.dialect]), path=source.bucket.path_of(keys[0]))
    for key in keys[1:]:
        source.bucket.inject(Delay(0.05), path=source.bucket.path_of(key))
    with pytest.raises(AuthError):
        connector.fetch(delivery, source.cache())
    assert sum(bool(data_reads(source, key)) for key in keys) < 15
