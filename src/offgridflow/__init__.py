"""Cloud bills and the providers' own carbon reports in, an auditable emission ledger out.

``offgridflow.open(uri)`` opens a ledger for reading; the command line is ``offgridflow``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offgridflow.reports.opened import open_ledger as open  # noqa: A004  the name users call is offgridflow.open

__all__ = ["__version__", "open"]

__version__: str


def __getattr__(name: str) -> object:
    """Resolve ``open`` and ``__version__`` when they are asked for: both cost more than an import should."""
    if name == "open":
        from offgridflow.reports.opened import open_ledger  # noqa: PLC0415  DuckDB and delta-rs are late

        return open_ledger
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  reads the installed metadata

        return version("offgridflow")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
