"""Run the sources of three clouds again when nothing is new, and print what the time goes to.

The fake clouds run in a process of their own and answer a listing as late as a real one does. What a run with nothing
new should cost is its listings; the rest is ours. Nothing is asserted but that nothing failed and no data was read.

    python bench/unchanged.py                          # 50 sources with 12 months each, 0.15 s a listing
    python bench/unchanged.py --sources 6 --months 2 --latency 0.05
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from offgridflow.cloud.events import Called, Event
from offgridflow.pipeline.service import options_of
from offgridflow.pipeline.worker import Errand, run_once
from offgridflow.settings import LedgerSettings, Settings
from offgridflow.testing import Delay, Dialect, FakeBucket
from support.exports import AWS, AZURE, GCS, Upstream

KINDS: Final = {AWS: Dialect.S3, AZURE: Dialect.AZURE_BLOB, GCS: Dialect.GOOGLE}
LINES: Final = 10
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_CONFIG_FILE": os.devnull,
}


@dataclass(slots=True)
class Figures:
    """What one run took: seconds in all, in answers to listings, of this process's CPU; requests by operation."""

    seconds: float = 0.0
    listing_seconds: float = 0.0
    cpu_seconds: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def hear(self, event: Event) -> None:
        """Count calls."""
        if isinstance(event, Called):
            self.requests[event.operation] += 1
            if is_listing(event.operation):
                self.listing_seconds += event.latency_seconds

    def shown(self) -> str:
        """Return the figures as one line."""
        share = self.listing_seconds / self.seconds
        return (
            f"{self.seconds:.1f} s, of which {self.listing_seconds:.1f} s ({share:.0%}) in listings; CPU "
            f"{self.cpu_seconds:.1f} s; {sum(self.requests.values())} requests: {dict(self.requests)}; "
            f"periods: {dict(self.statuses)}"
        )


def is_listing(operation: str) -> bool:
    """Whether an operation is that of a listing, by the names that the connectors give it."""
    return "list" in operation.lower()


def serve(sources: int, months: int) -> None:
    """Serve the exports of so many sources, tell their tables on stdout, and be as late as each line of stdin says."""
    with ExitStack() as stack:
        buckets = {kind: stack.enter_context(FakeBucket(dialect, page_items=1000)) for kind, dialect in KINDS.items()}
        kinds = list(KINDS)
        upstreams = [
            Upstream(kind, buckets[kind], f"{number:012d}")
            for number, kind in ((number, kinds[number % len(kinds)]) for number in range(sources))
        ]
        for upstream in upstreams:
            for month in range(1, months + 1):
                upstream.publish(f"2025-{month:02d}", ["0.1"] * LINES)
        tables = {f"source-{number:03d}": upstream.settings() for number, upstream in enumerate(upstreams)}
        print(json.dumps(tables), flush=True)
        for line in sys.stdin:
            for bucket in buckets.values():
                bucket.inject(Delay(float(line)), times=None, path=bucket.list_path)
            print("late", flush=True)


@contextmanager
def clouds(sources: int, months: int) -> Iterator[tuple[dict[str, dict[str, Any]], "subprocess.Popen[str]"]]:
    """Yield the tables of the sources and the process that serves them."""
    command = [sys.executable, __file__, "--serve", "--sources", str(sources), "--months", str(months)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(heard(process)), process
    finally:
        process.communicate()


def slow_down(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Let every listing be late from now on."""
    if process.stdin is not None:
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
    heard(process)


def heard(process: "subprocess.Popen[str]") -> str:
    """Return the next line that a process tells."""
    return process.stdout.readline() if process.stdout is not None else ""


def run_and_watch(folder: Path, tables: Mapping[str, dict[str, Any]]) -> Figures:
    """Run every source once."""
    figures = Figures()
    overlap = LedgerSettings(allow_overlap=True)  # all sources of Google Cloud have one account
    settings = Settings(sources=dict(tables), ledger=overlap, cache_folder=folder / "cache")
    errand = Errand(str(folder / "ledger"), settings, options_of(settings), listener=figures.hear)
    begun, cpu = time.monotonic(), time.process_time()
    report = run_once(errand)
    figures.seconds, figures.cpu_seconds = time.monotonic() - begun, time.process_time() - cpu
    figures.statuses.update(period.status for period in report.result.periods)
    return figures


def measure(folder: Path, sources: int, months: int, latency_seconds: float) -> tuple[Figures, Figures]:
    """Return the figures of a first run, and of a second one with late listings that finds nothing new."""
    os.environ.update(CREDENTIALS)
    with clouds(sources, months) as (tables, process):
        first = run_and_watch(folder, tables)
        slow_down(process, latency_seconds)
        return first, run_and_watch(folder, tables)


def main() -> int:
    """Measure and print; exit code 1 where something failed, was not unchanged, or was read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=50)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--latency", type=float, default=0.15, help="seconds a listing takes")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.sources, chosen.months)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        first, second = measure(Path(folder), chosen.sources, chosen.months, chosen.latency)
    print("first:", first.shown())
    print("nothing new:", second.shown())
    wanted = chosen.sources * chosen.months
    return int(first.statuses["committed"] != wanted or second.statuses["unchanged"] != wanted)


if __name__ == "__main__":
    raise SystemExit(main())
