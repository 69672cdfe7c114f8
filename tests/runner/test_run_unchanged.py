"""A run with nothing new tells of every period what its commit told, and reads the ledger for all of them at once."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from offgridflow.ledger import Ledger, Snapshot
from support.crew import Operator
from support.twins import Twin, connect_twins

NAMES = ("a", "b", "c")
SOURCES = {name: {"type": "aws_twin", "account": name} for name in NAMES}
MONTHS = ("2025-01", "2025-02", "2025-03")


def test_unchanged_periods_are_read_together_and_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unchanged results are those of the commits, whatever else is committed in between, for two looks at the ledger.

    The first look is for the source asked for first, the second one for all others; a restated month adds none.
    """
    twins = {
        name: Twin(name, str(place), Random(place))  # noqa: S311 - never rolled
        for place, name in enumerate(NAMES, start=1)
    }
    for place, twin in enumerate(twins.values()):
        for month in MONTHS:
            twin.publish(month, [[f"0.{place + 1}", "1e30"], [f"1.{month[-1]}"]])
    operator = Operator(tmp_path, connect_twins(twins))
    first = operator.run(SOURCES).result
    assert len(first.periods) == len(NAMES) * len(MONTHS)
    assert {tally.line_items for each in first.periods for tally in each.quarantined.values()} == {1}
    assert {each.status for each in first.periods} == {"committed"}
    looks: list[int | None] = []
    honest = Ledger.snapshot

    def counted(self: Ledger, version: int | None = None, *further: Any) -> Snapshot:  # noqa: ANN401 - see snapshot
        looks.append(version)
        return honest(self, version, *further)

    monkeypatch.setattr(Ledger, "snapshot", counted)
    again = operator.run(SOURCES).result
    assert again.periods == tuple(replace(each, status="unchanged") for each in first.periods)
    assert len(looks) == 2
    twins["b"].publish(MONTHS[1], [["0.5"], ["0.6", "0.7"]])
    third = operator.run(SOURCES).result
    restated = ("b", MONTHS[1])
    assert [(each.source, each.billing_period) for each in third.periods if each.status == "committed"] == [restated]
    kept = [each for each in again.periods if (each.source, each.billing_period) != restated]
    assert [each for each in third.periods if each.status == "unchanged"] == kept
    assert len(looks) == 4
