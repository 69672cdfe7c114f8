"""What a user overrides in ``offgridflow.toml``, from a bill to its row in the ledger and to ``explain``."""

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from offgridflow.cli import main

HEAD = (
    "provider,charge_period_start,billing_account_id,service_name,sku_meter,instance_type,vcpu,region_id,"
    "consumed_quantity,consumed_unit,billed_cost,billing_currency"
)
CLOUD = "aws,2025-06-03,111,Amazon Elastic Compute Cloud,BoxUsage:m5.large,m5.large,,eu-west-1,10,Hrs,1.00,EUR"
OWN = "on-premise,2025-06-03,hall-1,Servers,node-12,,8,DEU,24,hours,0,EUR"
UNKNOWN = "aws,2025-06-04,111,Amazon Mystery,Mystery-Units,,,eu-west-1,10,Hrs,4.00,EUR"
Say = Callable[..., Any]


class Told(NamedTuple):
    """A row of the ledger as ``explain`` tells it: rate, steps by name, and the kinds of number in them."""

    rate: dict[str, Any]
    usage: dict[str, Any]
    steps: dict[str, dict[str, Any]]
    same_rate: bool
    factors: tuple[str, ...]

    def number(self, name: str) -> float:
        """Return the value of a step."""
        return float(self.steps[name]["value"])


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in an empty working folder with these settings, and return its JSON."""
    for name in [name for name in os.environ if name.startswith("OFFGRIDFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, toml: str | None = None) -> Any:  # noqa: ANN401  JSON
        if toml is not None:
            (tmp_path / "offgridflow.toml").write_text(toml, encoding="utf-8")
        capsys.readouterr()
        assert main.run([*arguments, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out, parse_float=Decimal)

    return run


@pytest.fixture
def told(say: Say, tmp_path: Path) -> Callable[[str, str], Told]:
    """Ingest lines under settings, verify the ledger, and explain its one usage SKU."""

    def ingest(line: str, toml: str) -> Told:
        bill = tmp_path / "activities.csv"
        bill.write_text(f"{HEAD}\n{line}\n", encoding="utf-8")
        say("ingest", str(bill), toml=toml)
        assert all(check["ok"] for check in say("verify")["checks"])
        (sku,) = say("explain")["skus"]
        steps = {step["name"]: step for step in sku["steps"]}
        return Told(
            sku["rate"],
            sku["usage"],
            steps,
            sku["same_rate_as_ledger"],
            tuple(each["factor_id"] for each in sku["factors"]),
        )

    return ingest


def _region(kind: str, provider: str, region: str, value: float) -> str:
    return (
        f'[[methodology.{kind}]]\nprovider = "{provider}"\nregion_id = "{region}"\nvalue = {value}\nsource = "meter"\n'
    )


def test_a_pue_of_the_user_is_in_the_row_and_in_the_arithmetic(told: Callable[[str, str], Told]) -> None:
    """The row carries ``pue_user``; energy is IT energy x overhead x that PUE, and explain tells the ledger's rate."""
    plain = told(CLOUD, "")
    own = told(CLOUD, _region("pue", "aws", "eu-west-1", 1.5))
    assert "pue_user" in own.rate["assumptions"]
    assert "pue_user" not in plain.rate["assumptions"]
    assert own.number("it_energy_kwh") == plain.number("it_energy_kwh")
    ratio = own.number("energy_kwh") / own.number("it_energy_kwh")
    assert ratio == pytest.approx(1.12 * 1.5)
    assert own.same_rate
    assert "1.5" in own.steps["energy at the meter in eu-west-1"]["expression"]


def test_a_utilisation_of_the_user_replaces_the_range_of_load(told: Callable[[str, str], Told]) -> None:
    """The row carries ``utilisation_user`` and not the default's mark, and a lower load draws less."""
    plain, own = told(CLOUD, ""), told(CLOUD, "[methodology]\nutilisation = 0.1\n")
    assert "utilisation_user" in own.rate["assumptions"]
    assert "utilisation_default" not in own.rate["assumptions"]
    assert own.number("it_energy_kwh") < plain.number("it_energy_kwh")
    assert own.same_rate


def test_a_contract_gives_the_market_based_figure_alone(told: Callable[[str, str], Told]) -> None:
    """Without a contract market-based is null; with one it is that factor and upstream; location-based stays."""
    toml = _region("contracts", "aws", "us-east-1", 0.01)
    line = CLOUD.replace("eu-west-1", "us-east-1")
    plain, own = told(line, ""), told(line, toml)
    assert "operational_market_kgco2e" not in plain.steps
    assert "market_contract" in own.rate["assumptions"]
    energy, upstream = own.number("energy_kwh"), own.number("operational_upstream_kgco2e")
    assert own.number("operational_market_kgco2e") == pytest.approx(energy * 0.01 + upstream)
    assert own.number("operational_location_kgco2e") == plain.number("operational_location_kgco2e")


def test_a_rate_of_the_user_comes_first(told: Callable[[str, str], Told]) -> None:
    """A rate by meter pattern replaces ours: method ``user_rate``, its kilograms times the quantity, embodied added."""
    toml = (
        '[[methodology.rates]]\nprovider = "aws"\nconsumed_unit = "Hrs"\nmeter = "BoxUsage:m5.*"\n'
        'operational_kgco2e = { central = 0.5, low = 0.4, high = 0.8 }\nembodied_kgco2e = 0.25\nsource = "rack meter"\n'
    )
    own = told(CLOUD, toml)
    assert own.rate["method"] == "user_rate"
    assert own.rate["assumptions"] == ["user_rate"]
    assert own.number("total_kgco2e") == 0.75
    assert Decimal(own.usage["total_kgco2e"]) == Decimal("7.5")
    assert own.same_rate


def test_own_activities_need_a_pue_and_then_have_a_figure(told: Callable[[str, str], Told]) -> None:
    """A server room in Germany is ``no_factor`` until its PUE is given; then it is rated by size and marked."""
    without = told(OWN, "")
    assert without.rate["reason"] == "no_factor"
    assert without.usage["total_kgco2e"] is None
    own = told(OWN, _region("pue", "country", "DEU", 1.45))
    assert {"vcpu_from_bill", "grid_country", "pue_user"} <= set(own.rate["assumptions"])
    assert own.number("energy_kwh") / own.number("it_energy_kwh") == pytest.approx(1.12 * 1.45)
    assert own.usage["total_kgco2e"] is not None


def test_grid_factors_of_the_user_win_unless_the_factor_set_shall(
    told: Callable[[str, str], Told], tmp_path: Path
) -> None:
    """A grid file wins under ``user`` and shows by its id; under ``factor_set`` it only fills gaps."""
    (tmp_path / "mine.csv").write_text(
        "provider,place,period,g_per_kwh,boundary,source\naws,eu-west-1,2025,100,lifecycle_delivered,TSO\n",
        encoding="utf-8",
    )
    own = told(CLOUD, '[methodology]\ngrid_file = "mine.csv"\n')
    assert "grid_user" in own.rate["assumptions"]
    assert own.number("operational_location_kgco2e") == pytest.approx(own.number("energy_kwh") * 0.1)
    assert any(each.startswith("user:mine:aws:eu-west-1:2025") for each in own.factors)
    ours = told(CLOUD, '[methodology]\ngrid_file = "mine.csv"\ngrid_precedence = "factor_set"\n')
    assert "grid_user" not in ours.rate["assumptions"]
    assert ours.number("operational_location_kgco2e") != own.number("operational_location_kgco2e")


def test_spend_is_a_bucket_of_its_own_and_no_part_of_the_total(say: Say, tmp_path: Path) -> None:
    """Switched on, an unknown service is bucket D in coverage, with range and source; the total stays as it was."""
    bill = tmp_path / "activities.csv"
    bill.write_text(f"{HEAD}\n{CLOUD}\n{UNKNOWN}\n", encoding="utf-8")
    say("ingest", str(bill), toml="")
    total, off = say("report")["impact_total"], say("coverage")
    assert off["by_spend"] == []
    spend = (
        '[[methodology.spend]]\ncurrency = "EUR"\nsource = "study"\n'
        "kgco2e_per_unit = { central = 0.2, low = 0.1, high = 0.4 }\n"
    )
    on = say("coverage", toml=spend)
    (row,) = on["by_spend"]
    assert Decimal(row["cost"]) == 4
    found = [Decimal(row[f"spend{end}_kgco2e"]) for end in ("_low", "", "_high")]
    assert found == [Decimal("0.4"), Decimal("0.8"), Decimal("1.6")]
    assert row["source"] == "study"
    assert on["headline"] == off["headline"]
    assert say("report")["impact_total"] == total
