"""The connector of Google Cloud billing exports that were unloaded to Cloud Storage."""

from collections.abc import Callable
from functools import partial
from typing import Any

from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.delivery import Declaration, Once, Permission, missing_extra
from offgridflow.connectors.gcp.layouts import GcsLayout
from offgridflow.connectors.gcp.storage import ENDPOINT, GcsStore
from offgridflow.connectors.registry import Kind
from offgridflow.settings import Strict

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_ROLE = "roles/storage.objectViewer"

PERMISSIONS = (
    Permission("storage.objects.list", f"on the bucket ({_ROLE}): finds deliveries"),
    Permission("storage.objects.get", f"on the bucket ({_ROLE}): reads parts"),
)


class GcsExportSettings(Strict):
    """Where an unloaded export lies. Credentials come from the SDK's default chain (ADC), none where ``anonymous``."""

    type: str
    bucket: str
    prefix: str = ""
    endpoint_url: str = ENDPOINT
    anonymous: bool = False


def session_of(*, anonymous: bool = False) -> Any:  # noqa: ANN401 - google-auth is not typed
    """Return a session with the credentials of the default chain, or with none (public buckets, emulators).

    Raises MissingExtraError without the Google Cloud SDK; google-auth's own error where there are no credentials.
    """
    try:
        import google.auth  # noqa: PLC0415 - an extra, and slow to import
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(package="google-auth", extra="gcp") from error
    nobody: Any = AnonymousCredentials
    credentials = nobody() if anonymous else google.auth.default(scopes=[_SCOPE])[0]
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # the SDK is not typed


def connector(
    settings: GcsExportSettings, around: Surroundings, session: Callable[[], Any] | None = None
) -> BucketConnector:
    """Return a source of unloaded exports; ``session`` gives one with other credentials than the default chain's."""
    made = Once(session if session is not None else partial(session_of, anonymous=settings.anonymous))
    return BucketConnector(
        declaration=_GCS_EXPORT,
        source=around.source,
        container=settings.bucket,
        store=GcsStore(made, settings.bucket, around.door, settings.endpoint_url.rstrip("/")),
        layout=GcsLayout(settings.prefix),
        manifests=around.cache,
    )


_GCS_EXPORT = Declaration(
    "gcs_export",
    "Google Cloud billing export unloaded to Cloud Storage",
    "gcp",
    GcsExportSettings,
    ("gcs",),
    PERMISSIONS,
)

GCS_EXPORT = Kind(_GCS_EXPORT, connector)
