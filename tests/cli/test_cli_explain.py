"""Laws of ``explain`` as it is shown: as table, JSON and CSV no number of the arithmetic stands without its origin."""

import csv
import io
import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cli.main import run

Captured = pytest.CaptureFixture[str]
NUMBER = re.compile(r"(?<![A-Za-z_\d.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")
QUESTION = ("explain", "--where", "consumed_unit=Hours")
OUTSIDE = (
    "explain",
    *("--provider", "aws", "--service", "AWS Lambda", "--meter", "Lambda-GB-Second", "--unit", "Lambda-GB-Second"),
    *("--region", "eu-west-1", "--month", "2025-06", "--quantity", "1000000"),
)


def _numbers(expression: str) -> list[str]:
    return [str(Decimal(number)) for number in NUMBER.findall(expression)]


def _of_terms(texts: list[str]) -> list[str]:
    return [str(abs(Decimal(text.lstrip("'")))) for text in texts]


def _out(capsys: Captured, *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("question", [QUESTION, OUTSIDE], ids=["ledger", "named"])
def test_json_has_an_origin_for_every_number(a_ledger: Path, capsys: Captured, question: tuple[str, ...]) -> None:
    """Numbers and terms agree in order; the last step is quantity x rate; each coefficient's factor is listed."""
    found: Any = json.loads(_out(capsys, *question, "--format", "json"))
    (sku,) = found["skus"]
    factors = {factor["factor_id"]: factor for factor in sku["factors"]}
    for step in sku["steps"]:
        assert _of_terms([term["text"] for term in step["numbers"]]) == _numbers(step["expression"])
        for term in step["numbers"]:
            assert term["name"]
            assert (term["kind"] == "coefficient") == bool(term["factor_ids"])
            for each in term["factor_ids"]:
                assert factors[each]["source"]
                assert factors[each]["licence"]
                assert {"low", "high", "unit"} <= set(factors[each])
    last = sku["steps"][-1]
    assert [term["kind"] for term in last["numbers"]] == ["quantity", "result"]
    assert last["value"] == pytest.approx(float(sku["usage"]["total_kgco2e"]), rel=1e-12)


@pytest.mark.parametrize("question", [QUESTION, OUTSIDE], ids=["ledger", "named"])
def test_csv_has_a_row_for_every_number(a_ledger: Path, capsys: Captured, question: tuple[str, ...]) -> None:
    """Below each step stands a row per number, and that of a coefficient has range, source and licence."""
    rows = list(csv.DictReader(io.StringIO(_out(capsys, *question, "--format", "csv"), newline="")))
    expressions = {row["step"]: row["expression"] for row in rows if row["expression"]}
    numbers: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["number"]:
            numbers[row["step"]].append(row["number"])
            assert row["name"]
            if row["kind"] == "coefficient":
                assert all(row[name] for name in ("low", "high", "factor_ids", "source", "licence"))
    assert {step: _of_terms(texts) for step, texts in numbers.items()} == {
        step: _numbers(expression) for step, expression in expressions.items()
    }


@pytest.mark.parametrize("question", [QUESTION, OUTSIDE], ids=["ledger", "named"])
def test_the_table_has_a_line_for_every_number(a_ledger: Path, capsys: Captured, question: tuple[str, ...]) -> None:
    """Below each expression stands a line per number: an earlier result, a kind and name, or a listed factor."""
    shown = _out(capsys, *question).splitlines()
    cited: set[str] = set()
    expression = ""
    known: set[str] = set()
    for line in shown:
        if line.startswith("      = ") and not expression:
            expression = line
        elif line.startswith("        ") and not line.strip().startswith("=") and expression:
            known.add(str(abs(Decimal(line.split()[0]))) if NUMBER.match(line.strip().lstrip("-")) else "")
            assert len(line.split()) > 1
            cited |= set(re.findall(r"\[(\d+)\]", line))
        elif line.startswith("    ") and not line.startswith("      "):
            if expression:
                assert set(_numbers(expression.partition(" = ")[2])) <= known | _shown_value(expression), expression
            expression, known = "", set()
    listed = {match[1] for line in shown if (match := re.match(r"    \[(\d+)\] \w+[:.]", line))}
    assert cited
    assert cited <= listed
    assert sum("licence " in line for line in shown) >= len(listed)


def _shown_value(expression: str) -> set[str]:
    """A step of one number shows only its value, with its unit."""
    return set(_numbers(expression)) if not re.search(r" [-+*/] |\(", expression.partition("= ")[2]) else set()


def test_another_rate_in_the_ledger_is_not_multiplied(a_ledger: Path, capsys: Captured) -> None:
    """Under another methodology the quantity is not multiplied with a rate that the ledger did not use."""
    found: Any = json.loads(_out(capsys, *QUESTION, "--methodology", "ccf", "--format", "json"))
    (sku,) = found["skus"]
    assert sku["same_rate_as_ledger"] is False
    assert sku["steps"][-1]["name"] == "total_high_kgco2e"


def test_every_product_of_the_table_is_one(a_ledger: Path, capsys: Captured) -> None:
    """``quantity x rate = kilograms`` holds under any methodology; what the ledger has of another rate stands apart."""
    stored = json.loads(_out(capsys, *QUESTION, "--format", "json"))["skus"][0]["usage"]["total_kgco2e"]
    for profile in ("default", "sci", "ccf"):
        shown = _out(capsys, *QUESTION, "--methodology", profile)
        (product,) = re.findall(r"^  ([\d.e-]+) Hours x ([\d.e-]+) kgCO2e = ([\d.e-]+) kgCO2e$", shown, re.MULTILINE)
        quantity, rate, kilograms = map(float, product)
        assert quantity * rate == pytest.approx(kilograms, rel=1e-12)
        in_ledger = re.search(
            r"^  In the ledger: [\d.]+ Hours, ([\d.e-]+) kgCO2e, by another rate", shown, re.MULTILINE
        )
        assert (in_ledger is None) is (profile == "default")
        if in_ledger is not None:
            assert Decimal(in_ledger[1]) == Decimal(str(stored))


def test_a_provider_may_be_called_by_its_name(a_ledger: Path, capsys: Captured) -> None:
    """``--provider`` reads names of providers like the formats do."""
    question = ["AWS" if each == "aws" else each for each in OUTSIDE]
    assert _out(capsys, *question) == _out(capsys, *OUTSIDE)
