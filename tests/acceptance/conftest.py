"""What the acceptance tests share: the real inputs and ledgers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.bench import Bench

INPUTS = Path(__file__).parents[2] / ".." / "shared" / "inputs"


@pytest.fixture(scope="session")
def inputs() -> Path:
    """The folder of real sample files; tests that need it skip where it is absent."""
    if not INPUTS.is_dir():
        pytest.skip("../shared/inputs is absent; these tests read real sample bills in place")
    return INPUTS.resolve()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench with an empty ledger."""
    return Bench(tmp_path / "ledger")


@pytest.fixture
def benches(tmp_path: Path) -> Callable[[str], Bench]:
    """As many benches as a test needs, by name."""
    return lambda name: Bench(tmp_path / name / "ledger")
