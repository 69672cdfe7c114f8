"""What the sample organisation buys at AWS: usage types, operations and units as CUR writes them."""

from typing import Final

from offgridflow.pipeline.samples_fleet import Commitment, Offer

NAMES: Final = {
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonRDS": "Amazon Relational Database Service",
    "AmazonS3": "Amazon Simple Storage Service",
    "AWSLambda": "AWS Lambda",
    "AmazonECS": "Amazon Elastic Container Service",
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
    "AmazonElastiCache": "Amazon ElastiCache",
    "AmazonDynamoDB": "Amazon DynamoDB",
    "AmazonCloudWatch": "AmazonCloudWatch",
    "AmazonEFS": "Amazon Elastic File System",
    "AWSELB": "Elastic Load Balancing",
    "awskms": "AWS Key Management Service",
    "AWSSupportBusiness": "AWS Support (Business)",
}


def _offer(
    code: str, meter: str, operation: str, unit: str, usd: float, amount: float, count: int = 1, **more: str
) -> Offer:
    return Offer(NAMES[code], meter, unit, usd, amount, count, more={"code": code, "operation": operation, **more})


def _machine(
    instance_type: str, vcpu: int, gib: float, usd: float, count: int, commitment: Commitment = "none"
) -> Offer:
    more = {
        "code": "AmazonEC2",
        "operation": "RunInstances",
        "instance_type": instance_type,
        "family": "General purpose",
        "vcpu": str(vcpu),
        "memory": f"{gib:g} GiB",
        "operating_system": "Linux",
        "product_family": "Compute Instance",
        "id": "i",
    }
    meter = f"BoxUsage:{instance_type}"
    return Offer(NAMES["AmazonEC2"], meter, "Hrs", usd, 1.0, count, commitment=commitment, more=more)


def _database(code: str, meter: str, instance_type: str, vcpu: int, gib: float, usd: float, count: int) -> Offer:
    service, operation = {
        "AmazonRDS": ("rds:{region}:{account}:db:{id}", "CreateDBInstance:0014"),
        "AmazonElastiCache": ("elasticache:{region}:{account}:cluster:{id}", "CreateCacheCluster:0002"),
    }[code]
    more = {
        "code": code,
        "operation": operation,
        "instance_type": instance_type,
        "vcpu": str(vcpu),
        "memory": f"{gib:g} GiB",
        "product_family": "Database Instance",
        "arn": service,
    }
    return Offer(NAMES[code], f"{meter}:{instance_type}", "Hrs", usd, 1.0, count, more=more)


OFFERS: Final = (
    _machine("t3.medium", 2, 4, 0.0416, 10),
    _machine("t3.large", 2, 8, 0.0832, 6),
    _machine("m5.large", 2, 8, 0.096, 10, "savings_plan"),
    _machine("m5.2xlarge", 8, 32, 0.384, 4, "savings_plan"),
    _machine("m6i.xlarge", 4, 16, 0.192, 6),
    _machine("m6g.large", 2, 8, 0.077, 5),
    _machine("c6i.2xlarge", 8, 16, 0.34, 4),
    _machine("c7g.xlarge", 4, 8, 0.145, 3),
    _machine("r5.xlarge", 4, 32, 0.252, 4, "reserved"),
    _machine("r6i.2xlarge", 8, 64, 0.504, 2),
    _machine("g4dn.xlarge", 4, 16, 0.526, 2),
    _offer("AmazonEC2", "EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "GB-Mo", 0.08, 500, 14, id="vol"),
    _offer("AmazonEC2", "EBS:VolumeUsage.gp2", "CreateVolume-Gp2", "GB-Mo", 0.1, 300, 8, id="vol"),
    _offer("AmazonEC2", "EBS:VolumeUsage.st1", "CreateVolume-St1", "GB-Mo", 0.045, 4000, 2, id="vol"),
    _offer("AmazonEC2", "EBS:SnapshotUsage", "CreateSnapshot", "GB-Mo", 0.05, 900, 4, id="snap"),
    _offer("AmazonEC2", "EBS:VolumeP-IOPS.gp3", "CreateVolume-Gp3", "IOPS-Mo", 0.005, 3000, 2, id="vol"),
    _offer("AmazonEC2", "NatGateway-Hours", "NatGateway", "Hrs", 0.045, 1, 3, id="nat"),
    _offer("AmazonEC2", "NatGateway-Bytes", "NatGateway", "GB", 0.045, 180, 3, id="nat"),
    _offer("AmazonEC2", "DataTransfer-Out-Bytes", "RunInstances", "GB", 0.09, 120, 6, id="i"),
    _offer("AmazonEC2", "DataTransfer-Regional-Bytes", "InterZone-In", "GB", 0.01, 260, 4, id="i"),
    _offer("AmazonEC2", "DataTransfer-In-Bytes", "RunInstances", "GB", 0.0, 200, 2, id="i"),
    Offer(
        NAMES["AmazonEC2"],
        "USE1-AWS-Out-Bytes",
        "GB",
        0.02,
        90,
        2,
        (1,),
        more={"code": "AmazonEC2", "operation": "PublicIP-Out", "to_region": "us-east-1", "id": "i"},
    ),
    _offer("AWSELB", "LoadBalancerUsage", "LoadBalancing:Application", "Hrs", 0.0225, 1, 4, id="app/lb"),
    _offer("AWSELB", "LCUUsage", "LoadBalancing:Application", "LCU-Hrs", 0.008, 60, 4, id="app/lb"),
    _offer("AmazonS3", "TimedStorage-ByteHrs", "StandardStorage", "GB-Mo", 0.023, 22000, 8, id="bucket"),
    _offer("AmazonS3", "TimedStorage-SIA-ByteHrs", "StandardIAStorage", "GB-Mo", 0.0125, 9000, 3, id="bucket"),
    _offer("AmazonS3", "TimedStorage-GDA-ByteHrs", "DeepArchiveStorage", "GB-Mo", 0.00099, 60000, 2, id="bucket"),
    _offer("AmazonS3", "Requests-Tier1", "PutObject", "Requests", 0.000005, 400000, 5, id="bucket"),
    _offer("AmazonS3", "Requests-Tier2", "GetObject", "Requests", 0.0000004, 5000000, 5, id="bucket"),
    _database("AmazonRDS", "InstanceUsage", "db.m5.large", 2, 8, 0.171, 3),
    _database("AmazonRDS", "Multi-AZUsage", "db.r5.xlarge", 4, 32, 0.95, 2),
    _offer("AmazonRDS", "RDS:GP3-Storage", "CreateDBInstance:0014", "GB-Mo", 0.115, 700, 4, id="db"),
    _offer("AmazonRDS", "RDS:ChargedBackupUsage", "CreateDBInstance:0014", "GB-Mo", 0.095, 400, 3, id="db"),
    _database("AmazonElastiCache", "NodeUsage", "cache.m5.large", 2, 6.38, 0.156, 3),
    _offer("AWSLambda", "Lambda-GB-Second", "Invoke", "Lambda-GB-Second", 0.0000166667, 90000, 6, id="function"),
    _offer("AWSLambda", "Lambda-GB-Second-ARM", "Invoke", "Lambda-GB-Second", 0.0000133334, 60000, 3, id="function"),
    _offer("AWSLambda", "Request", "Invoke", "Requests", 0.0000002, 800000, 4, id="function"),
    _offer("AmazonECS", "Fargate-vCPU-Hours:perCPU", "FargateTask", "hours", 0.04048, 190, 4, id="task"),
    _offer("AmazonECS", "Fargate-GB-Hours", "FargateTask", "hours", 0.004445, 420, 4, id="task"),
    _offer("AmazonEKS", "AmazonEKS-Hours:perCluster", "CreateOperation", "Hours", 0.1, 1, 2, id="cluster"),
    _offer("AmazonDynamoDB", "TimedStorage-ByteHrs", "StandardStorage", "GB-Mo", 0.25, 300, 2, id="table"),
    _offer(
        "AmazonDynamoDB",
        "WriteRequestUnits",
        "PayPerRequestThroughput",
        "WriteRequestUnits",
        0.00000125,
        2e6,
        2,
        id="table",
    ),
    _offer("AmazonEFS", "TimedStorage-ByteHrs", "Storage", "GB-Mo", 0.3, 250, 2, id="fs"),
    _offer("AmazonCloudWatch", "DataProcessing-Bytes", "PutLogEvents", "GB", 0.5, 8, 3, id="log"),
    _offer("AmazonCloudWatch", "CW:MetricMonitorUsage", "MetricStorage:AWS/EC2", "Metrics", 0.3, 20, 2, id="metric"),
    _offer("awskms", "KMS-Requests", "Decrypt", "Requests", 0.000003, 90000, 2, id="key"),
)
"""The price list; amounts are per day, of GB-months the gigabytes held."""
