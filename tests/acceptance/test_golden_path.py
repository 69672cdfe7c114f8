"""The golden path, as ``make golden`` walks it: bills in three clouds, one command, and the same figures everywhere.

The product runs as its users run it: ``run`` with a settings file, ``report``, ``reconcile``, ``verify``, and ``serve``
asked over HTTP. The figures that all of it must give are summed from the raw bills by
``support.golden_raw``, which knows nothing of the product.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.golden_clouds import Clouds, free_port, three_clouds, wait_for
from support.golden_raw import added, multiplied

NEAR = Decimal("1e-9")
"""Impacts are doubles per row: quantity x rate may differ in the last places."""

Key = tuple[str, ...]


@dataclass
class Golden:
    """Three clouds, a ledger that was filled from them by one command, and a server on it."""

    clouds: Clouds
    folder: Path
    ran: dict[str, Any]
    api: httpx.Client

    def asked(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return what the API answers."""
        answer = self.api.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    def rates(self) -> dict[tuple[str | None, ...], dict[str, Any]]:
        """Return the rate card of the API by what its SKU is called."""
        card: dict[tuple[str | None, ...], dict[str, Any]] = {}
        page: dict[str, Any] = self.asked("rates", limit=1000)
        while True:
            for rate in page["rates"]:
                key = tuple(rate[name] for name in _SKU)
                figures = {name: rate[name] for name in ("total_kgco2e_central", "energy_kwh_central")}
                assert card.setdefault(key, figures) == figures, f"two rates for {key}"
            if page["next"] is None:
                return card
            page = self.asked("rates", limit=1000, cursor=page["next"])


_SKU = ("provider", "period", "service_name", "sku_id", "sku_meter", "operation", "consumed_unit", "region_id")


def read(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON without losing a digit."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def command(folder: Path, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Run a command of the product in a folder and return its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "offgridflow", *arguments, "--format", "json"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr[-3000:]
    return read(done.stdout)


def environment() -> dict[str, str]:
    """Return this process's environment with credentials that the default chain of AWS finds."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "AWS_CONFIG_FILE": "/nonexistent",
    }


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Golden]:
    """The path walked once: clouds up, one run, a server on the ledger."""
    folder = tmp_path_factory.mktemp("golden")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        with three_clouds(folder / "bills") as clouds:
            (folder / "offgridflow.toml").write_text(clouds.settings())
            ran = command(folder, "run")
            port = free_port()
            serve = [sys.executable, "-m", "offgridflow", "serve", "--port", str(port)]
            server = subprocess.Popen(serve, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
            try:
                wait_for(f"http://127.0.0.1:{port}/readyz", server)
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as api:
                    yield Golden(clouds, folder, ran, api)
            finally:
                server.terminate()
                server.wait(120)


def by(rows: list[dict[str, Any]], column: str, *keys: str) -> dict[Key, Decimal]:
    """Return a column of rows by keys."""
    return {tuple(row[key] for key in keys): row[column] for row in rows}


def tell(what: str, raw: Mapping[Key, Decimal]) -> None:
    """Print what was compared; ``make golden`` shows it."""
    print(f"\n{what}: the same from raw bills, CLI and API")  # noqa: T201 - the output of make golden
    for key, value in sorted(raw.items()):
        print(f"  {' '.join(key):64} {value:>24,.4f}")  # noqa: T201 - see above


def test_every_source_was_read_in_one_run(golden: Golden) -> None:
    """One command commits every month of every bill and carbon report, from real servers, and nothing fails."""
    assert golden.ran["status"] == "ok"
    months = [(each["source"], each["billing_period"], each["status"]) for each in golden.ran["periods"]]
    expected = [(name, month, "committed") for name in golden.clouds.sources for month in ("2025-05", "2025-06")]
    assert sorted(months) == sorted(expected)
    for cloud, server in golden.clouds.servers.items():
        print(f"\n{cloud}: {server}")  # noqa: T201 - see above
    assert all(check["ok"] for check in command(golden.folder, "verify")["checks"])


def test_lines_and_money_of_every_invoice(golden: Golden) -> None:
    """Lines and money of each (provider, month, currency) are those of the raw bill, to the last digit."""
    keys = ("provider", "month", "currency")
    bills = [each for each in golden.ran["periods"] if "carbon" not in each["source"]]
    columns = ("provider", "billing_period", "billing_currency")
    lines, money = added(golden.clouds.lines, "counts", keys), added(golden.clouds.lines, "billed", keys)
    assert by(bills, "line_items", *columns) == lines
    assert by(bills, "billed_cost", *columns) == money
    tell("Lines of the invoices", lines)
    tell("Money of the invoices", money)


def test_cost_of_use_by_account(golden: Golden) -> None:
    """Cost of usage by provider, account and month: raw bills = CLI = API, and what is excluded closes the gap."""
    usage = [line for line in golden.clouds.lines if line.is_usage]
    raw = added(usage, "billed", ("provider", "account", "month", "currency"))
    keys = ("provider", "sub_account_id", "month", "billing_currency")
    cli = command(golden.folder, "report", "--by", "provider,sub_account_id,month")
    api = golden.asked("emissions", by="provider,sub_account_id,month")
    assert by(cli["rows"], "billed_cost", *keys) == raw
    assert by(api["rows"], "billed_cost", *keys) == raw
    assert (cli["rows"], cli["total"], cli["excluded"]) == (api["rows"], api["total"], api["excluded"])
    tell("Cost of use", raw)


@pytest.mark.parametrize(
    ("column", "rate"), [("total_kgco2e", "total_kgco2e_central"), ("energy_kwh", "energy_kwh_central")]
)
def test_carbon_and_energy_are_raw_quantity_times_rate(golden: Golden, column: str, rate: str) -> None:
    """Each raw line's quantity x the rate that the API gives for its SKU adds up to what CLI and API say."""
    card = {key: figures[rate] for key, figures in golden.rates().items()}
    raw = multiplied(golden.clouds.lines, card)
    cli = by(command(golden.folder, "report", "--by", "provider,month")["rows"], column, "provider", "month")
    api = by(golden.asked("emissions", by="provider,month")["rows"], column, "provider", "month")
    assert cli == api
    assert set(cli) == set(raw)
    for key, value in raw.items():
        assert value > 0
        assert abs(cli[key] / value - 1) < NEAR, key
    tell(column, raw)


def test_what_the_providers_say_stands_beside(golden: Golden) -> None:
    """The providers' own figures reach CLI and API as they were published, and are not mixed into ours."""
    raw: dict[Key, Decimal] = {key: Decimal(repr(value)) for key, value in golden.clouds.published.items()}
    cli = command(golden.folder, "reconcile", "--by", "month,provider")["rows"]
    api = golden.asked("reconcile", by="month,provider")["rows"]
    assert cli == api
    stated = [row for row in cli if row["reported_total_location_kgco2e"] is not None]
    assert by(stated, "reported_total_location_kgco2e", "provider", "month") == raw
    tell("Published by the providers, kgCO2e", raw)
