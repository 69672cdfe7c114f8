"""Processors and accelerators: watts and embodied of one thread, one card."""

from pathlib import Path

from tools.factor_build.tables import Corrections, Row, number, read

PROCESSOR_COLUMNS = (
    "name", "idle_w_per_thread", "max_w_per_thread", "memory_gb_per_thread", "is_arm", "is_proxy",
    "evidence", "source", "note",
)  # fmt: skip
ACCELERATOR_COLUMNS = (
    "model", "idle_w", "tdp_w", "embodied_low_kgco2e", "embodied_kgco2e", "embodied_high_kgco2e", "is_proxy",
    "evidence", "source", "note",
)  # fmt: skip

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
    rows.append({**arm, "name": "Apple silicon", "is_proxy": True, "note": "no public measurement; proxy: Ampere Altra"})
    for name in ("unknown", "x86"):
        rows.append(
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
            },
        )
    return rows


def _note(raw: dict[str, str], *, proxy: bool) -> str:
    if proxy:
        return "no public measurement; proxy: " + ("Skylake" if raw["vendor"] == "Intel" else "Ampere Altra")
    return f"median of {raw['n_spec_results']} results"


_BOARDS_OF_TWO = {"NVIDIA K80", "NVIDIA M60"}
_ADDED: tuple[tuple[str, float, float, float, str, str, str], ...] = (
    ("NVIDIA A100 PCIe", 34.5, 300, 273, "recalled", "vendor", "PCIe card of Azure NC A100 v4"),
    ("NVIDIA H100 NVL", 40, 400, 273, "recalled", "vendor", "94 GB card of Azure NC H100 v5"),
    ("NVIDIA M6", 11.5, 100, 200, "recalled", "vendor", ""),
    ("Xilinx VU9P", 25.9, 225, 200, "derived", "vendor", "card of AWS f1; as Alveo U250"),
    ("AMD VU47P", 25.9, 225, 200, "derived", "vendor", "card of AWS f2; as Alveo U250"),
    ("Xilinx U30", 8, 40, 160, "recalled", "vendor", "transcoder card of AWS vt1"),
    ("AWS Inferentia", 4, 32, 160, "derived", "methodology", "about 16 W at 50 %, from Teads inf1 less its host"),
    ("AWS Inferentia2", 17, 150, 200, "recalled", "methodology", "no published power; about one A10"),
    ("AWS Trainium", 25, 250, 200, "recalled", "methodology", "no published power; about one PCIe training card"),
    ("AWS Trainium2", 50, 500, 273, "recalled", "methodology", "about 500 W per chip in press reports"),
    ("AWS Trainium3", 70, 700, 273, "recalled", "methodology", "no published power; as H100 SXM"),
    ("Intel Gaudi", 34.5, 300, 273, "recalled", "vendor", "HL-205 mezzanine card, 350 W limit; 300 W typical"),
    ("Qualcomm AI 100", 8.6, 75, 160, "recalled", "vendor", ""),
    ("Google TPU v2", 40, 280, 200, "recalled", "gcp_docs", "chip, TPU v4 paper"),
    ("Google TPU v3", 50, 450, 200, "recalled", "gcp_docs", "chip, TPU v4 paper"),
    ("Google TPU v4", 90, 192, 200, "recalled", "gcp_docs", "chip, mean and idle power of the TPU v4 paper"),
    ("Google TPU v5e", 30, 200, 200, "recalled", "gcp_docs", "no published power; about one v4"),
    ("Google TPU v5p", 50, 450, 273, "recalled", "gcp_docs", "no published power; about one v3"),
    ("Google TPU v6e", 40, 300, 273, "recalled", "gcp_docs", "no published power"),
    ("Google TPU v7", 70, 700, 273, "recalled", "gcp_docs", "no published power; as H100 SXM"),
)
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
    for model, idle, tdp, embodied, evidence, source, note in _ADDED:
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
                "source": source,
                "note": note,
            },
        )
    return rows


def _embodied(raw: dict[str, str]) -> tuple[float, float, float]:
    """Return low, central and high kilograms: the opinions that may be cited, central inside."""
    central = float(raw["embodied_kgco2e_default"])
    opinions = [number(raw[f"embodied_kgco2e_{name}"]) for name in ("ccf", "ecologits", "nvidia_pcf")]
    known = [central * _EMBODIED_SPREAD[0], central, central * _EMBODIED_SPREAD[1], *(each for each in opinions if each)]
    return min(known), central, max(known)
