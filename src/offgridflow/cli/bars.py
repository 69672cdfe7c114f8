"""Progress bars on stderr, drawn by Rich. Imported only on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from offgridflow.pipeline.model import Progress as Listener


@contextmanager
def bars() -> Iterator["Listener"]:
    """Draw one bar per stage while the context lasts, and wipe them in the end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as drawn:

        def listen(stage: str, detail: str, done: int, total: int) -> None:
            described = f"[bold]{escape(stage)}[/] {escape(detail[-60:])}"
            if stage not in tasks:
                tasks[stage] = drawn.add_task(described, total=total)
            drawn.update(tasks[stage], description=described, completed=done, total=total)

        yield listen
