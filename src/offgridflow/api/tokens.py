"""Access tokens: 256 random bits, of which only the SHA-256 is kept. Shown once, when made.

A slow hash protects secrets that people choose; 256 random bits cannot be guessed, so that a plain SHA-256 keeps every
request fast and gives an attacker with the file nothing.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from offgridflow.api.access import UNRESTRICTED, Caller, Restriction, Scope
from offgridflow.api.state import State
from offgridflow.domain.errors import UsageError

PREFIX: Final = "ogf"
_ID_BYTES, _SECRET_BYTES = 6, 32
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class _Known:
    """All tokens and sessions as the file had them at a change of it, by id and by digest of the secret."""

    change: tuple[int, int]
    tokens: Mapping[str, "_Kept"]
    sessions: Mapping[str, tuple[str, datetime]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token and the digest of its secret."""

    record: "TokenRecord"
    secret_sha256: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is known of a token; never its secret."""

    token_id: str
    name: str
    scope: Scope
    restriction: Restriction
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_active(self, now: datetime) -> bool:
        """Return whether the token opens anything at an instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape; instants in ISO 8601."""
        return {
            "token_id": self.token_id,
            "name": self.name,
            "scope": self.scope.value,
            **self.restriction.to_json(),
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
        }


def _now() -> datetime:
    return datetime.now(UTC)


class Tokens:
    """The tokens of one server.

    What is read stays in memory until the file changes, so that a request costs no query; a token that is revoked, in
    whatever process, opens nothing from the next request on.

    Args:
        state: where they are kept.
        clock: the present instant.
        random_bytes: as many random bytes as asked for, from a cryptographic source.

    """

    def __init__(
        self,
        state: State,
        clock: Callable[[], datetime] = _now,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._state = state
        self._clock = clock
        self._random_bytes = random_bytes
        self._memory: _Known | None = None

    def _known(self) -> _Known:
        change = self._state.change()
        known = self._memory
        if known is None or known.change != change:
            known = self._memory = self._read(change)
        return known

    def _read(self, change: tuple[int, int]) -> _Known:
        with self._state.reading() as con:
            con.execute("BEGIN")
            tokens = con.execute("SELECT * FROM tokens ORDER BY created_at, token_id").fetchall()
            sessions = con.execute("SELECT * FROM sessions").fetchall()
        return _Known(
            change,
            {row["token_id"]: _Kept(_record(row), row["secret_sha256"]) for row in tokens},
            {row["secret_sha256"]: (row["token_id"], datetime.fromisoformat(row["expires_at"])) for row in sessions},
        )

    def close(self) -> None:
        """Give back what watching the file takes."""
        self._state.close()

    def create(
        self,
        name: str,
        scope: Scope = Scope.READ,
        restriction: Restriction = UNRESTRICTED,
        valid_days: float | None = None,
    ) -> tuple[TokenRecord, str]:
        """Make a token; return what is known of it, and the token itself, which nobody can find out again."""
        if not restriction.is_none and scope is not Scope.READ:
            sentence = "A token that is restricted to accounts or tags can only read."
            raise UsageError(sentence, action="Leave --scope out, or the restriction.")
        now = self._clock()
        expires = None if valid_days is None else now + timedelta(days=valid_days)
        token_id, secret = self._random_bytes(_ID_BYTES).hex(), self._random_bytes(_SECRET_BYTES).hex()
        record = TokenRecord(token_id, name, scope, restriction, now, expires, None)
        row = (
            token_id,
            name,
            _digest(secret),
            scope.value,
            json.dumps(restriction.to_json(), sort_keys=True),
            now.isoformat(),
            expires.isoformat() if expires else None,
        )
        with self._state.transaction() as con:
            con.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        return record, f"{PREFIX}_{token_id}_{secret}"

    def list(self) -> Sequence[TokenRecord]:
        """Return all tokens, the oldest first."""
        with self._state.reading() as con:
            return [_record(row) for row in con.execute("SELECT * FROM tokens ORDER BY created_at, token_id")]

    def any_active(self) -> bool:
        """Return whether a token exists that opens anything, so that the server must ask for one."""
        now = self._clock()
        return any(kept.record.is_active(now) for kept in self._known().tokens.values())

    def revoke(self, token_id: str) -> bool:
        """Revoke a token and its sessions; return whether there was one to revoke."""
        with self._state.transaction() as con:
            changed = con.execute(
                "UPDATE tokens SET revoked_at = ? WHERE token_id = ? AND revoked_at IS NULL",
                (self._clock().isoformat(), token_id),
            ).rowcount
            con.execute("DELETE FROM sessions WHERE token_id = ?", (token_id,))
        return changed == 1

    def caller(self, token: str) -> Caller | None:
        """Return whose token this is, None if it opens nothing."""
        parts = token.split("_")
        if len(token) > _LONGEST or len(parts) != 3 or parts[0] != PREFIX:  # noqa: PLR2004  prefix, id, secret
            return None
        kept = self._known().tokens.get(parts[1])
        known = kept.secret_sha256 if kept is not None else _digest("")
        matches = hmac.compare_digest(known, _digest(parts[2]))
        return self._active(kept) if matches else None

    def _active(self, kept: _Kept | None) -> Caller | None:
        if kept is None or not kept.record.is_active(self._clock()):
            return None
        record = kept.record
        return Caller(record.token_id, record.name, record.scope, record.restriction)

    def open_session(self, caller: Caller, hours: float) -> str:
        """Return the secret of a new browser session for the token of ``caller``."""
        secret = self._random_bytes(_SECRET_BYTES).hex()
        now = self._clock()
        expires = now + timedelta(hours=hours)
        with self._state.transaction() as con:
            con.execute("DELETE FROM sessions WHERE expires_at < ?", (now.isoformat(),))
            con.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)", (_digest(secret), caller.token_id, expires.isoformat())
            )
        return secret

    def session_caller(self, secret: str) -> Caller | None:
        """Return whose session this is, None if it is over or its token is revoked."""
        if len(secret) > _LONGEST:
            return None
        known = self._known()
        token_id, ends = known.sessions.get(_digest(secret), (None, None))
        if token_id is None or ends is None or ends <= self._clock():
            return None
        return self._active(known.tokens.get(token_id))

    def close_session(self, secret: str) -> None:
        """End a session."""
        with self._state.transaction() as con:
            con.execute("DELETE FROM sessions WHERE secret_sha256 = ?", (_digest(secret),))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _record(row: sqlite3.Row) -> TokenRecord:
    return TokenRecord(
        row["token_id"],
        row["name"],
        Scope(row["scope"]),
        Restriction.from_json(json.loads(row["restriction"])),
        datetime.fromisoformat(row["created_at"]),
        _instant(row["expires_at"]),
        _instant(row["revoked_at"]),
    )
