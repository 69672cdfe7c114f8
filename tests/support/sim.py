"""A seeded world: three clouds, a clock, an operator, all that goes wrong. ``python -m support.sim SEED``."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import duckdb

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.pace import Limiters, Quota
from offgridflow.pipeline.runner import RunReport
from offgridflow.testing import SimulatedTime
from support.crew import Operator
from support.memory import MemoryLedger, in_memory
from support.twins import Twin, connect_twins

QUOTA: Final = Quota(capacity=6, refill_per_second=2)
"""Of every fake cloud: six calls at once, then two a second."""
MOST_ATTEMPTS: Final = 3
_ROUNDS: Final = 10
_START: Final = datetime(2025, 7, 1, tzinfo=UTC)

Totals = dict[tuple[str, str], tuple[int, Decimal]]


class CrashedError(Exception):
    """The process is gone, as far as the simulation is concerned."""


@dataclass
class MemoryOperator(Operator):
    """Runs against the ledger in memory."""

    memory: MemoryLedger = field(default_factory=MemoryLedger)

    def open(self) -> Any:  # noqa: ANN401 - stands in for a Ledger
        """Return the ledger in memory."""
        return self.memory


class World:
    """One seed's world.

    Args:
        seed: decides everything.
        folder: where the operator works.
        real: with the real engine and ledger.
        crashes: whether the process dies now and then.

    """

    def __init__(self, seed: int, folder: Path, *, real: bool, crashes: bool = True) -> None:
        self.dice = Random(seed)  # noqa: S311 - a simulation's dice
        self.time = SimulatedTime()
        self.set_back = timedelta(0)
        self.real = real
        self.crashes = crashes
        self.cents = 0
        self.twins = {
            name: Twin(name, str(111 * place), Random(seed * 7 + place))  # noqa: S311 - see above
            for place, name in enumerate(("aws-main", "azure-main", "gcp-main"), start=1)
        }
        self.sources = {
            name: {"type": f"{name[:3]}_twin", "account": twin.account} for name, twin in self.twins.items()
        }
        self.statuses: list[tuple[str | None, str | None, str, str | None]] = []
        self.crash_in: int | None = None
        self.operator = self._operator(folder)

    def _operator(self, folder: Path) -> Operator:
        rules = Rules(limiters=Limiters(lambda _key: QUOTA, self.time.clock), world=self.time.world())
        kind = Operator if self.real else MemoryOperator
        return kind(folder, connect_twins(self.twins), Door(rules), now=self.now, step=self._step)

    def now(self) -> datetime:
        """Return the wall clock, which somebody may set back."""
        return _START + timedelta(seconds=self.time.clock()) - self.set_back

    def _step(self, step: str) -> None:
        del step
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise CrashedError

    def live(self) -> Totals:
        """Return lines and money of every live period."""
        if isinstance(self.operator, MemoryOperator):
            return self.operator.memory.totals()
        con = duckdb.connect()
        try:
            self.operator.open().snapshot().attach(con)
            sql = "SELECT source, billing_period, sum(line_items)::BIGINT, sum(billed_cost) FROM emissions GROUP BY ALL"
            return {(row[0], row[1]): (row[2], row[3]) for row in con.execute(sql).fetchall()}
        finally:
            con.close()

    def play(self) -> None:
        """Let things happen and runs be made, and hold every run against what was published."""
        with nullcontext() if self.real else in_memory():
            for _ in range(_ROUNDS):
                self._something_happens()
                self._run_and_check()
            self._heal()

    def _run_and_check(self) -> RunReport | None:
        options: dict[str, Any] = {"full": self.dice.random() < 0.1}
        stop_after = self.dice.choice((None, None, None, 1, 2))
        self.crash_in = self.dice.randrange(60) if self.crashes and self.dice.random() < 0.3 else None
        report = self._run(options, stop_after)
        self.crash_in = None
        self._check_what_is_live()
        return report

    def _run(self, options: dict[str, Any], stop_after: int | None = None) -> RunReport | None:
        for twin in self.twins.values():
            twin.calls.clear()
        try:
            report = self.operator.run(self.sources, stop=_after(stop_after), **options)
        except CrashedError:
            return None
        finally:
            self._check_calls()
        self.statuses += [
            (each.source, each.billing_period, each.status, each.error.code if each.error else None)
            for each in report.result.periods
        ]
        return report

    def _check_what_is_live(self) -> None:
        """Every live period is one published revision, whole: no line lost, none doubled, to the cent."""
        for key, totals in self.live().items():
            known = self.twins[key[0]].published[key[1]]
            assert totals in known, (key, totals, known)

    def _check_calls(self) -> None:
        """No cloud is called faster than its quota, nor oftener than its retries allow."""
        for twin in self.twins.values():
            for first, begun in enumerate(twin.calls):
                for last in range(first, len(twin.calls)):
                    most = QUOTA.capacity + QUOTA.refill_per_second * (twin.calls[last] - begun)
                    assert last - first + 1 <= most + 1e-6, twin.name
            parts = sum(2 * len(revision.parts) for revision in twin.months.values())
            assert len(twin.calls) <= MOST_ATTEMPTS * (1 + len(twin.months) + parts), twin.name

    def _heal(self) -> None:
        """Everything comes right in the end: the ledger is what is published, and the next run finds it unchanged."""
        for twin in self.twins.values():
            twin.token_is_valid, twin.is_gone, twin.trouble, twin.shifts = True, False, 0.0, False
            for month, revision in list(twin.months.items()):
                if revision.cut or revision.missing:
                    twin.publish(month, revision.parts)
        healed = self._run({"full": True, "replace": True})
        assert healed is not None
        assert healed.result.status == "ok", healed.result.periods
        truth = {(name, month): told for name, twin in self.twins.items() for month, told in twin.truth().items()}
        assert self.live() == truth, (self.live(), truth)
        last = self._run({})
        assert last is not None
        assert {period.status for period in last.result.periods} <= {"unchanged"}
        assert self.operator.store.holds() == {}, self.operator.store.holds()

    def _costs(self, count: int) -> list[str]:
        found: list[str] = []
        for _ in range(count):
            self.cents += 1
            found.append(str(Decimal(self.cents) / 100))
        return found

    def _something_happens(self) -> None:
        self.time.pass_seconds(self.dice.choice((60, 3_600, 86_400, 200_000)))
        for twin in self.twins.values():
            if self.dice.random() < 0.7:
                happening = self.dice.choice(_HAPPENINGS)
                happening(self, twin)

    def new_month(self, twin: Twin) -> None:
        """A month is published."""
        number = len(twin.months)
        month = f"{2025 + number // 12}-{number % 12 + 1:02d}"
        twin.publish(month, [self._costs(self.dice.randrange(1, 6)) for _ in range(self.dice.randrange(1, 4))])

    def _restated(self, twin: Twin, **how: bool) -> None:
        if twin.months:
            month = self.dice.choice(sorted(twin.months))
            parts = [list(part) for part in twin.months[month].parts]
            parts[self.dice.randrange(len(parts))] += self._costs(self.dice.randrange(1, 4))
            twin.publish(month, parts, **how)

    def late_lines(self, twin: Twin) -> None:
        """A month is restated with more lines."""
        self._restated(twin)

    def cut_part(self, twin: Twin) -> None:
        """A month is published with a part cut short."""
        self._restated(twin, cut=True)

    def missing_part(self, twin: Twin) -> None:
        """A manifest lists a part that is not there."""
        self._restated(twin, missing=True)

    def doubled_manifest(self, twin: Twin) -> None:
        """A manifest lists every part twice."""
        self._restated(twin, listed_twice=True)

    def correction(self, twin: Twin) -> None:
        """A month shrinks to one line, perhaps to under half."""
        if twin.months:
            twin.publish(self.dice.choice(sorted(twin.months)), [self._costs(1)])

    def mended(self, twin: Twin) -> None:
        """What was cut or missing is published again."""
        for month, revision in list(twin.months.items()):
            if revision.cut or revision.missing:
                twin.publish(month, revision.parts)

    def token(self, twin: Twin) -> None:
        """The token expires, or is renewed."""
        twin.token_is_valid = not twin.token_is_valid

    def bucket(self, twin: Twin) -> None:
        """The bucket goes, or comes back."""
        twin.is_gone = not twin.is_gone

    def weather(self, twin: Twin) -> None:
        """Throttling and passing failures begin or end."""
        twin.trouble = self.dice.choice((0.0, 0.1, 0.4, 0.9))

    def shifting_pages(self, twin: Twin) -> None:
        """A month is restated while pages are read."""
        twin.shifts = True

    def clock(self, twin: Twin) -> None:
        """Somebody sets the clock back."""
        del twin
        self.set_back += timedelta(hours=self.dice.choice((1, 30)))


_HAPPENINGS: Final[tuple[Callable[[World, Twin], None], ...]] = (
    *(World.new_month,) * 6,
    *(World.late_lines,) * 3,
    *(World.mended,) * 2,
    World.cut_part,
    World.missing_part,
    World.doubled_manifest,
    World.correction,
    *(World.token,) * 2,
    World.bucket,
    *(World.weather,) * 2,
    World.shifting_pages,
    World.clock,
)


def _after(deliveries: int | None) -> Callable[[], bool]:
    """Return a stop that says so when it is asked after that many deliveries, None never."""
    asked = [0]

    def stop() -> bool:
        asked[0] += 1
        return deliveries is not None and asked[0] > deliveries + 1

    return stop


def is_real(seed: int) -> bool:
    """Whether a seed plays with the real engine and ledger: one in 25."""
    return seed % 25 == 0


def play(seed: int) -> World:
    """Play one seed."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(seed, Path(folder), real=is_real(seed))
        world.play()
        return world


def failing(seeds: range) -> Iterator[tuple[int, AssertionError]]:
    """Play seeds and yield those that break a law."""
    for seed in seeds:
        try:
            play(seed)
        except AssertionError as error:
            yield seed, error


def main(arguments: list[str]) -> int:
    """Play one seed, or ``FIRST COUNT``; say which fail."""
    first = int(arguments[0])
    seeds = range(first, first + (int(arguments[1]) if len(arguments) > 1 else 1))
    broken = 0
    for seed, error in failing(seeds):
        broken += 1
        sys.stdout.write(f"seed {seed} fails: {error}\n  replay: make sim SEED={seed}\n")
    sys.stdout.write(
        f"{len(seeds)} seeds, {sum(map(is_real, seeds))} with the real engine and ledger, {broken} failed\n"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
