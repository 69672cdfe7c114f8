"""A bounded memory of answers: it only saves work, because every answer is a pure function of its key."""

from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_KEPT: Final = 16_384


class Memo(Generic[Key, Value]):
    """Remembers answers by key; a full memory starts again empty, so that no bill, however strange, fills the machine.

    Threads may share one: the worst that can happen is that an answer is worked out twice.
    """

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Return the answer, or None where it is not remembered."""
        return self._kept.get(key)

    def keep(self, key: Key, value: Value) -> Value:
        """Remember an answer and return it."""
        if len(self._kept) >= self._most:
            self._kept = {}
        self._kept[key] = value
        return value
