"""What only a terminal gets: progress while a command works, wiped when it is done."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path


def _on_a_terminal(*words: str) -> tuple[int, str, str]:
    """Run the command line with stderr on a pseudo-terminal; return exit code, stdout and what the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # the progress goes where people look; what other programs read stays as it is
        [sys.executable, "-m", "offgridflow", *words],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"},
    ) as process:
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
        stdout, _ = process.communicate()
    os.close(ours)
    return process.returncode, stdout, seen.decode()


def _read(terminal: int) -> bytes:
    """Return what a pseudo-terminal has; nothing when the other side is gone, which Linux tells as an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_progress_is_shown_on_a_terminal_and_wiped(bill: Path, tmp_path: Path) -> None:
    """On a terminal the stages of an ingest are drawn with their files, and none is left standing in the end."""
    code, stdout, seen = _on_a_terminal("ingest", str(bill), "--ledger", str(tmp_path / "L"), "--format", "json")
    assert code == 0
    assert bill.name in seen
    assert re.search(r"\d+/\d+", seen)
    assert seen.rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))
    assert '"committed"' in stdout
    assert "\x1b" not in stdout


def test_nothing_is_drawn_where_nobody_looks(bill: Path, tmp_path: Path) -> None:
    """Without a terminal stderr gets no bar and no control character."""
    words = ["ingest", str(bill), "--ledger", str(tmp_path / "L"), "--format", "json"]
    done = subprocess.run([sys.executable, "-m", "offgridflow", *words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
