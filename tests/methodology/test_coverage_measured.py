"""Coverage of the public FOCUS sample, measured as the page says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "../shared/inputs/focus/focus-1.0-sample.csv"
GOAL_PERCENT, MEDIAN_PERCENT = 90.0, 5.0


def _measured(path: Path) -> list[str]:
    command = [sys.executable, str(ROOT / "tools/measure_coverage.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    return done.stdout.splitlines()


@pytest.mark.inputs
def test_the_public_sample_is_covered_and_the_page_says_so() -> None:
    """At least 90 % of the sample's cost is rated, at most 5 % by medians, and docs/coverage.md has the figures."""
    if not SAMPLE.exists():
        pytest.skip("../shared/inputs is not here")
    line = next(each for each in _measured(SAMPLE) if each.startswith(f"| {SAMPLE.name} "))
    _, _, by_cost, _, median, _, _ = (cell.strip() for cell in line.split("|"))
    assert float(by_cost.rstrip("%")) >= GOAL_PERCENT
    assert float(median.rstrip("%")) <= MEDIAN_PERCENT
    assert line in (ROOT / "docs/coverage.md").read_text(encoding="utf-8")


def test_a_call_without_bills_explains_itself() -> None:
    """Without arguments the tool prints how to call it and fails."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/measure_coverage.py")],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 2
    assert "FILE_OR_FOLDER" in done.stdout
