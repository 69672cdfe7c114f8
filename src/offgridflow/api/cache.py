"""A small memory of answers, bounded by bytes: the least recently used one goes first."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """A thread-safe cache.

    Args:
        capacity: what all values together may weigh.

    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> Value | None:
        """Return the value of a key, None if it is not there."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return found[0]

    def holds(self, key: str) -> bool:
        """Return whether the value of a key is there, without counting it as asked for."""
        with self._lock:
            return key in self._values

    def values(self) -> list[Value]:
        """Return all values, the one that was used last at the end."""
        with self._lock:
            return [value for value, _ in self._values.values()]

    def keys(self) -> list[str]:
        """Return all keys, the one that was used last at the end."""
        with self._lock:
            return list(self._values)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._weight = 0

    def put(self, key: str, value: Value, weight: int) -> None:
        """Keep a value, unless it alone is too heavy."""
        if weight > self._capacity:
            return
        with self._lock:
            old = self._values.pop(key, None)
            self._weight += weight - (old[1] if old else 0)
            self._values[key] = (value, weight)
            while self._weight > self._capacity:
                _, (_, freed) = self._values.popitem(last=False)
                self._weight -= freed
