"""Where the ledgers of tests lie: a folder, S3 by moto, Azure Blob storage by Azurite, Cloud Storage by our server."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from offgridflow.ledger.storage import Storage, storage_of

KINDS = ("folder", "s3", "azure")
BUCKET = "ledgers"
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = (  # the published key of every Azurite, no secret
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
AZURITE = Path(
    os.environ.get("OFFGRIDFLOW_AZURITE", Path(__file__).parents[2] / "node_modules" / ".bin" / "azurite-blob"),
)
GOOGLE_KEY = json.dumps(
    {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": "", "gcs_base_url": "http://none"}
)
_PATIENCE_SECONDS = 200


@dataclass(frozen=True, slots=True)
class Shelf:
    """A place for ledgers of one test: ``kind`` is one of KINDS, or ``gcs``."""

    kind: str
    base: str
    query: str = ""

    def uri(self, name: str = "ledger") -> str:
        """Return the address of a ledger on it."""
        return f"{self.base}/{name}{self.query}"

    def storage(self, name: str = "ledger") -> Storage:
        """Return the storage of a ledger on it, with a read cache lease of its own."""
        return storage_of(self.uri(name))

    def tree(self, folder: Path, name: str = "ledger", prefix: str = "") -> dict[str, bytes]:
        """Return everything that lies there, by name; ``folder`` is for copies."""
        storage = self.storage(name)
        return {each.path: self.content(folder, each.path, name, storage) for each in storage.objects(prefix)}

    def content(self, folder: Path, path: str, name: str = "ledger", storage: Storage | None = None) -> bytes:
        """Return one object as it lies there."""
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / uuid.uuid4().hex
        (storage or self.storage(name)).download(path, aside)
        return aside.read_bytes()

    def write(self, folder: Path, path: str, content: bytes, name: str = "ledger") -> None:
        """Put an object there, over one that is there."""
        self.fill(folder, {path: content}, name)

    def fill(self, folder: Path, tree: Mapping[str, bytes], name: str = "ledger") -> None:
        """Put a ledger there, as ``tree`` gave it."""
        folder.mkdir(parents=True, exist_ok=True)
        storage, aside = self.storage(name), folder / uuid.uuid4().hex
        for path, content in tree.items():
            aside.write_bytes(content)
            storage.upload(path, aside)


def moto_server() -> AbstractContextManager[str]:
    """Run moto with an empty bucket BUCKET; give its address."""
    return _told_address("moto_s3.py", BUCKET)


def gcs_server() -> AbstractContextManager[str]:
    """Run our server of Cloud Storage's XML API; give its address."""
    return _told_address("gcs_xml.py")


@contextlib.contextmanager
def _told_address(program: str, *arguments: str) -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).parent / program), *arguments]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


@contextlib.contextmanager
def azurite_server(folder: Path) -> Iterator[str]:
    """Run Azurite with an empty container BUCKET; give the address of its account."""
    port = _free_port()
    command = [str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)):
        _wait_for(port)
        endpoint = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        _make_container(endpoint)
        yield endpoint


def _make_container(endpoint: str) -> None:
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - slow, and for these tests alone

    credential = {"account_name": AZURITE_ACCOUNT, "account_key": AZURITE_KEY}
    with ContainerClient(endpoint, BUCKET, credential=credential) as client:
        client.create_container()


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]") -> "Iterator[subprocess.Popen[str]]":
    """Give a process and end it in the end."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(_PATIENCE_SECONDS * 10):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    message = f"nothing listens on port {port}"
    raise TimeoutError(message)
