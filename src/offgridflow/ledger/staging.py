"""Files of a commit to be: written where the ledger lives, unseen until the commit names them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.periods import Month
from offgridflow.ledger.storage import Storage
from offgridflow.ledger.tables import EMISSIONS

_LONGEST_NAME = 240


def partition_path(partition: dict[str, str]) -> str:
    """Return the hive path of a partition, values percent-encoded: ``source=aws%2F1/billing_period=2025-06/...``."""
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in partition.items())


@dataclass(slots=True)
class Staging:
    """One attempt to fill a (source, billing period). Made by ``Ledger.stage``.

    A crash leaves files that no log names: nobody reads them, and ``vacuum`` removes them in the end.
    """

    storage: Storage
    source: str
    billing_period: str
    commit_id: str
    table: str = EMISSIONS
    paths: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            Month.parse(self.billing_period)
        except ValueError as error:
            sentence = f"The billing period {error}."
            raise LedgerError(sentence, action="Give the month as the provider assigns it.") from error
        if not self.source.strip() or len(quote(self.source, safe="")) > _LONGEST_NAME:
            sentence = f"The source name {self.source[:80]!r} is empty or too long."
            raise LedgerError(sentence, action=f"Use a name of 1 to {_LONGEST_NAME} bytes, percent-encoded.")

    @property
    def key(self) -> tuple[str, str]:
        """(source, billing period)."""
        return self.source, self.billing_period

    @property
    def partition(self) -> dict[str, str]:
        """The partition that the files belong to."""
        return {"source": self.source, "billing_period": self.billing_period, "commit_id": self.commit_id}

    def emissions_file(self, number: int) -> Path:
        """Return the local path for the ``number``-th Parquet file of EMISSION_COLUMNS."""
        return self.new_file(self.table, number)

    def new_file(self, table: str, number: int) -> Path:
        """Return the local path for a new Parquet file of any table."""
        name = f"{partition_path(self.partition)}/part-{number:05d}-{self.commit_id}.parquet"
        path = self.storage.staging_path(table, name)
        if table == self.table:
            self.paths[name] = path
        return path

    def abandon(self) -> None:
        """Remove the files that were written."""
        for name in self.paths:
            self.storage.discard(self.table, name)
        self.paths.clear()
