"""Unloaded exports name their month in a folder or in their name; all of a month is one delivery."""

from typing import Any

import pytest

from offgridflow.connectors.delivery import Delivery, RefusedDelivery
from offgridflow.connectors.gcp.layouts import GcsLayout, month_of
from offgridflow.domain.periods import Month

Shelf = Any  # tests/connectors/conftest.py: test folders are not packages


@pytest.mark.parametrize(
    "key",
    [
        "2025-01/part-0.csv",
        "202501/000000000000",
        "invoice_month=202501/a.parquet",
        "invoice.month=2025-01/a.json.gz",
        "2025/01/a.csv",
        "year=2025/month=1/a.parquet",
        "usage=2025-01-15/a.csv",
        "20250101-20250131/a.csv",
        "2024-12/deeper/2025-01/a.csv",
        "202501_2025-01-08_2025-01-11.csv",
        "billing-2025-01.csv.gz",
        "2025-01-15_5.csv",
    ],
)
def test_a_month_is_read_from_folder_or_name(key: str) -> None:
    """The innermost folder that names a month decides, else the first month in the name."""
    assert month_of(key) == Month(2025, 1)


@pytest.mark.parametrize("key", ["a.csv", "2025-13/a.csv", "12025-01x/a.csv", "part-000000000001.csv", "2025/a.csv"])
def test_no_month_is_made_up(key: str) -> None:
    """Digits that are no month are no month."""
    assert month_of(key) is None


def found_by(shelf: Shelf) -> list[Delivery]:
    return [each for each in GcsLayout("p/").deliveries(shelf.seen()) if isinstance(each, Delivery)]


def test_a_month_in_two_formats_counts_once(shelf: Shelf) -> None:
    """The same rows as CSV and as Parquet are the same rows: Parquet is taken."""
    shelf.put("p/2025-01/a-0.csv")
    shelf.put("p/2025-01/a-1.csv")
    shelf.put("p/2025-01/a-0.parquet")
    [found] = found_by(shelf)
    assert [part.key for part in found.parts] == ["p/2025-01/a-0.parquet"]


def test_an_added_renamed_or_rewritten_object_is_another_delivery(shelf: Shelf) -> None:
    """The fingerprint is of names, generations and sizes, in any order."""
    shelf.put("p/2025-01/a-0.csv", b"one")
    prints = {found_by(shelf)[0].fingerprint}
    shelf.put("p/2025-01/a-1.csv", b"one")
    prints.add(found_by(shelf)[0].fingerprint)
    shelf.put("p/2025-01/a-1.csv", b"two")
    prints.add(found_by(shelf)[0].fingerprint)
    shelf.put("p/2025-01/b-1.csv", b"two")
    del shelf.things["p/2025-01/a-1.csv"]
    prints.add(found_by(shelf)[0].fingerprint)
    assert len(prints) == 4
    shelf.things = dict(reversed(shelf.things.items()))
    assert found_by(shelf)[0].fingerprint in prints


def test_objects_without_a_month_are_told_once(shelf: Shelf) -> None:
    """They cannot be taken, and that is said with a number and an example; months beside them go on."""
    shelf.put("p/a.csv")
    shelf.put("p/b.csv")
    shelf.put("p/2025-01/a.csv")
    refused, found = GcsLayout("p/").deliveries(shelf.seen())
    assert isinstance(refused, RefusedDelivery)
    assert refused.error.sentence.startswith("2 objects name no month")
    assert isinstance(found, Delivery)
