"""Settings: ``offgridflow.toml`` of the working folder under ``OFFGRIDFLOW_*`` under the command line.

Nested names join with two underscores: ``OFFGRIDFLOW_GRAIN__PERIOD=hour``. Unknown keys are refused, so that a typing
error never silently means a default.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from offgridflow.domain.errors import UsageError

SETTINGS_FILE = "offgridflow.toml"
_PREFIX: Final = "OFFGRIDFLOW_"
_UNKNOWN: Final = "extra_forbidden"
"""Pydantic's word for a key that a model does not have."""
_NO_SETTINGS: Final = frozenset({"DEBUG", "SOAK", "FUZZ_EXAMPLES", "AXE", "AZURITE"})
"""Variables that are no settings: one of the command line, and those of the tests."""
_SERVICE_LINK: Final = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|(?P<address>PORT))"
)
"""What Kubernetes tells every container of a service whose name begins with ``offgridflow``."""


class Strict(BaseModel):
    """A part of the settings that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GrainSettings(Strict):
    """How finely activities are kept apart."""

    period: Literal["hour", "day", "month"] = "day"
    resources: bool = True
    tag_keys: tuple[str, ...] = ()


class LimitSettings(Strict):
    """Resources of one run. ``memory_mib`` bounds the engine; the process needs about 200 MiB beside it."""

    threads: int = Field(default=2, ge=1, le=256)
    memory_mib: int = Field(default=600, ge=64)
    max_line_mib: int = Field(default=16, ge=1, le=256)


class RegionValueSettings(Strict):
    """A value for one region of one provider, with the evidence for it."""

    provider: str
    region_id: str
    value: float
    source: str = ""


class SpanSettings(Strict):
    """Low, central and high of a user's value; only ``central`` is needed."""

    central: float = Field(ge=0)
    low: float | None = Field(default=None, ge=0)
    high: float | None = Field(default=None, ge=0)


class UserRateSettings(Strict):
    """Your own rate for a SKU, per one consumed unit."""

    provider: str
    consumed_unit: str
    sku_id: str | None = None
    meter: str | None = None
    it_kwh: SpanSettings | None = None
    operational_kgco2e: SpanSettings | None = None
    embodied_kgco2e: float = Field(default=0.0, ge=0)
    source: str


class SpendSettings(Strict):
    """kgCO2e per unit of a currency. Giving one switches the fallback by spend on."""

    currency: str
    kgco2e_per_unit: SpanSettings
    source: str


class MethodologySettings(Strict):
    """Choices that enter every rate; each is visible in the rows that it touched."""

    profile: Literal["default", "sci", "ccf", "assured"] = "default"
    utilisation: float | None = Field(default=None, ge=0, le=1)
    lifetime_years: float | None = Field(default=None, ge=1, le=20)
    pue: tuple[RegionValueSettings, ...] = ()
    contracts: tuple[RegionValueSettings, ...] = ()
    grid_file: Path | None = None
    grid_precedence: Literal["user", "factor_set"] = "user"
    rates: tuple[UserRateSettings, ...] = ()
    spend: tuple[SpendSettings, ...] = ()


class LedgerSettings(Strict):
    """Where the ledger is and how long superseded versions stay readable.

    ``region``, ``endpoint_url``, ``account`` and the bounds of the read cache are for object stores (docs/ledger.md).
    """

    uri: str = "./offgridflow-ledger"
    retention_days: int = Field(default=7 * 365, ge=1)
    allow_overlap: bool = False
    region: str | None = None
    endpoint_url: str | None = None
    account: str | None = None
    cache_folder: Path | None = None
    cache_mib: int = Field(default=4096, ge=1)

    def address(self, given: str | None = None) -> str:
        """Return the ledger's address: the given one or ``uri``, and for an object store what is set here with it.

        >>> LedgerSettings(region="us-east-1").address("s3://bucket/ledger?cache_mib=100")
        's3://bucket/ledger?cache_mib=100&region=us-east-1'
        """
        uri = given or self.uri
        if "://" not in uri or uri.startswith("file://"):
            return uri
        said = {key for key, _ in parse_qsl(urlsplit(uri).query, keep_blank_values=True)}
        known = {name: getattr(self, name) for name in ("region", "endpoint_url", "account", "cache_folder")}
        if "cache_mib" in self.model_fields_set:
            known["cache_mib"] = self.cache_mib
        added = {key: str(value) for key, value in known.items() if value is not None and key not in said}
        return uri + (("&" if said else "?") + urlencode(added) if added else "")


class ApiSettings(Strict):
    """API and dashboard. Past a limit the answer is 413, 422, 429 or 503, never a half answer (docs/api.md)."""

    host: str = "127.0.0.1"
    port: int = Field(default=8390, ge=0, le=65535)
    hosts: tuple[str, ...] = ()
    state: Path | None = None
    paths: tuple[Path, ...] = ()
    rollup_tags: tuple[str, ...] = ()
    memory_mib: int = Field(default=1024, ge=128)
    body_kib: int = Field(default=64, ge=1)
    query_seconds: float = Field(default=30, gt=0)
    export_seconds: float = Field(default=3600, gt=0)
    queue_length: int = Field(default=16, ge=0)
    queue_seconds: float = Field(default=10, gt=0)
    groups: int = Field(default=20_000, ge=1)
    cache_mib: int = Field(default=64, ge=0)
    requests_per_minute: float = Field(default=600, gt=0)
    burst: float = Field(default=120, ge=1)
    session_hours: float = Field(default=12, gt=0)


class WhatIfSettings(Strict):
    """Where a what-if finds prices that the ledger never paid: a price list (docs/dashboard.md)."""

    prices: Path | None = None


class QuotaSettings(Strict):
    """A token bucket: how many calls may go out at once, and how many more each second."""

    capacity: float = Field(gt=0)
    refill_per_second: float = Field(gt=0)


class RetrySettings(Strict):
    """The one retry layer, and how long a client waits for an answer (docs/cloud.md)."""

    attempts: int = Field(default=3, ge=1, le=10)
    base_seconds: float = Field(default=1, ge=0)
    cap_seconds: float = Field(default=30, ge=0)
    retry_after_ceiling_seconds: float = Field(default=120, ge=0)
    connect_timeout_seconds: float = Field(default=10, gt=0)
    read_timeout_seconds: float = Field(default=60, gt=0)


class TelemetrySettings(Strict):
    """Where traces and metrics go; nowhere by default. Needs the extra ``telemetry`` (docs/cloud.md)."""

    otlp_endpoint: str | None = None
    prometheus_port: int | None = Field(default=None, ge=0, le=65535)
    prometheus_host: str = "127.0.0.1"


class LogSettings(Strict):
    """JSON lines on stderr. Without a level: ``run`` logs from ``info`` on, everything else nothing."""

    level: Literal["debug", "info", "warning", "error"] | None = None


class RunSettings(Strict):
    """How and when the worker runs, how long it waits for another one, where its history is (docs/operations.md)."""

    runner: Literal["in_process", "dbos"] = "in_process"
    database_url: SecretStr | None = None
    schedule: str = "17 5 * * *"
    jitter_seconds: float = Field(default=300, ge=0)
    catch_up: Literal["skip", "once"] = "once"
    probe_hours: float = Field(default=24, gt=0)
    lock_wait_seconds: float = Field(default=3600, ge=0)
    lock_dsn: SecretStr | None = None
    state: Path | None = None
    history_days: int = Field(default=400, ge=1, le=36_500)


class AlertSettings(Strict):
    """What is worth telling somebody, and whom (docs/operations.md)."""

    stale_hours: float = Field(default=72, gt=0)
    report_stale_hours: float = Field(default=960, gt=0)
    coverage_drop: float = Field(default=0.05, gt=0, le=1)
    total_jump: float = Field(default=0.5, gt=0)
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None
    webhook_networks: tuple[str, ...] = ()

    @field_validator("webhook_url")
    @classmethod
    def _can_be_sent_to(cls, url: str | None) -> str | None:
        """Refuse what no request can be made of, before the first alert meets it."""
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
            message = "it is no https:// address without a user name"
            raise ValueError(message)
        parts.hostname.encode("idna")
        if parts.port == 0:
            message = "its port is none"
            raise ValueError(message)
        if not (parts.path + parts.query).isascii() or any(not sign.isprintable() or sign == " " for sign in url):
            message = "after its host only ASCII without spaces can be sent; write other characters as %C3%BC"
            raise ValueError(message)
        return url


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="OFFGRIDFLOW_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    ledger: Annotated[LedgerSettings, NoDecode] = LedgerSettings()
    grain: GrainSettings = GrainSettings()
    limits: LimitSettings = LimitSettings()
    methodology: MethodologySettings = MethodologySettings()
    api: ApiSettings = ApiSettings()
    whatif: WhatIfSettings = WhatIfSettings()
    run: RunSettings = RunSettings()
    alerts: AlertSettings = AlertSettings()
    pace: dict[str, QuotaSettings] = Field(default_factory=dict)
    retry: RetrySettings = RetrySettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    log: LogSettings = LogSettings()
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    cache_folder: Path = Path(".offgridflow-cache")

    @field_validator("ledger", mode="before")
    @classmethod
    def _uri_alone(cls, value: object) -> object:
        """Accept ``OFFGRIDFLOW_LEDGER=URI``, the short form of ``OFFGRIDFLOW_LEDGER__URI``."""
        return {"uri": value} if isinstance(value, str) else value


def read_settings(folder: Path | None = None, **overrides: object) -> Settings:
    """Read the settings of a working folder.

    Raises UsageError naming the file or variable, the key and what is wrong with it.
    """
    path = (folder or Path()) / SETTINGS_FILE
    written = _read_file(path)
    _refuse_unknown_variables(os.environ)

    class FileSettings(Settings):
        """Settings with this folder's file as the lowest source."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no dotenv: secrets do not live in files
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Command line over environment over mounted secrets over file."""
            return (init_settings, env_settings, file_secret_settings, InitSettingsSource(settings_cls, written))

    try:
        return FileSettings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        first = min(found, key=lambda each: each["type"] != _UNKNOWN)  # what is missing may stand there misspelt
        raise _refusal(first, path, written) from error
    except ValueError as error:
        sentence = f"A variable {_PREFIX}... cannot be read: {error}."
        raise UsageError(sentence, action="Correct it; docs/settings.md lists all settings.") from error


def _read_file(path: Path) -> dict[str, Any]:
    """Return what the settings file says, nothing where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        sentence = f"{path} cannot be read as TOML: {error}."
        raise UsageError(sentence, action="Correct the file.") from error
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror}."
        raise UsageError(sentence, action="Make it a file that may be read, or move it away.") from error


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """Raise UsageError for a variable with our prefix that sets nothing."""
    for variable in sorted(environment):
        name = variable.upper().removeprefix(_PREFIX)
        if name == variable.upper() or name in _NO_SETTINGS or _is_service_link(name, environment[variable]):
            continue
        keys = name.lower().split("__")
        if keys[0] in Settings.model_fields:
            continue
        near = _nearest_path(keys)
        meant = f" Did you mean {_PREFIX}{'__'.join(near).upper()}?" if near else ""
        sentence = f"The variable {variable} sets nothing: there is no setting {'.'.join(keys)}."
        raise UsageError(sentence, action=f"Correct or unset it.{meant} docs/settings.md lists all settings.")


def _is_service_link(name: str, value: str) -> bool:
    link = _SERVICE_LINK.fullmatch(name)
    return link is not None and (link["address"] is None or "://" in value)


def _refusal(found: ErrorDetails, path: Path, written: Mapping[str, Any]) -> UsageError:
    """Return the error for what is wrong with one key: who said it, and the key that was meant, if one is near."""
    keys = [str(part) for part in found["loc"]]
    key, where = ".".join(keys), _said_in(keys, path, written)
    if found["type"] != _UNKNOWN:
        sentence = f"The setting {key} in {where} is wrong: {found['msg'].removeprefix('Value error, ')}."
        return UsageError(sentence, action="Correct it; docs/settings.md lists all settings.")
    near = _nearest_path([part for part in keys if not part.isdigit()])
    meant = f" Did you mean {'.'.join(near)}?" if near else ""
    sentence = f"There is no setting {key}, which stands in {where}."
    return UsageError(sentence, action=f"Correct it.{meant} docs/settings.md lists all settings.")


def _said_in(keys: Sequence[str], path: Path, written: Mapping[str, Any]) -> str:
    """Return the variable or the file that said a key, both where neither can be told."""
    variables = [variable for variable in os.environ if variable.upper() == _PREFIX + "__".join(keys).upper()]
    if variables:
        return f"the variable {variables[0]}"
    place: object = written
    for part in keys:
        place = place.get(part, place) if isinstance(place, Mapping) else place
    return f"{path} or the environment" if place is written else str(path)


def _nearest_path(keys: Sequence[str]) -> list[str] | None:
    """Return the path of the known setting that a wrong one may mean, None where none is near.

    >>> _nearest_path(["grian", "period"])
    ['grain', 'period']
    >>> _nearest_path(["source", "acme"])
    ['sources', 'acme']
    """
    whole, wrong = ["__".join(path) for path in _paths(Settings)], "__".join(keys)
    if near := get_close_matches(wrong, whole, 1, 0.8):
        return near[0].split("__")
    top = get_close_matches(keys[0], Settings.model_fields, 1, 0.6)
    if top and top[0] != keys[0]:
        return [top[0], *keys[1:]]
    near = get_close_matches(wrong, whole, 1, 0.6)
    return near[0].split("__") if near else None


def _paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key of a model and of those within it."""
    for name, known in model.model_fields.items():
        inner = [each for each in _types(known.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
        if not inner:
            yield (name,)
        for each in inner:
            yield from ((name, *path) for path in _paths(each))


def _types(annotation: object) -> Iterator[object]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)
