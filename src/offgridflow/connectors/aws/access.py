"""Who reads a bucket: the SDK's default chain, a profile, or a role of another account."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from offgridflow.cloud.door import Door, Timeouts
from offgridflow.connectors.aws.s3 import S3Store
from offgridflow.connectors.buckets import tried
from offgridflow.connectors.delivery import CheckStep, Once, Permission, missing_extra
from offgridflow.settings import Strict

if TYPE_CHECKING:
    from botocore.credentials import CredentialResolver
    from botocore.loaders import Loader
    from botocore.session import Session

_SESSION_NAME: Final = "offgridflow"

PERMISSIONS: Final = (
    Permission("s3:ListBucket", "on the bucket, limited to the prefix: finds deliveries"),
    Permission("s3:GetObject", "on the objects under the prefix: reads manifests and parts"),
    Permission("sts:AssumeRole", "on role_arn, where the bucket belongs to another account"),
)


class S3Settings(Strict):
    """Where an export lies and who may read it. Without ``profile`` and ``role_arn``: the SDK's default chain."""

    type: str
    bucket: str
    prefix: str = ""
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: SecretStr | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None


def s3_store(settings: S3Settings, door: Door) -> S3Store:
    """Return the bucket of a source; no call is made yet. Its first use raises MissingExtraError without boto3."""
    return S3Store(Once(lambda: _session(settings, door.timeouts).client("s3")), settings.bucket, door)


def client_of(settings: S3Settings, service: str, timeouts: Timeouts) -> Any:  # noqa: ANN401 - botocore makes clients from data
    """Return a client of any service under the same access; raise MissingExtraError without boto3."""
    return _session(settings, timeouts).client(service)


def check_identity(settings: S3Settings, door: Door) -> CheckStep:
    """Try who we are, and to become the role of the settings."""

    def ask() -> dict[str, str]:
        return dict(_session(settings, door.timeouts).client("sts").get_caller_identity())

    def who() -> str:
        return f"we are {door.call('aws', settings.bucket, 'sts', 'GetCallerIdentity', ask)['Arn']}"

    permission = f"sts:AssumeRole on {settings.role_arn}" if settings.role_arn else "any valid credentials"
    return tried("identity", permission, who)


class _Clients:
    """Makes clients that try once, read with time-outs, and leave checksums to us."""

    def __init__(self, session: "Session", settings: S3Settings, timeouts: Timeouts) -> None:
        from botocore.config import Config  # noqa: PLC0415 - an extra, and slow to import

        self._session = session
        self._settings = settings
        self._config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=timeouts.connect_seconds,
            read_timeout=timeouts.read_seconds,
            max_pool_connections=32,
            response_checksum_validation="when_required",
        )

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes clients from data
        """Return a client of one service."""
        return self._session.create_client(
            service,
            region_name=self._settings.region or self._session.get_config_variable("region") or "us-east-1",
            endpoint_url=self._settings.sts_endpoint_url if service == "sts" else self._settings.endpoint_url,
            config=self._config,
        )


def _session(settings: S3Settings, timeouts: Timeouts) -> _Clients:
    try:
        import boto3  # noqa: F401, PLC0415 - the extra is named after it; botocore comes with it
        import botocore.session  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(package="boto3", extra="aws") from error
    base = botocore.session.Session(profile=settings.profile)
    base.register_component("data_loader", _loader())
    if settings.role_arn is None:
        return _Clients(base, settings, timeouts)
    assumed = botocore.session.Session(profile=settings.profile)
    assumed.register_component("data_loader", _loader())
    assumed.register_component("credential_provider", _role_provider(_Clients(base, settings, timeouts), settings))
    return _Clients(assumed, settings, timeouts)


@cache
def _loader() -> "Loader":
    """Return what reads the descriptions of services: one for all sources, for it is slow and keeps megabytes."""
    from botocore.loaders import create_loader  # noqa: PLC0415 - an extra

    return create_loader()


def _role_provider(clients: _Clients, settings: S3Settings) -> "CredentialResolver":
    """Return a credential resolver that becomes the role, and does so again before the hour is over."""
    from botocore.credentials import (  # noqa: PLC0415
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    question = {"RoleArn": settings.role_arn, "RoleSessionName": _SESSION_NAME}
    if settings.external_id is not None:
        question["ExternalId"] = settings.external_id.get_secret_value()

    def refresh() -> dict[str, str]:
        answer = clients.client("sts").assume_role(**question)["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    class Role(CredentialProvider):
        """Gives the role's credentials."""

        METHOD = "offgridflow-assume-role"

        def load(self) -> DeferredRefreshableCredentials:
            """Return credentials that are fetched on first use."""
            return DeferredRefreshableCredentials(refresh, self.METHOD)

    return CredentialResolver([Role()])
