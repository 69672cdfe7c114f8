"""Ingest the bills of many subscriptions and accounts in one run, each a source of its own, and print the figures.

The fake clouds run in this process, the run is ``offgridflow ingest`` in one of its own; its peak is the resident set,
sampled. Nothing is asserted but that nothing failed and that the second run reads nothing.

    python bench/accounts.py                          # 1,059 Azure subscriptions and 144 AWS accounts, one month each
    python bench/accounts.py --azure 20 --aws 4 --months 2
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from offgridflow.testing import Dialect, FakeBucket
from support.exports import AWS, AZURE, Upstream

CLI: Final = Path(sys.executable).with_name("offgridflow")
MIB: Final = 2**20
SAMPLE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took."""

    seconds: float
    peak_mib: float
    committed: int
    unchanged: int
    failed: int
    data_reads: int


def settings_text(upstreams: Sequence[Upstream]) -> str:
    """Return the settings file that names every upstream as a source."""
    tables = []
    for number, upstream in enumerate(upstreams):
        lines = [f"{key} = {json.dumps(value)}" for key, value in upstream.settings().items()]
        tables.append("\n".join([f"[sources.source-{number:04d}]", *lines]))
    return "\n\n".join(tables) + "\n"


def run_once(folder: Path, buckets: Sequence[FakeBucket], environment: Mapping[str, str]) -> Figures:
    """Run the command once and watch it."""
    before = sum(len(bucket.reads()) for bucket in buckets)
    answer = folder / "answer.json"
    begun, peak = time.monotonic(), 0
    with answer.open("wb") as out:
        command = [str(CLI), "ingest", "--format", "json", "--ledger", str(folder / "ledger")]
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=out)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(SAMPLE_SECONDS)
        process.wait()
    seconds = time.monotonic() - begun
    periods: list[dict[str, Any]] = json.loads(answer.read_bytes())["periods"]
    counts = {
        status: sum(each["status"] == status for each in periods) for status in ("committed", "unchanged", "failed")
    }
    reads = sum(len(bucket.reads()) for bucket in buckets) - before
    return Figures(round(seconds, 1), round(peak / MIB, 1), **counts, data_reads=reads)


def measure(folder: Path, azure: int, aws: int, months: int) -> tuple[Figures, Figures]:
    """Return the figures of a first run and of a second one that finds nothing new."""
    credentials = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    environment = {**os.environ, **credentials, "AWS_CONFIG_FILE": os.devnull}
    with FakeBucket(Dialect.AZURE_BLOB, page_items=1000) as blobs, FakeBucket(Dialect.S3, page_items=1000) as objects:
        upstreams = [Upstream(AZURE, blobs, f"sub-{number:04d}") for number in range(azure)]
        upstreams += [Upstream(AWS, objects, f"{number:012d}") for number in range(aws)]
        for upstream in upstreams:
            for month in range(1, months + 1):
                upstream.publish(f"2025-{month:02d}", ["0.1"] * 10)
        (folder / "offgridflow.toml").write_text(settings_text(upstreams))
        first = run_once(folder, (blobs, objects), environment)
        return first, run_once(folder, (blobs, objects), environment)


def main() -> int:
    """Measure and print; exit code 1 where something failed or the second run read data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--azure", type=int, default=1059)
    parser.add_argument("--aws", type=int, default=144)
    parser.add_argument("--months", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, second = measure(Path(folder), chosen.azure, chosen.aws, chosen.months)
    for name, figures in (("first", first), ("second", second)):
        print(name, figures)
    return int(bool(first.failed or second.failed or second.data_reads))


if __name__ == "__main__":
    raise SystemExit(main())
