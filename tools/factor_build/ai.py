"""Language models: energy and embodied per 1,000 output tokens, and the small tables."""

import re
from pathlib import Path

from tools.factor_build.tables import Row, own, read

COLUMNS = (
    "vendor",
    "model",
    "it_kwh_low",
    "it_kwh",
    "it_kwh_high",
    "embodied_kgco2e",
    "architecture_disclosed",
    "evidence",
    "source",
    "note",
)
SIZE_COLUMNS = ("key", "vcpu", "memory_gib", "machine", "evidence", "source", "note")
DISK_COLUMNS = ("provider", "code", "gib", "medium", "source")
_DISK = re.compile(r"managed disk ([PES]\d+)")


def models(shared: Path) -> list[Row]:
    """Return language models; columns of other tools are left out."""
    return [
        {
            "vendor": raw["provider"],
            "model": raw["model"],
            "it_kwh_low": float(raw["it_kwh_per_1k_output_tokens_min"]),
            "it_kwh": float(raw["it_kwh_per_1k_output_tokens_mean"]),
            "it_kwh_high": float(raw["it_kwh_per_1k_output_tokens_max"]),
            "embodied_kgco2e": float(raw["embodied_kgco2e_per_1k_output_tokens"]),
            "architecture_disclosed": raw["architecture_disclosed"] == "yes",
            "evidence": "derived",
            "source": "ecologits",
            "note": raw["architecture"],
        }
        for raw in read(shared, "ai_models_ecologits")
    ]


def disks(shared: Path) -> list[Row]:
    """Return provisioned sizes of Azure's managed disks."""
    found: list[Row] = []
    for raw in read(shared, "service_mapping"):
        match = _DISK.fullmatch(raw["service_or_sku_pattern"])
        if match is not None:
            size, _, medium = raw["how"].split()
            found.append(
                {
                    "provider": "azure",
                    "code": match[1],
                    "gib": float(size),
                    "medium": medium.lower(),
                    "source": "spruce",
                }
            )
    return found


def sizes() -> list[Row]:
    """Return vCPUs and memory of service units that are no catalogue machine, recalled from the providers' pages."""
    return [
        {**raw, "vcpu": float(raw["vcpu"]), "memory_gib": float(raw["memory_gib"]), "evidence": "recalled"}
        for raw in own("sizes")
    ]
