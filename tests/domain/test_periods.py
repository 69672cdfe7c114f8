"""Laws of months and identities."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.identity import canonical, canonical_texts, digest_of, fingerprint_of, provider_slug
from offgridflow.domain.periods import Hour, Month, month_of, months_between, period_of

MONTHS = st.builds(Month, st.integers(1970, 2200), st.integers(1, 12))


@given(MONTHS)
def test_month_text_round_trips(month: Month) -> None:
    """A month read from its own text is itself."""
    assert Month.parse(str(month)) == month


@given(MONTHS)
def test_hours_are_those_of_the_calendar(month: Month) -> None:
    """The hours of a month are the hours between its start and the next one's start."""
    assert (month.next().start - month.start).total_seconds() == month.hours * 3600


@pytest.mark.parametrize("text", ["2024-13", "2024-00", "24-01", "2024-1", "2024-01-01", "", "2024/01"])
def test_what_is_not_a_month_is_refused(text: str) -> None:
    """Text that is not YYYY-MM is refused with the text and the accepted form."""
    with pytest.raises(ValueError, match="YYYY-MM"):
        Month.parse(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_hour_is_read_as_it_is_written_and_lies_in_its_month(instant: datetime) -> None:
    """Text and back is the same hour; its start is the instant without minutes; periods know their months."""
    hour = Hour.of(instant)
    assert period_of(str(hour)) == hour
    assert hour.start == instant.replace(minute=0, second=0, microsecond=0)
    assert month_of(hour) == month_of(hour.month) == period_of(str(hour.month)) == Month.of(instant)


@pytest.mark.parametrize(
    "text", ["2025-02-29T00", "2025-06-03T24", "2025-06-03T7", "2025-06-03T14:00", "2025-13-03T14", "T14", "2025-06-03"]
)
def test_what_is_not_an_hour_is_refused(text: str) -> None:
    """Text that is no hour of the calendar is refused with the text and the accepted form."""
    with pytest.raises(ValueError, match="YYYY-MM-DDTHH"):
        Hour.parse(text)


def test_months_between_is_inclusive_and_ordered() -> None:
    """Both ends belong to the range, across years, and a reversed range is empty."""
    months = months_between(Month(2023, 11), Month.of(date(2024, 2, 9)))
    assert [str(month) for month in months] == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert months_between(Month(2024, 2), Month(2024, 1)) == ()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("AWS", "aws"),
        ("Amazon Web Services, Inc.", "aws"),
        ("Microsoft", "azure"),
        ("Google Cloud", "gcp"),
        ("Oracle", "oracle"),
        ("  OVH  Cloud ", "ovh-cloud"),
        ("---", "unknown"),
    ],
)
def test_provider_slugs(name: str, slug: str) -> None:
    """The three clouds have fixed slugs; every other provider gets a lower-case slug."""
    assert provider_slug(name) == slug


@given(st.lists(st.text(min_size=1)))
def test_fingerprint_ignores_order_and_repeats(digests: list[str]) -> None:
    """A delivery is the set of its part digests."""
    assert fingerprint_of(digests) == fingerprint_of(list(reversed(digests)) + digests)


@given(st.lists(st.none() | st.text()))
def test_canonical_texts_are_canonical(texts: list[str | None]) -> None:
    """The quick way of writing texts as canonical JSON writes what the general one does, whatever the texts."""
    assert canonical_texts(texts) == canonical(texts)


def test_digest_refuses_what_has_no_canonical_form() -> None:
    """NaN and foreign objects are refused rather than digested by chance."""
    with pytest.raises(ValueError, match="JSON compliant"):
        digest_of(float("nan"))
    with pytest.raises(TypeError):
        digest_of({1, 2})
