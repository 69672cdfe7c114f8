"""Azure Blob and Cloud Storage as their emulators serve them, through the same clients as in production."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cloud.door import Door
from offgridflow.cloud.errors import AuthError, NextRunError
from offgridflow.cloud.events import Called, Event
from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Delivery
from offgridflow.connectors.registry import connect
from offgridflow.domain.errors import InputError
from support.emulators import AZURITE, Store, blob_store, gcs_store, has_gcs_server

Stores = dict[str, Store]
_LARGE = 6 * 2**20
_DAYS = {1: 31, 2: 28}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A container of Azurite."""
    if not AZURITE.is_file():
        pytest.skip("Azurite is not installed: npm install --no-save azurite at the root (.ci/run does)")
    with blob_store(tmp_path_factory.mktemp("azurite")) as store:
        yield store


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A bucket of fake-gcs-server."""
    if not has_gcs_server():
        pytest.skip("fake-gcs-server is not installed: its wheel is for Linux on x86-64 (make setup does)")
    with gcs_store(tmp_path_factory.mktemp("gcs")) as store:
        yield store


@pytest.fixture(params=["azure", "gcs"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found


class Export:
    """An export of one test in a store: parts by month, and at Azure a manifest."""

    def __init__(self, store: Store, folder: Path, name: str) -> None:
        self.store = store
        self.name = name
        self.heard: list[Event] = []
        self._folder = folder
        self._is_azure = store.settings()["type"] == "azure_export"

    def key(self, month: int, number: int) -> str:
        """Return the key of a part, with a doubled slash and a colon."""
        folder = (
            f"2025{month:02d}01-2025{month:02d}{_DAYS[month]}/at:1"
            if self._is_azure
            else f"at:1/invoice_month=2025-{month:02d}"
        )
        return f"{self.name}//{folder}/part-{number:05d}.csv"

    def deliver(self, month: int, contents: list[bytes]) -> None:
        """Write a month."""
        keys = [self.key(month, number) for number in range(len(contents))]
        for key, content in zip(keys, contents, strict=True):
            self.store.put(key, content)
        if self._is_azure:
            blobs = [{"blobName": key, "byteCount": len(each)} for key, each in zip(keys, contents, strict=True)]
            run = {"submittedTime": f"2025-{month:02d}-28T06:00:00Z", "runId": "at:1"}
            config = {"exportName": self.name, "type": "ActualCost"}
            manifest = {"manifestVersion": "2024-04-01", "blobs": blobs, "runInfo": run, "exportConfig": config}
            self.store.put(f"{keys[0].rpartition('/')[0]}/manifest.json", json.dumps(manifest).encode())

    def connector(self, **settings: Any) -> BucketConnector:  # noqa: ANN401 - settings of a source
        """Return the connector."""
        table = {**self.store.settings(), "prefix": f"{self.name}/", **settings}
        made = connect(table, Surroundings("acme", Door(listener=self.heard.append), Cache(self._folder / "small")))
        assert isinstance(made, BucketConnector)
        return made

    def deliveries(self) -> list[Delivery]:
        """Return what is found."""
        found = list(self.connector().discover())
        assert all(isinstance(each, Delivery) for each in found), found
        return [each for each in found if isinstance(each, Delivery)]

    def contents(self, delivery: Delivery) -> list[bytes]:
        """Fetch a delivery."""
        return [part.path.read_bytes() for part in self.connector().fetch(delivery, Cache(self._folder / "cache"))]


@pytest.fixture
def export(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Export:
    """An export under a prefix of its own."""
    return Export(store, tmp_path, request.node.name.replace("[", "-").replace("]", ""))


def csv(seed: int, size: int = 2_000) -> bytes:
    """Return a CSV of at least so many bytes."""
    dice = random.Random(seed)  # noqa: S311 - sample data
    lines = (f"{dice.random()},{dice.random()}\n" for _ in range(size // 36 + 1))
    return ("a,b\n" + "".join(lines)).encode()


def test_months_are_found_with_their_parts_and_read_byte_for_byte(export: Export) -> None:
    """Odd keys, several parts, a part of several mebibytes: sizes and bytes are those that were written."""
    written = {1: [csv(1), csv(2, _LARGE)], 2: [csv(3)]}
    for month, contents in written.items():
        export.deliver(month, contents)
    found = export.deliveries()
    assert [str(each.billing_period) for each in found] == ["2025-01", "2025-02"]
    for each, (month, contents) in zip(found, written.items(), strict=True):
        assert [part.key for part in each.parts] == [export.key(month, number) for number in range(len(contents))]
        assert [part.size_bytes for part in each.parts] == [len(content) for content in contents]
        assert export.contents(each) == contents


def test_a_month_of_many_parts_is_whole(export: Export) -> None:
    """Forty parts are found and fetched, each once and in order."""
    contents = [csv(number, 40) for number in range(40)]
    export.deliver(1, contents)
    [delivery] = export.deliveries()
    assert export.contents(delivery) == contents


def test_what_was_fetched_is_not_asked_for_again_and_a_restatement_is(export: Export) -> None:
    """An unchanged month costs its listing; written anew it has another fingerprint and other bytes."""
    export.deliver(1, [csv(1)])
    [before] = export.deliveries()
    assert export.contents(before) == [csv(1)]
    export.heard.clear()
    [again] = export.deliveries()
    assert again == before
    assert export.contents(again) == [csv(1)]
    assert len({event.operation for event in export.heard if isinstance(event, Called)}) == 1, "only the listing"
    export.deliver(1, [csv(2)])
    [after] = export.deliveries()
    assert after.fingerprint != before.fingerprint
    assert export.contents(after) == [csv(2)]


def test_a_part_that_went_away_is_missing(export: Export) -> None:
    """Listed and gone: no parts are returned, and the error names the key."""
    export.deliver(1, [csv(1), csv(2)])
    [delivery] = export.deliveries()
    export.store.remove(export.key(1, 1))
    with pytest.raises((InputError, NextRunError), match=r"MISSING_PART|CHANGED_UNDER_WAY"):
        export.contents(delivery)


def test_check_reads_a_listing_and_a_part(export: Export) -> None:
    """With what it needs check is well."""
    export.deliver(1, [csv(1)])
    assert [(step.name, step.ok) for step in export.connector().check().steps] == [("list", True), ("read", True)]


def test_a_signature_that_azurite_refuses_is_auth(azure: Store, tmp_path: Path) -> None:
    """Azurite does check a SAS: a forged one is an auth error after one call, and check names the role."""
    export = Export(azure, tmp_path, "refused")
    export.deliver(1, [csv(1)])
    token = str(azure.settings()["sas_token"])
    forged = token.replace(token.partition("sig=")[2][:6], "AAAAAA")
    with pytest.raises(AuthError):
        list(export.connector(sas_token=forged).discover())
    assert [event.outcome for event in export.heard if isinstance(event, Called)] == ["auth"]
    [step] = [step for step in export.connector(sas_token=forged).check().steps if not step.ok]
    assert step.missing == export.connector().declaration.permissions[0].name
