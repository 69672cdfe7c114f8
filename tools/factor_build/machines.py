"""Machine types of the three clouds with their hosts, corrected."""

import re
from pathlib import Path

from tools.factor_build.machine_tables import (
    ACCELERATOR_NAMES,
    ACCELERATORS,
    GCP_BASELINES,
    HOSTS,
    PROCESSORS,
    WHOLE_HOSTS,
    Added,
    added,
    baseline,
    disks,
)
from tools.factor_build.tables import Corrections, Row, read, zero

COLUMNS = (
    "provider",
    "instance_type",
    "family",
    "vcpu",
    "memory_gib",
    "threads",
    "processor",
    "gpu_model",
    "gpu_count",
    "ssd_tb",
    "hdd_drives",
    "platform_vcpu",
    "sockets",
    "whole_host",
    "baseline",
    "teads_w_50pct",
    "teads_w_idle",
    "evidence",
    "source",
    "note",
)

_KG_PER_GB = 533 / 384
_AZURE_NAME = re.compile(r"(?:(?:Standard|Basic)_)?([A-Z]+)(\d+)(-\d+)?([a-z]*)(.*)")
_GPU_OF_NAME = {"_A100_v4": "NVIDIA A100 PCIe", "_H100_v5": "NVIDIA H100 NVL"}


def family_of(provider: str, name: str) -> str:
    """Return the family: AWS before the dot, GCP before the first hyphen, Azure the name without its size."""
    if provider == "aws":
        return name.partition(".")[0]
    if provider == "gcp":
        return name.partition("-")[0]
    match = _AZURE_NAME.fullmatch(name)
    return name.lower() if match is None else (match[1] + match[4] + match[5]).replace("_", "").lower()


def machines(shared: Path, log: Corrections) -> list[Row]:
    """Return all machine types, sorted by the writer."""
    power = {(raw["provider"], raw["instance_type"]): raw for raw in read(shared, "instance_power_embodied")}
    teads = {raw["instance_type"]: raw for raw in read(shared, "instance_power_teads")}
    rows = []
    for raw in read(shared, "instances"):
        row = _row(raw, power[raw["provider"], raw["instance_type"]])
        _correct(row, raw, log)
        rows.append(row)
    known = {(row["provider"], row["instance_type"]) for row in rows}
    for machine in added():
        if (machine.provider, machine.name) not in known:
            rows.append(_added(machine))
            log.add(
                f"machines: {machine.provider} {machine.name}",
                None,
                machine.vcpu,
                "family missing in the research file",
            )
    for row in rows:
        _measure(row, teads)
    return rows


def _measure(row: Row, teads: dict[str, dict[str, str]]) -> None:
    """Add the watts of Teads; an added machine whose size Teads lists too is no longer only recalled."""
    measured = teads.get(str(row["instance_type"])) if row["provider"] == "aws" else None
    if measured is None:
        return
    row["teads_w_50pct"] = float(measured["instance_w_50pct"])
    row["teads_w_idle"] = float(measured["instance_w_idle"])
    if row["evidence"] == "recalled" and float(measured["vcpu"]) == row["vcpu"]:
        row["evidence"], row["source"] = "read", "teads"


def _row(raw: dict[str, str], power: dict[str, str]) -> Row:
    provider, name = raw["provider"], raw["instance_type"]
    count = zero(raw["gpu_count"])
    model = raw["gpu_model"]
    if not model and raw["accelerator"]:
        model, count = ACCELERATOR_NAMES[raw["accelerator"]], zero(raw["accelerator_count"])
    return {
        "provider": provider,
        "instance_type": name,
        "family": family_of(provider, name),
        "vcpu": float(raw["vcpu"]),
        "memory_gib": float(raw["memory_gib"]),
        "threads": float(power["threads"]),
        "processor": raw["microarchitecture"],
        "gpu_model": model if count else "",
        "gpu_count": count,
        "ssd_tb": zero(raw["local_nvme_gb"]) / 1000,
        "hdd_drives": 0.0,
        "platform_vcpu": float(power["platform_vcpu"]),
        "sockets": _sockets(raw, power),
        "whole_host": float(power["platform_vcpu"]) == float(raw["vcpu"]),
        "baseline": None,
        "evidence": "read",
        "source": f"specs_{provider}",
        "note": "",
    }


def _sockets(raw: dict[str, str], power: dict[str, str]) -> int:
    """Return the sockets of the host, solved from the research file's embodied figure."""
    share = float(power["platform_share"])
    disk = zero(raw["local_nvme_gb"]) / 1000 * 50
    host = (float(power["embodied_kgco2e"]) - zero(power["embodied_gpu_kgco2e"]) - disk) / share
    extra = host - 1000 - max(0.0, float(power["platform_memory_gib"]) - 16) * _KG_PER_GB
    return 1 + round(extra / 100)


def _correct(row: Row, raw: dict[str, str], log: Corrections) -> None:
    name, provider = str(row["instance_type"]), str(row["provider"])
    what = f"machines: {provider} {name}"
    _correct_processor(row, what, log)
    _correct_accelerator(row, what, log)
    _correct_host(row, what, log)
    if name == "Standard_B1ls":
        log.add(f"{what} memory_gib", row["memory_gib"], 0.5, "published as 0.5 GiB; the source rounds to 0")
        row["memory_gib"] = 0.5
    if provider == "gcp" and name in GCP_BASELINES:
        seen = GCP_BASELINES[name][0]
        log.add(
            f"{what} vcpu", row["vcpu"], seen, "shared-core: the guest's vCPUs and a baseline, as in the other clouds"
        )
        row["vcpu"] = row["threads"] = seen
    own = baseline(provider, name)
    if own is not None:
        row["baseline"] = own
        row["note"] = "baseline recalled"
        log.add(f"{what} baseline", None, own, "burstable baseline per vCPU, published by the provider")
    nvme = zero(raw["local_nvme_gb"])
    found = disks(provider, name, float(raw["vcpu"]), nvme)
    if found is not None:
        reason = "disks are HDD" if nvme else "local disks missing in the research file"
        log.add(f"{what} disks", f"{nvme:g} GB SSD", f"{found.ssd_tb:g} TB SSD, {found.hdd_drives:g} HDD", reason)
        row["ssd_tb"], row["hdd_drives"] = found.ssd_tb, found.hdd_drives


def _correct_processor(row: Row, what: str, log: Corrections) -> None:
    for provider, pattern, processor in PROCESSORS:
        wrong = row["provider"] == provider and row["processor"] != processor
        if wrong and re.fullmatch(pattern, str(row["instance_type"])):
            log.add(f"{what} processor", row["processor"], processor, "wrong CPU generation in the research file")
            row["processor"] = processor


def _correct_accelerator(row: Row, what: str, log: Corrections) -> None:
    provider, name = str(row["provider"]), str(row["instance_type"])
    known = ACCELERATORS.get((provider, name))
    if known is not None and (row["gpu_model"], row["gpu_count"]) != known:
        log.add(
            f"{what} accelerator",
            f"{row['gpu_count']:g} {row['gpu_model']}".strip(),
            f"{known[1]:g} {known[0]}",
            "missing or miscounted",
        )
        row["gpu_model"], row["gpu_count"] = known
    for ending, model in _GPU_OF_NAME.items():
        if provider == "azure" and name.startswith("Standard_NC") and name.endswith(ending):
            log.add(f"{what} gpu_model", row["gpu_model"], model, "Azure NC uses the PCIe card, not SXM")
            row["gpu_model"] = model


def _correct_host(row: Row, what: str, log: Corrections) -> None:
    provider, name = str(row["provider"]), str(row["instance_type"])
    whole = any(provider == each and re.fullmatch(pattern, name) for each, pattern in WHOLE_HOSTS)
    for host in HOSTS:
        if not whole and host["provider"] == provider and re.fullmatch(host["pattern"], name):
            seen = f"{row['platform_vcpu']:g} vCPU, {row['sockets']} sockets"
            row["platform_vcpu"], row["sockets"] = float(host["platform_vcpu"]), int(host["sockets"])
            now = f"{row['platform_vcpu']:g} vCPU, {row['sockets']} sockets"
            if seen != now:
                log.add(f"{what} host", seen, now, host["reason"])
    if whole and row["platform_vcpu"] != row["vcpu"]:
        log.add(f"{what} platform_vcpu", row["platform_vcpu"], row["vcpu"], "the type fills its host: share 1")
        row["platform_vcpu"] = row["vcpu"]
    if whole and name.startswith("mac"):
        row["sockets"] = 1
    row["whole_host"] = whole or row["platform_vcpu"] == row["vcpu"]


def _added(machine: Added) -> Row:
    return {
        "provider": machine.provider,
        "instance_type": machine.name,
        "family": family_of(machine.provider, machine.name),
        "vcpu": machine.vcpu,
        "memory_gib": machine.memory_gib,
        "threads": machine.vcpu * _threads_per_vcpu(machine),
        "processor": machine.processor,
        "gpu_model": machine.gpu,
        "gpu_count": machine.gpu_count,
        "ssd_tb": machine.ssd_tb,
        "hdd_drives": machine.hdd_drives,
        "platform_vcpu": machine.platform_vcpu,
        "sockets": machine.sockets,
        "whole_host": machine.platform_vcpu == machine.vcpu,
        "baseline": None,
        "evidence": "recalled",
        "source": f"{machine.provider}_docs",
        "note": "added: missing in the research file",
    }


def _threads_per_vcpu(machine: Added) -> int:
    """A vCPU that is a physical core of an x86 counts two threads; an Arm core has one."""
    return 2 if machine.physical_core and machine.processor != "Nvidia Grace" else 1
