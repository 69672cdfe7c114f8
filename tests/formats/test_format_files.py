"""The rules of format files, of header names, and of what a user is told about a foreign file."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.formats import FormatFileError, detect, format_by_name, normal_name, parse_format, refusal, registry

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"


def _example() -> str:
    found = re.search(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_example_of_the_docs_is_a_format() -> None:
    """What docs/formats.md tells a newcomer to write is read as it says."""
    known = parse_format(_example())
    assert (known.name, known.money, known.null_words) == ("acme", "billed_cost", ("null",))
    assert known.detection.matches(frozenset({"acmeaccount", "acmesku", "gross"}))
    assert not known.detection.matches(frozenset({"acmeaccount", "acmesku"}))
    assert not known.detection.matches(frozenset({"acmeaccount", "acmesku", "net", "billedcost"}))
    assert known.missing_of(frozenset({"acmeaccount", "acmesku", "gross", "currency", "usedat"})) == ("InvoiceMonth",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("FROM raw;", "FROM lines;", "one SELECT each"),
        ('kind = "time"', 'kind = "date"', "'date'"),
        ('name = "acme"', 'name = "Acme Cloud"', "lower_snake_case"),
        ("once = true", "twice = true", "twice"),
        ('kind = "quantity", from', 'kind = "quantity", once = true, from', "read once"),
        ("[detect]", "[detection]", "detect"),
        ('title = "', "title = ", "front matter"),
        ('money = "billed_cost"', 'money = "billed_cost"\nonce_by = ["region"]', "region"),
    ],
)
def test_broken_format_file_is_refused_with_the_reason(old: str, new: str, said: str) -> None:
    """A slip in a format file is found when it is loaded, and its author is told which."""
    text = _example()
    assert old in text
    with pytest.raises(FormatFileError, match=re.escape(said)):
        parse_format(text.replace(old, new, 1))


def test_version_changes_with_any_change_of_the_file() -> None:
    """The version of a mapping, which is part of every recipe, is a digest of its text."""
    assert parse_format(_example()).version != parse_format(_example().replace("'usage'", "'fee'")).version


def test_names_are_unique_and_in_order() -> None:
    """Formats are found by name, and listed in the order of their names."""
    names = [known.name for known in registry()]
    assert names == sorted(set(names))
    assert all(format_by_name(name).name == name for name in names)


def test_foreign_file_is_told_what_was_seen_and_what_is_accepted() -> None:
    """The refusal names the file, its columns, how many more there are, and every format that people bring."""
    columns = ["\ufeffid", "x" * 200, *(f"c{n}" for n in range(20))]
    assert detect(columns) is None
    error = refusal("my.csv", columns)
    assert error.code == "UNKNOWN_FORMAT"
    assert "my.csv" in str(error)
    assert "'id'" in str(error)
    assert "and 10 more" in str(error)
    assert "x" * 61 not in str(error)
    assert all((known.title in str(error)) == (known.line_items is None) for known in registry())
    assert "none" in str(refusal("empty.csv", []))


FOCUS = (
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart"),
    "ProviderName",
)
LEGACY = ("lineItem/UnblendedCost", "lineItem/UsageStartDate", "bill/BillingPeriodStartDate", "lineItem/CurrencyCode")
AZURE = ("MeterId", "MeterCategory", "MeterName", "ResourceLocation", "SubscriptionId", "Date", "Currency")
GOOGLE = ("billing_account_id", "service.id", "usage_start_time", "cost", "currency", "invoice.month")


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (FOCUS[1:], "cost and usage (any provider), but it lacks the column BilledCost."),
        ([name for name in FOCUS if name != "ChargeCategory"], "the column ChargeCategory."),
        (["billedcost", *FOCUS[2:5], "ProviderName"], "the columns BillingAccountId, ChargePeriodStart."),
        (LEGACY, "the columns bill_payer_account_id, line_item_line_item_type."),
        (AZURE, "it lacks the column CostInBillingCurrency or Cost or PreTaxCost."),
        (GOOGLE, "the column sku.id."),
    ],
)
def test_a_file_that_lacks_a_column_is_told_which(columns: list[str], missing: str) -> None:
    """A header that is like a format is refused by what it lacks, in the format's own spelling, not as foreign."""
    assert detect(columns) is None
    error = refusal("my.csv", columns)
    assert error.code == "MISSING_COLUMN"
    assert missing in str(error)


def test_a_file_that_is_half_like_a_bill_is_foreign() -> None:
    """Half of the columns of a format are not enough to be told what is missing."""
    assert refusal("my.csv", ["cost", "currency", "billing_account_id"]).code == "UNKNOWN_FORMAT"


@given(words=st.lists(st.text(alphabet="abcXYZ019", min_size=1, max_size=8), min_size=1, max_size=4))
def test_separators_and_case_do_not_tell_names_apart(words: list[str]) -> None:
    """Any spelling of the same words is one name."""
    spellings = ["_".join(words), "/".join(words).upper(), " ".join(words), "".join(words), ".".join(words).lower()]
    assert len({normal_name(spelling) for spelling in spellings}) == 1
