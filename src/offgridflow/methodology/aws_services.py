"""Which AWS service a line belongs to: the code where the bill has one, else by its name.

CUR brings product codes (``AmazonEC2``, ``awskms``, or 25 random letters for the Marketplace); FOCUS without its AWS
extension columns brings only the service name, old or new.
"""

import re
from functools import lru_cache
from typing import Final

from offgridflow.domain.model import Sku

BEDROCK: Final = "AmazonBedrock"
MARKETPLACE: Final = "AWSMarketplace"
SUPPORT: Final = "AWSSupport"

_NAMES: Final = {
    "amazon elastic compute cloud": "AmazonEC2",
    "amazon elastic compute cloud - compute": "AmazonEC2",
    "ec2 - other": "AmazonEC2",
    "amazon ec2": "AmazonEC2",
    "amazon virtual private cloud": "AmazonVPC",
    "elastic load balancing": "AWSELB",
    "amazon elastic load balancing": "AWSELB",
    "amazon simple storage service": "AmazonS3",
    "amazon s3": "AmazonS3",
    "amazon glacier": "AmazonGlacier",
    "amazon s3 glacier": "AmazonGlacier",
    "amazon s3 glacier deep archive": "AmazonS3GlacierDeepArchive",
    "amazon elastic file system": "AmazonEFS",
    "amazon fsx": "AmazonFSx",
    "aws backup": "AWSBackup",
    "aws storage gateway": "AWSStorageGateway",
    "aws datasync": "AWSDataSync",
    "amazon ec2 container registry (ecr)": "AmazonECR",
    "amazon elastic container registry": "AmazonECR",
    "amazon elastic container registry public": "AmazonECRPublic",
    "amazon elastic container service": "AmazonECS",
    "amazon ec2 container service": "AmazonECS",
    "amazon elastic container service for kubernetes": "AmazonEKS",
    "amazon elastic kubernetes service": "AmazonEKS",
    "aws fargate": "AmazonECS",
    "aws lambda": "AWSLambda",
    "aws app runner": "AWSAppRunner",
    "aws batch": "AWSBatch",
    "aws codebuild": "CodeBuild",
    "aws glue": "AWSGlue",
    "amazon athena": "AmazonAthena",
    "amazon elastic mapreduce": "ElasticMapReduce",
    "amazon emr": "ElasticMapReduce",
    "amazon emr serverless": "ElasticMapReduce",
    "amazon relational database service": "AmazonRDS",
    "amazon aurora": "AmazonRDS",
    "amazon documentdb (with mongodb compatibility)": "AmazonDocDB",
    "amazon documentdb": "AmazonDocDB",
    "amazon neptune": "AmazonNeptune",
    "amazon dynamodb": "AmazonDynamoDB",
    "amazon dynamodb accelerator (dax)": "AmazonDAX",
    "amazon elasticache": "AmazonElastiCache",
    "amazon memorydb": "AmazonMemoryDB",
    "amazon memorydb for redis": "AmazonMemoryDB",
    "amazon redshift": "AmazonRedshift",
    "amazon opensearch service": "AmazonES",
    "amazon elasticsearch service": "AmazonES",
    "amazon managed streaming for apache kafka": "AmazonMSK",
    "amazon mq": "AmazonMQ",
    "amazon kinesis": "AmazonKinesis",
    "amazon kinesis firehose": "AmazonKinesisFirehose",
    "amazon data firehose": "AmazonKinesisFirehose",
    "amazon kinesis analytics": "AmazonKinesisAnalytics",
    "amazon managed service for apache flink": "AmazonKinesisAnalytics",
    "amazon sagemaker": "AmazonSageMaker",
    "amazon sagemaker ai": "AmazonSageMaker",
    "amazon bedrock": BEDROCK,
    "amazon workspaces": "AmazonWorkSpaces",
    "amazon appstream": "AmazonAppStream",
    "amazon lightsail": "AmazonLightsail",
    "amazon cloudfront": "AmazonCloudFront",
    "aws data transfer": "AWSDataTransfer",
    "aws global accelerator": "AWSGlobalAccelerator",
    "aws direct connect": "AWSDirectConnect",
    "amazon route 53": "AmazonRoute53",
    "amazoncloudwatch": "AmazonCloudWatch",
    "amazon cloudwatch": "AmazonCloudWatch",
    "amazon cloudwatch logs": "AmazonCloudWatch",
    "aws cloudtrail": "AWSCloudTrail",
    "aws key management service": "awskms",
    "aws secrets manager": "AWSSecretsManager",
    "amazon simple queue service": "AWSQueueService",
    "amazon simple notification service": "AmazonSNS",
    "amazon simple email service": "AmazonSES",
    "aws step functions": "AmazonStates",
    "amazon api gateway": "AmazonApiGateway",
    "amazon eventbridge": "AWSEvents",
    "cloudwatch events": "AWSEvents",
    "aws waf": "awswaf",
    "aws shield": "AWSShield",
    "aws security hub": "AWSSecurityHub",
    "amazon guardduty": "AmazonGuardDuty",
    "amazon inspector": "AmazonInspectorV2",
    "amazon macie": "AmazonMacie",
    "aws config": "AWSConfig",
    "aws systems manager": "AWSSystemsManager",
    "aws x-ray": "AWSXRay",
    "aws database migration service": "AWSDatabaseMigrationSvc",
    "aws network firewall": "AWSNetworkFirewall",
    "aws directory service": "AWSDirectoryService",
    "aws transfer family": "AWSTransfer",
    "amazon managed workflows for apache airflow": "AmazonMWAA",
    "amazon quicksight": "AmazonQuickSight",
    "amazon cognito": "AmazonCognito",
    "amazon connect": "AmazonConnect",
    "amazon kendra": "AmazonKendra",
    "amazon comprehend": "comprehend",
    "amazon rekognition": "AmazonRekognition",
    "amazon textract": "AmazonTextract",
    "amazon transcribe": "transcribe",
    "amazon translate": "translate",
    "amazon polly": "AmazonPolly",
    "aws certificate manager": "AWSCertificateManager",
    "aws cost explorer": "AWSCostExplorer",
    "aws budgets": "AWSBudgets",
    "aws outposts": "AWSOutposts",
    "aws snowball": "AWSSnowball",
    "aws snowball edge": "AWSSnowball",
    "aws iot": "AWSIoT",
    "aws appsync": "AWSAppSync",
    "aws amplify": "AWSAmplify",
    "amazon timestream": "AmazonTimestream",
    "amazon keyspaces (for apache cassandra)": "AmazonMCS",
    "amazon simpledb": "AmazonSimpleDB",
    "red hat openshift service on aws": MARKETPLACE,
    "savings plans for aws compute usage": "ComputeSavingsPlans",
    "compute savings plans": "ComputeSavingsPlans",
}

_MARKETPLACE_CODE: Final = re.compile(r"[0-9a-z]{24,26}")
_SUPPORT: Final = re.compile(r"support\b|AWSSupport|PremiumSupport|ManagedServices", re.IGNORECASE)


def service_of(sku: Sku) -> str:
    """Return the AWS service code of a SKU, or what the bill calls the service, or an empty string."""
    return _service_of(sku.service_name or "", sku.service_code or "")


@lru_cache(maxsize=4096)
def _service_of(name: str, code: str) -> str:
    name, code = name.strip(), code.strip()
    if "bedrock" in name.lower() or "bedrock" in code.lower():
        return BEDROCK
    if _MARKETPLACE_CODE.fullmatch(code) is not None:
        return MARKETPLACE
    found = code or _NAMES.get(" ".join(name.lower().split()), name)
    return SUPPORT if _SUPPORT.search(found) is not None else found
