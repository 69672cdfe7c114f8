"""Read the manifests that providers write beside their exports, and find the files that they list.

Known: AWS legacy CUR (``reportKeys``), AWS Data Exports (``dataFiles``), Azure Cost Management (``blobs[].blobName``).
They are read leniently, for no complete schema is published; keys are never normalised, only compared piece by piece,
because downloads drop the bucket, leading slashes and doubled slashes.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from offgridflow.connectors.files.streams import unreadable
from offgridflow.connectors.model import Limits
from offgridflow.domain.errors import InputError

_KEY_FIELDS = ("blobName", "key", "path", "uri")
_PERIOD_FOLDER = re.compile(r"\d{8}-\d{8}|(?:billing|usage)_period=.+", re.IGNORECASE)
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_STAMP = r"\d{4}-\d{2}-\d{2}T[\d:.]+Z|\d{8}T\d{6}Z|\d{12}(?:\d{2})?"
_RUN_FOLDER = re.compile(rf"{_GUID}|(?:{_STAMP})(?:-.+)?", re.IGNORECASE)
_STAMP_AT_START = re.compile(_STAMP, re.IGNORECASE)
_ATHENA_FOLDER = re.compile(r"(?:year|month)=\d+", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z0-9]+://[^/]*/", re.IGNORECASE)
_DIGITS = 14


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a manifest: its key as written, and its record count where the manifest gives one."""

    key: str
    records: int | None = None

    @property
    def pieces(self) -> tuple[str, ...]:
        """The key without scheme and bucket, split at slashes, empty pieces dropped."""
        return tuple(piece for piece in _SCHEME.sub("", self.key, count=1).split("/") if piece)

    @property
    def is_parquet(self) -> bool:
        """Whether the key says Parquet (providers name their own files consistently)."""
        return self.key.lower().endswith(".parquet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest. Those of equal ``group`` describe the same period; the one with the greatest ``age`` is newest."""

    path: Path
    anchor: Path
    whole_tree: bool
    age: tuple[bool, str, int, str]
    listed: tuple[Listed, ...]

    @property
    def group(self) -> tuple[Path, str]:
        """The period folder and the report."""
        return self.anchor, self.path.name.lower()

    def owns(self, path: Path) -> bool:
        """Whether a file lies where only this delivery's files may lie."""
        return any(
            path.is_relative_to(place) if self.whole_tree else path.parent == place for place in _places(self.anchor)
        )


def is_manifest(path: Path) -> bool:
    """Whether a file is named as the providers name their manifests."""
    name = path.name.lower()
    return name == "manifest.json" or name.endswith("-manifest.json")


def read_manifest(path: Path, limits: Limits) -> Manifest | None:
    """Read a manifest; None where the JSON lists no files, so that it is something else.

    Raises:
        InputError: UNREADABLE_FILE or BAD_MANIFEST.

    """
    content = _content(path, limits)
    listed = _listed(content)
    if listed is None:
        return None
    anchor, whole_tree = anchor_of(path)
    between = path.relative_to(anchor).parts[:-1]
    age = (not between, _stamp(content, between), path.stat().st_mtime_ns, str(path))
    return Manifest(path, anchor, whole_tree, age, listed)


def anchor_of(path: Path) -> tuple[Path, bool]:
    """Return the folder that a manifest speaks for, and whether with all that is under it.

    That is the folder of the billing period where there is one, else the manifest's own without the folders of runs.
    """
    for folder in path.parents:
        if _PERIOD_FOLDER.fullmatch(folder.name):
            return folder, True
    folder = path.parent
    while _RUN_FOLDER.fullmatch(folder.name):
        folder = folder.parent
    return folder, folder != path.parent


def find(listed: Listed, manifest: Manifest, by_name: Mapping[str, Sequence[Path]]) -> Path | None:
    """Return the file that a manifest lists, or None.

    It has the same name, and as many of the same folders above it as any. A file in another period's or another run's
    folder is never taken for it.
    """
    pieces = listed.pieces
    candidates = by_name.get(pieces[-1], ()) if pieces else ()
    fitting = [path for path in candidates if _fits(path, pieces)]
    if not fitting:
        return None
    return max(
        fitting, key=lambda path: (_shared(path.parts[::-1], pieces[::-1]), _shared(path.parts, manifest.path.parts))
    )


def _places(anchor: Path) -> Iterable[Path]:
    """Yield the manifest's own folder and, for Data Exports, the data folder that stands beside ``metadata``."""
    yield anchor
    if anchor.parent.name == "metadata":
        yield anchor.parent.parent / "data" / anchor.name


def _fits(path: Path, pieces: tuple[str, ...]) -> bool:
    shared = _shared(path.parts[::-1], pieces[::-1])
    above = path.parts[-shared - 1] if shared < len(path.parts) else ""
    tells = any(pattern.fullmatch(above) for pattern in (_PERIOD_FOLDER, _RUN_FOLDER, _ATHENA_FOLDER))
    return shared == len(pieces) or not tells or above in pieces


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many pieces two sequences have in common from their start."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _content(path: Path, limits: Limits) -> Mapping[str, object]:
    try:
        with path.open("rb") as stream:
            text = stream.read(limits.max_manifest_bytes + 1)
    except OSError as error:
        raise unreadable(str(path), error) from error
    try:
        if len(text) > limits.max_manifest_bytes:
            raise _bad(path, f"is longer than {limits.max_manifest_bytes} bytes")
        content: object = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _bad(path, "is not readable JSON") from error
    if not isinstance(content, dict):
        raise _bad(path, "is not a JSON object")
    return content


def _listed(content: Mapping[str, object]) -> tuple[Listed, ...] | None:
    for field in ("dataFiles", "reportKeys", "blobs"):
        entries = content.get(field)
        if isinstance(entries, list):
            return tuple(listed for entry in entries if (listed := _entry(entry)) is not None)
    return () if "blobCount" in content else None  # an Azure run without rows writes no list


def _entry(entry: object) -> Listed | None:
    if isinstance(entry, str):
        return Listed(entry)
    if not isinstance(entry, dict):
        return None
    key = next((entry[field] for field in _KEY_FIELDS if isinstance(entry.get(field), str)), None)
    rows = entry.get("dataRowCount")
    return None if key is None else Listed(key, rows if isinstance(rows, int) else None)


def _stamp(content: Mapping[str, object], between: Sequence[str]) -> str:
    """Return when a manifest's run was made as digits that sort, or nothing: stated, or out of the run's folder."""
    run = content.get("runInfo")
    stated = [run.get("submittedTime")] if isinstance(run, dict) else []
    stated += [content.get("assemblyId"), *between]
    for text in stated:
        match = _STAMP_AT_START.match(text) if isinstance(text, str) else None
        if match is not None:
            return re.sub(r"\D", "", match[0])[:_DIGITS].ljust(_DIGITS, "0")
    return ""


def _bad(path: Path, why: str) -> InputError:
    return InputError(f"the manifest {path} {why}", action="Fetch the delivery again.", code="BAD_MANIFEST")
