"""From settings to a door: pace, retries and time-outs, and who hears of what happens there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from offgridflow.cloud import logs, telemetry
from offgridflow.cloud.door import Door, Rules, Timeouts
from offgridflow.cloud.events import Listener, listeners, no_listener
from offgridflow.cloud.pace import Limiters, Quota, quotas
from offgridflow.cloud.redact import Redactor, Secret, is_secret_name
from offgridflow.cloud.retry import RetryPolicy
from offgridflow.domain.errors import UsageError
from offgridflow.settings import QuotaSettings, Settings

_ALSO_SECRET: Final = frozenset({"external_id"})


def door_of(settings: Settings, listener: Listener = no_listener) -> Door:
    """Return a door that keeps pace and retries as the settings say.

    Raises UsageError for a quota of a provider or endpoint that no type of source calls.
    """
    chosen = settings.retry
    policy = RetryPolicy(
        attempts=chosen.attempts,
        base_seconds=chosen.base_seconds,
        cap_seconds=chosen.cap_seconds,
        retry_after_ceiling_seconds=chosen.retry_after_ceiling_seconds,
    )
    timeouts = Timeouts(chosen.connect_timeout_seconds, chosen.read_timeout_seconds)
    return Door(Rules(Limiters(quotas(_quotas(settings.pace))), policy, timeouts), listener)


def _quotas(chosen: Mapping[str, QuotaSettings]) -> dict[str, Quota]:
    known = _endpoints() if chosen else frozenset()
    for name in chosen:
        if name not in known:
            sentence = f"The setting pace.{name} names no provider and no endpoint that is called."
            raise UsageError(sentence, action=f"Use one of: {', '.join(sorted(known))}.")
    return {name: Quota(quota.capacity, quota.refill_per_second) for name, quota in chosen.items()}


def _endpoints() -> frozenset[str]:
    """Return what a quota can be named after: providers, and ``provider/endpoint``."""
    from offgridflow.connectors.registry import kind, names  # noqa: PLC0415 - loads all connectors

    declared = [kind(name).declaration for name in names()]
    narrow = {f"{each.provider}/{endpoint}" for each in declared for endpoint in each.endpoints}
    return frozenset({each.provider for each in declared} | narrow)


@contextmanager
def listening(settings: Settings, *, serve: bool = False) -> Iterator[Listener]:
    """Give the listener of a run: traces and metrics where the settings send them, and the log; flush in the end.

    Args:
        settings: see ``telemetry``.
        serve: open the port for Prometheus too. Only a worker does: who runs a command once is gone before it is asked.

    Raises MissingExtraError where telemetry is asked for and not installed.

    """
    chosen = settings.telemetry
    port = chosen.prometheus_port if serve else None
    started = telemetry.start(telemetry.TelemetrySettings(chosen.otlp_endpoint, port, chosen.prometheus_host))
    try:
        # the log first: a span's last line carries its ids
        heard = [logs.log_listener()] if logs.is_read() else []
        yield listeners(*heard, started.listener)
    finally:
        started.close()


def configure_logs(settings: Settings, default: str | None = None) -> None:
    """Log as JSON on stderr from the level of the settings on, else from ``default``; without either, not at all.

    No line holds a secret of the settings, nor what looks like one.
    """
    level = settings.log.level or default
    if level is None:
        return
    ids = telemetry.current_trace_ids if settings.telemetry.otlp_endpoint is not None else logs.no_trace
    logs.configure(level=level.upper(), redactor=Redactor(secrets_of(settings)), trace_ids=ids)


def secrets_of(settings: Settings) -> list[Secret]:
    """Return every secret that the settings hold, those of sources included."""
    typed = (settings.alerts.webhook_secret, settings.run.lock_dsn, settings.run.database_url)
    found = [Secret(each.get_secret_value()) for each in typed if each is not None]
    return found + [secret for table in settings.sources.values() for secret in _secrets_in(table)]


def _secrets_in(table: Mapping[str, Any]) -> Iterator[Secret]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _secrets_in(value)
        elif isinstance(value, str) and (is_secret_name(key) or key in _ALSO_SECRET):
            yield Secret(value)
