"""Processors and accelerators: watts and embodied of one thread, one card."""

from pathlib import Path

from tools.factor_build.tables import Corrections, Row, number, own, read

PROCESSOR_COLUMNS = (
    "name",
    "idle_w_per_thread",
    "max_w_per_thread",
    "memory_gb_per_thread",
    "is_arm",
    "is_proxy",
    "evidence",
    "source",
    "note",
)
ACCELERATOR_COLUMNS = (
    "model",
    "idle_w",
    "tdp_w",
    "embodied_low_kgco2e",
    "embodied_kgco2e",
    "embodied_high_kgco2e",
    "is_proxy",
    "evidence",
    "source",
    "note",
)

_ARM_VENDORS = {"Ampere", "AWS", "Google", "Azure", "Nvidia"}
_MEDIAN_MEMORY_GB_PER_THREAD = 1.0
"""Unknown processor: 1 GB per thread, so that 1.65 W/vCPU less 0.392 W is the 1.258 W of methodology.md section 3."""


def processors(shared: Path) -> list[Row]:
    """Return the processors: SPECpower medians, proxies, and the three that stand for the unknown."""
    rows: list[Row] = []
    for raw in read(shared, "cpu_architectures"):
        proxy = "proxy" in raw["use"]
        rows.append(
            {
                "name": raw["microarchitecture"],
                "idle_w_per_thread": number(raw["idle_w_per_thread_median"]),
                "max_w_per_thread": number(raw["max_w_per_thread_median"]),
                "memory_gb_per_thread": number(raw["memory_gb_per_thread_median"]),
                "is_arm": raw["vendor"] in _ARM_VENDORS,
                "is_proxy": proxy,
                "evidence": "derived",
                "source": "spec",
                "note": _note(raw, proxy=proxy),
            },
        )
    arm = next(row for row in rows if row["name"] == "Ampere Altra (Neoverse N1)")
    rows.append({**arm, "name": "arm", "is_proxy": True, "note": "any Arm processor; proxy: Ampere Altra"})
    rows.append(
        {**arm, "name": "Apple silicon", "is_proxy": True, "note": "no public measurement; proxy: Ampere Altra"}
    )
    rows.extend(
        {
            "name": name,
            "idle_w_per_thread": 0.60,
            "max_w_per_thread": 2.70,
            "memory_gb_per_thread": _MEDIAN_MEMORY_GB_PER_THREAD,
            "is_arm": False,
            "is_proxy": True,
            "evidence": "derived",
            "source": "spec",
            "note": "median of nine server generations, Cascade Lake to Granite Rapids and Rome to Turin",
        }
        for name in ("unknown", "x86")
    )
    return rows


def _note(raw: dict[str, str], *, proxy: bool) -> str:
    if proxy:
        return "no public measurement; proxy: " + ("Skylake" if raw["vendor"] == "Intel" else "Ampere Altra")
    return f"median of {raw['n_spec_results']} results"


_BOARDS_OF_TWO = {"NVIDIA K80", "NVIDIA M60"}
_EMBODIED_SPREAD = (0.6, 1.5)


def accelerators(shared: Path, log: Corrections) -> list[Row]:
    """Return the accelerators; double boards are halved, missing ones added."""
    rows: list[Row] = []
    for raw in read(shared, "gpus"):
        model, tdp, idle = raw["gpu_model"], float(raw["tdp_w"]), float(raw["default_idle_w"])
        if model in _BOARDS_OF_TWO:
            log.add(f"accelerators: {model} tdp_w", tdp, tdp / 2, "300 W is the board of two GPUs; bills count GPUs")
            tdp, idle = tdp / 2, idle / 2
        low, central, high = _embodied(raw)
        rows.append(
            {
                "model": model,
                "idle_w": idle,
                "tdp_w": tdp,
                "embodied_low_kgco2e": low,
                "embodied_kgco2e": central,
                "embodied_high_kgco2e": high,
                "is_proxy": False,
                "evidence": "read",
                "source": "vendor",
                "note": "one GPU of a board of two" if model in _BOARDS_OF_TWO else "",
            },
        )
    for raw in own("accelerators"):
        model, evidence, note = raw["model"], raw["evidence"], raw["note"]
        tdp, idle, embodied = float(raw["tdp_w"]), float(raw["idle_w"]), float(raw["embodied_kgco2e"])
        log.add(f"accelerators: {model}", None, tdp, f"missing in the research file; {note}".rstrip("; "))
        rows.append(
            {
                "model": model,
                "idle_w": idle,
                "tdp_w": tdp,
                "embodied_low_kgco2e": embodied * _EMBODIED_SPREAD[0],
                "embodied_kgco2e": embodied,
                "embodied_high_kgco2e": embodied * _EMBODIED_SPREAD[1],
                "is_proxy": model.split()[0] in {"AWS", "Google", "Intel", "Qualcomm"} or evidence == "derived",
                "evidence": evidence,
                "source": raw["source"],
                "note": note,
            },
        )
    return rows


def _embodied(raw: dict[str, str]) -> tuple[float, float, float]:
    """Return low, central and high kilograms: the opinions that may be cited, central inside."""
    central = float(raw["embodied_kgco2e_default"])
    opinions = [number(raw[f"embodied_kgco2e_{name}"]) for name in ("ccf", "ecologits", "nvidia_pcf")]
    known = [
        central * _EMBODIED_SPREAD[0],
        central,
        central * _EMBODIED_SPREAD[1],
        *(each for each in opinions if each),
    ]
    return min(known), central, max(known)
