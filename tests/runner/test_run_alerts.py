"""Laws of alerts: what is told, once, to whom, and who is never reached."""

import hashlib
import hmac
import json
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from offgridflow.cloud.events import Alerted, Ended, Event, Lagged, PeriodDone
from offgridflow.domain.errors import UsageError
from offgridflow.pipeline.alerts import Alert, AlertKind, Figures, compare, failed, stale, with_months_before
from offgridflow.pipeline.alerts_webhook import SIGNATURE_HEADER, Webhook, networks_of, signature
from offgridflow.pipeline.freshness import Freshness
from offgridflow.pipeline.model import Failure, IngestOptions, PeriodResult
from offgridflow.pipeline.runs import STATE_FOLDER, RunStore
from offgridflow.pipeline.worker import Errand, keep, run_once, send_unsent, webhook_of
from offgridflow.settings import AlertSettings, Settings
from support.logged import logged
from support.twins import Twin, connect_twins

LATER = datetime(2025, 9, 1, tzinfo=UTC)
LIMITS = AlertSettings()
JULY = ("a", "2025-07")
OLD = Figures("c1", LATER, Decimal(100), 0.9, 2)


def kinds(new: Figures, old: Figures | None = OLD) -> list[AlertKind]:
    """Return what is told of July."""
    return [alert.kind for alert in compare({} if old is None else {JULY: old}, {JULY: new}, LIMITS)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"coverage": 0.86, "total_kgco2e": Decimal(149), "quarantined_lines": 2}, []),
        ({"coverage": 0.84}, [AlertKind.COVERAGE_FELL]),
        ({"total_kgco2e": Decimal(151)}, [AlertKind.TOTAL_JUMPED]),
        ({"total_kgco2e": Decimal(49)}, [AlertKind.TOTAL_JUMPED]),
        ({"quarantined_lines": 3}, [AlertKind.QUARANTINE_GREW]),
        ({"coverage": None}, []),
    ],
)
def test_what_is_beyond_a_limit_is_told(changes: dict[str, object], expected: list[AlertKind]) -> None:
    """Coverage, total and quarantine each have a limit; at it nothing is told, beyond it one alert."""
    assert kinds(replace(OLD, commit_id="c2", **changes)) == expected  # type: ignore[arg-type]


def test_an_open_month_grows_without_an_alert() -> None:
    """The total of a month that was not over when it was read is not compared."""
    opened = replace(OLD, committed_at=datetime(2025, 7, 2, tzinfo=UTC))
    assert kinds(replace(OLD, commit_id="c2", total_kgco2e=Decimal(900)), opened) == []


def test_a_new_month_is_held_against_the_month_before() -> None:
    """The first commit of a closed month is compared with the month before it, across the turn of a year too."""
    assert with_months_before([("a", "2026-01")]) == {("a", "2026-01"), ("a", "2025-12")}
    after = {("a", "2025-06"): OLD, JULY: replace(OLD, commit_id="c2", total_kgco2e=Decimal(500))}
    told = list(compare({("a", "2025-06"): OLD}, after, LIMITS))
    assert [(alert.kind, alert.billing_period) for alert in told] == [
        (AlertKind.QUARANTINE_GREW, "2025-07"),
        (AlertKind.TOTAL_JUMPED, "2025-07"),
    ]


def test_an_unchanged_commit_is_never_told() -> None:
    """What was not committed anew cannot alert."""
    assert kinds(OLD) == []


def test_a_silent_source_is_told_once_per_silence() -> None:
    """Past the limit a source is stale; the alert's id is that of the silence, not of the hour."""

    def silence(hours: float) -> list[Alert]:
        return list(stale([Freshness("a", None, LATER, "2025-07", hours)], LIMITS))

    assert silence(72) == []
    assert silence(73)[0].alert_id == silence(99)[0].alert_id
    assert list(stale([Freshness("new", None, None, None, None)], LIMITS)) == []


class Trap:
    """A server on the loopback that remembers what reached it."""

    def __init__(self) -> None:
        trap = self
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.status = 200

        class Handler(BaseHTTPRequestHandler):
            """Takes posts."""

            def do_POST(self) -> None:
                """Remember, then answer."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                trap.seen.append((dict(self.headers), body))
                self.send_response(trap.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def trap() -> Iterator[Trap]:
    """A trap."""
    found = Trap()
    yield found
    found.close()


def test_an_alert_arrives_signed(trap: Trap) -> None:
    """The receiver can tell with the secret that body and time are ours."""
    hook = Webhook(
        f"http://hook.test:{trap.port}/x?y=1", b"canary", networks_of(["127.0.0.0/8"]), lambda *_: ["127.0.0.1"]
    )
    assert hook.send("id", '{"a": 1}', LATER) is None
    headers, body = trap.seen[0]
    told = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers[SIGNATURE_HEADER])
    assert told is not None
    assert hmac.new(b"canary", told[1].encode() + b"." + body, hashlib.sha256).hexdigest() == told[2]
    assert "canary" not in str(trap.seen)
    assert signature(b"other", body, LATER) != headers[SIGNATURE_HEADER]


def test_a_redirect_is_not_followed(trap: Trap) -> None:
    """An answer that sends us elsewhere counts as not taken, and elsewhere is never asked."""
    trap.status = 307
    hook = Webhook(f"http://127.0.0.1:{trap.port}/x", b"s", networks_of(["127.0.0.0/8"]))
    assert hook.send("id", "{}", LATER) == "status 307"
    assert len(trap.seen) == 1


PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("beside", [[], ["93.184.216.34"]])
def test_no_private_address_is_ever_connected_to(
    address: str, beside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name one of whose addresses is private, link-local, metadata or a disguise of one is refused unconnected."""
    reached: list[object] = []
    monkeypatch.setattr("socket.create_connection", lambda *given: reached.append(given))
    with pytest.raises(UsageError, match="not public"):
        Webhook("https://hook.test/x", b"s", (), lambda *_: [*beside, address]).send("id", "{}", LATER)
    assert reached == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]"])
def test_disguised_loopbacks_are_refused(host: str, trap: Trap) -> None:
    """However the system reads a host's spelling, what it comes to is checked."""
    hook = Webhook(f"https://{host}:{trap.port}/x", b"s")
    try:
        refusal = hook.send("id", "{}", LATER)
    except UsageError as error:
        refusal = error.sentence
    assert refusal
    assert trap.seen == []


def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to something else a moment later reaches nothing: it is asked once."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    reached: list[str] = []

    def connect(address: tuple[str, int], _timeout: float) -> None:
        reached.append(address[0])
        raise OSError

    monkeypatch.setattr("socket.create_connection", connect)
    assert Webhook("https://hook.test/x", b"s", (), lambda *_: next(answers)).send("id", "{}", LATER) == "OSError"
    assert reached == ["93.184.216.34"]


@pytest.mark.parametrize("url", ["http://hook.test/", "ftp://hook.test/", "https://", "https://u:p@hook.test/", "x"])
def test_a_webhook_must_be_https_without_a_user(url: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(UsageError):
        Webhook(url, b"s", (), lambda *_: ["93.184.216.34"]).send("id", "{}", LATER)


def test_a_webhook_needs_a_secret_and_real_networks() -> None:
    """An unsigned webhook and a network that is none are refused."""
    with pytest.raises(UsageError, match="webhook_secret"):
        webhook_of(Settings(alerts=AlertSettings(webhook_url="https://x")))
    with pytest.raises(UsageError, match="webhook_networks"):
        networks_of(["10.0.0.0/99"])
    assert webhook_of(Settings()) is None


class Receiver:
    """Takes alerts or not."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.tries = 0
        self.is_up = False

    def send(self, alert_id: str, body: str, at: datetime) -> str | None:
        """See Send."""
        del body, at
        self.tries += 1
        if self.is_up:
            self.taken.append(alert_id)
        return None if self.is_up else "status 503"


def test_an_alert_waits_until_it_is_taken_and_comes_once(tmp_path: Path) -> None:
    """Alerts outlive a receiver that is down, are sent in order once it is up, and are given up in the end."""
    store, receiver = RunStore(tmp_path), Receiver()
    heard: list[Event] = []
    alert = Alert(AlertKind.SOURCE_STALE, "a", None, "a: nothing new.", "one")
    assert [keep(store, "run", [alert], LATER, heard.append) for _ in range(2)] == [[alert], []]
    assert heard == [Alerted("source_stale")]
    assert send_unsent(store, receiver, lambda: LATER) == 0
    receiver.is_up = True
    assert [send_unsent(store, receiver, lambda: LATER) for _ in range(2)] == [1, 0]
    assert receiver.taken == ["one"]
    keep(store, "run", [replace(alert, alert_id="two")], LATER, heard.append)
    receiver.is_up, receiver.tries = False, 0
    for _ in range(20):
        send_unsent(store, receiver, lambda: LATER)
    assert receiver.tries == 8


def test_each_try_in_vain_is_logged_and_the_last_one_as_an_error(tmp_path: Path, trap: Trap) -> None:
    """A webhook that refuses, or does not listen, is seen in the log: status or error, never its address or secret."""
    store = RunStore(tmp_path)
    keep(store, "run", [Alert(AlertKind.SOURCE_STALE, "a", None, "a: nothing new.", "one")], LATER, lambda _: None)
    hook = Webhook(f"http://127.0.0.1:{trap.port}/token-canary", b"secret-canary", networks_of(["127.0.0.0/8"]))
    nobody = replace(hook, url="http://127.0.0.1:1/token-canary")
    trap.status = 503
    with logged() as lines:
        for to in (*[hook] * 6, nobody, hook, hook):
            assert send_unsent(store, to, lambda: LATER) == 0
    assert [line["tries"] for line in lines] == list(range(1, 9))
    assert [line["level"] for line in lines] == ["warning"] * 7 + ["error"]
    assert lines[0]["reason"] == lines[-1]["reason"] == "status 503"
    assert lines[6]["reason"] == "ConnectionRefusedError: Connection refused"
    assert "canary" not in json.dumps(lines)


def test_a_source_that_never_delivered_is_told_and_grows_old(tmp_path: Path) -> None:
    """An expired token is told by the first run, once for a row of failures, and the silence after its limit."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    twin.token_is_valid = False
    settings = Settings(sources={"a": {"type": "aws_twin"}}, cache_folder=tmp_path / "cache")
    clock, heard = [datetime(2025, 9, 1, tzinfo=UTC)], list[Event]()
    errand = Errand(
        str(tmp_path / "L"), settings, IngestOptions(), make=connect_twins({"a": twin}), now=lambda: clock[0],
        listener=heard.append,
    )  # fmt: skip

    def told(hours: float) -> list[str]:
        clock[0] += timedelta(hours=hours)
        heard.clear()
        run_once(errand)
        return [event.kind for event in heard if isinstance(event, Alerted)]

    assert told(0) == ["source_failed"]
    assert told(1) == [], "held: the same row of failures"
    assert told(25) == [], "tried again in vain: still the same"
    assert told(48) == ["source_stale"]
    assert [event.lag_seconds for event in heard if isinstance(event, Lagged)] == [74 * 3600]
    twin.token_is_valid = True
    assert told(25) == []
    twin.token_is_valid = False
    assert told(1) == ["source_failed"], "a new row of failures"


def test_what_fails_in_passing_is_told_when_it_lasts() -> None:
    """A transient failure is told only when it has failed for longer than a source may be silent."""
    failure = Failure("PROVIDER_TRANSIENT", "It was throttled.", "", "transient")
    results = [PeriodResult("a", None, None, None, None, "failed", error=failure)]

    def told(hours: float) -> list[str]:
        found = failed(results, {("a", None): LATER}, LATER + timedelta(hours=hours), LIMITS)
        return [alert.sentence for alert in found]

    assert told(72) == []
    assert told(73) == ["a: It was throttled."]


def test_one_cause_is_one_alert_however_many_periods_it_fails() -> None:
    """A full disk fails each period for the same reason: one alert says how many, and one more period is no news."""
    full, gone = (Failure(code, f"{code} it is.", "Mend it.", "fatal") for code in ("LOCAL_DISK", "NOT_FOUND"))
    months = [f"2025-{month:02d}" for month in range(1, 8)]
    results = [PeriodResult("a", month, None, None, None, "failed", error=full) for month in months]
    results += [PeriodResult("a", "2025-09", None, None, None, "failed", error=gone)]
    since: dict[tuple[str, str | None], datetime] = {("a", month): LATER for month in months}
    found = list(failed(results[1:], since, LATER, LIMITS))
    assert [(each.billing_period, each.sentence) for each in found] == [
        (None, "a, 6 periods from 2025-02 to 2025-07: LOCAL_DISK it is. Mend it."),
        ("2025-09", "a 2025-09: NOT_FOUND it is. Mend it."),
    ]
    assert [each.alert_id for each in failed(results, since, LATER, LIMITS)] == [each.alert_id for each in found]


def test_spans_end_with_the_status_of_their_result(tmp_path: Path) -> None:
    """What a trace and the log say of a run and its deliveries is what the run reports: ok, partial or failed."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    settings = Settings(sources={"a": {"type": "aws_twin"}}, cache_folder=tmp_path / "cache")
    heard: list[Event] = []
    errand = Errand(
        str(tmp_path / "L"), settings, IngestOptions(), make=connect_twins({"a": twin}), listener=heard.append
    )

    def outcomes() -> list[tuple[str, str]]:
        run_once(errand)
        ended = [event for event in heard if isinstance(event, Ended) and event.kind in {"run", "delivery"}]
        heard.clear()
        return [(event.kind.value, event.outcome) for event in ended]

    assert outcomes() == [("delivery", "ok"), ("run", "ok")]
    twin.publish("2025-02", [["0.3"]], cut=True)
    assert outcomes() == [("delivery", "failed"), ("run", "partial")]
    del twin.months["2025-01"]
    assert outcomes() == [("run", "failed")]


def test_a_run_tells_what_changed(tmp_path: Path, trap: Trap) -> None:
    """From a restated bill to the webhook: the jump of a closed month's total arrives, once, with its period."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    alerts = {
        "webhook_url": f"http://127.0.0.1:{trap.port}/",
        "webhook_secret": "s",
        "webhook_networks": ("127.0.0.0/8",),
    }
    settings = Settings(
        sources={"a": {"type": "aws_twin"}},
        alerts=AlertSettings.model_validate(alerts),
        cache_folder=tmp_path / "cache",
    )
    heard: list[Event] = []
    clock = [datetime.now(UTC)]
    errand = Errand(
        str(tmp_path / "L"), settings, IngestOptions(), make=connect_twins({"a": twin}), now=lambda: clock[0],
        listener=heard.append,
    )  # fmt: skip
    run_once(errand)
    assert trap.seen == []
    twin.publish("2025-01", [["0.1", "0.2", "0.3"]])
    run_once(errand)
    run_once(errand)
    bodies = [json.loads(body) for _, body in trap.seen]
    assert [(body["kind"], body["source"], body["billing_period"]) for body in bodies] == [
        ("total_jumped", "a", "2025-01")
    ]
    assert [event.outcome for event in heard if isinstance(event, PeriodDone)] == [
        "committed",
        "committed",
        "unchanged",
    ]
    clock[0] += timedelta(hours=100)
    run_once(errand)
    assert json.loads(trap.seen[-1][1])["kind"] == "source_stale"
    assert [event.source for event in heard if isinstance(event, Lagged)] == ["a"] * 4
    assert RunStore(tmp_path / "L" / STATE_FOLDER).unsent(99) == []
