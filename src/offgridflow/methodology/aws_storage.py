"""Stored data of AWS: volumes, objects, files, backups, images, logs.

Media and copies follow methodology.md section 3. Provisioned IOPS and throughput buy performance of a volume that its
GB-months already count. Fees for data that is gone (EarlyDelete, BytesDeleted, OverwriteBytes) store nothing.
"""

from typing import Final

from offgridflow.domain.reasons import Assumption
from offgridflow.methodology.aws_parts import Reason, not_metered, not_physical, requests, rules, says, stored

_GONE: Final = not_physical("a fee for data that is gone")
_PERFORMANCE: Final = not_metered("performance of a volume that its size already counts")
_RETRIEVED: Final = not_metered("data read back")
_ARCHIVE: Final = stored("archive", "aws.s3")
_OBJECT: Final = stored("hdd", "aws.s3")
_ONE_ZONE: Final = stored("hdd", "aws.s3_one_zone")
_BACKUP: Final = stored("hdd", "aws.backup")
_VOLUME: Final = stored("ssd", "aws.ebs")
_DISK: Final = stored("hdd", "aws.ebs")
_FILE: Final = stored("ssd", "aws.efs")
_DEFAULT: Final = stored("hdd", "aws.default", Assumption.STORAGE_MEDIUM_DEFAULT, Assumption.REPLICATION_DEFAULT)

EBS: Final = rules(
    (r"^EBS:VolumeUsage\.(?:gp2|gp3|io1|io2|piops)", _VOLUME),
    (r"^EBS:VolumeUsage\.(?:st1|sc1)|^EBS:VolumeUsage(?:\.standard)?$", _DISK),
    (r"^EBS:VolumeP-|^EBS:.*(?:IOPS|Throughput)", _PERFORMANCE),
    (r"^EBS:VolumeIOUsage|^EBS:IO-Requests|^EBS:directAPI", requests),
    (r"^EBS:Snapshot\w*EarlyDelete", _GONE),
    (r"^EBS:Snapshot\w*(?:Retrieval|Restore|Copy)", _RETRIEVED),
    (r"^EBS:SnapshotArchive", stored("archive", "aws.ebs_snapshot")),
    (r"^EBS:Snapshot\w*(?:Usage|Storage)", stored("hdd", "aws.ebs_snapshot")),
    (r"^EBS:FastSnapshotRestore|^EBS:VolumeInit", _PERFORMANCE),
)

S3: Final = rules(
    (r"EarlyDelete|BytesDeleted|OverwriteBytes|ProratedStorage", _GONE),
    (r"TimedStorage-[\w-]*Staging", _OBJECT),
    (r"TimedStorage-(?:ZIA|RRS|Z)\b", _ONE_ZONE),
    (r"TimedStorage-XZ\b|S3X?Z?-?Express.*ByteHrs", stored("ssd", "aws.s3_one_zone")),
    (r"TimedStorage-(?:GDA|Glacier|INT-D?AA)\w*", _ARCHIVE),
    (r"TimedStorage|ByteHrs|S3Tables.*Storage", _OBJECT),
    (
        r"Requests|Tier\d|^Batch|Inventory|Analytics|Monitoring-|Lens|TagStorage|Object(?:Count|Lambda)",
        requests,
    ),
    (r"Retrieval|Restore|Select-|Return(?:ed)?-Bytes|Scanned-Bytes|Peak-?Retrieval|Upload", _RETRIEVED),
    (r"S3RTC|RTC-", not_metered("replication time control, on a transfer that has its own line")),
    (r"MRAP|S3G-", not_metered("routing of a multi-region access point")),
    (r"Compaction|Metadata|Vectors|Tables", not_metered("table and metadata upkeep")),
)

GLACIER: Final = rules(
    (r"EarlyDelete|BytesDeleted|OverwriteBytes", _GONE),
    (r"TimedStorage|ByteHrs", _ARCHIVE),
    (r"Requests|Tier\d", requests),
    (r"Retrieval|Select", _RETRIEVED),
)

EFS: Final = rules(
    (r"EarlyDelete", _GONE),
    (r"^(?:IA|Archive)\w*Storage.*-Z(?:-|\b)|ZIATimedStorage", stored("hdd", "aws.efs_one_zone")),
    (r"Storage.*-Z(?:-|\b)|ZTimedStorage", stored("ssd", "aws.efs_one_zone")),
    (r"^(?:IA|Archive)\w*Storage|Infrequent", stored("hdd", "aws.efs")),
    (r"TimedStorage|Storage.*ByteHrs", _FILE),
    (r"Provisioned(?:TP|Throughput)|MiBpsHrs", _PERFORMANCE),
    (r"DataAccess|Access-Bytes|Throughput|Replication", not_metered("data read and written")),
)

FSX: Final = rules(
    (r"Backup", _BACKUP),
    (r"Throughput|IOPS|SSDCache", _PERFORMANCE),
    (r"Requests", requests),
    (r"DataAccess|Transfer", not_metered("data read and written")),
    (r"Storage[.:-]?(?:MAZ|Multi-?AZ)\d?.*HDD", stored("hdd", "aws.fsx", times=2)),
    (r"Storage[.:-]?(?:MAZ|Multi-?AZ)\d?.*CPool", stored("hdd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT)),
    (r"Storage[.:-]?(?:MAZ|Multi-?AZ)", stored("ssd", "aws.fsx", times=2)),
    (r"Storage.*CPool|Storage.*(?:Int|Archive|IA)", stored("hdd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT)),
    (r"Storage.*HDD", stored("hdd", "aws.fsx")),
    (r"Storage", stored("ssd", "aws.fsx")),
)

BACKUP: Final = rules(
    (r"EarlyDelete", _GONE),
    (r"Restore|Search|Evaluation|Index|Audit|Resource", not_metered("restore and upkeep of backups")),
    (r"ColdStorage", stored("archive", "aws.backup")),
    (r"Storage|ByteHrs", _BACKUP),
    (r"CrossRegion|Transfer|-Bytes", not_metered("copies whose transfer has its own line")),
)

ECR: Final = rules((r"TimedStorage|Storage", stored("hdd", "aws.ecr")), (r"Requests|Scan", requests))

CLOUDWATCH: Final = rules(
    (r"TimedStorage|Storage.*ByteHrs|ArchivalStorage", stored("hdd", "aws.s3", Assumption.REPLICATION_DEFAULT)),
    (r"Requests|GMD-Metrics|API|Canary|Contributor|RUM|Evidently|Insights.*Event", requests),
    (r"Metric|Alarm|Dashboard|Stream", not_metered("metrics, alarms and dashboards")),
    (r"DataProcessing|VendedLog|Log|DataScanned|-Bytes$", not_metered("logs taken in, delivered or searched")),
)

STORAGE_GATEWAY: Final = rules(
    (r"EarlyDelete|Delete", _GONE),
    (r"VTLGlacier|VTL.*Archive|VTS.*Archive", _ARCHIVE),
    (r"ByteHrs|Storage", _OBJECT),
    (r"Uploaded|Retriev|Bytes", _RETRIEVED),
)

QUICK_SIGHT: Final = rules(
    (r"SPICE", stored("ssd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT, Assumption.REPLICATION_DEFAULT)),
)
"""SPICE is an in-memory store whose size on disk is what the bill meters."""

DATA_SYNC: Final = rules((r".", not_metered("data copied; its transfer has its own line")))

ANY_STORAGE: Final = rules(
    (r"EarlyDelete|BytesDeleted|OverwriteBytes", _GONE),
    (r"(?:Backup|Snapshot)\w*[-:]?\w*(?:Usage|Storage|ByteHrs)|PaidSnapshots", _BACKUP),
    (r"VolumeUsage\.(?:st1|sc1)", _DISK),
    (r"(?:GP[23]|PIOPS|SSD|VolumeUsage)[-.]?(?:Storage)?", stored("ssd", "aws.ebs")),
    (r"Timed\w*Storage|Storage-?ByteHrs|StorageUsage|ByteHrs", _DEFAULT),
)
"""For services without a table: the meter says that data is stored, but not on what."""

PREMISES: Final = rules((r".", says(Reason.CUSTOMER_PREMISES, "hardware in the customer's own building")))
