"""A ledger in an object store: Parquet is written locally, uploaded, then named in a log; read through a local cache.

delta-rs reads and writes the logs, obstore everything else: both are the same Rust code for S3, Azure Blob storage and
Cloud Storage. What decides is that a log entry is created only where there is none (``If-None-Match: *``, on Cloud
Storage ``x-goog-if-generation-match: 0``).
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from offgridflow.cloud.redact import redact_text
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.places import Place, delta_options, open_store, stores_error
from offgridflow.ledger.readcache import ReadCache, default_folder
from offgridflow.ledger.storage import StoredFile, is_data_file

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_TRIES: Final = 3
_THREADS: Final = 16
_CHUNK_BYTES: Final = 8 * 2**20


class RemoteStorage:
    """A ledger in an object store. Made by ``storage_of``.

    Args:
        place: its address.
        environment: variables of the process, for the cache folder.

    """

    def __init__(self, place: Place, environment: Mapping[str, str]) -> None:
        self.place = place
        self.options: Mapping[str, str] | None = delta_options(place)
        self._store: ObjectStore = open_store(place)
        self._cache = ReadCache(place.cache_folder or default_folder(environment), place.identity, place.cache_mib)
        self._os: Any = importlib.import_module("obstore")
        self._error = stores_error()
        self._exists: type[Exception] = importlib.import_module("obstore.exceptions").AlreadyExistsError

    @property
    def uri(self) -> str:
        """The address, without what stands behind its question mark."""
        return self.place.uri

    @property
    def local_folder(self) -> Path:
        """The folder of the local copies and of the files to be."""
        return self._cache.folder

    def table_uri(self, table: str) -> str:
        """Return the address of a table for delta-rs."""
        return f"{self.place.uri}/{table}"

    def staging_path(self, table: str, path: str) -> Path:
        """Return a local path in the work folder of this process."""
        return self._cache.staged(f"{table}/{path}")

    def publish(self, table: str, path: str) -> None:
        """Upload the file, check that it arrived whole, and keep it as the local copy."""
        name = f"{table}/{path}"
        staged = self._cache.staged(name)
        size = staged.stat().st_size if staged.exists() else None
        if size is None and self._cache.path_of(name).exists():
            return  # published before
        if size is None:
            sentence = f"The staged file {path} of the ledger {self.uri} is missing."
            raise LedgerError(sentence, action="Write a file to every path that the staging gave out.")
        self.upload(name, staged)
        self._cache.adopt(name)

    def upload(self, name: str, local: Path) -> None:
        """Write a local file to the store as the object ``name``, in place of one that is there."""
        size = local.stat().st_size
        with self._told("Cannot write to"):
            self._os.put(self._store, name, local)
            arrived = int(self._os.head(self._store, name)["size"])
        if arrived != size:
            sentence = f"{name} arrived in the ledger {self.uri} with {arrived} of {size} bytes."
            raise LedgerError(sentence, action="Run it again.")

    def discard(self, table: str, path: str) -> None:
        """Delete the object, the local copy and the staged file."""
        self.delete(f"{table}/{path}")
        self._cache.dropped(f"{table}/{path}")

    def local_paths(self, table: str, files: Sequence[tuple[str, int]]) -> list[Path]:
        """Return the local copies; those that are not here yet are fetched, several at a time."""
        found = {path: self._cache.found(f"{table}/{path}", size) for path, size in files}
        absent = [path for path, copy in found.items() if copy is None]
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            found.update(zip(absent, pool.map(partial(self.fresh_path, table), absent), strict=True))
        return [copy for path, _ in files if (copy := found[path]) is not None]

    def fresh_path(self, table: str, path: str) -> Path:
        """Fetch the object as it is now, whatever lies here."""
        name = f"{table}/{path}"
        try:
            return self._cache.fetched(name, lambda aside: self.download(name, aside))
        except FileNotFoundError as error:
            self._cache.dropped(name)
            sentence = f"The ledger {self.uri} lacks the file {name} that its log names."
            action = "Older versions go with vacuum; for the newest, restore from a backup."
            raise LedgerError(sentence, action=action) from error

    def download(self, name: str, local: Path) -> None:
        """Copy an object to a local file. Raises FileNotFoundError where there is none, LedgerError if it is cut."""
        for _ in range(_TRIES):
            with self._told("Cannot read"):
                found = self._os.get(self._store, name)
                size = int(found.meta["size"])
                with local.open("wb") as target:
                    for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                        target.write(chunk)
            if local.stat().st_size == size:
                return
        sentence = f"{name} of the ledger {self.uri} came {_TRIES} times without its end."
        raise LedgerError(sentence, action="Run it again.")

    def files(self, table: str) -> Iterator[StoredFile]:
        """Yield the data files below a table's prefix, by path."""
        for found in self.objects(table):
            path = found.path.removeprefix(f"{table}/")
            if is_data_file(path):
                yield StoredFile(path, found.size_bytes, found.modified_s)

    def objects(self, prefix: str) -> Iterator[StoredFile]:
        """Yield all objects below a prefix, with their whole names, sorted."""
        with self._told("Cannot list"):
            listed = [
                each for page in self._os.list(self._store, prefix=f"{prefix}/" if prefix else None) for each in page
            ]
        for each in sorted(listed, key=lambda found: str(found["path"])):
            yield StoredFile(str(each["path"]), int(each["size"]), each["last_modified"].timestamp())

    def read(self, name: str) -> bytes | None:
        """Return the content of an object."""
        try:
            with self._told("Cannot read"):
                return bytes(self._os.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def write_new(self, name: str, content: bytes) -> bool:
        """Create an object; the store refuses where there is one."""
        try:
            with self._told("Cannot write to"):
                self._os.put(self._store, name, content, mode="create")
        except self._exists:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete an object."""
        try:
            with self._told("Cannot delete in"):
                self._os.delete(self._store, name)
        except FileNotFoundError:
            return

    def names(self, prefix: str) -> list[str]:
        """Return the names directly under a prefix."""
        with self._told("Cannot list"):
            found = self._os.list_with_delimiter(self._store, prefix or None)
        return sorted({*map(str, found["common_prefixes"]), *(str(each["path"]) for each in found["objects"])})

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what obstore raises into an error for people; absence and existence pass, for the caller knows them."""
        try:
            yield
        except (FileNotFoundError, self._exists):
            raise
        except (self._error, OSError, ValueError) as error:
            reason = redact_text(str(error).partition("\n")[0]).rstrip(".")
            sentence = f"{what} the ledger {self.uri}: {reason}."
            action = "Check address, credentials and permissions (docs/ledger.md), then run it again."
            raise LedgerError(sentence, action=action) from error
