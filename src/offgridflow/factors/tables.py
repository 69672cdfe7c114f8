"""The files of a factor set: found, checked against the set's manifest, read as rows."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from offgridflow.domain.errors import InputError

DEFAULT_SET = "offgridflow-2026.11"
"""The set that ships with this version."""


class FactorSetError(InputError):
    """A factor set, or a factor that the user brought, that cannot be trusted or read."""

    code = "FACTOR_SET"


@dataclass(frozen=True, slots=True)
class Tables:
    """The raw bytes of every table of a set, already checked. ``digest`` is SHA-256 over names and file digests."""

    name: str
    version: str
    digest: str
    content: dict[str, bytes]

    def rows(self, table: str) -> Iterator[dict[str, str]]:
        """Yield the rows of a table by column name."""
        lines = self.lines(table)
        columns = next(lines)
        for line in lines:
            yield dict(zip(columns, line, strict=True))

    def lines(self, table: str) -> Iterator[list[str]]:
        """Yield the cells of a table, header first."""
        return csv.reader(io.StringIO(self.content[f"{table}.csv"].decode(), newline=""))


def read_set(folder: Traversable | None = None) -> Tables:
    """Read a set and check every file against its manifest.

    Raises:
        FactorSetError: naming the file that is missing or was changed.

    """
    place = resources.files("offgridflow.factors") / "data" if folder is None else folder
    manifest = json.loads(_bytes(place, "set.json"))
    files: dict[str, str] = manifest["files"]
    content = {name: _bytes(place, name) for name in files}
    for name, expected in files.items():
        if hashlib.sha256(content[name]).hexdigest() != expected:
            raise _changed(name)
    whole = json.dumps([manifest["name"], manifest["version"], files], sort_keys=True).encode()
    if hashlib.sha256(whole).hexdigest() != manifest["digest"]:
        name = "set.json"
        raise _changed(name)
    return Tables(manifest["name"], manifest["version"], manifest["digest"], content)


def _changed(name: str) -> FactorSetError:
    sentence = f"The file {name} of the factor set is not the one that was published."
    return FactorSetError(sentence, action="Install offgridflow again, or bring own factors as an overlay file.")


def _bytes(place: Traversable, name: str) -> bytes:
    try:
        return (place / name).read_bytes()
    except FileNotFoundError as error:
        sentence = f"The factor set has no file {name}."
        raise FactorSetError(sentence, action="Install offgridflow again.") from error
