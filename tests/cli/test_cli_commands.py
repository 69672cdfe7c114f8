"""The commands on a real, small ledger: shapes that checks rely on, and figures that agree with each other."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import offgridflow
from offgridflow.cli.commands.demo import TAG_KEYS, complete_months, further
from offgridflow.cli.main import run
from offgridflow.domain.errors import UsageError
from offgridflow.pipeline.runs import RunStore
from offgridflow.reports.inventory import inventory
from offgridflow.reports.inventory_page import sections
from offgridflow.reports.opened import open_ledger

Captured = pytest.CaptureFixture[str]
IMPACTS = [
    "energy_kwh",
    "operational_location_kgco2e",
    "operational_market_kgco2e",
    "embodied_kgco2e",
    "total_kgco2e",
    "total_low_kgco2e",
    "total_high_kgco2e",
    "water_l",
]


def _json(capsys: Captured, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON is what it is
    capsys.readouterr()
    assert run([*arguments, "--format", "json"]) == code
    return json.loads(capsys.readouterr().out, parse_float=Decimal)


def test_ingest_answers_in_the_shape_of_the_design(bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """One period with the raw delivery's lines and money; a second time it is unchanged; nothing else on stdout."""
    ledger = str(tmp_path / "L")
    first = _json(capsys, "ingest", str(bill), "--ledger", ledger)
    (period,) = first["periods"]
    assert set(period) == {
        *("source", "billing_period", "provider", "format", "billing_currency", "status", "line_items", "activities"),
        *("excluded", "quarantined", "billed_cost", "total_kgco2e", "fingerprint", "error"),
    }
    assert (period["status"], period["line_items"], period["billed_cost"]) == ("committed", 4, Decimal("4.62"))
    assert period["excluded"]["tax"] == {"line_items": 1, "billed_cost": Decimal("0.77")}
    assert first["status"] == "ok"
    again = _json(capsys, "ingest", str(bill), "--ledger", ledger)
    assert again["periods"][0] == {**period, "status": "unchanged"}


def test_a_file_that_is_no_bill_fails_with_code_1_and_the_rest_is_committed(
    bill: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    """A strange file is named with what to do; the bill beside it goes in; the exit code says that not all is well."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bill.csv").write_bytes(bill.read_bytes())
    (tmp_path / "in" / "strange.csv").write_text("a,b\n1,2\n")
    found = _json(capsys, "ingest", str(tmp_path / "in"), "--ledger", str(tmp_path / "L"), code=1)
    assert found["status"] == "partial"
    failed = [period for period in found["periods"] if period["status"] == "failed"]
    assert len(failed) == 1
    assert "strange.csv" in failed[0]["error"]["message"]
    assert run(["ingest", str(tmp_path / "in" / "strange.csv"), "--ledger", str(tmp_path / "L")]) == 1
    assert "strange.csv" in capsys.readouterr().out


def test_report_answers_in_the_shape_of_the_design(a_ledger: Path, capsys: Captured) -> None:
    """Keys, impacts, money and lines on rows and totals; coverage adds up to 1; excluded closes the gap."""
    found = _json(capsys, "report", "--by", "provider,service_name")
    assert [row["service_name"] for row in found["rows"]] == [
        "Amazon Elastic Compute Cloud",
        "Amazon Simple Queue Service",
    ]
    expected = {"provider", "service_name", "billing_currency", *IMPACTS, "billed_cost", "effective_cost", "line_items"}
    assert all(expected <= set(row) for row in found["rows"])
    assert set(IMPACTS) <= set(found["impact_total"])
    first = found["rows"][0]
    assert first["total_low_kgco2e"] <= first["total_kgco2e"] <= first["total_high_kgco2e"]
    assert first["line_items"] == 2
    for kind in ("cost", "line_items"):
        assert sum(found["coverage"][kind].values()) == 1
    assert found["total"][0]["billed_cost"] + found["excluded"]["tax"]["billed_cost"] == Decimal("4.62")
    assert found["factor_set"].startswith("offgridflow-")
    assert found["ledger_version"] >= 1


def test_days_and_filters_narrow_the_report(a_ledger: Path, capsys: Captured) -> None:
    """--from, --to and --where reach the report."""
    found = _json(
        capsys, "report", "--by", "day", "--from", "2025-06-02", "--to", "2025-06", "--where", "consumed_unit=Hours"
    )
    assert [(row["day"], row["line_items"]) for row in found["rows"]] == [("2025-06-02", 1)]


def test_csv_and_table_hold_what_json_holds(a_ledger: Path, capsys: Captured) -> None:
    """The three formats of one report agree; a meter that begins like a formula is guarded in CSV."""
    found = _json(capsys, "report", "--by", "sku_meter")
    assert run(["report", "--by", "sku_meter", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [Decimal(row["billed_cost"]) for row in rows] == [row["billed_cost"] for row in found["rows"]]
    assert rows[1]["sku_meter"] == "'=cmd() Requests"
    assert run(["report", "--by", "sku_meter"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert "=cmd() Requests" in shown
    assert "tax" in shown


def test_a_profile_is_a_view_that_is_not_stored(a_ledger: Path, capsys: Captured) -> None:
    """--methodology changes the figures of the answer and leaves ledger and version as they were."""
    ours = _json(capsys, "report")
    theirs = _json(capsys, "report", "--methodology", "ccf")
    assert theirs["methodology"] == "ccf"
    assert theirs["impact_total"]["total_kgco2e"] != ours["impact_total"]["total_kgco2e"]
    assert theirs["total"][0]["billed_cost"] == ours["total"][0]["billed_cost"]
    assert _json(capsys, "report") == ours


def test_a_report_under_the_ledgers_own_methodology_is_the_ledgers(a_ledger: Path, capsys: Captured) -> None:
    """Rating the same SKUs anew with the same factors gives the same figures, coverage and gaps, to the last digit."""
    ours = _json(capsys, "report", "--by", "service_name,status,method")
    again = _json(capsys, "report", "--by", "service_name,status,method", "--methodology", "default")
    assert again.pop("methodology") == "default"
    assert again == ours


def test_coverage_lists_what_was_not_estimated_with_its_reason(a_ledger: Path, capsys: Captured) -> None:
    """The requests stand under a reason with cost and lines; buckets add up to 1."""
    found = _json(capsys, "coverage")
    assert sum(row["cost_share"] for row in found["buckets"]) == 1
    assert [(row["reason"], row["line_items"]) for row in found["reasons"]] == [("request_priced", 1)]
    assert run(["coverage"]) == 0
    assert "request_priced" in capsys.readouterr().out
    assert run(["coverage", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("list,")


def test_explain_leads_from_the_ledgers_kilograms_to_factors(a_ledger: Path, capsys: Captured) -> None:
    """Quantity times the explained rate is the report's figure; the rate is the ledger's; factors have sources."""
    total = _json(capsys, "report", "--where", "consumed_unit=Hours")["impact_total"]["total_kgco2e"]
    found = _json(capsys, "explain", "--where", "consumed_unit=Hours")
    (sku,) = found["skus"]
    product = sku["usage"]["consumed_quantity"] * sku["rate"]["total_kgco2e"]["central"]
    assert abs(product - total) < Decimal("1e-12")
    assert sku["same_rate_as_ledger"] is True
    assert sku["steps"][-1]["unit"] == "kgCO2e"
    assert all(factor["source"] and factor["licence"] for factor in sku["factors"])
    assert run(["explain", "i-1", "--most", "1"]) == 0
    shown = capsys.readouterr().out
    assert "36 Hours x" in shown
    assert "1 smaller SKUs are not shown" in shown


def test_explain_says_why_there_is_no_figure(a_ledger: Path, capsys: Captured) -> None:
    """A SKU without an estimate is explained by its reason."""
    assert run(["explain", "=cmd() Requests"]) == 0
    assert "not estimated: request_priced" in capsys.readouterr().out
    assert run(["explain", "no such thing"]) == 0
    assert "Nothing in the ledger answers to that." in capsys.readouterr().out


M5 = ("--provider", "aws", "--service", "Amazon Elastic Compute Cloud", "--meter", "BoxUsage:m5.large", "--unit", "Hrs")


def test_explain_needs_no_ledger_for_a_named_sku(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SKU given on the command line is explained without any ledger, for the quantity given."""
    monkeypatch.chdir(tmp_path)
    found = _json(capsys, "explain", *M5, "--region", "us-east-1", "--month", "2025-06", "--quantity", "2")
    (sku,) = found["skus"]
    assert sku["usage"]["total_kgco2e"] == 2 * sku["rate"]["total_kgco2e"]["central"]
    assert sku["same_rate_as_ledger"] is None
    assert run(["explain", *M5, "--region", "us-east-1", "--month", "2025-06", "--format", "csv"]) == 0
    assert "embodied_kgco2e" in capsys.readouterr().out


def test_rates_lists_the_card_and_its_sensitivity(a_ledger: Path, capsys: Captured) -> None:
    """Each SKU once with its range; each group's low and high enclose the total; the range lies in the envelope."""
    card = _json(capsys, "rates")["rates"]
    assert len(card) == 2
    assert len(_json(capsys, "rates", "LARGE")["rates"]) == 1
    assert len(_json(capsys, "rates", "--where", "status=not_estimated")["rates"]) == 1
    found = _json(capsys, "rates", "--sensitivity")
    total = found["total_kgco2e"]
    assert total == _json(capsys, "report")["impact_total"]["total_kgco2e"]
    assert {"power", "grid"} <= {row["group"] for row in found["groups"]}
    assert all(row["low_kgco2e"] <= total <= row["high_kgco2e"] for row in found["groups"])
    low, high = found["envelope_kgco2e"]
    assert low <= found["range_kgco2e"]["low"] <= total <= found["range_kgco2e"]["high"] <= high
    for arguments in (["rates"], ["rates", "--sensitivity"]):
        assert run(arguments) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_factors_show_provenance(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set has name and digest; a factor has source and licence; sources and corrections are listed."""
    monkeypatch.chdir(tmp_path)
    assert len(_json(capsys, "factors")["factor_set"]["digest"]) == 64
    (factor,) = _json(capsys, "factors", "m5.large", "--kind", "teads")["factors"]
    assert (factor["central"], factor["licence"]) == (Decimal("14.1"), "CC-BY-4.0")
    assert _json(capsys, "factors", "no-such-factor")["factors"] == []
    assert run(["factors", "no-such-factor"]) == 0
    assert "No factor answers to that" in capsys.readouterr().out
    assert _json(capsys, "factors", "--sources")["sources"]
    assert _json(capsys, "factors", "--corrections")["corrections"]
    assert run(["factors"]) == 0
    assert "digest" in capsys.readouterr().out


def test_whatif_moves_use_and_changes_nothing_stored(a_ledger: Path, capsys: Captured) -> None:
    """The same hours in Stockholm emit less; where nothing changes the difference is 0; the ledger stays."""
    moved = _json(capsys, "whatif", "--region", "us-east-1:eu-north-1", "--by", "service_name")
    compute = moved["rows"][0]
    assert compute["total_kgco2e_after"] < compute["total_kgco2e_before"]
    assert compute["total_kgco2e_difference"] == compute["total_kgco2e_after"] - compute["total_kgco2e_before"]
    assert moved["rows"][1]["total_kgco2e_difference"] is None
    assert moved["changed_skus"] == 2
    same = _json(capsys, "whatif", "--region", "nowhere:eu-north-1")
    assert (same["changed_skus"], same["impact_total"]["total_kgco2e_difference"]) == (0, 0)
    assert run(["whatif", "--family", "m5:m7g"]) == 0
    assert "1 SKUs change" in capsys.readouterr().out


def test_verify_finds_a_sound_ledger_and_a_digest(a_ledger: Path, capsys: Captured) -> None:
    """All checks hold, and the digest is the same on every run."""
    found = _json(capsys, "verify")
    assert all(check["ok"] for check in found["checks"])
    assert _json(capsys, "verify")["digest"] == found["digest"] != ""
    assert run(["verify"]) == 0
    assert found["digest"] in capsys.readouterr().out


def test_verify_ends_with_1_where_a_file_was_changed(bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """A byte more in a data file is found, named, and is exit code 1."""
    ledger = tmp_path / "L"
    assert run(["ingest", str(bill), "--ledger", str(ledger)]) == 0
    (data,) = (ledger / "emissions").rglob("*.parquet")
    data.chmod(0o644)
    data.write_bytes(data.read_bytes() + b"x")
    found = _json(capsys, "verify", "--ledger", str(ledger), code=1)
    assert not all(check["ok"] for check in found["checks"])


def test_the_python_api_reads_what_the_commands_read(a_ledger: Path, capsys: Captured) -> None:
    """offgridflow.open gives reports, DuckDB relations and Arrow tables of the same rows."""
    with offgridflow.open(str(a_ledger)) as ledger:
        assert ledger.report(by=["service_name"]).rows[0]["line_items"] == 2
        assert ledger.coverage().reasons[0]["reason"] == "request_priced"
        assert ledger.relation().aggregate("sum(line_items)").fetchall() == [(4,)]
        assert ledger.arrow("commits").num_rows == 1
        with pytest.raises(UsageError, match="not a table of the ledger"):
            ledger.relation("passwords")


def test_complete_months_end_before_this_one() -> None:
    """The demo's months are the last that are over, across the turn of the year."""
    assert [str(month) for month in complete_months(date(2026, 2, 1), 3)] == ["2025-11", "2025-12", "2026-01"]


def test_forget_needs_a_yes_and_takes_out_what_it_names(bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """Without --yes nothing happens; with it the period is gone, an older version still shows it, the rest stays."""
    ledger = str(tmp_path / "L")
    assert run(["ingest", str(bill), "--ledger", ledger, "--source", "mine"]) == 0
    before = _json(capsys, "verify", "--ledger", ledger)
    assert run(["forget", "mine", "--ledger", ledger]) == 2
    assert "Add --yes" in capsys.readouterr().err
    assert run(["forget", "mine", "June", "--ledger", ledger]) == 2
    gone = _json(capsys, "forget", "mine", "2025-06", "--yes", "--ledger", ledger)
    assert gone["forgotten"] == [{"source": "mine", "billing_period": "2025-06"}]
    assert _json(capsys, "report", "--ledger", ledger)["rows"] == []
    old = _json(capsys, "verify", "--ledger", ledger, "--version", str(before["ledger_version"]))
    assert old["digest"] == before["digest"]
    assert run(["forget", "mine", "--yes", "--ledger", ledger]) == 1


def test_maintain_changes_no_figure_and_keeps_pinned_versions(bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """Packing and sweeping leave the digest; a pin is listed until it is taken off; a dry run removes nothing."""
    ledger = str(tmp_path / "L")
    assert run(["ingest", str(bill), "--ledger", ledger]) == 0
    digest = _json(capsys, "verify", "--ledger", ledger)["digest"]
    pinned = _json(capsys, "maintain", "--pin", "audit-2025", "--ledger", ledger)
    assert [pin["name"] for pin in pinned["pins"]] == ["audit-2025"]
    assert _json(capsys, "maintain", "--dry-run", "--ledger", ledger)["removed_files"] == []
    assert run(["maintain", "--ledger", ledger]) == 0
    assert "audit-2025" in capsys.readouterr().out
    assert _json(capsys, "maintain", "--unpin", "audit-2025", "--ledger", ledger)["pins"] == []
    assert _json(capsys, "verify", "--ledger", ledger)["digest"] == digest


def test_the_demo_says_what_serves_its_ledger() -> None:
    """The commands that it prints can be copied as they stand, whether the program is on the path or not."""
    assert ".venv/bin/offgridflow serve --ledger demo/ledger" in further(".venv/bin/offgridflow", "demo/ledger")
    assert "\n  offgridflow serve --ledger L  #" in further("/x/offgridflow/__main__.py", "L")


def test_the_demo_shows_three_clouds(tmp_path: Path, capsys: Captured) -> None:
    """Made-up bills of AWS, Azure and Google Cloud are ingested without a failure and reported, in one command."""
    found = _json(capsys, "demo", "--no-serve", "--folder", str(tmp_path / "demo"))
    assert {row["provider"] for row in found["rows"]} == {"aws", "azure", "gcp"}
    assert found["impact_total"]["total_kgco2e"] > 0
    assert (tmp_path / "demo" / "exports").is_dir()
    for key in TAG_KEYS:
        tagged = _json(capsys, "report", "--by", f"provider,tag:{key}", "--ledger", str(tmp_path / "demo" / "ledger"))
        named = {row["provider"] for row in tagged["rows"] if row[f"tag:{key}"]}
        assert named == {"aws", "azure", "gcp"}
        assert tagged["impact_total"] == found["impact_total"]


def test_inventory_has_pages_and_data(a_ledger: Path, capsys: Captured) -> None:
    """Markdown, HTML, JSON and CSV of one year agree on the total; a year is required."""
    found = _json(capsys, "inventory", "--year", "2025", "--functional-units", "10", "--unit", "order")
    total = _json(capsys, "report")["impact_total"]["total_kgco2e"]
    assert found["scope_3_category_1"]["location_based_kgco2e"] == total
    assert found["sci"]["functional_unit"] == "order"
    for form, sign in (("markdown", "# GHG inventory"), ("table", "GHG inventory"), ("html", "<!doctype html>")):
        assert run(["inventory", "--year", "2025", "--format", form]) == 0
        assert capsys.readouterr().out.startswith(sign)
    assert run(["inventory", "--year", "2025", "--format", "csv"]) == 0
    assert str(total).rstrip("0") in capsys.readouterr().out
    assert run(["inventory"]) == 2
    assert run(["inventory", "--year", "2025", "--functional-units", "many"]) == 2


def test_the_inventory_on_a_terminal_is_plain(a_ledger: Path, capsys: Captured) -> None:
    """Every heading, sentence and figure of the page in tables of the width of a terminal, without Markdown's signs."""
    capsys.readouterr()
    assert run(["inventory", "--year", "2025"]) == 0
    shown = capsys.readouterr().out
    assert not [line for line in shown.splitlines() if line.startswith(("#", "|")) or len(line) > 100]
    with open_ledger(str(a_ledger)) as opened:
        found = inventory(opened.con, 2025, provenance=opened.provenance)
    flowing = " ".join(shown.split())
    for section in sections(found):
        assert section.title in flowing
        for block in section.blocks:
            cells = [block] if isinstance(block, str) else [cell for row in block.rows for cell in row]
            words = [word for cell in cells for word in cell.split()]
            assert [word for word in words if word not in flowing] == []


def test_a_version_that_never_was_is_told_with_what_lists_them(a_ledger: Path, capsys: Captured) -> None:
    """The bounds and the address that lists versions stand in the error; it names no command that does not exist."""
    assert run(["verify", "--version", "999", "--ledger", str(a_ledger)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "has no version 999" in told
    assert "Give one from 0 to 1; /api/v1/history of `offgridflow serve` tells what each did." in told


def test_without_provider_reports_reconcile_and_calibrated_say_so(a_ledger: Path, capsys: Captured) -> None:
    """Every cell is not_reported, every resource uncalibrated, and people are told why."""
    found = _json(capsys, "reconcile")
    assert {tuple(row["reasons"]) for row in found["rows"]} == {("not_reported",)}
    assert run(["reconcile"]) == 0
    assert "does not assess" in capsys.readouterr().out
    spread = _json(capsys, "report", "--calibrated")
    assert spread["calibrated"] is True
    assert {row["state"] for row in spread["rows"]} == {"uncalibrated"}
    assert run(["report", "--calibrated"]) == 0
    assert "No provider report" in capsys.readouterr().out
    assert run(["report", "--calibrated", "--by", "day"]) == 2


def test_the_list_of_runs_can_be_copied_from(
    a_ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """However many columns there are, the id of a run and the instant to the second stand whole on one line."""
    monkeypatch.setenv("OFFGRIDFLOW_RUN__STATE", str(tmp_path / "state"))
    store, at = RunStore(tmp_path / "state"), datetime(2026, 11, 28, 21, 20, 5, 123456, tzinfo=UTC)
    run_id = "20261128T212005Z-0123abcd"
    with store.living(run_id):
        store.begin(run_id, "schedule", at, {})
        store.finish(run_id, "partial", at, stopped=True)
    assert run(["runs", "list", "--ledger", str(a_ledger)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if run_id in line]
    assert "2026-11-28T21:20:05Z" in line


def test_a_dry_run_pins_nothing_and_an_unknown_pin_is_told(bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """Neither `--dry-run --pin` nor `--unpin` of a pin that there is not passes in silence, and no pin changes."""
    ledger = str(tmp_path / "L")
    _json(capsys, "ingest", str(bill), "--ledger", ledger)
    assert run(["maintain", "--dry-run", "--pin", "dd", "--ledger", ledger]) == 2
    assert "--dry-run changes nothing" in capsys.readouterr().err
    _json(capsys, "maintain", "--pin", "kept", "--ledger", ledger)
    assert run(["maintain", "--unpin", "nope", "--ledger", ledger]) == 2
    told = capsys.readouterr().err
    assert ("There is no pin 'nope'" in told, "Its pins: kept." in told) == (True, True)
    assert [pin["name"] for pin in _json(capsys, "maintain", "--dry-run", "--ledger", ledger)["pins"]] == ["kept"]


def test_no_address_is_shown_where_there_is_nothing_to_serve(tmp_path: Path, capsys: Captured) -> None:
    """Without a ledger `serve` says so and nothing else."""
    assert run(["serve", "--ledger", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("Error [LEDGER]: There is no ledger at")
