"""The one table of provider codes and exception types: what each of them means, and which of them are throttling.

Sources: botocore's standard retry lists, azure-storage-blob's retry policy and Microsoft's "Common REST API error
codes", google-cloud-bigquery's retryable reasons and Google's BigQuery and quota troubleshooting pages. A code decides
before the status does, because a bare 500 is fatal unless the provider documents that very code as worth a retry.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ErrorClass(StrEnum):
    """What to do about an error: the first is retried, all others are not."""

    TRANSIENT = "transient"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    FATAL = "fatal"
    UNKNOWN = "unknown"


# fmt: off
_AWS: Final[Mapping[ErrorClass, tuple[str, ...]]] = {
    ErrorClass.TRANSIENT: (
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException",
        "ProvisionedThroughputExceededException", "TransactionInProgressException", "SlowDown",
        "PriorRequestNotComplete", "EC2ThrottledException", "RequestTimeout", "RequestTimeoutException",
        "InternalError", "InternalServerException", "InternalFailure", "ServiceUnavailable",
        "ServiceUnavailableException", "IDPCommunicationError",
    ),
    ErrorClass.AUTH: (
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "InvalidAccessKeyId",
        "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
        "UnrecognizedClientException", "InvalidToken", "AuthFailure", "MissingAuthenticationToken", "RequestExpired",
        "AllAccessDisabled", "RequestTimeTooSkewed", "OptInRequired", "IncompleteSignature", "InvalidIdentityToken",
    ),
    ErrorClass.NOT_FOUND: ("NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchVersion", "ResourceNotFoundException"),
    ErrorClass.BAD_REQUEST: (
        "ValidationException", "ValidationError", "InvalidParameterValue", "InvalidArgument", "InvalidRange",
        "MalformedXML", "PreconditionFailed", "InvalidObjectState", "PermanentRedirect", "InvalidBucketName",
        "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
    ),
}
_AZURE: Final[Mapping[ErrorClass, tuple[str, ...]]] = {
    ErrorClass.TRANSIENT: ("TooManyRequests", "ServerBusy", "OperationTimedOut", "ServerTimeout", "InternalError"),
    ErrorClass.AUTH: (
        "AuthenticationFailed", "AuthorizationFailed", "AuthorizationFailure", "AuthorizationPermissionMismatch",
        "InvalidAuthenticationToken", "InvalidAuthenticationInfo", "ExpiredAuthenticationToken",
        "InsufficientAccountPermissions", "NoAuthenticationInformation", "RBACAccessDenied", "AccountIsDisabled",
        "InvalidAuthenticationTokenTenant", "LinkedAuthorizationFailed",
    ),
    ErrorClass.NOT_FOUND: (
        "BlobNotFound", "ContainerNotFound", "ResourceNotFound", "SubscriptionNotFound", "ResourceGroupNotFound",
    ),
    ErrorClass.BAD_REQUEST: ("ConditionNotMet", "InvalidRange", "InvalidInput", "BadRequest"),
}
_GCP: Final[Mapping[ErrorClass, tuple[str, ...]]] = {
    ErrorClass.TRANSIENT: (
        "rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError", "badGateway", "jobBackendError",
        "jobInternalError", "jobRateLimitExceeded", "tableUnavailable", "quotaExceeded", "dailyLimitExceeded",
    ),
    ErrorClass.AUTH: ("accessDenied", "authError", "forbidden", "insufficientPermissions", "policyViolation"),
    ErrorClass.NOT_FOUND: ("notFound",),
    ErrorClass.BAD_REQUEST: (
        "invalid", "invalidQuery", "badRequest", "billingTierLimitExceeded", "bytesBilledLimitExceeded",
        "billingNotEnabled", "resourcesExceeded", "responseTooLarge", "conditionNotMet", "duplicate", "accountDisabled",
    ),
}

CODES: Final[Mapping[str, Mapping[str, ErrorClass]]] = {
    provider: {code: kind for kind, codes in table.items() for code in codes}
    for provider, table in (("aws", _AWS), ("azure", _AZURE), ("gcp", _GCP))
}
"""Provider -> code -> class."""

THROTTLING_CODES: Final[Mapping[str, frozenset[str]]] = {
    "aws": frozenset({
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException",
        "ProvisionedThroughputExceededException", "TransactionInProgressException", "SlowDown",
        "PriorRequestNotComplete", "EC2ThrottledException",
    }),
    "azure": frozenset({"TooManyRequests", "ServerBusy"}),
    "gcp": frozenset({
        "rateLimitExceeded", "userRateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded",
    }),
}
"""Codes by which a provider says "slower": their retries cost less of the quota than those of other failures."""

NEXT_RUN_CODES: Final = frozenset({"quotaExceeded", "dailyLimitExceeded"})
"""Limits over hours: Google asks for ten minutes or more, so pauses of seconds only burn attempts."""

EXCEPTIONS: Final[Mapping[ErrorClass, frozenset[str]]] = {
    ErrorClass.TRANSIENT: frozenset({
        # Python, urllib3, http.client
        "ConnectionError", "ConnectionResetError", "ConnectionAbortedError", "ConnectionRefusedError",
        "BrokenPipeError", "TimeoutError", "IncompleteRead", "ProtocolError", "ReadTimeoutError", "RemoteDisconnected",
        "NewConnectionError", "MaxRetryError", "NameResolutionError", "gaierror", "SSLEOFError", "SSLZeroReturnError",
        # botocore
        "ConnectTimeoutError", "EndpointConnectionError", "HTTPClientError", "ConnectionClosedError",
        "ResponseStreamingError", "FlexibleChecksumError", "IncompleteReadError",
        # azure-core
        "ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError", "ServiceResponseTimeoutError",
        # google-api-core, google-auth, requests, httpx
        "ChunkedEncodingError", "ConnectTimeout", "ReadTimeout", "Timeout", "RetryError", "TransportError",
        "DataCorruption", "ReadError", "ConnectError", "RemoteProtocolError", "InvalidJSONError", "JSONDecodeError",
    }),
    ErrorClass.AUTH: frozenset({
        "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
        "UnauthorizedSSOTokenError", "SSOTokenLoadError", "SSOError", "ProfileNotFound", "ClientAuthenticationError",
        "NoAuthTokenError", "CredentialUnavailableError", "DefaultCredentialsError", "RefreshError", "GoogleAuthError",
    }),
    ErrorClass.BAD_REQUEST: frozenset({
        "ParamValidationError", "ValidationError", "InvalidURL", "InvalidSchema", "MissingSchema", "NoRegionError",
        "InvalidRegionError", "UnknownEndpointError", "InvalidS3AddressingStyleError",
    }),
    ErrorClass.FATAL: frozenset({"SSLCertVerificationError", "CertificateError", "TooManyRedirectsError"}),
}
# fmt: on

EXCEPTION_CLASS: Final[Mapping[str, ErrorClass]] = {name: kind for kind, names in EXCEPTIONS.items() for name in names}
"""Name of an exception type -> class, for calls that got no HTTP answer, or only the beginning of one."""

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Worth trying again whatever the code; 500 is not among them."""
