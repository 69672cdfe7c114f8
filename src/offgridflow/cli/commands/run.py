"""``offgridflow run``: every configured source once, or by the schedule of the settings until it is asked to stop."""

import dataclasses
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Annotated

import typer

from offgridflow.cli.commands.ingest import answer_of, end
from offgridflow.cli.options import (
    FirstPeriodOption,
    Format,
    FormatOption,
    FullOption,
    LastPeriodOption,
    LedgerOption,
    periods_of,
)
from offgridflow.cli.output import Answer, emit
from offgridflow.cli.session import ledger_uri, progress, settings

ORDER = 22
_STOPPED = "The run was asked to end early: what it had not come to is left to the next run."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    *,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Run by run.schedule of the settings until SIGTERM.")
    ] = False,
    date_from: FirstPeriodOption = None,
    date_to: LastPeriodOption = None,
    full: FullOption = False,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Ask every configured source for what is new or restated. Once or by the schedule; the log is JSON on stderr.

    What fails is tried again by the next run, or held where only a change can help. SIGTERM ends the run after the
    billing period that it is at, with exit code 0; the answer says `stopped` then.
    """
    from offgridflow.pipeline.doorway import configure_logs  # noqa: PLC0415  see below
    from offgridflow.pipeline.service import options_of  # noqa: PLC0415  the engine is late
    from offgridflow.pipeline.worker import Errand, run_once, work_by_schedule  # noqa: PLC0415  see above

    chosen = settings()
    first, last = periods_of(date_from, date_to)
    options = dataclasses.replace(options_of(chosen), first_period=first, last_period=last, full=full)
    errand = Errand(ledger_uri(ledger), chosen, options)
    flag = _asked_to_stop()
    configure_logs(chosen, "info")
    if schedule:
        work_by_schedule(errand, flag)
        return
    with progress() as listen:
        report = run_once(dataclasses.replace(errand, progress=listen), flag.is_set)
    emit(_told(answer_of(report.result), stopped=report.stopped), form)
    end(report.result)


def _told(answer: Answer, *, stopped: bool) -> Answer:
    """Return the answer of an ingest with what only a run can say: that it was asked to end early."""
    notes = [_STOPPED] if stopped else []
    data = answer.data if isinstance(answer.data, Mapping) else {}
    told = {**data, "stopped": stopped, "notes": [*notes, *data.get("notes", ())]}
    return dataclasses.replace(answer, data=told, notes=[*notes, *answer.notes])


def _asked_to_stop() -> threading.Event:
    """Return a flag that SIGTERM and SIGINT set; a second signal of a kind ends the process at once."""
    flag = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
        signal.signal(number, signal.SIG_DFL)
        flag.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return flag
