"""Measure what is estimated of bills, by unit and reason.

    python tools/measure_coverage.py FILE_OR_FOLDER [...]

Prints the headline of each file ((A + B) / (A + ... + E) by cost weight and by lines), then every unit over all
files with its share, and for units below 90 % the reasons with their most expensive meters.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from offgridflow.connectors import files
from offgridflow.connectors.model import Limits
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.engines.duckdb import DuckDbEngine
from offgridflow.engines.model import Grain, Part
from offgridflow.factors import load
from offgridflow.formats import detect
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Recipe
from offgridflow.pipeline.rate_card import build_card, emissions_query

ENOUGH = 0.9
_RATED = frozenset("AB")
_COUNTED = frozenset("ABCDE")
_WEIGHED = """
    SELECT coalesce(consumed_unit, '(none)') AS unit, coverage_bucket, coalesce(reason, 'estimated') AS reason,
      coalesce(service_code, service_name, '') || ': ' || coalesce(sku_meter, '') AS meter,
      sum(greatest(billed_cost, effective_cost, 0))::DOUBLE AS cost, sum(line_items)::BIGINT AS lines
    FROM ({emissions}) WHERE charge_class = 'usage' GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Usage of one unit, bucket, reason and meter: cost weight and lines."""

    unit: str
    bucket: str
    reason: str
    meter: str
    cost: float
    lines: int


@dataclass(slots=True)
class Share:
    """What of a group is rated, by cost and by lines."""

    cost: float = 0.0
    rated_cost: float = 0.0
    lines: int = 0
    rated_lines: int = 0
    lost: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: Row) -> None:
        """Count a row, unless it is not physical."""
        if row.bucket not in _COUNTED:
            return
        rated = row.bucket in _RATED
        self.cost += row.cost
        self.lines += row.lines
        self.rated_cost += row.cost if rated else 0.0
        self.rated_lines += row.lines if rated else 0
        if not rated:
            self.lost[row.reason].append(row)

    @property
    def by_cost(self) -> float:
        """Share by cost; by lines where nothing costs."""
        return self.rated_cost / self.cost if self.cost else self.by_lines

    @property
    def by_lines(self) -> float:
        """Share by lines."""
        return self.rated_lines / self.lines if self.lines else 1.0


def rows_of(path: Path, folder: Path, rater: Rater) -> list[Row]:
    """Return the rows of one bill. Raises OffGridFlowError where it is none that we read."""
    found = files.discover([path], folder)
    for refused in found.refused:
        raise refused.error
    parts: list[Part] = []
    mapping = None
    for part in found.parts:
        scan = files.scan(part, Limits())
        mapping = detect(scan.header.columns)
        if mapping is None:
            sentence = f"{path.name} is no billing format that we know."
            raise OffGridFlowError(sentence)
        header = scan.header
        parts.append(
            Part(part.path, part.name, scan.digest, part.kind.value, scan.records, header.columns, header.delimiter)
        )
    if mapping is None:
        return []
    engine = DuckDbEngine(threads=1, memory_limit="600MiB", temp_directory=folder)
    with engine.aggregate(parts, mapping, Grain(resources=False), None) as aggregation:
        build_card(aggregation.con, rater)
        query = _WEIGHED.format(emissions=emissions_query())
        return [Row(*row) for row in aggregation.con.execute(query).fetchall()]


def bills(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the CSV and Parquet files of the paths."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in {".csv", ".parquet", ".gz"})
        else:
            yield path


def _print_units(rows: Sequence[Row]) -> None:
    units: dict[str, Share] = defaultdict(Share)
    for row in rows:
        units[row.unit].add(row)
    ordered = sorted(units.items(), key=lambda item: (-item[1].cost, -item[1].lines, item[0]))
    print("\n| unit | cost weight | lines | rated by cost | rated by lines |\n|---|---|---|---|---|")
    for unit, share in ordered:
        if share.lines:
            shares = f"{share.by_cost:.1%} | {share.by_lines:.1%}"
            print(f"| {unit} | {share.cost:,.2f} | {share.lines:,} | {shares} |")
    print("\nBelow 90 %:\n")
    for unit, share in ordered:
        if share.lines and min(share.by_cost, share.by_lines) < ENOUGH:
            _print_lost(unit, share)


def _print_lost(unit: str, share: Share) -> None:
    print(f"- {unit}")
    reasons = sorted(share.lost.items(), key=lambda item: -sum(row.cost for row in item[1]))
    for reason, lost in reasons:
        cost, lines = sum(row.cost for row in lost), sum(row.lines for row in lost)
        meters = ", ".join(row.meter for row in sorted(lost, key=lambda row: (-row.cost, -row.lines))[:3])
        print(f"  - {reason}: {cost:,.2f}, {lines:,} lines ({meters[:220]})")


def main(arguments: Sequence[str]) -> int:
    """Measure the given bills; return the exit code."""
    if not arguments:
        print(__doc__)
        return 2
    rater = Rater(load(), Recipe())
    rows: list[Row] = []
    print("| bill | rated by cost | rated by lines | cost of C | lines |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in bills(map(Path, arguments)):
            try:
                found = rows_of(path, Path(folder), rater)
            except OffGridFlowError as error:
                print(f"| {path.name} | refused: {error.sentence[:90]} | | | |")
                continue
            whole = Share()
            for row in found:
                whole.add(row)
            median = sum(row.cost for row in found if row.bucket == "C") / (whole.cost or 1)
            print(f"| {path.name} | {whole.by_cost:.1%} | {whole.by_lines:.1%} | {median:.1%} | {whole.lines:,} |")
            rows += found
    _print_units(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
