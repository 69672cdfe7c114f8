"""Large exports: the engine writes into a named pipe, the server sends what comes out, and nothing is kept.

A pipe holds 64 KiB: when the client is slow the engine waits, so that memory stays constant whatever the size. Each
export has a small database of its own, closed when the client goes away.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from offgridflow.api.formats import Form, write_arrow
from offgridflow.reports.focus import focus_query
from offgridflow.reports.scope import Scope

if TYPE_CHECKING:
    from offgridflow.api.access import Restriction
    from offgridflow.api.editions import Edition
    from offgridflow.api.service import Service

CHUNK_BYTES: Final = 65_536
MEMORY_MIB: Final = 256
_COPY_OPTIONS: Final[dict[Form, str]] = {
    Form.CSV: "FORMAT csv, HEADER",
    Form.NDJSON: "FORMAT json",
    Form.PARQUET: "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440",
}
"""What the engine writes by itself; an Arrow stream is written from its batches."""


class Export:
    """One export. Iterate over it for its bytes; ``close`` in any case.

    Args:
        edition: the version.
        restriction: which rows may be seen.
        scope: which rows are wanted.
        form: csv, ndjson, parquet or arrow.
        service: gives a slot, and says how long an export may take.

    """

    def __init__(
        self, edition: "Edition", restriction: "Restriction", scope: Scope, form: Form, service: "Service"
    ) -> None:
        self._gate = gate = service.exports
        self._seconds = service.settings.export_seconds
        self._is_closed = False
        self._error: duckdb.Error | OSError | None = None
        with contextlib.ExitStack() as undone:
            gate.try_enter()
            undone.callback(gate.leave)
            self._con = duckdb.connect(config={"threads": 1, "memory_limit": f"{MEMORY_MIB}MiB"})
            undone.callback(self._con.close)
            self._con.execute("SET TimeZone = 'UTC'")
            edition.attach_to(self._con, restriction)
            self._sql, self._values = focus_query(scope, for_spreadsheets=form is Form.CSV)
            self._options = _COPY_OPTIONS.get(form)
            undone.pop_all()

    def __iter__(self) -> Generator[bytes, None, None]:
        """Yield the bytes as the engine writes them. Raises duckdb.Error in mid-stream: the client sees a cut."""
        try:
            with tempfile.TemporaryDirectory(prefix="offgridflow-export-") as folder:
                pipe = Path(folder) / "rows"
                os.mkfifo(pipe, 0o600)
                yield from self._through(pipe)
        finally:
            self.close()

    def _through(self, pipe: Path) -> Iterator[bytes]:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)  # opened without waiting for a writer, read with waiting
        holder = os.open(pipe, os.O_WRONLY)  # so that a read waits for the engine instead of finding an end
        writer = threading.Thread(target=self._write, args=(pipe, holder), daemon=True)
        alarm = threading.Timer(self._seconds, self._con.interrupt)
        alarm.daemon = True
        writer.start()
        alarm.start()
        try:
            while chunk := os.read(reader, CHUNK_BYTES):
                yield chunk
        finally:
            alarm.cancel()
            self._con.interrupt()
            os.close(reader)  # the engine's next write fails, so that its thread ends
            writer.join()
        if self._error is not None:
            raise self._error

    def _write(self, pipe: Path, holder: int) -> None:
        try:
            if self._options is None:
                with pipe.open("wb", CHUNK_BYTES) as target:
                    write_arrow(self._con.sql(self._sql, params=self._values), target)
            else:
                self._con.execute(f"COPY ({self._sql}) TO '{pipe}' ({self._options})", self._values)
        except (duckdb.Error, OSError) as error:
            self._error = error
        finally:
            os.close(holder)

    def close(self) -> None:
        """Give the slot and the memory back; safe to repeat."""
        if not self._is_closed:
            self._is_closed = True
            self._con.close()
            self._gate.leave()
