"""One ledger for all tests of the API; servers on it are made where a test needs its own settings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.server import ApiClient, client_of, make_ledger, server_on

Serve = Callable[..., ApiClient]


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of two accounts and two months."""
    return make_ledger(tmp_path_factory.mktemp("api"))


@pytest.fixture
def serve(ledger: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start a server with settings of its own, and tokens of its own."""
    with ExitStack() as stack:

        def start(**api: Any) -> ApiClient:  # noqa: ANN401  any setting
            where = api.pop("ledger", ledger)
            api.setdefault("state", tmp_path / "state.sqlite")
            server = server_on(where, **api)
            return stack.enter_context(client_of(server))

        yield start


@pytest.fixture(scope="session")
def api(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """A server without tokens, for tests that only read."""
    server = server_on(ledger, state=tmp_path_factory.mktemp("state") / "state.sqlite")
    with client_of(server) as client:
        yield client
