"""Grid factors by the hour, from the user's file and a bill to the rows of the ledger and to ``explain``."""

import json
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import offgridflow
from offgridflow.cli import main

HEAD = (
    "provider,charge_period_start,billing_account_id,service_name,sku_meter,instance_type,region_id,"
    "consumed_quantity,consumed_unit,billed_cost,billing_currency"
)
GRID_HEAD = "provider,place,period,g_per_kwh,boundary,source"
DUBLIN, VIRGINIA = "eu-west-1", "us-east-1"
HOURS = (
    f"aws,{DUBLIN},2025-06-03T10,100,lifecycle_delivered,wind of the TSO",
    f"aws,{DUBLIN},2025-06-03T11,900,lifecycle_delivered,gas of the TSO",
)
YEAR = f"aws,{DUBLIN},2025,500,lifecycle_delivered,annual report"
Row = dict[str, Any]
Ingest = Callable[..., dict[str, Row]]
Say = Callable[..., Any]


def use(instant: str, region: str = DUBLIN) -> str:
    """Return a line of a bill: ten hours of one machine that began at an instant."""
    return f"aws,{instant},111,Amazon Elastic Compute Cloud,BoxUsage:m5.large,m5.large,{region},10,Hrs,1.00,EUR"


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in an empty working folder, and return its JSON."""
    for name in [name for name in os.environ if name.startswith("OFFGRIDFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Any:  # noqa: ANN401  JSON
        capsys.readouterr()
        assert main.run([*arguments, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out, parse_float=Decimal)

    return run


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str, Sequence[str]], None]:
    """Write settings of a grain and of a grid file, whose rows may be none."""

    def write(grain: str, grid: Sequence[str]) -> None:
        (tmp_path / "mine.csv").write_text("\n".join((GRID_HEAD, *grid)) + "\n", encoding="utf-8")
        toml = f'[grain]\nperiod = "{grain}"\n'
        toml += '[methodology]\ngrid_file = "mine.csv"\n' if grid else ""
        (tmp_path / "offgridflow.toml").write_text(toml, encoding="utf-8")

    return write


@pytest.fixture
def ingest(say: Say, settings: Callable[[str, Sequence[str]], None], tmp_path: Path) -> Ingest:
    """Ingest lines at a grain under a grid file into a ledger of its own, verify it, and return its rows by key.

    The key is region and start; a row has the ledger's columns, and the period and factors of its rate.
    """

    def run(lines: Sequence[str], grain: str, grid: Sequence[str], name: str = "ledger") -> dict[str, Row]:
        settings(grain, grid)
        bill = tmp_path / "activities.csv"
        bill.write_text("\n".join((HEAD, *lines)) + "\n", encoding="utf-8")
        say("ingest", str(bill), "--ledger", name)
        return rows_of(say, name)

    return run


def rows_of(say: Say, name: str) -> dict[str, Row]:
    """Verify a ledger and return its rows by region and start."""
    assert all(check["ok"] for check in say("verify", "--ledger", name)["checks"])
    with offgridflow.open(name) as ledger:
        ledger.con.execute("SET TimeZone = 'UTC'")
        found = ledger.con.execute(
            "SELECT concat(e.region_id, ' ', strftime(charge_period_start, '%Y-%m-%dT%H')), e.rate_id, r.period, "
            "e.assumptions, r.factor_ids, e.energy_kwh, e.operational_location_kgco2e AS kg, e.embodied_kgco2e, "
            "e.water_l FROM emissions e JOIN rates r USING (rate_id)"
        )
        names = [column[0] for column in found.description or []]
        return {values[0]: dict(zip(names, values, strict=True)) for values in found.fetchall()}


def test_each_hour_has_its_own_factor(ingest: Ingest, say: Say) -> None:
    """Equal use in hours of 100 and 900 g/kWh is 1 : 9, all else equal; explain names the hour's factor and source."""
    rows = ingest([use("2025-06-03T10:00:00Z"), use("2025-06-03T11:00:00Z")], "hour", HOURS)
    clean, dirty = rows[f"{DUBLIN} 2025-06-03T10"], rows[f"{DUBLIN} 2025-06-03T11"]
    assert (clean["period"], dirty["period"]) == ("2025-06-03T10", "2025-06-03T11")
    assert clean["kg"] == pytest.approx(clean["energy_kwh"] * 0.1, rel=1e-12)
    assert dirty["kg"] == pytest.approx(clean["kg"] * 9, rel=1e-12)
    for name in ("energy_kwh", "embodied_kgco2e", "water_l", "assumptions"):
        assert clean[name] == dirty[name], name
    assert "grid_hour_missing" not in clean["assumptions"]
    first, second = say("explain", "--ledger", "ledger")["skus"]
    assert (first["month"], first["period"], second["period"]) == ("2025-06", "2025-06-03T11", "2025-06-03T10")
    for sku, source, kilograms in ((first, "gas of the TSO", 0.9), (second, "wind of the TSO", 0.1)):
        assert sku["same_rate_as_ledger"] is True
        (own,) = [each for each in sku["factors"] if each["kind"] == "user_grid"]
        assert own["factor_id"] == f"user:mine:aws:{DUBLIN}:{sku['period']}:lifecycle_delivered"
        assert (own["source"], own["vintage"], float(own["central"])) == (source, sku["period"], kilograms)


@pytest.mark.parametrize("grain", ["day", "month"])
def test_a_coarser_grain_takes_the_mean_of_the_hours(ingest: Ingest, say: Say, grain: str) -> None:
    """The same bill and file at day or month grain are one row at 500 g/kWh under the rate of the month, unmarked."""
    (row,) = ingest([use("2025-06-03T10:00:00Z"), use("2025-06-03T11:00:00Z")], grain, HOURS).values()
    assert row["period"] == "2025-06"
    assert row["kg"] == pytest.approx(row["energy_kwh"] * 0.5, rel=1e-12)
    assert "grid_hour_missing" not in row["assumptions"]
    (sku,) = say("explain", "--ledger", "ledger")["skus"]
    assert (sku["period"], sku["same_rate_as_ledger"]) == ("2025-06", True)


@pytest.mark.parametrize(("more", "grams"), [((), 500), ((f"aws,{DUBLIN},2025-06,300,lifecycle_delivered,TSO",), 300)])
def test_an_hour_without_a_factor_takes_its_months_and_is_marked(
    ingest: Ingest, more: tuple[str, ...], grams: float
) -> None:
    """In a month with hours, an hour without one is rated by the month's own row, else by the mean, and says so."""
    lines = [use("2025-06-03T10:00:00Z"), use("2025-06-03T12:00:00Z"), use("2025-07-03T12:00:00Z")]
    rows = ingest(lines, "hour", (*HOURS, *more, YEAR))
    row, later = rows[f"{DUBLIN} 2025-06-03T12"], rows[f"{DUBLIN} 2025-07-03T12"]
    assert row["kg"] == pytest.approx(row["energy_kwh"] * grams / 1000, rel=1e-12)
    assert {"grid_user", "grid_hour_missing"} <= set(row["assumptions"])
    assert f"user:mine:aws:{DUBLIN}:2025-06:lifecycle_delivered" in row["factor_ids"]
    assert "grid_hour_missing" not in rows[f"{DUBLIN} 2025-06-03T10"]["assumptions"]
    assert later["period"] == "2025-07"
    assert "grid_hour_missing" not in later["assumptions"]


def test_without_hourly_factors_the_hour_has_the_rates_of_the_month(ingest: Ingest) -> None:
    """At the grain of the hour, a file of years gives the rate ids of the month, one for all hours, as at day grain."""
    lines = [use("2025-06-03T10:00:00Z"), use("2025-06-03T11:00:00Z"), use("2025-06-03T11:00:00Z", VIRGINIA)]
    for name, grid in (("ours", ()), ("mine", (YEAR,))):
        hours, days = ingest(lines, "hour", grid, f"{name}-hour"), ingest(lines, "day", grid, f"{name}-day")
        assert len(hours) == 3
        assert {row["rate_id"] for row in hours.values()} == {row["rate_id"] for row in days.values()}
        assert {row["period"] for row in hours.values()} == {"2025-06"}


def test_a_region_without_hours_keeps_its_months_rate(ingest: Ingest) -> None:
    """Beside a region with hours, one without has the factor and the one rate of its month, as at day grain."""
    lines = [use(f"2025-06-03T{hour}:00:00Z", region) for hour in (10, 11) for region in (DUBLIN, VIRGINIA)]
    hours, days = ingest(lines, "hour", HOURS, "by-hour"), ingest(lines, "day", HOURS, "by-day")
    plain = [hours[f"{VIRGINIA} 2025-06-03T{hour}"] for hour in (10, 11)]
    assert [row["period"] for row in plain] == ["2025-06", "2025-06"]
    assert {row["rate_id"] for row in plain} == {days[f"{VIRGINIA} 2025-06-03T00"]["rate_id"]}
    assert hours[f"{DUBLIN} 2025-06-03T10"]["rate_id"] != hours[f"{DUBLIN} 2025-06-03T11"]["rate_id"]


def test_the_precedence_holds_for_hours(ingest: Ingest, say: Say, tmp_path: Path) -> None:
    """Under ``factor_set`` hours only fill gaps: where the set has a factor, the rate is that of the month."""
    toml = '[grain]\nperiod = "hour"\n[methodology]\ngrid_file = "mine.csv"\ngrid_precedence = "factor_set"\n'
    ingest([use("2025-06-03T10:00:00Z"), use("2025-06-03T11:00:00Z")], "hour", HOURS)
    (tmp_path / "offgridflow.toml").write_text(toml, encoding="utf-8")
    say("rerate", "--ledger", "ledger")
    rows = rows_of(say, "ledger")
    assert {row["period"] for row in rows.values()} == {"2025-06"}
    assert not any("grid_user" in row["assumptions"] for row in rows.values())


def test_rerating_brings_hours_to_what_is_stored(
    ingest: Ingest, say: Say, settings: Callable[[str, Sequence[str]], None]
) -> None:
    """A ledger at the grain of the hour takes hourly factors by ``rerate``, with the rows of an ingest under them."""
    lines = [use("2025-06-03T10:00:00Z"), use("2025-06-03T11:00:00Z")]
    plain, wanted = ingest(lines, "hour", (), "later"), ingest(lines, "hour", HOURS, "at-once")
    assert plain != wanted
    settings("hour", HOURS)
    say("rerate", "--ledger", "later")
    assert rows_of(say, "later") == wanted


def test_which_hour_has_which_factor_is_in_the_digest(ingest: Ingest) -> None:
    """Two files that differ only in which hour has which value give rates with other ids, at any grain."""
    swapped = [line.replace("T10", "T1x").replace("T11", "T10").replace("T1x", "T11") for line in HOURS]
    lines = [use("2025-06-03T12:00:00Z")]
    for grain in ("hour", "day"):
        (one,) = ingest(lines, grain, HOURS, f"one-{grain}").values()
        (two,) = ingest(lines, grain, swapped, f"two-{grain}").values()
        assert one["kg"] == two["kg"]
        assert one["rate_id"] != two["rate_id"]


def test_a_what_if_is_by_the_month_on_both_sides(ingest: Ingest, say: Say) -> None:
    """A what-if compares at the mean of the hours, before as after: a difference comes from the change alone."""
    rows = ingest([use("2025-06-03T10:00:00Z"), use("2025-06-03T12:00:00Z")], "hour", HOURS)
    found = say("whatif", "--family", "m5:m5a", "--ledger", "ledger")["impact_total"]
    mean = sum(row["energy_kwh"] * 0.5 + row["embodied_kgco2e"] for row in rows.values())
    assert float(found["total_kgco2e_before"]) == pytest.approx(mean, rel=1e-9)
    assert float(found["total_kgco2e_after"]) != float(found["total_kgco2e_before"])
