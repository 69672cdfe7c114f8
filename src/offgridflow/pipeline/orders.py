"""What one worker leaves for another in the workflow database, as JSON: no settings, no secret, nothing of one machine.

An order names its source; the worker that takes it has the settings, and finds by their digest whether they are meant.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from offgridflow.connectors.delivery import Delivery
from offgridflow.pipeline.journal import HeldPeriod
from offgridflow.pipeline.model import Failure, IngestOptions, IngestResult


class _Message(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class Terms(_Message):
    """How to ingest, as the one who asked said it; limits and paths are the worker's own."""

    first_period: str | None = None
    last_period: str | None = None
    full: bool = False
    replace: bool = False
    allow_overlap: bool = False


class ListOrder(_Message):
    """List the deliveries of a source. ``digest`` is that of the settings that are meant."""

    run_id: str
    source: str
    digest: str
    terms: Terms
    held: dict[str, HeldPeriod]


class TakeOrder(_Message):
    """Take one delivery into the ledger, in the name of ``run_id``."""

    run_id: str
    source: str
    digest: str
    terms: Terms
    delivery: Delivery


class Known(_Message):
    """What a listing alone told of a period; ``is_untried`` where it is held."""

    result: IngestResult
    is_untried: bool = False


class Placed(_Message):
    """A delivery to be taken, and the id of the workflow that takes it."""

    workflow_id: str
    order: TakeOrder


class Listed(_Message):
    """What became of a listing: ``failure`` where there was none. ``fingerprints`` of what was tried, by period."""

    fingerprints: dict[str, str] = {}
    known: tuple[Known, ...] = ()
    placed: tuple[Placed, ...] = ()
    failure: Failure | None = None


class Taken(_Message):
    """What became of a delivery, and in whose name it was committed."""

    run_id: str
    result: IngestResult


def terms_of(options: IngestOptions) -> Terms:
    """Return what of the options is the asker's to say."""
    return Terms(
        first_period=options.first_period,
        last_period=options.last_period,
        full=options.full,
        replace=options.replace,
        allow_overlap=options.allow_overlap,
    )
