"""The entries of a Delta log as files. delta-rs reads them too, but holds the interpreter while it waits for them."""

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from offgridflow.ledger.storage import Storage

_ENTRY: Final = re.compile(r".*/_delta_log/(\d{20})\.json")
_THREADS: Final = 16
_FEW: Final = 4


def entry_name(table: str, version: int) -> str:
    """Return the name of a version's entry."""
    return f"{table}/_delta_log/{version:020d}.json"


def entry_versions(storage: Storage, table: str) -> list[int]:
    """Return the versions of which the log has an entry, ascending."""
    found = (_ENTRY.fullmatch(name) for name in storage.names(f"{table}/_delta_log"))
    return sorted(int(match[1]) for match in found if match)


def read_entries(storage: Storage, table: str, versions: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """Yield the actions of each version, in the order asked for; none for an entry that is not there."""

    def actions(version: int) -> list[dict[str, Any]]:
        content = storage.read(entry_name(table, version)) or b""
        return [json.loads(line) for line in content.splitlines() if line.strip()]

    if len(versions) <= _FEW:
        yield from map(actions, versions)
        return
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        yield from pool.map(actions, versions)
