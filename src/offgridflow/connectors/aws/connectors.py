"""The two connectors of AWS billing exports in S3."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from offgridflow.connectors.aws.access import PERMISSIONS, S3Settings, check_identity, s3_store
from offgridflow.connectors.aws.layouts import AwsLayout
from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.delivery import Declaration
from offgridflow.connectors.registry import Kind


class AwsExportSettings(S3Settings):
    """Settings of a billing export in S3. ``export`` is the name of the report or export."""

    export: str | None = None
    settle_minutes: int = Field(default=60, ge=0)


def _declaration(name: str, title: str) -> Declaration:
    return Declaration(name, title, "aws", AwsExportSettings, ("s3", "sts"), PERMISSIONS)


def _connector(declaration: Declaration, settings: AwsExportSettings, around: Surroundings) -> BucketConnector:
    layout = AwsLayout(
        settings.prefix,
        settings.export,
        legacy=declaration.name == "aws_cur",
        settling=timedelta(minutes=settings.settle_minutes),
        now=around.now,
    )
    return BucketConnector(
        declaration=declaration,
        source=around.source,
        container=settings.bucket,
        store=s3_store(settings, around.door),
        layout=layout,
        manifests=around.cache,
        before=partial(check_identity, settings, around.door),
    )


_CUR = _declaration("aws_cur", "AWS Cost and Usage Report (legacy) in S3")
_EXPORT = _declaration("aws_data_export", "AWS Data Export (CUR 2.0, FOCUS) in S3")

LEGACY = Kind(_CUR, partial(_connector, _CUR))
DATA_EXPORT = Kind(_EXPORT, partial(_connector, _EXPORT))
