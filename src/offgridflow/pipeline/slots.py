"""Worker slots: the names under which workers own work, each held by a lock, so that a name is owned by the living.

A worker of ours that dies lets go of its lock; whoever can take it knows that the slot's work is nobody's.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from offgridflow.pipeline.locks import BusyError, Locks


class Slots:
    """The slots of one ledger's workers: ``slot-0``, ``slot-1``, and so on, the lowest free one first.

    Args:
        locks: where they are held; they must not wait (``wait_seconds`` 0).
        ledger_id: whose they are.

    """

    def __init__(self, locks: Locks, ledger_id: str) -> None:
        self._locks = locks
        self._ledger_id = ledger_id

    @contextmanager
    def taken(self) -> Iterator[str]:
        """Hold the lowest free slot, so that what a dead worker left in it is found first; give its name."""
        for number in itertools.count():
            name = f"slot-{number}"
            with self.tried(name) as is_ours:
                if is_ours:
                    yield name
                    return

    @contextmanager
    def tried(self, name: str) -> Iterator[bool]:
        """Hold a slot if nobody does, and give whether it is held now: then its worker is dead, or never was."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._locks.hold(f"{self._ledger_id} {name}"))
                is_ours = True
            except BusyError:
                is_ours = False
            yield is_ours
