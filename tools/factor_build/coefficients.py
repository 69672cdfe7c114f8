"""Coefficients, replication and service medians: the rows of factors.csv."""

from statistics import median

from tools.factor_build.tables import Row

COLUMNS = (
    "factor_id", "kind", "key", "low", "central", "high", "unit", "boundary", "evidence", "source", "vintage",
    "valid_from", "valid_to", "note",
)  # fmt: skip

_KG_PER_GB = 533 / 384
_Spec = tuple[str, float, float, float, str, str, str, str, str]


def _one(key: str, value: float, unit: str, boundary: str, evidence: str, source: str, note: str = "") -> _Spec:
    return (key, value, value, value, unit, boundary, evidence, source, note)


_NETWORK = ("kWh/GB", "it", "derived", "aslan", "provider side; 0.06 x 1/15 in 2015 (0.004), halved every two years to 2025; central: CCF")
_COEFFICIENTS: tuple[_Spec, ...] = (
    ("utilisation", 0.20, 0.50, 0.65, "fraction", "none", "read", "ccf", "LBNL 2016 projection for hyperscale"),
    ("power_central_ratio", 1.0, 1.35, 1.81, "ratio", "none", "derived", "teads", "1/sqrt(0.552): geometric mean of SPECpower over Teads, 377 types"),
    _one("power_high_ratio", 1.81, "ratio", "none", "derived", "teads", "1/0.552"),
    _one("unknown_idle_w_per_thread", 0.60, "W/thread", "wall_power", "derived", "spec", "median of nine server generations"),
    _one("unknown_max_w_per_thread", 2.70, "W/thread", "wall_power", "derived", "spec", "median of nine server generations"),
    ("arm_w_per_thread_50pct", 1.10, 1.27 * 1.35, 1.90 * 1.35, "W/thread", "wall_power", "derived", "spec", "one proxy for all Arm; no comparison of Arm generations from this"),
    ("memory_w_per_gb", 0.284, 0.392, 0.625, "W/GB", "it", "read", "ccf", "low Boavizta, central Crucial and Micron mean, high Teads r5 - m5 at 50 %"),
    ("hdd_wh_per_tbh", 0.30, 0.65, 0.89, "Wh/TBh", "it", "read", "ccf", "6.5 W / 10 TB; high Etsy 7 W / 7.87 TB; carries head node and enclosure"),
    ("ssd_wh_per_tbh", 0.50, 1.20, 1.52, "Wh/TBh", "it", "read", "ccf", "6 W / 5 TB; high Etsy 6 W / 3.94 TB; carries head node and enclosure"),
    ("archive_wh_per_tbh", 0.0, 0.65, 0.89, "Wh/TBh", "it", "read", "ccf", "no public figure for tape: as HDD, an upper bound"),
    ("network_kwh_per_gb", 0.000125, 0.001, 0.004, *_NETWORK),
    ("network_kwh_per_gb.inter_zone", 0.000125, 0.001, 0.004, *_NETWORK),
    ("network_kwh_per_gb.inter_region", 0.000125, 0.001, 0.004, *_NETWORK),
    ("network_kwh_per_gb.internet_egress", 0.000125, 0.001, 0.004, *_NETWORK),
    ("network_kwh_per_gb.cdn", 0.000125, 0.001, 0.004, *_NETWORK),
    _one("network_kwh_per_gb.intra_zone", 0.0, "kWh/GB", "it", "read", "ccf", "inside servers and PUE"),
    _one("network_kwh_per_gb.ingress", 0.0, "kWh/GB", "it", "derived", "methodology", "the sender's network counts it; the receiving port is in PUE and overhead"),
    _one("network_end_to_end_kwh_per_gb", 0.059, "kWh/GB", "it", "read", "spruce", "opt-in only, never the high of the provider side"),
    _one("accelerator_low_fraction", 0.5, "fraction of the way from idle to TDP", "none", "derived", "methodology"),
    _one("accelerator_central_fraction", 0.75, "fraction of TDP", "none", "derived", "methodology", "between linear 50 % and TDP; Teads p4d measured 3,782 W against 2,394 W"),
    _one("accelerator_high_fraction", 1.0, "fraction of TDP", "none", "derived", "methodology"),
    ("overhead", 1.00, 1.12, 1.30, "factor on IT energy", "it", "derived", "methodology", "1 + 10/83 from the published shares of a large fleet (accelerator 58 %, host 25 %, idle 10 %); high is an assumption"),
    ("embodied_scale", 0.6, 1.0, 1.5, "factor", "cradle_to_gate", "derived", "methodology", "server bases from 600 to 1500 kg"),
    ("embodied_lifetime_hours", 52560, 52560, 35040, "h", "none", "read", "aws_docs", "6 years; the high case (high emissions) is the short life of 4 years, so low >= high here"),
    _one("embodied_lifetime_hours_4y", 35040, "h", "none", "read", "ccf", "4 years, profiles ccf and sci"),
    ("server_base_kgco2e", 1000, 1000, 1000, "kgCO2e", "cradle_to_gate", "read", "ccfcoef", "one socket, 16 GB, no local disk; range in embodied_scale"),
    _one("extra_socket_kgco2e", 100, "kgCO2e/socket", "cradle_to_gate", "read", "ccfcoef"),
    _one("dram_kgco2e_per_gb", _KG_PER_GB, "kgCO2e/GB", "cradle_to_gate", "read", "ccfcoef", "533 kg for 12 x 32 GB, Dell R740 LCA"),
    _one("dram_in_base_gb", 16, "GB", "none", "read", "ccfcoef"),
    ("ssd_kgco2e_per_tb", 23.5, 50, 160, "kgCO2e/TB", "cradle_to_gate", "read", "boavizta_fact", "high: Tannu and Nair 2022"),
    ("hdd_kgco2e_per_drive", 31.11, 31.11, 50, "kgCO2e/drive", "cradle_to_gate", "read", "boavizta_fact", "high: CCF"),
    ("hdd_tb_per_drive", 10, 15, 20, "TB/drive", "none", "derived", "methodology", "drives of a mixed fleet"),
    ("hdd_kgco2e_per_tb", 31.11 / 20, 31.11 / 15, 50 / 10, "kgCO2e/TB", "cradle_to_gate", "derived", "boavizta_fact", "per drive over 20, 15 and 10 TB"),
    _one("drive_lifetime_hours", 35040, "h", "none", "read", "ccf", "4 years"),
    ("serverless_w_per_vcpu_x86", 0.7, 1.65, 2.5, "W/vCPU", "wall_power", "derived", "spec", "unknown processor at 50 %, memory of the measured machine included"),
    ("serverless_w_per_vcpu_arm", 1.1, 1.27, 1.9, "W/vCPU", "wall_power", "derived", "spec", "Ampere Altra proxy at 50 %, memory included"),
    _one("serverless_w_per_vcpu_x86_no_memory", 1.258, "W/vCPU", "wall_power", "derived", "spec", "1.65 - 0.392: memory is not counted twice"),
    _one("serverless_w_per_vcpu_arm_no_memory", 0.878, "W/vCPU", "wall_power", "derived", "spec", "1.27 - 0.392: memory is not counted twice"),
    _one("lambda_mb_per_vcpu", 1769, "MB/vCPU", "none", "read", "aws_docs"),
    _one("lambda_mb_per_gb", 1024, "MB/GB", "none", "read", "aws_docs"),
    _one("aurora_acu_vcpu", 0.25, "vCPU/ACU", "none", "read", "ccf", "1 ACU is about 2 GB, memory to vCPU 8:1"),
    _one("aurora_acu_memory_gb", 2, "GB/ACU", "none", "read", "aws_docs"),
    _one("azure_sql_dtu_per_vcore_standard", 100, "DTU/vCore", "none", "read", "azure_docs"),
    _one("azure_sql_dtu_per_vcore_premium", 125, "DTU/vCore", "none", "read", "azure_docs"),
    _one("azure_sql_memory_gb_per_vcore", 5.1, "GB/vCore", "none", "read", "azure_docs"),
    ("bigquery_slot_vcpu", 0.5, 1, 1, "vCPU/slot", "none", "read", "gcp_docs", "a slot is a virtual CPU"),
    _one("gke_cluster_vcpu_default", 3, "vCPU/cluster", "none", "read", "ccf", "assumption of CCF"),
    _one("cloud_composer_environment_vcpu_default", 14, "vCPU/environment", "none", "read", "ccf", "assumption of CCF"),
    ("ai_input_token_share", 0.0, 0.10, 0.25, "fraction of an output token", "it", "recalled", "recalled", "EcoLogits scores output tokens only"),
    _one("ai_characters_per_token", 4, "characters/token", "none", "read", "gcp_docs"),
    ("grid_loss_default", 0.02, 0.05, 0.08, "fraction", "none", "recalled", "recalled", "transmission and distribution losses outside of the USA"),
    _one("grid_us_lifecycle_ratio", 392.89 / 349.667, "ratio", "none", "derived", "egrid", "Ember USA 2023 lifecycle over eGRID 2023 direct"),
    _one("gib_to_gb", 1.073741824, "GB/GiB", "none", "read", "methodology", "2^30 / 10^9"),
)  # fmt: skip

_Copies = tuple[str, float, float, float, str, str]
_REPLICATION: tuple[_Copies, ...] = (
    ("aws.s3", 1.5, 3, 6, "methodology", "AWS states three zones or more; erasure codes need 1.5; CCF counts 6"),
    ("aws.s3_one_zone", 1.5, 2, 2, "ccf", "one zone"),
    ("aws.ebs", 2, 2, 2, "ccf", ""),
    ("aws.ebs_snapshot", 1.5, 3, 6, "ccf", "kept in S3"),
    ("aws.efs", 1.5, 3, 6, "ccf", ""),
    ("aws.efs_one_zone", 1.5, 2, 2, "ccf", "one zone"),
    ("aws.rds", 2, 2, 2, "ccf", "single zone, on EBS"),
    ("aws.rds_multi_az", 4, 4, 4, "methodology", "two zones, each on EBS"),
    ("aws.aurora", 6, 6, 6, "ccf", "six copies over three zones (AWS docs)"),
    ("aws.backup", 1.5, 3, 6, "ccf", "kept in S3"),
    ("aws.dynamodb", 2, 3, 3, "methodology", "AWS documents three zones; CCF counts 2"),
    ("aws.docdb", 2, 6, 6, "methodology", "AWS documents six copies; CCF counts 2"),
    ("aws.documentdb", 2, 6, 6, "methodology", "synonym of aws.docdb"),
    ("aws.neptune", 2, 6, 6, "methodology", "as Aurora"),
    ("aws.ecr", 1.5, 3, 6, "ccf", "kept in S3"),
    ("aws.fsx", 2, 2, 4, "methodology", "as EBS; Multi-AZ doubles it"),
    ("aws.elasticache_backup", 1.5, 3, 6, "ccf", "kept in S3"),
    ("aws.local_ssd", 1, 1, 1, "methodology", "a disk in the host"),
    ("aws.default", 1, 2, 3, "methodology", "as a block volume; CCF counts 1"),
    ("azure.lrs", 3, 3, 3, "ccf", "three copies in one data centre"),
    ("azure.zrs", 3, 3, 3, "ccf", "three zones"),
    ("azure.grs", 3, 3, 3, "ccf", "primary region; azure.grs_paired on the paired region's grid"),
    ("azure.grs_paired", 3, 3, 3, "ccf", "paired region"),
    ("azure.gzrs", 3, 3, 3, "ccf", "primary region; azure.gzrs_paired on the paired region's grid"),
    ("azure.gzrs_paired", 3, 3, 3, "ccf", "paired region"),
    ("azure.disk", 3, 3, 3, "ccf", "managed disks are LRS by default"),
    ("azure.cosmos", 4, 4, 4, "ccf", "four replicas in a region"),
    ("azure.sql", 3, 3, 4, "ccf", ""),
    ("azure.mysql", 3, 3, 3, "ccf", ""),
    ("azure.postgresql", 3, 3, 3, "ccf", "as MySQL"),
    ("azure.redis", 2, 2, 2, "ccf", "primary and replica"),
    ("azure.default", 1, 3, 3, "methodology", "as LRS; CCF counts 1"),
    ("gcp.gcs", 1.5, 2, 3, "ccf", "single region"),
    *((f"gcp.gcs_{name}", 3.0, 4.0, 6.0, "methodology", "two regions") for name in ("dual", "multi", "dual_region", "multi_region")),
    ("gcp.pd", 2, 2, 3, "methodology", "as EBS; Google does not say"),
    ("gcp.pd_regional", 4, 4, 6, "methodology", "two zones"),
    ("gcp.local_ssd", 1, 1, 1, "methodology", "a disk in the host"),
    ("gcp.snapshot", 1.5, 2, 4, "ccf", "kept in Cloud Storage"),
    ("gcp.filestore", 2, 2, 3, "ccf", ""),
    ("gcp.sql", 2, 2, 3, "methodology", "on a persistent disk"),
    *((f"gcp.sql_{name}", 4.0, 4.0, 6.0, "methodology", "two zones") for name in ("ha", "regional")),
    ("gcp.spanner", 3, 3, 3, "methodology", "Google documents three replicas; CCF counts 2"),
    *((f"gcp.spanner_{name}", 5.0, 5.0, 7.0, "methodology", "Google documents five or more") for name in ("multi", "multi_region")),
    ("gcp.default", 1, 2, 3, "methodology", "as a persistent disk; CCF counts 1"),
    ("oracle.storage", 1.5, 3, 3, "methodology", "three fault domains"),
    ("oracle.default", 1, 3, 3, "methodology", "as oracle.storage"),
    ("generic.block", 2, 2, 3, "methodology", ""),
    ("generic.object", 1.5, 3, 6, "methodology", ""),
    ("generic.default", 1, 2, 3, "methodology", ""),
)  # fmt: skip

_MEDIANS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("aws", ("m5", "m6i", "m6g", "r5", "r6i", "r6g", "t3", "t4g"), ("AmazonRDS", "Amazon Relational Database Service", "AmazonNeptune", "Amazon Neptune", "AmazonDocDB", "Amazon DocumentDB (with MongoDB compatibility)")),
    ("aws", ("m5", "m6g", "m7g", "r5", "r6g", "r7g", "t3", "t4g"), ("AmazonElastiCache", "Amazon ElastiCache", "AmazonMemoryDB", "Amazon MemoryDB")),
    ("aws", ("c5", "c6g", "m5", "m6g", "r5", "r6g", "i3"), ("AmazonES", "Amazon OpenSearch Service", "AmazonMSK", "Amazon Managed Streaming for Apache Kafka", "AmazonMQ", "Amazon MQ")),
    ("aws", ("c5", "m5", "r5", "c6i", "m6i", "r6i", "c6g", "m6g", "r6g", "t3", "t4g"), ("AmazonEC2", "Amazon Elastic Compute Cloud", "ElasticMapReduce", "Amazon EMR", "AmazonEKS", "AmazonECS", "AmazonLightsail", "Amazon Lightsail", "AmazonWorkSpaces", "Amazon WorkSpaces", "AWSDatabaseMigrationSvc")),
    ("aws", ("m5", "c5", "g4dn", "p3"), ("AmazonSageMaker", "Amazon SageMaker")),
    ("aws", ("r5", "d2", "i3"), ("AmazonRedshift", "Amazon Redshift")),
    ("azure", ("dsv3", "dsv4", "dsv5", "esv3", "esv5", "bs"), ("Virtual Machines", "Azure App Service", "Azure Kubernetes Service", "Azure Database for PostgreSQL", "Azure Database for MySQL", "Azure Databricks", "SQL Managed Instance", "SQL Database", "Redis Cache", "Azure Cache for Redis", "HDInsight", "Azure Machine Learning")),
    ("gcp", ("n1", "n2", "n2d", "e2"), ("Compute Engine", "Kubernetes Engine", "Cloud SQL", "Cloud Spanner", "Cloud Bigtable", "Memorystore", "Cloud Memorystore for Redis", "Cloud Dataproc", "Cloud Dataflow", "Vertex AI", "AlloyDB")),
)  # fmt: skip


def rows(machines: list[Row]) -> list[Row]:
    """Return the rows of factors.csv."""
    return [*map(_coefficient, _COEFFICIENTS), *map(_copies, _REPLICATION), *_medians(machines)]


def _factor(kind: str, key: str, low: float, central: float, high: float, **more: str) -> Row:
    row: Row = {"factor_id": f"{kind}:{key}", "kind": kind, "key": key, "low": low, "central": central, "high": high}
    return {**row, "vintage": "", "valid_from": "", "valid_to": "", **more}


def _coefficient(spec: _Spec) -> Row:
    key, low, central, high, unit, boundary, evidence, source, note = spec
    more = {"unit": unit, "boundary": boundary, "evidence": evidence, "source": source, "note": note}
    return _factor("coefficient", key, low, central, high, **more)


def _copies(spec: _Copies) -> Row:
    key, low, central, high, source, note = spec
    evidence = "read" if source == "ccf" else "derived"
    more = {"unit": "copies", "boundary": "none", "evidence": evidence, "source": source, "note": note}
    return _factor("replication", key, low, central, high, **more)


def _medians(machines: list[Row]) -> list[Row]:
    found = []
    for provider, families, services in _MEDIANS:
        sizes = [
            float(str(row["vcpu"]))
            for row in machines
            if row["provider"] == provider and row["family"] in families and not row["whole_host"]
        ]
        quarters = sorted(sizes)
        low, high = quarters[len(quarters) // 4], quarters[(3 * len(quarters)) // 4]
        note = f"median of {len(sizes)} types of {', '.join(families)}; quartiles as range"
        more = {"unit": "vCPU", "boundary": "none", "evidence": "derived", "source": f"specs_{provider}", "note": note}
        for service in services:
            key = f"{provider}.{service.lower()}"
            found.append(_factor("service_median", key, low, median(sizes), high, **more))
    return found
