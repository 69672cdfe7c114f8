"""The address of a ledger in an object store, and what delta-rs and obstore are told to reach it.

An address is ``s3://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX``, ``az://CONTAINER/PREFIX`` or
``abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX``; behind a question mark it may say ``region``,
``endpoint_url``, ``account``, ``cache_folder`` and ``cache_mib``. Credentials never stand in it: both libraries find
them where the clouds' own tools do.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from offgridflow.domain.errors import LedgerError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DEFAULT_CACHE_MIB: Final = 4096
_EXTRA: Final = {"s3": "aws", "az": "azure", "gs": "gcp"}
_SCHEMES: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az", "azure": "az", "abfs": "az", "abfss": "az"}
_KEYS: Final = ("region", "endpoint_url", "account", "cache_folder", "cache_mib")
_ENDPOINTS: Final = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "gs": ("STORAGE_EMULATOR_HOST",),
}
_REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ACCOUNTS: Final = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
_RETRIES: Final = 5
_RETRY_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's address, taken apart. ``scheme`` is ``s3``, ``az`` or ``gs``; ``prefix`` has no slash at its ends.

    ``cache_folder`` None is the user's cache folder; ``cache_mib`` bounds the local read cache.
    """

    scheme: str
    container: str
    prefix: str
    account: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    cache_folder: Path | None = None
    cache_mib: int = DEFAULT_CACHE_MIB

    @property
    def uri(self) -> str:
        """The address for people, without what stands behind the question mark."""
        return f"{self.scheme}://{self.container}/{self.prefix}".rstrip("/")

    @property
    def identity(self) -> str:
        """What no other ledger has in common with this one."""
        return " ".join((self.uri, self.account or "", self.endpoint_url or ""))

    @property
    def is_plain_http(self) -> bool:
        """Whether the endpoint is reached without TLS: an emulator, or a store behind a proxy."""
        return (self.endpoint_url or "").startswith("http://")


def is_remote(uri: str) -> bool:
    """Whether an address names an object store that a ledger can live in."""
    return urlsplit(uri).scheme in _SCHEMES and "://" in uri


def parse_place(uri: str, environment: Mapping[str, str]) -> Place:
    """Take an address apart; what it does not say may stand in the variables that the clouds' own tools read.

    Raises UsageError for an address that cannot be one, naming what is wrong with it.
    """
    parts = urlsplit(uri)
    scheme = _SCHEMES[parts.scheme]
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    strange = sorted(said.keys() - set(_KEYS))
    if strange:
        sentence = f"The ledger address {_shown(uri)} says {strange[0]}, which has no meaning there."
        raise UsageError(sentence, action=f"Behind the question mark may stand: {', '.join(_KEYS)}.")
    container, account = _container_of(uri, scheme)
    if scheme == "az":
        account = account or said.get("account") or _first(environment, _ACCOUNTS)
        if account is None:
            sentence = f"The ledger address {_shown(uri)} does not say which storage account."
            raise UsageError(sentence, action="Write az://CONTAINER/PREFIX?account=NAME.")
    return Place(
        scheme=scheme,
        container=container,
        prefix=_prefix_of(uri),
        account=account,
        region=said.get("region") or (_first(environment, _REGIONS) if scheme == "s3" else None),
        endpoint_url=_endpoint_of(said.get("endpoint_url") or _first(environment, _ENDPOINTS[scheme])),
        cache_folder=Path(said["cache_folder"]).expanduser() if said.get("cache_folder") else None,
        cache_mib=_mib_of(uri, said.get("cache_mib")),
    )


def _shown(uri: str) -> str:
    """Return an address without user, password and query, which might hold a secret by mistake."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _container_of(uri: str, scheme: str) -> tuple[str, str | None]:
    """Return bucket or container, and the storage account where the address names it."""
    before, at, host = urlsplit(uri).netloc.rpartition("@")
    if at and (scheme != "az" or ":" in before):
        sentence = f"The ledger address {_shown(uri)} holds a user or a password."
        raise UsageError(sentence, action="Leave it out: credentials come from the cloud's default chain.")
    container = before if at else host
    if not container:
        sentence = f"The ledger address {_shown(uri)} names no bucket or container."
        raise UsageError(sentence, action="Write for example s3://BUCKET/PREFIX.")
    return container, host.partition(".")[0] if at else None


def _prefix_of(uri: str) -> str:
    prefix = unquote(urlsplit(uri).path).removeprefix("/").rstrip("/")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        sentence = f"The ledger address {_shown(uri)} has an empty part or dots in its path."
        raise UsageError(sentence, action="Write for example s3://BUCKET/PREFIX.")
    return prefix


def _endpoint_of(said: str | None) -> str | None:
    if said is None:
        return None
    return (said if "://" in said else f"http://{said}").rstrip("/")


def _mib_of(uri: str, said: str | None) -> int:
    if said is None:
        return DEFAULT_CACHE_MIB
    if not said.isdecimal() or int(said) < 1:
        sentence = f"The ledger address {_shown(uri)} says cache_mib={said}, which is no number of mebibytes."
        raise UsageError(sentence, action="Give a whole number from 1 on.")
    return int(said)


def delta_options(place: Place) -> dict[str, str]:
    """Return the storage options of delta-rs. A commit there creates an object only if it is not there yet."""
    common = {
        "max_retries": str(_RETRIES),
        "retry_timeout": f"{_RETRY_SECONDS}s",
        "connect_timeout": f"{_CONNECT_SECONDS}s",
    }
    if place.is_plain_http:
        common["allow_http"] = "true"
    found = {
        "s3": {
            "aws_conditional_put": "etag",
            "aws_region": _signing_region(place),
            "aws_endpoint": place.endpoint_url,
        },
        "az": {"azure_storage_account_name": place.account, "azure_storage_endpoint": place.endpoint_url},
        "gs": {"google_base_url": place.endpoint_url},
    }[place.scheme]
    return common | {key: value for key, value in found.items() if value is not None}


def _signing_region(place: Place) -> str | None:
    """Return the region to sign for; stores that are not Amazon's want one and do not mind which."""
    return place.region or ("us-east-1" if place.endpoint_url else None)


def open_store(place: Place) -> "ObjectStore":
    """Return obstore's store of a ledger.

    Raises MissingExtraError without obstore, LedgerError for settings that it refuses.
    """
    try:
        stores: Any = importlib.import_module("obstore.store")
    except ModuleNotFoundError:
        extra = _EXTRA[place.scheme]
        sentence = f"A ledger at {place.scheme}:// needs obstore, which is not installed."
        raise MissingExtraError(sentence, action=f"Run: pip install 'offgridflow[{extra}]'") from None
    kind = {"s3": stores.S3Store, "az": stores.AzureStore, "gs": stores.GCSStore}[place.scheme]
    config = {
        "s3": {"conditional_put": "etag", "region": _signing_region(place), "endpoint": place.endpoint_url},
        "az": {"account_name": place.account, "endpoint": place.endpoint_url},
        "gs": {"base_url": place.endpoint_url},
    }[place.scheme]
    try:
        made: ObjectStore = kind(
            place.container,
            prefix=place.prefix or None,
            config={key: value for key, value in config.items() if value is not None},
            client_options={
                "allow_http": place.is_plain_http,
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
                "timeout": timedelta(seconds=_RETRY_SECONDS),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
            credential_provider=_credentials(place),
        )
    except (ValueError, stores_error()) as error:
        sentence = f"The ledger {place.uri} cannot be reached with these settings: {str(error).splitlines()[0]}."
        raise LedgerError(sentence, action="Check the address and the cloud's environment variables.") from error
    return made


def stores_error() -> type[Exception]:
    """Return the root of obstore's exceptions."""
    found: type[Exception] = importlib.import_module("obstore.exceptions").BaseError
    return found


def _credentials(place: Place) -> object | None:
    """Return boto3's chain where boto3 is installed, for profiles and single sign-on; else obstore has one of its own.

    delta-rs knows the same places: variables, profiles, web identity, container and machine roles.
    """
    if place.scheme != "s3":
        return None
    try:
        chain = importlib.import_module("obstore.auth.boto3")
    except ModuleNotFoundError:
        return None
    try:
        made: object = chain.Boto3CredentialProvider()
    except ValueError:
        return None  # boto3 found none; obstore says what it misses when it is used
    return made
