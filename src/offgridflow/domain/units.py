"""The one table of units: every spelling that a bill brings, to a canonical dimension and a multiplier.

``conversion_of("10 Hours")`` gives hours x 10; an unknown spelling gives None, never a guess. GB and GiB in bills of
the three clouds both mean 2^30 bytes for capacity over time (methodology.md section 3); transfer GB likewise.

A spelling is an optional block size (``10``, ``1,000``, ``10K``, ``1M``) and words. The words name a thing (data,
processor, countable), a time, or a thing over a time; ``per``, ``/``, ``-`` and blanks between them mean the same,
because every bill uses "GB/Month", "GB-Mo" and "GB Months" for the product.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from offgridflow.domain.trace import Constant, TermKind, is_recording, leaf

GIB_TO_GB: Final = Constant(1.073741824, "GB (10^9 bytes) in a GiB (2^30 bytes)")
"""Decimal gigabytes in one binary gigabyte."""


class Dimension(StrEnum):
    """What a canonical unit measures; the value names the canonical unit."""

    HOURS = "hours"
    VCPU_HOURS = "vcpu_hours"
    GPU_HOURS = "gpu_hours"
    GHZ_HOURS = "ghz_hours"
    GIB = "gib"
    GIB_HOURS = "gib_hours"
    GIB_MONTHS = "gib_months"
    UNIT_MONTHS = "unit_months"
    COUNT = "count"
    TOKENS = "tokens"
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One unit of the bill is ``multiplier`` canonical units of ``dimension``."""

    dimension: Dimension
    multiplier: float


_HOURS: Final[dict[str, float]] = {
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h", "hourly", "hora", "小时"), 1.0),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 1 / 60),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1 / 3600),
    **dict.fromkeys(("millisecond", "milliseconds", "ms"), 1 / 3_600_000),
    **dict.fromkeys(("day", "days", "daily"), 24.0),
    **dict.fromkeys(("week", "weeks"), 168.0),
}
"""Words of time that have a fixed number of hours."""

_MONTHS: Final[dict[str, float]] = {
    **dict.fromkeys(("month", "months", "mo", "mos", "mon", "monthly", "mes", "月"), 1.0),
    **dict.fromkeys(("year", "years", "yr", "yrs", "annual"), 12.0),
}
"""Words of time that the calendar decides; the month's hours come in with the period."""

_DATA: Final[dict[str, float]] = {
    **dict.fromkeys(("b", "byte", "bytes"), 2.0**-30),
    **dict.fromkeys(("kb", "kib", "kilobyte", "kilobytes", "kibibyte", "kibibytes"), 2.0**-20),
    **dict.fromkeys(("mb", "mib", "megabyte", "megabytes", "mebibyte", "mebibytes"), 2.0**-10),
    **dict.fromkeys(("gb", "gbs", "gib", "gibs", "gigabyte", "gigabytes", "gibibyte", "gibibytes"), 1.0),
    **dict.fromkeys(("tb", "tbs", "tib", "terabyte", "terabytes", "tebibyte", "tebibytes"), 2.0**10),
    **dict.fromkeys(("pb", "pib", "petabyte", "petabytes", "pebibyte", "pebibytes"), 2.0**20),
}

_PROCESSORS: Final[dict[str, tuple[Dimension, float]]] = {
    **dict.fromkeys(("vcpu", "vcpus", "cpu", "cpus", "vcore", "vcores"), (Dimension.VCPU_HOURS, 1.0)),
    **dict.fromkeys(("core", "cores"), (Dimension.VCPU_HOURS, 1.0)),
    **dict.fromkeys(("ocpu", "ocpus"), (Dimension.VCPU_HOURS, 2.0)),  # Oracle: one core with two threads
    **dict.fromkeys(("ghz", "gigahertz"), (Dimension.GHZ_HOURS, 1.0)),
    **dict.fromkeys(("gpu", "gpus", "accelerator", "accelerators"), (Dimension.GPU_HOURS, 1.0)),
}

_COUNTABLES: Final = frozenset(
    word
    for line in (
        "account action activitie activity acu address agent alarm alert anchor annotation answer api app appliance",
        "application artifact assessment attempt attribute authentication binding border build bundle call capacity",
        "capacityunit card certificate character check cluster concurrency concurrent configuration connection",
        "connector contact content conversation count credit cu cubic data database datapoint dataset db dbu dcu",
        "device dimension document domain dpu droplet dtu dvc ecpu edge email endpoint entitie entity environment",
        "evaluation event execution face failover feature file finding function gateway group host hosted hostedzone",
        "image impression index instance interface invocation invocationunit io iop iops ip item job key kpu lb lcu",
        "license line link listener lookup machine map mau message messages messaging meter metric million minute",
        "model monitor name named nat ncu network node notification object observation ocu operation order pack",
        "package page participant pipeline plan point policie policy pool port portal prediction prefix print",
        "processed profile project provisioned pu push pushe quantity querie query queue rack rcu read",
        "readcapacityunit readrequestunit recommendation record region relay release render report request",
        "requestunit reserved resolution resource result room rotation route router rpu ru rule run sample scan",
        "script scu search secret security service serving session shard sim site slot sms snapshot spatial state",
        "statetransition step stream subnet subscription system tag task tenant test thread ticket tier token topic",
        "trace trail transaction transcription transition trial tunnel unit update upload url usage use user video",
        "view virtual vm volume vpc vpn wcu webacl webhook website window word worker workflow workspace write",
        "writecapacityunit writerequestunit zone",
    )
    for word in line.split(" ")
)
"""Things that are counted. Singular; a trailing s is taken off before the look-up."""

_SILENT: Final[frozenset[str]] = frozenset({"per", "por", "of", "a", "an", "the", "in", "lambda", "fargate"})
"""Words that change nothing: AWS writes ``Lambda-GB-Second`` for a GB-second."""

_BLOCK = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(?:(k|m|b|bn|mil|million|millions|thousand)(?=[\s/]|$))?")
_SUFFIX: Final[dict[str | None, float]] = {
    None: 1.0,
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mil": 1e6,
    "million": 1e6,
    "millions": 1e6,
    "b": 1e9,
    "bn": 1e9,
}
_MEMORY_DPU = re.compile(r"\bm-dpu\b")
"""AWS Glue's memory-optimised unit: the only one that has a hyphen within."""
_BARE_S = re.compile(r"\d+s")
_THOUSANDS = re.compile(r"(\d{1,3}(?:,\d{3})+)s")
_ASIDE = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"[\s_/*-]+|(?<=\D)\.(?=\D)")
_LONGEST = 80


def conversion_of(unit: str | None) -> Conversion | None:
    """Return the conversion of a unit as spelled in a bill, or None where it is not in the table."""
    return None if unit is None else told(table_conversion_of(unit), unit)


def told(conversion: Conversion | None, unit: str) -> Conversion | None:
    """Return a conversion; while a recording goes on its multiplier says what it converts."""
    if conversion is None or not is_recording():
        return conversion
    name = f"{conversion.dimension.value} in one {unit}"
    return Conversion(conversion.dimension, leaf(conversion.multiplier, TermKind.CONVERSION, name))


@lru_cache(maxsize=4096)
def table_conversion_of(unit: str) -> Conversion | None:
    """Return the conversion of a unit, never recorded, for tables that are remembered."""
    if len(unit) > _LONGEST:
        return None
    text = _MEMORY_DPU.sub("dpu", _ASIDE.sub(" ", unit.strip().lower()).strip())
    if _BARE_S.fullmatch(text):
        return None  # Azure's "10000s" is ten thousand of something, elsewhere it would be seconds
    block, words = 1.0, [word for word in _BETWEEN.split(text) if word]
    if (match := _BLOCK.match(text)) is not None:
        block = float(match[1].replace(",", "")) * _SUFFIX[match[2]]
        words = [word for word in _BETWEEN.split(text[match.end() :]) if word]
        if not words or text[match.end() :].lstrip().startswith("/"):
            words.insert(0, "unit")
    return _of_words(words, block)


def _of_words(words: list[str], block: float) -> Conversion | None:
    numbers = [word for word in words if word[0].isdigit()]
    for number in numbers:
        value = _number(number)
        if value is None:
            return None
        block *= value
    named = [word for word in words if not word[0].isdigit() and word not in _SILENT]
    found = _of_names(named) if named else (_of_names(["unit"]) if words else None)
    if found is None or not math.isfinite(block * found[1]) or block * found[1] <= 0:
        return None
    return Conversion(found[0], block * found[1])


def _number(word: str) -> float | None:
    """Return the value of a block size in the middle (``1,000s``, ``10`` of ``1/10 Days``), None if it is not one."""
    plain = _THOUSANDS.sub(r"\1", word).replace(",", "")
    return float(plain) if plain.isdecimal() else None


def _of_names(names: list[str]) -> tuple[Dimension, float] | None:
    """Return dimension and multiplier of ``thing``, ``time`` or ``thing time``, in any of their spellings."""
    time = [name for name in names if name in _HOURS or name in _MONTHS]
    things = [name for name in names if name not in time]
    if any(name in _DATA for name in things):
        return _of_data(things, time)
    if any(name in _PROCESSORS for name in things):
        return _of_processors(things, time)
    if not all(_countable(name) for name in things):
        return None
    return _over_time(time) if time else _of_countables(things)


def _of_data(things: list[str], time: list[str]) -> tuple[Dimension, float] | None:
    if len(things) != 1 or len(time) > 1:
        return _throughput(things, time)
    size = _DATA[things[0]]
    if not time:
        return Dimension.GIB, size
    if time[0] in _MONTHS:
        return Dimension.GIB_MONTHS, size * _MONTHS[time[0]]
    return Dimension.GIB_HOURS, size * _HOURS[time[0]]


_PER_SECOND: Final[frozenset[str]] = frozenset({"s", "second", "seconds", "sec"})
_TWO: Final = 2


def _throughput(things: list[str], time: list[str]) -> tuple[Dimension, float] | None:
    """``GiB/Second-Months`` is throughput that is provisioned for a month, not data."""
    per_second = len(things) == 1 and len(time) == _TWO and time[0] in _PER_SECOND
    return _over_time(time[1:]) if per_second else None


def _of_processors(things: list[str], time: list[str]) -> tuple[Dimension, float] | None:
    named = [name for name in things if name in _PROCESSORS]
    if len(named) != 1 or len(time) != 1 or not all(_countable(name) for name in things if name not in named):
        return None
    dimension, each = _PROCESSORS[named[0]]
    if time[0] in _MONTHS:
        return Dimension.UNIT_MONTHS, each * _MONTHS[time[0]]
    return dimension, each * _HOURS[time[0]]


def _over_time(time: list[str]) -> tuple[Dimension, float] | None:
    if len(time) != 1:
        return None
    if time[0] in _MONTHS:
        return Dimension.UNIT_MONTHS, _MONTHS[time[0]]
    return Dimension.HOURS, _HOURS[time[0]]


def _of_countables(things: list[str]) -> tuple[Dimension, float]:
    last = things[-1].removesuffix("s")
    if last == "token":
        return Dimension.TOKENS, 1.0
    if last == "character":
        return Dimension.CHARACTERS, 1.0
    return Dimension.COUNT, 1.0


_THROUGHPUTS: Final[frozenset[str]] = frozenset({"mibps", "mbps", "gbps", "gibps", "kbps", "mb/s"})


def _countable(name: str) -> bool:
    return name in _COUNTABLES or name.removesuffix("s") in _COUNTABLES or name in _THROUGHPUTS
