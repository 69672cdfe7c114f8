"""The benchmark script itself works from generation to figures."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def test_a_small_run_prints_figures(tmp_path: Path) -> None:
    """A case is generated, measured bare and ingested whole; the big files are gone afterwards."""
    command = [sys.executable, str(BENCH / "run.py"), "--lines", "500", "--case", "ordinary"]
    options = ["--repeat", "1", "--json", "--work", str(tmp_path)]
    done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)["cases"]
    assert [(found["case"], found["lines"], found["note"]) for found in figures] == [("ordinary", 500, "")]
    for found in figures:
        assert found["bare_seconds"] > 0
        assert found["ingest_peak_mib"] > found["bare_peak_mib"] > 1
        assert found["ratio"] > 0
    assert list(tmp_path.iterdir()) == []
