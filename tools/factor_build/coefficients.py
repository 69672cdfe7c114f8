"""Coefficients, replication and service medians: the rows of factors.csv."""

from statistics import median

from tools.factor_build.tables import Row, own

COLUMNS = (
    "factor_id",
    "kind",
    "key",
    "low",
    "central",
    "high",
    "unit",
    "boundary",
    "evidence",
    "source",
    "vintage",
    "valid_from",
    "valid_to",
    "note",
)


def rows(machines: list[Row]) -> list[Row]:
    """Return the rows of factors.csv."""
    return [*map(_coefficient, own("coefficients")), *map(_copies, own("replication")), *_medians(machines)]


def _factor(kind: str, key: str, low: float, central: float, high: float, **more: str) -> Row:
    row: Row = {"factor_id": f"{kind}:{key}", "kind": kind, "key": key, "low": low, "central": central, "high": high}
    return {**row, "vintage": "", "valid_from": "", "valid_to": "", **more}


def _coefficient(raw: dict[str, str]) -> Row:
    more = {name: raw[name] for name in ("unit", "boundary", "evidence", "source", "note")}
    return _factor("coefficient", raw["key"], float(raw["low"]), float(raw["central"]), float(raw["high"]), **more)


def _copies(raw: dict[str, str]) -> Row:
    evidence = "read" if raw["source"] == "ccf" else "derived"
    more = {"unit": "copies", "boundary": "none", "evidence": evidence, "source": raw["source"], "note": raw["note"]}
    return _factor("replication", raw["key"], float(raw["low"]), float(raw["central"]), float(raw["high"]), **more)


def _medians(machines: list[Row]) -> list[Row]:
    found = []
    for raw in own("service_medians"):
        provider, families = raw["provider"], raw["families"].split()
        sizes = [
            float(str(row["vcpu"]))
            for row in machines
            if row["provider"] == provider and row["family"] in families and not row["whole_host"]
        ]
        quarters = sorted(sizes)
        low, high = quarters[len(quarters) // 4], quarters[(3 * len(quarters)) // 4]
        note = f"median of {len(sizes)} types of {', '.join(families)}; quartiles as range"
        more = {"unit": "vCPU", "boundary": "none", "evidence": "derived", "source": f"specs_{provider}", "note": note}
        for service in raw["services"].split("|"):
            key = f"{provider}.{service.lower()}"
            found.append(_factor("service_median", key, low, median(sizes), high, **more))
    return found
