"""Processes of tests that commit deliveries and may be killed at any step."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.worker import commit_all
from support.crew import processes


class Committing:
    """A process that commits deliveries one after another; none outlives its test."""

    def __init__(self, uri: str, jobs: Sequence[dict[str, object]], answer: Path) -> None:
        self._answer = answer
        self._process = processes().Process(target=commit_all, args=(uri, list(jobs), str(answer)))
        self._process.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return bool(self._process.is_alive())

    def ended(self) -> int:
        """Wait for its end; return its exit code, minus the number of the signal that it died of."""
        self._process.join()
        return int(self._process.exitcode)

    def results(self) -> list[dict[str, Any]]:
        """Wait for its end; return what became of each delivery."""
        assert self.ended() == 0
        return list(json.loads(self._answer.read_text()))

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
