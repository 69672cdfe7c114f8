"""Azure's managed services: what each meter of the public price list asks of the hardware, with the shipped sizes."""

import pytest

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.methodology.azure import classify
from offgridflow.methodology.demand import (
    Accelerator,
    Component,
    Demand,
    Machine,
    Memory,
    NotRated,
    Storage,
    Tokens,
    Transfer,
    Vcpu,
)
from support.few_factors import few_factors, near, shipped
from support.outcomes import demand_of, reason_of

SEPTEMBER = Month(2023, 9)
GB_MONTH = 1.073741824 / 1000 * 720
"""Terabyte-hours of 2^30 bytes that are held through September."""
COPIES = Span(1.5, 3, 3)
EMPTY = few_factors(copies={})
"""A factor set that knows the sizes of units and nothing else."""


def _read(category: str, meter: str, unit: str | None, description: str | None = None) -> Demand | NotRated:
    sku = Sku("azure", category, category, None, meter, None, unit, "westeurope", description)
    return classify(sku, SEPTEMBER, shipped())


def _rated(category: str, meter: str, unit: str | None, description: str | None = None) -> Demand:
    return demand_of(_read(category, meter, unit, description))


def _reason(category: str, meter: str, unit: str | None) -> NotEstimatedReason:
    return reason_of(_read(category, meter, unit))


def _cores(vcpu_hours: float, gib_hours: float, copies: float = 1.0) -> tuple[Component, ...]:
    cores = Vcpu(near(vcpu_hours), "x86", memory_apart=True, copies=copies)
    return cores, Memory(near(gib_hours), copies=copies)


SQL, INSTANCE = "SQL Database", "SQL Managed Instance"
POSTGRES, MYSQL, MARIA = "Azure Database for PostgreSQL", "Azure Database for MySQL", "Azure Database for MariaDB"
COSMOS, SYNAPSE, FACTORY = "Azure Cosmos DB", "Azure Synapse Analytics", "Azure Data Factory v2"


@pytest.mark.parametrize(
    ("category", "meter", "wanted"),
    [
        (SQL, "Single/Elastic Pool General Purpose - Compute Gen5 - vCore", _cores(1, 5.1)),
        (SQL, "Single/Elastic Pool General Purpose - Serverless - Compute Gen5 - vCore", _cores(1, 5.1)),
        (SQL, "SingleDB/Elastic Pool Hyperscale - Compute Gen5 - 4 vCore", _cores(4, 20.4)),
        (INSTANCE, "Managed Instance Business Critical - Compute Gen5 - vCore", _cores(1, 5.1, 4)),
        (POSTGRES, "Flexible Server General Purpose Ddsv5 Series Compute - 2 vCore", _cores(2, 8)),
        (POSTGRES, "Flexible Server Memory Optimized Edsv5 Series Compute - vCore", _cores(1, 8)),
        (MYSQL, "Flexible Server Business Critical Edsv4 Series Compute - vCore", _cores(1, 8)),
        (POSTGRES, "Single Server General Purpose - Compute Gen5 - vCore", _cores(1, 5)),
        (MYSQL, "Single Server Memory Optimized - Compute Gen5 - vCore", _cores(1, 10)),
        (MARIA, "Basic - Compute Gen5 - vCore", _cores(1, 2)),
        (POSTGRES, "Azure Cosmos DB for PostgreSQL Compute- Worker Node - vCore", _cores(1, 8)),
        (POSTGRES, "Azure Cosmos DB for PostgreSQL Compute- Coordinator Node - vCore", _cores(1, 4)),
        (COSMOS, "Azure Cosmos DB for PostgreSQL Compute- Coordinator Node - vCore", _cores(1, 4)),
        (SYNAPSE, "Serverless Apache Spark Pool - Memory Optimized - vCore", _cores(1, 8)),
        (FACTORY, "Azure Data Factory v2 Data Flow - General Purpose - vCore", _cores(1, 8)),
    ],
)
def test_hour_of_a_vcore_is_its_cores_with_the_memory_of_their_tier(
    category: str, meter: str, wanted: tuple[Component, ...]
) -> None:
    """A vCore-hour is a vCPU-hour with the tier's GiB per vCore; business critical SQL runs on four replicas."""
    outcome = _rated(category, meter, "1 Hour")
    assert outcome.components == wanted
    assert (outcome.method, outcome.bucket) == (Method.DATABASE, CoverageBucket.FAMILY_OR_VCPU)


@pytest.mark.parametrize(
    ("meter", "description", "vcore_hours", "copies"),
    [
        ("Single Basic - B DTU", None, 5 / 100 * 24, 1),
        ("Single Basic - DTU", None, 5 / 100 * 24, 1),
        ("Single Standard - S0 DTUs", None, 10 / 100 * 24, 1),
        ("Single Standard - 10 DTUs", None, 10 / 100 * 24, 1),
        ("Single Standard - S12 DTUs", None, 3000 / 100 * 24, 1),
        ("Single Standard - S1 Secondary Active Geo DTUs", None, 20 / 100 * 24, 1),
        ("Single Premium - P2 DTUs", None, 250 / 125 * 24, 4),
        ("Elastic Pool - Standard - eDTUs", "SQL DB Elastic Pool - Standard - 100 DTU Pack", 100 / 100 * 24, 1),
        ("Elastic Pool - Premium - eDTUs", "SQL DB Elastic Pool - Premium - 125 DTU Pack", 125 / 125 * 24, 4),
    ],
)
def test_day_of_dtus_is_hours_of_the_vcores_that_they_are(
    meter: str, description: str | None, vcore_hours: float, copies: float
) -> None:
    """100 DTUs are a vCore for 24 hours, 125 of Premium, whose four replicas run; the size is marked as assumed."""
    outcome = _rated(SQL, meter, "1/Day", description)
    assert outcome.components == _cores(vcore_hours, 5.1 * vcore_hours, copies)
    assert outcome.assumptions == (Assumption.ACU_SIZE,)


@pytest.mark.parametrize(
    ("category", "meter", "unit", "wanted"),
    [
        (SQL, "Single/Elastic Pool General Purpose - Storage - General Purpose Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "ssd", Span(3, 3, 4))),
        (SQL, "Single/Elastic Pool PITR Backup Storage - Backup RA-GRS Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "hdd", COPIES, COPIES)),
        (SQL, "LTR Backup Storage - Backup LRS Data Stored", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
        (POSTGRES, "Flexible Server Storage - Storage Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "ssd", Span.exactly(3))),
        (MYSQL, "Flexible Server Backup Storage - Backup Storage GRS Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "hdd", COPIES, COPIES)),
        (COSMOS, "Azure Cosmos DB - PITR - Continuous Backup", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
        (SYNAPSE, "Azure Synapse Analytics Storage - Standard LRS Data Stored", "1 TB/Month",
         Storage(near(1024 * GB_MONTH), "hdd", COPIES)),
        ("Container Registry", "Container Registry - Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "hdd", COPIES)),
        ("Logic Apps", "Logic Apps - Standard Data Retention", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
        ("Microsoft Fabric", "OneLake - OneLake Storage Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "hdd", COPIES)),
        ("Backup", "Backup - LRS Data Stored", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
        ("Azure Gizmos", "Gizmos - Data Stored", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
        ("Storage", "Tiered Block Blob - Archive LRS Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "archive", COPIES)),
        ("Storage", "Premium Block Blob - Premium ZRS Data Stored", "1 GB/Month",
         Storage(near(GB_MONTH), "ssd", COPIES)),
        ("Azure NetApp Files", "Azure NetApp Files - Ultra Capacity", "1 GiB/Hour",
         Storage(near(GB_MONTH / 720), "ssd", COPIES)),
        ("Storage", "Standard Page Blob - LRS Data Stored", "1 GB/Month", Storage(near(GB_MONTH), "hdd", COPIES)),
    ],
)  # fmt: skip
def test_data_that_is_held_is_storage_in_every_service(category: str, meter: str, unit: str, wanted: Storage) -> None:
    """A GB-month is 2^30 bytes through the month with the service's copies, backups with those of their redundancy."""
    outcome = _rated(category, meter, unit)
    assert outcome.components == (wanted,)
    assert outcome.method is Method.STORAGE
    assert (Assumption.ARCHIVE_AS_HDD in outcome.assumptions) == (wanted.medium == "archive")


def test_database_takes_the_copies_of_its_engine_wherever_the_bill_files_it() -> None:
    """A PostgreSQL server is PostgreSQL by its product's name too, so that its rate names that engine's copies."""
    factors = few_factors(copies={"azure.postgresql": Span.exactly(5), "azure.mysql": Span.exactly(7)})
    for name, copies in (("PostgreSQL", 5), ("MySQL", 7)):
        meter = f"Azure Database for {name} Flexible Server Storage - Storage Data Stored - EU West"
        sku = Sku("azure", "Azure Resources", None, None, meter, None, "GB/Month", "westeurope")
        assert classify(sku, SEPTEMBER, factors) == Demand(
            Method.STORAGE, (Storage(near(GB_MONTH), "ssd", Span.exactly(copies)),)
        )


@pytest.mark.parametrize(
    ("meter", "vcpu", "gib", "nodes"),
    [
        ("Azure Redis Cache Basic - C0 Cache", 0.5, 0.25, 1),
        ("Azure Redis Cache Standard - C1 Cache", 1, 1, 2),
        ("Azure Redis Cache Standard - C1 Cache Instance", 1, 1, 1),
        ("Azure Redis Cache Premium - P2 Cache", 4, 13, 2),
        ("Azure Redis Cache Premium - P2 Cache Instance", 4, 13, 1),
        ("Azure Redis Cache Enterprise - E10 Cache Instance", 4, 12, 1),
    ],
)
def test_cache_is_two_nodes_and_a_cache_instance_is_one(meter: str, vcpu: float, gib: float, nodes: float) -> None:
    """``C1 Cache`` is the primary with its replica; ``C1 Cache Instance`` is one node, at half the price."""
    outcome = _rated("Redis Cache", meter, "1 Hour")
    assert outcome.components == _cores(vcpu, gib, nodes)
    assert (Assumption.NODE_COUNT_DEFAULT in outcome.assumptions) == ("Instance" not in meter)


def test_warehouse_units_are_blocks_of_a_hundred() -> None:
    """100 DWUs have 60 GiB and, by assumption, 7.5 vCPUs: bucket C; DW500's meter counts five such blocks."""
    outcome = _rated(SYNAPSE, "Azure Synapse Analytics Dedicated SQL Pool - 100 DWUs", "1 Hour")
    assert outcome.components == _cores(7.5, 60)
    assert (outcome.method, outcome.bucket) == (Method.SERVICE_MEDIAN, CoverageBucket.SERVICE_MEDIAN)
    assert outcome.assumptions == (Assumption.SERVICE_MEDIAN_SIZE,)
    older = _rated("SQL Data Warehouse", "SQL Data Warehouse Compute Optimized Gen1 - 500 DWUs", "1 Hour")
    assert older.components == _cores(37.5, 300)


@pytest.mark.parametrize(
    ("category", "meter", "size", "service"),
    [
        (POSTGRES, "Flexible Server Burstable BS Series Compute - B1MS", "Standard_B1MS", "Azure Database"),
        (COSMOS, "Azure Cosmos DB Dedicated Gateway - General Purpose - D4s", "Standard_D4s", "Virtual Machines"),
        (FACTORY, "SSIS Standard Dv2 Series - D3 v2", "Standard_D3_v2", "Virtual Machines"),
        ("HDInsight", "HDInsight Dv2 Series - D12 v2 Node", "Standard_D12_v2", "Virtual Machines"),
    ],
)
def test_service_that_names_its_machine_is_that_machine(category: str, meter: str, size: str, service: str) -> None:
    """Burstable servers, gateways and clusters name the size that they run on; it is read from the meter, marked."""
    outcome = _rated(category, meter, "1 Hour")
    assert outcome.components == (Machine(size, 1.0, service=service),)
    assert outcome.assumptions == (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)


@pytest.mark.parametrize(
    ("meter", "vcpu", "gib"),
    [
        ("Azure App Service Basic Plan - Linux - B3 App", 4, 7),
        ("Azure App Service Premium Plan - P1 App", 1, 1.75),
        ("Azure App Service Premium v2 Plan - P2 v2 App", 2, 7),
        ("Azure App Service Premium v3 Plan - Linux - P0v3 App", 1, 4),
        ("Azure App Service Premium v3 Plan - P1", 2, 8),
        ("Azure App Service Premium v3 Plan - P1mv3 App", 2, 16),
        ("Azure App Service Premium v4 Plan - P2", 4, 16),
        ("Azure App Service Premium v4 Plan - P1 v4 App", 2, 8),
        ("Azure App Service Isolated Plan - I2 App", 2, 7),
        ("Azure App Service Isolated v2 Plan - I1 v2 App", 2, 8),
    ],
)
def test_plan_hour_is_the_machine_of_its_generation(meter: str, vcpu: float, gib: float) -> None:
    """P1 has one core in the first two generations and two since the third, whether meter or plan names it."""
    outcome = _rated("Azure App Service", meter, "1 Hour")
    assert outcome.components == _cores(vcpu, gib)
    assert outcome.assumptions == (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)


@pytest.mark.parametrize(
    ("category", "meter", "unit", "wanted"),
    [
        ("Functions", "Premium Functions - Premium vCPU Duration", "1 Hour", Vcpu(1.0, memory_apart=True)),
        ("Functions", "Premium Functions - Premium Memory Duration", "1 GiB Hour", Memory(1.0)),
        ("Functions", "Flex Consumption - On Demand Execution Time", "1 GB Second",
         Vcpu(near(1 / 1.5 / 3600), memory_apart=True)),
        ("Functions", "Flex Consumption - Always Ready Baseline", "1 GB Second",
         Vcpu(near(1 / 1.5 / 3600), memory_apart=True)),
        ("Azure Container Apps", "Standard vCPU Active Usage", "1 Second", Vcpu(near(1 / 3600), memory_apart=True)),
        ("Azure Container Apps", "Standard Memory Idle Usage", "1 GiB Second", Memory(near(1 / 3600))),
        ("Azure Spring Apps", "Azure Spring Apps - Standard Overage Memory Duration", "1 GB Hour", Memory(1.0)),
        ("Logic Apps", "Logic Apps - Standard vCPU Duration", "1 Hour", Vcpu(1.0, memory_apart=True)),
    ],
)  # fmt: skip
def test_time_of_containers_is_cores_and_memory_apart(category: str, meter: str, unit: str, wanted: Component) -> None:
    """Time of vCPUs, of memory and of execution (GB-seconds) is what it says, each by the method of serverless."""
    outcome = _rated(category, meter, unit)
    assert outcome.components[0] == wanted
    assert outcome.method is Method.SERVERLESS


def test_premium_functions_are_containers_under_the_app_service_too() -> None:
    """Plain FOCUS files functions under the App Service; the meter's vCPU time decides, not a plan."""
    meter = "Premium Functions - Premium vCPU Duration - EU West"
    sku = Sku("azure", "Azure App Service", None, None, meter, None, "Hours", "westeurope")
    assert classify(sku, SEPTEMBER, shipped()) == Demand(Method.SERVERLESS, (Vcpu(1.0, memory_apart=True),))


@pytest.mark.parametrize("card", ["K80", "P100", "V100"])
def test_gpu_of_a_container_is_a_card_of_the_factor_set(card: str) -> None:
    """Every card that container instances sell by the hour is one that the shipped set can rate."""
    outcome = _rated("Container Instances", f"Container Instances with GPU - {card} vGPU Duration", "1 Hour")
    assert outcome.components == (Accelerator(f"NVIDIA {card}", 1.0),)
    assert shipped().accelerator(f"NVIDIA {card}") is not None


@pytest.mark.parametrize(
    ("meter", "unit", "wanted"),
    [
        ("Azure OpenAI - gpt-35-turbo-16k Prompt Tokens", "1K", Tokens("gpt-3.5-turbo", 1000, 0)),
        ("Azure OpenAI - gpt 4.1 mini Inp glbl Tokens", "1K", Tokens("gpt-4.1-mini", 1000, 0)),
        ("Azure OpenAI - GPT 4o 1120 Inp glbl Tokens", "1K Tokens", Tokens("gpt-4o", 1000, 0)),
        ("Azure OpenAI GPT5 - GPT 5 Mini outpt Glbl 1M Tokens", "1M", Tokens("gpt-5-mini", 0, 1_000_000)),
        ("Azure OpenAI GPT5 - gpt 5 chat outpt Glbl 1M Tokens", "1M", Tokens("gpt-5-chat-latest", 0, 1_000_000)),
        ("Azure OpenAI GPT5 - 5.4 opt Gl 1M Tokens", "1M", Tokens("gpt-5.4", 0, 1_000_000)),
        ("Azure OpenAI GPT5 - 5.4 nano inp Gl 1M Tokens", "1M", Tokens("gpt-5.4-nano", 1_000_000, 0)),
        ("Azure OpenAI GPT5 - GPT 5 outp Glbl 1M Tokens", "1", Tokens("gpt-5", 0, 1_000_000)),
        ("Azure OpenAI GPT5 - GPT 5 nano inp Glbl 1M Tokens", "1M", Tokens("gpt-5-nano", 1_000_000, 0)),
    ],
)
def test_tokens_are_counted_by_the_unit_or_by_the_name(meter: str, unit: str, wanted: Tokens) -> None:
    """A unit of 1K is a thousand tokens of the model; where the unit is one piece, the name tells how many."""
    outcome = _rated("Foundry Models", meter, unit)
    assert outcome == Demand(Method.AI_TOKENS, (wanted,))


@pytest.mark.parametrize(
    ("meter", "reason"),
    [
        ("Azure OpenAI - GPT 4o 1120 cchd Inp glbl Tokens", NotEstimatedReason.CAPACITY_NOT_METERED),
        ("Azure OpenAI GPT5 - 5.4 cchd inp Gl 1M Tokens", NotEstimatedReason.CAPACITY_NOT_METERED),
        ("Azure OpenAI GPT5 - gizmo opt Gl 1M Tokens", NotEstimatedReason.UNKNOWN_AI_MODEL),
        ("Azure OpenAI GPT5 - 5.9 nano opt Gl 1M Tokens", NotEstimatedReason.UNKNOWN_AI_MODEL),
    ],
)
def test_a_cached_token_runs_no_prefill_and_a_product_is_no_model(meter: str, reason: NotEstimatedReason) -> None:
    """Tokens out of a cache are refused as in the other clouds; ``GPT5`` is the name of a product of many models."""
    assert _reason("Foundry Models", meter, "1M") is reason


@pytest.mark.parametrize(
    ("category", "meter", "kind"),
    [
        ("Virtual Network", "Virtual Network Peering - Intra-Region Egress", "inter_zone"),
        ("Virtual Network", "Virtual Network Peering - Inter-Region Egress", "inter_region"),
        ("ExpressRoute", "ExpressRoute - Metered Data - Data Transfer Out", "internet_egress"),
        ("Azure Front Door Service", "Azure Front Door - Standard Data Transfer Out", "cdn"),
        ("Azure Gizmos", "Gizmos - Data Transfer Out", "internet_egress"),
    ],
)
def test_what_leaves_is_a_transfer_in_every_service(category: str, meter: str, kind: str) -> None:
    """A GB that goes out is 1.0737 decimal GB of its kind, also from an appliance and from an unlisted service."""
    outcome = _rated(category, meter, "1 GB")
    assert outcome.components == (Transfer(near(1.073741824), kind),)
    assert outcome.assumptions == (Assumption.TRANSFER_KIND_FROM_DESCRIPTION,)


@pytest.mark.parametrize(
    ("category", "meter", "unit", "reason"),
    [
        # licences and fees on what has its own meter
        (SQL, "Single/Elastic Pool General Purpose - SQL License - vCore", "1 Hour", "licence"),
        (MYSQL, "Flexible Server Extended Support - vCore", "1 Hour", "surcharge"),
        ("Virtual Machines", "SQL Server Linux Enterprise - 4 vCPU VM License", "1 Hour", "licence"),
        ("Container Instances", "Container Instances - Standard Windows Software Duration", "1 Second", "licence"),
        ("Azure Spring Apps", "Azure Spring Apps Enterprise - Enterprise VMware IP", "1 Hour", "licence"),
        ("Azure Gizmos", "Gizmos Enterprise License", "1 Hour", "licence"),
        ("Azure Kubernetes Service", "Azure Kubernetes Service - Standard Long Term Support", "1 Hour", "not_physical"),
        ("Azure Kubernetes Service", "Azure Kubernetes Service - Automatic Hosted Control Plane", "1 Hour",
         "surcharge"),
        ("Backup", "Backup - Azure VM Protected Instances", "1/Month", "surcharge"),
        ("Azure App Service", "SSL Connections - IP SSL", "1/Month", "not_physical"),
        # a promise or a shared capacity, of which nobody says how much hardware it is
        (SQL, "Single/Elastic Pool General Purpose - Compute Gen5 - Zone Redundancy vCore", "1 Hour",
         "capacity_not_metered"),
        (SQL, "Elastic Pool - Standard - eDTUs", "1/Day", "capacity_not_metered"),
        (SQL, "Elastic Pool - Basic - eDTUs", "1/Day", "capacity_not_metered"),
        (MYSQL, "Flexible Server Storage - Additional IOPS", "1/Month", "capacity_not_metered"),
        (COSMOS, "Azure Cosmos DB autoscale - AP1 100 RUs", "1/Hour", "capacity_not_metered"),
        ("Redis Cache", "Azure Managed Redis - Balanced - B10 Cache Instance", "1 Hour", "capacity_not_metered"),
        (FACTORY, "Azure Data Factory v2 - Cloud Data Movement", "1 Hour", "capacity_not_metered"),
        (SYNAPSE, "Azure Synapse Analytics Pipelines - Cloud Data Movement", "1 Hour", "capacity_not_metered"),
        (FACTORY, "Azure Data Factory v2 - Cloud Pipeline Activity", "1 Hour", "capacity_not_metered"),
        ("Azure Analysis Services", "Azure Analysis Services - B1", "1 Hour", "capacity_not_metered"),
        ("Azure Lab Services", "Azure Lab Services - Standard Lab Unit", "1 Hour", "capacity_not_metered"),
        ("Azure Databricks", "Azure Databricks - Premium Serverless SQL DBU", "1 Hour", "capacity_not_metered"),
        ("Microsoft Fabric", "Fabric Capacity - Compute Pool Capacity Usage CU", "1 Hour", "capacity_not_metered"),
        ("Azure App Service", "Azure App Service Free Plan - F1 App", "1 Hour", "capacity_not_metered"),
        ("Azure Spring Apps", "Azure Spring Apps - Enterprise vCPU and Memory Group Duration", "1 Hour",
         "capacity_not_metered"),
        ("Azure OpenAI", "Azure OpenAI - Provisioned Managed Global - Unit", "1 Hour", "capacity_not_metered"),
        ("Virtual Network", "Virtual Network Private Link - Standard Private Endpoint", "1 Hour",
         "capacity_not_metered"),
        ("Virtual Network", "Virtual Network Private Link - Standard Data Processed - Egress", "1 GB",
         "capacity_not_metered"),
        ("Virtual Network", "Virtual Network Private Link - Standard Data Processed - Ingress", "1 GB",
         "capacity_not_metered"),
        ("Azure Front Door Service", "Azure Front Door - Standard Base Fees", "1/Month", "capacity_not_metered"),
        # what was done, not what ran
        (MYSQL, "Flexible Server Storage - Paid IO LRS IO Rate Operations", "1M", "request_priced"),
        (COSMOS, "Azure Cosmos DB serverless - 1M RUs", "1M", "request_priced"),
        (COSMOS, "Azure Cosmos DB Analytics Storage - Standard Write Operations", "10K", "request_priced"),
        (SYNAPSE, "Azure Synapse Analytics Serverless SQL Pool - Standard Data Processed", "1 TB", "request_priced"),
        (FACTORY, "Azure Data Factory v2 - Cloud Orchestration Activity Run", "1K", "request_priced"),
        ("Functions", "Functions - Standard Total Executions", "10", "request_priced"),
        ("Azure Container Apps", "Standard Requests", "1M", "request_priced"),
        ("Application Gateway", "Application Gateway WAF - Requests", "1M", "request_priced"),
        ("Cognitive Services", "Speech - S1 Speech To Text", "1 Hour", "request_priced"),
        ("Azure Gizmos", "Gizmos - Write Operations", "10K", "request_priced"),
        # counted once, elsewhere
        ("Functions", "Flex Consumption - Always Ready Execution Time", "1 GB Second", "counted_elsewhere"),
        ("Storage", "Storage Bandwidth - Geo-Replication Data transfer", "1 GB", "counted_elsewhere"),
        ("Azure Front Door Service", "Azure Front Door - Standard Data Transfer In", "1 GB", "counted_elsewhere"),
        ("Azure Front Door Service", "Azure Front Door Service - Inbound Data Transfers", "1 GB", "counted_elsewhere"),
        # at the customer
        (FACTORY, "Azure Data Factory v2 - Self Hosted Data Movement", "1 Hour", "customer_premises"),
        (SYNAPSE, "Azure Synapse Analytics Pipelines - Self Hosted Data Movement", "1 Hour", "customer_premises"),
        # names that tell too little
        ("Azure OpenAI", "Azure OpenAI - text embedding ada 002 Tokens", "1K", "unknown_ai_model"),
        ("Azure OpenAI", "Azure OpenAI - text embedding ada 002 Tokens", None, "unknown_ai_model"),
        ("Azure OpenAI", "Azure OpenAI - GPT 4o 0806 training Tokens", "1K", "unknown_meter"),
        ("Container Instances", "Container Instances with GPU - Z9 vGPU Duration", "1 Hour", "unknown_accelerator"),
        ("Azure Dedicated Host", "Azure Dedicated Host - Host of the day", "1 Hour", "unknown_instance_type"),
        ("Storage", "Premium SSD Managed Disks - P95 LRS Disk", "1/Month", "unknown_meter"),
        ("Storage", "Premium SSD Managed Disks - Disk", "1/Month", "unknown_meter"),
    ],
)  # fmt: skip
def test_what_asks_for_no_hardware_of_its_own_says_why(
    category: str, meter: str, unit: str | None, reason: str
) -> None:
    """A licence, a promise, a request, a second half or a vague name is refused with its reason, never a zero."""
    assert _reason(category, meter, unit) == reason


@pytest.mark.parametrize(
    ("category", "meter"),
    [
        (SQL, "Single/Elastic Pool General Purpose - Compute Gen5 - vCore"),
        (SQL, "Single/Elastic Pool General Purpose - Storage - General Purpose Data Stored"),
        (POSTGRES, "Flexible Server Storage - Storage Data Stored"),
        ("Redis Cache", "Azure Redis Cache Standard - C1 Cache"),
        (SYNAPSE, "Azure Synapse Analytics Dedicated SQL Pool - 100 DWUs"),
        ("Azure App Service", "Azure App Service Standard Plan - S1 App"),
        ("Functions", "Functions - Standard Execution Time"),
        ("Container Instances", "Container Instances - Standard vCPU Duration"),
        ("Container Instances", "Container Instances - Standard Memory Duration"),
        ("Container Instances", "Container Instances with GPU - K80 vGPU Duration"),
        ("Virtual Machines", "Virtual Machines DSv3 Series Dedicated Host - DSv3_Type1"),
        ("Log Analytics", "Log Analytics - Analytics Logs Data Retention"),
        ("Azure OpenAI", "Azure OpenAI - gpt 4o 0513 Output global Tokens"),
        ("Storage", "Tiered Block Blob - Hot LRS Data Stored"),
    ],
)
def test_unit_that_contradicts_the_meter_is_never_taken_for_another(category: str, meter: str) -> None:
    """A meter of time or of data over time in gigabytes that were moved is ``unknown_unit``; so is peering in hours."""
    assert _reason(category, meter, "1 GB") == NotEstimatedReason.UNKNOWN_UNIT
    assert _reason("Virtual Network", "Virtual Network Peering - Intra-Region Egress", "1 Hour") == "unknown_unit"


@pytest.mark.parametrize(
    ("category", "meter", "unit", "reason"),
    [
        (SQL, "Single/Elastic Pool General Purpose - Storage - General Purpose Data Stored", "1 GB/Month", "no_factor"),
        ("Storage", "Tiered Block Blob - Hot GRS Data Stored", "1 GB/Month", "no_factor"),
        ("Redis Cache", "Azure Redis Cache Standard - C1 Cache", "1 Hour", "capacity_not_metered"),
        ("Virtual Machines", "DSv3 Series Dedicated Host - DSv3 Type1", "1 Hour", "unknown_instance_type"),
        ("Azure OpenAI", "Azure OpenAI - gpt 4o 0513 Output global Tokens", "1K", "unknown_ai_model"),
    ],
)
def test_factor_that_the_set_lacks_is_never_made_up(category: str, meter: str, unit: str, reason: str) -> None:
    """Copies, nodes and hosts that the factor set does not have are refused: nothing here is one by default."""
    sku = Sku("azure", category, category, None, meter, None, unit, "westeurope")
    assert reason_of(classify(sku, SEPTEMBER, EMPTY)) == reason


@pytest.mark.parametrize(
    ("category", "meter", "unit"),
    [
        (POSTGRES, "Flexible Server General Purpose Ddsv5 Series Compute - 2 vCore", "1 Hour"),
        (SYNAPSE, "Azure Synapse Analytics Dedicated SQL Pool - 100 DWUs", "1 Hour"),
        ("Functions", "Functions - Standard Execution Time", "1 GB Second"),
        ("Azure App Service", "Azure App Service Standard Plan - S1 App", "1 Hour"),
    ],
)
def test_unit_whose_size_the_set_lacks_is_never_one_vcpu(category: str, meter: str, unit: str) -> None:
    """A unit without a size in the factor set is a capacity that nobody knows, in every service."""
    factors = few_factors(copies={}, sizes=False)
    sku = Sku("azure", category, category, None, meter, None, unit, "westeurope")
    assert reason_of(classify(sku, SEPTEMBER, factors)) is NotEstimatedReason.CAPACITY_NOT_METERED


def test_size_without_its_prefix_is_a_stated_size() -> None:
    """``D4s v5`` in the bill's own field is the catalogue's ``Standard_D4s_v5``, and is not marked as read."""
    outcome = _read("Virtual Machines", "whatever", "1 Hour")
    assert isinstance(outcome, NotRated)
    stated = Sku(
        "azure", "Virtual Machines", "Virtual Machines", None, "whatever", None, "1 Hour", "westeurope", None,
        SkuAttributes("D4s v5"),
    )  # fmt: skip
    assert classify(stated, SEPTEMBER, shipped()) == Demand(
        Method.INSTANCE, (Machine("Standard_D4s_v5", 1.0, service="Virtual Machines"),)
    )
