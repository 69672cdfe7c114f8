"""The door as a whole: pace, retry, events and classes together, on simulated time."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import AuthError, Failure, FatalError, NextRunError, TransientError
from offgridflow.cloud.events import Called, Ended, Event, PageFetched, Retried, SpanKind, Started, listeners, span
from offgridflow.cloud.pace import LimiterKey, Limiters, Quota, quotas
from offgridflow.cloud.pages import Page, Slice, Walk, by_cursor, by_offset, same_origin
from offgridflow.domain.errors import UsageError
from offgridflow.testing import SimulatedTime

KEY = LimiterKey("aws", "123456789012", "s3")


def door_at(moment: SimulatedTime, heard: list[Event], quota: Quota | None = None) -> Door:
    overrides = {} if quota is None else {"aws": quota}
    return Door(Rules(limiters=Limiters(quotas(overrides), moment.clock), world=moment.world()), heard.append)


def down(sent: list[float], moment: SimulatedTime) -> Callable[[], None]:
    def call() -> None:
        sent.append(moment.clock())
        raise TransientError(Failure("aws", "Get", 503))

    return call


def test_a_call_returns_its_value_and_tells_what_happened() -> None:
    """One good call: a span around one attempt, with latency, wait and what limiter and quota still hold."""
    moment, heard = SimulatedTime(), list[Event]()
    door = door_at(moment, heard)

    def get() -> str:
        moment.pass_seconds(0.25)
        return "value"

    assert door.call(*KEY, "Get", get) == "value"
    started, called, ended = heard
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert (started.kind, started.name, dict(started.attributes)) == (
        SpanKind.CALL,
        "Get",
        {"provider": "aws", "scope": "123456789012", "endpoint": "s3"},
    )
    assert called == Called("aws", "Get", "ok", 0.25, 0.0, limiter_left=100.0, retry_left=500)
    assert (ended.span, ended.outcome) == (started.span, "ok")


def test_retries_wait_for_the_limiter_as_well() -> None:
    """Attempts of one call spend the endpoint's pace like any others: no more than capacity + refill x w."""
    moment, heard, sent = SimulatedTime(), list[Event](), list[float]()
    door = door_at(moment, heard, Quota(1, 0.1))
    with pytest.raises(TransientError):
        door.call(*KEY, "Get", down(sent, moment))
    assert sent == [pytest.approx(0, abs=0.1), pytest.approx(10, abs=0.1), pytest.approx(20, abs=0.1)]
    assert [type(event) for event in heard] == [Started, Called, Retried, Called, Retried, Called, Ended]
    assert isinstance(heard[-1], Ended)
    assert heard[-1].outcome == "transient"
    assert [event.limiter_wait_seconds for event in heard if isinstance(event, Called)] == [
        0.0,
        pytest.approx(9, abs=0.1),
        pytest.approx(8, abs=0.1),
    ]


def test_an_outage_is_bounded_per_client_and_does_not_touch_the_next_one() -> None:
    """1,000 calls in an outage make 35 retries; another account keeps its own quota."""
    moment, heard, sent = SimulatedTime(), list[Event](), list[float]()
    door = door_at(moment, heard)
    for _ in range(1_000):
        with pytest.raises(TransientError):
            door.call(*KEY, "Get", down(sent, moment))
    assert len(sent) == 1_035
    assert sum(isinstance(event, Retried) for event in heard) == 35
    assert door.retry_quota(KEY._replace(scope="other")).tokens == 500


def test_a_deadline_that_is_over_sends_nothing() -> None:
    """After the deadline, or when the limiter cannot let the call pass before it, nothing is sent."""
    moment, heard, sent = SimulatedTime(start=100), list[Event](), list[float]()
    door = door_at(moment, heard, Quota(1, 0.1))
    with pytest.raises(NextRunError) as caught:
        door.call(*KEY, "Get", down(sent, moment), deadline=99.0)
    assert (caught.value.code, sent) == ("DEADLINE", [])
    door.call(*KEY, "Get", lambda: None, deadline=100.0)
    with pytest.raises(NextRunError, match="DEADLINE"):
        door.call(*KEY, "Get", down(sent, moment), deadline=105.0)
    assert (sent, moment.clock()) == ([], 100.0)


def test_a_cancelled_door_sends_nothing() -> None:
    """Cancellation ends the wait for the limiter and says so."""
    moment, heard, sent = SimulatedTime(cancel_at=2.0), list[Event](), list[float]()
    door = door_at(moment, heard, Quota(1, 0.1))
    door.call(*KEY, "Get", lambda: None)
    with pytest.raises(NextRunError) as caught:
        door.call(*KEY, "Get", down(sent, moment), deadline=1e9)
    assert (caught.value.code, sent, moment.clock()) == ("CANCELLED", [], 2.0)


def test_auth_errors_end_at_once() -> None:
    """A refused credential is asked about once."""
    moment, heard = SimulatedTime(), list[Event]()
    with pytest.raises(AuthError):
        door_at(moment, heard).call(*KEY, "Get", lambda: (_ for _ in ()).throw(AuthError(Failure("aws", "Get", 403))))
    assert [event.outcome for event in heard if isinstance(event, Called)] == ["auth"]


def test_all_listeners_hear_all_and_spans_nest() -> None:
    """Events reach every listener in order; a span ends with the name of what went wrong inside."""
    one, two = list[Event](), list[Event]()
    both = listeners(one.append, two.append)
    with pytest.raises(KeyError), span(both, SpanKind.RUN, "run-1"), span(both, SpanKind.DELIVERY, "aws/2026-01"):
        raise KeyError
    assert one == two
    assert [(type(event).__name__, getattr(event, "outcome", "")) for event in one] == [
        ("Started", ""),
        ("Started", ""),
        ("Ended", "KeyError"),
        ("Ended", "KeyError"),
    ]


def walk_over(heard: list[Event], max_pages: int = 100) -> Walk:
    return Walk("aws", "List", max_pages=max_pages, listener=heard.append)


def pages_of(table: dict[str | None, tuple[list[int], str | None]]) -> Callable[[str | None], Page[int, str]]:
    return lambda token: Page(*table[token])


def test_empty_pages_in_the_middle_go_on_and_progress_is_told() -> None:
    """Only a missing token ends a walk; page numbers and totals are told as they come."""
    heard = list[Event]()
    table: dict[str | None, tuple[list[int], str | None]] = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], None)}
    found = [item for page in by_cursor(walk_over(heard), pages_of(table)) for item in page.items]
    assert found == [1, 2, 3]
    progress = [(e.page, e.items, e.total_fetched) for e in heard if isinstance(e, PageFetched)]
    assert progress == [(1, 2, 2), (2, 0, 2), (3, 1, 3)]
    spans = [e for e in heard if isinstance(e, Started)]
    assert [(e.kind, e.attributes["page"]) for e in spans] == [("page", 1), ("page", 2), ("page", 3)]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_cycle_of_tokens_of_any_length_is_found(length: int) -> None:
    """A token that was seen before ends the walk with PAGE_LOOP, after each page was fetched once."""
    fetched: list[str | None] = []

    def fetch(token: str | None) -> Page[int, str]:
        fetched.append(token)
        return Page([1], str((int(token or 0) + 1) % length if token is not None else 0))

    with pytest.raises(FatalError) as caught:
        list(by_cursor(walk_over([]), fetch))
    assert caught.value.failure.code == "PAGE_LOOP"
    assert len(fetched) == len(set(fetched)) == length + 1


def test_a_walk_starts_where_it_is_told_and_sees_a_loop_to_there() -> None:
    """An incremental start is fetched first, and coming back to it is a loop."""
    table: dict[str | None, tuple[list[int], str | None]] = {"m": ([5], "n"), "n": ([6], "m")}
    walk = by_cursor(walk_over([]), pages_of(table), start="m")
    assert next(walk).items == [5]
    assert next(walk).items == [6]
    with pytest.raises(FatalError, match="PAGE_LOOP"):
        next(walk)


def test_more_pages_than_allowed_are_an_error_not_an_end() -> None:
    """What was fetched up to the limit is not the whole, so the walk does not end quietly."""
    with pytest.raises(UsageError) as caught:
        list(by_cursor(walk_over([], max_pages=3), lambda token: Page([0], (token or 0) + 1)))
    assert caught.value.code == "PAGE_LIMIT"


@pytest.mark.parametrize(("total", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (9, 3)])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("start", [0, 2])
def test_offsets_fetch_everything_once(total: int, size: int, *, told: bool, start: int) -> None:
    """Whatever the total and wherever the start, all items come once, with and without a told total."""

    def fetch(offset: int, limit: int) -> Slice[int]:
        return Slice(list(range(total))[offset : offset + limit], total if told else None)

    found = [item for page in by_offset(walk_over([]), fetch, size, start) for item in page.items]
    assert found == list(range(start, total))


def test_short_pages_in_the_middle_go_on_where_the_total_is_told() -> None:
    """A provider that gives less than asked for does not cut the list short, nor skip what it held back."""

    def fetch(offset: int, limit: int) -> Slice[int]:
        return Slice(list(range(10))[offset : offset + min(limit, 2 if offset % 3 else 1)], 10)

    found = [item for page in by_offset(walk_over([]), fetch, 5) for item in page.items]
    assert found == list(range(10))


@pytest.mark.parametrize(
    ("answer", "code"), [(Slice([1, 2, 3, 4]), "PAGE_TOO_LONG"), (Slice(list[int](), 9), "PAGE_TOO_SHORT")]
)
def test_offsets_refuse_broken_promises(answer: Slice[int], code: str) -> None:
    """More items than asked for, or none before the told total, end the walk with an error."""
    with pytest.raises(FatalError, match=code):
        list(by_offset(walk_over([]), lambda _offset, _limit: answer, 3))


ORIGIN = "https://management.azure.com/subscriptions?x=1"


@pytest.mark.parametrize(
    ("link", "absolute"),
    [
        ("https://management.azure.com/next?$skiptoken=a%2Fb", "https://management.azure.com/next?$skiptoken=a%2Fb"),
        ("https://MANAGEMENT.azure.com:443/next", "https://MANAGEMENT.azure.com:443/next"),
        ("/next?t=1", "https://management.azure.com/next?t=1"),
        ("?t=2", "https://management.azure.com/subscriptions?t=2"),
    ],
)
def test_links_on_the_origin_are_followed(link: str, absolute: str) -> None:
    """The same scheme, host and port, written in any way, is the same origin."""
    assert same_origin(walk_over([]), ORIGIN, link) == absolute
    assert urlsplit(absolute).hostname == "management.azure.com"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/next",
        "http://management.azure.com/next",
        "https://management.azure.com:8443/next",
        "https://management.azure.com.evil.example/",
        "https://management.azure.com@evil.example/",
        "https://user:pw@management.azure.com/next",
        "//evil.example/next",
        "https://evil.example\\@management.azure.com/",
        "https://management.azure.com\t.evil.example/",
        "https://management.azure.com:99999/",
        "https://[::1/",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://management.azure.com/a b",
        "\x7f",
    ],
)
def test_foreign_links_are_refused(link: str) -> None:
    """Whatever leaves the origin, carries credentials, or is read differently by parsers is not followed."""
    with pytest.raises(FatalError, match="FOREIGN_LINK"):
        same_origin(walk_over([]), ORIGIN, link)
