"""Reading the research CSVs, writing ours, and the log of corrections."""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Cell = str | float | int | bool | None
Row = dict[str, Cell]


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a research CSV."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def own(name: str) -> list[dict[str, str]]:
    """Return the rows of one of our own tables, beside this module."""
    return read(Path(__file__).parent / "own", name)


def number(text: str) -> float | None:
    """Return the number in a cell, None where the cell is empty."""
    return float(text) if text.strip() else None


def zero(text: str) -> float:
    """Return the number in a cell, 0 where the cell is empty."""
    return number(text) or 0.0


def spell(value: Cell) -> str:
    """Return the one spelling of a cell: shortest of 12 digits, ``yes`` or empty for flags, empty for unknown."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    return value if isinstance(value, str) else format(value, ".12g")


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]], keys: Sequence[str]) -> int:
    """Write rows sorted by ``keys`` and return their number; ValueError names a key that comes twice."""
    spelled = [{column: spell(row.get(column)) for column in columns} for row in rows]
    spelled.sort(key=lambda row: tuple(row[key] for key in keys))
    seen: set[tuple[str, ...]] = set()
    for row in spelled:
        key = tuple(row[each] for each in keys)
        if key in seen:
            message = f"{path.name}: {key} comes twice"
            raise ValueError(message)
        seen.add(key)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(spelled)
    return len(spelled)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Corrections:
    """Every value that the builder changed, with its reason."""

    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, old: Cell, new: Cell, reason: str) -> None:
        """Note one change; ``what`` names table, row and column."""
        self.rows.append({"what": what, "old": spell(old), "new": spell(new), "reason": reason})
