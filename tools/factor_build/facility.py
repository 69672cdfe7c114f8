"""PUE, on-site water and water of electricity by region."""

from pathlib import Path

from tools.factor_build.places import slug
from tools.factor_build.tables import Corrections, Row, number, read

COLUMNS = (
    "provider",
    "region_id",
    "year",
    "pue_low",
    "pue",
    "pue_high",
    "pue_basis",
    "pue_evidence",
    "pue_source",
    "wue_l_per_it_kwh",
    "wue_basis",
    "wue_source",
    "electricity_water_l_per_kwh",
    "water_basis",
    "marks",
)

_AMERICAS, _EMEA, _APAC = (1.16, 0.34), (1.16, 0.03), (1.28, 0.25)
_MOVED: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("usgoviowa", "usgovwyoming", "southcentralus2", "southeastus", "eastus2euap", "centraluseuap"), _AMERICAS
    ),
    **dict.fromkeys(("uknorth", "uksouth2", "germanycentral", "germanynortheast", "saudiarabiaeast"), _EMEA),
    **dict.fromkeys(("jioindiawest", "jioindiacentral", "singaporecentral", "malaysiasouth", "taiwannorthwest"), _APAC),
}
_HOSTS = {"eastus2euap": "eastus2", "centraluseuap": "centralus"}
_NO_WATER = {("aws", "ap-east-1"), ("azure", "eastasia"), ("gcp", "asia-east2"), ("alibaba", "cn-hongkong")}
_REGIONAL = 0.02
_UPTIME_PUE = 1.56
_GEOGRAPHIES = {_AMERICAS: "americas", _EMEA: "emea", _APAC: "apac"}
_AZURE_SHEETS = {
    "americas": (
        "centralus",
        "eastus",
        "eastus2",
        "northcentralus",
        "southcentralus",
        "westcentralus",
        "westus2",
        "westus3",
    ),
    "emea": ("northeurope", "swedencentral", "westeurope"),
    "apac": ("southeastasia",),
}


def facilities(shared: Path, log: Corrections) -> list[Row]:
    """Return one row for each region, by its newest published values."""
    defaults = {(slug(raw["provider"]), raw["region_id"]): raw for raw in read(shared, "pue_wue_default")}
    water = {(slug(raw["provider"]), raw["region_id"]): raw for raw in read(shared, "water_region")}
    for (provider, region_id), raw in defaults.items():
        if provider == "azure" and region_id in _MOVED:
            _move(raw, defaults, log)
    spans = _geography_spans(defaults)
    return [_row(key, raw, spans, water.get(key), log) for key, raw in defaults.items()]


def _move(raw: dict[str, str], defaults: dict[tuple[str, str], dict[str, str]], log: Corrections) -> None:
    """Give a region the values of its geography, or of the region that hosts it."""
    region_id = raw["region_id"]
    pue, wue = _MOVED[region_id]
    old = f"{raw['default_pue']}/{raw['default_wue_l_per_kwh_it']}"
    raw.update(default_pue=str(pue), pue_basis="Azure geography mean", pue_year="FY2025", source="")
    raw.update(default_wue_l_per_kwh_it=str(wue), wue_basis="Azure geography mean", wue_year="FY2025")
    if region_id in _HOSTS:
        host = defaults["azure", _HOSTS[region_id]]
        raw.update({name: host[name] for name in ("default_pue", "pue_basis", "pue_year")})
    new = f"{raw['default_pue']}/{raw['default_wue_l_per_kwh_it']}"
    if old != new:
        log.add(f"facility: azure {region_id} pue/wue", old, new, "wrong geography in the research file")


def _geography_spans(defaults: dict[tuple[str, str], dict[str, str]]) -> dict[str, tuple[float, float]]:
    """Return least and greatest regional PUE of a provider's geography."""
    values: dict[str, list[float]] = {}
    for (provider, region_id), raw in defaults.items():
        basis = raw["pue_basis"]
        if provider == "aws" and basis.startswith("region"):
            values.setdefault(f"aws:{region_id.partition('-')[0]}", []).append(float(raw["default_pue"]))
            values.setdefault("aws", []).append(float(raw["default_pue"]))
        if provider == "gcp" and basis.startswith("campus"):
            values.setdefault("gcp", []).append(float(raw["default_pue"]))
        for geography, sheets in _AZURE_SHEETS.items():
            if provider == "azure" and region_id in sheets:
                values.setdefault(f"azure:{geography}", []).append(float(raw["default_pue"]))
    return {name: (min(found), max(found)) for name, found in values.items()}


def _span(
    key: tuple[str, str], raw: dict[str, str], spans: dict[str, tuple[float, float]]
) -> tuple[float, float, float]:
    provider, region_id = key
    pue, basis = float(raw["default_pue"]), raw["pue_basis"]
    if basis.startswith(("region", "campus")):
        return max(1.0, pue * (1 - _REGIONAL)), pue, pue * (1 + _REGIONAL)
    if provider in {"oracle", "alibaba"}:
        return (pue, pue, _UPTIME_PUE) if provider == "oracle" else (max(1.0, pue * (1 - _REGIONAL)), pue, _UPTIME_PUE)
    name = provider
    if provider == "aws" and "geography" in basis:
        name = f"aws:{region_id.partition('-')[0]}"
    if provider == "azure":
        name = f"azure:{_GEOGRAPHIES[pue, float(raw['default_wue_l_per_kwh_it'])]}"
    low, high = spans.get(name, spans.get(provider, (pue, pue)))
    return min(low, pue), pue, max(high, pue)


_SOURCES = {"gcp": "gcp_pue", "oracle": "oracle_pue", "alibaba": "alibaba_pue"}


def _source(provider: str, basis: str) -> str:
    if provider == "aws":
        return "aws_fleet" if "fleet" in basis else "aws_pue"
    if provider == "azure":
        return "azure_pue" if basis.startswith("region") else "azure_geo"
    return _SOURCES[provider]


def _row(
    key: tuple[str, str],
    raw: dict[str, str],
    spans: dict[str, tuple[float, float]],
    water: dict[str, str] | None,
    log: Corrections,
) -> Row:
    provider, region_id = key
    low, pue, high = _span(key, raw, spans)
    wue = number(raw["default_wue_l_per_kwh_it"])
    electricity = number(water["electricity_water_consumption_l_per_kwh"]) if water else None
    if key in _NO_WATER and electricity is not None:
        log.add(
            f"facility: {provider} {region_id} electricity_water", electricity, None, "Hong Kong's water is not China's"
        )
        electricity = None
    marks = [] if raw["pue_basis"].startswith(("region", "campus")) else ["pue_geography"]
    if wue is not None and raw["wue_basis"] != "region":
        marks.append("wue_geography")
    return {
        "provider": provider,
        "region_id": region_id,
        "year": raw["pue_year"].removeprefix("FY"),
        "pue_low": low,
        "pue": pue,
        "pue_high": high,
        "pue_basis": raw["pue_basis"],
        "pue_evidence": "recalled" if provider == "alibaba" else "read",
        "pue_source": _source(provider, raw["pue_basis"]),
        "wue_l_per_it_kwh": wue,
        "wue_basis": raw["wue_basis"] if wue is not None else "",
        "wue_source": _source(provider, raw["wue_basis"]) if wue is not None else "",
        "electricity_water_l_per_kwh": electricity,
        "water_basis": "consumption" if electricity is not None else "",
        "marks": " ".join(marks),
    }
