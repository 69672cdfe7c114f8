"""The fault matrix: each fault, over real sockets, for each connector of bills and of reports, up to the ledger.

A cell restates a month, lets the fault happen, and ingests: the failure has the expected class after a bounded number
of requests, or there is none. Then the cloud is well again, the next run ingests, and the ledger holds what lies there.
docs/connectors.md shows the same table.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from offgridflow.cloud.door import Door, Rules, Timeouts
from offgridflow.cloud.events import Event, Retried
from offgridflow.cloud.pace import Limiters
from offgridflow.connectors.registry import ReportKind, names
from offgridflow.connectors.registry import kind as kind_of
from offgridflow.ledger import Ledger
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, PeriodResult, Ports
from offgridflow.pipeline.sources import SourceRun, ingest_sources
from offgridflow.settings import Settings
from offgridflow.testing import SimulatedTime
from support.bench import Bench
from support.faulty import ASKED, HASTY, KINDS, MATRIX, NOT_THERE, PATIENT, REPORTS, Site, site_of
from support.reporting import connect_in_the_clear

DOCS: Final = Path(__file__).parents[2] / "docs" / "connectors.md"
CELLS: Final = [(kind, name) for kind in KINDS for name in MATRIX if kind not in ASKED or name not in NOT_THERE]


class Operator:
    """Runs one source into a ledger of its own; waits of the door take no time."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.bench = Bench(folder / "ledger")
        self.lines = itertools.count(8)  # more than any page of these servers, so that the first cell has pages too
        self.retries = 0
        self._folder = folder

    def _hear(self, event: Event) -> None:
        self.retries += isinstance(event, Retried)

    def run(self, timeouts: Timeouts = PATIENT) -> IngestResult:
        """Ingest once."""
        self.retries = 0
        time = SimulatedTime()
        rules = Rules(limiters=Limiters(clock=time.clock), timeouts=timeouts, world=time.world())
        run = SourceRun(
            ledger=Ledger.open(self.bench.uri, create=True),
            kitchen=kitchen_of(Settings()),
            options=IngestOptions(replace=True),
            ports=Ports(self._folder / "work"),
            cache_folder=self._folder / "cache",
            door=Door(rules, self._hear),
        )
        return ingest_sources(run, {"acme": self.site.table()}, connect_in_the_clear)

    def held(self) -> int:
        """Return how many lines of bills or rows of reports are in the ledger."""
        bills = "SELECT coalesce(sum(line_items), 0)::BIGINT FROM emissions"
        [(count,)] = self.bench.query(f"SELECT ({bills}) + (SELECT count(*) FROM reported_emissions)")
        return int(count)


@pytest.fixture(scope="module")
def operator_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Operator]]:
    """Give the operator of each kind of source; cells share it, and each of them restates the month for itself."""
    made: dict[str, Operator] = {}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")

        def operator(kind: str) -> Operator:
            if kind not in made:
                made[kind] = Operator(site_of(kind, stack), tmp_path_factory.mktemp(kind))
            return made[kind]

        yield operator


def class_of(period: PeriodResult) -> str:
    """Return the class of a failure, "" where there is none."""
    return "" if period.error is None else period.error.retry_class


@pytest.mark.parametrize(("kind", "name"), CELLS)
def test_a_fault_has_its_class_and_bound_and_leaves_the_ledger_right(
    operator_of: Callable[[str], Operator], kind: str, name: str
) -> None:
    """What passes is not noticed, what does not is told by class after few calls, and the next run is right."""
    operator, row = operator_of(kind), MATRIX[name]
    lines = next(operator.lines)
    operator.site.restate(lines)
    operator.site.break_it(row)
    try:
        [period] = operator.run(HASTY if name.startswith("blackhole") else PATIENT).periods
        sent = operator.site.sent()
    finally:
        operator.site.mend()
    assert class_of(period) == row.error_class, period.error
    assert sent is None or sent <= row.calls
    assert operator.retries <= row.calls - 1
    if row.error_class:
        operator.site.restate(lines)
        [period] = operator.run().periods
    assert (period.status, period.line_items) == ("committed", lines)
    assert operator.held() == lines


def test_every_type_of_source_stands_in_the_matrix() -> None:
    """No connector is left out, but the legacy report, which reads and lists as the Data Export does."""
    assert {*KINDS, "aws_cur"} == set(names())
    assert set(REPORTS) == {name for name in names() if isinstance(kind_of(name), ReportKind)}


def test_the_docs_show_the_same_matrix() -> None:
    """The table of docs/connectors.md has a row per fault with its class and bound, and says why a cell is empty."""
    text = DOCS.read_text("utf-8")
    shown = re.findall(r"^\| (.+?) \| (.+?) \| (\d) \| (yes|no: .+?) \|$", text, re.MULTILINE)
    expected = [
        (name, row.error_class or "none", str(row.calls), f"no: {NOT_THERE[name]}" if name in NOT_THERE else "yes")
        for name, row in MATRIX.items()
    ]
    assert shown == expected
