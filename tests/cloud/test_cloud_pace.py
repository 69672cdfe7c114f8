"""Laws of the token bucket, on simulated time and on real threads."""

import math
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.cloud.pace import LimiterKey, Limiters, Quota, TokenBucket, default_quota, quotas
from offgridflow.domain.errors import UsageError
from offgridflow.testing import SimulatedTime


def most_in_a_window(grants: list[tuple[float, float]], quota: Quota) -> float:
    """Return by how much the busiest window exceeds capacity + refill x length; windows end and start at grants."""
    worst = -math.inf
    for first, (start, _) in enumerate(grants):
        taken = 0.0
        for end, tokens in grants[first:]:
            taken += tokens
            worst = max(worst, taken - quota.capacity - quota.refill_per_second * (end - start))
    return worst


@given(
    capacity=st.floats(1, 50),
    refill=st.floats(0.1, 200),
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.floats(0.01, 1), st.sampled_from(["try", "wait", "impatient"])), max_size=60
    ),
    start=st.floats(0, 1e6),
)
@settings(max_examples=300, deadline=None)
def test_never_more_than_capacity_and_refill_in_any_window(
    capacity: float, refill: float, steps: list[tuple[float, float, str]], start: float
) -> None:
    """In any window of w seconds a bucket grants at most capacity + refill x w, however it is asked."""
    quota, moment = Quota(capacity, refill), SimulatedTime(start)
    bucket = TokenBucket(quota, moment.clock)
    grants = []
    for pause, share, how in steps:
        moment.pass_seconds(pause)
        tokens = share * capacity
        limit = {"try": 0.0, "wait": None, "impatient": 0.5}[how]
        got = (
            bucket.try_acquire(tokens) if how == "try" else bucket.acquire(tokens, timeout_seconds=limit, cancel=moment)
        )
        assert got or how != "wait"
        if got:
            grants.append((moment.clock(), tokens))
    assert most_in_a_window(grants, quota) <= 1e-6 * refill


def test_a_full_bucket_does_not_overflow() -> None:
    """However long nobody asks, no more than the capacity can be had at once."""
    moment = SimulatedTime()
    bucket = TokenBucket(Quota(5, 10), moment.clock)
    moment.pass_seconds(1e9)
    assert [bucket.try_acquire() for _ in range(7)] == [True] * 5 + [False] * 2


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Time that is seen twice refills once."""
    readings = iter([10.0, 10.0, 5.0, 10.0, 10.0])
    bucket = TokenBucket(Quota(1, 1), lambda: next(readings))
    assert bucket.try_acquire()
    assert not bucket.try_acquire()
    assert not bucket.try_acquire()


def test_acquire_waits_exactly_for_what_is_missing() -> None:
    """The third call at 2 per second with room for 1 comes a second after the first."""
    moment = SimulatedTime()
    bucket = TokenBucket(Quota(1, 2), moment.clock)
    for _ in range(3):
        assert bucket.acquire(cancel=moment)
    assert moment.clock() == pytest.approx(1.0, abs=2e-3)


def test_timeout_takes_nothing_and_does_not_begin_a_hopeless_wait() -> None:
    """A wait that cannot end in time is refused at once, and the tokens stay."""
    moment = SimulatedTime()
    bucket = TokenBucket(Quota(10, 1), moment.clock)
    assert bucket.acquire(8)
    assert not bucket.acquire(10, timeout_seconds=7.9, cancel=moment)
    assert (moment.clock(), bucket.available) == (0.0, 2.0)
    assert bucket.acquire(10, timeout_seconds=8.0, cancel=moment)


def test_cancellation_ends_a_wait_with_nothing_taken() -> None:
    """A cancelled waiter gets False, now or in the middle of its wait."""
    moment = SimulatedTime(cancel_at=3.0)
    bucket = TokenBucket(Quota(10, 1), moment.clock)
    bucket.acquire(10)
    assert not bucket.acquire(10, cancel=moment)
    assert moment.clock() == 3.0
    assert bucket.available == pytest.approx(3.0)
    assert not bucket.acquire(1, cancel=moment)


@pytest.mark.parametrize("tokens", [0, -1, 10.1, math.inf, math.nan])
def test_what_can_never_be_granted_is_refused(tokens: float) -> None:
    """More than the capacity, or not a positive number, is a mistake, not a wait for ever."""
    bucket = TokenBucket(Quota(10, 1))
    with pytest.raises(UsageError, match="can never be had"):
        bucket.try_acquire(tokens)
    with pytest.raises(UsageError, match="can never be had"):
        bucket.acquire(tokens)


@pytest.mark.parametrize("quota", [(0, 1), (1, 0), (-1, 1), (math.inf, 1), (1, math.inf), (math.nan, 1), (1, math.nan)])
def test_a_quota_must_be_positive_and_finite(quota: tuple[float, float]) -> None:
    """A quota that stands still or has no bound is refused when it is made."""
    with pytest.raises(UsageError, match="positive, finite"):
        Quota(*quota)


def test_threads_share_one_allowance() -> None:
    """Eight threads that ask in a loop get together what one would, on a real clock."""
    quota = Quota(20, 200)
    bucket = TokenBucket(quota)
    grants: list[tuple[float, float]] = []
    lock, stop = threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            before = time.monotonic()
            if bucket.acquire(timeout_seconds=0.2, cancel=stop):
                with lock:
                    grants.append((before, 1.0))

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(grants) < quota.capacity:
        time.sleep(0.01)
    time.sleep(0.25)
    stop.set()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - began
    assert len(grants) <= quota.capacity + quota.refill_per_second * elapsed


@pytest.mark.parametrize(
    ("key", "quota"),
    [
        (("aws", "1", "sustainability"), Quota(100, 5)),
        (("azure", "t", "cost-management"), Quota(3, 3)),
        (("gcp", "p", "bigquery"), Quota(20, 20)),
        (("aws", "1", "s3"), Quota(100, 100)),
        (("azure", "t", "blob"), Quota(100, 100)),
        (("gcp", "p", "gcs"), Quota(100, 100)),
        (("oracle", "x", "usage"), Quota(3, 3)),
    ],
)
def test_default_quotas(key: tuple[str, str, str], quota: Quota) -> None:
    """Report and cost APIs: AWS 5/s (100), Azure 3/s, GCP 20/s; object stores 100/s; strangers with care."""
    assert default_quota(LimiterKey(*key)) == quota


def test_settings_override_quotas_the_narrower_one_first() -> None:
    """An endpoint's quota wins over its provider's, and both over the default."""
    quota_of = quotas({"azure": Quota(1, 1), "azure/blob": Quota(7, 7)})
    assert quota_of(LimiterKey("azure", "t", "blob")) == Quota(7, 7)
    assert quota_of(LimiterKey("azure", "t", "carbon")) == Quota(1, 1)
    assert quota_of(LimiterKey("gcp", "p", "bigquery")) == Quota(20, 20)
    assert quotas()(LimiterKey("aws", "a", "ce")) == Quota(100, 5)


def test_one_bucket_per_provider_scope_and_endpoint() -> None:
    """Tenants do not spend each other's allowance, threads of one tenant share one."""
    limiters = Limiters()
    one = limiters.of(LimiterKey("azure", "t1", "carbon"))
    assert limiters.of(LimiterKey("azure", "t1", "carbon")) is one
    others = [("azure", "t2", "carbon"), ("azure", "t1", "blob"), ("aws", "t1", "carbon")]
    assert all(limiters.of(LimiterKey(*key)) is not one for key in others)
