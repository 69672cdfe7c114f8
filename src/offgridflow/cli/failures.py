"""What a user sees when something goes wrong: one sentence, what to do next, a code; never a traceback."""

import os
import sys
import traceback
from types import TracebackType
from typing import Final

from typer.exceptions import TyperException

from offgridflow.domain.errors import OffGridFlowError, UsageError

DEBUG_VARIABLE: Final = "OFFGRIDFLOW_DEBUG"
_USAGE = 2
_FAILED = 1


def exit_code_of(error: OffGridFlowError) -> int:
    """Return 2 for wrong usage or settings, else 1."""
    return _USAGE if isinstance(error, UsageError) else _FAILED


def show(error: OffGridFlowError) -> None:
    """Write an error of ours to stderr."""
    _write(error.sentence, error.action, error.code)


def show_usage(error: TyperException) -> None:
    """Write a mistake in the command line to stderr; nothing where the help already stands there instead."""
    if not error.format_message():
        return
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "offgridflow"
    _write(_plain(error.format_message()), f"See `{command} --help`.", UsageError.code)


def _plain(message: str) -> str:
    """Return a message of the command line's parser without the words of the library that checked the value."""
    return message.replace("Value error, ", "").replace("Input should be", "it should be")


def show_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an error that nobody foresaw to stderr: the last resort of the process (``sys.excepthook``).

    The traceback shows only where OFFGRIDFLOW_DEBUG is set, because values in it may not be meant for a log.
    """
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(kind, error, trace)
    first_line = (str(error).splitlines() or [""])[0]
    sentence = f"Something went wrong that OffGridFlow did not foresee: {kind.__name__}: {first_line}"
    _write(sentence, f"Nothing half-done was committed. Set {DEBUG_VARIABLE}=1 for the details to report.", "INTERNAL")


def _write(sentence: str, action: str, code: str) -> None:
    ended = sentence if sentence.endswith((".", "!", "?")) else sentence + "."
    lines = [f"Error [{code}]: {ended}"] + ([action] if action else [])
    sys.stderr.write("\n".join(lines) + "\n")
