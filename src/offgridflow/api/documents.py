"""Pieces of the OpenAPI document that routes share."""

from typing import Any, Final

from pydantic import BaseModel

from offgridflow.api.formats import MEDIA_TYPES, Form
from offgridflow.api.problems import PROBLEM_TYPE, TITLES

_PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}
_ALWAYS: Final = (400, 401, 403, 404, 406, 413, 421, 429, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of failures: those that any route may give, and ``statuses``."""
    meanings: dict[int, list[str]] = {}
    for code, (status, title) in TITLES.items():
        meanings.setdefault(status, []).append(f"{code}: {title}")
    return {
        status: {
            "description": "; ".join(meanings[status]),
            "content": {PROBLEM_TYPE: {"schema": _PROBLEM_REF}},
            **({"headers": _RETRY_AFTER} if status in {429, 503} else {}),
        }
        for status in sorted({*_ALWAYS, *statuses})
    }


_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}


def tabular(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of an answer in all formats."""
    texts = {MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in Form if form is not Form.JSON}
    return {
        "model": model,
        "description": "The answer; 304 without a body where If-None-Match names its ETag.",
        "content": texts,
        "headers": {"ETag": {"description": "Of version and question.", "schema": {"type": "string"}}},
    }
