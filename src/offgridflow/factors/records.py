"""From rows of the set's tables to the dataclasses of ``model``, and to the Factor behind every number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from offgridflow.domain.model import Span
from offgridflow.factors.model import AcceleratorType, AiModel, Factor, MachineType, Processor, Region, Size

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers come from, with the licence they keep."""

    name: str
    ref: str
    licence: str
    vintage: str


def number(text: str) -> float | None:
    """Return the number in a cell, None where it is empty."""
    return float(text) if text else None


def span_of(row: Row, low: str, central: str, high: str) -> Span | None:
    """Return the span of three columns, None where the central one is empty."""
    return Span(float(row[low]), float(row[central]), float(row[high])) if row[central] else None


class FactorMaker:
    """Makes Factors with the provenance of their source.

    Args:
        sources: rows of ``sources.csv``.

    """

    def __init__(self, sources: Iterator[dict[str, str]]) -> None:
        self.sources = {
            row["source_id"]: Source(row["name"], row["source_ref"], row["licence"], row["vintage"]) for row in sources
        }

    def make(self, kind: str, key: str, value: Span, unit: str, boundary: str, row: Row) -> Factor:
        """Return a factor; evidence, source, vintage and note are those of the row."""
        source = self.sources[row["source"]]
        return Factor(
            factor_id=f"{kind}:{key}",
            kind=kind,
            key=key,
            low=value.low,
            central=value.central,
            high=value.high,
            unit=unit,
            boundary=boundary,
            evidence=row["evidence"],
            source=source.name,
            source_ref=source.ref,
            licence=source.licence,
            vintage=row.get("vintage") or source.vintage,
            valid_from=_day(row.get("valid_from", "")),
            valid_to=_day(row.get("valid_to", "")),
            note=row.get("note", ""),
        )

    def plain(self, row: Row) -> Factor:
        """Return the factor of a row of ``factors.csv``."""
        value = Span(float(row["low"]), float(row["central"]), float(row["high"]))
        return self.make(row["kind"], row["key"], value, row["unit"], row["boundary"], row)

    def of_processor(self, row: Row) -> Factor:
        """Return watts per thread: idle, half load, full load."""
        idle, most = float(row["idle_w_per_thread"]), float(row["max_w_per_thread"])
        return self.make("processor", row["name"], Span(idle, (idle + most) / 2, most), "W/thread", "wall_power", row)

    def of_accelerator(self, row: Row) -> Iterator[Factor]:
        """Yield watts (idle, 0.75 TDP, TDP) and embodied kilograms of one card."""
        idle, most = float(row["idle_w"]), float(row["tdp_w"])
        yield self.make("accelerator", row["model"], Span(idle, max(idle, 0.75 * most), most), "W/card", "it", row)
        embodied = span_of(row, "embodied_low_kgco2e", "embodied_kgco2e", "embodied_high_kgco2e")
        if embodied is not None:
            grade = "derived" if row["evidence"] == "read" else row["evidence"]
            more = {"evidence": grade, "source": "methodology", "note": "160, 200 or 273 kg by size; opinions as range"}
            yield self.make("accelerator_embodied", row["model"], embodied, "kgCO2e/card", "cradle_to_gate", more)

    def of_machine(self, row: Row) -> Iterator[Factor]:
        """Yield the specification of a machine (its vCPUs), and what Teads measured or estimated."""
        key = f"{row['provider']}:{row['instance_type']}"
        note = "; ".join(each for each in (f"{row['memory_gib']} GiB, {row['processor']}", row["note"]) if each)
        yield self.make("machine", key, Span.exactly(float(row["vcpu"])), "vCPU", "none", {**row, "note": note})
        if row["teads_w_50pct"]:
            measured = {"evidence": "read", "source": "teads", "note": f"idle {row['teads_w_idle']} W"}
            yield self.make(
                "teads", key, Span.exactly(float(row["teads_w_50pct"])), "W at 50 %", "wall_power", measured
            )
        if row["baseline"]:
            recalled = {"evidence": "recalled", "source": f"{row['provider']}_docs", "note": "baseline of one vCPU"}
            yield self.make("baseline", key, Span.exactly(float(row["baseline"])), "fraction", "none", recalled)

    def of_grid(self, row: Row) -> Iterator[Factor]:
        """Yield direct, delivered lifecycle and published generation intensity of an area in a year."""
        key, vintage = f"{row['area']}:{row['year']}", row["year"]
        day = {"valid_from": f"{vintage}-01-01", "valid_to": f"{int(vintage) + 1}-01-01", "vintage": vintage}
        base = {"source": row["source"], "note": row["note"], **day}
        direct = span_of(row, "direct_low", "direct", "direct_high")
        if direct is not None:
            more = {**base, "evidence": row["direct_evidence"]}
            if row["area"] == "country:IND":
                more["source"] = "cea"
            yield self.make("grid_direct", key, direct, "kgCO2e/kWh", "direct_generation", more)
        lifecycle = span_of(row, "lifecycle_low", "lifecycle", "lifecycle_high")
        if lifecycle is not None:
            more = {**base, "evidence": row["lifecycle_evidence"]}
            yield self.make("grid_lifecycle", key, lifecycle, "kgCO2e/kWh", "lifecycle_delivered", more)
        if row["generation_g_per_kwh"]:
            made = Span.exactly(float(row["generation_g_per_kwh"]) / 1000)
            more = {**base, "evidence": "derived" if "Qatar" in row["note"] else "read"}
            yield self.make("grid_generation", key, made, "kgCO2e/kWh", "lifecycle_generation", more)

    def of_facility(self, row: Row) -> Iterator[Factor]:
        """Yield PUE, on-site water and water of electricity of a region."""
        key = f"{row['provider']}:{row['region_id']}:{row['year']}"
        pue = span_of(row, "pue_low", "pue", "pue_high")
        base = {"vintage": row["year"], "valid_from": f"{row['year']}-01-01"}
        if pue is not None:
            more = {**base, "source": row["pue_source"], "evidence": row["pue_evidence"], "note": row["pue_basis"]}
            yield self.make("pue", key, pue, "ratio", "none", more)
        if row["wue_l_per_it_kwh"]:
            more = {**base, "source": row["wue_source"], "evidence": "read", "note": row["wue_basis"]}
            yield self.make("wue", key, Span.exactly(float(row["wue_l_per_it_kwh"])), "l/IT kWh", "it", more)
        if row["electricity_water_l_per_kwh"]:
            more = {"source": "wri", "evidence": "read", "vintage": "2020", "valid_from": "2020-01-01"}
            value = Span.exactly(float(row["electricity_water_l_per_kwh"]))
            yield self.make("ewif", key, value, "l/kWh", row["water_basis"], more)

    def of_size(self, row: Row) -> Iterator[Factor]:
        """Yield vCPUs and memory of a service's unit."""
        yield self.make("size_vcpu", row["key"], Span.exactly(float(row["vcpu"])), "vCPU", "none", row)
        yield self.make("size_gib", row["key"], Span.exactly(float(row["memory_gib"])), "GiB", "none", row)

    def of_pair(self, row: Row) -> Iterator[Factor]:
        """Yield the region that is paired with a region, in the note; the value counts pairs."""
        if row["paired"]:
            more = {"evidence": "recalled", "source": row["provider"] + "_docs", "note": f"paired with {row['paired']}"}
            key = f"{row['provider']}:{row['region_id']}"
            yield self.make("region_pair", key, Span.exactly(1.0), "pair", "none", more)

    def of_ai_model(self, row: Row) -> Iterator[Factor]:
        """Yield energy and embodied of 1,000 output tokens."""
        key = f"{row['vendor']}:{row['model']}"
        energy = span_of(row, "it_kwh_low", "it_kwh", "it_kwh_high")
        if energy is not None:
            yield self.make("ai_model", key, energy, "kWh/1k output tokens", "it", row)
        embodied = Span.exactly(float(row["embodied_kgco2e"]))
        yield self.make("ai_embodied", key, embodied, "kgCO2e/1k output tokens", "cradle_to_gate", row)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def processor_of(row: Row) -> Processor:
    """Return a processor."""
    return Processor(
        row["name"],
        float(row["idle_w_per_thread"]),
        float(row["max_w_per_thread"]),
        float(row["memory_gb_per_thread"]),
        row["is_arm"] == "yes",
        row["is_proxy"] == "yes",
        (f"processor:{row['name']}",),
    )


def accelerator_of(row: Row) -> AcceleratorType:
    """Return an accelerator."""
    model = row["model"]
    return AcceleratorType(
        model,
        float(row["idle_w"]),
        float(row["tdp_w"]),
        float(row["embodied_kgco2e"]),
        row["is_proxy"] == "yes",
        (f"accelerator:{model}", f"accelerator_embodied:{model}"),
    )


def machine_of(row: Row) -> MachineType:
    """Return a machine type."""
    key = f"{row['provider']}:{row['instance_type']}"
    kinds = ("machine", "teads" if row["teads_w_50pct"] else "", "baseline" if row["baseline"] else "")
    return MachineType(
        provider=row["provider"],
        instance_type=row["instance_type"],
        family=row["family"],
        vcpu=float(row["vcpu"]),
        memory_gib=float(row["memory_gib"]),
        threads=float(row["threads"]),
        processor=row["processor"],
        gpu_model=row["gpu_model"] or None,
        gpu_count=float(row["gpu_count"]),
        ssd_tb=float(row["ssd_tb"]),
        hdd_drives=float(row["hdd_drives"]),
        platform_vcpu=float(row["platform_vcpu"]),
        sockets=int(row["sockets"]),
        whole_host=row["whole_host"] == "yes",
        baseline=number(row["baseline"]),
        teads_w_50pct=number(row["teads_w_50pct"]),
        teads_w_idle=number(row["teads_w_idle"]),
        factor_ids=tuple(f"{kind}:{key}" for kind in kinds if kind),
    )


def region_of(row: Row) -> Region:
    """Return a region."""
    return Region(
        row["provider"],
        row["region_id"],
        row["display_name"],
        row["kind"],
        row["country_iso3"] or None,
        tuple(row["members"].split()),
        (f"region_pair:{row['provider']}:{row['region_id']}",) if row["paired"] else (),
        row["paired"] or None,
    )


def size_of(row: Row) -> Size:
    """Return the size of a service's unit."""
    key = row["key"]
    ids = (f"size_vcpu:{key}", f"size_gib:{key}")
    return Size(key, float(row["vcpu"]), float(row["memory_gib"]), row["machine"] or None, ids)


def ai_model_of(row: Row) -> AiModel:
    """Return a language model under its vendor's name."""
    key = f"{row['vendor']}:{row['model']}"
    return AiModel(
        row["vendor"],
        row["model"],
        Span(float(row["it_kwh_low"]), float(row["it_kwh"]), float(row["it_kwh_high"])),
        float(row["embodied_kgco2e"]),
        row["architecture_disclosed"] == "yes",
        (f"ai_model:{key}", f"ai_embodied:{key}"),
    )
