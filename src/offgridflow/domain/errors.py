"""Every error that a user can meet.

::

    OffGridFlowError            code, sentence, action; never a secret, never a body
    +-- UsageError              wrong command line or settings            exit code 2
    +-- InputError              a file or delivery that cannot be read    the period fails, the rest goes on
    +-- ConservationError       raw and mapped totals differ              no commit
    +-- LedgerError             the ledger refuses or cannot be read
    |   +-- OverlapError        the period is live under another source
    |   +-- ShrinkError         replacement holds under half of the lines
    |   +-- CommitUnknownError  the commit may or may not have landed; read back
    +-- ProviderError           a cloud call failed; subclasses in cloud/errors.py carry one of six classes
    +-- MissingExtraError       an optional dependency is absent; names the install command

``code`` is a stable upper-case word with an anchor in ``docs/errors.md`` (a test compares the two).
"""


class OffGridFlowError(Exception):
    """Root of all errors that are meant for people.

    Args:
        sentence: one sentence: which file, line, key or source, and what is wrong with it.
        action: what to do next.

    """

    code = "INTERNAL"

    def __init__(self, sentence: str, *, action: str = "", code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.action = action
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]" + (f" {self.action}" if self.action else "")


class UsageError(OffGridFlowError):
    """Wrong command line or settings."""

    code = "USAGE"


class InputError(OffGridFlowError):
    """An input that cannot be read as what it claims to be."""

    code = "INPUT"


class ConservationError(OffGridFlowError):
    """Lines or money of the raw delivery and of the mapped rows differ; nothing was committed."""

    code = "CONSERVATION"


class LedgerError(OffGridFlowError):
    """The ledger refuses, or cannot be read or written."""

    code = "LEDGER"


class OverlapError(LedgerError):
    """The same (provider, sub-account, billing period) is live under another source."""

    code = "OVERLAP"


class ShrinkError(LedgerError):
    """A replacement that holds under half of the lines of what it replaces."""

    code = "SHRINK"


class CommitUnknownError(LedgerError):
    """It is not known whether the commit landed: read back before anything else."""

    code = "COMMIT_UNKNOWN"


class ProviderError(OffGridFlowError):
    """A call to a provider failed."""

    code = "PROVIDER"


class MissingExtraError(OffGridFlowError):
    """An optional dependency is not installed."""

    code = "MISSING_EXTRA"
