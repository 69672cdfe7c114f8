"""Any system call may fail once: the run succeeds or says clearly that it did not, and the next one puts it right."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest

from support.bench import Bench
from support.clouds import MONTH_COST, SOAK, Sources, three_clouds
from support.crew import Operator, processes, run_command_once_traced

FAILURES = 300 if SOAK else 6
COMMAND = ("ingest", "--format", "json", "--ledger", "ledger")
ERRORS: Final = {
    "openat": ("EIO", "EMFILE", "ENOSPC", "EACCES"),
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "write": ("EIO", "ENOSPC", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO", "EINTR"),
    "rename": ("EIO", "ENOSPC"),
    "link": ("EIO", "ENOSPC"),
    "mkdir": ("EIO", "ENOSPC"),
    "unlink": ("EIO",),
    "flock": ("ENOLCK", "EINTR"),
    "fcntl": ("ENOLCK", "EIO"),
    "newfstatat": ("EIO",),
    "statx": ("EIO",),
    "lseek": ("EIO",),
    "getdents64": ("EIO",),
    "connect": ("ECONNREFUSED", "ETIMEDOUT"),
    "sendto": ("EPIPE", "EINTR"),
    "recvfrom": ("ECONNRESET", "EINTR"),
}
"""System calls that reach a disk, a lock or a peer, and what they fail with. Not ``close``: a kernel that fails it lets
go of the file all the same, and an injected failure would not."""
_CALL: Final = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)
_WAKE_UP: Final = re.compile(r"^\d+ +\w+\(\d+<(?:anon_inode|pipe):")
"""A call by which threads wake each other: no kernel fails it with what we inject."""


def reason_to_skip() -> str:
    """Return why no system call can be made to fail here, "" where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (.ci/run installs it)"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True)
    return "" if done.returncode == 0 else "strace may not trace a process here"


WHY_NOT = reason_to_skip()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def sources() -> Iterator[Sources]:
    """Exports of three clouds, see PERIODS."""
    with three_clouds() as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, int]]:
    """The digest of a run in which nothing fails, and how often its busiest thread makes each system call."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, seen = traced(folder, sources, [])
    assert code == 0, (folder / "stderr").read_text()
    counted = Counter(_CALL.findall(seen))
    most = {name: max((count for (_, own), count in counted.items() if own == name), default=0) for name in ERRORS}
    return Bench(folder / "ledger").digest(), {name: count for name, count in most.items() if count}


def traced(folder: Path, sources: Sources, options: Sequence[str]) -> tuple[int | None, str]:
    """Run the command on the sources under strace with further options; return its exit code and what strace saw.

    The code is None where what failed cannot fail in truth: such a run says nothing, and is ended.
    """
    folder.mkdir(exist_ok=True)
    tables = ("\n".join([f"[sources.{name}]", *_settings(table)]) for name, table in sources.items())
    (folder / "offgridflow.toml").write_text("\n".join(tables))
    process = processes().Process(target=run_command_once_traced, args=(str(folder), COMMAND))
    process.start()
    log = folder / "strace"
    told = ["-f", "-y", "-e", f"trace={','.join(f'?{name}' for name in ERRORS)}", *options]
    tracer = subprocess.Popen(["strace", "-p", str(process.pid), "-o", str(log), *told], stderr=subprocess.PIPE)
    is_possible = True
    while is_possible and process.is_alive():
        process.join(0.5)
        is_possible = not (log.exists() and was_impossible(log.read_text(errors="replace")))
    process.kill()
    process.join()
    tracer.communicate()
    return process.exitcode if is_possible else None, log.read_text(errors="replace")


def was_impossible(seen: str) -> bool:
    """Whether what failed cannot fail in truth. strace tells a call in two lines where another thread comes between."""
    begun: dict[str, str] = {}
    for line in seen.splitlines():
        thread = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line
        elif line.endswith("(INJECTED)") and _WAKE_UP.match(begun[thread] if " resumed>" in line else line):
            return True
    return False


def _settings(table: Mapping[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]


def is_clear(folder: Path) -> bool:
    """Whether a run that failed says so: each period with its code, or one sentence with a code, and no traceback."""
    out, told = (folder / "stdout").read_text(), (folder / "stderr").read_text()
    if "Traceback" in out + told:
        return False
    if re.search(r"^Error \[[A-Z_]+\]: \S.*[.!?]$", told, re.MULTILINE):
        return True
    answer = json.loads(out)
    errors = [period["error"] for period in answer["periods"] if period["status"] == "failed"]
    return answer["status"] != "ok" and bool(errors) and all(error["code"] and error["message"] for error in errors)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run in which a system call failed."""

    what: str
    code: int
    is_injected: bool


def with_one_failure(seed: int, folder: Path, sources: Sources, most: Mapping[str, int]) -> Outcome:
    """Run in a folder, with the failure of a seed; a draw that cannot happen is drawn again."""
    dice = Random(seed)  # noqa: S311 - chooses what fails
    while True:
        name = dice.choice(sorted(most))
        what = f"inject={name}:error={dice.choice(ERRORS[name])}:when={dice.randrange(most[name]) + 1}"
        code, seen = traced(folder, sources, ["-e", what])
        if code is not None:
            return Outcome(f"seed {seed}: {what}, exit code {code}", code, "(INJECTED)" in seen)
        shutil.rmtree(folder)


def test_any_system_call_may_fail_once(
    sources: Sources, undisturbed: tuple[str, dict[str, int]], tmp_path: Path
) -> None:
    """The n-th call of a kind fails: the run is done or fails clearly, what is live is whole, and the next mends it."""
    digest, most = undisturbed
    injected = 0
    for seed in range(FAILURES):
        folder = tmp_path / str(seed)
        done = with_one_failure(seed, folder, sources, most)
        injected += done.is_injected
        assert done.code == 0 or is_clear(folder), (done, (folder / "stderr").read_text())
        check_afterwards(folder, sources, digest, done.what)
        shutil.rmtree(folder)
    assert injected > FAILURES / 2


def check_afterwards(folder: Path, sources: Sources, digest: str, what: str) -> None:
    """Whatever is live is whole; the next run gives the undisturbed ledger."""
    ledger = Bench(folder / "ledger")
    if (ledger.uri / "ledger.json").exists():
        rows = ledger.query("SELECT sum(billed_cost) FROM emissions GROUP BY source, billing_period")
        assert all(row == (MONTH_COST,) for row in rows), what
    again = Operator(folder).run(sources).result
    assert again.status == "ok", (what, [period.error for period in again.periods])
    assert ledger.digest() == digest, what
