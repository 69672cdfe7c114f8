"""What commands need of the world: settings, the ledger, the kitchen, progress on a terminal. Everything is late."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from offgridflow.domain.errors import UsageError

if TYPE_CHECKING:
    from offgridflow.factors import Catalogue
    from offgridflow.ledger import Ledger
    from offgridflow.pipeline.model import Progress
    from offgridflow.pipeline.recipe import Kitchen
    from offgridflow.reports.opened import OpenLedger
    from offgridflow.settings import Settings


def settings() -> "Settings":
    """Return the settings of the working folder and the environment."""
    from offgridflow.settings import read_settings  # noqa: PLC0415  pydantic is late

    return read_settings()


def ledger_uri(given: str | None) -> str:
    """Return the address of the ledger that was named, or else of the one of the settings."""
    return given if given and "://" not in given else settings().ledger.address(given)


def open_ledger(given: str | None, version: int | None = None) -> "OpenLedger":
    """Open the ledger that was named, or else the one of the settings, for reading."""
    from offgridflow.reports.opened import open_ledger as opened  # noqa: PLC0415  DuckDB and delta-rs are late

    return opened(ledger_uri(given), version)


def open_existing(given: str | None) -> "Ledger":
    """Open the ledger that was named, or else the one of the settings; LedgerError where there is none."""
    from offgridflow.ledger import Ledger  # noqa: PLC0415  delta-rs is late

    return Ledger.open(ledger_uri(given))


def kitchen(profile: str | None = None) -> "Kitchen":
    """Return factor set, recipe and grain of the settings; ``profile`` overrides the methodology's."""
    from offgridflow.methodology.recipe import Profile  # noqa: PLC0415  the methodology is late
    from offgridflow.pipeline.kitchen import kitchen_of  # noqa: PLC0415  factor tables are late

    if profile is not None and profile not in set(Profile):
        sentence = f"--methodology {profile!r} is no profile."
        raise UsageError(sentence, action=f"Use one of: {', '.join(Profile)}.")
    return kitchen_of(settings(), profile)


def catalogue() -> "Catalogue":
    """Return the factor set that ships with this version."""
    from offgridflow import factors  # noqa: PLC0415  factor tables are late

    return factors.load()


@contextmanager
def progress() -> Iterator["Progress"]:
    """Show progress on stderr where it is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from offgridflow.cli.bars import bars  # noqa: PLC0415  Rich progress only on a terminal

    with bars() as listen:
        yield listen


def _silent(stage: str, detail: str, done: int, total: int) -> None:
    """Take note of nothing."""
