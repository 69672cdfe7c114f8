"""The connector of Azure Cost Management exports in a container."""

from typing import Any, Literal

from pydantic import SecretStr

from offgridflow.cloud.door import Timeouts
from offgridflow.connectors.azure.blob import API_VERSION, BlobStore, Clients
from offgridflow.connectors.azure.layouts import AzureLayout
from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.delivery import Declaration, Once, Permission, missing_extra
from offgridflow.connectors.registry import Kind
from offgridflow.settings import Strict

_SCOPE = "https://storage.azure.com/.default"
_READER = "Storage Blob Data Reader"

PERMISSIONS = (
    Permission(_READER, "on the container (Microsoft.Storage/.../containers/blobs/read): lists and finds deliveries"),
    Permission(_READER, "on the container: reads manifests and parts"),
)


class AzureExportSettings(Strict):
    """Where an export lies. Without ``sas_token``: the SDK's default chain (managed or workload identity, CLI)."""

    type: str
    account_url: str
    container: str
    prefix: str = ""
    export: str | None = None
    cost_type: Literal["actual", "amortized", "focus"] | None = None
    managed_identity_client_id: str | None = None
    sas_token: SecretStr | None = None


def clients_of(settings: AzureExportSettings, timeouts: Timeouts) -> Clients:
    """Return the clients of a container, which try once.

    Raises MissingExtraError without the Azure SDKs.
    """
    try:
        from azure.core import PipelineClient  # noqa: PLC0415 - an extra, and slow to import
        from azure.core.credentials import AzureSasCredential  # noqa: PLC0415
        from azure.core.pipeline.policies import (  # noqa: PLC0415
            AzureSasCredentialPolicy,
            BearerTokenCredentialPolicy,
            HeadersPolicy,
        )
        from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415
        from azure.storage.blob import ContainerClient  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(package="azure-storage-blob", extra="azure") from error
    credential: Any
    policy: Any
    if settings.sas_token is not None:
        credential = AzureSasCredential(settings.sas_token.get_secret_value())
        policy = AzureSasCredentialPolicy(credential)
    else:
        credential = DefaultAzureCredential(managed_identity_client_id=settings.managed_identity_client_id)
        policy = BearerTokenCredentialPolicy(credential, _SCOPE)
    account_url = settings.account_url.rstrip("/")
    waits: dict[str, Any] = {"connection_timeout": timeouts.connect_seconds, "read_timeout": timeouts.read_seconds}
    container = ContainerClient(account_url, settings.container, credential=credential, retry_total=0, **waits)
    policies = [HeadersPolicy({"x-ms-version": API_VERSION}), policy]
    reader: Any = PipelineClient(account_url, policies=policies, transport=RequestsTransport(**waits))
    return Clients(container, reader)


def _connector(settings: AzureExportSettings, around: Surroundings) -> BucketConnector:
    account_url = settings.account_url.rstrip("/")
    return BucketConnector(
        declaration=_EXPORT,
        source=around.source,
        container=settings.container,
        store=BlobStore(
            Once(lambda: clients_of(settings, around.door.timeouts)), account_url, settings.container, around.door
        ),
        layout=AzureLayout(settings.prefix, settings.export, settings.cost_type),
        manifests=around.cache,
    )


_EXPORT = Declaration(
    "azure_export", "Azure Cost Management export in Blob storage", "azure", AzureExportSettings, ("blob",), PERMISSIONS
)

EXPORT = Kind(_EXPORT, _connector)
