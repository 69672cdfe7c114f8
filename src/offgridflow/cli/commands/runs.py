"""``offgridflow runs``: the history of runs, what each did, what is held and why."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_existing, settings

if TYPE_CHECKING:
    from offgridflow.pipeline.runs import Hold, RunStore

ORDER = 24
_LOOK_SECONDS = 0.5
_STEP_COLUMNS = (
    Column("source", "source"),
    Column("period", "billing_period"),
    Column("", "status"),
    Column("lines", "line_items", people.count),
    Column("class", "retry_class"),
    Column("error", "code"),
)


def register(app: typer.Typer) -> None:
    """Add the command and its three subcommands."""
    group = typer.Typer(no_args_is_help=True, help="List runs, show what one did and what is held, follow one.")
    group.command("list")(list_runs)
    group.command("show")(show)
    group.command("follow")(follow)
    app.add_typer(group, name="runs")


def list_runs(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 20,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List runs, the newest first, and what is held."""
    store = _store(ledger)
    rows = store.newest(limit)
    held = [_hold_row(hold) for hold in store.holds().values()]
    columns = (
        Column("run", "run_id", people.whole),
        Column("by", "origin"),
        Column("started", "started_at", people.instant),
        Column("", _status),
        Column("committed", "committed", people.count),
        Column("unchanged", "unchanged", people.count),
        Column("failed", "failed", people.count),
        Column("held", "held", people.count),
    )
    tables = [Table("Runs", columns, rows)]
    if held:
        tables.append(Table("Held", _HELD_COLUMNS, held))
    notes = [f"Held {row['source']} {row['billing_period'] or ''}: {row['message']} {row['action']}" for row in held]
    emit(Answer({"runs": rows, "held": held}, rows, tables, notes=notes), form)


def show(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="Its id; else the newest.")] = "latest",
    *,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show what a run did with each period: status, and for what failed class, code, sentence and next action."""
    found = _store(ledger).get(run_id)
    emit(Answer(found, found["steps"], [_table(found)], notes=_notes(found["steps"])), form)


def follow(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="Its id; else the newest.")] = "latest",
    *,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show each step of a run as it is done, until the run ends. JSON: one object a line."""
    store = _store(ledger)
    found = store.get(run_id)
    told = 0
    while True:
        for step in found["steps"][told:]:
            sys.stdout.write(_line(step, form) + "\n")
        sys.stdout.flush()
        told = len(found["steps"])
        if found["status"] != "running":
            break
        time.sleep(_LOOK_SECONDS)
        found = store.get(found["run_id"])
    sys.stderr.write(f"Run {found['run_id']}: {_status(found)}.\n")


def _store(ledger: str | None) -> "RunStore":
    from offgridflow.pipeline.runs import store_of  # noqa: PLC0415  delta-rs is late

    return store_of(open_existing(ledger), settings().run.state)


_HELD_COLUMNS = (
    Column("source", "source"),
    Column("period", "billing_period"),
    Column("class", "retry_class"),
    Column("error", "code"),
    Column("since", "since", people.instant),
)


def _hold_row(hold: "Hold") -> Mapping[str, object]:
    return {
        "source": hold.source,
        "billing_period": hold.billing_period or None,
        "retry_class": hold.failure.retry_class,
        "code": hold.failure.code,
        "message": hold.failure.sentence,
        "action": hold.failure.action,
        "since": hold.since.isoformat(),
    }


def _table(found: Mapping[str, Any]) -> Table:
    return Table(f"Run {found['run_id']}: {_status(found)}", _STEP_COLUMNS, found["steps"])


def _status(run: Mapping[str, Any]) -> str:
    return f"{run['status']}, stopped early" if run["stopped"] else str(run["status"])


def _notes(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"[{step['code']}] {step['sentence']} {step['action']}" for step in steps if step["code"]]


def _line(step: Mapping[str, Any], form: Format) -> str:
    if form is Format.JSON:
        return json.dumps(step)
    known = [step["at"], step["source"], step["billing_period"], step["status"], step["code"]]
    return " ".join(str(part) for part in known if part)
