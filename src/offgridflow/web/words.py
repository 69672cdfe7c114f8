"""How the page says things: names of keys, units that fit, few digits, a dash for unknown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

DASH: Final = "\u2013"

KEY_NAMES: Final[dict[str, str]] = {
    "provider": "Provider",
    "service_name": "Service",
    "region_id": "Region",
    "sub_account_id": "Account",
    "billing_account_id": "Billing account",
    "service_category": "Category",
    "resource_id": "Resource",
    "sku_meter": "Meter",
    "instance_type": "Instance type",
    "month": "Month",
    "source": "Source",
    "status": "Status",
    "method": "Method",
    "coverage_bucket": "Coverage",
}
PROVIDERS: Final = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud", "oracle": "Oracle"}
BUCKETS: Final[dict[str, str]] = {
    "A": "Rated for the SKU itself",
    "B": "By family or vCPU",
    "C": "By the service's median",
    "D": "By spend",
    "E": "Physical, not estimated",
    "F": "Not physical",
}
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def key_name(key: str) -> str:
    """Return a group key as people read it."""
    return f"Tag {key.removeprefix('tag:')}" if key.startswith("tag:") else KEY_NAMES.get(key, key.replace("_", " "))


def value_name(key: str, value: object) -> str:
    """Return a value of a key as people read it."""
    if value is None or value == "":
        return "(none)"
    text = str(value)
    if key == "provider":
        return PROVIDERS.get(text, text)
    return month_name(text) if key == "month" else text


def short_name(key: str, value: object) -> str:
    """Return a value as it stands in a legend or a row: of a path of the provider's only the last part."""
    name = value_name(key, value)
    return name.rstrip("/").rpartition("/")[2] or name if key in _PATHS else name


_PATHS: Final = frozenset({"resource_id", "sub_account_id", "billing_account_id"})


def month_name(month: str) -> str:
    """Return ``2025-06`` as Jun 2025."""
    year, _, number = month.partition("-")
    return f"{MONTHS[int(number[:2]) - 1]} {year}"


def period_name(period: str) -> str:
    """Return ``2025-06`` as Jun 2025 and ``2025-06-03T14`` as 3 Jun 2025, 14:00 UTC."""
    month, hour = period[:7], period[8:]
    if not hour:
        return month_name(month)
    day, _, clock = hour.partition("T")
    return f"{int(day)} {month_name(month)}, {clock}:00 UTC"


def span_name(first: str | None, last: str | None) -> str:
    """Return the months from first to last as people read them; an end that is None is open."""
    if first == last and first is not None:
        return month_name(first)
    ends = [month_name(first) if first else "the first month", month_name(last) if last else "the newest month"]
    return f" {DASH} ".join(ends)


def sentence(name: str) -> str:
    """Return an enum's value as words: ``grid_newest_year`` as Grid newest year."""
    words = name.replace("_", " ")
    written = " ".join(_WRITTEN.get(word, word) for word in words.split(" "))
    return written if words.split(" ")[0] in _WRITTEN else written[:1].upper() + written[1:]


_WRITTEN: Final = {
    **{word: word.upper() for word in ("pue", "wue", "acu", "ai", "ewif", "hdd", "ssd", "sku", "gpu", "it", "arm")},
    "vcpu": "vCPU",
    "teads": "Teads",
}


def shortened(expression: str) -> str:
    """Return an expression with numbers of at most six digits and a multiplication sign, to be read."""
    short = _LONG_NUMBER.sub(lambda found: f"{float(found.group()):.6g}", expression)
    return short.replace(" * ", " \u00d7 ")


_LONG_NUMBER: Final = re.compile(r"\d+\.\d{4,}(?:e-?\d+)?")


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit for a column: what a value is divided by, and the unit's name."""

    divisor: Decimal
    unit: str

    def write(self, value: object) -> str:
        """Return a value in this unit, without it."""
        number = decimal_of(value)
        return DASH if number is None else digits(number / self.divisor)


MASS: Final = (Scale(Decimal(1000), "t"), Scale(Decimal(1), "kg"), Scale(Decimal("0.001"), "g"))
ENERGY: Final = (Scale(Decimal(1000), "MWh"), Scale(Decimal(1), "kWh"), Scale(Decimal("0.001"), "Wh"))
WATER: Final = (Scale(Decimal(1000), "m\u00b3"), Scale(Decimal(1), "L"))
_LEAST: Final = Decimal("0.8")


def scale_for(values: Iterable[object], scales: tuple[Scale, ...] = MASS) -> Scale:
    """Return the unit in which the largest value reads well."""
    largest = max((abs(number) for number in map(decimal_of, values) if number is not None), default=Decimal(0))
    for scale in scales:
        if largest / scale.divisor >= _LEAST:
            return scale
    return scales[-1] if largest else scales[len(scales) // 2]


def decimal_of(value: object) -> Decimal | None:
    """Return a number as a Decimal, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def digits(value: object, significant: int = 3) -> str:
    """Return a number with three significant digits, whole from 1,000 on; tiny ones with an exponent."""
    number = decimal_of(value)
    if number is None:
        return DASH
    if number == 0:
        return "0"
    if abs(number) < Decimal("0.0005"):
        mantissa, _, exponent = f"{number:.2e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "\u2212")
    places = min(max(significant - 1 - number.adjusted(), 0), 6)
    return f"{round(number, places):,f}".replace("-", "\u2212")


def money(value: object) -> str:
    """Return an amount: whole from 1,000 on, else with cents."""
    number = decimal_of(value)
    if number is None:
        return DASH
    places = 0 if abs(number) >= 1000 else 2  # noqa: PLR2004  cents stop to matter
    rounded = round(number, places)
    return f"{abs(rounded) if rounded == 0 else rounded:,f}".replace("-", "\u2212")


def percent(value: object, places: int = 1) -> str:
    """Return a fraction as a percentage."""
    number = decimal_of(value)
    return DASH if number is None else f"{round(number * 100, places):,f} %".replace("-", "\u2212")


def count(value: object) -> str:
    """Return a whole number with thousands apart."""
    return f"{value:,}" if isinstance(value, int) else DASH
