"""What an engine is given: parts of one format, and the grain to aggregate them to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GrainPeriod = Literal["hour", "day", "month"]
PartKind = Literal["csv", "parquet", "json"]


@dataclass(frozen=True, slots=True)
class Part:
    """One local file of a delivery.

    ``records`` is the count of its data rows by a pass that is independent of the engine, ``columns`` the header of a
    CSV (a Parquet file brings its own). ``name`` is what errors and quarantined lines call it; ``delimiter`` is that of
    a CSV. ``json`` is one JSON object a line. A gzip is known by its first bytes.
    """

    path: Path
    name: str
    digest: str
    kind: PartKind
    records: int
    columns: tuple[str, ...] = ()
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely lines are kept apart: time truncated to ``period`` (UTC), by resource or not, by these tag keys."""

    period: GrainPeriod = "day"
    resources: bool = True
    tag_keys: tuple[str, ...] = ()
