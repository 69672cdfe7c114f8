"""How fast the API answers on a big ledger: percentiles per kind of question, and memory while it streams. Prints only.

Usage: bench/api.py [--rows 10000000] [--clients 50] [--seconds 30] [--folder FOLDER] [--no-ingest]

The ledger is made of emission rows that DuckDB generates in two sources and twelve months, committed as the pipeline
would. The server runs in a process of its own. Clients are tasks of one event loop here, each with a connection that it
keeps, asking about once a second; a second ledger process commits a period, again and again.

Clients are on other machines in truth; here they share the processors. So that their own waiting for one is not taken
for the server's, all other processes (server, commits, echo) are nicer than theirs, all by ``BEHIND_CLIENTS``.

What the machine itself costs is measured in the same run and in the same way: ``bare echo`` asks a process that only
sends back what it gets, ``healthz`` our server without any question. What the server itself measured of its answers
from memory, and its processor time, stand below.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psutil

from offgridflow.domain.model import EMISSION_COLUMNS, IMPACT_COLUMNS
from offgridflow.ledger import CommitRecord, Ledger
from offgridflow.ledger.records import RawTotal

OK = 200
HEAVY_CLIENTS = 24
BEHIND_CLIENTS = 5
WITHIN = ("0.001", "0.0025", "0.005", "0.01")
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
        con.execute("SET enable_progress_bar = false")
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
    os.nice(BEHIND_CLIENTS)
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
    tags: set[str] = field(default_factory=set)

    def note(self, kind: str, status: int, took: float) -> None:
        """Take note of an answer."""
        self.statuses[kind][status] += 1
        if status == OK:
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
            print(f"{kind:44} {figures}  n {len(taken):6}  statuses {dict(self.statuses[kind])}")


_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TAG = re.compile(rb'\r\netag: *(W/"[0-9a-f]+")', re.IGNORECASE)


class Asker:
    """One client: a connection that it keeps.

    Args:
        port: of the server on this machine.
        seen: where it notes what it saw.

    """

    def __init__(self, port: int, seen: Seen) -> None:
        self.port = port
        self.seen = seen
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str) -> tuple[int, str, float]:
        """Ask, read to the last byte; return status, ETag and seconds."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        reader, writer = self._streams
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept-Encoding: gzip\r\n\r\n"
        began = time.perf_counter()
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        size = _LENGTH.search(head)
        await reader.readexactly(int(size[1]) if size else 0)
        took = time.perf_counter() - began
        tag = _TAG.search(head)
        return int(head[9:12]), tag[1].decode() if tag else "", took

    async def take(self, kind: str, path: str) -> None:
        """Ask and take note under ``kind``."""
        status, _, took = await self.ask(path)
        self.seen.note(kind, status, took)

    async def take_repeated(self, path: str) -> None:
        """Ask what is asked again and again, and tell the first answer of a ledger version from those after it."""
        status, tag, took = await self.ask(path)
        kind = "grouped by month, repeated" if tag in self.seen.tags else "grouped by month, first of a version"
        self.seen.tags.add(tag)
        self.seen.note(kind, status, took)

    async def echo(self, port: int) -> None:
        """Send a line to the bare echo, and take note."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        writer.write(b"x" * 100 + b"\n")
        await reader.readline()
        self.seen.note("bare echo (baseline)", OK, time.perf_counter() - began)
        writer.close()


def fresh(kind: random.Random) -> str:
    """Return a grouped month question that is hardly ever asked twice."""
    first, last = sorted(kind.sample(MONTHS, 2))
    where = f"&where=sub_account_id=account-{kind.randrange(200)}"
    return f"by={kind.choice(GROUPED)}&from={first}&to={last}&limit={kind.randrange(100, 10000)}{where}"


async def client(asker: Asker, echo_port: int, until: float, chance: random.Random) -> None:
    """Ask about once a second: half new questions, half the same few; and the two baselines now and then."""
    await asyncio.sleep(chance.random())
    while time.monotonic() < until:
        kind = chance.random()
        if kind < 0.45:  # noqa: PLR2004  a share
            await asker.take("grouped by month, new", f"/api/v1/emissions?{fresh(chance)}")
        elif kind < 0.9:  # noqa: PLR2004  a share
            await asker.take_repeated(f"/api/v1/emissions?by={chance.choice(GROUPED[:3])}")
        elif kind < 0.95:  # noqa: PLR2004  a share
            await asker.take("healthz (baseline)", "/healthz")
        else:
            await asker.echo(echo_port)
        await asyncio.sleep(chance.uniform(0.7, 1.3))


async def heavy_client(asker: Asker, _: int, until: float, chance: random.Random) -> None:
    """Ask for resources and days, one after the other."""
    while time.monotonic() < until:
        account = f"where=sub_account_id=account-{chance.randrange(200)}&limit={chance.randrange(100, 9999)}"
        await asker.take("by resource of an account", f"/api/v1/emissions?by=resource_id&{account}")
        await asker.take("by day", f"/api/v1/emissions?by=day&limit={chance.randrange(400, 9999)}&to=2026-12")


Client = Callable[[Asker, int, float, random.Random], Awaitable[None]]


def run_clients(target: Client, count: int, ports: tuple[int, int], seconds: float) -> Seen:
    """Let clients ask for a time, and return what they saw. ``ports`` are those of the server and of the echo."""
    seen = Seen()

    async def all_clients() -> None:
        until = time.monotonic() + seconds
        askers = [(Asker(ports[0], seen), random.Random(seed)) for seed in range(count)]  # noqa: S311  a benchmark
        await asyncio.gather(*(target(asker, ports[1], until, chance) for asker, chance in askers))

    asyncio.run(all_clients())
    return seen


def echo_for_ever(port: int) -> None:
    """Send back every line."""
    os.nice(BEHIND_CLIENTS)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())


def kept_times(base: str) -> tuple[float, float, dict[str, float]]:
    """Return of the answers from memory: how many, their seconds together, how many took at most so many seconds."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=60) as answer:  # noqa: S310  our own server
        text = answer.read().decode()
    name = "offgridflow_http_request_duration_seconds"
    buckets = re.findall(rf'{name}_bucket{{route="kept",le="([^"]+)"}} (\S+)', text)
    count = re.findall(rf'{name}_count{{route="kept"}} (\S+)', text)
    total = re.findall(rf'{name}_sum{{route="kept"}} (\S+)', text)
    return float(count[0]) if count else 0, float(total[0]) if total else 0, {le: float(n) for le, n in buckets}


def loop_times(pid: int) -> tuple[float, float]:
    """Return the seconds that the first thread of a process ran, and waited for a processor; Linux tells them."""
    ran, waited, _ = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="utf-8").split()
    return int(ran) / 1e9, int(waited) / 1e9


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def stream(base: str, process: psutil.Process, form: str, wanted_bytes: int) -> None:
    """Export until so many bytes came, and print speed and the server's memory: before, and at most in each quarter."""
    before, peaks, size, began = process.memory_info().rss, [0, 0, 0, 0], 0, time.monotonic()
    used = sum(process.cpu_times()[:2])
    with urllib.request.urlopen(f"{base}/api/v1/export?format={form}", timeout=600) as answer:  # noqa: S310  our own server
        while size < wanted_bytes and (chunk := answer.read(1 << 20)):
            quarter = size * len(peaks) // wanted_bytes
            peaks[quarter] = max(peaks[quarter], process.memory_info().rss)
            size += len(chunk)
    took, used = time.monotonic() - began, sum(process.cpu_times()[:2]) - used
    print(
        f"export {form}: {size / 1e6:,.0f} MB in {took:.1f} s ({size / 1e6 / took:.0f} MB/s, {used:.1f} s processor), "
        f"resident {before / 2**20:.0f} MiB before, at most {', '.join(f'{each / 2**20:.0f}' for each in peaks)} MiB "
        "in each quarter"
    )


def served(place: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a free port, wait until it is ready, and print how long that took."""
    port = free_port()
    began = time.monotonic()
    nice = ["nice", "-n", str(BEHIND_CLIENTS)]
    command = [*nice, sys.executable, "-m", "offgridflow", "serve", "--ledger", str(place), "--port", str(port)]
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
    return process, port


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
    spawn = multiprocessing.get_context("spawn")
    echo_port = free_port()
    echo = spawn.Process(target=echo_for_ever, args=(echo_port,), daemon=True)
    echo.start()
    process, port = served(place)
    watched = psutil.Process(process.pid)
    base, ports = f"http://127.0.0.1:{port}", (port, echo_port)
    try:
        committer = None
        if not chosen.no_ingest:
            rows = chosen.rows // (len(MONTHS) * len(SOURCES))
            arguments = (str(place), rows, time.time() + chosen.seconds)
            committer = spawn.Process(target=keep_committing, args=arguments)
            committer.start()
        print(f"{chosen.clients} clients, about one question a second each, {os.cpu_count()} cores")
        show_light(base, watched, lambda: run_clients(client, chosen.clients, ports, chosen.seconds))
        if committer is not None:
            committer.join()
        print(f"{HEAVY_CLIENTS} clients that ask for resources and days without a pause")
        run_clients(heavy_client, HEAVY_CLIENTS, ports, min(chosen.seconds, 15)).show()
        for form in ("csv", "arrow"):
            stream(base, watched, form, chosen.stream_mb * 1_000_000)
    finally:
        echo.terminate()
        process.terminate()
        process.wait(30)


def show_light(base: str, process: psutil.Process, run: Callable[[], Seen]) -> None:
    """Run the light questions, and print what clients saw, what the server measured and what it used."""
    psutil.cpu_percent()  # from here
    used, began, before = sum(process.cpu_times()[:2]), time.monotonic(), kept_times(base)
    scheduled = loop_times(process.pid)
    seen = run()
    after = kept_times(base)
    ran, waited = (late - early for late, early in zip(loop_times(process.pid), scheduled, strict=True))
    used, took = sum(process.cpu_times()[:2]) - used, time.monotonic() - began
    seen.show()
    count = after[0] - before[0]
    within = {f"{float(le) * 1e3:g} ms": after[2][le] - before[2].get(le, 0) for le in after[2] if le in WITHIN}
    shares = ", ".join(f"{share / count:.1%} within {le}" for le, share in within.items()) if count else "none"
    mean = (after[1] - before[1]) / count * 1e6 if count else 0
    print(f"inside the server, answers from memory: {count:.0f}, {mean:.0f} us on average, {shares}")
    print(f"its event loop ran {ran:.2f} s, and was ready to run without a processor for {waited:.2f} s")
    print(f"the server used {used / took:.2f} cores; of the machine {psutil.cpu_percent():.0f} % were in use")
    print("load average", os.getloadavg())


if __name__ == "__main__":
    main()
