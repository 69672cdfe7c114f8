"""Counters in the text format of Prometheus; small enough to need no library in the ``server`` extra."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Requests by route template, method and status, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: dict[str, float] = {}
        self._count: Counter[str] = Counter()

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Take note of a finished request; ``route`` is a template, so that labels stay few."""
        with self._lock:
            self._requests[route, method, status] += 1
            self._count[route] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds
            for bound in BUCKETS_SECONDS:
                if seconds <= bound:
                    self._buckets[route, bound] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return everything in the exposition format; ``gauges`` maps a name to its help and value."""
        with self._lock:
            return "\n".join([*self._request_lines(), *self._duration_lines(), *_gauge_lines(gauges)]) + "\n"

    def _request_lines(self) -> list[str]:
        name = "offgridflow_http_requests_total"
        lines = [f"# HELP {name} Requests that were answered.", f"# TYPE {name} counter"]
        lines += [
            f'{name}{{route="{route}",method="{method}",status="{status}"}} {count}'
            for (route, method, status), count in sorted(self._requests.items())
        ]
        return lines

    def _duration_lines(self) -> list[str]:
        name = "offgridflow_http_request_duration_seconds"
        lines = [f"# HELP {name} Time to the last byte of an answer.", f"# TYPE {name} histogram"]
        for route in sorted(self._count):
            lines += [f'{name}_bucket{{route="{route}",le="{b:g}"}} {self._buckets[route, b]}' for b in BUCKETS_SECONDS]
            lines.append(f'{name}_bucket{{route="{route}",le="+Inf"}} {self._count[route]}')
            lines.append(f'{name}_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'{name}_count{{route="{route}"}} {self._count[route]}')
        return lines


def _gauge_lines(gauges: Mapping[str, tuple[str, float]]) -> list[str]:
    lines: list[str] = []
    for name, (meaning, value) in sorted(gauges.items()):
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value:g}"]
    return lines
