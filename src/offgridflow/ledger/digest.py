"""The digest of a snapshot: equal exactly where the live rows are equal, whatever their order, files or commits.

Every row becomes one text, the text a 128-bit MD5, and the two halves are added up as exact integers; equal rows count
as often as they stand. Ids of commits, rates and runs, times of commits, and paths are left out. The digest proves
equality after crashes, repacking and re-runs; it is no defence against a forger, for whom see the file digests.
"""

import hashlib
from typing import TYPE_CHECKING, Final

from offgridflow.domain.model import EMISSION_COLUMNS
from offgridflow.ledger.tables import EMISSIONS, QUARANTINE, QUARANTINE_COLUMNS

if TYPE_CHECKING:
    import duckdb

_NOTHING: Final = "chr(30)"
_NEXT: Final = "chr(31)"
_HALF: Final = "18446744073709551615::UHUGEINT"
_LEFT_OUT: Final = frozenset({"rate_id"})
_OF_THE_FILE: Final = frozenset({"file", "line_number"})


def _texts(name: str, kind: str) -> list[str]:
    """Return SQL expressions that give a column as VARCHAR, null where it is null."""
    if kind.startswith("STRUCT"):
        fields = [part.split()[0] for part in kind.removeprefix("STRUCT(").removesuffix(")").split(", ")]
        return [f'"{name}"."{field}"::VARCHAR' for field in fields]
    if kind.startswith("MAP"):
        return [f'CASE WHEN cardinality("{name}") > 0 THEN to_json(list_sort(map_entries("{name}")))::VARCHAR END']
    if kind.endswith("[]"):
        return [f"array_to_string(list_sort(\"{name}\"), ',')"]
    if kind.startswith("TIMESTAMP"):
        return [f'epoch_us("{name}")::VARCHAR']
    return [f'"{name}"'] if kind == "VARCHAR" else [f'"{name}"::VARCHAR']


def row_text(columns: dict[str, str]) -> str:
    """Return the SQL expression of a row's canonical text."""
    texts = [text for name, kind in columns.items() for text in _texts(name, kind)]
    return f"concat_ws({_NEXT}, " + ", ".join(f"coalesce({text}, {_NOTHING})" for text in texts) + ")"


def _sums(con: "duckdb.DuckDBPyConnection", view: str, columns: dict[str, str]) -> str:
    rows = con.execute(
        f"SELECT count(*), coalesce(sum((hash & {_HALF})::UBIGINT), 0), coalesce(sum((hash >> 64)::UBIGINT), 0) "
        f"FROM (SELECT md5_number({row_text(columns)}) AS hash FROM {view})",
    ).fetchall()
    return ":".join(map(str, rows[0]))


def digest_of_views(con: "duckdb.DuckDBPyConnection") -> str:
    """Return the digest (64 hexadecimal digits) of the views ``emissions`` and ``quarantine``."""
    key = {"source": "VARCHAR", "billing_period": "VARCHAR"}
    emissions = {name: kind for name, kind in EMISSION_COLUMNS.items() if name not in _LEFT_OUT}
    quarantine = {name: kind for name, kind in QUARANTINE_COLUMNS.items() if name not in _OF_THE_FILE}
    content = f"{_sums(con, EMISSIONS, {**key, **emissions})} {_sums(con, QUARANTINE, {**key, **quarantine})}"
    return hashlib.sha256(content.encode()).hexdigest()
