"""Sample exports of three clouds, for the demo and for tests: made up, repeatable, shaped like the real ones."""

from collections.abc import Sequence
from pathlib import Path

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples_aws import write_aws
from offgridflow.pipeline.samples_azure import write_azure
from offgridflow.pipeline.samples_gcp import write_gcp


def write_samples(folder: Path, seed: int, months: Sequence[Month]) -> list[Path]:
    """Write sample exports of AWS (CUR 2.0), Azure and Google Cloud (FOCUS) and return their data files.

    Equal arguments give equal rows in equal order. Three months are about 30,000 lines. To ingest everything with its
    manifests give ``folder`` itself.

    Args:
        folder: where to; ``aws``, ``azure`` and ``gcp`` are created in it.
        seed: of the made-up organisation.
        months: consecutive months; use grows from the first on.

    """
    return [
        *write_aws(folder / "aws", seed, months),
        *write_azure(folder / "azure", seed, months),
        *write_gcp(folder / "gcp", seed, months),
    ]
