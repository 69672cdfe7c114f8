"""Schemathesis over the OpenAPI document: nothing it can think of makes the server fail or break its own word."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from support.server import ApiClient, client_of, server_of, server_on

EXAMPLES = int(os.environ.get("OFFGRIDFLOW_FUZZ_EXAMPLES", "60"))
"""Requests over all operations; 500 in .ci/run and 10,000 in make soak."""


@pytest.fixture(scope="module")
def fuzzed(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiClient, str]]:
    """A server that asks for a token, generous in pace, and a token that may start runs."""
    state = tmp_path_factory.mktemp("fuzz") / "state.sqlite"
    with client_of(server_on(ledger, state=state, burst=1e6, requests_per_minute=1e6)) as client:
        _, token = server_of(client).parts.tokens.create("fuzz", server_scope())
        yield client, token


def server_scope() -> Any:  # noqa: ANN401  an enum of the product
    """Return the scope that may do everything."""
    from offgridflow.api.access import Scope  # noqa: PLC0415  beside its only use

    return Scope.ADMIN


def document_of(client: ApiClient) -> dict[str, Any]:
    """Return the OpenAPI document as it is served."""
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


OPERATIONS = [
    "GET /api/v1/activities",
    "GET /api/v1/coverage",
    "GET /api/v1/emissions",
    "GET /api/v1/explain",
    "GET /api/v1/export",
    "GET /api/v1/factor-sets",
    "GET /api/v1/history",
    "GET /api/v1/inventory",
    "GET /api/v1/quarantine",
    "GET /api/v1/rates",
    "GET /api/v1/reconcile",
    "GET /api/v1/reported",
    "GET /api/v1/runs",
    "GET /api/v1/runs/{run_id}",
    "GET /api/v1/sensitivity",
    "GET /api/v1/sources",
    "GET /api/v1/whatif",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "POST /api/v1/runs",
    "POST /api/v1/runs/{run_id}/cancel",
]


def test_every_operation_is_fuzzed(fuzzed: tuple[ApiClient, str]) -> None:
    """The list of this file is that of the document."""
    paths = document_of(fuzzed[0])["paths"]
    assert sorted(f"{method.upper()} {path}" for path, each in paths.items() for method in each) == OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_makes_the_server_fail(fuzzed: tuple[ApiClient, str], operation: str) -> None:
    """Whatever is asked: no 5xx but a documented 503, a documented status, content type and shape.

    All checks of schemathesis but one: that what fits the schema is accepted. A schema cannot say that `from` lies
    before `to`, or that a cursor is one of ours; those are told as 422, which the document names.
    """
    client, token = fuzzed
    method, _, path = operation.partition(" ")
    schema = schemathesis.openapi.from_dict(document_of(client))
    schema.config.update(base_url=str(client.base_url), request_timeout=120)  # its 10 s are short beside other work
    strategy = schema[path][method].as_strategy()
    headers = {"Authorization": f"Bearer {token}"}

    @settings(
        max_examples=max(2, EXAMPLES // len(OPERATIONS)),
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def check_case(case: "schemathesis.Case[Any]") -> None:
        response = case.call(headers=headers)
        case.validate_response(response, headers=headers, excluded_checks=[positive_data_acceptance])

    check_case()


def test_the_document_is_openapi_3_1_with_examples(fuzzed: tuple[ApiClient, str]) -> None:
    """It names its version, documents every failure as a problem, and holds examples."""
    document = document_of(fuzzed[0])
    assert document["openapi"].startswith("3.1")
    assert "examples" in json.dumps(document["components"]["schemas"]["Emissions"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "401" in operation["responses"], path
            assert "application/problem+json" in operation["responses"]["401"]["content"]
