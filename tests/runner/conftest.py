"""What tests of whole runs share: a PostgreSQL server of the session's own, and a database of it for each test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from support.postgres import new_database, postgres


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """A real PostgreSQL, started for the session."""
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Each kind of workflow database: the default one beside the ledger (None), and one of a server."""
    if request.param == "sqlite":
        return None
    return new_database(request.getfixturevalue("dsn"), f"test-{uuid4().hex}")
