"""Read an Azure SKU: which hardware one consumed unit asks for, or why nobody can say.

Three spellings of the same bill arrive here: EA and MCA exports (meter category, ``MeterSubCategory - MeterName``),
FOCUS with Microsoft's ``x_`` columns (the same names), and plain FOCUS, whose service is the resource's and whose meter
is the product's description (``Premium SSD Managed Disks - P6 LRS - US East 2`` under Azure Machine Learning). The
product's own first words decide first, then the category, then the service.
"""

import re
from typing import Final

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.factors.model import FactorSet
from offgridflow.methodology import azure_apps, azure_data, azure_network, azure_storage, azure_vm
from offgridflow.methodology.azure_text import OPERATIONS, Handler, Meter, Outcome
from offgridflow.methodology.azure_units import azure_conversion_of
from offgridflow.methodology.generic_parts import REQUESTS, gb_of, refuse, tb_hours_of


def _refusing(reason: NotEstimatedReason, detail: str) -> Handler:
    outcome = refuse(reason, detail)
    return lambda _: outcome


_LICENCE: Final = _refusing(NotEstimatedReason.LICENCE, "licence; the machine has its own meter")
_SUPPORT: Final = _refusing(NotEstimatedReason.SUPPORT, "support plan")
_PREMISES: Final = _refusing(NotEstimatedReason.CUSTOMER_PREMISES, "runs at the customer: its own scope 2")
_DBU: Final = _refusing(NotEstimatedReason.SURCHARGE, "platform fee; the machines have their own meters")
_MARKET: Final = _refusing(NotEstimatedReason.LICENCE, "marketplace software")
_SEATS: Final = _refusing(NotEstimatedReason.CAPACITY_NOT_METERED, "priced by seat or subscription")


def _databricks(meter: Meter) -> Outcome:
    if "serverless" in meter.text:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "serverless unit with its machine inside")
    return _DBU(meter)


def _fabric(meter: Meter) -> Outcome:
    if tb_hours_of(meter.unit, meter.period) is not None:
        return azure_storage.capacity(meter)
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "capacity units of a shared platform")


_AREAS: Final[tuple[tuple[Handler, tuple[str, ...]], ...]] = (
    (
        _LICENCE,
        (
            "virtual machines licenses",
            "virtual machine licenses",
            "windows server",
            "sql server licen",
            "azure red hat openshift",
            "red hat enterprise",
            "suse linux",
            "ubuntu pro",
            "rhel",
            "vm software",
        ),
    ),
    (_SUPPORT, ("support", "azure support", "professional services", "unified support", "enterprise support")),
    (
        _PREMISES,
        ("azure stack", "azure local", "azure arc", "stack hci", "stack edge", "azure operator nexus", "storsimple"),
    ),
    (_MARKET, ("azure marketplace", "marketplace", "saas")),
    (
        _SEATS,
        (
            "github",
            "microsoft 365",
            "office 365",
            "dynamics",
            "power bi pro",
            "power apps",
            "power automate",
            "azure devops",
            "visual studio",
            "windows 365",
            "power bi",
            "intune",
        ),
    ),
    (
        azure_apps.security_fee,
        (
            "microsoft defender",
            "advanced threat protection",
            "advanced data security",
            "security center",
            "azure defender",
            "azure ddos",
            "ddos protection",
        ),
    ),
    (
        azure_vm.machine,
        (
            "virtual machines",
            "virtual machine scale sets",
            "cloud services",
            "azure dedicated host",
            "dedicated host",
            "batch",
            "azure vmware solution",
            "virtual machine",
            "azure batch",
        ),
    ),
    (azure_storage.backup, ("backup", "azure backup", "recovery services")),
    (
        azure_storage.storage,
        (
            "storage accounts",
            "storage",
            "premium ssd managed disks",
            "premium ssd v2",
            "standard ssd managed disks",
            "standard hdd managed disks",
            "standard managed disks",
            "ultra disks",
            "azure premium ssd",
            "tiered block blob",
            "premium block blob",
            "general block blob",
            "blob storage",
            "hot block blob",
            "cool block blob",
            "files v2",
            "tables",
            "queues",
            "files",
            "premium files",
            "azure netapp files",
            "netapp",
            "standard page blob",
            "premium page blob",
            "block blob",
            "azure data lake",
            "data lake",
            "azure disks",
            "azure managed disks",
            "managed disks",
            "azure elastic san",
            "elastic san",
            "azure data lake storage",
            "hpc cache",
            "azure managed lustre",
            "blobs",
            "azure blob",
            "azure files",
            "disk",
            "managed disk",
        ),
    ),
    (
        azure_data.sql,
        (
            "sql database",
            "sql managed instance",
            "azure sql database",
            "azure sql managed instance",
            "azure sql",
            "sql db",
            "sql elastic pool",
        ),
    ),
    (azure_data.open_source, ("azure database for", "azure db for", "postgresql", "mysql", "mariadb")),
    (azure_data.cosmos, ("azure cosmos db", "cosmos db", "azure documentdb")),
    (azure_data.redis, ("redis cache", "azure cache for redis", "azure redis cache", "azure managed redis")),
    (azure_data.synapse, ("azure synapse analytics", "azure synapse", "sql data warehouse", "synapse")),
    (azure_data.factory, ("azure data factory", "data factory")),
    (_databricks, ("azure databricks", "databricks")),
    (_DBU, ("azure data explorer", "data explorer")),
    (_fabric, ("microsoft fabric", "onelake")),
    (
        azure_vm.machine_or_capacity,
        (
            "hdinsight",
            "azure machine learning",
            "machine learning service",
            "azure lab services",
            "azure fluid relay",
            "microsoft dev box",
        ),
    ),
    (azure_apps.app_service, ("azure app service", "app service", "static web apps", "azure static web apps")),
    (azure_apps.functions, ("functions", "azure functions")),
    (
        azure_apps.serverless,
        (
            "container instances",
            "azure container instances",
            "azure container apps",
            "container apps",
            "azure spring apps",
            "azure spring cloud",
            "logic apps",
            "azure logic apps",
        ),
    ),
    (azure_apps.kubernetes, ("azure kubernetes service", "aks", "azure kubernetes fleet")),
    (
        azure_apps.language_model,
        (
            "azure openai",
            "cognitive services",
            "azure ai services",
            "foundry models",
            "azure ai foundry",
            "foundry tools",
            "azure ai",
            "azure cognitive services",
            "openai",
        ),
    ),
    (azure_network.bandwidth, ("bandwidth", "rtn preference", "routing preference", "inter-region", "data transfer")),
    (
        azure_network.virtual_network,
        (
            "virtual network",
            "ip addresses",
            "public ip",
            "virtual network private link",
            "azure private link",
            "private link",
        ),
    ),
    (azure_network.content_delivery, ("content delivery network", "azure front door", "azure cdn", "cdn")),
    (
        azure_network.appliance,
        (
            "load balancer",
            "nat gateway",
            "vpn gateway",
            "expressroute",
            "application gateway",
            "azure firewall",
            "azure bastion",
            "azure dns",
            "traffic manager",
            "virtual wan",
            "network watcher",
            "azure route server",
            "azure nat gateway",
        ),
    ),
    (
        azure_storage.retention,
        (
            "log analytics",
            "azure monitor",
            "sentinel",
            "microsoft sentinel",
            "insight and analytics",
            "application insights",
        ),
    ),
    (
        azure_apps.capacity_not_metered,
        (
            "azure analysis services",
            "event hubs",
            "service bus",
            "api management",
            "key vault",
            "event grid",
            "azure active directory",
            "microsoft entra",
            "azure cognitive search",
            "azure ai search",
            "stream analytics",
            "iot hub",
            "signalr",
            "web pubsub",
            "notification hubs",
            "container registry",
            "automation",
            "azure site recovery",
            "app configuration",
            "azure maps",
            "media services",
            "azure bot service",
            "communication services",
            "azure communication",
            "azure communicating",
            "azure relay",
            "azure digital twins",
            "azure iot",
            "azure health data",
            "azure chaos",
            "azure managed grafana",
            "azure grafana",
            "microsoft purview",
            "azure site",
            "microsoft copilot",
            "azure playwright",
        ),
    ),
)
_HANDLERS: Final[dict[str, Handler]] = {name: handler for handler, names in _AREAS for name in names}
_FIRST_WORDS: Final = re.compile(
    "(?:" + "|".join(re.escape(name) for name in sorted(_HANDLERS, key=len, reverse=True)) + r")(?![a-z])",
)
_VAGUE: Final = frozenset(
    {
        "storage",
        "support",
        "functions",
        "backup",
        "disk",
        "batch",
        "automation",
        "cdn",
        "saas",
        "files",
        "tables",
        "queues",
        "blobs",
        "rhel",
        "aks",
        "dynamics",
        "sentinel",
        "openai",
    }
)
"""Names that as first words of a meter could be of another service; there they need the category's word."""


def _handler_of(text: str, *, strict: bool) -> Handler | None:
    """Return the handler whose name starts the text; ``strict`` leaves out the vague names."""
    match = _FIRST_WORDS.match(text)
    if match is None or (strict and match[0] in _VAGUE):
        return None
    return _HANDLERS[match[0]]


def _read(sku: Sku, period: Month, factors: FactorSet) -> Meter:
    name = sku.sku_meter or sku.description or ""
    category = (sku.service_code or sku.service_name or "").strip().lower()
    text = name.lower() if sku.sku_meter is None or sku.description is None else f"{name} - {sku.description}".lower()
    return Meter(sku, period, factors, category, text, name, azure_conversion_of(sku.consumed_unit))


def _pick(meter: Meter) -> Handler | None:
    """Return the handler of a meter: the category where the bill has one, else the product's first words."""
    if meter.sku.service_code is not None:
        found = _handler_of(meter.category, strict=False)
        if found is not None and meter.category not in {"azure machine learning", "machine learning service"}:
            return found
        return _handler_of(meter.text, strict=True) or found
    description = (meter.sku.description or "").lower()
    return (
        _handler_of(meter.text, strict=False)
        or _handler_of(description, strict=False)
        or _handler_of(meter.category, strict=False)
    )


def classify(sku: Sku, period: Month, factors: FactorSet) -> Outcome:
    """Return what one consumed unit of an Azure SKU asks of the hardware, or why it is not rated. Never raises."""
    meter = _read(sku, period, factors)
    handler = _pick(meter)
    if handler is not None:
        return handler(meter)
    return _by_meter_alone(meter)


def _by_meter_alone(meter: Meter) -> Outcome:
    """Read a meter of a service that is not in the table by what its own words and unit leave no doubt about."""
    if meter.has("license", "licence"):
        return _LICENCE(meter)
    if meter.has("data transfer out") and gb_of(meter.unit) is not None:
        return azure_network.bandwidth(meter)
    if meter.has("data stored") and tb_hours_of(meter.unit, meter.period) is not None:
        return azure_storage.capacity(meter)
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return refuse(NotEstimatedReason.UNKNOWN_SERVICE, meter.category or meter.name)
