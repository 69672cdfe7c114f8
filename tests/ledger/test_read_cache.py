"""The read cache: bounded, shared by processes, and nothing that somebody reads is taken away."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.readcache import ReadCache, default_folder

HALF_MIB = 2**19


def _writer(size: int = HALF_MIB) -> Callable[[Path], None]:
    def write(aside: Path) -> None:
        aside.write_bytes(b"x" * size)

    return write


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "copies").rglob("*") if path.is_file())


def test_a_copy_is_there_whole_or_not(tmp_path: Path) -> None:
    """A fetch that fails leaves nothing; a copy of another size than told is not given out."""
    cache = ReadCache(tmp_path, "ledger", 4)

    def half(aside: Path) -> None:
        aside.write_bytes(b"half")
        message = "cut"
        raise LedgerError(message)

    with pytest.raises(LedgerError, match="cut"):
        cache.fetched("t/a", half)
    assert _names(tmp_path) == []
    assert list((tmp_path / "work").rglob("*.part")) == []
    path = cache.fetched("t/a", _writer(10))
    assert cache.found("t/a", 10) == path
    assert cache.found("t/a", 11) is None
    assert cache.found("t/b", 10) is None


def test_the_bound_holds_and_the_last_used_stay(tmp_path: Path) -> None:
    """Beyond the bound the copies that were not used for longest go, once nobody reads them any more."""
    for number in range(4):
        ReadCache(tmp_path, "ledger", 2).fetched(f"t/{number}", _writer())
        os.utime(ReadCache(tmp_path, "ledger", 2).path_of(f"t/{number}"), (number, number))
    gc.collect()
    assert _names(tmp_path) == ["0", "1", "2", "3"]
    assert ReadCache(tmp_path, "ledger", 2).found("t/0", HALF_MIB) is not None
    gc.collect()
    ReadCache(tmp_path, "another", 2).fetched("t/4", _writer())
    assert _names(tmp_path) == ["0", "2", "3", "4"]


def test_what_is_read_stays_and_what_was_read_goes(tmp_path: Path) -> None:
    """A sweep takes no copy that a living reader has named, however far the bound is exceeded."""
    reader = ReadCache(tmp_path, "ledger", 1)
    for number in range(5):
        reader.fetched(f"t/{number}", _writer())
    assert len(_names(tmp_path)) == 5
    assert ReadCache(tmp_path, "ledger", 1).sweep() == 0
    del reader
    gc.collect()
    assert ReadCache(tmp_path, "ledger", 1).sweep() == 3 * HALF_MIB
    assert len(_names(tmp_path)) == 2


_DIES = """
import os, signal, sys
from pathlib import Path
from offgridflow.ledger.readcache import ReadCache
cache = ReadCache(Path(sys.argv[1]), "ledger", 1)
for number in range(4):
    cache.fetched(f"t/{number}", lambda aside: aside.write_bytes(b"x" * 2**19))
cache.staged("t/new").write_bytes(b"never published")
print("ready", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_reader_lets_go(tmp_path: Path) -> None:
    """While another process reads, its copies stay; once it is killed, they and its half files can go."""
    command = [sys.executable, "-c", _DIES, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert ReadCache(tmp_path, "ledger", 1).sweep() == 0
        process.communicate("die\n")
    assert process.returncode == -9
    assert len(list((tmp_path / "work").rglob("new"))) == 1
    assert ReadCache(tmp_path, "ledger", 1).sweep() == 2 * HALF_MIB
    gc.collect()
    assert list((tmp_path / "work").rglob("new")) == []
    assert list((tmp_path / "leases").iterdir()) == []


def test_what_another_process_took_along_does_not_stop_a_sweep(tmp_path: Path) -> None:
    """A lease or copy that is gone between the listing of its folder and the look at it counts for nothing."""
    cache = ReadCache(tmp_path, "ledger", 1)
    for number in range(4):
        cache.fetched(f"t/{number}", _writer())
    del cache
    gc.collect()
    for folder in ("leases", "copies"):
        (tmp_path / folder / "gone").symlink_to("nowhere")
    assert ReadCache(tmp_path, "ledger", 1).sweep() == 2 * HALF_MIB


_READS = """
import random, sys
from pathlib import Path
from offgridflow.ledger.readcache import ReadCache
seed = random.Random(int(sys.argv[2]))
for turn in range(30):
    cache = ReadCache(Path(sys.argv[1]), "ledger", 1)
    for number in seed.sample(range(12), 3):
        name, size = f"t/{number}", 100_000 + number
        path = cache.found(name, size)
        if path is None:
            path = cache.fetched(name, lambda aside, size=size: aside.write_bytes(bytes([size % 251]) * size))
        content = path.read_bytes()
        assert content == bytes([size % 251]) * size, (name, len(content))
"""


def test_processes_share_a_cache(tmp_path: Path) -> None:
    """Six processes fetch, read and sweep one small cache at once: each reads whole, right files; the bound holds."""
    command = [sys.executable, "-c", _READS, str(tmp_path)]
    running = [subprocess.Popen([*command, str(seed)]) for seed in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    ReadCache(tmp_path, "ledger", 1).sweep()
    assert sum(path.stat().st_size for path in (tmp_path / "copies").rglob("*") if path.is_file()) <= 2**20


def test_a_staged_file_becomes_the_copy(tmp_path: Path) -> None:
    """What was written here and published need not be fetched."""
    cache = ReadCache(tmp_path, "ledger", 4)
    cache.staged("t/source=a/x.parquet").write_bytes(b"12345")
    cache.adopt("t/source=a/x.parquet")
    path = cache.found("t/source=a/x.parquet", 5)
    assert path is not None
    assert path.read_bytes() == b"12345"
    cache.dropped("t/source=a/x.parquet")
    assert cache.found("t/source=a/x.parquet", 5) is None


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder that is none, or whose path reads as a partition, is an error that names the setting."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(LedgerError, match="cannot be used") as refused:
        ReadCache(tmp_path / "file", "ledger", 4).found("t/a", 1)
    assert "ledger.cache_folder" in refused.value.action
    with pytest.raises(LedgerError, match="partition"):
        ReadCache(tmp_path / "source=x", "ledger", 4)


def test_the_users_cache_folder_is_where_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME counts, then the home folder."""
    assert default_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/offgridflow/ledger")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder({}) == tmp_path / ".cache" / "offgridflow" / "ledger"
