"""HEAD and OPTIONS at every address, and what 405 says of the others."""

from collections.abc import Callable

import httpx
import pytest

from support.server import ApiClient, server_of

Serve = Callable[..., ApiClient]
PATHS = [
    "/",
    "/explain",
    "/docs",
    "/login",
    "/healthz",
    "/readyz",
    "/static/app.css",
    "/api/v1/openapi.json",
    "/api/v1/emissions?by=provider",
    "/api/v1/emissions?by=provider&format=csv",
    "/api/v1/emissions?by=bogus",
    "/api/v1/runs",
    "/api/v1/nothing",
    *(f"/api/v1/export?format={form}" for form in ("csv", "ndjson", "parquet", "arrow")),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_head_is_get_without_a_body(api: ApiClient, path: str, accepted: str) -> None:
    """Status and headers are those of GET, the second time too, when the answer is in memory; there is no body."""
    asked = {"Accept-Encoding": accepted}
    for _ in range(2):
        head, get = (api.request(method, path, headers=asked) for method in ("HEAD", "GET"))
        assert head.status_code == get.status_code
        assert head.content == b""
        assert _compared(head) == _compared(get)
        tagged = get.headers.get("etag")
        if tagged:
            assert api.head(path, headers={**asked, "If-None-Match": tagged}).status_code == 304


def _compared(answer: httpx.Response) -> dict[str, object]:
    """Return headers but the date; which others an answer varies with may be told twice."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "vary"}}
    return {**headers, "vary": set(answer.headers.get("vary", "").split(", "))}


def test_head_of_an_export_reads_no_row(api: ApiClient) -> None:
    """Where no export can start, its HEAD is answered all the same."""
    gate = server_of(api).parts.service.exports
    taken = 0
    while api.get("/api/v1/export").status_code == 200:
        gate.try_enter()
        taken += 1
    try:
        assert api.head("/api/v1/export").status_code == 200
    finally:
        for _ in range(taken):
            gate.leave()


def test_head_needs_what_get_needs(serve: Serve) -> None:
    """Without a token HEAD and OPTIONS tell nothing; a page leads to the login."""
    client = serve()
    server_of(client).parts.tokens.create("somebody")
    for method in ("HEAD", "OPTIONS"):
        assert client.request(method, "/api/v1/emissions").status_code == 401
    assert client.head("/", headers={"Accept": "text/html"}).status_code == 303
    assert client.head("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", {"GET", "HEAD", "OPTIONS"}),
        ("/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("/login", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/static/app.css", {"GET", "HEAD", "OPTIONS"}),
        ("/api/v1/emissions", {"GET", "HEAD", "OPTIONS"}),
        ("/api/v1/runs", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/api/v1/runs/abc/cancel", {"POST", "OPTIONS"}),
        ("/api/v1/openapi.json", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_an_address_names_its_methods(api: ApiClient, path: str, methods: set[str]) -> None:
    """OPTIONS is 204, and any other method 405, with all methods that the address knows."""
    told = api.options(path)
    assert (told.status_code, told.content) == (204, b"")
    refused = api.delete(path)
    assert refused.status_code == 405
    for answer in (told, refused):
        assert set(answer.headers["allow"].split(", ")) == methods
    assert api.options("/api/v1/nothing").status_code == 404


def test_metrics_name_routes_whatever_is_compressed(api: ApiClient) -> None:
    """A request counts under the template of its route and its own method, compressed or not."""
    for accepted in ("gzip", "identity"):
        for method in ("GET", "HEAD"):
            api.request(method, "/api/v1/history?limit=7", headers={"Accept-Encoding": accepted, "Accept": "text/csv"})
    api.head("/docs", headers={"Accept-Encoding": "identity"})
    text = api.get("/metrics").text
    assert 'route="/docs",method="HEAD",status="200"' in text
    assert 'route="/api/v1/history",method="GET",status="200"' in text
