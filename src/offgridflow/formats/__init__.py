"""One SQL mapping, one detection rule and one fixture per billing format."""

from offgridflow.formats.registry import Column, Format, Tags, detect, format_by_name, normal_name, refusal, registry

__all__ = ["Column", "Format", "Tags", "detect", "format_by_name", "normal_name", "refusal", "registry"]
