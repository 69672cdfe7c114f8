"""Bodies that break off, change or lie, read over real sockets into files."""

import base64
import hashlib
import http.client
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import ClassifiedError, Failure, NextRunError, NotFoundError, TransientError, error_of
from offgridflow.cloud.events import Called, Event, Received
from offgridflow.cloud.streams import Body, Checksum, Expected, Source, Stored, store
from offgridflow.domain.errors import UsageError
from offgridflow.testing import (
    Answer,
    Blackhole,
    Corrupt,
    Cut,
    Delay,
    Drip,
    FakeCloud,
    Fault,
    Reset,
    Restate,
    SimulatedTime,
)

PATH = "/bucket/part.csv.gz"
CONTENT = hashlib.shake_256(b"bill").digest(100_000)
OTHER = hashlib.shake_256(b"restated").digest(100_000)
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).digest())
CHECKSUMS = [
    SHA256,
    Checksum("md5", hashlib.md5(CONTENT, usedforsecurity=False).digest()),
    Checksum("sha1", hashlib.sha1(CONTENT, usedforsecurity=False).digest()),
    Checksum.from_base64("crc32", base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()),
]


def over_http(url: str, timeout: float = 30) -> Callable[[int, str | None], Body]:
    """Return a RangeSource over plain HTTP, with nothing but the standard library."""
    host = urlsplit(url).netloc

    def open_range(offset: int, etag: str | None) -> Body:
        connection = http.client.HTTPConnection(host, timeout=timeout)
        headers = {} if offset == 0 else {"Range": f"bytes={offset}-"}
        try:
            connection.request("GET", PATH, headers=headers | ({"If-Match": etag} if etag else {}))
            answer = connection.getresponse()
        except OSError:
            connection.close()
            raise
        if answer.status >= 300:
            connection.close()
            raise error_of(Failure("aws", "GetObject", answer.status))
        span = answer.getheader("Content-Range")
        start = int(span.split()[1].partition("-")[0]) if span else 0
        total = int(span.rpartition("/")[2] if span else answer.getheader("Content-Length", "0"))
        return Body(chunks(answer), answer.getheader("ETag", ""), total, start, connection.close)

    return open_range


def chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while chunk := answer.read(4_096):
        yield chunk


def source(open_range: Callable[[int, str | None], Body]) -> Source:
    return Source("aws", "123456789012", "s3", "GetObject", open_range)


def read(cloud: FakeCloud, folder: Path, expected: Expected | None = None, heard: list[Event] | None = None) -> Stored:
    events = heard if heard is not None else []
    door = Door(Rules(world=SimulatedTime().world()), events.append)
    return store(door, source(over_http(cloud.url)), folder / "part", expected)


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """Yield a fake cloud that holds CONTENT."""
    with FakeCloud() as made:
        made.put(PATH, CONTENT)
        yield made


@pytest.mark.parametrize("checksum", CHECKSUMS, ids=lambda c: c.algorithm)
def test_a_good_body_is_stored_whole_and_verified(cloud: FakeCloud, tmp_path: Path, checksum: Checksum) -> None:
    """One request, the right bytes, the SHA-256, and nothing left beside the file."""
    heard: list[Event] = []
    etag = cloud.put(PATH, CONTENT)
    stored = read(cloud, tmp_path, Expected(etag, len(CONTENT), checksum), heard)
    assert stored == Stored(tmp_path / "part", etag, len(CONTENT), SHA256.digest.hex(), 0)
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    assert cloud.count() == 1
    assert sum(event.bytes_received for event in heard if isinstance(event, Received)) == len(CONTENT)


def test_cuts_are_resumed_where_they_happened(cloud: FakeCloud, tmp_path: Path) -> None:
    """Nine cuts in a row cost nine ranged requests under If-Match, no byte twice, and no failure."""
    for _ in range(9):
        cloud.inject(Cut(after_bytes=8_192))
    heard: list[Event] = []
    stored = read(cloud, tmp_path, heard=heard)
    assert stored.path.read_bytes() == CONTENT
    ranges = [seen.headers.get("range") for seen in cloud.requests]
    assert ranges == [None, *(f"bytes={8_192 * n}-" for n in range(1, 10))]
    assert {seen.headers.get("if-match") for seen in cloud.requests[1:]} == {stored.etag}
    assert sum(event.bytes_received for event in heard if isinstance(event, Received)) == len(CONTENT)


@given(cuts=st.lists(st.one_of(st.just(Reset()), st.builds(Cut, st.integers(0, 9_000))), max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_schedule_of_cuts_gives_all_bytes_or_a_transient_error(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[Fault]
) -> None:
    """However the connection breaks, the file is right or absent, and never half."""
    folder = tmp_path_factory.mktemp("schedule")
    with FakeCloud() as cloud:
        cloud.put(PATH, CONTENT[:20_000])
        for cut in cuts:
            cloud.inject(cut)
        with suppress(TransientError):
            read(cloud, folder)
        first = (folder / "part").exists()
        assert not first or (folder / "part").read_bytes() == CONTENT[:20_000]
        assert cloud.count() <= len(cuts) + 1
        cloud.inject(Delay(0))
        while not (folder / "part").exists():
            with suppress(TransientError):
                read(cloud, folder)
        assert (folder / "part").read_bytes() == CONTENT[:20_000]


def test_an_outage_in_mid_stream_is_bounded_and_kept_for_the_next_run(cloud: FakeCloud, tmp_path: Path) -> None:
    """After some bytes nothing comes any more: a few attempts, then a transient error; the next run resumes."""
    cloud.inject(Cut(after_bytes=50_000))
    cloud.inject(Reset(), times=5)
    with pytest.raises(TransientError):
        read(cloud, tmp_path)
    assert cloud.count() == 6
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["part.part", "part.part.etag"]
    stored = read(cloud, tmp_path)
    assert (stored.resumed_from_bytes, stored.path.read_bytes()) == (50_000, CONTENT)
    assert stored.sha256 == SHA256.digest.hex()
    assert cloud.requests[-1].headers["range"] == "bytes=50000-"


def test_blackholes_and_silence_are_transient(cloud: FakeCloud, tmp_path: Path) -> None:
    """A connection that never answers times out, and the next attempt is served."""
    cloud.inject(Blackhole())
    door = Door(Rules(world=SimulatedTime().world()))
    attempts = iter((over_http(cloud.url, timeout=0.1), over_http(cloud.url)))

    def in_turn(offset: int, etag: str | None) -> Body:
        return next(attempts)(offset, etag)

    stored = store(door, source(in_turn), tmp_path / "part")
    assert (stored.path.read_bytes(), cloud.count()) == (CONTENT, 2)


def test_a_slow_drip_ends_at_the_deadline(cloud: FakeCloud, tmp_path: Path) -> None:
    """Bytes that trickle below every read time-out do not hold a run up beyond its deadline; they are kept."""
    cloud.inject(Drip(chunk_bytes=1_024, pause_seconds=0.03))
    door = Door()
    with pytest.raises(NextRunError) as caught:
        store(door, source(over_http(cloud.url)), tmp_path / "part", deadline=door.clock() + 1.0)
    assert caught.value.code == "DEADLINE"
    assert cloud.count() == 1
    assert 0 < (tmp_path / "part.part").stat().st_size < len(CONTENT)


@pytest.mark.parametrize("after_bytes", [0, 8_192])
def test_an_object_restated_in_mid_read_is_not_mixed(cloud: FakeCloud, tmp_path: Path, after_bytes: int) -> None:
    """Another ETag on resuming is CHANGED_UNDER_WAY: one more request, no file, nothing kept of the old version."""
    etag = cloud.put(PATH, CONTENT)
    cloud.inject(Cut(after_bytes))
    cloud.inject(Restate(OTHER))
    with pytest.raises(NextRunError) as caught:
        read(cloud, tmp_path, Expected(etag))
    assert caught.value.code == "CHANGED_UNDER_WAY"
    assert "CHANGED_UNDER_WAY" in str(caught.value)
    assert cloud.count() == 2
    assert list(tmp_path.iterdir()) == []
    assert read(cloud, tmp_path).path.read_bytes() == OTHER


@pytest.mark.parametrize("expected", [Expected(etag='"stale"'), Expected(size_bytes=5)], ids=["etag", "size"])
def test_an_object_that_is_not_what_was_listed_has_changed(
    cloud: FakeCloud, tmp_path: Path, expected: Expected
) -> None:
    """A stale listing (ETag or size) is CHANGED_UNDER_WAY after one request."""
    with pytest.raises(NextRunError, match="CHANGED_UNDER_WAY"):
        read(cloud, tmp_path, expected)
    assert cloud.count() == 1


def test_an_object_that_went_away_has_changed_one_never_seen_is_not_found(cloud: FakeCloud, tmp_path: Path) -> None:
    """404 for a listed object is CHANGED_UNDER_WAY; for one that nobody listed it is NotFoundError."""
    etag = cloud.put(PATH, CONTENT)
    cloud.remove(PATH)
    with pytest.raises(NextRunError, match="CHANGED_UNDER_WAY"):
        read(cloud, tmp_path, Expected(etag))
    with pytest.raises(NotFoundError):
        read(cloud, tmp_path)


def test_corrupt_bytes_are_read_again_and_never_stored(cloud: FakeCloud, tmp_path: Path) -> None:
    """A wrong checksum discards everything and starts anew; three wrong ones fail with no file."""
    cloud.inject(Corrupt(at_byte=77_777))
    assert read(cloud, tmp_path, Expected(checksum=SHA256)).path.read_bytes() == CONTENT
    assert [seen.headers.get("range") for seen in cloud.requests] == [None, None]
    (tmp_path / "part").unlink()
    cloud.inject(Corrupt(), times=3)
    with pytest.raises(TransientError) as caught:
        read(cloud, tmp_path, Expected(checksum=SHA256))
    assert caught.value.failure.code == "CHECKSUM_MISMATCH"
    assert cloud.count() == 5
    assert list(tmp_path.iterdir()) == []


def test_left_overs_of_another_version_are_dropped(cloud: FakeCloud, tmp_path: Path) -> None:
    """What an earlier process left of an older version is forgotten, whether the listing tells or only the server."""
    cloud.inject(Cut(after_bytes=30_000))
    cloud.inject(Reset(), times=5)
    with pytest.raises(TransientError):
        read(cloud, tmp_path)
    new = cloud.put(PATH, OTHER)
    assert read(cloud, tmp_path).path.read_bytes() == OTHER
    (tmp_path / "part.part").write_bytes(b"old")
    (tmp_path / "part.part.etag").write_text('"old"', "utf-8")
    before = cloud.count()
    assert read(cloud, tmp_path, Expected(new)).path.read_bytes() == OTHER
    assert cloud.count() == before + 1


def test_a_left_over_that_is_complete_costs_no_request(cloud: FakeCloud, tmp_path: Path) -> None:
    """If only the renaming was missing, the bytes are verified and named, and nothing is fetched."""
    etag = cloud.put(PATH, CONTENT)
    (tmp_path / "part.part").write_bytes(CONTENT)
    (tmp_path / "part.part.etag").write_text(etag, "utf-8")
    stored = read(cloud, tmp_path, Expected(etag, len(CONTENT), SHA256))
    assert (stored.resumed_from_bytes, cloud.count()) == (len(CONTENT), 0)


def test_an_empty_object_is_stored(cloud: FakeCloud, tmp_path: Path) -> None:
    """No bytes are a body too."""
    cloud.put(PATH, b"")
    stored = read(cloud, tmp_path, Expected(size_bytes=0))
    assert (stored.size_bytes, stored.path.read_bytes()) == (0, b"")


def in_memory(bodies: list[Body | Exception], asked: list[tuple[int, str | None]]) -> Source:
    left = iter(bodies)

    def open_range(offset: int, etag: str | None) -> Body:
        asked.append((offset, etag))
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return source(open_range)


def broken(*parts: bytes) -> Iterator[bytes]:
    yield from parts
    raise ConnectionResetError


def simulated() -> Door:
    return Door(Rules(world=SimulatedTime().world()))


def test_a_server_that_ignores_the_range_is_read_from_the_start(tmp_path: Path) -> None:
    """An answer from byte 0 replaces what was there, rather than being appended to it."""
    asked: list[tuple[int, str | None]] = []
    bodies: list[Body | Exception] = [Body(broken(b"abc"), "e", 6), Body([b"abcdef"], "e", 6, offset=0)]
    assert store(simulated(), in_memory(bodies, asked), tmp_path / "f").path.read_bytes() == b"abcdef"
    assert asked == [(0, None), (3, "e")]


def test_an_answer_from_the_wrong_offset_starts_anew(tmp_path: Path) -> None:
    """Bytes from somewhere else are not taken."""
    asked: list[tuple[int, str | None]] = []
    bodies: list[Body | Exception] = [
        Body(broken(b"abc"), "e", 6),
        Body([b"ef"], "e", 6, offset=4),
        Body([b"abcdef"], "e", 6),
    ]
    assert store(simulated(), in_memory(bodies, asked), tmp_path / "f").path.read_bytes() == b"abcdef"
    assert [offset for offset, _ in asked] == [0, 3, 0]


def test_without_an_etag_nothing_is_resumed(tmp_path: Path) -> None:
    """Where versions cannot be told apart, a cut body is read again from the start."""
    asked: list[tuple[int, str | None]] = []
    bodies: list[Body | Exception] = [Body(broken(b"abc"), "", 6), Body([b"abcdef"], "", 6)]
    assert store(simulated(), in_memory(bodies, asked), tmp_path / "f").path.read_bytes() == b"abcdef"
    assert [offset for offset, _ in asked] == [0, 0]


def test_a_short_body_without_an_error_is_a_cut_and_a_long_one_is_refused(tmp_path: Path) -> None:
    """The announced size decides: fewer bytes are resumed, more are discarded."""
    asked: list[tuple[int, str | None]] = []
    bodies: list[Body | Exception] = [Body([b"abc"], "e", 6), Body([b"def"], "e", 6, offset=3)]
    assert store(simulated(), in_memory(bodies, asked), tmp_path / "f").path.read_bytes() == b"abcdef"
    endless = [Body([b"abcdef", b"more"], "e", 5) for _ in range(3)]
    with pytest.raises(TransientError, match="BODY_TOO_LONG"):
        store(simulated(), in_memory(list(endless), asked), tmp_path / "g")
    assert not (tmp_path / "g.part").exists()


def test_a_body_of_unknown_size_ends_where_it_ends(tmp_path: Path) -> None:
    """Without a total the end of the body is the end; a checksum still decides."""
    checksum = Checksum("sha256", hashlib.sha256(b"abc").digest())
    stored = store(simulated(), in_memory([Body([b"a", b"bc"], "e")], []), tmp_path / "f", Expected(checksum=checksum))
    assert stored.size_bytes == 3


def test_another_etag_in_the_answer_is_a_change_even_if_the_server_ignored_if_match(tmp_path: Path) -> None:
    """Servers that ignore If-Match (fake-gcs-server does) cannot make us mix versions."""
    bodies: list[Body | Exception] = [Body(broken(b"abc"), "e1", 6), Body([b"xyz"], "e2", 6, offset=3)]
    with pytest.raises(NextRunError, match="CHANGED_UNDER_WAY"):
        store(simulated(), in_memory(bodies, []), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_progress_has_an_end_too(tmp_path: Path) -> None:
    """A server that gives one byte per opening is given up on after a bounded number of them."""
    asked: list[tuple[int, str | None]] = []
    heard: list[Event] = []
    body = b"x" * 10_000
    bodies: list[Body | Exception] = [Body(broken(body[n : n + 1]), "e", 10_000, offset=n) for n in range(10_000)]
    door = Door(Rules(world=SimulatedTime().world()), heard.append)
    with pytest.raises(TransientError):
        store(door, in_memory(bodies, asked), tmp_path / "f")
    assert len(asked) == sum(isinstance(event, Called) for event in heard) <= 64 + 35


def test_an_unknown_checksum_algorithm_is_a_mistake(tmp_path: Path) -> None:
    """What cannot be verified is refused before anything is asked."""
    with pytest.raises(UsageError, match="checksum algorithm 'crc64'"):
        store(simulated(), in_memory([], []), tmp_path / "f", Expected(checksum=Checksum("crc64", b"")))


def test_errors_of_the_disk_pass_through(tmp_path: Path) -> None:
    """A full disk is not a provider's failure."""

    def full() -> Iterator[bytes]:
        yield b"abc"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store(simulated(), in_memory([Body(full(), "e", 6)], []), tmp_path / "f")


@pytest.mark.parametrize(("status", "kind"), [(403, "auth"), (500, "fatal"), (400, "bad_request")])
def test_refusals_are_raised_as_they_are(cloud: FakeCloud, tmp_path: Path, status: int, kind: str) -> None:
    """An error answer ends the read after one request, with its class."""
    cloud.inject(Answer(status))
    with pytest.raises(ClassifiedError) as caught:
        read(cloud, tmp_path)
    assert (caught.value.error_class, cloud.count()) == (kind, 1)
