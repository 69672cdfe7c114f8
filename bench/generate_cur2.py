"""Generate an AWS CUR 2.0 export of realistic shape: hourly lines per resource, a wide price list, maps.

The result is a folder as Data Exports delivers it (``data/BILLING_PERIOD=.../``, ``metadata/.../*-Manifest.json``).
Equal arguments give equal rows in equal order. ``worst`` gives every line its own resource, so nothing aggregates.

    python bench/generate_cur2.py OUT --lines 1000000 --shape ordinary --format parquet
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import duckdb

SQL = Path(__file__).parent / "sql"
EXPORT = "bench-cur2"
MIN_SLOTS = 14_000
HOURS_PER_MONTH = 720
MAPS_AS_JSON = (
    "* REPLACE (to_json(product) AS product, to_json(resource_tags) AS resource_tags, "
    "to_json(cost_category) AS cost_category, to_json(discount) AS discount)"
)

Shape = Literal["ordinary", "worst"]
Format = Literal["parquet", "csv.gz"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What to generate. ``month`` is ``YYYY-MM`` with 30 days or more; lines spread over it hour by hour."""

    lines: int
    shape: Shape = "ordinary"
    file_format: Format = "parquet"
    seed: int = 7
    month: str = "2025-06"
    lines_per_part: int = 500_000


def generate(folder: Path, spec: Spec, *, threads: int = 2) -> list[Path]:
    """Write the export under ``folder`` and return its data files in order."""
    data = folder / EXPORT / "data" / f"BILLING_PERIOD={spec.month}"
    data.mkdir(parents=True, exist_ok=True)
    firsts = range(0, max(spec.lines, 1), spec.lines_per_part)
    spans = [(first, min(first + spec.lines_per_part, spec.lines)) for first in firsts]
    with duckdb.connect(config={"threads": threads}) as connection, ThreadPoolExecutor(threads) as pool:
        _set_variables(connection, spec)
        connection.execute((SQL / "cur2_slots.sql").read_text())
        files = list(pool.map(partial(_write_part, connection, data, spec), range(1, len(spans) + 1), spans))
    _write_manifest(folder, files, spec)
    return files


def _set_variables(connection: duckdb.DuckDBPyConnection, spec: Spec) -> None:
    variables: dict[str, object] = {
        "seed": spec.seed,
        "slots": max(MIN_SLOTS, -(-spec.lines // HOURS_PER_MONTH)),
        "worst": spec.shape == "worst",
        "month_start": f"{spec.month}-01 00:00:00",
    }
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])


def _write_part(
    connection: duckdb.DuckDBPyConnection, data: Path, spec: Spec, number: int, span: tuple[int, int]
) -> Path:
    with connection.cursor() as cursor:
        _set_variables(cursor, spec)
        lines = cursor.sql((SQL / "cur2_lines.sql").read_text(), params={"first": span[0], "last": span[1]})
        if spec.file_format == "parquet":
            path = data / f"{EXPORT}-{number:05d}.snappy.parquet"
            lines.write_parquet(str(path), compression="snappy")
            return path
        path = data / f"{EXPORT}-{number:05d}.csv.gz"
        lines.project(MAPS_AS_JSON).write_csv(str(path), header=True, compression="gzip")
        return path


def _write_manifest(folder: Path, files: list[Path], spec: Spec) -> None:
    metadata = folder / EXPORT / "metadata" / f"BILLING_PERIOD={spec.month}"
    metadata.mkdir(parents=True, exist_ok=True)
    keys = [f"s3://bench-bucket/{path.relative_to(folder).as_posix()}" for path in files]
    manifest = {"executionId": f"bench-{spec.seed}", "dataFiles": keys, "columns": []}
    (metadata / f"{EXPORT}-Manifest.json").write_text(json.dumps(manifest, indent=1))


def main() -> None:
    """Read the command line and write the export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--shape", choices=("ordinary", "worst"), default="ordinary")
    parser.add_argument("--format", choices=("parquet", "csv.gz"), default="parquet")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--month", default="2025-06")
    wanted = parser.parse_args()
    spec = Spec(wanted.lines, wanted.shape, wanted.format, wanted.seed, wanted.month)
    for path in generate(wanted.out, spec):
        print(path)


if __name__ == "__main__":
    main()
