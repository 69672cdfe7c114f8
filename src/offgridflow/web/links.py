"""The state of a page lives in its address: what is shown, and the links to what can be shown next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

DRILL: Final = ("provider", "service_name", "region_id", "resource_id")
"""The way down: the next key that is not yet filtered by."""

MOST_BYTES: Final = 7800
"""Of an address: a little less than a server takes (``api.guard``), so that links and exports of its page work too."""


@dataclass(frozen=True, slots=True)
class View:
    """Months (YYYY-MM, inclusive), the key of the breakdown, the filters, and the metric of the chart."""

    from_: str | None = None
    to: str | None = None
    by: str = "provider"
    metric: str = "carbon"
    where: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> str | None:
        """The first month."""
        return self.from_

    @property
    def last(self) -> str | None:
        """The last month."""
        return self.to

    def within(self, months: Sequence[str], this_month: str) -> "View":
        """Return the view with open ends closed: without any, the newest month of the ledger that is over."""
        if not months:
            return self
        over = [month for month in months if month < this_month] or months
        if self.from_ is None and self.to is None:
            return replace(self, from_=over[-1], to=over[-1])
        return replace(self, from_=self.from_ or months[0], to=self.to or months[-1])

    def with_by(self, key: str) -> str:
        """Return the link to the same view by another key."""
        return "/?" + self.query(by=key)

    def with_metric(self, metric: str) -> str:
        """Return the link to the same view of another metric."""
        return "/?" + self.query(metric=metric)

    def drilled(self, value: object) -> str | None:
        """Return the link one level down, filtered by this row, broken down by the next key; None if too long."""
        where = (*(pair for pair in self.where if pair[0] != self.by), (self.by, "" if value is None else str(value)))
        if self.by == "resource_id":
            return _short_enough("/explain?" + replace(self, where=where).query())
        filtered = {key for key, _ in where}
        following = next((key for key in DRILL if key not in filtered), "resource_id")
        return _short_enough("/?" + replace(self, where=where, by=following).query())

    def explained(self, value: object) -> str | None:
        """Return the link to the explanation of a row; None if it is too long for an address."""
        where = (*(pair for pair in self.where if pair[0] != self.by), (self.by, "" if value is None else str(value)))
        return _short_enough("/explain?" + replace(self, where=where).query())

    def without(self, key: str) -> str:
        """Return the link with a filter taken off."""
        return "/?" + replace(self, where=tuple(pair for pair in self.where if pair[0] != key)).query()

    def undated(self) -> str:
        """Return the query of the same view over all months."""
        return replace(self, from_=None, to=None).query()

    def query(self, **changes: str) -> str:
        """Return the address's query; defaults are left out."""
        pairs: list[tuple[str, str]] = []
        for name, value in (("from", self.from_), ("to", self.to)):
            if value:
                pairs.append((name, value))
        chosen = {"by": self.by, "metric": self.metric, **changes}
        pairs += [(name, value) for name, value in chosen.items() if value != _DEFAULTS[name]]
        pairs += [("where", f"{key}={value}") for key, value in self.where]
        return urlencode(pairs)

    def link(self, path: str, **more: str) -> str:
        """Return the address that holds the whole state of a page; ``more`` is what the page knows beside the view."""
        return "?".join(filter(None, (path, "&".join(filter(None, (self.query(), urlencode(more)))))))

    def api_query(self, **more: str) -> str:
        """Return the query of the API's answer to the same question."""
        return urlencode({"by": self.by}) + "&" + self.cells_query(**more)

    def cells_query(self, **more: str) -> str:
        """Return the query of the API's answer about the same rows, whatever they are shown by."""
        pairs = [*more.items()]
        pairs += [(name, value) for name, value in (("from", self.from_), ("to", self.to)) if value]
        pairs += [("where", f"{key}={value}") for key, value in self.where]
        return urlencode(pairs)


def _short_enough(address: str) -> str | None:
    return address if len(address) <= MOST_BYTES else None


_DEFAULTS: Final = {"by": "provider", "metric": "carbon"}
