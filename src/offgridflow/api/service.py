"""Questions to the ledger and their answers, whoever asks: the API and the dashboard call this and nothing below it.

A question by month that the rollup answers is light; all others read rows, one per core at a time (see ``gate``).
"""

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import duckdb

from offgridflow.api.access import UNRESTRICTED
from offgridflow.api.cache import Cache
from offgridflow.api.gate import Deadlines, Gate, GateLimits
from offgridflow.api.problems import ApiError, Code
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.methodology.user import spend_rows
from offgridflow.reports.coverage import CoverageReport, coverage
from offgridflow.reports.explain import ExplainReport, explain_cell
from offgridflow.reports.glance import Glance, glance
from offgridflow.reports.previous import previous_days
from offgridflow.reports.rates import RateCard, Sensitivity, rate_card, sensitivity
from offgridflow.reports.reconcile import Reconciliation, reconcile
from offgridflow.reports.records import has_table
from offgridflow.reports.reported import REPORTED
from offgridflow.reports.rollup import answers
from offgridflow.reports.scope import EMISSIONS, Filters, days_of, filters_of, keys_of, scope_of
from offgridflow.reports.swap import Swap
from offgridflow.reports.totals import Report, report
from offgridflow.reports.whatif import WhatIf, what_if

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from offgridflow.api.access import Restriction
    from offgridflow.api.editions import Edition, Reading, Store
    from offgridflow.api.kept import Repeated
    from offgridflow.domain.model import Rate, Sku
    from offgridflow.domain.periods import Period
    from offgridflow.methodology.explain import Explanation
    from offgridflow.pipeline.recipe import Kitchen
    from offgridflow.reports.price_list import PriceList
    from offgridflow.settings import ApiSettings

_LIGHT_QUEUE: Final = 64
"""More than there are threads: a question to the rollup waits its turn, and is refused for waiting too long only."""
_WARMED: Final = 24
"""Questions that were asked again, which a new version answers before it is served: no commit makes them slow."""
_SLOW_NAMES: Final = 4096
"""Questions whose answers took so long that a new version does not wait for them: what is remembered of them."""
_ROW_WEIGHT: Final = 1500
"""Bytes that a row of a report takes in the cache, roughly."""


@dataclass(frozen=True, slots=True)
class Question:
    """What totals are asked for: keys, charge days (YYYY-MM or YYYY-MM-DD, inclusive) and equal values."""

    by: tuple[str, ...] = ()
    date_from: str | None = None
    date_to: str | None = None
    where: tuple[tuple[str, str], ...] = ()

    @property
    def filters(self) -> Filters:
        """The filters as a mapping; the values of one key are alternatives."""
        return filters_of(self.where)

    @property
    def asked(self) -> tuple[tuple[str, ...], str | None, str | None, Filters]:
        """Keys, first and last day, filters: as reports take them."""
        return self.by, self.date_from, self.date_to, self.filters

    def before(self) -> "Question | None":
        """Return the same question about the period of equal length before; None where the period is open."""
        days = previous_days(days_of(self.date_from, self.date_to))
        if days is None:
            return None
        return Question(self.by, str(days.first), str(days.last), self.where)


class Service:
    """Answers questions.

    Args:
        store: the ledger.
        settings: limits.
        kitchen: makes the factor set and recipe for explanations and what-ifs; called once, late.
        cores: how many heavy queries run at once.
        listed: prices for what-ifs beside those that the ledger paid.
        made_with: digest of what answers depend on beside the ledger: version, settings, price list.

    """

    def __init__(
        self,
        store: "Store",
        settings: "ApiSettings",
        kitchen: "Callable[[], Kitchen]",
        cores: int,
        *,
        listed: "PriceList | None" = None,
        made_with: str = "",
    ) -> None:
        self.store = store
        self.listed = listed
        self.made_with = made_with
        self.settings = settings
        self.gate = Gate(GateLimits(cores, settings.queue_length, settings.queue_seconds))
        but_one = max(1, cores - 1)  # which answers from memory: they wait for no core, new questions a little longer
        self.light_gate = Gate(GateLimits(but_one, _LIGHT_QUEUE, settings.queue_seconds))
        self.exports = Gate(GateLimits(cores, 0, settings.queue_seconds))
        self._deadlines = Deadlines()
        self._make_kitchen = kitchen
        self._kitchen_lock = threading.Lock()
        self.reports: Cache[Report] = Cache(settings.cache_mib * 2**20 // 2)
        self.bodies: Cache[bytes] = Cache(settings.cache_mib * 2**20 // 2)
        self.repeated: Cache[Repeated] = Cache(_WARMED)
        self.slow: Cache[None] = Cache(_SLOW_NAMES)
        self._asked_again: Cache[tuple[Restriction, Question]] = Cache(_WARMED)

    @cached_property
    def _kitchen(self) -> "Kitchen":
        return self._make_kitchen()

    @property
    def kitchen(self) -> "Kitchen":
        """The factor set and recipe of the settings."""
        with self._kitchen_lock:
            return self._kitchen

    def state_of(self, edition: "Edition") -> str:
        """Return what every answer depends on: the versions of the ledger, and what this server makes of them."""
        return f"{edition.state}-{self.made_with}"

    @contextmanager
    def heavy(self, edition: "Edition", restriction: "Restriction") -> "Iterator[Reading]":
        """Lend a connection to the rows, one per core at a time, for at most the allowed time."""
        with (
            self.gate.slot(),
            edition.reading(restriction) as reading,
            self._deadlines.within(reading.con, self.settings.query_seconds),
        ):
            yield reading

    @contextmanager
    def light(self, edition: "Edition", restriction: "Restriction") -> "Iterator[Reading]":
        """Lend a connection to the rollup: one per core but one at a time, because more would only share the cores."""
        with (
            self.light_gate.slot(),
            edition.reading(restriction, light=True) as reading,
            self._deadlines.within(reading.con, self.settings.query_seconds),
        ):
            yield reading

    def report(self, edition: "Edition", restriction: "Restriction", question: Question) -> Report:
        """Return totals by keys. Raises UsageError for an unknown key or date, ApiError for too many groups or BUSY."""
        key = f"{edition.state} {restriction!r} {question!r}"
        known = self.reports.get(key)
        is_light = edition.rolls_up(restriction) and answers(*question.asked, self.store.tag_keys)
        if known is not None:
            if is_light:
                self._asked_again.put(f"{restriction!r} {question!r}", (restriction, question), 1)
            return known
        with self.light(edition, restriction) if is_light else self.heavy(edition, restriction) as reading:
            made_meanwhile = self.reports.get(key)
            if made_meanwhile is not None:
                return made_meanwhile
            if not is_light:
                self._refuse_many_groups(reading, question)
            view = "rollup" if is_light else EMISSIONS
            found = report(reading.con, *question.asked, provenance=reading.provenance, view=view)
        if len(found.rows) > self.settings.groups:
            raise self._too_many()
        self.reports.put(key, found, (len(found.rows) + 4) * _ROW_WEIGHT)
        return found

    def warm(self, edition: "Edition") -> None:
        """Report what the rollup was asked again and again, for an edition that is about to be served."""
        for restriction, question in self._asked_again.values():
            try:
                self.report(edition, restriction, question)
            except (OffGridFlowError, duckdb.Error):  # who asks again is told; the version is served all the same
                continue

    def _refuse_many_groups(self, reading: "Reading", question: Question) -> None:
        """Count the groups of a question before they are all fetched."""
        keys = keys_of(question.by)
        if not keys:
            return
        condition, values = scope_of(question.date_from, question.date_to, question.filters).where("usage")
        columns = ", ".join(f"{key.sql} AS k{index}" for index, key in enumerate(keys))
        bound = [value for key in keys for value in key.parameters]
        sql = (
            f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {EMISSIONS} WHERE {condition} "
            f"LIMIT {self.settings.groups + 1})"
        )
        counted = reading.con.execute(sql, [*bound, *values]).fetchall()[0][0]
        if counted > self.settings.groups:
            raise self._too_many()

    def _too_many(self) -> ApiError:
        sentence = f"The question has more than {self.settings.groups:,} groups."
        return ApiError(Code.TOO_MANY_GROUPS, sentence, action="Filter, use fewer keys, or export the rows.")

    def glance(self, edition: "Edition", restriction: "Restriction", question: Question) -> Glance:
        """Return coverage buckets and assumptions of a question's rows; light where the rollup answers."""
        asked = (question.date_from, question.date_to, question.filters)
        if edition.rolls_up(restriction) and answers((), *asked, self.store.tag_keys):
            with self.light(edition, restriction) as reading:
                return glance(reading.con, *asked, view="rollup")
        with self.heavy(edition, restriction) as reading:
            return glance(reading.con, *asked)

    def reconciled(self, edition: "Edition", question: Question) -> Reconciliation | None:
        """Return estimate beside the provider's figures by provider; None where no provider report is in the ledger."""
        with self.heavy(edition, UNRESTRICTED) as reading:
            if (
                not has_table(reading.con, REPORTED)
                or not reading.con.execute(f"SELECT 1 FROM {REPORTED} LIMIT 1").fetchall()
            ):
                return None
            months = (question.date_from and question.date_from[:7], question.date_to and question.date_to[:7])
            return reconcile(reading.con, *months, ("provider",), provenance=reading.provenance)

    def coverage(self, edition: "Edition", restriction: "Restriction", question: Question) -> CoverageReport:
        """Return what was estimated, how, and what was not."""
        with self.heavy(edition, restriction) as reading:
            asked = (question.date_from, question.date_to, question.filters)
            return coverage(reading.con, *asked, provenance=reading.provenance, spend=spend_rows(self.kitchen.recipe))

    def rates(self, edition: "Edition", restriction: "Restriction", where: Filters, search: str | None) -> RateCard:
        """Return the rate card behind the rows that may be seen."""
        with self.heavy(edition, restriction) as reading:
            return rate_card(reading.con, where, search)

    def sensitivity(self, edition: "Edition", restriction: "Restriction", question: Question) -> Sensitivity:
        """Return how far each group of uncertainty moves the total."""
        with self.heavy(edition, restriction) as reading:
            return sensitivity(reading.con, question.date_from, question.date_to, question.filters)

    def explain(
        self, edition: "Edition", restriction: "Restriction", question: Question, name: str | None, most: int
    ) -> ExplainReport:
        """Explain the largest SKUs of a cell down to their factors."""
        explainer = self.explainer()
        with self.heavy(edition, restriction) as reading:
            return explain_cell(
                reading.con,
                explainer,
                name,
                question.filters,
                date_from=question.date_from,
                date_to=question.date_to,
                most=most,
            )

    def explainer(self) -> "Callable[[Sku, Period], Explanation]":
        """Return what explains a SKU in a month or an hour under the settings."""
        from offgridflow.methodology.explain import explain  # noqa: PLC0415  the methodology is late

        made = self.kitchen
        return lambda sku, period: explain(sku, period, made.factors, made.recipe)

    def rate_of(self) -> "Callable[[Sku, Period], Rate]":
        """Return what rates a SKU in a month or an hour under the settings."""
        return self.kitchen.rate_of

    def what_if(self, edition: "Edition", restriction: "Restriction", question: Question, swap: Swap) -> WhatIf:
        """Return totals now and with a swap, both rated under the settings."""
        rate_of = self.rate_of()
        with self.heavy(edition, restriction) as reading:
            return what_if(
                reading.con,
                rate_of,
                swap,
                question.by,
                question.filters,
                date_from=question.date_from,
                date_to=question.date_to,
                provenance=reading.provenance,
                listed=self.listed,
            )
