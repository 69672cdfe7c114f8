"""How fast the API answers on a big ledger: percentiles per kind of question, and memory while it streams. Prints only.

Usage: bench/api.py [--rows 10000000] [--clients 50] [--seconds 30] [--folder FOLDER] [--no-ingest]

The ledger is made of emission rows that DuckDB generates in two sources and twelve months, committed as the pipeline
would. The server runs in a process of its own; clients are threads of this one, each asking about once a second, so
that what is measured is the answer and not this process. While they ask, another process commits a period, again and
again.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psutil

from offgridflow.domain.model import EMISSION_COLUMNS, IMPACT_COLUMNS
from offgridflow.ledger import CommitRecord, Ledger
from offgridflow.ledger.records import RawTotal

MONTHS = [f"2026-{month:02}" for month in range(1, 13)]
SOURCES = ("aws/111", "azure/222")
GROUPED = ("provider", "service_name", "region_id", "sub_account_id", "provider,service_name", "month,region_id")


def rows_query(count: int, month: str, source: str, seed: int) -> str:
    """Return a query of ``count`` rows of a month: 200 accounts, 12 regions, 24 services, 20,000 resources."""
    provider = source.partition("/")[0]
    made = {
        "charge_period_start": f"TIMESTAMPTZ '{month}-01 00:00:00+00' + to_days((i % 28)::INTEGER)",
        "billing_account_id": f"'{source.partition('/')[2]}'",
        "sub_account_id": "'account-' || (h % 200)",
        "service_category": "'Compute'",
        "resource_id": "'i-' || (h % 20000)",
        "billing_currency": "'USD'",
        "charge_class": "'usage'",
        "tags": "MAP {}::MAP(VARCHAR, VARCHAR)",
        "provider": f"'{provider}'",
        "service_name": "'service-' || (h % 24)",
        "sku_id": "'sku-' || (h % 3000)",
        "sku_meter": "'meter-' || (h % 3000)",
        "consumed_unit": "'Hours'",
        "region_id": "'region-' || (h // 200 % 12)",
        "consumed_quantity": "(h % 1000) / 10",
        "billed_cost": "(h % 997) / 100",
        "effective_cost": "(h % 997) / 100",
        "line_items": "24",
        "rate_id": "'rate-' || (h % 3000)",
        "status": "'estimated'",
        "method": "'instance'",
        "coverage_bucket": "'A'",
        "assumptions": "['grid_country', 'utilisation_default']",
        **dict.fromkeys(IMPACT_COLUMNS, "(h % 1009) / 1000"),
        "operational_market_kgco2e": "NULL",
        "total_low_kgco2e": "(h % 1009) / 2000",
        "total_high_kgco2e": "(h % 1009) / 500",
    }
    columns = ", ".join(f"({made.get(name, 'NULL')})::{kind} AS {name}" for name, kind in EMISSION_COLUMNS.items())
    return f"SELECT {columns} FROM (SELECT range AS i, hash(range + {seed}) >> 8 AS h FROM range({count}))"


def commit(ledger: Ledger, count: int, month: str, source: str, seed: int) -> None:
    """Commit a period of generated rows."""
    staging = ledger.stage(source, month)
    with duckdb.connect() as con:
        con.execute(
            f"COPY ({rows_query(count, month, source, seed)}) TO '{staging.emissions_file(1)}' (FORMAT parquet)"
        )
        money = con.execute("SELECT 0::DECIMAL(38,15)").fetchall()[0][0]
    totals = (RawTotal("USD", count, money, "billed_cost"),)
    record = CommitRecord(source.partition("/")[0], "bench", f"f{seed}", "r", count, raw_totals=totals)
    ledger.commit(staging, record, replace=True, allow_overlap=True)


def make_ledger(folder: Path, rows: int) -> Path:
    """Make the ledger unless it is there."""
    place = folder / f"L{rows}"
    if place.exists() and Ledger.open(place).version() >= len(MONTHS) * len(SOURCES):
        return place
    began = time.monotonic()
    ledger = Ledger.open(place, create=True)
    per_period = rows // (len(MONTHS) * len(SOURCES))
    for seed, (source, month) in enumerate(itertools.product(SOURCES, MONTHS)):
        commit(ledger, per_period, month, source, seed)
    print(f"ledger of {rows:,} rows made in {time.monotonic() - began:.1f} s")
    return place


def keep_committing(place: str, rows: int, until: float) -> None:
    """Replace one period again and again, as an ingest does."""
    ledger = Ledger.open(place)
    seed = 1000
    while time.time() < until:
        commit(ledger, rows, MONTHS[-1], SOURCES[0], seed)
        seed += 1
        time.sleep(2)


@dataclass
class Seen:
    """What clients saw, by kind of question."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, kind: str, url: str) -> None:
        """Ask and take note."""
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310  our own server
                answer.read()
                status = answer.status
        except urllib.error.HTTPError as error:
            error.read()
            status = error.code
        took = time.perf_counter() - began
        with self.lock:
            self.statuses[kind][status] += 1
            if status == 200:  # noqa: PLR2004  OK
                self.seconds[kind].append(took)

    def show(self) -> None:
        """Print percentiles in milliseconds."""
        for kind in sorted(self.statuses):
            taken = sorted(self.seconds[kind])
            if len(taken) > 1:
                cuts = statistics.quantiles(taken, n=100)
                figures = f"p50 {cuts[49] * 1e3:8.1f}  p95 {cuts[94] * 1e3:8.1f}  p99 {cuts[98] * 1e3:8.1f} ms"
            else:
                figures = "too few"
            print(f"{kind:34} {figures}  n {len(taken):6}  statuses {dict(self.statuses[kind])}")


def fresh(kind: random.Random) -> str:
    """Return a grouped month question that is hardly ever asked twice."""
    first, last = sorted(kind.sample(MONTHS, 2))
    where = f"&where=sub_account_id=account-{kind.randrange(200)}"
    return f"by={kind.choice(GROUPED)}&from={first}&to={last}&limit={kind.randrange(100, 10000)}{where}"


def client(base: str, seen: Seen, until: float, seed: int) -> None:
    """Ask about once a second: half new questions, half the same few."""
    chance = random.Random(seed)  # noqa: S311  a benchmark
    time.sleep(chance.random())
    while time.monotonic() < until:
        if chance.random() < 0.5:  # noqa: PLR2004  half
            seen.ask("grouped by month, new", f"{base}/api/v1/emissions?{fresh(chance)}")
        else:
            seen.ask("grouped by month, repeated", f"{base}/api/v1/emissions?by={chance.choice(GROUPED[:3])}")
        time.sleep(chance.uniform(0.7, 1.3))


def heavy_client(base: str, seen: Seen, until: float, seed: int) -> None:
    """Ask for resources and days, one after the other."""
    chance = random.Random(seed)  # noqa: S311  a benchmark
    while time.monotonic() < until:
        account = f"where=sub_account_id=account-{chance.randrange(200)}&limit={chance.randrange(100, 9999)}"
        seen.ask("by resource of an account", f"{base}/api/v1/emissions?by=resource_id&{account}")
        seen.ask("by day", f"{base}/api/v1/emissions?by=day&limit={chance.randrange(400, 9999)}")


def run_clients(target: Callable[[str, Seen, float, int], None], count: int, base: str, seconds: float) -> Seen:
    """Let clients ask for a time, and return what they saw."""
    seen, until = Seen(), time.monotonic() + seconds
    threads = [threading.Thread(target=target, args=(base, seen, until, seed)) for seed in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def stream(base: str, process: psutil.Process, wanted_bytes: int) -> None:
    """Export as CSV until so many bytes came, and print speed and the server's memory."""
    before, peak, size, began = process.memory_info().rss, 0, 0, time.monotonic()
    with urllib.request.urlopen(f"{base}/api/v1/export?format=csv", timeout=600) as answer:  # noqa: S310  our own server
        while size < wanted_bytes and (chunk := answer.read(1 << 20)):
            size += len(chunk)
            peak = max(peak, process.memory_info().rss)
    took = time.monotonic() - began
    print(
        f"export: {size / 1e6:,.0f} MB in {took:.1f} s ({size / 1e6 / took:.0f} MB/s), "
        f"resident {before / 2**20:.0f} MiB before, {peak / 2**20:.0f} MiB at most"
    )


def served(place: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server on a free port, wait until it is ready, and print how long that took."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    began = time.monotonic()
    command = [sys.executable, "-m", "offgridflow", "serve", "--ledger", str(place), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    version = None
    while version is None:
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=5) as answer:  # noqa: S310  our own server
                version = json.load(answer)["ledger_version"]
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    print(f"ready after {time.monotonic() - began:.1f} s with ledger version {version}, rollup built")
    return process, base


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--stream-mb", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--no-ingest", action="store_true")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    place = make_ledger(chosen.folder, chosen.rows)
    process, base = served(place)
    try:
        committer = None
        if not chosen.no_ingest:
            rows = chosen.rows // (len(MONTHS) * len(SOURCES))
            arguments = (str(place), rows, time.time() + chosen.seconds)
            committer = multiprocessing.get_context("spawn").Process(target=keep_committing, args=arguments)
            committer.start()
        print(f"{chosen.clients} clients, about one question a second each, {os.cpu_count()} cores")
        run_clients(client, chosen.clients, base, chosen.seconds).show()
        if committer is not None:
            committer.join()
        run_clients(heavy_client, 4, base, min(chosen.seconds, 15)).show()
        stream(base, psutil.Process(process.pid), chosen.stream_mb * 1_000_000)
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
