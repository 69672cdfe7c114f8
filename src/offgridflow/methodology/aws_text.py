"""Descriptions to usage types: FOCUS without AWS's extension columns says what is metered only in its sentence.

Every sentence becomes the usage type that AWS itself writes for it, so that one set of tables decides. Longer and rarer
sentences come first. A sentence that names its usage type (``... for EUN1-AWS-Out-Bytes in ...``) is taken at its word.
"""

import re
from typing import Final

_TYPE: Final = r"(?P<t>[a-z][a-z0-9-]*\.[a-z0-9-]+)"
_DB: Final = r"(?P<t>(?:db|cache|ml|kafka|mq|dms|dax)\.[a-z][a-z0-9-]*\.[a-z0-9-]+)"
_NODE: Final = r"(?P<t>[a-z][a-z0-9-]*\.[a-z0-9]+)"

_OTHER_DB: Final = _DB.replace("?P<t>", "?P<u>")
_OTHER_TYPE: Final = _TYPE.replace("?P<t>", "?P<u>")
_OTHER_NODE: Final = _NODE.replace("?P<t>", "?P<u>")
_LONGEST: Final = 512

_Sentences = tuple[tuple[re.Pattern[str], str], ...]


def _table(*lines: tuple[str, str]) -> _Sentences:
    return tuple((re.compile(pattern, re.IGNORECASE | re.ASCII), usage) for pattern, usage in lines)


_FIRST: Final = _table(
    (r"Marketplace .*usage\||software usage\|", "SoftwareUsage"),
    (r"Extended Support", "ExtendedSupport"),
    # transfers
    (r"data transfer in to .* from CloudFront", "CloudFront-In-Bytes"),
    (r"data transfer out of .* to CloudFront", "CloudFront-Out-Bytes"),
    (r"data transfer out to origin", "DataTransfer-Out-OBytes"),
    (r"regional data transfer", "DataTransfer-Regional-Bytes"),
    (r"data transfer from\b", "AWS-In-Bytes"),
    (r"data transfer to\b", "AWS-Out-Bytes"),
    (r"data transfer in\b", "DataTransfer-In-Bytes"),
    (r"data transfer out\b", "DataTransfer-Out-Bytes"),
    # gateways, balancers, addresses
    (r"Data Processed by NAT Gateways?", "NatGateway-Bytes"),
    (r"per NAT Gateway Hour", "NatGateway-Hours"),
    (r"capacity unit-hour", "LCUUsage"),
    (r"Load ?Balancer-hour", "LoadBalancerUsage"),
    (r"public IPv4 address", "PublicIPv4:InUseAddress"),
    (r"Elastic IP address", "ElasticIP:IdleAddress"),
    (r"VPC Endpoint Hour", "VpcEndpoint-Hours"),
    (r"Data Processed by VPC Endpoints?", "VpcEndpoint-Bytes"),
    (r"Transit Gateway", "TransitGateway-Hours"),
    (r"VPN Connection", "VPN-Usage-Hours:ipsec.1"),
    (rf"Mbps per {_TYPE} instance-hour", r"EBSOptimized:\g<t>"),
    # containers
    (r"Fargate .*Windows.*OS", "Fargate-Windows-OS-Hours:perCPU"),
    (r"Fargate .*Ephemeral", "Fargate-EphemeralStorage-GB-Hours"),
    (r"Fargate - ARM - (?:Spot - )?Memory", "Fargate-ARM-GB-Hours"),
    (r"Fargate - ARM - (?:Spot - )?vCPU", "Fargate-ARM-vCPU-Hours:perCPU"),
    (r"Fargate - (?:\w+ - )?Memory", "Fargate-GB-Hours"),
    (r"Fargate - (?:\w+ - )?vCPU", "Fargate-vCPU-Hours:perCPU"),
    (r"EKS cluster usage", "AmazonEKS-Hours:perCluster"),
)
"""Sentences that mean the same in every service."""

_BY_SERVICE: Final[dict[str, _Sentences]] = {
    "AmazonEC2": _table(
        (rf"Unused .*Reservation .*?{_TYPE} Instance Hour", r"UnusedBox:\g<t>"),
        (rf"per Reservation .*?{_TYPE} Instance Hour", r"Reservation:\g<t>"),
        (rf"Dedicated Host.*?{_TYPE}", r"HostBoxUsage:\g<t>"),
        (r"(?P<t>[a-z][a-z0-9-]*) Dedicated Host", r"HostUsage:\g<t>"),
        (rf"per Dedicated .*?{_TYPE} Instance Hour", r"DedicatedUsage:\g<t>"),
        (rf"{_TYPE} .*Spot Instance-hour", r"SpotUsage:\g<t>"),
        (rf"{_TYPE} reserved instance applied|{_OTHER_TYPE}\b.*Savings Plan", r"BoxUsage:\g<t>"),
        (rf"(?:per|for) .*?{_TYPE} Instance[- ]Hour", r"BoxUsage:\g<t>"),
        (r"CPU credits? for (?P<t>[a-z0-9]+)|per vCPU-? ?Hour.*\b(?P<u>t[234][a-z]*)\b", r"CPUCredits:\g<t>"),
        (r"per provisioned (?:MiBps|IOPS|GiBps)", "EBS:VolumeP-IOPS"),
        (r"million I/O requests", "EBS:VolumeIOUsage"),
        (r"snapshot data stored|snapshot storage", "EBS:SnapshotUsage"),
        (r"\((?P<t>gp2|gp3|io1|io2|st1|sc1)\)", r"EBS:VolumeUsage.\g<t>"),
        (r"Magnetic provisioned storage", "EBS:VolumeUsage"),
    ),
    "AWSLambda": _table(
        (r"Total Compute \(Provisioned.*\bARM\b|ARM\b.*\(Provisioned\)", "Lambda-Provisioned-GB-Second-ARM"),
        (r"Total Compute \(Provisioned\)", "Lambda-Provisioned-GB-Second"),
        (r"Provisioned Concurrency", "Lambda-Provisioned-Concurrency"),
        (r"Total (?:ARM )?Compute.*\bARM|Total ARM Compute|ARM.*Total Compute", "Lambda-GB-Second-ARM"),
        (r"Total Compute", "Lambda-GB-Second"),
        (r"Total Requests", "Request"),
    ),
    "AmazonRDS": _table(
        (rf"{_DB}.* Multi-AZ.*readable standbys", r"Multi-AZClusterUsage:\g<t>"),
        (rf"{_DB}.* Multi-AZ|Multi-AZ.* {_OTHER_DB} ", r"Multi-AZUsage:\g<t>"),
        (r"Aurora Capacity Unit hour", "Aurora:ServerlessUsage"),
        (r"consumed storage", "Aurora:StorageUsage"),
        (r"backup storage|snapshot storage", "RDS:ChargedBackupUsage"),
        (r"provisioned IOPS|IOPS-month", "RDS:PIOPS"),
        (r"\b(?P<t>gp\d)\b.*storage.*readable standbys", r"RDS:Multi-AZCluster-\g<t>-Storage"),
        (r"\b(?P<t>gp\d)\b.*storage.*Multi-AZ", r"RDS:Multi-AZ-\g<t>-Storage"),
        (r"\b(?P<t>gp\d)\b.*storage", r"RDS:\g<t>-Storage"),
        (r"I/O requests", "Aurora:StorageIOUsage"),
    ),
    "AmazonDynamoDB": _table(
        (r"GB-Month of storage", "TimedStorage-ByteHrs"),
        (r"(?P<t>read|write) capacity", r"\g<t>CapacityUnit-Hrs"),
        (r"(?P<t>read|write) request units", r"\g<t>RequestUnits"),
    ),
    "AmazonRedshift": _table((rf"per .*?{_NODE} Node|{_OTHER_NODE} (?:node|cluster)", r"Node:\g<t>")),
    "AmazonES": _table((rf"per {_NODE}\.(?:search|elasticsearch)", r"ESInstance:\g<t>.search")),
    "AmazonS3": _table(
        (r"requests", "Requests-Tier1"),
        (r"Early Delete", "EarlyDelete"),
        (r"Retriev", "Retrieval"),
        (r"Deep Archive", "TimedStorage-GDA-ByteHrs"),
        (r"Glacier Instant", "TimedStorage-GIR-ByteHrs"),
        (r"Intelligent-Tiering.*Archive Instant", "TimedStorage-INT-AIA-ByteHrs"),
        (r"Intelligent-Tiering.*Archive", "TimedStorage-INT-AA-ByteHrs"),
        (r"Glacier", "TimedStorage-GlacierByteHrs"),
        (r"One Zone", "TimedStorage-ZIA-ByteHrs"),
        (r"Infrequent Access", "TimedStorage-SIA-ByteHrs"),
        (r"Intelligent-Tiering", "TimedStorage-INT-FA-ByteHrs"),
        (r"of storage|storage used", "TimedStorage-ByteHrs"),
    ),
    "AmazonECR": _table((r"data storage", "TimedStorage-ByteHrs")),
    "AmazonEFS": _table(
        (r"Throughput (?:reads|writes)|Provisioned Throughput|data access", "ETDataAccess-Bytes"),
        (r"One Zone.*Infrequent Access|Infrequent Access.*One Zone", "IATimedStorage-Z-ByteHrs"),
        (r"One Zone", "TimedStorage-Z-ByteHrs"),
        (r"Infrequent Access storage|Archive storage", "IATimedStorage-ByteHrs"),
        (r"storage", "TimedStorage-ByteHrs"),
    ),
    "AmazonCloudWatch": _table(
        (r"log storage", "TimedStorage-ByteHrs"),
        (r"logs? (?:data )?ingested|log data", "DataProcessing-Bytes"),
        (r"metrics requested|per \d[\d,]* requests|per request|API", "CW:Requests"),
        (r"alarm|metric|dashboard", "CW:MetricMonitorUsage"),
    ),
    "AWSGlue": _table((r"(?:DPU|Data Processing Unit)-Hour", "ETL-DPU-Hour")),
    "ElasticMapReduce": _table((rf"for EMR {_TYPE}", r"BoxUsage:\g<t>")),
    "awskms": _table((r"KMS key", "KMS-Keys")),
}

_LAST: Final = _table((_DB, r"InstanceUsage:\g<t>"))

_NAMED: Final = re.compile(
    r"\bper [\w./-]+(?: [\w-]+)? for +(?P<usage>[A-Z][\w.:-]*[\w)])(?: usage)? +in\b"
    r"|\bfor (?P<other>[A-Z][\w.:-]*(?:Bytes|Hrs|Usage|Second|Hours))\b",
    re.ASCII,
)


def usage_type_of(text: str, service: str) -> str | None:
    """Return the usage type that AWS writes for what a description says, or None where no sentence is known."""
    text = text[:_LONGEST]
    named = _NAMED.search(text)
    if named is not None:
        return named["usage"] or named["other"]
    for table in (_FIRST, _BY_SERVICE.get(service, ()), _LAST):
        for pattern, usage in table:
            if (match := pattern.search(text)) is not None:
                return _filled(usage, match)
    return None


def _filled(usage: str, match: re.Match[str]) -> str:
    if r"\g<t>" not in usage:
        return usage
    groups = match.groupdict()
    return usage.replace(r"\g<t>", groups.get("t") or groups.get("u") or "")
