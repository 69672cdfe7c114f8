"""What is told to the ledger with a commit, and what it tells about the commits that are live."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

CommitStatus = Literal["committed", "unchanged"]


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One part of a delivery: its name for people, SHA-256 of its decompressed content, size, data rows."""

    name: str
    digest: str
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class RawTotal:
    """Lines and money of the raw delivery in one currency; ``conserved_column`` is the money that must add up."""

    billing_currency: str | None
    line_items: int
    money: Decimal
    conserved_column: str


@dataclass(frozen=True, slots=True, order=True)
class SubAccount:
    """Whose use a row is. Where a bill names no sub-account its billing account stands in, else it is None."""

    provider: str | None
    sub_account_id: str | None
    billing_account_id: str | None = None

    def __str__(self) -> str:
        name = self.sub_account_id or self.billing_account_id or "without a name"
        return f"{self.provider or 'unknown provider'} account {name}"


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """What a pipeline says of a delivery when it commits it. ``line_items`` counts the raw lines."""

    provider: str | None
    format: str
    fingerprint: str
    recipe: str
    line_items: int
    recipe_json: str = "{}"
    factor_set: str | None = None
    methodology_version: str | None = None
    mapping_version: str | None = None
    grain_json: str = "{}"
    run_id: str | None = None
    parts: tuple[PartRecord, ...] = ()
    raw_totals: tuple[RawTotal, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A commit as the ledger holds it."""

    commit_id: str
    source: str
    billing_period: str
    provider: str | None
    format: str
    fingerprint: str
    recipe: str
    recipe_json: str
    factor_set: str | None
    methodology_version: str | None
    mapping_version: str | None
    grain_json: str
    run_id: str | None
    committed_at: datetime
    line_items: int
    parts: tuple[PartRecord, ...]
    raw_totals: tuple[RawTotal, ...]
    sub_accounts: tuple[SubAccount, ...]
    replaced_commit_id: str | None

    @property
    def key(self) -> tuple[str, str]:
        """(source, billing period)."""
        return self.source, self.billing_period

    @property
    def tag_keys(self) -> tuple[str, ...]:
        """The tag keys that its rows keep apart."""
        return tuple(map(str, json.loads(self.grain_json).get("tag_keys") or ()))

    @property
    def part_digests(self) -> frozenset[str]:
        """The digests of the parts of the delivery."""
        return frozenset(part.digest for part in self.parts)


@dataclass(frozen=True, slots=True)
class CommitResult:
    """``committed``: ``commit_id`` is live since ``version``. ``unchanged``: it already was, at ``version``."""

    status: CommitStatus
    version: int
    commit_id: str


COMMIT_FIELDS = tuple(field.name for field in fields(LiveCommit))


def live_commit(values: Sequence[Any]) -> LiveCommit:
    """Build a LiveCommit from the values of COMMIT_FIELDS in their order, as DuckDB fetches them."""
    row = dict(zip(COMMIT_FIELDS, values, strict=True))
    row["parts"] = tuple(PartRecord(**part) for part in row["parts"])
    row["raw_totals"] = tuple(RawTotal(**total) for total in row["raw_totals"])
    row["sub_accounts"] = tuple(SubAccount(**account) for account in row["sub_accounts"])
    return LiveCommit(**row)
