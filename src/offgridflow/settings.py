"""Settings: ``offgridflow.toml`` of the working folder under ``OFFGRIDFLOW_*`` under the command line.

Nested names join with two underscores: ``OFFGRIDFLOW_GRAIN__PERIOD=hour``. Unknown keys are refused, so that a typing
error never silently means a default.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from offgridflow.domain.errors import UsageError

SETTINGS_FILE = "offgridflow.toml"


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


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="OFFGRIDFLOW_",
        env_nested_delimiter="__",
        extra="ignore",
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
            return (init_settings, env_settings, file_secret_settings, TomlConfigSettingsSource(settings_cls, path))

    try:
        return FileSettings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        sentence = f"The setting {key} in {path} or the environment is wrong: {first['msg']}."
        raise UsageError(sentence, action="Correct it; docs/settings.md lists all settings.") from error
    except ValueError as error:
        sentence = f"{path} cannot be read as TOML: {error}."
        raise UsageError(sentence, action="Correct the file.") from error
