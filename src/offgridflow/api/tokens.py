"""Access tokens: 256 random bits, of which only the SHA-256 is kept. Shown once, when made.

A slow hash protects secrets that people choose; 256 random bits cannot be guessed, so that a plain SHA-256 keeps every
request fast and gives an attacker with the file nothing.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable, Sequence
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
        return any(token.is_active(now) for token in self.list())

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
        with self._state.reading() as con:
            row = con.execute("SELECT * FROM tokens WHERE token_id = ?", (parts[1],)).fetchone()
        known = row["secret_sha256"] if row is not None else _digest("")
        matches = hmac.compare_digest(known, _digest(parts[2]))
        return self._active(row) if row is not None and matches else None

    def _active(self, row: sqlite3.Row) -> Caller | None:
        record = _record(row)
        if not record.is_active(self._clock()):
            return None
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
        with self._state.reading() as con:
            row = con.execute(
                "SELECT t.*, s.expires_at AS session_ends FROM sessions s JOIN tokens t USING (token_id) "
                "WHERE s.secret_sha256 = ?",
                (_digest(secret),),
            ).fetchone()
        if row is None or datetime.fromisoformat(row["session_ends"]) <= self._clock():
            return None
        return self._active(row)

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
