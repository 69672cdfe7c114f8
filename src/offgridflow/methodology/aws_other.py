"""Which table reads which service, what every service shares, and what a service is when no meter of it is known."""

from typing import Final

from offgridflow.methodology import (
    aws_ai,
    aws_compute,
    aws_database,
    aws_network,
    aws_serverless,
    aws_services,
    aws_storage,
)
from offgridflow.methodology.aws_parts import (
    Reason,
    Rule,
    elsewhere,
    not_physical,
    requests,
    rules,
    says,
    surcharge,
)
from offgridflow.methodology.demand import NotRated
from offgridflow.methodology.generic_parts import REQUESTS

TABLES: Final[dict[str, tuple[Rule, ...]]] = {
    "AmazonEC2": (*aws_compute.EC2, *aws_storage.EBS, *aws_network.BOXES),
    "AmazonVPC": aws_network.BOXES,
    "AWSELB": aws_network.BOXES,
    "AmazonS3": aws_storage.S3,
    "AmazonGlacier": aws_storage.GLACIER,
    "AmazonS3GlacierDeepArchive": aws_storage.GLACIER,
    "AmazonEFS": aws_storage.EFS,
    "AmazonFSx": aws_storage.FSX,
    "AWSBackup": aws_storage.BACKUP,
    "AmazonECR": aws_storage.ECR,
    "AmazonECRPublic": aws_storage.ECR,
    "AmazonCloudWatch": aws_storage.CLOUDWATCH,
    "AWSStorageGateway": aws_storage.STORAGE_GATEWAY,
    "AWSDataSync": aws_storage.DATA_SYNC,
    "AmazonECS": aws_serverless.CONTAINERS,
    "AmazonEKS": aws_serverless.CONTAINERS,
    "AWSLambda": aws_serverless.LAMBDA,
    "AmazonCloudFront": (*aws_serverless.LAMBDA[:5], *aws_network.CLOUDFRONT),
    "AWSAppRunner": aws_serverless.APP_RUNNER,
    "AWSGlue": aws_serverless.GLUE,
    "AmazonAthena": aws_serverless.ATHENA,
    "ElasticMapReduce": (*aws_serverless.EMR_SERVERLESS, *aws_compute.EMR),
    "AmazonKinesisAnalytics": aws_serverless.FLINK,
    "CodeBuild": aws_compute.CODEBUILD,
    "AWSCodeBuild": aws_compute.CODEBUILD,
    "AmazonSageMaker": aws_compute.SAGEMAKER,
    "AmazonWorkSpaces": aws_compute.WORKSPACES,
    "AmazonAppStream": aws_compute.WORKSPACES,
    "AmazonLightsail": (*aws_network.LIGHTSAIL, *aws_compute.LIGHTSAIL),
    "AWSDatabaseMigrationSvc": aws_compute.DMS,
    "AmazonRDS": aws_database.RDS,
    "AmazonDocDB": aws_database.DOCUMENT_DB,
    "AmazonNeptune": aws_database.DOCUMENT_DB,
    "AmazonDynamoDB": aws_database.DYNAMO_DB,
    "AmazonDAX": aws_database.DYNAMO_DB,
    "AmazonElastiCache": aws_database.CACHE,
    "AmazonMemoryDB": aws_database.CACHE,
    "AmazonRedshift": aws_database.REDSHIFT,
    "AmazonES": aws_database.OPEN_SEARCH,
    "AmazonMSK": aws_database.KAFKA,
    "AmazonMQ": aws_database.MQ,
    "AmazonKinesis": aws_database.KINESIS,
    "AWSGlobalAccelerator": aws_network.BOXES,
    "AWSDirectConnect": aws_network.DIRECT_CONNECT,
    "AmazonQuickSight": aws_storage.QUICK_SIGHT,
    "AmazonTimestream": aws_database.TIMESTREAM,
    "AmazonRoute53": aws_network.DNS,
    aws_services.BEDROCK: aws_ai.BEDROCK,
    "AWSOutposts": aws_storage.PREMISES,
    "AWSSnowball": aws_storage.PREMISES,
    "AWSSnowballExtraDays": aws_storage.PREMISES,
    "IngestionServiceSnowball": aws_storage.PREMISES,
    "SnowballExtraDays": aws_storage.PREMISES,
    aws_services.MARKETPLACE: rules((r"", says(Reason.LICENCE, "AWS Marketplace"))),
    aws_services.SUPPORT: rules((r"", says(Reason.SUPPORT, "a support plan"))),
    "ComputeSavingsPlans": rules((r"", not_physical("fee of a commitment"))),
    "AWSBatch": rules((r"", elsewhere("the machines have lines of their own"))),
}

OWN_TRANSFERS: Final = frozenset({"AmazonCloudFront", "AWSDirectConnect", "AWSGlobalAccelerator", "AmazonLightsail"})
"""Services whose own table reads their transfers."""

TRANSFER: Final = aws_network.TRANSFER

NEVER: Final = rules(
    (r"ExtendedSupport|extended-support", surcharge("extended support")),
    (r"SoftwareUsage|^MP:|Marketplace", says(Reason.LICENCE, "AWS Marketplace")),
    (r"ComputeSP:|EC2SP:|SageMakerSP:|DatabaseSP:", not_physical("fee of a commitment")),
    (r"Outposts?\b|^OTPS|-Snow", says(Reason.CUSTOMER_PREMISES, "hardware in the customer's own building")),
)
"""Before any table: what carries an instance type or a vCPU unit and is still never rated."""

SHARED: Final[tuple[Rule, ...]] = (
    *aws_network.BOXES,
    *aws_storage.ANY_STORAGE,
    *rules((r"Requests?\b|API(?:-?Calls?|Requests?)|Invocations?|-Tier\d|Events?\b|Messages?\b", requests)),
)
"""After the service's own table."""

BY_THE_HOUR: Final = NotRated(
    Reason.CAPACITY_NOT_METERED, "a managed service whose meters do not say what hardware works"
)
_SETTING: Final = NotRated(Reason.NOT_PHYSICAL, "a key, secret, certificate or setting")

DEFAULTS: Final[dict[str, NotRated]] = {
    **dict.fromkeys(
        (
            "AWSCloudTrail",
            "AWSSecurityHub",
            "AmazonGuardDuty",
            "AWSConfig",
            "AWSSystemsManager",
            "AWSXRay",
            "AmazonInspectorV2",
            "AmazonInspector",
            "AmazonSNS",
            "AWSQueueService",
            "AWSEvents",
            "AmazonStates",
            "AmazonApiGateway",
            "AmazonSES",
            "AmazonRekognition",
            "comprehend",
            "AmazonTextract",
            "transcribe",
            "translate",
            "AmazonPolly",
            "AWSCostExplorer",
            "AWSIoT",
            "AWSAppSync",
            "AmazonLocationService",
            "AmazonPinpoint",
            "AmazonConnect",
            "AmazonCognito",
            "AWSCodePipeline",
            "AWSCodeCommit",
        ),
        REQUESTS,
    ),
    **dict.fromkeys(
        (
            "awswaf",
            "AWSShield",
            "AmazonMacie",
            "AWSNetworkFirewall",
            "AWSDirectoryService",
            "AWSTransfer",
            "AmazonMWAA",
            "AmazonKendra",
            "AWSAmplify",
            "AWSGlobalAccelerator",
            "AWSDirectConnect",
            "AmazonKinesisFirehose",
            "AmazonCloudWatch",
            "AmazonTimestream",
            "AmazonMCS",
            "AmazonSimpleDB",
            "AmazonPrometheus",
            "AWSElementalMediaLive",
            "AWSElementalMediaConvert",
            "AWSElementalMediaConnect",
            "AWSElementalMediaPackage",
            "AWSElementalMediaStore",
            "AmazonGrafana",
            aws_services.BEDROCK,
        ),
        BY_THE_HOUR,
    ),
    **dict.fromkeys(("awskms", "AWSSecretsManager", "AWSCertificateManager", "AWSBudgets", "ACM"), _SETTING),
    "AmazonQuickSight": NotRated(Reason.LICENCE, "readers and authors"),
}
"""What a line of a known service is when none of the tables knows its meter."""

KNOWN: Final = frozenset(TABLES) | frozenset(DEFAULTS) | {"AWSDataTransfer"}
