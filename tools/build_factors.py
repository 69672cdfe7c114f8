"""Build the factor set from the shared research CSVs.

    python tools/build_factors.py ../shared/factors src/offgridflow/factors/data

Equal inputs give equal bytes: rows are sorted, numbers have one spelling, nothing of the machine or the clock enters.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256 as digest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.factor_build import (
    ai,
    coefficients,
    facility,
    grid,
    hardware,
    machines,
    places,
    sources,
)
from tools.factor_build.tables import Cell, Corrections, sha256, write

NAME = "offgridflow-2026.11"
VERSION = "2026.11.3"
_Table = tuple[str, Sequence[str], Sequence[Mapping[str, Cell]], Sequence[str]]

_SERVICE_MAPPING: tuple[tuple[str, str, str | None, str], ...] = (
    (
        "service mapping: Lambda-GB-Second, Lambda-Edge-GB-Second",
        "storage SSD",
        "compute",
        "function memory over time is not storage",
    ),
    (
        "service mapping: Fargate-GB-Hours, ECS-EC2-GB-Hours",
        "storage SSD",
        "compute",
        "task memory over time is not storage",
    ),
    ("service mapping: ES:Magnetic-Storage", "SSD", "HDD", "magnetic storage is HDD"),
    ("service mapping: RDS:Multi-AZ-StorageUsage", "SSD", "HDD", "the standard (magnetic) storage is HDD"),
)
_DROPPED: tuple[tuple[str, str, str | None, str], ...] = (
    (
        "market_based_region.csv",
        "shipped",
        None,
        "holds only zeros; market-based factors come from contracts or the provider",
    ),
    ("spruce and boaviztapi columns", "shipped", None, "known wrong or AGPL-3.0"),
    (
        "instance_power_embodied.csv platform_memory_gib",
        "used",
        None,
        "88 types exceed their host; the additive formula needs none",
    ),
)


def tables(shared: Path) -> tuple[list[_Table], Corrections]:
    """Return every table with its columns, rows and sort keys, and the log of corrections."""
    log = Corrections()
    types = machines.machines(shared, log)
    cards = hardware.accelerators(shared, log)
    regions = places.regions(shared, log)
    aliases = places.aliases(shared, regions, log)
    areas = [str(row["grid_area"]) for row in regions if row.get("grid_area")]
    grids = grid.grid(shared, log, areas)
    facilities = facility.facilities(shared, log)
    for what, old, new, reason in (*_SERVICE_MAPPING, *_DROPPED):
        log.add(what, old, new, reason)
    found: list[_Table] = [
        ("factors.csv", coefficients.COLUMNS, coefficients.rows(types), ("factor_id",)),
        ("machines.csv", machines.COLUMNS, types, ("provider", "instance_type")),
        ("processors.csv", hardware.PROCESSOR_COLUMNS, hardware.processors(shared), ("name",)),
        ("accelerators.csv", hardware.ACCELERATOR_COLUMNS, cards, ("model",)),
        ("regions.csv", places.REGION_COLUMNS, regions, ("provider", "region_id")),
        ("aliases.csv", places.ALIAS_COLUMNS, aliases, ("provider", "kind", "alias")),
        ("grid.csv", grid.COLUMNS, grids, ("area", "year")),
        ("facility.csv", facility.COLUMNS, facilities, ("provider", "region_id")),
        ("disks.csv", ai.DISK_COLUMNS, ai.disks(shared), ("provider", "code")),
        ("sizes.csv", ai.SIZE_COLUMNS, ai.sizes(), ("key",)),
        ("ai_models.csv", ai.COLUMNS, ai.models(shared), ("vendor", "model")),
        ("sources.csv", sources.COLUMNS, sources.rows(), ("source_id",)),
    ]
    return found, log


def build(shared: Path, out: Path) -> dict[str, int]:
    """Write the factor set and return the rows of each table."""
    out.mkdir(parents=True, exist_ok=True)
    found, log = tables(shared)
    counts = {name: write(out / name, columns, rows, keys) for name, columns, rows, keys in found}
    counts["corrections.csv"] = write(
        out / "corrections.csv", ("what", "old", "new", "reason"), log.rows, ("what", "old", "new")
    )
    (out / "NOTICE").write_text(sources.notice(), encoding="utf-8")
    files = {name: sha256(out / name) for name in sorted([*counts, "NOTICE"])}
    whole = digest(json.dumps([NAME, VERSION, files], sort_keys=True).encode()).hexdigest()
    manifest = {"name": NAME, "version": VERSION, "digest": whole, "rows": counts, "files": files}
    (out / "set.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return counts


def main(arguments: Sequence[str]) -> int:
    """Run the build; return the exit code."""
    if len(arguments) != 2:  # noqa: PLR2004  the two folders of the usage line
        print(__doc__)
        return 2
    for name, rows in sorted(build(Path(arguments[0]), Path(arguments[1])).items()):
        print(f"{name:18} {rows:6}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
