"""Who may see and do what: scopes, and a restriction to accounts or tag values that every query is cut by."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from offgridflow.domain.sql import sql_list, sql_text


class Scope(StrEnum):
    """What a token may do; each includes those before it."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"


_RANK: Final = {scope: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, slots=True)
class Restriction:
    """The rows that may be seen: of these accounts, and with one of these values for each of these tags.

    The account of a row is its sub-account, or its billing account where it names none. Without accounts and tags
    everything may be seen.
    """

    accounts: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether everything may be seen."""
        return not self.accounts and not self.tags

    @property
    def tag_keys(self) -> frozenset[str]:
        """The tags that decide."""
        return frozenset(key for key, _ in self.tags)

    def condition(self) -> str:
        """Return the SQL condition over rows of emissions or of a rollup. Views take no parameters: quoted literals."""
        parts = ["true"]
        if self.accounts:
            parts.append(
                f"list_contains({sql_list(self.accounts)}, coalesce(nullif(sub_account_id, ''), billing_account_id))"
            )
        parts += [
            f"coalesce(list_contains({sql_list(values)}, tags[{sql_text(key)}]), false)" for key, values in self.tags
        ]
        return " AND ".join(f"coalesce({part}, false)" for part in parts)

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape, as it is stored with a token."""
        return {"accounts": list(self.accounts), "tags": {key: list(values) for key, values in self.tags}}

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> "Restriction":
        """Read the JSON shape."""
        accounts, tags = said.get("accounts"), said.get("tags")
        return cls(
            tuple(map(str, accounts)) if isinstance(accounts, list) else (),
            tuple(sorted((key, tuple(map(str, values))) for key, values in tags.items()))
            if isinstance(tags, dict)
            else (),
        )


UNRESTRICTED: Final = Restriction()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``token_id`` is None on a loopback server without tokens, where the machine's user may do anything."""

    token_id: str | None
    name: str
    scope: Scope
    restriction: Restriction = UNRESTRICTED

    def may(self, scope: Scope) -> bool:
        """Return whether the caller's scope includes ``scope``."""
        return _RANK[self.scope] >= _RANK[scope]


LOCAL_USER: Final = Caller(None, "local user", Scope.ADMIN)
