"""Which connectors there are: ours by name, and those of other packages by the entry point ``offgridflow.connectors``.

An entry point names a module-level ``Kind`` or ``ReportKind``. Modules are imported when a source of their type is
asked for, so that nobody pays for the SDKs of clouds that they do not use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.delivery import Connector, Declaration
from offgridflow.connectors.reports import ReportConnector
from offgridflow.domain.errors import UsageError

GROUP: Final = "offgridflow.connectors"

_OURS: Final[Mapping[str, str]] = {
    "aws_carbon_api": "offgridflow.connectors.aws.carbon_api:CARBON_API",
    "aws_carbon_export": "offgridflow.connectors.aws.carbon_export:CARBON_EXPORT",
    "aws_cur": "offgridflow.connectors.aws.connectors:LEGACY",
    "aws_data_export": "offgridflow.connectors.aws.connectors:DATA_EXPORT",
    "azure_carbon": "offgridflow.connectors.azure.carbon:CARBON",
    "azure_export": "offgridflow.connectors.azure.connectors:EXPORT",
    "bigquery_export": "offgridflow.connectors.gcp.bigquery:BIGQUERY_EXPORT",
    "gcp_carbon": "offgridflow.connectors.gcp.carbon:CARBON",
    "gcs_export": "offgridflow.connectors.gcp.connectors:GCS_EXPORT",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of connector: what it declares, and how one is made of its settings."""

    declaration: Declaration
    make: Callable[[Any, Surroundings], Connector]


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A kind of connector of a provider's own figures."""

    declaration: Declaration
    make: Callable[[Any, Surroundings], ReportConnector]


def names() -> tuple[str, ...]:
    """Return the types that a source can have, sorted."""
    return tuple(sorted({*_OURS, *(point.name for point in entry_points(group=GROUP))}))


def kind(name: str) -> Kind | ReportKind:
    """Return a kind of connector; raise UsageError UNKNOWN_SOURCE_TYPE naming those that there are."""
    if name in _OURS:
        module, _, attribute = _OURS[name].partition(":")
        found: object = getattr(import_module(module), attribute)
    else:
        points = entry_points(group=GROUP, name=name)
        found = next((point.load() for point in points), None)
    if not isinstance(found, Kind | ReportKind):
        sentence = f"There is no source type '{name}'."
        raise UsageError(sentence, action=f"Use one of: {', '.join(names())}.", code="UNKNOWN_SOURCE_TYPE")
    return found


def connect(settings: Mapping[str, object], around: Surroundings) -> Connector | ReportConnector:
    """Return the connector of a ``[sources.NAME]`` table; no call is made.

    Raises:
        UsageError: UNKNOWN_SOURCE_TYPE, or what is wrong with a setting, without its value.
        MissingExtraError: where the SDK is not installed.

    """
    if "type" not in settings:
        sentence = f"The setting sources.{around.source}.type is missing."
        raise UsageError(sentence, action=f"Use one of: {', '.join(names())}.", code="UNKNOWN_SOURCE_TYPE")
    found = kind(str(settings["type"]))
    model = found.declaration.settings
    try:
        parsed = model.model_validate(settings)
    except ValidationError as error:
        known = sorted(each.alias or name for name, each in model.model_fields.items())
        raise _refusal(error.errors(include_url=False, include_input=False), around.source, known) from None
    return found.make(parsed, around)


def _refusal(found: Sequence[ErrorDetails], source: str, known: Sequence[str]) -> UsageError:
    """Return the error for the first wrong key; an unknown one before one that is missing: it may be that, misspelt."""
    first = min(found, key=lambda each: each["type"] != "extra_forbidden")
    where = ".".join(("sources", source, *map(str, first["loc"])))
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(first["loc"][-1]), known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        return UsageError(f"There is no setting {where}.", action=f"{meant}Use one of: {', '.join(known)}.")
    if first["type"] == "missing":
        return UsageError(f"The setting {where} is missing.", action="Add it; docs/connectors.md says what it is.")
    sentence = f"The setting {where} is wrong: {first['msg'].removeprefix('Value error, ')}."
    return UsageError(sentence, action="Correct it.")
