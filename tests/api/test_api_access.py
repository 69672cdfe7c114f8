"""Who may see what: tokens, scopes, restrictions, sessions, hosts, other sites, and how often."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offgridflow.api.access import Restriction, Scope
from offgridflow.api.serving import server_of as bound_server
from offgridflow.cli.main import run
from offgridflow.domain.errors import UsageError
from offgridflow.settings import ApiSettings, Settings
from support.server import ApiClient, make_ledger, server_of

if TYPE_CHECKING:
    from offgridflow.api.tokens import Tokens

OPEN = {"/healthz", "/readyz"}
WHOLE = {
    "/api/v1/sources",
    "/api/v1/quarantine",
    "/api/v1/history",
    "/api/v1/runs",
    "/api/v1/runs/{run_id}",
    "/api/v1/reconcile",
    "/api/v1/reported",
    "/api/v1/inventory",
    "/metrics",
}

PAGES = ["/", "/explain", "/whatif", "/docs"]
Serve = Callable[..., ApiClient]


def routes_of(client: ApiClient) -> list[tuple[str, str]]:
    """Return every (method, path) of the OpenAPI document, with parameters filled in."""
    document = server_of(client).fastapi.openapi()
    return [
        (method.upper(), path.replace("{run_id}", "abc") + ("?year=2025" if path.endswith("inventory") else ""))
        for path, operations in document["paths"].items()
        for method in operations
    ]


def token_of(client: ApiClient, scope: Scope = Scope.READ, restriction: Restriction | None = None) -> str:
    """Make a token on the server behind a client."""
    _, token = server_of(client).parts.tokens.create("test", scope, restriction or Restriction())
    return token


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


def test_every_route_wants_a_token_once_there_is_one(serve: Serve) -> None:
    """Without a token, with a wrong, a revoked and an expired one, every route but health answers 401 as a problem."""
    client = serve()
    tokens = server_of(client).parts.tokens
    good = token_of(client)
    revoked, dead = tokens.create("revoked")
    assert tokens.revoke(revoked.token_id)
    _, expired = tokens.create("expired", valid_days=-1)
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    for headers in (
        {},
        bearer(wrong),
        bearer(dead),
        bearer(expired),
        bearer("nonsense"),
        {"Authorization": "Basic eDp5"},
    ):
        for method, path in routes_of(client):
            answer = client.request(method, path, headers=headers)
            if path in OPEN and not headers:
                assert answer.status_code == 200
                continue
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "www-authenticate" in answer.headers
    for page in PAGES:
        login = "/login" if page == "/" else f"/login?next={page}"
        assert client.get(page, headers={"Accept": "text/html"}, follow_redirects=False).headers["location"] == login


def test_a_read_token_cannot_start_or_cancel(serve: Serve) -> None:
    """Runs need the scope run: a read token gets 403."""
    client = serve()
    headers = {**bearer(token_of(client)), "Idempotency-Key": "k"}
    assert client.post("/api/v1/runs", json={}, headers=headers).status_code == 403
    assert client.post("/api/v1/runs/abc/cancel", headers=headers).status_code == 403
    starter = {**bearer(token_of(client, Scope.RUN)), "Idempotency-Key": "k"}
    assert client.post("/api/v1/runs", json={}, headers=starter).status_code == 202


@pytest.mark.parametrize("restriction", [Restriction(("333",)), Restriction((), (("team", ("ads",)),))])
def test_a_restricted_token_sees_its_rows_only(serve: Serve, restriction: Restriction) -> None:
    """No answer of any route tells a restricted token of another account: cut to its rows, or 403."""
    client = serve()
    headers = bearer(token_of(client, restriction=restriction))
    for method, path in routes_of(client):
        answer = client.request(method, path, headers={**headers, "Idempotency-Key": "k"})
        template = path.partition("?")[0].replace("/abc", "/{run_id}")
        if template in WHOLE or method == "POST":
            assert answer.status_code == 403, (method, path)
            continue
        assert answer.status_code in {200, 422}, (method, path, answer.text)
        assert "us-east-1" not in answer.text, path
        assert "222" not in [cell for row in answer.text.split() for cell in row.split(",")], path
    rows = client.get("/api/v1/emissions?by=sub_account_id", headers=headers).json()["rows"]
    assert [row["sub_account_id"] for row in rows] == ["333"]
    page = client.get("/?by=sub_account_id", headers={**headers, "Accept": "text/html"})
    assert page.status_code == 200
    assert "us-east-1" not in page.text


def test_a_restricted_answer_is_never_given_to_another(serve: Serve) -> None:
    """Kept answers and ETags belong to a restriction: the same question gives each token its own."""
    client = serve()
    whole, part = bearer(token_of(client)), bearer(token_of(client, restriction=Restriction(("333",))))
    first = client.get("/api/v1/emissions", headers=whole)
    second = client.get("/api/v1/emissions", headers={**part, "If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert second.json()["total"] != first.json()["total"]


def test_a_token_has_a_pace(serve: Serve) -> None:
    """Past its bucket a token gets 429 with Retry-After; another token is not slowed."""
    client = serve(burst=3, requests_per_minute=1)
    one, other = bearer(token_of(client)), bearer(token_of(client))
    codes = [client.get("/api/v1/sources", headers=one).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = client.get("/api/v1/sources", headers=one)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["code"] == "RATE_LIMITED"
    assert client.get("/api/v1/sources", headers=other).status_code == 200


def test_other_names_of_this_machine_are_refused(serve: Serve) -> None:
    """A name that was rebound to 127.0.0.1 gets 421, with and without a port; names of the settings are answered."""
    client = serve(hosts=("carbon.example",))
    for host in ("evil.example", "evil.example:8390", "127.0.0.1.evil.example", ""):
        assert client.get("/healthz", headers={"Host": host}).status_code == 421
    for host in ("localhost:1", "127.0.0.1", "[::1]:8390", "carbon.example"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "none"}, 202),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "OWN"}, 202),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(serve: Serve, headers: dict[str, str], status: int) -> None:
    """A changing request from another site is refused by the headers that browsers set."""
    client = serve()
    own = {name: str(client.base_url) if value == "OWN" else value for name, value in headers.items()}
    answer = client.post("/api/v1/runs", json={}, headers={"Idempotency-Key": "k", **own})
    assert answer.status_code == status


def test_a_token_opens_a_browser_session_that_ends_with_it(serve: Serve) -> None:
    """Sign-in sets an HttpOnly, SameSite=Lax cookie; sign-out and revoking the token end it."""
    client = serve()
    tokens = server_of(client).parts.tokens
    record, token = tokens.create("person")
    assert client.post("/login", content="token=wrong").status_code == 401
    signed_in = client.post("/login", content=f"token={token}", follow_redirects=False)
    assert signed_in.status_code == 303
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert token not in cookie
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    crossed = client.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert crossed.status_code == 403
    assert tokens.revoke(record.token_id)
    other = tokens.create("still asks")
    assert other is not None
    assert client.get("/api/v1/sources").status_code == 401


def test_a_login_leads_to_the_page_that_was_asked_for(serve: Serve) -> None:
    """The address goes along through the login, a wrong token too; who is signed in already is sent on."""
    client = serve()
    _, token = server_of(client).parts.tokens.create("person")
    asked = "/?by=service_name&where=provider%3Daws&where=tag%3Ateam%3Da%26b%22%3E"
    shown = client.get(asked, headers={"Accept": "text/html"})
    assert shown.status_code == 303
    form = client.get(shown.headers["location"])
    assert _next_of(form.text) == asked
    refused = client.post("/login", data={"token": "wrong", "next": _next_of(form.text)})
    assert (refused.status_code, _next_of(refused.text)) == (401, asked)
    signed_in = client.post("/login", data={"token": token, "next": _next_of(refused.text)})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, asked)
    again = client.get(shown.headers["location"])
    assert (again.status_code, again.headers["location"]) == (303, asked)
    assert client.get(asked, headers={"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_an_address_that_is_too_long_to_take_along_leads_to_the_login_all_the_same(serve: Serve) -> None:
    """The login opens; it leads to the overview then."""
    client = serve()
    server_of(client).parts.tokens.create("person")
    shown = client.get("/?by=" + "%C3%A9" * 1300, headers={"Accept": "text/html"})
    assert (shown.status_code, shown.headers["location"]) == (303, "/login")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "evil.example",
        "javascript:alert(1)",
        "//[",
        "",
        "/login?next=/x",
    ],
)
def test_a_login_leads_to_no_other_site(serve: Serve, target: str) -> None:
    """Whatever stands in next, a login ends on this server; what is no address of it means the overview."""
    client = serve()
    _, token = server_of(client).parts.tokens.create("person")
    assert _next_of(client.get("/login", params={"next": target}).text) == "/"
    signed_in = client.post("/login", data={"token": token, "next": target})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    again = client.get("/login", params={"next": target})
    assert (again.status_code, again.headers["location"]) == (303, "/")


def _next_of(page: str) -> str:
    found = re.search(r'name="next" value="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def test_only_the_hash_of_a_token_is_kept(serve: Serve, tmp_path: Path) -> None:
    """Neither the token nor a session's secret stands in the file or in any list."""
    client = serve()
    tokens = server_of(client).parts.tokens
    record, token = tokens.create("secret")
    caller = tokens.caller(token)
    assert caller is not None
    session = tokens.open_session(caller, 1)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("state.sqlite*"))
    assert record.token_id.encode() in kept
    for secret in (token, token.rpartition("_")[2], session):
        assert secret.encode() not in kept
    assert token not in str(tokens.list())


def test_a_token_that_another_process_revokes_opens_nothing_from_then_on(serve: Serve, tmp_path: Path) -> None:
    """What the guard remembers of tokens lasts until the file changes, by whatever hand; taking the file away too."""
    client = serve()
    record, token = server_of(client).parts.tokens.create("seen")
    assert client.get("/api/v1/sources", headers=bearer(token)).status_code == 200
    _, other = server_of(client).parts.tokens.create("other")
    path = tmp_path / "state.sqlite"
    script = (
        "import sys, pathlib; from offgridflow.api.state import State; from offgridflow.api.tokens import Tokens; "
        "print(Tokens(State(pathlib.Path(sys.argv[1]))).revoke(sys.argv[2]))"
    )
    told = subprocess.run([sys.executable, "-c", script, str(path), record.token_id], capture_output=True, check=True)
    assert told.stdout.strip() == b"True"
    assert client.get("/api/v1/sources", headers=bearer(token)).status_code == 401
    assert client.get("/api/v1/sources", headers=bearer(other)).status_code == 200
    for each in tmp_path.glob("state.sqlite*"):
        each.unlink()
    assert client.get("/api/v1/sources", headers=bearer(other)).status_code == 401


def test_a_server_for_others_opens_to_nobody_when_its_last_token_ends(serve: Serve) -> None:
    """Beyond loopback the end of all tokens, by time or revocation, never makes everybody the machine's user."""
    client = serve(host="0.0.0.0", hosts=("carbon.example",))  # noqa: S104  it listens on loopback here
    tokens = server_of(client).parts.tokens
    record, token = tokens.create("the only one")
    headers = {"Host": "carbon.example"}
    assert client.get("/api/v1/sources", headers={**headers, **bearer(token)}).status_code == 200
    assert tokens.revoke(record.token_id)
    for host in ("carbon.example", "localhost"):
        assert client.get("/api/v1/sources", headers={"Host": host}).status_code == 401


def test_without_a_token_the_server_binds_to_this_machine_only(ledger: Path, tmp_path: Path) -> None:
    """Another address is refused until a token exists."""
    beyond = Settings(api=ApiSettings(host="0.0.0.0", state=tmp_path / "s.sqlite"))  # noqa: S104  it is refused
    with pytest.raises(UsageError, match="binds to this machine only"):
        bound_server(beyond, str(ledger))


def test_tokens_are_made_listed_and_revoked_by_command(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command makes a token, lists it without its secret, and revokes it once; a restricted one cannot run."""
    make = ["token", "create", "--name", "ci", "--account", "333", "--tag", "team=ads", "--ledger", str(ledger)]
    assert run([*make, "--format", "csv"]) == 0
    made = capsys.readouterr().out.splitlines()[1].split(",")
    assert run([*make, "--scope", "run"]) == 2
    assert run(["token", "list", "--ledger", str(ledger), "--format", "json"]) == 0
    listed = capsys.readouterr().out
    assert made[0] in listed
    assert made[-1] not in listed
    assert run(["token", "revoke", made[0], "--ledger", str(ledger)]) == 0
    assert run(["token", "revoke", made[0], "--ledger", str(ledger)]) == 2


def test_a_token_for_a_tag_that_nothing_keeps_comes_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tag of the ledger's rows is taken silently; of another one is said that the token sees nothing."""
    ledger = make_ledger(tmp_path)
    for tag, is_warned in (("team=search", False), ("unknownkey=1", True)):
        assert run(["token", "create", "--name", "x", "--tag", tag, "--ledger", str(ledger), "--format", "json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert ("sees nothing" in " ".join(said["warnings"])) == is_warned


def test_a_token_of_nonsense_opens_nothing(serve: Serve) -> None:
    """Odd texts are refused, not failed upon."""
    tokens: Tokens = server_of(serve()).parts.tokens
    for text in ("", "_", "__", "ogf__", "ogf_a_b", "ogf_" + "x" * 500, "ogf_\0_\0", "a_b_c_d"):
        assert tokens.caller(text) is None
