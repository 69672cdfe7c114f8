"""One SQL mapping, one detection rule and one fixture per billing format."""

from offgridflow.formats.header import index_of, names_of, normal_name, normal_names
from offgridflow.formats.model import (
    Column,
    Detection,
    Format,
    FormatFileError,
    Identity,
    Source,
    Split,
    Variant,
    parse_format,
)
from offgridflow.formats.registry import detect, format_by_name, known_format, refusal, registry

__all__ = [
    "Column",
    "Detection",
    "Format",
    "FormatFileError",
    "Identity",
    "Source",
    "Split",
    "Variant",
    "detect",
    "format_by_name",
    "index_of",
    "known_format",
    "names_of",
    "normal_name",
    "normal_names",
    "parse_format",
    "refusal",
    "registry",
]
