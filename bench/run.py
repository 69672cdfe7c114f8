"""Measure ingest against bare DuckDB on generated CUR 2.0 bills, and print the figures. Nothing is asserted.

Each measurement is a fresh process; all are pinned to two cores. ``bare`` is DuckDB's GROUP BY of the raw columns that
the mapping reads (for CSV its own read of them), measured in the same run, before the ingest of the same files.
``scalars`` is the same without the ``product`` map, which ingest decodes for one line of each price only: a stricter
measure. Peaks are the summed resident sets of the process tree, sampled. The best of ``--repeat`` counts.

    python bench/run.py                               # everything: 1 M and 10 M lines
    python bench/run.py --lines 1000000 --case ordinary --json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import duckdb
import psutil

SQL: Final = Path(__file__).parent / "sql"
GENERATOR: Final = Path(__file__).with_name("generate_cur2.py")
CLI: Final = Path(sys.executable).with_name("offgridflow")
CORES: Final = 2
SAMPLE_SECONDS: Final = 0.02
HELP_RUNS: Final = 7
MIB: Final = 2**20
_HEADS: Final = (
    *("case", "lines", "files MiB", "bare s", "bare MiB", "scalars s", "ingest s", "ingest MiB"),
    *("ratio", "to scalars", "note"),
)
CASES: Final = {
    "ordinary": ("ordinary", "parquet"),
    "worst": ("worst", "parquet"),
    "csv": ("ordinary", "csv.gz"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process."""

    seconds: float
    peak_mib: float
    ok: bool
    output: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table; ``note`` says what was not as it should be."""

    case: str
    lines: int
    files_mib: float
    bare_seconds: float
    bare_peak_mib: float
    scalars_seconds: float | None
    ingest_seconds: float | None
    ingest_peak_mib: float | None
    ratio: float | None
    ratio_to_scalars: float | None
    note: str


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default="1000000,10000000", help="sizes of the ordinary case, comma separated")
    parser.add_argument("--worst-lines", type=int, help="size of the worst case (the largest of --lines)")
    parser.add_argument("--csv-lines", type=int, help="size of the CSV.gz case (the smallest of --lines)")
    parser.add_argument("--case", default="help,ordinary,worst,csv", help="which cases, comma separated")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--work", type=Path, help="folder for the big files, which are deleted afterwards")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--without-map", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.bare is not None:
        bare(wanted.bare, with_map=not wanted.without_map)
        return
    _pin()
    cases = set(wanted.case.split(","))
    sizes = [int(size) for size in wanted.lines.split(",")]
    tasks = [
        *(("ordinary", size) for size in sizes if "ordinary" in cases),
        *(("worst", size) for size in [wanted.worst_lines or max(sizes)] if "worst" in cases),
        *(("csv", size) for size in [wanted.csv_lines or min(sizes)] if "csv" in cases),
    ]
    if wanted.work is not None:
        wanted.work.mkdir(parents=True, exist_ok=True)
    help_seconds = _help_seconds() if "help" in cases else None
    figures = [_measure(case, size, wanted.repeat, wanted.work) for case, size in tasks]
    print(_as_json(figures, help_seconds) if wanted.json else _as_table(figures, help_seconds))


def bare(folder: Path, *, with_map: bool) -> None:
    """Group the raw columns of the files under ``folder``, as a query of bare DuckDB (or read them, of CSV)."""
    parquet = sorted(str(path) for path in folder.rglob("*.parquet"))
    spill = str(folder.parent / "spill")
    with duckdb.connect(config={"threads": CORES, "temp_directory": spill, "preserve_insertion_order": False}) as con:
        if parquet:
            raw = con.read_parquet(parquet, hive_partitioning=False)
        else:
            raw = con.read_csv(sorted(str(path) for path in folder.rglob("*.csv.gz")), hive_partitioning=False)
        raw.create_view("raw")
        con.execute(_bare_query("bare_group_by.sql" if parquet else "bare_read.sql", with_map=with_map))


def _bare_query(name: str, *, with_map: bool) -> str:
    """Return a query of ``sql``; without the map, the lines that read it are left out."""
    lines = (SQL / name).read_text().splitlines()
    return "\n".join(line for line in lines if with_map or "product[" not in line)


def _pin() -> None:
    """Keep this process and its children on two cores, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def _measure(case: str, lines: int, repeat: int, work: Path | None) -> Figures:
    shape, file_format = CASES[case]
    with tempfile.TemporaryDirectory(dir=work, prefix="offgridflow-bench-") as scratch:
        data = Path(scratch) / "data"
        _say(f"{case}: generating {lines:,} lines")
        files = _generated(data, lines, shape, file_format)
        runs = []
        for number in range(repeat):
            _say(f"{case}: measuring, {number + 1} of {repeat}")
            command = [sys.executable, __file__, "--bare", str(data)]
            baseline = _run(command)
            scalars = _run([*command, "--without-map"]) if file_format == "parquet" else None
            ledger = Path(scratch) / f"ledger-{number}"
            ingest = _run([str(CLI), "ingest", str(data), "--ledger", str(ledger), "--format", "json"])
            runs.append((baseline, scalars, ingest))
        size = sum(path.stat().st_size for path in files) / MIB
    return _figures(case, lines, size, runs)


def _generated(data: Path, lines: int, shape: str, file_format: str) -> list[Path]:
    command = [
        sys.executable,
        str(GENERATOR),
        str(data),
        "--lines",
        str(lines),
        "--shape",
        shape,
        "--format",
        file_format,
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def _figures(case: str, lines: int, size: float, runs: Sequence[tuple[Run, Run | None, Run]]) -> Figures:
    bares, ingests = [run[0] for run in runs], [run[2] for run in runs]
    scalars = [run[1] for run in runs if run[1] is not None]
    problems = [_first_line(run.output) for run in (*bares, *scalars) if not run.ok]
    problems += [problem for run in ingests if (problem := _problem(run, lines)) is not None]
    bare_seconds = min(run.seconds for run in bares)
    scalars_seconds = min((run.seconds for run in scalars), default=None)
    whole = not problems
    seconds = min(run.seconds for run in ingests)
    return Figures(
        case,
        lines,
        round(size, 1),
        round(bare_seconds, 3),
        round(max(run.peak_mib for run in bares), 1),
        None if scalars_seconds is None else round(scalars_seconds, 3),
        round(seconds, 3) if whole else None,
        round(max(run.peak_mib for run in ingests), 1) if whole else None,
        round(seconds / bare_seconds, 2) if whole else None,
        round(seconds / scalars_seconds, 2) if whole and scalars_seconds else None,
        problems[0] if problems else "",
    )


def _problem(run: Run, lines: int) -> str | None:
    """Return what is wrong with an ingest: it failed, or it did not commit every line."""
    if not run.ok:
        return f"ingest failed: {_first_line(run.output)}"
    try:
        periods = json.loads(run.output)["periods"]
        committed = sum(period["line_items"] for period in periods if period["status"] == "committed")
    except (ValueError, KeyError, TypeError) as error:
        return f"ingest printed something else than its JSON: {error!r}"
    return None if committed == lines else f"ingest committed {committed:,} of {lines:,} lines"


def _run(command: Sequence[str]) -> Run:
    """Run a command to its end and watch the memory of its process tree."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = psutil.Popen(command, stdout=out, stderr=err)
        peak = 0
        while child.poll() is None:
            peak = max(peak, _tree_bytes(child))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - start
        ok = child.returncode == 0
        stream = out if ok else err
        stream.seek(0)
        return Run(seconds, peak / MIB, ok, stream.read().decode(errors="replace"))


def _tree_bytes(process: psutil.Process) -> int:
    """Return the summed resident sets of a process and its descendants; those that just ended count nothing."""
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return total
    return total


def _help_seconds() -> float:
    """Return the median time of ``offgridflow --help``."""
    times = []
    for _ in range(HELP_RUNS):
        start = time.perf_counter()
        subprocess.run([str(CLI), "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _linearity(figures: Sequence[Figures]) -> float | None:
    """Return time per line of the largest ordinary case over that of the smallest; 1 is linear."""
    done = sorted(
        (found.lines, found.ingest_seconds) for found in figures if found.case == "ordinary" and found.ingest_seconds
    )
    if len(done) < CORES:
        return None
    (few, short), (many, long) = done[0], done[-1]
    return round((long / many) / (short / few), 2)


def _as_json(figures: Sequence[Figures], help_seconds: float | None) -> str:
    content = {
        "cases": [asdict(found) for found in figures],
        "help_seconds": help_seconds,
        "time_per_line_largest_over_smallest": _linearity(figures),
    }
    return json.dumps(content, indent=1)


def _as_table(figures: Sequence[Figures], help_seconds: float | None) -> str:
    rows = [_HEADS, *(tuple(_cell(value) for value in asdict(found).values()) for found in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if (linearity := _linearity(figures)) is not None:
        lines.append(f"time per line, largest over smallest: {linearity}")
    if help_seconds is not None:
        lines.append(f"offgridflow --help: {help_seconds:.3f} s (median of {HELP_RUNS})")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip(" ╭╮╰╯─│")]
    return lines[-1] if lines else "no output"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
