"""One word per idea: the glossary's words are those of the code, and words that it replaces are not."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

from offgridflow.domain import model, reasons
from offgridflow.domain.model import EMISSION_COLUMNS, SKU_COLUMNS

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
WORDS = re.findall(r'^\| <a id="([a-z-]+)"></a>([^|]+?) \|', GLOSSARY, re.MULTILINE)

REPLACED = {
    "invoice_line": "line item",
    "bill_line": "line item",
    "usage_record": "activity",
    "usage_row": "activity",
    "emission_factor": "factor",
    "carbon_intensity": "grid factor",
    "rate_sheet": "rate card",
    "factor_bundle": "factor set",
    "calculated_emission": "emission",
    "provider_emission": "reported emission",
    "co2e_kg": "kgco2e (the unit goes last and in full)",
    "kg_co2e": "kgco2e",
    "cloud_provider": "provider",
    "subscription_id": "sub_account_id",
}
"""Words that mean a word of the glossary, and the word itself; as identifiers of ours they would be a second name."""

FOREIGN = {"subscription_id"}
"""Allowed where a provider's own interface is spoken: connectors and the fakes of tests."""


@lru_cache(maxsize=1)
def _identifiers() -> frozenset[str]:
    """Return every name that the sources define or use, in snake case."""
    found: set[str] = set()
    for path in (ROOT / "src" / "offgridflow").rglob("*.py"):
        speaks_foreign = {"connectors", "cloud", "testing"} & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = _name_of(node)
            if name is not None and not (speaks_foreign and _snake(name) in FOREIGN):
                found.add(_snake(name))
    return frozenset(found)


def _name_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.arg):
        return node.arg
    return node.attr if isinstance(node, ast.Attribute) else None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


def test_the_glossary_has_words() -> None:
    """Each row has a word and an anchor that is the word with hyphens; no word stands twice."""
    assert len(WORDS) >= 20
    assert len({word for _, word in WORDS}) == len(WORDS)
    for anchor, word in WORDS:
        assert anchor == word.strip().lower().replace(" ", "-")


@pytest.mark.parametrize("word", [word for _, word in WORDS])
def test_every_word_of_the_glossary_is_a_name_of_the_code(word: str) -> None:
    """The idea is called in the code what the glossary calls it, alone or as a part of a name."""
    wanted = word.strip().lower().replace(" ", "_")
    plural = wanted.removesuffix("y") + "ies" if wanted.endswith("y") else wanted + "s"
    pattern = re.compile(rf"(?:^|_)(?:{wanted}|{plural})(?:_|$)")
    assert any(pattern.search(name) for name in _identifiers()), word


@pytest.mark.parametrize("word", REPLACED)
def test_no_second_name_is_used(word: str) -> None:
    """A word that the glossary replaces names nothing of ours."""
    pattern = re.compile(rf"(?:^|_){word}(?:_|$)")
    assert [name for name in _identifiers() if pattern.search(name)] == [], REPLACED[word]


@pytest.mark.parametrize("name", ["Sku", "Rate", "Span", "Swing", "Step"])
def test_the_shapes_of_the_domain_say_their_units(name: str) -> None:
    """Numbers of the domain carry their unit in the name, or the class says it in its docstring."""
    shape = getattr(model, name)
    assert shape.__doc__
    numbers = [field for field, kind in shape.__annotations__.items() if kind is float or "float" in str(kind)]
    units = ("kwh", "kgco2e", "_l", "gib", "vcpu", "low", "central", "high", "value", "gpu")
    assert [field for field in numbers if not field.endswith(units)] == []


def test_columns_of_the_ledger_say_their_units() -> None:
    """Every number of a ledger row ends in its unit, or is a quantity of the SKU's unit, money or a count."""
    units = ("_kwh", "_kgco2e", "_l", "_cost", "_quantity", "line_items")
    numbers = [name for name, kind in EMISSION_COLUMNS.items() if kind.startswith(("DOUBLE", "DECIMAL", "BIGINT"))]
    assert numbers
    assert [name for name in numbers if not name.endswith(units)] == []
    assert set(SKU_COLUMNS) <= set(EMISSION_COLUMNS)


def test_the_vocabularies_are_closed_and_lower_case() -> None:
    """Values of the enums of the domain are lower-case words, or single letters of buckets; none stands twice."""
    for enum in (
        reasons.Status,
        reasons.Method,
        reasons.Assumption,
        reasons.NotEstimatedReason,
        reasons.ExcludedReason,
    ):
        values = [str(member.value) for member in enum]
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", value) for value in values)
        assert len(set(values)) == len(values)
