"""Local files and folders: what is there, what it is, and whether it is whole."""

from offgridflow.connectors.files.discovery import discover
from offgridflow.connectors.files.nul import without_nul
from offgridflow.connectors.files.scanning import header_of, scan, without_duplicates

__all__ = ["discover", "header_of", "scan", "without_duplicates", "without_nul"]
