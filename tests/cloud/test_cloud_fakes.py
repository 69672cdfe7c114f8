"""The fake clouds do what their documentation says."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from offgridflow import testing
from offgridflow.testing import (
    Answer,
    Corrupt,
    Delay,
    Dialect,
    Drip,
    FakeCloud,
    Fault,
    Reply,
    Restate,
    Seen,
    SimulatedTime,
    paged_json,
    throttled,
)

DOCS = Path(__file__).parents[2] / "docs" / "cloud.md"


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=named, method=method)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def test_objects_have_ranges_etags_and_heads() -> None:
    """GET, HEAD, Range, x-ms-range and If-Match answer as object stores do."""
    with FakeCloud(Dialect.AZURE_BLOB) as cloud:
        etag = cloud.put("/c/a b", b"0123456789")
        url = f"{cloud.url}/c/a%20b"
        assert get(url)[:2] == (200, b"0123456789")
        status, body, headers = get(url, "HEAD")
        assert (status, body, headers["ETag"], headers["Content-Length"]) == (200, b"", etag, "10")
        status, body, headers = get(url, Range="bytes=3-5", If_Match=etag)
        assert (status, body, headers["Content-Range"]) == (206, b"345", "bytes 3-5/10")
        assert get(url, x_ms_range="bytes=8-99")[:2] == (206, b"89")
        assert get(url, Range="bytes=10-")[0] == 416
        assert get(url, If_Match='"other"')[0] == 412
        assert get(f"{cloud.url}/c/none")[0] == 404
        assert get(url, "DELETE")[0] == 404
        cloud.remove("/c/a b")
        assert get(url)[0] == 404
        assert cloud.count() == len(cloud.requests) == 9


def test_rules_apply_in_order_after_their_skip_and_only_so_often() -> None:
    """skip, times and path pick the requests that go wrong; the others are served."""
    with FakeCloud() as cloud:
        cloud.put("/a", b"a")
        cloud.put("/b", b"b")
        cloud.inject(Answer(503), path="/a", skip=1, times=2)
        cloud.inject(Answer(429), path="/b", times=None)
        assert [get(cloud.url + "/a")[0] for _ in range(4)] == [200, 503, 503, 200]
        assert [get(cloud.url + "/b")[0] for _ in range(3)] == [429, 429, 429]


def test_slow_corrupt_and_restated_bodies() -> None:
    """Drip and Delay give the right bytes, Corrupt one wrong one, Restate the new ones from then on."""
    with FakeCloud() as cloud:
        cloud.put("/a", b"abcdef")
        for fault in (Drip(2, 0.001), Delay(0.001), Corrupt(at_byte=8), Restate(b"new")):
            cloud.inject(fault)
        bodies = [get(cloud.url + "/a")[1] for _ in range(5)]
        assert bodies == [b"abcdef", b"abcdef", b"ab\x9cdef", b"new", b"new"]


def test_a_cloud_that_closes_does_not_wait_for_its_faults() -> None:
    """Leaving the block ends drips and delays at once."""
    began = time.monotonic()
    with FakeCloud() as cloud:
        cloud.put("/a", b"abcdef")
        cloud.inject(Drip(1, 3_600))
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(cloud.url + "/a", timeout=0.05).read()  # noqa: S310 - our own server
    assert time.monotonic() - began < 1_800


@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_dialect_says_slower_in_its_own_way(dialect: Dialect) -> None:
    """Throttling has the provider's status and, where it has one, its code, and the header that was asked for."""
    with FakeCloud(dialect) as cloud:
        cloud.inject(throttled(dialect, "9", "x-wait"))
        cloud.inject(throttled(dialect))
        status, body, headers = get(cloud.url)
        assert status in {403, 429, 503}
        assert headers["x-wait"] == "9"
        code = {"s3": "SlowDown", "azure_blob": "ServerBusy", "azure": "TooManyRequests", "google": "rateLimitExceeded"}
        told = body.decode() + headers.get("x-amzn-errortype", "")
        assert code.get(dialect, "ThrottlingException" if dialect == "aws_json" else "") in told
        assert "x-wait" not in get(cloud.url)[2]


def test_routes_and_pages() -> None:
    """A handler sees method, path, query, headers and body; pages follow each other or as overridden."""

    def echo(seen: Seen) -> Reply:
        return Reply.of_json([seen.method, seen.path, dict(seen.query), seen.headers["x-a"]], 201)

    with FakeCloud() as cloud:
        cloud.route("GET", "/echo", echo)
        cloud.route("GET", "/list", paged_json([[1], [], [2]]))
        cloud.route("GET", "/loop", paged_json([[1], [2]], {"1": "0"}))
        cloud.route("GET", "/none", lambda _seen: Reply(204))
        status, body, _ = get(cloud.url + "/echo?q=1&e=", x_a="b")
        assert (status, json.loads(body)) == (201, ["GET", "/echo", {"q": "1", "e": ""}, "b"])
        listed = [json.loads(get(f"{cloud.url}/list?page={n}")[1]) for n in range(3)]
        assert listed == [{"items": [1], "next": "1"}, {"items": [], "next": "2"}, {"items": [2], "next": None}]
        assert json.loads(get(cloud.url + "/loop?page=1")[1])["next"] == "0"
        assert get(cloud.url + "/list?page=9")[0] == 404
        assert get(cloud.url + "/none")[:2] == (204, b"")


def test_simulated_time_passes_only_by_waiting() -> None:
    """Waits move the clock at once, a cancellation stops it there and stays, setting it cancels now."""
    moment = SimulatedTime(start=5, cancel_at=8)
    assert not moment.wait(2)
    assert (moment.clock(), moment.is_set()) == (7, False)
    assert moment.wait(2)
    assert (moment.clock(), moment.is_set()) == (8, True)
    other = SimulatedTime()
    other.pass_seconds(1)
    assert not other.wait()
    other.set()
    assert other.is_set()
    assert other.world(0.5).random() == 0.5


def test_every_fault_is_documented() -> None:
    """docs/cloud.md names every fault, and everything that the package exports exists."""
    text = DOCS.read_text("utf-8")
    faults = [name for name, kind in vars(testing).items() if isinstance(kind, type) and issubclass(kind, Fault)]
    assert len(faults) == 9
    assert [name for name in faults if name != "Fault" and f"| `{name}(" not in text] == []
    assert all(hasattr(testing, name) for name in testing.__all__)
