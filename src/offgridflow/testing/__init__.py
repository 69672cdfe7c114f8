"""Fake clouds over real sockets, and simulated time, for tests of OffGridFlow and of what is built on it.

``FakeCloud`` serves objects, pages and routes on the loopback and misbehaves as told; ``SimulatedTime`` is clock, sleep
and cancellation in one, so that tests of pace and retry do not wait. Documented in docs/cloud.md.
"""

from offgridflow.testing.buckets import FakeBucket
from offgridflow.testing.cloud import FakeCloud
from offgridflow.testing.faults import (
    Answer,
    Blackhole,
    Corrupt,
    Cut,
    Delay,
    Drip,
    Fault,
    Reset,
    Restate,
)
from offgridflow.testing.messages import Dialect, Reply, Seen, paged_json, throttled
from offgridflow.testing.time import SimulatedTime

__all__ = [
    "Answer",
    "Blackhole",
    "Corrupt",
    "Cut",
    "Delay",
    "Dialect",
    "Drip",
    "FakeBucket",
    "FakeCloud",
    "Fault",
    "Reply",
    "Reset",
    "Restate",
    "Seen",
    "SimulatedTime",
    "paged_json",
    "throttled",
]
