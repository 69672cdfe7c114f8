"""The pages say what the code does: every word of the vocabularies, every method, every constant that they name."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from offgridflow.domain import reasons
from offgridflow.domain.reasons import Assumption, Group, Method, NotEstimatedReason
from offgridflow.methodology import ccf
from offgridflow.methodology.coefficients import KEYS
from offgridflow.methodology.recipe import Profile

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "methods").glob("*.md"))
KINDS: dict[str, type[StrEnum]] = {
    "status": reasons.Status,
    "coverage-bucket": reasons.CoverageBucket,
    "excluded": reasons.ExcludedReason,
    "not-estimated": reasons.NotEstimatedReason,
    "quarantined": reasons.QuarantineReason,
    "method": reasons.Method,
    "assumption": reasons.Assumption,
    "uncertainty-group": reasons.Group,
}
CLASSIFIERS_KEYS = {
    "lambda_mb_per_vcpu",
    "aurora_acu_vcpu",
    "aurora_acu_memory_gb",
    "azure_sql_dtu_per_vcore_standard",
}
"""Coefficients that the classifiers, not rating, ask for."""

WORDS = {word.value for kind in KINDS.values() for word in kind}
OTHER = {
    "it_energy_kwh",
    "low",
    "threads",
    "idle",
    "max",
    "unknown",
    "CPUCredits",
    "large",
    "Nxlarge",
    "spend",
    "recalled",
}
OTHER |= {"provider_unallocated", "uncalibrated", *Profile}


def _entries() -> dict[tuple[str, str], str]:
    text = (DOCS / "reasons.md").read_text(encoding="utf-8")
    found = re.findall(r'<a id="([a-z-]+)-([A-Za-z_]+)"></a>\n\n### `(\w+)`\n\n([^\n]*)', text)
    assert all(anchor == heading for _kind, anchor, heading, _text in found)
    return {(kind, word): body for kind, word, _heading, body in found}


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_has_an_entry_and_no_entry_is_left_over(kind: str) -> None:
    """Each member of each vocabulary has its heading, anchor and sentence; and nothing else has one."""
    entries = {word: body for (each, word), body in _entries().items() if each == kind}
    assert set(entries) == {word.value for word in KINDS[kind]}
    assert all(body.endswith(".") for body in entries.values())


def test_every_method_has_a_page_and_every_page_is_in_the_index() -> None:
    """One page per method, and an index that links each page."""
    names = {page.stem for page in PAGES}
    assert {method.value for method in Method} <= names
    index = (DOCS / "methodology.md").read_text(encoding="utf-8")
    assert {name for name in names if f"(methods/{name}.md)" not in index} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_on_a_page_exists(page: Path) -> None:
    """A name in code style is a key of the factor set, a word of a vocabulary, or one of few others."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = set(re.findall(r"`([A-Za-z][A-Za-z0-9_.]*)`", text))
    assert names - set(KEYS.values()) - CLASSIFIERS_KEYS - WORDS - OTHER == set()


def test_every_coefficient_of_rating_is_on_a_page() -> None:
    """No constant enters a rate without a page that names it."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {key for key in KEYS.values() if f"`{key}`" not in text} == set()


def test_the_ccf_page_lists_every_difference() -> None:
    """What the ccf profile does otherwise stands on its page, word for word."""
    text = (DOCS / "methods/ccf.md").read_text(encoding="utf-8")
    assert [each for each in ccf.DIFFERENCES if f"- {each}\n" not in text] == []


def test_the_list_behind_bucket_f_is_closed() -> None:
    """The vocabularies that pages rely on have no double values and bucket F is the versioned list."""
    assert len(set(Assumption)) == len(list(Assumption))
    assert {reason.value for reason in reasons.NOT_PHYSICAL_REASONS} == {
        "licence",
        "support",
        "surcharge",
        "not_physical",
        "counted_elsewhere",
    }
    assert len(Group) == 10
    assert reasons.bucket_of_reason(NotEstimatedReason.NO_FACTOR) is reasons.CoverageBucket.PHYSICAL_NOT_ESTIMATED
