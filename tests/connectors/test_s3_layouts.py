"""How AWS lays exports into buckets: every documented folder scheme, and manifests that cannot be believed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from offgridflow.connectors.aws.layouts import AwsLayout
from offgridflow.connectors.delivery import Delivery, RefusedDelivery, RemoteKind
from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month

Shelf = Any  # tests/connectors/conftest.py: test folders are not packages
START = datetime(2025, 3, 1, tzinfo=UTC)
PERIOD = {"start": "20250101T000000.000Z", "end": "20250201T000000.000Z"}
A, B = "3695a728-8cf2-4f24-8d2a-000000000001", "3695a728-8cf2-4f24-8d2a-000000000002"


def layout(*, legacy: bool, export: str | None = None, prefix: str = "", hours: float = 99) -> AwsLayout:
    return AwsLayout(prefix, export, legacy, timedelta(hours=1), lambda: START + timedelta(hours=hours))


def cur(keys: list[str], assembly: str = A, **other: object) -> dict[str, object]:
    return {"assemblyId": assembly, "billingPeriod": PERIOD, "reportKeys": keys, **other}


def one(layout: AwsLayout, shelf: Shelf) -> Delivery:
    [found] = layout.deliveries(shelf.seen())
    assert isinstance(found, Delivery), found
    return found


def refusal(layout: AwsLayout, shelf: Shelf) -> RefusedDelivery:
    [found] = layout.deliveries(shelf.seen())
    assert isinstance(found, RefusedDelivery), found
    return found


def keys_of(delivery: Delivery) -> list[str]:
    return [part.key for part in delivery.parts]


@pytest.mark.parametrize("folder", ["20250101-20250131", "20250101-20250201"])
def test_create_new_takes_the_assembly_of_the_month_folders_manifest(shelf: Shelf, folder: str) -> None:
    """The manifest one level up names the current assembly; manifests and files of older assemblies do not count."""
    for minute, assembly in enumerate((A, B)):
        key = f"p/acme/{folder}/{assembly}/acme-1.csv.gz"
        shelf.put(key, assembly.encode(), minute)
        shelf.put(f"p/acme/{folder}/{assembly}/acme-Manifest.json", cur([key], assembly), minute + 5)
        shelf.put(f"p/acme/{folder}/acme-Manifest.json", cur([key], assembly), minute)
    found = one(layout(legacy=True), shelf)
    assert keys_of(found) == [f"p/acme/{folder}/{B}/acme-1.csv.gz"]
    assert shelf.read == [f"p/acme/{folder}/acme-Manifest.json"]


def test_without_a_month_manifest_the_newest_assembly_counts(shelf: Shelf) -> None:
    """Where only the assemblies have manifests, the one that was written last is the current one."""
    for minute, assembly in ((5, B), (9, A)):
        key = f"acme/20250101-20250201/{assembly}/acme-1.csv.gz"
        shelf.put(key, b"x", minute)
        shelf.put(f"acme/20250101-20250201/{assembly}/acme-Manifest.json", cur([key], assembly), minute)
    assert keys_of(one(layout(legacy=True), shelf)) == [f"acme/20250101-20250201/{A}/acme-1.csv.gz"]


def test_overwritten_reports_leave_files_that_are_not_listed(shelf: Shelf) -> None:
    """A month that shrank from three files to two has two; the third lies there with old or empty data."""
    keys = [f"acme/20250101-20250201/acme-{number}.csv.gz" for number in (1, 2, 3)]
    for key in keys:
        shelf.put(key)
    shelf.put("acme/20250101-20250201/acme-Manifest.json", cur(keys[:2]), 1)
    found = one(layout(legacy=True), shelf)
    assert keys_of(found) == keys[:2]
    assert found.format_hint == "aws_cur_legacy"


def test_the_athena_layout_is_found_through_its_manifest(shelf: Shelf) -> None:
    """Parquet lies in year= and month= folders beside the month folders that hold the manifests."""
    key = "p/acme/acme/year=2025/month=1/acme-00001.snappy.parquet"
    shelf.put(key)
    shelf.put("p/acme/acme/cost_and_usage_data_status/x.parquet")
    shelf.put("p/acme/20250101-20250201/acme-Manifest.json", cur([key]), 1)
    found = one(layout(legacy=True), shelf)
    assert [(part.key, part.kind) for part in found.parts] == [(key, RemoteKind.PARQUET)]


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ("/acme/20250101-20250201/acme-1.csv.gz", "acme/20250101-20250201/acme-1.csv.gz"),
        ("/acme/20250101-20250201/acme-1.csv.gz", "/acme/20250101-20250201/acme-1.csv.gz"),
        ("s3://other-bucket/p//acme/a:1.csv.gz", "p//acme/a:1.csv.gz"),
        ("exports/p/acme/a.csv.gz", "p/acme/a.csv.gz"),
    ],
)
def test_keys_are_matched_as_they_are_written(shelf: Shelf, listed: str, stored: str) -> None:
    """Leading slashes, URIs and bucket names are understood; doubled slashes and colons are kept."""
    shelf.put(stored)
    shelf.put("acme/20250101-20250201/acme-Manifest.json", cur([listed]), 1)
    assert keys_of(one(layout(legacy=True), shelf)) == [stored]


def test_of_csv_and_parquet_one_kind_is_taken(shelf: Shelf) -> None:
    """Both listed are the same lines twice: Parquet counts, but CSV does where only CSV is whole."""
    folder = "acme/20250101-20250201"
    keys = [f"{folder}/a-1.csv.gz", f"{folder}/a-1.snappy.parquet", f"{folder}/a-2.snappy.parquet"]
    shelf.put(f"{folder}/acme-Manifest.json", cur(keys), 1)
    for key in keys:
        shelf.put(key)
    assert keys_of(one(layout(legacy=True), shelf)) == keys[1:]
    del shelf.things[keys[2]]
    assert keys_of(one(layout(legacy=True), shelf)) == keys[:1]


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ({"assemblyId": A, "reportKeys": ["k"]}, "does not speak of 2025-01"),
        (cur(["k"], billingPeriod={"start": "20250201T000000.000Z"}), "does not speak of 2025-01"),
        (cur(["k"], assembly=""), "has no assemblyId"),
        (cur([]), "lists no files"),
        ({"billingPeriod": PERIOD}, "lists no files"),
        (["k"], "not a JSON object"),
        (b"\xff\xfe", "not readable JSON"),
        (b"[" * 100_000, "not readable JSON"),
    ],
)
def test_a_manifest_that_cannot_be_believed_is_refused(shelf: Shelf, manifest: object, why: str) -> None:
    """Period, assembly and files are checked before a byte of data is fetched."""
    shelf.put("acme/20250101-20250201/acme-Manifest.json", manifest)
    found = refusal(layout(legacy=True), shelf)
    assert (found.error.code, found.billing_period) == ("BAD_MANIFEST", Month(2025, 1))
    assert why in found.error.sentence


def test_the_manifest_of_another_assembly_is_refused(shelf: Shelf) -> None:
    """A manifest in an assembly's folder speaks of that assembly or is not believed."""
    shelf.put(f"acme/20250101-20250201/{A}/acme-Manifest.json", cur(["k"], B))
    assert "speaks of" in refusal(layout(legacy=True), shelf).error.sentence


@pytest.mark.parametrize("partition", ["BILLING_PERIOD=2025-01", "billing_period=2025-01"])
@pytest.mark.parametrize("field", ["dataFiles", "reportKeys", "exportedFiles"])
def test_data_exports_are_read_leniently(shelf: Shelf, partition: str, field: str) -> None:
    """Partition names in either case; files under any of the names that a manifest gives them."""
    key = f"p//exp/data/{partition}/exp-00001.csv.gz"
    shelf.put(key)
    manifest = {"executionId": "e", field: [f"s3://b/{key}"], "columns": [{"name": "BilledCost"}]}
    shelf.put(f"p//exp/metadata/{partition}/exp-Manifest.json", manifest, 1)
    found = one(layout(legacy=False), shelf)
    assert keys_of(found) == [key]
    assert found.format_hint == "focus"


def test_create_new_data_exports_take_the_newest_execution(shelf: Shelf) -> None:
    """Where only executions have manifests, the timestamp of the folder decides, not the time of a copy."""
    base = "p/exp/{}/BILLING_PERIOD=2025-01/{}/"
    for minute, run in ((9, "2025-01-05T00:00:00.000Z-a"), (2, "2025-01-18T20:16:37.306Z-b")):
        key = base.format("data", run) + "exp-00001.csv.gz"
        shelf.put(key, run.encode(), minute)
        shelf.put(base.format("metadata", run) + "exp-Manifest.json", {"dataFiles": [key]}, minute)
    assert keys_of(one(layout(legacy=False), shelf)) == [
        "p/exp/data/BILLING_PERIOD=2025-01/2025-01-18T20:16:37.306Z-b/exp-00001.csv.gz"
    ]


def test_a_delivery_that_is_being_written_is_left_for_the_next_run(shelf: Shelf) -> None:
    """A part newer than its manifest means that the next delivery is on its way, unless that was long ago (a copy)."""
    key = "acme/20250101-20250201/acme-1.csv.gz"
    shelf.put(key, b"x", 10)
    shelf.put("acme/20250101-20250201/acme-Manifest.json", cur([key]), 5)
    assert refusal(layout(legacy=True, hours=1), shelf).error.code == "DELIVERY_UNDER_WAY"
    assert keys_of(one(layout(legacy=True, hours=2), shelf)) == [key]
    shelf.put("acme/20250101-20250201/acme-Manifest.json", cur([key]), 11)
    assert keys_of(one(layout(legacy=True, hours=0.2), shelf)) == [key], "a whole delivery counts at once"


def test_a_month_is_final_two_weeks_after_its_end(shelf: Shelf) -> None:
    """The delivery of 1 March is final for January and not for February."""
    for month in (1, 2):
        key = f"exp/data/BILLING_PERIOD=2025-0{month}/exp-00001.csv.gz"
        shelf.put(key)
        shelf.put(f"exp/metadata/BILLING_PERIOD=2025-0{month}/exp-Manifest.json", {"dataFiles": [key]})
    found = list(layout(legacy=False).deliveries(shelf.seen()))
    assert [each.final for each in found if isinstance(each, Delivery)] == [True, False]


@pytest.mark.parametrize("prefix", ["", "p", "p/"])
@pytest.mark.parametrize("slash", ["/", "//"])
@pytest.mark.parametrize("legacy", [True, False])
def test_narrow_listings_still_hold_every_key_of_the_month(prefix: str, slash: str, *, legacy: bool) -> None:
    """With name and first month, what is listed holds all that the month needs, whatever slashes AWS put before it."""
    root = f"p{slash}acme/" if prefix else f"{slash.removesuffix('/')}acme/"
    folders = ["20250201-20250301", "acme/year=2025/month=2"] if legacy else ["data/BILLING_PERIOD=2025-02"]
    folders += [] if legacy else ["metadata/BILLING_PERIOD=2025-02", "data/billing_period=2025-02"]
    listings = list(layout(legacy=legacy, export="acme", prefix=prefix).listings(Month(2025, 2)))
    for folder in folders:
        key = f"{root}{folder}/x"
        assert any(key.startswith(start) and (after is None or key > after) for start, after in listings), key
    early = f"{root}20250101-20250201/x" if legacy else f"{root}data/BILLING_PERIOD=2025-01/x"
    assert not any(early.startswith(start) and (after is None or early > after) for start, after in listings)


def test_several_exports_are_told_apart_by_name(shelf: Shelf) -> None:
    """Two exports under one prefix need the setting ``export``; with it the other one is not seen."""
    for name in ("one", "two"):
        key = f"p/{name}/data/BILLING_PERIOD=2025-01/{name}-00001.csv.gz"
        shelf.put(key)
        shelf.put(f"p/{name}/metadata/BILLING_PERIOD=2025-01/{name}-Manifest.json", {"dataFiles": [key]})
    with pytest.raises(UsageError, match="one, two"):
        list(layout(legacy=False).deliveries(shelf.seen()))
    assert "two" in keys_of(one(layout(legacy=False, export="two"), shelf))[0]


def test_keys_that_only_look_like_months_are_left_aside(shelf: Shelf) -> None:
    """A thirteenth month and a foreign folder are not manifests of ours."""
    shelf.put("acme/20251301-20251401/acme-Manifest.json", cur(["k"]))
    shelf.put("other/acme-Manifest.json", cur(["k"]))
    assert list(layout(legacy=True).deliveries(shelf.seen())) == []
