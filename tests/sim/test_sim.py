"""Laws of whole runs in seeded worlds; ``make sim`` plays 500 seeds, ``make sim SEED=n`` replays one."""

import os
from pathlib import Path
from typing import Any

import pytest

from support import sim, twins

FIRST, LAST = (1, 501) if os.environ.get("OFFGRIDFLOW_SOAK") else (1, 25)


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_nothing_is_lost_or_doubled_whatever_happens(seed: int) -> None:
    """In any seeded world every live period is one published revision whole, calls are bounded, and all heals."""
    world = sim.play(seed)
    assert world.statuses


def test_the_same_laws_hold_with_the_real_engine_and_ledger() -> None:
    """Seed 0 plays the same kind of world through DuckDB and Delta."""
    assert sim.is_real(0)
    assert any(status == "committed" for _, _, status, _ in sim.play(0).statuses)


def test_memory_and_real_do_the_same(tmp_path: Path) -> None:
    """A world without crashes becomes, period by period and run by run, the same in memory and in the real ledger."""
    played = []
    for real in (False, True):
        world = sim.World(7, tmp_path / str(real), real=real, crashes=False)
        world.play()
        played.append((world.statuses, world.live()))
    assert played[0] == played[1]
    assert len({status for _, _, status, _ in played[0][0]}) == 3


def test_a_broken_law_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one line of each part were lost on the way, the simulation would say so."""
    honest = twins.bill

    def lossy(account: str, month: str, costs: list[str]) -> bytes:
        return honest(account, month, costs[1:])

    monkeypatch.setattr(twins, "bill", lossy)
    assert [seed for seed, _ in sim.failing(range(1, 3))] == [1, 2]


def test_a_seed_is_played_the_same_again() -> None:
    """A seed decides everything, so that a failure can be replayed."""
    first, again = (sim.play(11) for _ in range(2))
    assert first.statuses == again.statuses


def test_the_command_names_the_failing_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failing seed is printed with the one command that replays it, and the exit code says so."""

    def broken(_seed: int) -> Any:  # noqa: ANN401 - never returns
        message = "lost"
        raise AssertionError(message)

    monkeypatch.setattr(sim, "play", broken)
    assert sim.main(["41"]) == 1
    assert "make sim SEED=41" in capsys.readouterr().out
