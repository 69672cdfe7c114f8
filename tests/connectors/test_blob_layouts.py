"""How Cost Management lays exports into containers: all versions of its manifest, and which run counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from offgridflow.connectors.azure.layouts import AzureLayout
from offgridflow.connectors.delivery import Delivery, RefusedDelivery
from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month

Shelf = Any  # tests/connectors/conftest.py: test folders are not packages
INPUTS = Path(__file__).parents[2] / "../shared/inputs"
MONTH = "20250101-20250131"


def layout(export: str | None = None, cost_type: str | None = None) -> AzureLayout:
    return AzureLayout("", export, cost_type)


def run(
    shelf: Shelf,
    folder: str,
    *,
    submitted: str | None = None,
    kind: str | None = "ActualCost",
    minute: int = 0,
    **top: object,
) -> str:
    """Put one run of one part of 4 bytes and 2 rows; return the key of the part."""
    key = f"{folder}/part_0_0001.csv"
    shelf.put(key, b"abcd", minute)
    manifest: dict[str, object] = {"manifestVersion": "2024-04-01", "blobCount": 1, "byteCount": 4, "dataRowCount": 2}
    manifest["blobs"] = [{"blobName": key, "byteCount": 4, "dataRowCount": 2}]
    if submitted is not None:
        manifest["runInfo"] = {"submittedTime": submitted}
    if kind is not None:
        manifest["exportConfig"] = {"type": kind}
    shelf.put(f"{folder}/manifest.json", manifest | top, minute)
    return key


def found_by(layout: AzureLayout, shelf: Shelf) -> Delivery:
    [found] = layout.deliveries(shelf.seen())
    assert isinstance(found, Delivery), found
    return found


def refused_by(layout: AzureLayout, shelf: Shelf) -> RefusedDelivery:
    [found] = layout.deliveries(shelf.seen())
    assert isinstance(found, RefusedDelivery), found
    return found


@pytest.mark.inputs
def test_the_real_manifest_of_2021_is_understood(shelf: Shelf) -> None:
    """The oldest version has no run and no configuration: path and list say it all."""
    path = INPUTS / "azure/other-headers/manifest.json"
    if not path.exists():
        pytest.skip("../shared/inputs is not here")
    content = json.loads(path.read_text())
    key = content["blobs"][0]["blobName"]
    shelf.put(key.replace("000001.csv", "manifest.json"), content)
    shelf.put(key, b"x" * 423869)
    found = found_by(layout(), shelf)
    assert found.billing_period == Month(2023, 1)
    assert [(part.key, part.expected_records) for part in found.parts] == [(key, 490)]
    assert found.submitted_at.isoformat() == "2023-01-04T14:42:00+00:00"


def test_the_newest_submitted_run_wins(shelf: Shelf) -> None:
    """Neither the time of writing nor the order of names decides, but when the run was submitted."""
    run(shelf, f"d/exp/{MONTH}/zzz", submitted="2025-01-10T01:00:00.0000000Z", minute=9)
    newest = run(shelf, f"d/exp/{MONTH}/aaa", submitted="2025-01-20T01:00:00.0000000Z", minute=1)
    assert [part.key for part in found_by(layout(), shelf).parts] == [newest]


def test_runs_without_a_time_are_told_apart_by_their_folder(shelf: Shelf) -> None:
    """Create-new exports of old versions carry the minute of the run in the path."""
    run(shelf, f"d/exp/{MONTH}/202501100600/guid", kind=None, minute=9)
    newest = run(shelf, f"d/exp/{MONTH}/202501200600/guid", kind=None, minute=1)
    assert [part.key for part in found_by(layout(), shelf).parts] == [newest]


def test_a_run_without_rows_is_a_delivery_without_parts(shelf: Shelf) -> None:
    """``blobCount`` of zero or null with no list is a month that holds nothing, and it replaces what was before."""
    for count in (0, None):
        shelf.put(f"d/exp/{MONTH}/guid/manifest.json", {"manifestVersion": "2024-04-01", "blobCount": count})
        found = found_by(layout(), shelf)
        assert (found.parts, found.billing_period) == ((), Month(2025, 1))


@pytest.mark.parametrize(("field", "value"), [("blobCount", 2), ("byteCount", 5), ("dataRowCount", 3)])
def test_totals_that_contradict_the_list_are_refused(shelf: Shelf, field: str, value: int) -> None:
    """A manifest whose own totals are not those of its files is not believed."""
    top: dict[str, Any] = {field: value}
    run(shelf, f"d/exp/{MONTH}/guid", **top)
    refused = refused_by(layout(), shelf)
    assert refused.error.code == "BAD_MANIFEST"
    assert field in refused.error.sentence


def test_a_part_of_another_size_than_listed_is_refused(shelf: Shelf) -> None:
    """``byteCount`` is the check of integrity: a part that is being overwritten does not pass."""
    key = run(shelf, f"d/exp/{MONTH}/guid")
    shelf.put(key, b"abcde")
    assert refused_by(layout(), shelf).error.code == "PART_SIZE"


def test_actual_and_amortised_never_both(shelf: Shelf) -> None:
    """Under one prefix they need a decision; with it the other one is not seen, whatever its run's age."""
    actual = run(shelf, f"d/exp/{MONTH}/a", submitted="2025-01-10T00:00:00Z")
    amortised = run(shelf, f"d/exp/{MONTH}/b", submitted="2025-01-20T00:00:00Z", kind="AmortizedCost")
    with pytest.raises(UsageError, match="actual, amortized"):
        list(layout().deliveries(shelf.seen()))
    assert [part.key for part in found_by(layout(cost_type="actual"), shelf).parts] == [actual]
    assert [part.key for part in found_by(layout(cost_type="amortized"), shelf).parts] == [amortised]


def test_exports_that_are_not_costs_are_left_aside(shelf: Shelf) -> None:
    """Price sheets and reservation lists share the container."""
    run(shelf, f"d/exp/{MONTH}/prices", kind="PriceSheet", submitted="2025-01-20T00:00:00Z")
    assert list(layout().deliveries(shelf.seen())) == []
    key = run(shelf, f"d/exp/{MONTH}/focus", kind="FocusCost", submitted="2025-01-10T00:00:00Z")
    found = found_by(layout(), shelf)
    assert ([part.key for part in found.parts], found.format_hint) == ([key], "focus")


def test_two_exports_need_a_name(shelf: Shelf) -> None:
    """Their folders tell their names; the setting ``export`` chooses."""
    run(shelf, f"d/one/{MONTH}/guid")
    key = run(shelf, f"d/two/{MONTH}/guid")
    with pytest.raises(UsageError, match="one, two"):
        list(layout().deliveries(shelf.seen()))
    assert [part.key for part in found_by(layout("two"), shelf).parts] == [key]


@pytest.mark.parametrize("folder", ["20250106-20250112", "20250101-20250107", "20250101-20250301"])
def test_parts_of_months_are_refused(shelf: Shelf, folder: str) -> None:
    """A weekly export would replace itself within the month, so it is refused with what to take instead."""
    run(shelf, f"d/exp/{folder}/guid")
    refused = refused_by(layout(), shelf)
    assert refused.error.code == "PERIOD_NOT_A_MONTH"
    assert "month-to-date" in refused.error.action


def test_the_newest_run_is_not_passed_over_when_it_cannot_be_read(shelf: Shelf) -> None:
    """A damaged manifest holds its month while it is the newest; an old one does not matter."""
    run(shelf, f"d/exp/{MONTH}/a", minute=5)
    shelf.put(f"d/exp/{MONTH}/b/manifest.json", b"{", minute=9)
    assert refused_by(layout(), shelf).error.code == "BAD_MANIFEST"
    shelf.put(f"d/exp/{MONTH}/b/manifest.json", b"{", minute=1)
    assert isinstance(found_by(layout(), shelf), Delivery)


def test_only_wanted_months_are_read(shelf: Shelf) -> None:
    """Manifests of other months are not fetched, and impossible months are no months."""
    run(shelf, f"d/exp/{MONTH}/a")
    run(shelf, "d/exp/20250201-20250228/a")
    run(shelf, "d/exp/20251301-20251331/a")
    found = list(layout().deliveries(shelf.seen(Month(2025, 2), Month(2025, 2))))
    assert [each.billing_period for each in found] == [Month(2025, 2)]
    assert shelf.read == ["d/exp/20250201-20250228/a/manifest.json"]
