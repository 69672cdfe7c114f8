"""Laws of the one retry layer and of the six classes, on simulated time."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.cloud.codes import CODES, EXCEPTION_CLASS, THROTTLING_CODES, ErrorClass
from offgridflow.cloud.errors import (
    AuthError,
    BadRequestError,
    ClassifiedError,
    Failure,
    FatalError,
    NextRunError,
    NotFoundError,
    TransientError,
    UnknownError,
    class_of,
    class_of_status,
    error_of,
    is_throttling,
)
from offgridflow.cloud.events import Event, Retried
from offgridflow.cloud.headers import retry_after_seconds
from offgridflow.cloud.retry import Retrier, RetryPolicy, RetryQuota, World, backoff_seconds
from offgridflow.testing import SimulatedTime

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TRANSIENT = {408, 425, 429, 502, 503, 504}


def now() -> datetime:
    return NOW


def expected_class(status: int) -> ErrorClass:
    """Return what the specification says of a status, written independently of the table."""
    if status in TRANSIENT:
        return ErrorClass.TRANSIENT
    if status in {401, 403, 407}:
        return ErrorClass.AUTH
    if status in {404, 410}:
        return ErrorClass.NOT_FOUND
    return {4: ErrorClass.BAD_REQUEST, 5: ErrorClass.FATAL}.get(status // 100, ErrorClass.UNKNOWN)


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp", "oracle"])
def test_every_status_has_a_decision(provider: str) -> None:
    """All of 100-599 fall into the class that the specification names; a bare 500 is fatal for everyone."""
    for status in range(100, 600):
        assert class_of(Failure(provider, "op", status=status)) is expected_class(status), status
        code_unknown = Failure(provider, "op", status=status, code="NeverHeardOf", exception="SomeError")
        assert class_of(code_unknown) is expected_class(status), status
        assert class_of_status(status) is expected_class(status), status


def test_a_code_decides_before_the_status() -> None:
    """A documented code has its class whatever status carries it, and only with its own provider."""
    for provider, table in CODES.items():
        for code, kind in table.items():
            assert {class_of(Failure(provider, "op", status=s, code=code)) for s in range(200, 600)} == {kind}
    assert class_of(Failure("gcp", "op", status=500, code="InternalError")) is ErrorClass.FATAL


def test_throttling_codes_are_transient() -> None:
    """Whatever says "slower" is retried, and is known as throttling without its status."""
    for provider, codes in THROTTLING_CODES.items():
        for code in codes:
            assert CODES[provider][code] is ErrorClass.TRANSIENT
            assert is_throttling(provider, 503, code)
    assert is_throttling("oracle", 429, None)
    assert not is_throttling("aws", 503, "ServiceUnavailable")


def test_exception_types_decide_where_there_is_no_error_status() -> None:
    """Without an answer, or with one that is no error, the type decides; credentials win over a 4xx."""
    for name, kind in EXCEPTION_CLASS.items():
        assert class_of(Failure("aws", "op", exception=name)) is kind
        assert class_of(Failure("aws", "op", status=200, exception=name)) is kind
    assert class_of(Failure("azure", "op", status=400, exception="ClientAuthenticationError")) is ErrorClass.AUTH
    assert class_of(Failure("azure", "op", status=503, exception="ClientAuthenticationError")) is ErrorClass.TRANSIENT
    assert class_of(Failure("azure", "op", exception="SomethingElse")) is ErrorClass.UNKNOWN
    assert class_of(Failure("azure", "op")) is ErrorClass.UNKNOWN


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure("aws", "List", 503), TransientError),
        (Failure("aws", "List", 403), AuthError),
        (Failure("aws", "List", 400), BadRequestError),
        (Failure("aws", "List", 404), NotFoundError),
        (Failure("aws", "List", 500), FatalError),
        (Failure("aws", "List", 200), UnknownError),
        (Failure("gcp", "query", 403, "quotaExceeded"), NextRunError),
    ],
)
def test_errors_say_who_what_code_request_and_action(failure: Failure, kind: type[ClassifiedError]) -> None:
    """An error names provider, operation, status and what to do, and its code starts with its class."""
    error = error_of(failure)
    assert type(error) is kind
    assert str(error).startswith(f"{failure.provider} {failure.operation} failed: HTTP {failure.status}, ")
    assert error.code == f"PROVIDER_{error.error_class.upper()}"
    assert error.action
    told = error_of(Failure("aws", "List", code="SlowDown", request_id="r-1"), action="Wait.")
    assert str(told) == "aws List failed: no HTTP answer, SlowDown, request r-1. [PROVIDER_TRANSIENT] Wait."


def retrier(
    moment: SimulatedTime,
    quota: RetryQuota | None = None,
    policy: RetryPolicy | None = None,
    heard: list[Event] | None = None,
) -> Retrier:
    events = heard if heard is not None else []
    return Retrier(policy or RetryPolicy(), quota or RetryQuota(), moment.world(), events.append)


def failing(error: Exception, times: int) -> tuple[Callable[[], str], list[int]]:
    """Return a call that fails ``times`` times and then says "done", and the list that its calls are counted in."""
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return call, calls


def transient(wish: float | None = None, *, throttled: bool = False) -> TransientError:
    return TransientError(Failure("aws", "op", 503, retry_after_seconds=wish, throttled=throttled))


def test_three_attempts_with_doubling_pauses() -> None:
    """Two failures are survived, a third is not; the pauses are 1 s and 2 s at the highest roll."""
    heard: list[Event] = []
    moment = SimulatedTime()
    call, _ = failing(transient(), 2)
    assert retrier(moment, heard=heard).call(call) == "done"
    assert moment.waits == [1.0, 2.0]
    assert heard == [Retried("aws", "op", 1, 1.0, "transient"), Retried("aws", "op", 2, 2.0, "transient")]
    error = transient()
    call, calls = failing(error, 99)
    with pytest.raises(TransientError) as caught:
        retrier(SimulatedTime()).call(call)
    assert caught.value is error
    assert len(calls) == 3


@given(retry=st.integers(1, 60), roll=st.floats(0, 1, exclude_max=True))
def test_backoff_is_full_jitter_under_the_cap(retry: int, roll: float) -> None:
    """A pause lies between nothing and min(30, 2^(n-1)) seconds, in proportion to the roll."""
    pause = backoff_seconds(RetryPolicy(), retry, roll)
    assert pause == roll * min(30.0, 2.0 ** (retry - 1))


@pytest.mark.parametrize("kind", [AuthError, BadRequestError, NotFoundError, FatalError, UnknownError, NextRunError])
def test_only_transient_errors_are_retried(kind: type[ClassifiedError]) -> None:
    """All other classes, and what is left to the next run, are raised after one call."""
    call, calls = failing(kind(Failure("aws", "op", 500)), 99)
    with pytest.raises(kind):
        retrier(SimulatedTime()).call(call)
    assert len(calls) == 1


def test_errors_that_are_not_of_a_provider_pass_through() -> None:
    """A bug is neither retried nor renamed."""
    call, calls = failing(KeyError("bug"), 99)
    with pytest.raises(KeyError):
        retrier(SimulatedTime()).call(call)
    assert len(calls) == 1


@pytest.mark.parametrize(("throttled", "most"), [(False, 35), (True, 100)])
def test_a_total_outage_costs_a_bounded_number_of_retries(*, throttled: bool, most: int) -> None:
    """Of 2,000 calls in an outage at most 35 (throttled: 100) are retries, and calls fail fast after that."""
    quota, heard = RetryQuota(), list[Event]()
    client = retrier(SimulatedTime(), quota, heard=heard)
    sent = 0
    for _ in range(2_000):
        call, calls = failing(transient(throttled=throttled), 99)
        with pytest.raises(TransientError):
            client.call(call)
        sent += len(calls)
    assert len(heard) == most == sent - 2_000
    assert 0 <= quota.tokens < 14


def test_success_gives_back_what_its_last_retry_cost() -> None:
    """A recovered client regains its quota: the last retry's cost, or 1, never above 500."""
    quota = RetryQuota()
    client = retrier(SimulatedTime(), quota)
    client.call(failing(transient(), 2)[0])
    assert quota.tokens == 500 - 14 - 14 + 14
    client.call(failing(transient(), 0)[0])
    assert quota.tokens == 487
    for _ in range(50):
        client.call(failing(transient(), 0)[0])
    assert quota.tokens == 500


@pytest.mark.parametrize(
    ("wish", "pauses"), [(None, [1.0]), (0.2, [1.0]), (60.0, [60.0]), (120.0, [120.0]), (121.0, [])]
)
def test_the_providers_wish_is_granted_up_to_the_ceiling(wish: float | None, pauses: list[float]) -> None:
    """The longer of wish and backoff is waited; a wish above the ceiling ends the call for this run."""
    moment = SimulatedTime()
    call, calls = failing(transient(wish), 1)
    if pauses:
        assert retrier(moment).call(call) == "done"
    else:
        with pytest.raises(TransientError):
            retrier(moment).call(call)
        assert len(calls) == 1
    assert moment.waits == pauses


def test_no_retry_starts_after_the_deadline() -> None:
    """A pause that would end after the deadline is not begun; one that ends on it is."""
    moment = SimulatedTime()
    call, calls = failing(transient(), 99)
    with pytest.raises(TransientError):
        retrier(moment).call(call, deadline=2.9)
    assert (moment.waits, len(calls)) == ([1.0], 2)
    call, calls = failing(transient(), 1)
    assert retrier(SimulatedTime()).call(call, deadline=1.0) == "done"


def test_cancellation_ends_the_pause_and_sends_nothing_more() -> None:
    """A call cancelled while it pauses raises CANCELLED and tries no more; a cancelled world retries nothing."""
    moment = SimulatedTime(cancel_at=0.5)
    call, calls = failing(transient(), 99)
    with pytest.raises(NextRunError) as caught:
        retrier(moment).call(call)
    assert (caught.value.code, len(calls), moment.clock()) == ("CANCELLED", 1, 0.5)
    call, calls = failing(transient(), 99)
    with pytest.raises(TransientError):
        retrier(moment).call(call)
    assert len(calls) == 1


def test_without_a_cancellation_the_pause_is_real() -> None:
    """The default world sleeps and goes on."""
    quick = RetryPolicy(base_seconds=0.001)
    client = Retrier(quick, RetryQuota(), World())
    assert client.call(failing(transient(), 2)[0]) == "done"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Tue, 24 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"x-ms-retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "100", "Retry-After": "3"}, 3.0),
        ({"x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after": "17"}, 17.0),
        (
            {
                "x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after": "9",
                "x-ms-ratelimit-microsoft.costmanagement-tenant-retry-after": "41",
                "x-ms-ratelimit-microsoft.costmanagement-qpu-remaining": "600",
                "Retry-After": "2",
            },
            41.0,
        ),
        ({"X-Ms-RateLimit-Microsoft.Consumption-Retry-After": "60"}, 60.0),
    ],
)
def test_wishes_to_wait_are_read_in_all_their_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, dates, milliseconds and Azure's QPU headers are understood; the longest counts; nonsense does not."""
    assert retry_after_seconds(headers, now) == seconds


@given(text=st.text(max_size=40))
def test_no_header_value_breaks_the_reader(text: str) -> None:
    """Any text gives None or a finite number of seconds that is not negative."""
    found = retry_after_seconds({"Retry-After": text}, now)
    assert found is None or 0 <= found < float("inf")
