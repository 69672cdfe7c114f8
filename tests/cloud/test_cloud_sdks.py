"""Real exceptions of the real SDKs, raised against a local server and classified at the door."""

import importlib
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import botocore.exceptions
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import ClientSecretCredential
from azure.mgmt.carbonoptimization import CarbonOptimizationMgmtClient
from azure.storage.blob import BlobClient, StorageErrorCode
from botocore.config import Config
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError

from offgridflow.cloud.codes import CODES, EXCEPTION_CLASS, ErrorClass
from offgridflow.cloud.door import Door, Rules, utc_now
from offgridflow.cloud.errors import ClassifiedError, Failure, class_of, is_throttling
from offgridflow.cloud.retry import RetryPolicy
from offgridflow.cloud.translate import failure_of
from offgridflow.testing import (
    Answer,
    Blackhole,
    Corrupt,
    Cut,
    Dialect,
    FakeCloud,
    Fault,
    Reset,
    SimulatedTime,
    throttled,
)

# Google's packages are partly untyped; loaded like this they are Any, and mypy --strict stays silent about them
storage = importlib.import_module("google.cloud.storage")
bigquery = importlib.import_module("google.cloud.bigquery")
google_auth = importlib.import_module("google.auth.exceptions")
botocore_standard = importlib.import_module("botocore.retries.standard")
credentials = importlib.import_module("google.auth.credentials")

CANARY = "c4n4rySecretValue"
CONTENT = bytes(range(256)) * 64
Use = Callable[[], object]
PATIENT, HASTY = 30.0, 0.3
"""Seconds that a client waits for an answer: long where one comes, however busy the machine; short where none does."""


@contextmanager
def s3(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    config = Config(
        retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=seconds, connect_timeout=1
    )
    client = boto3.client(
        "s3",
        endpoint_url=cloud.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key=CANARY,
        config=config,
    )
    bodies = []

    def get() -> bytes:
        body = client.get_object(Bucket="bucket", Key="key")["Body"]
        bodies.append(body)
        return body.read()

    yield get
    for body in bodies:
        body.close()
    client.close()


@contextmanager
def sustainability(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    client = boto3.client(
        "sustainability",
        endpoint_url=cloud.url,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key=CANARY,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=seconds),
    )
    period = {"Start": "2025-01-01T00:00:00Z", "End": "2025-02-01T00:00:00Z"}
    yield lambda: client.get_estimated_carbon_emissions(TimePeriod=period)
    client.close()


@contextmanager
def blob(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    client = BlobClient(
        cloud.url, "bucket", "key", credential=None, retry_total=0, connection_timeout=1, read_timeout=seconds
    )
    with client:
        yield lambda: client.download_blob().readall()


class StaticToken:
    """A credential that has a token already."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return the token, whatever it is for."""
        return AccessToken(CANARY, 4_000_000_000)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def carbon(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    policy: SansIOHTTPPolicy[Any, Any] = SansIOHTTPPolicy()
    client = CarbonOptimizationMgmtClient(
        StaticToken(), base_url=cloud.url, authentication_policy=policy, retry_total=0, read_timeout=seconds
    )
    with client:
        yield client.carbon_service.query_carbon_emission_data_available_date_range


def google_options(cloud: FakeCloud) -> dict[str, str]:
    return {"api_endpoint": cloud.url}


@contextmanager
def gcs(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    client = storage.Client("project", credentials.AnonymousCredentials(), client_options=google_options(cloud))
    blob_ = client.bucket("bucket").blob("key")
    yield lambda: blob_.reload(retry=None, timeout=seconds)
    client.close()


@contextmanager
def big_query(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    client = bigquery.Client("project", credentials.AnonymousCredentials(), client_options=google_options(cloud))
    yield lambda: client.get_table("project.dataset.table", retry=None, timeout=seconds)
    client.close()


@contextmanager
def plain(cloud: FakeCloud, seconds: float) -> Iterator[Use]:
    def get() -> bytes:
        answer = requests.get(f"{cloud.url}/bucket/key?sig={CANARY}", timeout=seconds)
        answer.raise_for_status()
        return answer.content

    yield get


SDKS = {
    "s3": ("aws", Dialect.S3, s3),
    "sustainability": ("aws", Dialect.AWS_JSON, sustainability),
    "blob": ("azure", Dialect.AZURE_BLOB, blob),
    "carbon": ("azure", Dialect.AZURE, carbon),
    "gcs": ("gcp", Dialect.GOOGLE, gcs),
    "bigquery": ("gcp", Dialect.GOOGLE, big_query),
    "requests": ("other", Dialect.PLAIN, plain),
}


def classified(sdk: str, fault: Fault, requests_sent: int = 1) -> ClassifiedError:
    """Meet ``fault`` with an SDK's real client in one attempt and return what the door raises."""
    provider, dialect, client = SDKS[sdk]
    with FakeCloud(dialect) as cloud:
        cloud.put("/bucket/key", CONTENT)
        cloud.inject(fault, times=None)
        door = Door(Rules(retry=RetryPolicy(attempts=1), world=SimulatedTime().world()))
        seconds = HASTY if isinstance(fault, Blackhole) else PATIENT
        with client(cloud, seconds) as use, pytest.raises(ClassifiedError) as caught:
            door.call(provider, "scope", sdk, "probe", use)
        assert cloud.count() == requests_sent
    return caught.value


STATUS_CASES = [
    ("s3", Answer(403, "AccessDenied"), "auth"),
    ("s3", Answer(400, "ExpiredToken"), "auth"),
    ("s3", Answer(404, "NoSuchKey"), "not_found"),
    ("s3", Answer(500, "InternalError"), "transient"),
    ("s3", Answer(500, "SomethingOdd"), "fatal"),
    ("s3", Answer(400, "InvalidArgument"), "bad_request"),
    ("s3", Answer(503, "SlowDown"), "transient"),
    ("sustainability", Answer(429, "ThrottlingException"), "transient"),
    ("sustainability", Answer(403, "AccessDeniedException"), "auth"),
    ("sustainability", Answer(500, "InternalServerException"), "transient"),
    ("sustainability", Answer(400, "ValidationException"), "bad_request"),
    ("blob", Answer(404, "BlobNotFound"), "not_found"),
    ("blob", Answer(403, "AuthorizationPermissionMismatch"), "auth"),
    ("blob", Answer(500, "InternalError"), "transient"),
    ("blob", Answer(500, "SomethingOdd"), "fatal"),
    ("blob", Answer(503, "ServerBusy"), "transient"),
    ("carbon", Answer(429, "TooManyRequests"), "transient"),
    ("carbon", Answer(401, "ExpiredAuthenticationToken"), "auth"),
    ("carbon", Answer(403, "AuthorizationFailed"), "auth"),
    ("carbon", Answer(400, "BadRequest"), "bad_request"),
    ("carbon", Answer(500, "Odd"), "fatal"),
    ("bigquery", Answer(403, "accessDenied"), "auth"),
    ("bigquery", Answer(403, "rateLimitExceeded"), "transient"),
    ("bigquery", Answer(403, "quotaExceeded"), "transient"),
    ("bigquery", Answer(404, "notFound"), "not_found"),
    ("bigquery", Answer(400, "invalidQuery"), "bad_request"),
    ("bigquery", Answer(503, "backendError"), "transient"),
    ("bigquery", Answer(500, "odd"), "fatal"),
    ("gcs", Answer(429, "rateLimitExceeded"), "transient"),
    ("gcs", Answer(404, "notFound"), "not_found"),
    ("requests", Answer(418, "teapot"), "bad_request"),
    ("requests", Answer(504, ""), "transient"),
]


@pytest.mark.parametrize(
    ("sdk", "fault", "kind"), STATUS_CASES, ids=[f"{s}-{f.status}-{f.code}" for s, f, _ in STATUS_CASES]
)
def test_answers_are_classified_by_code_and_status(sdk: str, fault: Answer, kind: str) -> None:
    """Each SDK's own exception for an error answer yields its class, the provider's code and the status."""
    error = classified(sdk, fault)
    assert error.error_class == kind
    assert error.failure.status == fault.status
    assert error.failure.code == (None if sdk == "requests" else fault.code)
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize("sdk", ["s3", "sustainability", "blob", "carbon", "gcs", "bigquery"])
def test_throttling_is_known_with_and_without_a_header(sdk: str) -> None:
    """Every provider's way to say "slower" is seen as such, and its Retry-After is read from the SDK's exception."""
    dialect = SDKS[sdk][1]
    bare, wished = classified(sdk, throttled(dialect)), classified(sdk, throttled(dialect, "400"))
    assert bare.error_class == wished.error_class == "transient"
    assert bare.failure.throttled
    assert wished.failure.throttled
    assert bare.failure.retry_after_seconds is None
    assert wished.failure.retry_after_seconds == 400.0


def test_the_header_that_the_azure_sdk_ignores_is_read() -> None:
    """The QPU headers of Cost Management, which azure-core leaves aside, reach the failure."""
    name = "x-ms-ratelimit-microsoft.costmanagement-tenant-retry-after"
    assert classified("carbon", throttled(Dialect.AZURE, "333", name)).failure.retry_after_seconds == 333.0


@pytest.mark.parametrize("sdk", sorted(SDKS))
@pytest.mark.parametrize("fault", [Reset(), Blackhole()], ids=["reset", "blackhole"])
def test_connections_that_break_or_hang_are_transient(sdk: str, fault: Fault) -> None:
    """A reset and a silence past the time-out are transient for every SDK, without any status."""
    error = classified(sdk, fault)
    assert (error.error_class, error.failure.status) == ("transient", None)


@pytest.mark.parametrize(("sdk", "requests_sent"), [("s3", 1), ("blob", 3), ("requests", 1)])
def test_a_body_that_breaks_off_is_transient(sdk: str, requests_sent: int) -> None:
    """A body cut after 100 of 16,384 bytes is transient although its status was a success.

    azure-storage-blob asks three times on its own, a second apart, with all its retries off (docs/cloud.md).
    """
    assert classified(sdk, Cut(after_bytes=100), requests_sent).error_class == "transient"


@pytest.mark.parametrize("sdk", sorted(SDKS))
def test_nobody_listens(sdk: str) -> None:
    """A refused connection is transient for every SDK."""
    provider, dialect, client = SDKS[sdk]
    cloud = FakeCloud(dialect)
    with cloud:
        pass
    door = Door(Rules(world=SimulatedTime().world()))
    with client(cloud, PATIENT) as use, pytest.raises(ClassifiedError) as caught:
        door.call(provider, "scope", sdk, "probe", use)
    assert caught.value.error_class == "transient"


def test_request_ids_are_kept() -> None:
    """The provider's request id is in the sentence, for its support."""
    assert "request fake-0001" in str(classified("carbon", Answer(500, "Odd")))
    assert "request fake-0001" in str(classified("sustainability", Answer(403, "AccessDeniedException")))


def test_missing_credentials_are_a_matter_of_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    """SDKs that find no credentials, or are refused a token, raise AuthError at the door."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    client = boto3.session.Session().client("s3", region_name="eu-west-1", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(ClassifiedError) as caught:
        Door().call("aws", "scope", "s3", "probe", lambda: client.get_object(Bucket="bucket", Key="key"))
    assert (caught.value.error_class, caught.value.failure.exception) == ("auth", "NoCredentialsError")
    client.close()


AUTH_EXCEPTIONS: list[tuple[str, Exception, str]] = [
    ("aws", botocore.exceptions.TokenRetrievalError(provider="sso", error_msg=CANARY), "auth"),
    ("aws", botocore.exceptions.ProfileNotFound(profile="p"), "auth"),
    ("aws", botocore.exceptions.ParamValidationError(report=CANARY), "bad_request"),
    ("aws", botocore.exceptions.NoRegionError(), "bad_request"),
    ("gcp", google_auth.DefaultCredentialsError(CANARY), "auth"),
    ("gcp", google_auth.RefreshError(CANARY), "auth"),
    ("gcp", google_auth.RefreshError(CANARY, retryable=True), "transient"),
    ("gcp", google_auth.RefreshError(google_auth.TransportError(CANARY)), "transient"),
    ("gcp", google_auth.TransportError(CANARY), "transient"),
    ("aws", botocore.exceptions.DataNotFoundError(data_path="x"), "unknown"),
]


@pytest.mark.parametrize(("provider", "error", "kind"), AUTH_EXCEPTIONS)
def test_exceptions_without_an_answer(provider: str, error: Exception, kind: str) -> None:
    """Types alone decide, and nothing of their messages is taken over."""

    def fail() -> None:
        raise error

    with pytest.raises(ClassifiedError) as caught:
        Door(Rules(world=SimulatedTime().world())).call(provider, "scope", "api", "probe", fail)
    assert caught.value.error_class == kind
    assert CANARY not in str(caught.value)


def test_a_refused_client_secret_is_auth_although_the_answer_is_a_400() -> None:
    """azure-identity's ClientAuthenticationError is auth; the secret is nowhere in the error."""
    credential = ClientSecretCredential("tenant-id", "client-id", CANARY, authority="127.0.0.1:1", retry_total=0)
    with pytest.raises(ClassifiedError) as caught:
        Door(Rules(world=SimulatedTime().world())).call(
            "azure", "scope", "login", "probe", lambda: credential.get_token("x/.default")
        )
    assert caught.value.error_class in {"auth", "transient"}
    assert CANARY not in str(caught.value)
    credential.close()


def test_a_bad_certificate_is_not_retried() -> None:
    """A certificate that cannot be verified, however deep it is wrapped, is fatal."""
    cause = ssl.SSLCertVerificationError("self-signed")
    error = requests.exceptions.SSLError(MaxRetryError(HTTPConnectionPool("localhost"), "/", cause))
    failure = failure_of(error, "gcp", "probe", utc_now)
    assert failure is not None
    assert failure.exception == "SSLCertVerificationError"


def test_what_is_no_providers_exception_is_left_alone() -> None:
    """Bugs, full disks and cancellations pass the door unchanged, whatever they wrap."""

    def fail(error: BaseException) -> None:
        raise error from botocore.exceptions.ReadTimeoutError(endpoint_url="x")

    for error in (KeyError("x"), OSError(28, "no space"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            Door().call("aws", "scope", "s3", "probe", partial(fail, error))
        assert caught.value is error
    assert failure_of(ConnectionResetError(), "aws", "probe", utc_now) == Failure(
        "aws", "probe", exception="ConnectionResetError"
    )


class Hostile(requests.exceptions.RequestException):
    """An SDK exception whose attributes hold what a hostile server would put there."""

    def __init__(self) -> None:
        super().__init__(CANARY)
        self.error_code = f"Bad\n{CANARY} code"
        self.code = "not a number"
        self.errors = [{"reason": f"{CANARY}\r\nforged: line"}]
        self.__cause__ = self


def test_codes_from_outside_cannot_forge_lines_or_loops() -> None:
    """A code that does not look like one is dropped, and an exception that causes itself ends."""
    failure = failure_of(Hostile(), "aws", "probe", utc_now)
    assert failure == Failure("aws", "probe", exception="Hostile")


def test_the_door_imports_no_sdk() -> None:
    """Loading the whole cloud package loads no SDK, no HTTP client and no telemetry."""
    names = "door pages streams redact logs telemetry translate retry pace"
    code = f"import sys; import {', '.join(f'offgridflow.cloud.{n}' for n in names.split())}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"boto3", "botocore", "azure", "google", "requests", "urllib3", "opentelemetry", "httpx"}


def test_corrupt_bytes_are_seen_by_boto3_only_with_a_checksum() -> None:
    """Without a stored checksum boto3 hands corrupt bytes on: why streams verify by themselves."""
    with FakeCloud(Dialect.S3) as cloud:
        cloud.put("/bucket/key", CONTENT)
        cloud.inject(Corrupt(at_byte=5))
        with s3(cloud, PATIENT) as use:
            assert use() != CONTENT


def test_every_code_that_botocore_retries_is_transient() -> None:
    """Botocore's own lists of transient and throttling codes are in the table, the latter as throttling."""
    transient = botocore_standard.TransientRetryableChecker()._transient_error_codes  # noqa: SLF001 - the SDK's list
    throttling = botocore_standard.ThrottledRetryableChecker()._throttled_error_codes  # noqa: SLF001 - the SDK's list
    assert {CODES["aws"].get(code) for code in [*transient, *throttling]} == {ErrorClass.TRANSIENT}
    assert all(is_throttling("aws", None, code) for code in throttling)


def test_every_exception_that_botocore_retries_is_transient() -> None:
    """All transport errors of botocore are transient by their type, except those of TLS, where the cause decides."""
    kinds = [kind for kind in vars(botocore.exceptions).values() if isinstance(kind, type)]
    roots = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
    network = [kind for kind in kinds if issubclass(kind, roots)]
    assert len(network) >= 8
    for kind in network:
        error = kind(endpoint_url="x", proxy_url="x", error=OSError())
        failure = failure_of(error, "aws", "o", utc_now)
        assert failure is not None
        assert EXCEPTION_CLASS[failure.exception or ""] is ErrorClass.TRANSIENT, kind


def test_every_storage_code_of_azure_has_a_decision() -> None:
    """All codes of azure-storage-blob fall into a class with any 4xx; those that the SDK retries are transient."""
    codes = [code.value for code in StorageErrorCode]
    assert len(codes) > 100
    for code in codes:
        assert class_of(Failure("azure", "o", status=400, code=code)) is not ErrorClass.UNKNOWN
    retried = ("OperationTimedOut", "InternalError", "ServerBusy")
    assert {class_of(Failure("azure", "o", status=500, code=code)) for code in retried} == {ErrorClass.TRANSIENT}
    gone = [code for code in codes if code.endswith(("BlobNotFound", "ContainerNotFound", "ResourceNotFound"))]
    assert {class_of(Failure("azure", "o", status=404, code=code)) for code in gone} == {ErrorClass.NOT_FOUND}


def test_every_reason_of_bigquery_has_a_decision() -> None:
    """All reasons that google-cloud-bigquery knows have a class, and those that it retries are transient."""
    base = importlib.import_module("google.cloud.bigquery.job.base")
    reasons = base._ERROR_REASON_TO_EXCEPTION  # noqa: SLF001 - the SDK's table
    retry = importlib.import_module("google.cloud.bigquery.retry")
    assert len(reasons) > 15
    for reason, status in reasons.items():
        failure = Failure("gcp", "o", status=int(status), code=reason)
        assert class_of(failure) is not ErrorClass.UNKNOWN or reason == "stopped"
    retried = {*retry._RETRYABLE_REASONS, *retry.job_retry_reasons}  # noqa: SLF001 - the SDK's list
    assert {class_of(Failure("gcp", "o", status=500, code=reason)) for reason in retried} == {ErrorClass.TRANSIENT}
