"""The builder: equal research files give equal bytes, and the committed set is what it builds."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / "../shared/factors"
DATA = REPOSITORY / "src/offgridflow/factors/data"


@pytest.mark.inputs
def test_rebuilt_set_is_the_committed_one(tmp_path: Path) -> None:
    """A rebuild from the research files equals the committed set byte for byte, file for file."""
    if not SHARED.is_dir():
        pytest.skip("the research files ../shared/factors are absent")
    script = REPOSITORY / "tools/build_factors.py"
    done = subprocess.run([sys.executable, script, SHARED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in DATA.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_wrong_call_is_refused() -> None:
    """Without its two folders the script says how to call it and ends with 2."""
    script = REPOSITORY / "tools/build_factors.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "tools/build_factors.py" in done.stdout
