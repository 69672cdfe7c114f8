"""A client of the API in a few functions. Tables come as Arrow (arro3), which pandas, Polars and DuckDB take as is.

>>> from offgridflow.api.client import Client
>>> client = Client("http://127.0.0.1:8390", token=None)  # doctest: +SKIP
>>> client.emissions(by=["month", "provider"])  # doctest: +SKIP

Standard library and DuckDB alone: no HTTP library is needed. Busy and rate-limited answers are asked again after the
time that the server names, a few times; every other failure is an ApiProblem with the server's code.
"""

import http.client
import json
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
from arro3.core import Table

from offgridflow.domain.errors import OffGridFlowError, UsageError
from offgridflow.reports.scope import Filters, values_of

_PARQUET: Final = "application/vnd.apache.parquet"
_JSON: Final = "application/json"
_AGAIN: Final = frozenset({429, 503})
_TRIES: Final = 4
_LONGEST_WAIT_SECONDS: Final = 60.0
_CHUNK_BYTES: Final = 1 << 20


class ApiProblem(OffGridFlowError):  # noqa: N818  the word of RFC 9457
    """What the server answered instead of figures: ``status``, ``code``, ``sentence``, ``action``."""

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        sentence = str(said.get("detail") or f"The server answered {status}.")
        super().__init__(sentence, action=str(said.get("action") or ""), code=str(said.get("code") or self.code))
        self.status = status


@dataclass(frozen=True, slots=True)
class Cells:
    """Which rows: months or days (inclusive), equal values, and a version of the ledger (None is the newest).

    ``where`` maps a key to a value or to several, of which a row must have one; an empty one means unknown.
    """

    date_from: str | None = None
    date_to: str | None = None
    where: Filters | None = None
    version: int | None = None
    as_of: datetime | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of a request."""
        named = {"from": self.date_from, "to": self.date_to, "version": self.version}
        pairs = [(name, str(value)) for name, value in named.items() if value is not None]
        if self.as_of is not None:
            pairs.append(("as_of", self.as_of.isoformat()))
        return pairs + _where(self.where)


def _where(filters: Filters | None) -> list[tuple[str, str]]:
    return [("where", f"{key}={value}") for key, wanted in (filters or {}).items() for value in values_of(wanted)]


EVERYTHING: Final = Cells()


class Client:
    """Asks one server.

    Args:
        url: its address, http or https.
        token: an access token; None where the server needs none.
        timeout_seconds: how long one answer may take.
        sleep: waits before asking again; an argument for tests.

    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout_seconds: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            sentence = f"{url!r} is not an http or https address."
            raise UsageError(sentence, action="Write for example http://127.0.0.1:8390.")
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep

    def emissions(self, by: Sequence[str] = (), cells: Cells = EVERYTHING) -> Table:
        """Return totals by keys: figures as decimals, in the order of `offgridflow report`."""
        return self._table("/api/v1/emissions", [("by", ",".join(by)), ("limit", "10000"), *cells.pairs()])

    def report(self, by: Sequence[str] = (), cells: Cells = EVERYTHING) -> dict[str, Any]:
        """Return the whole report as JSON with Decimals: rows, total, excluded, coverage, factor set, version."""
        return self._json("/api/v1/emissions", [("by", ",".join(by)), ("limit", "10000"), *cells.pairs()])

    def rates(self, where: Filters | None = None, search: str | None = None) -> Table:
        """Return the rate card, per ONE consumed unit."""
        found = [*_where(where), ("limit", "10000"), *([("search", search)] if search else [])]
        return self._table("/api/v1/rates", found)

    def coverage(self, cells: Cells = EVERYTHING) -> dict[str, Any]:
        """Return what was estimated, how, and what was not."""
        return self._json("/api/v1/coverage", cells.pairs())

    def explain(self, name: str | None = None, cells: Cells = EVERYTHING, most: int = 5) -> dict[str, Any]:
        """Return the arithmetic and factors of the largest SKUs behind a name or cells."""
        named = [("name", name)] if name else []
        return self._json("/api/v1/explain", [*named, ("most", str(most)), *cells.pairs()])

    def reported(self, date_from: str | None = None, date_to: str | None = None, where: Filters | None = None) -> Table:
        """Return the providers' own figures as published, by months (YYYY-MM, inclusive); rows are not to be added."""
        months = [(name, value) for name, value in (("from", date_from), ("to", date_to)) if value is not None]
        chosen = [(key, value) for key, wanted in (where or {}).items() for value in values_of(wanted)]
        return self._table("/api/v1/reported", [*months, *chosen, ("limit", "10000")])

    def activities(self, cells: Cells = EVERYTHING) -> Iterator[dict[str, Any]]:
        """Yield the ledger's rows page by page, all of one version. For all of a large ledger use ``export``."""
        cursor: str | None = ""
        while cursor is not None:
            following = [("cursor", cursor)] if cursor else []
            page = self._json("/api/v1/activities", [("limit", "1000"), *following, *cells.pairs()])
            yield from page["rows"]
            cursor = page["next"]

    def export(self, path: Path, cells: Cells = EVERYTHING) -> Path:
        """Write all rows as FOCUS with x_ columns to a Parquet file, in constant memory; return the path."""
        pairs = [("format", "parquet"), *cells.pairs()]
        with self._asked("/api/v1/export", pairs, _PARQUET) as answer, path.open("wb") as target:
            while chunk := answer.read(_CHUNK_BYTES):
                target.write(chunk)
        return path

    def _json(self, path: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        with self._asked(path, pairs, _JSON) as answer:
            said: dict[str, Any] = json.loads(answer.read(), parse_float=Decimal)
            return said

    def _table(self, path: str, pairs: Sequence[tuple[str, str]]) -> Table:
        with self._asked(path, pairs, _PARQUET) as answer, tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.parquet"
            rows.write_bytes(answer.read())
            with duckdb.connect() as con:
                con.execute("SET TimeZone = 'UTC'")
                return Table.from_arrow(con.read_parquet(str(rows)))

    def _asked(self, path: str, pairs: Sequence[tuple[str, str]], accept: str) -> http.client.HTTPResponse:
        """Return an open answer, after as many tries as the server's Retry-After allows. Raises ApiProblem."""
        query = urllib.parse.urlencode([(name, value) for name, value in pairs if value])
        request = urllib.request.Request(f"{self._url}{path}?{query}", headers={"Accept": accept})  # noqa: S310  checked
        if self._token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        for attempt in range(1, _TRIES + 1):
            try:
                answer: http.client.HTTPResponse = _OPENER.open(request, timeout=self._timeout_seconds)
            except urllib.error.HTTPError as error:
                with error:
                    wait_seconds = _wait_seconds(error.headers.get("Retry-After"))
                    problem = ApiProblem(error.code, _said(error.read(_CHUNK_BYTES)))
                if error.code not in _AGAIN or attempt == _TRIES:
                    raise problem from None
                self._sleep(wait_seconds)
            except urllib.error.URLError as error:
                raise ApiProblem(0, {"detail": f"{self._url} cannot be reached: {error.reason}."}) from error
            else:
                return answer
        raise AssertionError  # the last attempt returns or raises


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Our server redirects no API request: whatever does is not ours, and gets no token."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def _wait_seconds(said: str | None) -> float:
    return min(float(said), _LONGEST_WAIT_SECONDS) if said and said.isdecimal() else 1.0


def _said(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
